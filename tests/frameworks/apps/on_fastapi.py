from typing import Annotated

from fastapi import BackgroundTasks, FastAPI, Form, UploadFile, WebSocket
from fastapi.responses import FileResponse, PlainTextResponse, RedirectResponse, StreamingResponse

from contract import CONTENT, fail, greeting, greeting_url, noted, numbered, told, write_later

app = FastAPI(default_response_class=PlainTextResponse)


# Those that are not async run in threads, and so does a generator that is not.
@app.get("/")
def greet(name: str):
    return greeting(name)


@app.post("/form")
async def form(name: Annotated[str, Form()]):
    return RedirectResponse(greeting_url(name), 303)


@app.post("/upload")
def upload(file: UploadFile):
    return told(file.filename, file.file)


@app.get("/file")
async def send():
    return FileResponse(CONTENT)


@app.get("/error")
def error():
    fail()


@app.get("/stream")
async def stream(lines: int):
    return StreamingResponse(numbered(lines), media_type="text/plain")


@app.get("/later")
async def later(what: str, tasks: BackgroundTasks):
    tasks.add_task(write_later, what)
    return "soon"


@app.websocket("/echo")
async def echo(socket: WebSocket):
    await socket.accept()
    async for name in socket.iter_text():
        await socket.send_text(greeting(name))


application = noted(app)
