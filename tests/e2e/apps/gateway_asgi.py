"""What an ASGI application sees of a request that a web server passed on by a protocol of its own."""

import json
import os


async def body_of(receive):
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def text_of(value):
    """Bytes as latin-1, and what JSON does not know as its representation."""
    return value.decode("latin-1") if isinstance(value, bytes) else repr(value)


def note(line):
    with open(os.environ["NOTES"], "a", encoding="utf-8") as notes:
        notes.write(line + "\n")


async def talk(scope, receive, send):
    """Say the scope, and then what is heard; "close CODE" closes. How it ends is noted."""
    await receive()
    if scope["path"] == "/refused":
        return await send({"type": "websocket.close"})
    await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None), "headers": [(b"x-own", b"yes")]})
    seen = {name: value for name, value in scope.items() if name != "state"}
    await send({"type": "websocket.send", "text": json.dumps(seen, default=text_of)})
    while (event := await receive())["type"] == "websocket.receive":
        word, _, code = (event.get("text") or "").partition(" ")
        if word == "close":
            await send({"type": "websocket.close", "code": int(code), "reason": "as you say"})
        else:
            await send({**event, "type": "websocket.send"})
    note(f"ended-{scope['query_string'].decode()} {event['code']} {event['reason']}")


async def application(scope, receive, send):
    if scope["type"] == "websocket":
        return await talk(scope, receive, send)
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    if scope["path"] == "/left":  # say when the client has gone
        await body_of(receive)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-accel-buffering", b"no")]})
        await send({"type": "http.response.body", "body": b"begun ", "more_body": True})
        message = await receive()
        if scope["query_string"]:
            note(f"left-{scope['query_string'].decode()} {message['type']}")
        await send({"type": "http.response.body", "body": message["type"].encode()})
        return
    seen = dict(scope, received=await body_of(receive))
    del seen["state"]
    answer = json.dumps(seen, default=text_of).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": answer})
