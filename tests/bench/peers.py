"""The servers, and how each is started: the fastest way that its documentation has for the job."""

import dataclasses
import os
from typing import Callable, Optional

from paths import APPS, BUILD, GOBRIDGE, PEERS, PYTHON


@dataclasses.dataclass(frozen=True)
class Job:
    """What a server is to do."""

    application: str  # module:attribute, in apps/
    port: int
    workers: int = 1
    threads: int = 1  # of each worker
    log: Optional[str] = None  # file for the access log
    interface: str = "wsgi"  # or asgi
    sockets: int = 0  # WebSockets that are open at once
    unix: Optional[str] = None  # the socket on which it is to speak the uwsgi protocol, in place of HTTP on the port


@dataclasses.dataclass(frozen=True)
class Peer:
    name: str
    command: Optional[Callable[[Job], list]] = None  # for WSGI
    packages: tuple = ()  # of PyPI, whose versions are told
    note: str = ""
    logs: bool = True  # has an access log
    instead: bool = False  # another setting of a server that is measured, to see which is the best
    asgi: Optional[Callable[[Job], list]] = None  # the command for ASGI
    behind: Optional[Callable[[Job], list]] = None  # the command for WSGI by the uwsgi protocol

    def line(self, job):
        if job.unix:
            return self.behind(job)
        return (self.asgi if job.interface == "asgi" else self.command)(job)


def program(name):
    return os.path.join(PEERS, name)


def gobridge(job):
    bind = "uwsgi:unix:" + job.unix if job.unix else "127.0.0.1:%d" % job.port
    line = [GOBRIDGE, "run", job.application, "--python", PYTHON, "--bind", bind,
            "--workers", str(job.workers), "--log-level", "error"]
    line += ["--threads", str(job.threads)] if job.threads > 1 else []
    line += ["--limit-connections", str(2 * job.sockets)] if job.sockets else []
    return line + (["--access-log", job.log] if job.log else [])


def granian(threads, *more):
    """threads: those of each worker that run Python, of a job; None for granian's own number."""

    def command(job):
        line = [program("granian"), "--interface", "wsgi", "--http", "1", "--no-ws", "--port", str(job.port),
                "--workers", str(job.workers), *more]
        if threads(job):
            line += ["--blocking-threads", str(threads(job))]
        # It writes its access log to its own log, which is kept in a file here.
        return line + (["--access-log"] if job.log else ["--no-log"]) + [job.application]

    return command


def uwsgi(*http, more=("--thunder-lock",)):
    def command(job):
        line = [program("uwsgi"), *http, job.unix or "127.0.0.1:%d" % job.port, "--module", job.application, "--processes", str(job.workers),
                "--master", "--listen", "1024", *more]
        line += ["--threads", str(job.threads)] if job.threads > 1 else []
        return line + (["--logto", job.log] if job.log else ["--disable-logging"])

    return command


def gunicorn(worker, threads):
    def command(job):
        line = [program("gunicorn"), "--workers", str(job.workers), "--worker-class", worker, "--threads", str(threads(job)),
                "--no-control-socket", "--log-level", "error"]
        line += ["--bind", "unix:" + job.unix, "--protocol", "uwsgi"] if job.unix else ["--bind", "127.0.0.1:%d" % job.port, "--http-parser", "fast"]
        return line + (["--access-logfile", job.log] if job.log else []) + [job.application]

    return command


def waitress(job):
    return [program("waitress-serve"), "--listen", "127.0.0.1:%d" % job.port, "--threads", str(job.workers * job.threads),
            "--connection-limit", "5000", "--asyncore-use-poll", job.application]


def library(name):
    def command(job):
        return [PYTHON, os.path.join(APPS, "launch.py"), name, job.application, str(job.port), str(job.workers)]

    return command


def granian_asgi(*more):
    def command(job):
        line = [program("granian"), "--interface", "asgi", "--http", "1", "--loop", "uvloop", "--port", str(job.port),
                "--workers", str(job.workers), *more]
        # WebSockets count as requests that are being processed.
        line += ["--backlog", "4096", "--backpressure", str(2 * job.sockets)] if job.sockets else ["--no-ws"]
        return line + (["--access-log"] if job.log else ["--no-log"]) + [job.application]

    return command


