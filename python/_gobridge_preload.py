"""Preload: may a process that has imported the application be forked into workers?

A fork has its parent's memory, but of its threads only the one that forks; and it shares
the parent's sockets, pipes and file positions. So the template looks at what the import
has left behind. Whatever would be broken or shared in the workers is a reason to have each
of them import the application itself; a reason names the thing.
"""

import gc
import os
import stat
import sys

SHOWN = 5  # things of one kind that are named; of the others only the number is told

# Devices that keep nothing: null, zero, full, random, urandom; terminals.
HARMLESS_DEVICES = {(1, 3), (1, 5), (1, 7), (1, 8), (1, 9)}
TERMINALS = {4, 5, *range(136, 144)}

# What a reason says of one thing and of several, in the order in which reasons are told.
WORDS = {
    "thread": ("1 thread was started at import", "%d threads were started at import"),
    "process": ("1 process was started at import", "%d processes were started at import"),
    "gevent": ("gevent is in use", "gevent is in use"),
    "epoll": ("1 event loop was made at import", "%d event loops were made at import"),
    "socket": ("1 socket is open", "%d sockets are open"),
    "pipe": ("1 pipe is open", "%d pipes are open"),
    "file": ("1 file is open", "%d files are open"),
    "device": ("1 device is open", "%d devices are open"),
    "kernel": ("1 object of the kernel is open", "%d objects of the kernel are open"),
}


# ---- Before the import, and after it.


def opened():
    """What each open descriptor leads to."""
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            found[int(fd)] = os.readlink("/proc/self/fd/" + fd)
        except FileNotFoundError:  # the one that lists them
            pass
    return found


def reasons(before, threads):
    """Why not to fork, in one line; empty if nothing speaks against it.

    before is what opened() said before the import; threads has a line "id name" for each
    that a fork would leave behind.
    """
    found = [("thread", name) for name in threads_of(threads)]
    found += [("process", name) for name in children()]
    found += [("gevent", what) for what in gevent()]
    for fd, target in sorted(opened().items()):
        if before.get(fd) != target:
            found += descriptor(fd, target)
    texts = []
    for kind, (one, several) in WORDS.items():
        names = [name for k, name in found if k == kind]
        if names:
            texts.append((one if len(names) == 1 else several.replace("%d", str(len(names)))) + listed(names))
    return "; ".join(texts)


def listed(names):
    """ (a, b, 3 of c, and 2 more)"""
    counted = {}
    for name in names:
        counted[name] = counted.get(name, 0) + 1
    texts = [name if n == 1 else f"{n} of {name}" for name, n in counted.items() if name]
    if len(texts) > SHOWN:
        texts[SHOWN:] = [f"and {len(texts) - SHOWN} more"]
    return f" ({', '.join(texts)})" if texts else ""


# ---- Threads and processes.


def threads_of(lines):
    """The names of threads: Python's with what they run, else the system's."""
    threading = sys.modules.get("threading")
    known = {}
    for thread in threading.enumerate() if threading else ():
        known[getattr(thread, "native_id", None)] = thread  # eventlet's have none
    own = read("/proc/self/comm").strip()
    for line in lines.splitlines():
        number, _, name = line.partition(" ")
        thread = known.get(int(number))
        if thread is not None:
            yield described(thread)
        else:
            yield "a nameless one of a library's" if name == own else name


def described(thread):
    """A Python thread's name, and the module it comes from."""
    module = type(thread).__module__
    if module == "threading":
        run = getattr(thread, "_target", None) or getattr(thread, "function", None)
        module = getattr(run, "__module__", None)
    return f"{thread.name} of {module}" if module else thread.name


def children():
    """The names of child processes that are still there: a fork could not wait for them."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return
    pids = []
    for task in os.listdir("/proc/self/task"):
        pids += read(f"/proc/self/task/{task}/children").split()
    for pid in pids or [""]:
        yield read(f"/proc/{pid}/comm").strip() or "ended, and not waited for"


def gevent():
    """What gevent has done to this process."""
    monkey = sys.modules.get("gevent.monkey")
    names = ("os", "queue", "select", "signal", "socket", "ssl", "subprocess", "threading", "time")
    patched = [name for name in names if monkey is not None and monkey.is_module_patched(name)]
    if patched:
        yield "it has patched " + ", ".join(patched)
    hub_of = getattr(sys.modules.get("gevent._hub_local"), "get_hub_if_exists", None)
    if hub_of is not None and hub_of() is not None:
        yield "its hub exists"


# ---- Descriptors.


def descriptor(fd, target):
    """What a descriptor that is new is, as a list of one (kind, name), or none if it does no harm."""
    kind, _, rest = target.partition(":")
    if kind == "socket":
        return [("socket", address(fd))]
    if kind == "pipe":
        return [("pipe", "")]
    if kind == "anon_inode":
        rest = rest.strip("[]")
        return [("epoll", "")] if rest == "eventpoll" else [("kernel", rest)]
    return on_disk(fd, target)


def on_disk(fd, target):
    """A descriptor of something that has a path."""
    about = os.fstat(fd)
    info = dict(line.split(":", 1) for line in read(f"/proc/self/fdinfo/{fd}").splitlines())
    flags = int(info["flags"], 8)
    if flags & getattr(os, "O_PATH", 0) or stat.S_ISDIR(about.st_mode):
        return []
    if stat.S_ISCHR(about.st_mode):
        device = os.major(about.st_rdev), os.minor(about.st_rdev)
        return [] if device in HARMLESS_DEVICES or device[0] in TERMINALS else [("device", target)]
    if stat.S_ISFIFO(about.st_mode):
        return [("pipe", target)]
    if "lock" in info:
        return [("file", target + ", which is locked")]
    access = flags & os.O_ACCMODE
    if access == os.O_WRONLY and flags & os.O_APPEND:
        return []  # a log: each write goes to its end, whoever writes
    # A position is shared by all who have the descriptor, readers too.
    return [("file", target + (" for reading" if access == os.O_RDONLY else " for writing"))]


def address(fd):
    """Where a socket leads, or where it listens; empty if it has no address."""
    try:
        import _socket  # not socket: gevent may want to be the first to touch that
        socket = _socket.socket(fileno=fd)
    except (ImportError, OSError):
        return "of a family that is not known"
    try:
        for name in (socket.getpeername, socket.getsockname):
            try:
                text = written(name())
            except OSError:
                continue
            if text:
                return text
        return ""
    finally:
        socket.detach()


def written(name):
    """A socket's name as people write it; empty if it has none."""
    if isinstance(name, tuple) and len(name) >= 2 and isinstance(name[0], str):
        host = f"[{name[0]}]" if ":" in name[0] else name[0]
        return f"{host}:{name[1]}" if name[1] else ""
    if isinstance(name, bytes):
        name = "@" + os.fsdecode(name[1:])
    return str(name) if name else ""


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


# ---- Around the forks.


def freeze():
    """Leave nothing to collect, and let no collection touch what is shared from now on."""
    gc.collect()
    gc.freeze()


def reseed():
    """In a new worker: random numbers of its own. Python reseeds its own generator itself."""
    random = sys.modules.get("numpy.random")
    if random is not None:
        random.seed()
