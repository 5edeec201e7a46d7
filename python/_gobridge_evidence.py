"""Evidence: what a worker leaves when it crashes, and where its threads are when it is stuck."""

import faulthandler
import gc
import os
import signal
import sys


def evidence(fd):
    """Have a crash written to fd, unless the application sees to that itself.

    Returns the number of a signal whose handler writes every thread's stack there, or 0 where
    threads run truly at once: their frames cannot be read while they do.
    """
    one_at_a_time = "t" not in sys.abiflags
    file = open(fd, "wb", buffering=0, closefd=False)
    if not faulthandler.is_enabled():
        faulthandler.enable(file, all_threads=one_at_a_time)
    number = unused() if one_at_a_time else 0
    if number:
        faulthandler.register(number, file, all_threads=True, chain=False)
    os.register_at_fork(after_in_child=lambda: forget(file, number))
    return number


def stacks(fd):
    """Write every thread's stack to fd, while the application is imported.

    Where threads run truly at once this reads frames that move, which can crash the process. It is
    asked for shortly before an import is given up and its process is killed.
    """
    faulthandler.dump_traceback(fd, all_threads=True)


def unused():
    """A real-time signal that nobody handles: the last ones are debuggers'."""
    for number in range(signal.SIGRTMAX - 2, signal.SIGRTMIN, -1):
        if signal.getsignal(number) == signal.SIG_DFL:
            return number
    return 0


def forget(file, number):
    """In a process that the application has forked: what it does is no evidence of ours."""
    if number:
        faulthandler.unregister(number)
    if any(used is file for used in gc.get_referents(faulthandler)):  # the application has enabled no other
        faulthandler.disable()
