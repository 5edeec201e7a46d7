"""The example's settings, with a database of its own that stays connected."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
sys.path.insert(0, str(ROOT / "examples" / "django"))
os.environ.setdefault("DATA_DIR", str(ROOT / "build" / "bench" / "django"))

from mysite.settings import *  # noqa: E402,F401,F403 (it is the example's, found just now)
from mysite.settings import DATABASES  # noqa: E402

ROOT_URLCONF = "djangoed.urls"
DATABASES["default"]["CONN_MAX_AGE"] = None
