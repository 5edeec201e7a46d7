"""Pages about wsgi.input and wsgi.errors."""

import json

from common import answer, page


@page
def reads(environ, start_response):
    """Calls of wsgi.input and what they return: /reads?read:5+readline+readlines:7+next+list"""
    stream, seen = environ["wsgi.input"], []
    for call in environ["QUERY_STRING"].split("+"):
        name, _, argument = call.partition(":")
        if name in ("next", "list"):
            result = next(stream, b"StopIteration") if name == "next" else list(stream)
        else:
            arguments = [json.loads(argument)] if argument else []
            result = getattr(stream, name)(*arguments)
        seen.append([b.decode("latin-1") for b in result] if isinstance(result, list) else result.decode("latin-1"))
    return answer(start_response, json.dumps(seen), headers=[("X-Terminated", repr(environ["wsgi.input_terminated"]))])


@page
def log(environ, start_response):
    """Every way to write to wsgi.errors."""
    errors, name = environ["wsgi.errors"], environ["QUERY_STRING"]
    errors.write(f"{name} written\n")
    errors.writelines([f"{name} first\n", f"{name} second\n"])
    print(name, "printed Grüße", file=errors)
    errors.write(f"{name} in ")
    errors.write("pieces\n")
    errors.flush()
    errors.write(f"{name} unended")
    return answer(start_response, "told")
