"""Pages about environ."""

import json
import os
import threading
import time

from common import PATIENCE, answer, page

LAST = {}


@page
def variables(environ, start_response):
    """What environ has. The next request must not see what is done to it here."""
    last = LAST.get("environ")
    seen = {
        "kind": type(environ) is dict,
        "fresh": environ is not last and (last is None or environ["wsgi.input"] is not last["wsgi.input"]),
        "process": [name for name in os.environ if name in environ],
        "variables": {k: [type(v).__name__, v if type(v) is str else repr(v)] for k, v in environ.items()},
        "names": sorted({type(k).__name__ for k in environ}),
    }
    LAST["environ"] = environ
    environ.update({"MINE": "mine", "SCRIPT_NAME": "/spoilt", "wsgi.version": "spoilt", "wsgi.errors": None})
    del environ["wsgi.multithread"]
    return answer(start_response, json.dumps(seen))


@page
def together(environ, start_response):
    """Two requests that wait for each other, wherever they run: in threads or processes."""
    name, _, side = environ["QUERY_STRING"].partition("&")
    mine, other = (os.path.join(os.environ["MEETING"], name + s) for s in ("ab" if side == "a" else "ba"))
    with open(mine, "w"):
        pass
    end = time.monotonic() + PATIENCE
    while not os.path.exists(other):
        if time.monotonic() > end:
            return answer(start_response, "nobody came", "500 Alone")
        time.sleep(0.002)
    return answer(start_response, json.dumps([os.getpid(), threading.get_ident()]))


@page
def pid(environ, start_response):
    return answer(start_response, str(os.getpid()))
