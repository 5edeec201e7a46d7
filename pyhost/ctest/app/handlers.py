"""An application with a handler of its own for SIGTERM; make(kind) sets it at the import."""
import atexit
import os
import signal
import threading
import time

called = []


def note(number):
    called.append("%s %d" % (threading.current_thread().name, number))


def flag(number, _):
    note(number)


def end(number, _):
    note(number)
    raise SystemExit(5)


def interrupt(number, _):
    note(number)
    raise KeyboardInterrupt


def fail(number, _):
    note(number)
    raise ValueError("on purpose")


def default(number, _):
    note(number)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


kinds = {"flag": flag, "exit": end, "interrupt": interrupt, "fail": fail, "default": default, "dfl": signal.SIG_DFL}


def put(kind):
    if threading.current_thread() is not threading.main_thread():
        time.sleep(0.05)  # meanwhile the main thread takes its share
        return "another thread"
    signal.signal(signal.SIGTERM, kinds[kind])
    return "main thread"


def wait(_):
    """Nothing that the handler raises comes up here, asleep or not."""
    limit = time.monotonic() + 60
    try:
        while not called and time.monotonic() < limit:
            time.sleep(0.01)
        time.sleep(0.1)
    except BaseException as error:
        return "interrupted by %r" % error
    return ", ".join(called) + ", whole"


def at_exit(path):
    def write():
        with open(path, "w") as f:
            f.write("".join(text + " " for text in called))
    atexit.register(write)
    return ""


def make(kind):
    if kind != "none":
        put(kind)
    return application


def application(environ, start_response):
    _, name, argument = (environ["PATH_INFO"] + "/").split("/", 2)
    body = pages[name](argument.rstrip("/")).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


pages = {"set": put, "wait": wait, "atexit": lambda path: at_exit("/" + path)}
