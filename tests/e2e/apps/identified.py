"""Lines in wsgi.errors, in every way, of requests that have ids."""

TEXT = [("Content-Type", "text/plain")]


def application(environ, start_response):
    errors = environ["wsgi.errors"]
    if environ["PATH_INFO"] == "/fail":
        raise ValueError("failed on purpose")
    errors.write("one\ntwo\n")
    errors.write("three")
    errors.writelines([" and", " a half\n", "four\nfi"])
    errors.flush()
    errors.write("ve\n")
    print("six", file=errors)
    errors.write("seven")
    start_response("200 OK", TEXT)
    return [f"{environ.get('HTTP_X_REQUEST_ID')} {environ.get('gobridge.request_id')}".encode()]
