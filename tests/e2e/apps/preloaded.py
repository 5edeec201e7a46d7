"""Says who imported it, and leaves behind at its import what LEAVES asks for."""

import os
import random
import threading
import time

imported = f"{os.getpid()} {time.monotonic_ns()}"
TEXT = [("Content-Type", "text/plain")]

if os.environ.get("LEAVES") == "thread":
    threading.Thread(target=time.sleep, args=(3600,), name="poller", daemon=True).start()
if os.environ.get("LEAVES") == "green threads":
    del threading.Thread.native_id  # as eventlet's patches do
if os.environ.get("LEAVES") == "memory":
    kept = random.randbytes(64 << 20)

time.sleep(float(os.environ.get("IMPORT_SECONDS", "0")))


def application(environ, start_response):
    time.sleep(0.01)  # so that requests at the same time go to different workers
    start_response("200 OK", TEXT)
    return [f"{imported}, {os.getpid()}, {random.random()}".encode()]
