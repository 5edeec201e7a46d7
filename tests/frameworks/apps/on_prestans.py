"""prestans is for REST alone: pages are JSON, and a form or a file is not described to it but
taken from the request, which is WebOb's. Its Content-Length counts characters, not bytes: it
is asked for ASCII only. Without debug it answers an exception with 503 and logs no traceback."""

from prestans import parser, types
from prestans.rest import RequestHandler, RequestRouter

from contract import CONTENT, fail, greeting, told, watched


class Answer(types.Model):
    text = types.String()


answers = parser.VerbConfig(response_template=Answer(), response_attribute_filter_default_value=True)


class Handler(RequestHandler):
    __parser_config__ = parser.Config(GET=answers, POST=answers)

    def answer(self, text):
        self.response.body = Answer(text=text)


class Greeting(Handler):
    def get(self):
        self.answer(greeting(self.request.GET["name"]))


class Form(Handler):
    def post(self):
        self.answer(greeting(self.request.POST["name"]))


class Upload(Handler):
    def post(self):
        file = self.request.POST["file"]
        self.answer(told(file.filename, file.file))


class File(RequestHandler):
    __parser_config__ = parser.Config(GET=parser.VerbConfig(response_template=types.BinaryResponse()))

    def get(self):
        with open(CONTENT, "rb") as f:
            self.response.body = types.BinaryResponse(
                mime_type="application/octet-stream", file_name="content", contents=f.read()
            )


class Error(Handler):
    def get(self):
        fail()


routes = [("/", Greeting), ("/form", Form), ("/upload", Upload), ("/file", File), ("/error", Error)]
application = watched(RequestRouter(routes, application_name="test", charset="UTF-8", debug=True))
