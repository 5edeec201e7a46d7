"""A server that runs: started, looked at, ended."""

import http.client
import os
import signal
import subprocess
import time

import processes
from paths import APPS, BUILD

PATIENCE = 60  # seconds
RESEND = 2  # seconds
ORPHANS = 2  # seconds that processes may stay when the first of them has ended


class Failure(Exception):
    """A server did not start, or does not answer as it should."""


def environment(more=()):
    """Our own, without what would set up one of the servers."""
    foreign = ("GOBRIDGE_", "GRANIAN_", "GUNICORN_", "UWSGI_", "UVICORN_", "FORWARDED_", "PYTHON", "DJANGO_", "WEB_CONCURRENCY")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    kept.update(more)
    return kept


class Server:
    """Runs a command line in a session of its own, as a context. What it says goes to build/bench/NAME.log."""

    def __init__(self, name, command, port, folder=APPS, env=()):
        self.name, self.port = name, port
        self.log = os.path.join(BUILD, name + ".log")
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command, cwd=folder, env=environment(env), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """SIGINT: uWSGI takes SIGTERM for a reload. Nobody else is in the group. Some lose it while they start
        their workers, and wait for ever; so it is sent again."""
        for sig in (signal.SIGINT,) * (20 // RESEND) + (signal.SIGKILL,):
            try:
                os.killpg(self.pid, sig)
                self.process.wait(RESEND)
                break
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        self.process.wait()
        self.await_end()

    def await_end(self):
        """Waits for the rest of the group, which would take time from the next server. Workers whose master was
        told to end while they were being started (Granian's) may never hear of it, and are ended."""
        if self.has_ended(within=ORPHANS):
            return
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        if not self.has_ended(within=20):
            raise Failure("its processes cannot be ended: %s" % processes.group(self.pid))

    def has_ended(self, within):
        """Does nothing of the group live any more after so many seconds?"""
        deadline = time.monotonic() + within
        while processes.group(self.pid):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def ask(self, load):
        """One request of the load: status and body."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            client.request(load.method, load.path, load.body or None, dict(load.headers))
            answer = client.getresponse()
            return answer.status, answer.read()
        finally:
            client.close()

    def await_answer(self, load, pause=0.02):
        """Waits until it answers at all."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.ask(load)
            except (OSError, http.client.HTTPException) as e:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise Failure("does not serve (%s):\n%s" % (e, self.tail())) from None
                time.sleep(pause)

    def verify(self, load, body):
        """Its answer is the right one."""
        status, got = self.await_answer(load)
        self.expect(status == 200 and got == body, "answers %s %s with %d and %r, not with 200 and %r"
                    % (load.method, load.path, status, got[:80], body[:80]))

    def expect(self, right, what):
        if not right:
            raise Failure(what)

    def tail(self):
        with open(self.log, errors="replace") as f:
            return f.read()[-2000:]

    def cpu_seconds(self):
        return processes.cpu_seconds(self.pid)

    def sleeps(self):
        return processes.sleeps(self.pid)

    def pss_bytes(self):
        return processes.pss_bytes(self.pid)
