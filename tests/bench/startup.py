"""How long a server takes from its start to the first answer."""

import dataclasses
import os
import subprocess
import time

import peers
from cell import Base, free_port
from load import Load
from paths import APPS, BUILD, PYTHON, ROOT
from server import Server, environment

PAUSE = 0.001  # seconds between two tries to connect
SETUP = "django.setup()"  # not a server: what Django itself takes


@dataclasses.dataclass(frozen=True)
class StartCell(Base):
    application: str = "plain:hello"
    folder: str = APPS
    path: str = "/"
    workers: int = 2
    env: tuple = ()

    kind = "start"

    def measure(self, name, seconds):
        once = self.set_up if name == SETUP else self.first_answer
        return [(name, {"start": once(name)})]

    def first_answer(self, name):
        """Milliseconds."""
        job = peers.Job(self.application, free_port(), self.workers)
        command = peers.ALL[name].command(job)
        begin = time.perf_counter()
        with Server(name, command, job.port, self.folder, self.env) as server:
            status, _ = server.await_answer(Load(path=self.path), PAUSE)
            took = time.perf_counter() - begin
            server.expect(status == 200, "answers GET %s with %d" % (self.path, status))
        return took * 1000

    def set_up(self, _):
        begin = time.perf_counter()
        subprocess.run([PYTHON, "-c", "import django; django.setup()"], cwd=self.folder, env=environment(self.env), check=True)
        return (time.perf_counter() - begin) * 1000


DJANGO = dict(application="mysite.wsgi:application", folder=os.path.join(ROOT, "examples", "django"), path="/login/",
              env=(("DJANGO_SETTINGS_MODULE", "mysite.settings"), ("DATA_DIR", os.path.join(BUILD, "django"))))
