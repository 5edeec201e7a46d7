"""Hears at /live of examples/fastapi what is added by HTTP: visit_fastapi.py HOST:PORT"""

import json
import sys
import urllib.request
from contextlib import ExitStack

from websockets.sync.client import connect


def add(title):
    body = json.dumps({"title": title}).encode()
    headers = {"Content-Type": "application/json", "X-API-Key": "only for trying the example"}
    with urllib.request.urlopen(urllib.request.Request(f"http://{sys.argv[1]}/notes", body, headers)) as answer:
        return json.load(answer)["id"]


with ExitStack() as all:
    readers = [all.enter_context(connect(f"ws://{sys.argv[1]}/live")) for _ in range(4)]  # with two workers, some with each
    for title in ("first", "Käse & Brot"):
        id = add(title)
        for socket in readers:
            note = json.loads(socket.recv(timeout=60))
            assert (note["id"], note["title"]) == (id, title), note
