from typing import Annotated

from litestar import Litestar, MediaType, get, post, websocket_listener
from litestar.background_tasks import BackgroundTask
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.logging import LoggingConfig
from litestar.params import Body
from litestar.response import File, Redirect, Response, Stream

from contract import CONTENT, fail, greeting, greeting_url, noted, numbered_slowly, told, write_later


@get("/", media_type=MediaType.TEXT)
async def greet(name: str) -> str:
    return greeting(name)


@post("/form", status_code=303)
async def form(data: Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]) -> Redirect:
    return Redirect(greeting_url(data["name"]))


@post("/upload", status_code=200, media_type=MediaType.TEXT)
async def upload(data: Annotated[UploadFile, Body(media_type=RequestEncodingType.MULTI_PART)]) -> str:
    return told(data.filename, data.file)


@get("/file")
async def send() -> File:
    return File(CONTENT)


@get("/error")
async def error() -> None:
    fail()


@get("/stream")
async def stream(lines: int) -> Stream:
    return Stream(numbered_slowly(lines), media_type=MediaType.TEXT)


@get("/later", media_type=MediaType.TEXT)
async def later(what: str) -> Response[str]:
    return Response("soon", background=BackgroundTask(write_later, what))


@websocket_listener("/echo")
async def echo(data: str) -> str:
    return greeting(data)


application = noted(
    Litestar([greet, form, upload, send, error, stream, later, echo], logging_config=LoggingConfig(log_exceptions="always"))
)
