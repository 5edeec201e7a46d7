"""What an import may leave behind: `leftovers:NAME(...)` leaves that, and gives the application."""
import asyncio
import atexit
import concurrent.futures
import gc
import logging
import logging.handlers
import multiprocessing
import os
import random
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

from hello import application, pages

kept = []
folder = tempfile.gettempdir()


def keep(*things):
    kept.extend(things)
    return application


def path(name):
    return os.path.join(folder, "gobridge-leftover-%d-%s" % (os.getpid(), name))


def opened(name, mode):
    file = open(path(name), mode)
    os.unlink(path(name))
    return file


# ---- Harmless.


def nothing():
    return application


def log_file():
    handler = logging.handlers.RotatingFileHandler(path("log"))
    logging.getLogger().addHandler(handler)
    os.unlink(path("log"))
    return application


def executor():
    return keep(concurrent.futures.ThreadPoolExecutor(4))


def ended_thread():
    for _ in range(20):
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
    return application


def ended_process():
    subprocess.run(["true"], check=True)
    return application


def devices():
    return keep(open("/dev/null", "w"), open("/dev/urandom", "rb"), open("/dev/zero", "rb"))


def folder_open():
    return keep(os.open("/", os.O_RDONLY))


def memory_database():
    return keep(sqlite3.connect(":memory:"))


def holds_on():
    """Its import ends while somebody waits for the GIL, who is not given it before."""
    sys.setswitchinterval(1000)
    end = time.monotonic() + 1
    while time.monotonic() < end:
        pass
    return application


def stops_before_fork():
    """Like a library that joins its threads before a fork, and starts them again."""
    state = {}

    def start():
        state["stop"] = threading.Event()
        state["thread"] = threading.Thread(target=state["stop"].wait, daemon=True)
        state["thread"].start()

    def stop():
        state["stop"].set()
        state["thread"].join()

    os.register_at_fork(before=stop, after_in_parent=start, after_in_child=start)
    start()
    pages["restarted"] = lambda environ: str(state["thread"].is_alive())
    return application


def hangs_when_born():
    """Its handler hangs in each child but the first, which is the trial's."""
    marker = path("born")

    def hang():
        if os.path.exists(marker):
            time.sleep(3600)
        open(marker, "w").close()

    os.register_at_fork(after_in_child=hang)
    return application


def own_state():
    """What the workers are asked for."""
    number, imported = random.random(), os.getpid()
    signal.signal(signal.SIGHUP, lambda number, frame: os._exit(42))
    pages["random"] = lambda environ: repr(random.random())
    pages["import"] = lambda environ: "%d %r" % (imported, number)
    pages["frozen"] = lambda environ: str(gc.get_freeze_count() > 1000)
    pages["own"] = child_with_handler
    return application


def child_with_handler(_):
    """A child that the application forks has the handler that was set at import."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(into, b"x")
        time.sleep(60)
        os._exit(0)
    os.read(out, 1)
    os.close(out)
    os.close(into)
    os.kill(pid, signal.SIGHUP)
    return str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


# ---- Not so.


def thread():
    threading.Thread(target=time.sleep, args=(3600,), name="poller", daemon=True).start()
    return application


class Scheduler(threading.Thread):
    def run(self):
        time.sleep(3600)


def scheduler():
    """Like APScheduler: a thread of a class of its own, started when the module is imported."""
    Scheduler(name="Scheduler", daemon=True).start()
    return application


def started_executor():
    pool = concurrent.futures.ThreadPoolExecutor(4, "pool")
    pool.submit(int).result()
    return keep(pool)


def listening():
    sock = socket.create_server(("127.0.0.1", 0))
    return keep(sock)


def connected():
    """Like a database client: a connection that is there from the import on."""
    sock = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(sock.getsockname())
    server, _ = sock.accept()
    sock.close()
    kept.append(server)
    return keep(client)


def loop():
    return keep(asyncio.new_event_loop())


def epoll():
    return keep(select.epoll())


def database():
    connection = sqlite3.connect(path("db.sqlite3"))
    connection.execute("create table t (n)")
    os.unlink(path("db.sqlite3"))
    return keep(connection)


def written_file():
    return keep(opened("file", "w"))


def read_file():
    return keep(open(__file__, "rb"))


def locked_file():
    import fcntl
    file = opened("lock", "a")
    fcntl.flock(file, fcntl.LOCK_EX)
    return keep(file)


def queue():
    return keep(multiprocessing.get_context("fork").SimpleQueue())


def process():
    child = subprocess.Popen(["sleep", "3600"])
    atexit.register(child.kill)
    return application


def stuck():
    time.sleep(3600)


def forks():
    """An import whose child comes back."""
    if os.fork() == 0:
        return application
    os.wait()
    return application


def ends():
    sys.exit("not today")
