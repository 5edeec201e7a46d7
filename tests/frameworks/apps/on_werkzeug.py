from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.utils import redirect, send_file
from werkzeug.wrappers import Request, Response

from contract import CONTENT, fail, greeting, greeting_url, told, watched


def greet(request):
    return Response(greeting(request.args["name"]))


def form(request):
    return redirect(greeting_url(request.form["name"]))


def upload(request):
    file = request.files["file"]
    return Response(told(file.filename, file.stream))


def send(request):
    return send_file(CONTENT, request.environ)


def error(request):
    fail()


urls = Map([
    Rule("/", endpoint=greet),
    Rule("/form", endpoint=form, methods=["POST"]),
    Rule("/upload", endpoint=upload, methods=["POST"]),
    Rule("/file", endpoint=send),
    Rule("/error", endpoint=error),
])


@watched
@Request.application
def application(request):
    try:
        endpoint, _ = urls.bind_to_environ(request.environ).match()
        return endpoint(request)
    except HTTPException as e:
        return e
