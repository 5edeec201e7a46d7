"""Turns the measured rounds into a table: for a terminal, and as a page of the docs."""

import importlib.metadata
import os
import platform
import re
import statistics
import subprocess
import time

COLUMNS = (("requests/s", "rate", "%.0f"), ("CPU µs/request", "cpu", "%.1f"), ("p50 ms", "p50", "%.2f"), ("p99 ms", "p99", "%.2f"))

PAGE = """# Benchmarks

Written by `make bench`; figures of one machine on one day. Compare within a table only.

## {title}

{table}{notes}
{machine}; its load was {load:.1f} when it began.
{versions}.

Each round runs every server once, in turn, so that a drift of the machine's own speed reaches all
of them; the figures are medians over the rounds. The load comes from wrk on the same machine, and
takes CPU time from the servers. CPU µs/request is the processor time of the server's whole process
tree, user and system, divided by the requests. uWSGI's http11-socket stays with one connection as
long as there are requests on it, so its latencies leave out the connections that got no answer.

The servers were started as:

{commands}"""


def medians(rounds):
    return [form % statistics.median(r[key] for r in rounds) for _, key, form in COLUMNS]


def rows(results):
    """The fastest first."""
    order = sorted(results, key=lambda name: -statistics.median(r["rate"] for r in results[name]))
    return [[name] + medians(results[name]) for name in order]


def text(results):
    lines = [[""] + [title for title, _, _ in COLUMNS]] + rows(results)
    return "\n".join("%-20s" % name + "".join("%16s" % cell for cell in cells) for name, *cells in lines)


def markdown(results):
    head = ["server"] + [title for title, _, _ in COLUMNS]
    lines = [head, ["---"] + ["---:"] * len(COLUMNS)] + rows(results)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def errors(results):
    """What wrk saw go wrong, a line for each server; most often nothing."""
    seen = {name: [r["errors"] for r in rounds if r["errors"]] for name, rounds in results.items()}
    return ["%s, in %d of %d rounds: %s" % (name, len(bad), len(results[name]), bad[0]) for name, bad in seen.items() if bad]


def machine():
    with open("/proc/cpuinfo") as f:
        model = re.search(r"model name\s*: (.*)", f.read())
    return "%d CPUs (%s), Linux %s, %s" % (os.cpu_count(), model.group(1) if model else platform.machine(),
                                            platform.release().split("-")[0], time.strftime("%d %B %Y", time.gmtime()))


def versions(gobridge):
    found = [first_line([gobridge, "version"])]
    for package in ("bjoern", "granian", "gunicorn", "uWSGI"):
        found.append("%s %s" % (package, importlib.metadata.version(package)))
    found.append("Python " + platform.python_version())
    found.append(" ".join(first_line(["wrk", "--version"]).split()[:2]))
    return ", ".join(found)


def first_line(command):
    # wrk tells its version and fails.
    out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    return out.splitlines()[0]


def page(title, results, commands, root, load):
    """The whole page. What stands in commands is shortened to what one would type."""
    shown = []
    for name, words in commands.items():
        line = " ".join("'...'" if "\n" in word else word for word in words)
        shown.append("- %s: `%s`" % (name, line.replace(root + "/", "")))
    wrong = "".join("\n%s.\n" % line for line in errors(results))
    return PAGE.format(title=title, table=markdown(results), notes=wrong, machine=machine(), load=load,
                       versions=versions(os.path.join(root, "bin", "gobridge")), commands="\n".join(shown) + "\n")
