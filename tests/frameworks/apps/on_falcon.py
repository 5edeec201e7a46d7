import os

import falcon

from contract import CONTENT, fail, greeting, greeting_url, told, watched


class Greeting:
    def on_get(self, request, response):
        response.content_type = falcon.MEDIA_TEXT
        response.text = greeting(request.get_param("name"))


class Form:
    def on_post(self, request, response):
        raise falcon.HTTPSeeOther(greeting_url(request.get_media()["name"]))


class Upload:
    def on_post(self, request, response):
        for part in request.get_media():
            if part.name == "file":
                response.text = told(part.filename, part.stream)


class File:
    def on_get(self, request, response):
        response.content_type = "application/octet-stream"
        response.set_stream(open(CONTENT, "rb"), os.path.getsize(CONTENT))


class Error:
    def on_get(self, request, response):
        fail()


app = falcon.App()
app.add_route("/", Greeting())
app.add_route("/form", Form())
app.add_route("/upload", Upload())
app.add_route("/file", File())
app.add_route("/error", Error())
application = watched(app)
