"""Measures gobridge beside other servers: requests a second, latency, processor time a request.

Every round runs each server once, one after the other, so that a drift of the machine's own speed
reaches all of them; what is printed are medians over the rounds. Compare within one run only.
"""

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import report

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BIN = os.path.join(ROOT, ".tools", "bench", "bin")
TICK = os.sysconf("SC_CLK_TCK")

BJOERN = """
import sys, importlib, bjoern
try:
    bjoern.run(importlib.import_module(sys.argv[1]).app, "127.0.0.1", int(sys.argv[2]))
except KeyboardInterrupt:
    pass
"""


def commands(application, port, workers):
    """The command line of each server for the application on the port."""
    python, w = os.path.join(BIN, "python"), str(workers)
    gobridge = [os.path.join(ROOT, "bin", "gobridge"), "run", application + ":app", "--python", python,
                "--bind", "127.0.0.1:%d" % port, "--workers", w, "--log-level", "error"]
    servers = {
        "gobridge": gobridge,
        "granian": [os.path.join(BIN, "granian"), "--interface", "wsgi", "--port", str(port), "--workers", w,
                    "--blocking-threads", "1", "--no-log", application + ":app"],
        # Its other way with HTTP, http-socket, closes the connection after each answer.
        "uwsgi": [os.path.join(BIN, "uwsgi"), "--http11-socket", "127.0.0.1:%d" % port, "--module", application + ":app",
                  "--processes", w, "--master", "--disable-logging"],
        "gunicorn": [os.path.join(BIN, "gunicorn"), "--bind", "127.0.0.1:%d" % port, "--workers", w,
                     "--log-level", "error", application + ":app"],
    }
    if workers == 1:
        servers["bjoern"] = [python, "-c", BJOERN, application, str(port)]
    return servers


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def tree(pid):
    """The process and its descendants."""
    children = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % entry) as f:
                parent = int(f.read().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(parent, []).append(int(entry))
    found = [pid]
    for p in found:
        found.extend(children.get(p, []))
    return found


def processor_seconds(pid):
    total = 0
    for p in tree(pid):
        try:
            with open("/proc/%d/stat" % p) as f:
                fields = f.read().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def wait_until_served(process, url):
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert answer.read() == b"Hello, world!\n"
                return
        except urllib.error.HTTPError:
            raise
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def wrk(url, seconds, connections):
    out = subprocess.run(["wrk", "-t1", "-c%d" % connections, "-d%ds" % seconds, "--latency", url],
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    scale = {"us": 1e-3, "ms": 1, "s": 1e3}

    def latency(percent):
        value, unit = re.search(r"^ +%s%%\s+([\d.]+)(us|ms|s)$" % percent, out, re.M).groups()
        return float(value) * scale[unit]

    errors = re.search(r"Socket errors: (.*)|Non-2xx or 3xx responses: (.*)", out)
    return {
        "requests": int(re.search(r"(\d+) requests in", out).group(1)),
        "rate": float(re.search(r"Requests/sec: +([\d.]+)", out).group(1)),
        "p50": latency(50),
        "p99": latency(99),
        "errors": errors.group(0) if errors else "",
    }


def measure(name, port, options):
    """One server, once: started, warmed, measured, ended. What it says goes to build/bench."""
    os.makedirs(os.path.join(ROOT, "build", "bench"), exist_ok=True)
    with open(os.path.join(ROOT, "build", "bench", name + ".log"), "w") as log:
        process = subprocess.Popen(commands(options.application, port, options.workers)[name], cwd=HERE,
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    url = "http://127.0.0.1:%d/" % port
    try:
        wait_until_served(process, url)
        wrk(url, 1, options.connections)
        before = processor_seconds(process.pid)
        result = wrk(url, options.seconds, options.connections)
        result["cpu"] = (processor_seconds(process.pid) - before) / result["requests"] * 1e6
        return result
    finally:
        # Its own group, which nobody else is in: uWSGI takes SIGTERM for a reload.
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--application", choices=["hello", "flasked"], default="hello")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="these servers")
    parser.add_argument("--write", metavar="FILE", help="write the table as a page there, too")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    if load > 0.5:
        print("the machine is busy (load %.1f): the figures will be of little use" % load, file=sys.stderr)
    results = {}
    for _ in range(options.rounds):
        for name in commands(options.application, 0, options.workers):
            if options.only and name not in options.only:
                continue
            results.setdefault(name, []).append(measure(name, free_port(), options))
    title = "%s, %d worker%s, %d connections, medians of %d rounds of %d s" % (
        options.application, options.workers, "s"[options.workers == 1:], options.connections, options.rounds, options.seconds)
    print("\n".join([title, report.text(results)] + report.errors(results)))
    if options.write:
        used = {name: line for name, line in commands(options.application, 8000, options.workers).items() if name in results}
        with open(options.write, "w") as f:
            f.write(report.page(title, results, used, ROOT, load))


main()
