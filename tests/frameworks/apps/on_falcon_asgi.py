import io

import falcon
import falcon.asgi

from contract import CONTENT, fail, greeting, greeting_url, noted, numbered_slowly, told, write_later


class Greeting:
    async def on_get(self, request, response):
        response.content_type = falcon.MEDIA_TEXT
        response.text = greeting(request.get_param("name"))


class Form:
    async def on_post(self, request, response):
        raise falcon.HTTPSeeOther(greeting_url((await request.get_media())["name"]))


class Upload:
    async def on_post(self, request, response):
        async for part in await request.get_media():
            if part.name == "file":
                response.text = told(part.filename, io.BytesIO(await part.stream.read()))


class File:
    async def on_get(self, request, response):
        response.content_type = "application/octet-stream"
        response.stream = pieces(CONTENT)


async def pieces(path):
    with open(path, "rb") as file:
        while piece := file.read(1 << 16):
            yield piece


class Error:
    async def on_get(self, request, response):
        fail()


class Stream:
    async def on_get(self, request, response):
        response.content_type = falcon.MEDIA_TEXT
        response.stream = encoded(numbered_slowly(request.get_param_as_int("lines")))


async def encoded(lines):
    async for line in lines:
        yield line.encode()


class Later:
    async def on_get(self, request, response):
        what = request.get_param("what")

        async def write():
            await write_later(what)

        response.schedule(write)
        response.text = "soon"


class Echo:
    async def on_websocket(self, request, socket):
        await socket.accept()
        try:
            while True:
                await socket.send_text(greeting(await socket.receive_text()))
        except falcon.WebSocketDisconnected:
            pass


app = falcon.asgi.App()
app.add_route("/", Greeting())
app.add_route("/form", Form())
app.add_route("/upload", Upload())
app.add_route("/file", File())
app.add_route("/error", Error())
app.add_route("/stream", Stream())
app.add_route("/later", Later())
app.add_route("/echo", Echo())
application = noted(app)
