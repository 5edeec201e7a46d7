"""What an ASGI application sees of a request that a web server passed on by a protocol of its own."""

import json


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


async def application(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    if scope["path"] == "/left":  # say when the client has gone
        await body_of(receive)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun ", "more_body": True})
        message = await receive()
        await send({"type": "http.response.body", "body": message["type"].encode()})
        return
    seen = dict(scope, received=await body_of(receive))
    del seen["state"]
    answer = json.dumps(seen, default=text_of).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": answer})
