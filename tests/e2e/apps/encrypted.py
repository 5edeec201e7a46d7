"""What an ASGI application knows of an encrypted connection, by HTTP and as a WebSocket."""

import json
import os


def seen(scope):
    tls = scope["extensions"].get("tls")
    return json.dumps({"scheme": scope["scheme"], "tls": tls, "generation": os.environ.get("GENERATION", "")})


async def socket(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": seen(scope)})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"].upper()})


async def application(scope, receive, send):
    if scope["type"] == "websocket":
        await socket(scope, receive, send)
        return
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    if scope["path"] == "/file":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.pathsend", "path": os.environ["SENT"]})
        return
    body = str(size).encode() if size else seen(scope).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
