from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute

from contract import CONTENT, fail, greeting, greeting_url, noted, numbered_slowly, told, write_later


async def greet(request):
    return PlainTextResponse(greeting(request.query_params["name"]))


async def form(request):
    async with request.form() as fields:
        return RedirectResponse(greeting_url(fields["name"]), 303)


async def upload(request):
    async with request.form() as fields:
        return PlainTextResponse(told(fields["file"].filename, fields["file"].file))


async def send(request):
    return FileResponse(CONTENT)


async def error(request):
    fail()


async def stream(request):
    return StreamingResponse(numbered_slowly(int(request.query_params["lines"])), media_type="text/plain")


async def later(request):
    return PlainTextResponse("soon", background=BackgroundTask(write_later, request.query_params["what"]))


async def echo(socket):
    await socket.accept()
    async for name in socket.iter_text():
        await socket.send_text(greeting(name))


application = noted(
    Starlette(
        routes=[
            Route("/", greet),
            Route("/form", form, methods=["POST"]),
            Route("/upload", upload, methods=["POST"]),
            Route("/file", send),
            Route("/error", error),
            Route("/stream", stream),
            Route("/later", later),
            WebSocketRoute("/echo", echo),
        ]
    )
)
