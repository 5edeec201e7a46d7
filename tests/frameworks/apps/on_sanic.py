import io

from sanic import Sanic, response

from contract import CONTENT, fail, greeting, greeting_url, noted, numbered_slowly, told, write_later

app = Sanic("shop")


@app.get("/")
async def greet(request):
    return response.text(greeting(request.args.get("name")))


@app.post("/form")
async def form(request):
    return response.redirect(greeting_url(request.form.get("name")), status=303)


@app.post("/upload")
async def upload(request):
    file = request.files.get("file")
    return response.text(told(file.name, io.BytesIO(file.body)))


@app.get("/file")
async def send(request):
    return await response.file_stream(CONTENT)


@app.get("/error")
async def error(request):
    fail()


@app.get("/stream")
async def stream(request):
    answer = await request.respond(content_type="text/plain")
    async for line in numbered_slowly(int(request.args.get("lines"))):
        await answer.send(line)


@app.get("/later")
async def later(request):
    app.add_task(write_later(request.args.get("what")))
    return response.text("soon")


@app.websocket("/echo")
async def echo(request, socket):
    while (name := await socket.recv()) is not None:
        await socket.send(greeting(name))


application = noted(app)
