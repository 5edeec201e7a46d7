from uliweb import expose, redirect, request
from uliweb.utils.filedown import filedown

from contract import CONTENT, fail, greeting, greeting_url, told


@expose("/")
def greet():
    return greeting(request.GET["name"])


@expose("/form", methods=["POST"])
def form():
    return redirect(greeting_url(request.POST["name"]))


@expose("/upload", methods=["POST"])
def upload():
    file = request.files["file"]
    return told(file.filename, file.stream)


@expose("/file")
def send():
    return filedown(request.environ, CONTENT)


@expose("/error")
def failing():
    fail()
