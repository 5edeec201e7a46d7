"""Visits the board of examples/channels: visit_channels.py HOST:PORT"""

import http.cookiejar
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from contextlib import ExitStack

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

BASE = "http://" + sys.argv[1]


class Visitor:
    """Somebody with cookies."""

    def __init__(self, name):
        self.name, self.jar = name, http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        assert f"Hello, {name}!" in self.post("/name", name=name)

    def get(self, path):
        with self.opener.open(BASE + path) as answer:
            return answer.read().decode()

    def post(self, path, **fields):
        fields["csrfmiddlewaretoken"] = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.get("/")).group(1)
        with self.opener.open(BASE + path, urllib.parse.urlencode(fields).encode()) as answer:
            return answer.read().decode()

    def look(self, origin=BASE):
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.jar)
        return all.enter_context(connect(f"ws://{sys.argv[1]}/live", additional_headers={"Cookie": cookies}, origin=origin))


def must_be_refused(open, what):
    try:
        open()
    except InvalidStatus as e:
        assert e.response.status_code == 403, e.response
    else:
        raise AssertionError(f"{what} is let in")


def hear(socket, kind):
    """The next message of a kind: of others there may be more or fewer."""
    while (message := json.loads(socket.recv(timeout=60)))["kind"] != kind:
        pass
    return message


with ExitStack() as all:
    ada, zoe = Visitor("Ada"), Visitor("Zoë")
    must_be_refused(lambda: connect(f"ws://{sys.argv[1]}/live", origin=BASE), "somebody without a name")
    must_be_refused(lambda: ada.look("http://elsewhere.example"), "a page of another site")

    first, second = ada.look(), zoe.look()
    assert hear(first, "came")["name"] == "Ada"
    assert hear(first, "came")["name"] == "Zoë"
    second.send(json.dumps({"kind": "writes"}))
    assert hear(first, "writes")["name"] == "Zoë"
    zoe.post("/post", text="Käse & <b>")
    for socket in (first, second):
        message = hear(socket, "said")
        assert (message["name"], message["text"]) == ("Zoë", "Käse & <b>"), message
    second.close()
    ada.post("/post", text="still here")
    assert hear(first, "said")["text"] == "still here"
