"""gobridge's helper: finds the application, prints tracebacks, and has what environ needs.

It runs in the zygote and in every worker, on every CPython from 3.9 on. Nothing here is
meant to be imported by applications.
"""

import ast
import difflib
import importlib
import inspect
import io
import os
import signal
import stat
import sys
import traceback
import types

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


def sendable(wrapper):
    """Descriptor, position and size of the file that a FileWrapper reads, or None if it must be read.

    What counts is whose read() it is, not who has a fileno(): GzipFile has one, of a file with
    other bytes, while a Django File and a NamedTemporaryFile only pass on to a plain file.
    """
    try:
        source = inspect.unwrap(wrapper.filelike.read).__self__
        raw = source.raw if type(source) in (io.BufferedReader, io.BufferedRandom) else source
        if type(raw) is not io.FileIO or not raw.readable():
            return None
        if type(source) is io.BufferedRandom:
            source.flush()  # reading would do so
        status = os.fstat(raw.fileno())
        return (raw.fileno(), source.tell(), status.st_size) if stat.S_ISREG(status.st_mode) else None
    except Exception:  # pylint: disable=broad-except
        return None  # reading it says what is wrong


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


def report(heading, exception):
    """Print an exception."""
    say(heading + text_of(exception))


def say(text):
    """Write to standard error, in one write, so that workers do not mix their lines."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except Exception:  # pylint: disable=broad-except
        os.write(2, text.encode("utf-8", "backslashreplace"))  # the application has closed sys.stderr, or made it its own


# ---- The end.


def drain():
    """Call what the application has set for SIGTERM. It may want the process to end: that it does."""
    handler = signal.getsignal(signal.SIGTERM)
    if not callable(handler):
        return
    try:
        tell_loop(signal.SIGTERM)
    except (OSError, ValueError):
        pass  # the descriptor is closed, or is another file's by now: the handler is to be called all the same
    try:
        handler(signal.SIGTERM, sys._getframe().f_back)
    except (SystemExit, KeyboardInterrupt):
        pass
    except BaseException as error:  # pylint: disable=broad-except
        report(f"gobridge[{os.getpid()}]: the application's handler of SIGTERM failed:\n", error)


def tell_loop(number):
    """Write as Python's own handler does of a signal: an event loop reads from there what its add_signal_handler has."""
    descriptor = signal.set_wakeup_fd(-1)
    if descriptor < 0:
        return
    try:
        signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
        os.write(descriptor, bytes([number]))
    except OSError:
        pass  # it has not read what came before, and will not miss it; or nobody reads any more


def fork_code(exception):
    """The exit code of a process that the application forked and that came back by an exception: Python's own."""
    if not isinstance(exception, SystemExit):
        report(f"gobridge[{os.getpid()}]: a process that the application forked ends by an exception\n", exception)
        return 1
    if exception.code is None or isinstance(exception.code, int):
        return (exception.code or 0) & 0xff
    say(f"{exception.code}\n")
    return 1


# ---- Threads.


def introduce(name):
    """Make this request thread one like those that Python starts.

    Python takes it for a daemon with a number, and lets the threads that the application starts from it inherit that:
    their work would be cut off at the end, although it would not be under a server of Python threads.
    """
    import threading  # not before an application had its chance to patch it
    thread = threading.current_thread()
    thread.name = name
    thread._daemonic = False
    if not introduced:
        introduced.append(True)
        os.register_at_fork(after_in_child=be_main_thread)


introduced = []


def be_main_thread():
    """In a process that a request thread forked: its main thread is that thread, which Python did not start.

    From 3.11.8 and 3.12.2 on Python sees to it. Before, the thread lacks the lock by which threading._shutdown, and with
    it the end of each child of multiprocessing, knows the main thread: the child would exit with 1.
    """
    import threading
    thread = threading.main_thread()
    if isinstance(thread, threading._DummyThread) and hasattr(thread, "_set_tstate_lock"):
        thread.__class__ = threading._MainThread
        thread._set_tstate_lock()


# ---- The application.


class Wrong(Exception):
    """Why there is no application to run; its text is for the user."""


def load(spec, directory, interface):
    """The application that spec names, with its interface (wsgi, asgi, asgi2), or a str that says why there is none.

    interface may be auto: then it is told by how the application is called.
    """
    pid = os.getpid()
    try:
        enter(directory, spec)
        return find(spec, interface)
    except Wrong as wrong:
        return sayable(str(wrong))
    except BaseException as error:  # pylint: disable=broad-except
        if os.getpid() != pid:  # a process that the application forked while it was imported
            os._exit(fork_code(error))
        return sayable(why_not(spec, error))


