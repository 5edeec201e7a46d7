"""WSGI applications against the records that they must make (PEP 3333).

usage: python wsgi.py LIBRARY [TEST...]     (interfaces.sh builds it and calls this for each Python)

The table is in wsgi_cases.py, what a request is in wsgi_front.py. All of it runs in the
Python under test, 3.9 or later, and uses nothing but its standard library.
"""
import ctypes
import gc
import io
import itertools
import os
import sys
import tempfile
import threading
import wsgiref.validate

import wsgi_front
from wsgi_cases import (BIG, CASES, Closing, exits, generator, replaced, returning, simple, too_late, twice,
                        writer)
from wsgi_front import ABORTED, HERE, SPOOLED, STAYS, Captured, application, ask, check, library, request, use
from wsgi_files import files, files_that_are_read
from wsgi_threads import (a_client_that_leaves, a_thread_of_the_application_reads, nested_calls,
                          objects_outlive_their_request, other_threads_run_meanwhile, signals_are_handled)


def table():
    for name, app, how, want in CASES:
        try:
            check(name, ask(app, **how), want)
        except BaseException:
            print("in case %r" % name, file=sys.stderr)
            raise
    return len(CASES)


def table_with_bodies_in_files():
    """The cases that read a whole body, again: nothing but its way is different."""
    count = 0
    for name, app, how, want in CASES:
        if how.get("body") and not {"length", "end", "leave_after", "flags"} & set(how):
            check("in a file: " + name, ask(app, flags=SPOOLED, **how), want)
            count += 1
    assert count > 5, count
    return count


# ---- What a table cannot say.

def environ_is_right():
    seen = []

    def app(environ, start_response):
        seen.append(environ)
        environ["mine"] = 1
        return simple()(environ, start_response)
    latin = "\xc3\xa4"
    os.environ["GOBRIDGE_TEST_SECRET"] = "x"
    for _ in range(2):
        check("environ", ask(app, path="/" + latin, headers={"HTTP_X": latin}), {})
    first, second = seen
    assert type(first) is dict and first is not second
    for environ in seen:
        want = {"PATH_INFO": "/" + latin, "HTTP_X": latin, "SCRIPT_NAME": "", "QUERY_STRING": "", "wsgi.version": (1, 0),
                "wsgi.multithread": False, "wsgi.multiprocess": False, "wsgi.run_once": False, "wsgi.input_terminated": True,
                "wsgi.url_scheme": "http"}
        for key, value in want.items():
            assert environ[key] == value and type(environ[key]) is type(value), key
        assert "GOBRIDGE_TEST_SECRET" not in environ
        for key, value in environ.items():
            assert type(key) is str and (type(value) is str or key.startswith("wsgi.") or key == "mine"), key
    assert first["wsgi.input"] is not second["wsgi.input"]
    for call in (lambda i: i.read(), lambda i: i.readline(), lambda i: i.readlines(), next):
        try:
            call(first["wsgi.input"])
        except ValueError:
            continue
        raise AssertionError("wsgi.input works after its request")


def many_names():
    """More header names than are remembered, and one that is too long for that."""
    seen = {}

    def app(environ, start_response):
        seen.update(environ)
        return simple()(environ, start_response)
    for i in range(0, 1500, 50):
        check("names", ask(app, headers={"HTTP_N%d" % n: str(n) for n in range(i, i + 50)}), {})
    assert all(seen["HTTP_N%d" % n] == str(n) for n in range(1500))
    check("long name", ask(app, headers={"HTTP_" + "L" * 300: "long"}), {})
    assert seen["HTTP_" + "L" * 300] == "long"


def blocks_are_sent_before_the_next_is_asked_for():
    seen = []

    def app(environ, start_response):
        start_response("200 OK", [])
        seen.append(library.test_written())
        yield b""
        seen.append(library.test_written())
        yield b"abc"
        seen.append(library.test_written())
        yield b"defg"
        seen.append(library.test_written())
    check("order", ask(app), dict(body=b"abcdefg"))
    assert seen[:2] == [0, 0] and seen[2] > 3 and seen[3] == seen[2] + 8 + 4, seen

    def writes(environ, start_response):
        write = start_response("200 OK", [])
        seen[:] = [library.test_written()]
        write(b"abc")
        seen.append(library.test_written())
        return []
    check("write", ask(writes), dict(body=b"abc"))
    assert seen[0] == 0 and seen[1] > 3


