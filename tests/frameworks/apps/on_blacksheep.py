import asyncio
import io

from blacksheep import Application, Request, Response, StreamedContent, WebSocket, WebSocketDisconnectError
from blacksheep.server.responses import file, redirect, text

from contract import CONTENT, fail, greeting, greeting_url, noted, numbered_slowly, told, write_later

app = Application()
TASKS = set()


@app.router.get("/")
async def greet(name: str):
    return text(greeting(name))


@app.router.post("/form")
async def form(request: Request):
    return redirect(greeting_url((await request.form())["name"]))


@app.router.post("/upload")
async def upload(request: Request):
    (part,) = await request.files("file")
    return text(told(part.file_name.decode(), io.BytesIO(part.data)))


@app.router.get("/file")
async def send():
    return file(CONTENT, "application/octet-stream")


@app.router.get("/error")
async def error():
    fail()


@app.router.get("/stream")
async def stream(lines: int):
    async def encoded():
        async for line in numbered_slowly(lines):
            yield line.encode()

    return Response(200, content=StreamedContent(b"text/plain", encoded))


@app.router.get("/later")
async def later(what: str):
    task = asyncio.create_task(write_later(what))
    TASKS.add(task)
    task.add_done_callback(TASKS.discard)
    return text("soon")


@app.router.ws("/echo")
async def echo(socket: WebSocket):
    await socket.accept()
    try:
        while True:
            await socket.send_text(greeting(await socket.receive_text()))
    except WebSocketDisconnectError:
        pass


application = noted(app)
