"""Uses a library at its import, as USES says, and in every request.

Each use is a function that does at the import what applications do there, and returns what
a worker is to do in a request: something that needs the library to be whole.
"""

import os
import threading


def numpy_computed():
    import numpy

    matrix = numpy.ones((400, 400))
    assert (matrix @ matrix)[0, 0] == 400  # on threads of its BLAS
    return lambda: f"{(matrix @ matrix).sum():.0f}"


def uvloop_policy():
    import asyncio
    import uvloop

    if hasattr(asyncio, "set_event_loop_policy"):
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    return lambda: slept(uvloop.new_event_loop())


def uvloop_loop():
    import uvloop

    loop = uvloop.new_event_loop()
    return lambda: slept(loop, close=False)


def slept(loop, close=True):
    import asyncio

    async def echo():
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        got = await reader.read()
        writer.close()
        server.close()
        return got

    got = loop.run_until_complete(echo())
    if close:
        loop.close()
    return f"{type(loop).__module__} {got!r}"


def gevent_imported():
    import gevent
    import gevent.pool

    return lambda: str(gevent.pool.Pool(3).map(lambda n: gevent.sleep(0.001) or n, range(3)))


def gevent_patched():
    from gevent import monkey

    monkey.patch_all()
    import time

    def run():
        threads = [threading.Thread(target=time.sleep, args=(0.001,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return f"{type(threads[0]).__name__} {time.sleep.__module__}"

    return run


def psycopg_imported():
    import psycopg

    return lambda: connected(psycopg)


def psycopg_connected():
    import psycopg

    connection = psycopg.connect(os.environ["POSTGRES"], autocommit=True, prepare_threshold=None)
    return lambda: str(connection.execute("select 1").fetchone())


def connected(psycopg):
    with psycopg.connect(os.environ["POSTGRES"], autocommit=True) as connection:
        return str(connection.execute("select 1").fetchone())


def grpc_imported():
    import grpc

    return lambda: called(grpc)


def grpc_called():
    import grpc

    server, port = serving(grpc)
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    assert echoed(channel) == "hello"  # both stay open: after their end grpc ends its threads some time later
    return lambda: called(grpc) + str(bool(server and channel))


def grpc_channel():
    import grpc

    channel = grpc.insecure_channel("127.0.0.1:9")
    return lambda: called(grpc) + str(bool(channel))


def called(grpc):
    server, port = serving(grpc)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        got = echoed(channel)
    server.stop(None).wait()
    return got


def echoed(channel):
    return channel.unary_unary("/test/Echo")(b"hello", timeout=60).decode()


def serving(grpc):
    from concurrent.futures import ThreadPoolExecutor

    echo = grpc.unary_unary_rpc_method_handler(lambda request, context: request)
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test", {"Echo": echo}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def apscheduler_started():
    from apscheduler.schedulers.background import BackgroundScheduler

    scheduler = BackgroundScheduler()
    ran = threading.Event()
    scheduler.add_job(ran.set)
    scheduler.start()
    return lambda: str(ran.wait(60))


def apscheduler_later():
    from apscheduler.schedulers.background import BackgroundScheduler

    return lambda: str(BackgroundScheduler().running)


use = globals()[os.environ["USES"]]()


def application(environ, start_response):
    body = use().encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
