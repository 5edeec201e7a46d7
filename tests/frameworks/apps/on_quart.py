from quart import Quart, Response, redirect, request, send_file, websocket

from contract import CONTENT, fail, greeting, greeting_url, noted, numbered_slowly, told, write_later

app = Quart(__name__)


@app.get("/")
async def greet():
    return Response(greeting(request.args["name"]), mimetype="text/plain")


@app.post("/form")
async def form():
    return redirect(greeting_url((await request.form)["name"]), 303)


@app.post("/upload")
async def upload():
    file = (await request.files)["file"]
    return told(file.filename, file)


@app.get("/file")
async def send():
    return await send_file(CONTENT)


@app.get("/error")
async def error():
    fail()


@app.get("/stream")
async def stream():
    return numbered_slowly(int(request.args["lines"])), {"Content-Type": "text/plain"}


@app.get("/later")
async def later():
    app.add_background_task(write_later, request.args["what"])
    return "soon"


@app.websocket("/echo")
async def echo():
    while True:
        await websocket.send(greeting(await websocket.receive()))


application = noted(app)