def close_is_called_once():
    for name, app, how, want in [
        ("end", Closing([b"a", b"b"]), {}, dict(body=b"ab")),
        ("empty", Closing([]), {}, dict(body=b"")),
        ("HEAD", Closing([b"a", b"b"]), dict(method="HEAD"), {}),
        ("exception", Closing([b"a", ValueError("oh")]), {}, dict(outcome=ABORTED, errors="oh")),
        ("early exception", Closing([ValueError("oh")]), {}, dict(status=500, errors="oh")),
        ("str", Closing([b"a", "x"]), {}, dict(outcome=ABORTED, errors="bytes")),
        ("no start_response", Closing([b"a"], start=False), {}, dict(status=500, errors="start_response")),
        ("too long", Closing([b"a" * 50000] * 5), dict(piece=4096), dict(body=b"a" * 250000)),
        ("client gone", Closing([b"a" * 50000] * 50), dict(piece=4096, leave_after=9000), dict(outcome=ABORTED)),
        ("client gone before", Closing([b"a"] * 50), dict(leave_after=0), dict(outcome=ABORTED)),
        ("client gone between", Closing([b"a", lambda: library.test_leave() or b"b", b"c"]), {}, dict(outcome=ABORTED)),
        ("without end", Closing(itertools.repeat(b"ab"), headers=[("Content-Length", "3")]), {}, dict(body=b"aba", errors="longer")),
        ("close raises", Closing([b"a"], close_raises=ValueError("in close")), {}, dict(body=b"a", errors="in close")),
        ("close raises, no body", Closing([], close_raises=ValueError("in close")), {}, dict(length=0, errors="in close")),
        ("both raise", Closing([b"a", ValueError("oh")], close_raises=ValueError("in close")), {},
         dict(outcome=ABORTED, errors="in close")),
    ]:
        answer = ask(app, **how)
        assert app.closed == 1, (name, app.closed, answer)
        if name.startswith("client gone"):
            assert answer.outcome == ABORTED and answer.errors == "", (name, answer)
        else:
            check("close: " + name, answer, want)


def errors_stream():
    def app(environ, start_response):
        errors = environ["wsgi.errors"]
        errors.write("one\n")
        errors.writelines(["two ", "th\xe4ree\n"])
        errors.flush()
        try:
            errors.write(b"bytes")
        except TypeError:
            errors.write("no bytes\n")
        errors.write("tail")
        errors.flush()
        print("printed", file=errors)
        errors.write("\udc80 \u20ac")
        return simple()(environ, start_response)
    check("errors", ask(app), dict(errors="one\ntwo th\xe4ree\nno bytes\ntailprinted\n\\udc80 \u20ac\n"))

    def dots(environ, start_response):
        for _ in range(70000):
            environ["wsgi.errors"].write(".")
        return simple()(environ, start_response)
    check("a long line", ask(dots), dict(errors="." * 70000 + "\n"))

    def threads(environ, start_response):
        def write(name):
            for _ in range(300):
                print(name, "with", "text", file=environ["wsgi.errors"], end="")
                environ["wsgi.errors"].writelines([" and an ", "end\n"])
        writers = [threading.Thread(target=write, args=("%03d" % i,)) for i in range(4)]
        for thread in writers:
            thread.start()
        for _ in range(300):
            print("one", "line", file=environ["wsgi.errors"])
        for thread in writers:
            thread.join()
        return simple()(environ, start_response)
    answer = ask(threads)
    assert answer.errors.count("one line") == 300, answer.errors
    check("writelines of nonsense", ask(lambda e, s: e["wsgi.errors"].writelines(["a\n", 5])), dict(status=500, errors="not 5"))


def errors_are_told_without_sys_stderr():
    """An application may have closed it, set it to None, or put something of its own there."""
    class Own:
        def write(self, text):
            raise ValueError("on purpose")
    closed = open(os.devnull, "w")
    closed.close()
    for stream in (closed, None, Own()):
        def app(environ, start_response):
            sys.stderr = stream
            raise KeyError("told")
        check("sys.stderr is %r" % stream, ask(app), dict(status=500, errors="KeyError: 'told'"))


def file_wrapper():
    class File(io.BytesIO):
        closed_times = 0

        def close(self):
            File.closed_times += 1
            super().close()

    def app(environ, start_response):
        start_response("200 OK", [])
        file = File(BIG)
        file.seek(1000)
        return environ["wsgi.file_wrapper"](file, *sizes)
    for sizes in ((), (4096,)):
        File.closed_times = 0
        check("file_wrapper", ask(app, piece=4096), dict(body=BIG[1000:]))
        assert File.closed_times == 1


