"""The application of the comparison, with FastAPI; noting.py says what its pages are."""

import asyncio

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, RedirectResponse, Response, StreamingResponse

import noting

app = FastAPI()
application = noting.ASGI(app)
TEXT = {"media_type": "text/plain"}


def page(path):
    return app.api_route(path, methods=noting.METHODS)


def number(request):
    return int(request.url.query)


def case(request):
    return request.headers["X-Case"]


async def body_of(request):
    try:
        return await request.body()
    except Exception as error:
        noting.note(case(request), read=type(error).__name__)
        raise


@page("/form")
async def form(request: Request):
    parts = (await request.form()).multi_items()
    files = [(name, f.filename, f.content_type, await f.read()) for name, f in parts if not isinstance(f, str)]
    return Response(noting.form((item for item in parts if isinstance(item[1], str)), files))


@page("/unread")
async def unread():
    return Response("not read")


@page("/early")
async def early(request: Request):
    async def pieces():
        yield b"x" * noting.PIECE
        yield noting.told("early", await body_of(request)).encode()
    return StreamingResponse(pieces(), **TEXT)


@page("/size")
async def size(request: Request):
    return Response(b"x" * number(request), **TEXT)


@page("/stream")
async def stream(request: Request):
    return StreamingResponse(noting.stream(number(request)), **TEXT)


async def one(piece):
    yield piece


@page("/short")
async def short():
    return StreamingResponse(one(b"short"), headers={"Content-Length": "10"}, **TEXT)


@page("/long")
async def long():
    return StreamingResponse(one(b"much too long"), headers={"Content-Length": "4"}, **TEXT)


@page("/status")
async def status(request: Request):
    return Response(b"" if number(request) in (204, 304) else b"status", status_code=number(request), **TEXT)


@page("/redirect")
async def away():
    return RedirectResponse("/elsewhere?a=b", status_code=302)


@page("/cookies")
async def cookies():
    response = Response("cookies")
    response.set_cookie("one", "1", httponly=True)
    response.set_cookie("two", "zwei")
    return response


@page("/own")
async def own():
    response = Response("own")
    response.raw_headers += [(name.lower().encode(), value.encode()) for name, value in noting.OWN]
    return response


@page("/head")
async def head(request: Request):
    return Response("head", headers={"X-Long": "h" * number(request)})


@page("/packed")
async def packed():
    return Response(noting.PACKED, headers={"Content-Encoding": "gzip"}, **TEXT)


@page("/file")
async def file():
    return FileResponse(noting.__file__, media_type="text/x-python")


@page("/fails")
async def fails():
    raise RuntimeError("fails")


@page("/fails-late")
async def fails_late():
    async def pieces():
        yield b"x" * noting.PIECE
        raise RuntimeError("fails late")
    return StreamingResponse(pieces(), **TEXT)


@page("/endless")
async def endless(request: Request):
    async def pieces():
        try:
            while True:
                yield b"x" * noting.PIECE
                await asyncio.sleep(0)
        finally:
            noting.note(case(request), ended="closed")
    return StreamingResponse(pieces(), **TEXT)


@page("/{rest:path}")
async def told(request: Request):
    return Response(noting.told(request.method, await body_of(request)), **TEXT)
