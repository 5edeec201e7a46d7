"""Evidence, for drive.py: stacks of workers that are stuck, in each way; what a crash leaves."""
import os
import signal
import time

import drive

STUCK = ("sleeps", "loops", "deadlocks", "sits_in_c")


def worker(zygote, segment, directory, threads=1):
    w = drive.Worker(zygote, segment, 6, worker.incarnation)
    worker.incarnation += 1
    w.setup("stuck:application", directory, threads)
    w.ready()
    return w


worker.incarnation = 200


def begin(w, stream, name):
    w.begin(stream, "/" + name)
    while w.segment.state(stream) == drive.QUEUED:
        time.sleep(0.001)


def stacks(w):
    """Every thread's stack, as the front is given it; or why there are none."""
    os.ftruncate(w.left, 0)
    drive.send(w.sock, drive.STACKS)
    _, written, _, why, _ = drive.receive(w.sock, drive.STACKED)
    return w.evidence() if written else why.decode()


def await_stack(w, name):
    """A request that runs has not always come to its function."""
    for _ in range(600):
        text = stacks(w)
        if f"stuck.py\", line" in text and f" in {name}\n" in text:
            break
        time.sleep(0.1)
    return text


def end(w):
    os.kill(w.pid, signal.SIGKILL)
    w.wait()


def check_stacks(zygote, segment, directory):
    for name in STUCK:
        w = worker(zygote, segment, directory)
        begin(w, 40, name)
        text = await_stack(w, name)
        drive.check(f"a request that {name} has its stack", f" in {name}\n" in text, repr(text[-300:]))
        end(w)
    w = worker(zygote, segment, directory, threads=4)
    for stream, name in enumerate(("sleeps", "dives", "dives", "loops")):
        begin(w, 40 + stream, name)
    text = await_stack(w, "loops")
    drive.check("every thread has its stack", all(f" in {name}\n" in text for name in ("sleeps", "dives", "loops")),
                repr(text[:300]))
    for _ in range(60):
        assert " in dives\n" in stacks(w)
    drive.check("60 looks at threads that run do no harm", w.segment.state(40) == drive.RUNNING)
    end(w)


def crash(w, name):
    w.begin(40, "/" + name)
    code = w.wait()
    return code, w.evidence()


def check_crashes(zygote, segment, directory):
    for name, text in (("crashes", "Segmentation fault"), ("aborts", "Aborted")):
        code, left = crash(worker(zygote, segment, directory), name)
        drive.check(f"a worker that {name} leaves its stack", code != 0 and text in left and f" in {name}\n" in left,
                    (code, left[-300:]))
    w = worker(zygote, segment, directory)
    drive.check("a fork that crashes leaves none", w.ask("/forked_crash") != "0" and w.evidence() == "", w.evidence())
    drive.check("in a fork it is off", w.ask("/enabled_in_fork") == "False")
    name = w.ask("/enables")
    _, left = crash(w, "crashes")
    with open(name, encoding="utf-8") as own:
        text = own.read()
    os.unlink(name)
    drive.check("what the application enables itself stays", left == "" and "Segmentation" in text, (left, text))


def check(zygote, segment, directory):
    os.environ.pop("OWN_EVIDENCE", None)
    w = worker(zygote, segment, directory)
    text = stacks(w)
    end(w)
    if "free-threaded" in text:
        print("  no stacks:", text)
    else:
        check_stacks(zygote, segment, directory)
    check_crashes(zygote, segment, directory)
