"""gobridge's helper: finds the application, prints tracebacks, and has what environ needs.

It runs in the zygote and in every worker, on every CPython from 3.9 on. Nothing here is
meant to be imported by applications.
"""

import ast
import difflib
import importlib
import importlib.util
import os
import sys
import threading
import traceback

FRAMES = ("<gobridge>", "<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>")
FRAMES += (importlib.__file__,)


# ---- What environ needs.


def version():
    """wsgi.version."""
    return (1, 0)


class FileWrapper:
    """wsgi.file_wrapper: a file's blocks, one after the other."""

    def __init__(self, filelike, blksize=65536):
        self.filelike = filelike
        self.blksize = blksize
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self):
        return self

    def __next__(self):
        block = self.filelike.read(self.blksize)
        if block:
            return block
        raise StopIteration


def file_wrapper():
    return FileWrapper


class Errors:
    """wsgi.errors: text for the server's standard error, whole lines at a time.

    Threads write to it at the same time, so each keeps its unfinished line to itself.
    """

    def __init__(self):
        self._mine = threading.local()

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"wsgi.errors takes str, not {type(text).__name__}")
        pending = getattr(self._mine, "pending", "") + text
        lines, newline, rest = pending.rpartition("\n")
        if newline:
            sys.stderr.write(lines + newline)
        self._mine.pending = rest
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        pending = getattr(self._mine, "pending", "")
        self._mine.pending = ""
        if pending:
            sys.stderr.write(pending)
        sys.stderr.flush()


# ---- Tracebacks.


def trimmed(tb):
    """A traceback without the host's and the import system's frames at its top."""
    while tb is not None and tb.tb_frame.f_code.co_filename in FRAMES:
        tb = tb.tb_next
    return tb


def text_of(exception):
    """An exception with its traceback, as Python prints it."""
    lines = traceback.format_exception(type(exception), exception, trimmed(exception.__traceback__))
    return "".join(lines)


def report(exception):
    """Print an exception, in one write, so that workers do not mix their lines."""
    sys.stderr.write(text_of(exception))
    sys.stderr.flush()


# ---- The application.


class Wrong(Exception):
    """Why there is no application to run; its text is for the user."""


def load(spec, directory):
    """The application that spec names, or a str that says why there is none."""
    try:
        enter(directory, spec)
        return find(spec)
    except Wrong as wrong:
        return str(wrong)
    except SystemExit as end:
        return f"{spec}: the application ended the process (sys.exit({end.code!r})) while it was imported:\n{text_of(end)}"
    except BaseException as error:  # pylint: disable=broad-except
        return f"{spec}: the application could not be imported:\n{text_of(error)}"


def enter(directory, spec):
    """Be where the application is to run, with a sys.argv and sys.path as `python` gives them."""
    if directory:
        os.chdir(directory)
    here = os.getcwd()
    sys.path[:] = [here] + [p for p in sys.path if p not in ("", here)]
    sys.argv = ["gobridge", spec]


def split(spec):
    """module:attribute, as a pair; the attribute may be missing, or be a call."""
    module, _, attribute = spec.partition(":")
    if module.endswith(".py") or "/" in module:
        stem = (module[:-3] if module.endswith(".py") else module).strip("./").replace("/", ".")
        fixed = stem + (":" + attribute if attribute else "")
        raise Wrong(f"{spec}: name the module, not its file: {fixed}")
    return module, attribute


def find(spec):
    name, attribute = split(spec)
    module = imported(name, spec)
    if not attribute:
        attribute = next((a for a in ("application", "app") if hasattr(module, a)), "application")
    found = looked_up(module, attribute, spec)
    if not callable(found):
        raise Wrong(f"{spec}: {attribute} is of type {type(found).__name__} and cannot be called; a WSGI application can")
    return found


def imported(name, spec):
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name and (name == missing.name or name.startswith(missing.name + ".")):
            raise Wrong(not_found(name, missing.name, spec)) from None
        raise  # the module is there, and imports something that is not


def not_found(name, missing, spec):
    text = f"{spec}: there is no module {missing!r} in {os.getcwd()} nor in {sys.prefix}."
    parent, _, last = missing.rpartition(".")
    near = difflib.get_close_matches(last, modules_in(parent), 1)
    if near:
        right = name.replace(missing, (parent + "." if parent else "") + near[0], 1)
        text += f" Did you mean {right}?"
    return text + " Call gobridge in the folder that holds the module, or name that folder with --chdir."


def modules_in(parent):
    """Names of the modules beside the application, or in its package."""
    try:
        folder = os.path.join(os.getcwd(), *parent.split(".")) if parent else os.getcwd()
        names = os.listdir(folder)
    except OSError:
        return []
    return [n[:-3] if n.endswith(".py") else n for n in names if n.endswith(".py") or "." not in n]


def looked_up(module, attribute, spec):
    """module.a.b, or what module.create(...) returns."""
    path, arguments, keywords = called(attribute, spec)
    found = module
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise Wrong(no_attribute(module, found, part, spec)) from None
    if arguments is None:
        return found
    return found(*arguments, **keywords)


def called(attribute, spec):
    """A call's name and literal arguments; (name, None, None) if it is none."""
    if not attribute.endswith(")"):
        return attribute, None, None
    try:
        call = ast.parse(attribute, mode="eval").body
        if not isinstance(call, ast.Call):
            raise ValueError(attribute)
        arguments = [ast.literal_eval(a) for a in call.args]
        keywords = {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg}
    except (SyntaxError, ValueError):
        raise Wrong(f'{spec}: a factory is called with literals only, like module:create_app("production")') from None
    return attribute.partition("(")[0].strip(), arguments, keywords


def no_attribute(module, found, part, spec):
    where = getattr(found, "__name__", type(found).__name__)
    text = f"{spec}: {where} has no {part!r}."
    candidates = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
    near = difflib.get_close_matches(part, candidates, 1)
    if near:
        return f"{text} Did you mean {near[0]!r}?"
    own = [n for n in candidates if getattr(vars(module)[n], "__module__", module.__name__) == module.__name__]
    if own:
        return f"{text} What can be called there: {', '.join(sorted(own)[:10])}."
    return f"{text} There is nothing in {module.__name__} that can be called ({module.__file__})."