def why_not(spec, error):
    """Why the import ended by this exception."""
    if isinstance(error, SystemExit):
        return f"{spec}: the application ended the process (sys.exit({error.code!r})) while it was imported:\n{text_of(error)}"
    return f"{spec}: the application could not be imported:\n{text_of(error)}"


def sayable(text):
    """A text without what C strings and UTF-8 cannot hold: NUL, and the surrogates of a file name that is no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def enter(directory, spec):
    """Be where the application is to run, with a sys.argv and sys.path as `python` gives them."""
    if directory:
        try:
            os.chdir(directory)
        except OSError as error:
            raise Wrong(f"{spec}: cannot change to the folder {directory}: {error.strerror}") from None
    here = os.getcwd()
    sys.path[:] = [here] + [p for p in sys.path if p not in ("", here)]
    sys.argv = ["gobridge", spec]


def find(spec, interface):
    name, attribute = split(spec)
    module = imported(name, spec)
    if not attribute:
        attribute = next((a for a in ("application", "app") if hasattr(module, a)), "application")
    found = looked_up(module, attribute, spec)
    if not callable(found):
        raise Wrong(f"{spec}: {attribute} is of type {type(found).__name__} and cannot be called; an application can")
    return found, interface_of(found, interface, attribute, spec)


def split(spec):
    """module:attribute, as a pair; the attribute may be missing, or be a call."""
    module, colon, attribute = spec.partition(":")
    if not module or (colon and not attribute):
        raise Wrong(f"{spec!r} names no application: write module:attribute, like mysite.wsgi:application")
    if module.endswith(".py") or "/" in module:
        raise Wrong(f"{spec}: name the module, not its file: {as_module(module)}{colon}{attribute}")
    return module, attribute


def as_module(path):
    """The module in a file's path; the folder that it must be looked for in, if that is another one."""
    folder, name = os.path.split(path[:-3] if path.endswith(".py") else path)
    if os.path.isabs(path) or ".." in path.split("/"):
        return f"--chdir {folder} {name}"
    return os.path.normpath(os.path.join(folder, name)).replace("/", ".")


# ---- Its interface.

# How each interface calls an application.
CALLS = {
    "wsgi": ("environ", "start_response"),
    "asgi": ("scope", "receive", "send"),
    "asgi2": ("scope",),
}


def interface_of(found, wanted, attribute, spec):
    """The interface of an application; the wanted one, if it can be called so."""
    if wanted == "auto":
        return detected(found, attribute, spec)
    if wanted == "wsgi" and is_async(found):
        raise Wrong(f"{spec}: {attribute} is an ASGI application (its call is async), and --interface is wsgi")
    why_not = unfit(found, wanted)
    if why_not:
        names = " and ".join(CALLS[wanted]) if wanted != "asgi" else "scope, receive and send"
        raise Wrong(f"{spec}: {attribute} cannot be called with {names} ({why_not}), as --interface {wanted} wants" + made(attribute, spec))
    return wanted


def detected(found, attribute, spec):
    """What its call tells: an async one is ASGI's; else how many arguments it takes."""
    if is_async(found):
        why_not = unfit(found, "asgi")
        if why_not:
            raise Wrong(f"{spec}: {attribute} is async, but cannot be called with scope, receive and send ({why_not})" + made(attribute, spec))
        return "asgi"
    fits = [interface for interface in CALLS if not unfit(found, interface)]
    if fits:
        decorates_async = len(fits) == len(CALLS) and inspect.isfunction(found) and is_async(inspect.unwrap(found))
        return "asgi" if decorates_async else fits[0]  # else what takes any arguments is WSGI
    raise Wrong(f"{spec}: {attribute} can be called neither with environ and start_response (WSGI), nor with scope, receive and send "
                f"(ASGI) ({unfit(found, 'wsgi')})" + made(attribute, spec))


def made(attribute, spec):
    return f": if it makes the application, write {spec}()" if not attribute.endswith(")") else ""