def the_validator_is_content():
    def app(environ, start_response):
        body = environ["wsgi.input"].read(100)
        environ["wsgi.errors"].flush()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body) + 1))])
        return [body, b"!"]
    for body, piece in ((b"", 0), (b"abc", 0), (b"abc", 1)):
        check("validator", ask(wsgiref.validate.validator(app), body=body, piece=piece, method="POST" if body else "GET"),
              dict(body=body + b"!"))
    check("validator, generator", ask(wsgiref.validate.validator(
        lambda environ, start: (start("200 OK", [("Content-Type", "text/plain")]), iter([b"a", b"b"]))[1])), dict(body=b"ab"))


def fails_to_load():
    with tempfile.TemporaryDirectory() as directory:
        def put(name, text):
            with open(os.path.join(directory, name), "w") as f:
                f.write(text)
        put("site_a.py", "def create_app(name='x'):\n    return lambda environ, start: [name]\n\nmain = object()\nclass deep:\n    app = create_app()\n")
        put("site_b.py", "import nothing_like_this\n")
        put("site_c.py", "def f(:\n")
        put("site_d.py", "import sys\nsys.exit(4)\n")
        put("site_e.py", "1 / 0\n")
        put("site_g.py", "raise ModuleNotFoundError('gone', name='site_g')\n")
        put("site_h.py", "async def app(scope, receive, send):\n    pass\nclass Site:\n    async def __call__(self, *a):\n"
                         "        pass\ndef make():\n    return lambda environ, start: []\n")
        os.mkdir(os.path.join(directory, "site_pack"))
        put("site_pack/wsgi.py", "application = lambda environ, start: []\n")
        put("site_i.py", "from functools import partial\napplication = partial(print)\ndef view():\n    pass\n")
        put("site_j.py", "from functools import partial\nsite = partial(print)\n")
        put("site_f.py", "app = create_app = lambda *a: 5\n")
        for spec, texts in [
            ("site_x:app", ["site_x", "Did you mean site_"]), ("site_a:ap", ["site_a", "ap", "create_app"]),
            ("site_a:create_ap", ["create_app"]), ("site_a:main", ["main", "call"]), ("site_a", ["site_a", "app", "create_app"]),
            ("site_b:app", ["nothing_like_this", "site_b.py", "line 1"]), ("site_c:app", ["SyntaxError", "site_c.py"]),
            ("site_d:app", ["exit", "site_d.py"]), ("site_e:app", ["ZeroDivisionError", "site_e.py"]),
            ("site_a.sub:app", ["site_a.sub"]), ("site_f:create_app()", ["create_app()", "call"]),
            ("site_a:create_app(open)", ["literal"]), ("site_a:create_app(1, 2)", ["TypeError"]),
            ("site_a:deep.ap", ["deep", "app"]), ("site_a.py:app", ["not its file: site_a:app"]), ("./sub/site_a.py:app", ["not its file: sub.site_a:app"]),
            ("/srv/site_a.py:app", ["--chdir /srv site_a:app"]), (":app", ["':app'"]), ("", ["names no application"]),
            ("site_a:", ["'site_a:'"]), ("site_a:create_app(**{'name': 1})", ["literal"]), ("site_a:main()", ["main", "call"]),
            ("site_i.sub:app", ["site_i"]), ("site_i:app", ["Did you mean 'application'"]), ("site_j:page", ["called there: site."]),
            ("site_g:app", ["site_g.py", "line 1", "ModuleNotFoundError: gone"]), ("site_h:app", ["app", "ASGI"]),
            ("site_h:Site()", ["Site()", "ASGI"]), ("site_h:make", ["make", "site_h:make()"]),
            ("site_pack.wsgj:app", ["site_pack.wsgj", "Did you mean site_pack.wsgi?"]),
        ]:
            why = load(spec, directory)
            assert why is not None, spec
            for text in texts:
                assert text in why, (spec, text, why)
            assert "_gobridge" not in why and "<gobridge>" not in why and "importlib" not in why, why
        for spec in ("site_a:create_app()", "site_a:create_app('y')", "site_a:create_app(name='y')", "site_a:deep.app", "site_h:make()", "site_pack.wsgi"):
            why = load(spec, directory)
            assert why is None, (spec, why)
        assert load("site_a:app", os.path.join(directory, "nowhere")) is not None
    os.chdir(HERE)