def uvicorn(job):
    line = [program("uvicorn"), "--port", str(job.port), "--workers", str(job.workers), "--loop", "uvloop", "--http", "httptools",
            "--no-use-colors"]
    # It writes its access log to standard output, which is kept in a file here.
    return line + (["--access-log"] if job.log else ["--no-access-log", "--log-level", "error"]) + [job.application]


def hypercorn(job):
    line = [program("hypercorn"), "--bind", "127.0.0.1:%d" % job.port, "--workers", str(job.workers), "--worker-class", "uvloop",
            "--backlog", "2048"]
    return line + (["--access-logfile", job.log] if job.log else ["--log-level", "error"]) + [job.application]


def gunicorn_asgi(job):
    line = [program("gunicorn"), "--bind", "127.0.0.1:%d" % job.port, "--workers", str(job.workers), "--worker-class", "asgi",
            "--asgi-loop", "uvloop", "--http-parser", "fast", "--no-control-socket", "--log-level", "error"]
    line += ["--worker-connections", str(2 * job.sockets)] if job.sockets else []
    return line + (["--access-logfile", job.log] if job.log else []) + [job.application]


def floor(job):
    return [os.path.join(BUILD, "floor"), str(job.port)]


def peer(name, *arguments, **named):
    return name, Peer(name, *arguments, **named)


ALL = dict([
    peer("gobridge", gobridge, asgi=gobridge, behind=gobridge),
    peer("granian", granian(lambda job: job.threads), ("granian",), asgi=granian_asgi()),
    peer("granian-threads", granian(lambda job: None), ("granian",), "granian with its own number of threads"),
    peer("uwsgi", uwsgi("--http11-socket"), ("uWSGI",),
         "stays with a connection as long as there are requests on it, so that its latencies leave out whom it does not serve",
         behind=uwsgi("--uwsgi-socket")),
    peer("uwsgi-close", uwsgi("--http-socket"), ("uWSGI",), "closes the connection after each answer"),
    peer("uwsgi-router", uwsgi("--http-keepalive", "--http-auto-chunked", "--http"), ("uWSGI",),
         "has one more process, which holds the connections and opens one to a worker for each request"),
    peer("gunicorn", gunicorn("gthread", lambda job: job.threads), ("gunicorn", "gunicorn_h1c"), asgi=gunicorn_asgi,
         behind=gunicorn("sync", lambda job: 1)),
    peer("waitress", waitress, ("waitress",), "one process, with as many threads as the others have altogether", logs=False),
    peer("bjoern", library("bjoern"), ("bjoern",), "runs one request at a time in each process", logs=False),
    peer("fastpysgi", library("fastpysgi"), ("fastpysgi",), "of WSGI it runs one request at a time in each process", logs=False,
         asgi=library("fastpysgi")),
    peer("fastpysgi-uvloop", packages=("fastpysgi", "uvloop"), note="with uvloop in place of asyncio's loop", logs=False, instead=True,
         asgi=library("fastpysgi-uvloop")),
    peer("uvicorn", packages=("uvicorn", "uvloop", "httptools", "websockets"), asgi=uvicorn),
    peer("granian-st", packages=("granian",), note="its runtime in one thread, where its own choice for ASGI is one beside others", asgi=granian_asgi("--runtime-mode", "st")),
    peer("hypercorn", packages=("hypercorn",), asgi=hypercorn),
    peer("granian single", granian(lambda job: job.threads, "--runtime-mode", "st"), ("granian",), instead=True),
    peer("granian eager", granian(lambda job: job.threads, "--backpressure", "1024"), ("granian",), instead=True),
    peer("uwsgi unlocked", uwsgi("--http11-socket", more=()), ("uWSGI",), instead=True),
    peer("uwsgi holy", uwsgi("--http11-socket", more=("--thunder-lock", "--wsgi-env-behaviour", "holy")), ("uWSGI",), instead=True),
    peer("gunicorn sync", gunicorn("sync", lambda job: 1), ("gunicorn", "gunicorn_h1c"), instead=True),
    peer("gunicorn 4", gunicorn("gthread", lambda job: 4), ("gunicorn", "gunicorn_h1c"), "four threads in each worker", instead=True),
    peer("bjoern ports", library("bjoern-ports"), ("bjoern",), "each process with a listening socket of its own", logs=False, instead=True),
    peer("C floor", floor, note="a C epoll loop that answers with fixed bytes: no parsing, no Python", logs=False),
])
