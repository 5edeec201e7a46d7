"""The pages of asgi_checks that send what the extensions have."""

import asyncio
import io
import os
import tempfile

CONTENT = bytes(i * 31 % 251 for i in range(600000))  # as `content` of the checks
FOLDER = tempfile.mkdtemp()


def made(name, content):
    """The path of a file of ours."""
    path = os.path.join(FOLDER, name)
    if not os.path.exists(path):
        with open(path, "wb") as file:
            file.write(content)
    return path


def how(scope):
    return scope["query_string"].decode().partition("&")[0]


async def start(send, *headers, **more):
    await send({"type": "http.response.start", "status": 200, "headers": headers, **more})


async def tell(send, text):
    await start(send)
    await send({"type": "http.response.body", "body": text.encode()})


# ---- Files.


def wrong(kind):
    """Paths that cannot be sent."""
    if kind == "fifo" and not os.path.exists(FOLDER + "/fifo"):
        os.mkfifo(FOLDER + "/fifo")
    return {"missing": FOLDER + "/missing", "folder": FOLDER, "fifo": FOLDER + "/fifo", "relative": "asgi_checks.py", "bytes": FOLDER.encode(),
            "nul": FOLDER + "/\0", "none": None, "device": "/dev/zero"}[kind]


async def wrong_path(scope, receive, send):
    """What a path that cannot be sent raises; nothing of it is in the response."""
    await start(send)
    try:
        await send({"type": "http.response.pathsend", "path": wrong(how(scope))})
    except Exception as error:  # pylint: disable=broad-except
        await send({"type": "http.response.body", "body": type(error).__name__.encode()})


async def path(scope, receive, send):
    """A file of so many bytes, deleted at once; `length` announces 1000."""
    kind, _, size = how(scope).partition("-")
    sent = made(f"file-{scope['query_string'].decode()}", CONTENT[:int(size)])
    await start(send, *[(b"content-length", b"1000")] * (kind == "length"))
    try:
        await send({"type": "http.response.pathsend", "path": sent})
    finally:
        os.unlink(sent)


async def zerocopy(scope, receive, send):
    """Parts of a file between pieces of the body, the file closed as soon as they are sent."""
    async def body(text):
        await send({"type": "http.response.body", "body": text, "more_body": True})

    async def part(**keys):
        await send({"type": "http.response.zerocopysend", "more_body": True, **keys})

    await start(send)
    await body(b"<")
    file = open(made("content", CONTENT), "rb")
    await part(file=file, offset=1000, count=300000)
    await body(b"|")
    await part(file=file.fileno(), offset=7, count=20)
    assert file.tell() == 0 and file.read(10) == CONTENT[:10]
    await part(file=file, count=200000)  # from where it is
    assert file.tell() == 200010
    await part(file=file)  # and what is left
    assert file.tell() == 600000
    await part(file=file, offset=600000)
    await part(file=file, offset=599990, count=1000000)  # so much is not there
    file.close()
    await send({"type": "http.response.body", "body": b">"})


async def zerocopies(scope, receive, send):
    """Many parts, each from a descriptor of its own, which is closed at once; the last one ends the body."""
    await start(send)
    for i in range(40):
        with open(made("content", CONTENT), "rb", buffering=0) as file:
            await send({"type": "http.response.zerocopysend", "file": file, "offset": i * 1000, "count": 200000, "more_body": i < 39})


FAILED = {}


async def endless_file(scope, receive, send):
    """Parts until that fails; what it failed with is for the page failed_with."""
    await start(send)
    try:
        with open(made("content", CONTENT), "rb") as file:
            while True:
                await send({"type": "http.response.zerocopysend", "file": file, "offset": 0, "more_body": True})
    except BaseException as error:
        FAILED[scope["query_string"]] = f"OSError: {isinstance(error, OSError)}"
        raise


async def failed_with(scope, receive, send):
    await tell(send, FAILED.get(scope["query_string"], ""))


async def unawaited_file(scope, receive, send):
    """Sent, not awaited, and the descriptors closed: another file gets their numbers."""
    await start(send)
    first, second = open(made("content", CONTENT), "rb"), open(made("content", CONTENT), "rb")
    send({"type": "http.response.zerocopysend", "file": first, "offset": 0, "count": 300000, "more_body": True})
    waits = asyncio.ensure_future(send({"type": "http.response.zerocopysend", "file": second, "offset": 1, "count": 300000}))
    await asyncio.sleep(0)
    waits.cancel()
    second.close()
    first.close()
    with open(made("other", bytes(600000)), "rb"):
        await asyncio.sleep(0.05)


async def wrong_file(scope, receive, send):
    """What each file raises that cannot be sent."""
    ends, names = os.pipe(), []
    await start(send)
    with open(made("content", CONTENT), "rb") as file, open(made("written", b"x"), "wb") as written:
        for keys in [{}, {"file": None}, {"file": "name"}, {"file": ends[0]}, {"file": 99999}, {"file": written}, {"file": file, "offset": -1},
                     {"file": file, "count": -1}, {"file": file, "offset": "1"}, {"file": file, "count": 1.5}, {"file": io.BytesIO(b"x")}]:
            try:
                await send({"type": "http.response.zerocopysend", "more_body": True, **keys})
                names.append("sent")
            except Exception as error:  # pylint: disable=broad-except
                names.append(type(error).__name__)
    os.close(ends[0])
    os.close(ends[1])
    await send({"type": "http.response.body", "body": " ".join(names).encode()})


# ---- Fields before the head and behind the body.


async def hinted(scope, receive, send):
    """Hints before the start, behind it, and too late."""
    hint = {"type": "http.response.early_hint"}
    await send({**hint, "links": [b"</a.css>; rel=preload", b"</b.js>"]})
    await send({**hint, "links": iter([])})
    names = []
    for links in [None, b"</a>", "</a>", [1], ["</a>"], [b"a\r\nb: c"], [b"a\0"]]:
        try:
            await send({**hint, "links": links})
            names.append("sent")
        except Exception as error:  # pylint: disable=broad-except
            names.append(type(error).__name__)
    await start(send)
    await send({**hint, "links": (b"</c.js>",)})
    await send({"type": "http.response.body", "body": " ".join(names).encode(), "more_body": True})
    await send({**hint, "links": [b"</late>"]})
    await send({"type": "http.response.body"})


async def trailed(scope, receive, send):
    """Trailers; `counted` behind a body whose length is known, `path` behind a file."""
    kind, trailers = how(scope), {"type": "http.response.trailers"}
    await start(send, (b"trailer", b"x-sum"), *[(b"content-length", b"4")] * (kind == "counted"), trailers=True)
    if kind == "path":
        await send({"type": "http.response.pathsend", "path": made("content", CONTENT)})
    else:
        await send({"type": "http.response.body", "body": b"body"})
    raised = []
    for field in [(b"content-length", b"4"), (b"Set-Cookie", b"a=b"), (b"content-type", b"x"), (b"host", b"x"), (b"x-a", b"1\r\nb: c"), (b"x a", b"1")]:
        try:
            await send({**trailers, "headers": [field], "more_trailers": True})
        except ValueError:
            raised.append(field)
    await send({**trailers, "headers": [(b"X-Sum", b"1"), (b"x-sum", str(len(raised)).encode()), (b"connection", b"close")], "more_trailers": True})
    await send({**trailers, "headers": []})
    try:
        await send({**trailers, "headers": []})
    except RuntimeError:
        return
    raise AssertionError("something could be sent behind the end")


PAGES = [wrong_path, path, zerocopy, zerocopies, endless_file, failed_with, unawaited_file, wrong_file, hinted, trailed]
