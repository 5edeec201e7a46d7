"""What happens beside a request: clients that leave, signals, other threads."""
import signal
import threading
import time

from wsgi_cases import BIG, generator, reader, simple
from wsgi_front import ABORTED, UNKNOWN, ask, check, without_gil


def a_client_that_leaves():
    def app(environ, start_response):
        write = start_response("200 OK", [])
        try:
            for _ in range(100):
                write(b"x" * 10000)
        except OSError as e:
            seen.append(e)
            raise
        return []
    seen = []
    answer = ask(app, piece=4096, leave_after=20000)
    assert answer.outcome == ABORTED and isinstance(seen[0], OSError) and answer.errors == "", answer

    def reads(environ, start_response):
        timer.start()  # what happens before the request is forgotten by it
        try:
            environ["wsgi.input"].read()
        except OSError as e:
            seen.append(e)
            raise
    for call in (dict(length=100, body=b"abc", piece=100), dict(length=UNKNOWN, body=b"abc", piece=100)):
        seen.clear()
        timer = threading.Timer(0.05, without_gil.test_leave)
        answer = ask(reads, end=False, **call)
        timer.join()
        assert answer.outcome == ABORTED and isinstance(seen[0], ConnectionError), answer


def signals_are_handled():
    """While it waits for the body, and for room in the pipe."""
    class Rung(Exception):
        pass

    def ring(number, frame):
        rings.append(number)
        if len(rings) == 3:
            raise Rung
    signal.signal(signal.SIGUSR1, ring)

    def bell():
        while len(rings) < 3:
            time.sleep(0.05)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
    for app, how, want in [
        (reader(lambda i: i.read()), dict(length=10, body=b"abc", piece=100, end=False), dict(status=500, errors="Rung")),
        (simple(body=[BIG]), {}, dict(outcome=ABORTED, errors="Rung")),
        (generator(BIG, BIG), {}, dict(outcome=ABORTED, errors="Rung")),
    ]:
        rings = []
        ringer = threading.Thread(target=bell)
        ringer.start()
        check("signals", ask(app, **how), want)
        ringer.join()
        assert len(rings) >= 3


def other_threads_run_meanwhile():
    """The GIL is free while a request waits."""
    ticks, running = [], threading.Event()

    def tick():
        running.wait()  # a client that leaves before the request begins is forgotten by it
        for _ in range(5):
            ticks.append(1)
            time.sleep(0.01)
        without_gil.test_leave()
    thread = threading.Thread(target=tick)
    thread.start()
    ask(reader(lambda i: (running.set(), i.read())), length=10, body=b"abc", piece=100, end=False)
    thread.join()
    assert len(ticks) == 5


def objects_outlive_their_request():
    kept = []

    def app(environ, start_response):
        write = start_response("200 OK", [])
        kept.extend([start_response, write, environ["wsgi.input"]])
        return [b"x"]
    check("kept", ask(app, body=b"abc", method="POST"), {})

    def other(environ, start_response):
        for call in (lambda: kept[0]("200 OK", []), lambda: kept[1](b"x"), lambda: kept[2].read()):
            try:
                call()
            except ValueError:
                continue
            raise AssertionError("it works after its request")
        return simple()(environ, start_response)
    check("others", ask(other), dict(body=b"hello"))
    for made in kept[0], kept[2]:
        try:
            again = type(made)()
        except TypeError:
            continue
        for name in ("read", "write"):
            if hasattr(again, name):
                try:
                    getattr(again, name)(b"x") if name == "write" else again.read()
                except ValueError:
                    continue
                raise AssertionError("a forged object works")


def a_thread_of_the_application_reads():
    """It still reads when the application has returned: the next request is not its."""
    got = []

    def app(environ, start_response):
        def read():
            try:
                got.append(environ["wsgi.input"].read())
            except (OSError, ValueError, RuntimeError) as e:
                got.append(e)
        thread = threading.Thread(target=read)
        threads.append(thread)
        thread.start()
        time.sleep(0.1)
        return simple()(environ, start_response)
    threads = []
    check("reading thread", ask(app, length=10, body=b"abc", piece=100, end=False), dict(body=b"hello"))
    check("the next", ask(reader(lambda i: i.read()), body=b"0123456789", piece=1), dict(body=repr(b"0123456789").encode()))
    threads[0].join(10)
    assert not threads[0].is_alive() and isinstance(got[0], Exception), got


def nested_calls():
    """A signal handler or a destructor that reads while a read waits must not break anything."""
    def app(environ, start_response):
        def handler(number, frame):
            try:
                environ["wsgi.input"].readline()
            except (RuntimeError, ValueError, OSError) as e:
                seen.append(e)
        signal.signal(signal.SIGUSR1, handler)
        threading.Timer(0.05, signal.pthread_kill, (threading.main_thread().ident, signal.SIGUSR1)).start()
        threading.Timer(0.2, without_gil.test_leave).start()
        try:
            environ["wsgi.input"].read()
        except OSError:
            pass
        return simple()(environ, start_response)
    seen = []
    ask(app, length=10, body=b"abc", piece=100, end=False)
    assert len(seen) == 1, seen
