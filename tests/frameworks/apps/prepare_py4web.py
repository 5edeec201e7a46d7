"""Lays a copy of the site where py4web may write."""

import os
import shutil

shutil.copytree("py4web_apps", os.path.join(os.environ["SCRATCH"], "apps"))
