"""A small Flask application: gobridge run app:app

A page with a form, a session, a JSON endpoint, an upload and a streamed answer.
"""

import hashlib
import os

from flask import Flask, Response, jsonify, redirect, render_template, request, session, url_for

app = Flask(__name__)
# A fixed key would let anyone forge sessions of a site that keeps it. All workers must
# agree on one, so a real site sets it in the environment.
app.secret_key = os.environ.get("SECRET_KEY", "only for trying the example")


@app.get("/")
def index():
    """Greet whoever the session knows."""
    return render_template("index.html", name=session.get("name"))


@app.post("/name")
def set_name():
    """Remember a name in the session."""
    session["name"] = request.form["name"]
    return redirect(url_for("index"))


@app.post("/upload")
def upload():
    """Read the body as it arrives and say what it was."""
    digest, size = hashlib.sha256(), 0
    while piece := request.stream.read(64 * 1024):
        digest.update(piece)
        size += len(piece)
    return jsonify(size=size, sha256=digest.hexdigest())


@app.get("/count/<int:n>")
def count(n):
    """Stream n lines."""
    return Response((f"{i}\n" for i in range(n)), mimetype="text/plain")


@app.get("/info")
def info():
    """Show how the request came in."""
    return jsonify(
        method=request.method,
        url=request.url,
        remote=request.remote_addr,
        multithread=request.environ["wsgi.multithread"],
        multiprocess=request.environ["wsgi.multiprocess"],
    )