def is_async(found):
    """Does a call return a coroutine, as far as can be told?"""
    calls = [found] if inspect.isfunction(found) or inspect.ismethod(found) else [found, getattr(type(found), "__call__", None)]
    if inspect.isclass(found):
        return hasattr(found, "__await__")
    return any(inspect.iscoroutinefunction(call) or getattr(call, "_is_coroutine", None) is not None for call in calls)


def unfit(found, interface):
    """Why a call of this interface does not go with its signature; empty if it does, or nobody knows."""
    try:
        inspect.signature(found, follow_wrapped=False).bind(*CALLS[interface])
    except TypeError as error:
        return str(error)
    except Exception:  # pylint: disable=broad-except
        pass  # it does not say how it is called
    return ""


# ---- Its module.


def imported(name, spec):
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        # Is it the module itself, or one that the application's own code asks for?
        if missing.name and (name + ".").startswith(missing.name + ".") and trimmed(missing.__traceback__) is None:
            raise Wrong(not_found(name, missing.name, spec)) from None
        raise


def not_found(name, missing, spec):
    parent, _, last = missing.rpartition(".")
    if parent and not hasattr(sys.modules.get(parent), "__path__"):
        return f"{spec}: there is no module {missing!r}: {parent} is a module, not a package."
    text = f"{spec}: there is no module {missing!r} in {os.getcwd()} nor in {sys.prefix}."
    near = nearest(last, modules_in(parent))
    if near:
        right = name.replace(missing, (parent + "." if parent else "") + near, 1)
        text += f" Did you mean {right}?"
    return text + " Call gobridge in the folder that holds the module, or name that folder with --chdir."


def modules_in(package):
    """Names of the modules in a package, or beside the application."""
    names = set()
    for folder in sys.modules[package].__path__ if package else [os.getcwd()]:
        try:
            entries = os.listdir(folder)
        except OSError:
            continue
        for entry in entries:
            stem, dot, ending = entry.partition(".")
            if stem.isidentifier() and (not dot or ending == "py"):
                names.add(stem)
    return sorted(names)


# ---- Its attribute.


def looked_up(module, attribute, spec):
    """module.a.b, or what module.create(...) returns."""
    path, arguments = parsed(attribute, spec)
    found = module
    for part in path:
        try:
            found = getattr(found, part)
        except AttributeError:
            raise Wrong(no_attribute(module, found, part, spec)) from None
    if arguments is None:
        return found
    if not callable(found):
        raise Wrong(f"{spec}: {'.'.join(path)} is of type {type(found).__name__} and cannot be called")
    return found(*arguments[0], **arguments[1])


def parsed(attribute, spec):
    """An attribute's path, and the literal arguments if it is a call, else None."""
    try:
        tree, arguments = ast.parse(attribute, mode="eval").body, None
        if isinstance(tree, ast.Call):
            keywords = {k.arg: ast.literal_eval(k.value) for k in tree.keywords}
            if None in keywords:
                raise ValueError("**")
            arguments = [ast.literal_eval(a) for a in tree.args], keywords
            tree = tree.func
        return path_of(tree), arguments
    except (SyntaxError, TypeError, ValueError):
        raise Wrong(f"{spec}: {attribute} is neither a name (app, site.app) nor a call with literal arguments "
                    '(create_app("production"))') from None


def path_of(tree):
    if isinstance(tree, ast.Name):
        return [tree.id]
    if isinstance(tree, ast.Attribute):
        return path_of(tree.value) + [tree.attr]
    raise ValueError("not a name")


def no_attribute(module, found, part, spec):
    where = getattr(found, "__name__", type(found).__name__)
    text = f"{spec}: {where} has no {part!r}."
    holder = found if hasattr(found, "__dict__") else module
    candidates = [n for n, v in vars(holder).items() if callable(v) and not n.startswith("_")]
    near = nearest(part, candidates) or next((n for n in USUAL if n in candidates), None)
    if near:
        return f"{text} Did you mean {near!r}?"
    own = [n for n in candidates if is_own(vars(holder)[n], module)]
    if own:
        return f"{text} What can be called there: {', '.join(sorted(own)[:10])}."
    return f"{text} There is nothing in it that can be called ({module.__file__})."


USUAL = ("application", "app", "create_app", "make_app")


def is_own(value, module):
    """Made in the module, and not only imported there: an object of another one's class, too."""
    if isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)):
        return value.__module__ == module.__name__
    return True


def nearest(name, names):
    return next(iter(difflib.get_close_matches(name, names, 1)), None)