def load(spec, directory):
    with Captured():
        why = library.test_open(None, spec.encode(), directory.encode())
    return None if why is None else why.decode()


def nothing_is_left():
    """References and descriptors are the same after 10,000 requests."""
    def app(environ, start_response):
        environ["wsgi.input"].readline()
        start_response("200 OK", headers)
        return body

    def fails(environ, start_response):
        try:
            start_response("200 OK", [("A", "b\n")])
        finally:
            start_response("200 OK", headers)
    header, body = ("X-One", "\xe4 value that is nobody else's"), [b"a block that is nobody else's"]
    headers = [header]
    data = request("POST", "/", b"line\n", 5, {"HTTP_X": "y"}, 0)
    out, size = ctypes.POINTER(ctypes.c_char)(), ctypes.c_size_t()
    for how in (app, generator(b"a", b"b"), writer, replaced):
        use(how)
        for _ in range(100):
            library.test_run(data, len(data), 0, 1, STAYS, ctypes.byref(out), ctypes.byref(size))
        gc.collect()
        before = counts(header, headers, body)
        for _ in range(2500):
            library.test_run(data, len(data), 0, 1, STAYS, ctypes.byref(out), ctypes.byref(size))
        gc.collect()
        after = counts(header, headers, body)
        assert all(b - a <= 5 for a, b in zip(before, after)), (how, before, after)
    for how, kwargs in ((fails, {}), (exits, {}), (too_late, {}), (twice, {}), (returning(None), {}),
                        (simple(headers=[("Connection", "x")]), {})):
        for _ in range(20):
            ask(how, **kwargs)
        gc.collect()
        before = counts(header, headers, body)
        for _ in range(200):
            ask(how, **kwargs)
        gc.collect()
        after = counts(header, headers, body)
        assert all(b - a <= 5 for a, b in zip(before, after)), (how, before, after)


def counts(*objects):
    blocks = sys.getallocatedblocks() if hasattr(sys, "getallocatedblocks") else 0
    return [sys.getrefcount(o) for o in objects + (None, wsgi_front.current, application)] + [blocks // 100, len(os.listdir("/proc/self/fd"))]


BROWSER = {
    "HTTP_HOST": "127.0.0.1:8000", "HTTP_ACCEPT": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "HTTP_ACCEPT_LANGUAGE": "en-US,en;q=0.5", "HTTP_ACCEPT_ENCODING": "gzip, deflate, br", "HTTP_CONNECTION": "keep-alive",
    "HTTP_COOKIE": "sessionid=abcdefghijklmnop; csrftoken=1234567890", "HTTP_UPGRADE_INSECURE_REQUESTS": "1"}


def speed():
    """Microseconds from claim to finish, the application's own included; interfaces.sh --speed."""
    headers = [("Content-Type", "text/plain"), ("Content-Length", "5")]
    for name, app, variables in [
        ("hello, a bare client", simple(headers=headers), {"HTTP_HOST": "127.0.0.1:8000"}),
        ("hello, a browser", simple(headers=headers), BROWSER),
        ("a generator, a browser", generator(b"hello", headers=headers), BROWSER),
    ]:
        use(app)
        data = request("GET", "/", b"", 0, variables, 0)
        library.test_speed(data, len(data), 2000)
        print("  %-24s %.2f us" % (name, min(library.test_speed(data, len(data), 20000) for _ in range(5))))


TESTS = [table, table_with_bodies_in_files, environ_is_right, many_names, blocks_are_sent_before_the_next_is_asked_for, close_is_called_once,
         a_client_that_leaves, signals_are_handled, other_threads_run_meanwhile, objects_outlive_their_request,
         a_thread_of_the_application_reads, nested_calls, errors_stream, errors_are_told_without_sys_stderr, file_wrapper,
         files, files_that_are_read, the_validator_is_content,
         nothing_is_left, fails_to_load]


def main():
    chosen = sys.argv[2:]  # loading the application changes it
    sys.stderr.reconfigure(write_through=True, encoding="utf-8")
    with open(os.path.join(HERE, "../../python/_gobridge.py"), "rb") as f:
        why = library.test_open(f.read(), b"wsgi_front:application", HERE.encode())
    assert why is None, why.decode()
    chosen = [globals()[name] for name in chosen] or TESTS
    for test in chosen:
        result = test()
        print("  ok  %s%s" % (test.__name__.replace("_", " "), "" if result is None else " (%d)" % result), flush=True)
    print("WSGI on Python %s: all ok" % sys.version.split()[0])


if __name__ == "__main__":
    main()
