import os

import bottle

from contract import CONTENT, fail, greeting, greeting_url, told, watched

app = bottle.Bottle()


@app.get("/")
def greet():
    bottle.response.content_type = "text/plain; charset=utf-8"
    return greeting(bottle.request.query.getunicode("name"))


@app.post("/form")
def form():
    bottle.redirect(greeting_url(bottle.request.forms.getunicode("name")))


@app.post("/upload")
def upload():
    file = bottle.request.files["file"]
    return told(file.raw_filename, file.file)


@app.get("/file")
def send():
    return bottle.static_file(os.path.basename(CONTENT), os.path.dirname(CONTENT))


@app.get("/error")
def error():
    fail()


application = watched(app)
