import flask

from contract import CONTENT, fail, greeting, greeting_url, told, watched

app = flask.Flask(__name__)


@app.get("/")
def greet():
    return flask.Response(greeting(flask.request.args["name"]), mimetype="text/plain")


@app.post("/form")
def form():
    return flask.redirect(greeting_url(flask.request.form["name"]))


@app.post("/upload")
def upload():
    file = flask.request.files["file"]
    return told(file.filename, file.stream)


@app.get("/file")
def send():
    return flask.send_file(CONTENT)


@app.get("/error")
def error():
    fail()


application = watched(app)
