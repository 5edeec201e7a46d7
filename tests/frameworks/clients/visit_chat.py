"""Visits the room of examples/chat: visit_chat.py HOST:PORT, or the path of a unix socket"""

import json
import sys
from contextlib import ExitStack
from urllib.parse import urlencode

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect, unix_connect


def enter(name):
    where, path = sys.argv[1], "/talk?" + urlencode({"name": name})
    if where.startswith("/"):
        return all.enter_context(unix_connect(where, "ws://localhost" + path))
    return all.enter_context(connect(f"ws://{where}{path}"))


def hear(socket, kind):
    """The next message, which must be of a kind."""
    message = json.loads(socket.recv(timeout=60))
    assert message["kind"] == kind, message
    return message


with ExitStack() as all:
    try:
        enter(" ")
        raise AssertionError("somebody without a name is let in")
    except InvalidStatus as e:
        assert e.response.status_code == 403, e.response

    ada = enter("Ada")
    assert hear(ada, "here")["names"] == ["Ada"]
    zoe = enter("Zoë")
    for socket in (ada, zoe):
        assert hear(socket, "here")["names"] == ["Ada", "Zoë"]
    zoe.send("Grüße & <b>")
    zoe.send("   ")  # nothing is said
    ada.send("hello")
    for socket in (ada, zoe):
        said = {(message["name"], message["text"]) for message in (hear(socket, "said"), hear(socket, "said"))}
        assert said == {("Zoë", "Grüße & <b>"), ("Ada", "hello")}, said
    zoe.close()
    assert hear(ada, "here")["names"] == ["Ada"]
    late = enter("Grace")
    assert {hear(late, "said")["text"], hear(late, "said")["text"]} == {"Grüße & <b>", "hello"}
    assert hear(late, "here")["names"] == ["Ada", "Grace"]
    late.socket.close()  # without a word
    assert hear(ada, "here")["names"] == ["Ada", "Grace"]
    assert hear(ada, "here")["names"] == ["Ada"]
