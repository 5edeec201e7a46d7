"""Where things are."""

import os

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
APPS = os.path.join(HERE, "apps")
# What tests/bench/install has brought: with the distribution's Python, or another.
PEERS = os.path.join(ROOT, ".tools", os.environ.get("BENCH_TOOLS", "bench"), "bin")
PYTHON = os.path.join(PEERS, "python")
GOBRIDGE = os.path.join(ROOT, "bin", "gobridge")
BUILD = os.path.join(ROOT, "build", "bench")
FILES = os.path.join(BUILD, "files")


def shown(text):
    """A path or a command line, as one would type it in the project's folder."""
    return text.replace(ROOT + "/", "")
