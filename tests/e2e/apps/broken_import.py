"""An application whose import fails within another module."""

import json

settings = json.loads("{not json")
