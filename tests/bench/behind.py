"""A server behind nginx, which asks it by the uwsgi protocol over a unix socket."""

import dataclasses
import os
import shlex
import shutil
import subprocess
import time

import peers
from cell import Cell, free_port
from paths import APPS, BUILD
from server import PATIENCE, Failure, Server

CONFIGURATION = """{user}
daemon off;
worker_processes auto;
pid nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 10000000;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location / {{
            include {parameters};
            uwsgi_pass unix:{socket};
        }}
    }}
}}
"""
PARAMETERS = "/etc/nginx/uwsgi_params"


@dataclasses.dataclass(frozen=True)
class BehindCell(Cell):
    def job(self, port, name="server"):
        return dataclasses.replace(super().job(port, name), unix=os.path.join(BUILD, "nginx-" + name, "app.sock"))

    def started(self, name):
        return Behind(name, self.job(free_port(), name))


class Behind(Server):
    """nginx is the first process and the server its child, so that their tree's processor time is that of both."""

    def __init__(self, name, job):
        folder = os.path.dirname(job.unix)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        with open(os.path.join(folder, "nginx.conf"), "w") as f:
            f.write(configuration(job))
        nginx = [program(), "-p", folder, "-c", os.path.join(folder, "nginx.conf"), "-e", "stderr"]
        # The shell becomes nginx when it has started the server.
        line = shlex.join(peers.ALL[name].line(job))
        command = ["/bin/sh", "-c", "%s & exec %s" % (line, shlex.join(nginx))]
        super().__init__(name, command, job.port, APPS)

    def await_answer(self, load, pause=0.02):
        """nginx answers 502 as long as nobody is behind it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            status, body = super().await_answer(load, pause)
            if status != 502:
                return status, body
            if time.monotonic() > deadline:
                raise Failure("nobody came up behind nginx:\n" + self.tail())
            time.sleep(pause)


def configuration(job):
    user = "user root;" if os.geteuid() == 0 else ""
    return CONFIGURATION.format(user=user, port=job.port, parameters=PARAMETERS, socket=job.unix)


def version():
    """As nginx tells it: "nginx/1.2.3"."""
    return subprocess.run([program(), "-v"], stderr=subprocess.PIPE, text=True, check=True).stderr.split()[-1]


def program():
    found = shutil.which("nginx") or "/usr/sbin/nginx"
    if not os.path.exists(found):
        raise Failure("nginx is missing: apt-get install nginx-light")
    return found

