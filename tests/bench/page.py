"""The page of the docs that the results make, and the plot beside it."""

import os

import cells
import peers
import plot
import report
from cell import Cell
from paths import shown
from peers import Job

PAGE = """# {title}

Written by {made}; figures of one machine on one day. Compare within a table only:
another machine, or another day, has others.

{machine}; {date}; its load was {load:.1f} when it began. {versions}.

![requests a second by cell and server]({plot})

## What is wanted, and what was measured

{goals}

## The figures

{tables}
{failures}
{how}
## How the servers were started

{commands}
"""

# What the page is called, who writes it, and how a server of it is started that nothing else is said of.
KINDS_OF_PAGES = {
    "wsgi": ("Benchmarks", "`make bench` or `make bench-all`", Job(Cell.application, 8000, Cell.workers, Cell.threads)),
    "asgi": ("Benchmarks of ASGI", "`make bench-asgi`", Job("plain_asgi:hello", 8000, interface="asgi")),
    "nginx": ("Benchmarks behind nginx", "`make bench-nginx`", Job(Cell.application, 8000, Cell.workers, unix="app.sock")),
}

HOW = """- Each round runs every server once, in turn and each time another one first, so that a drift of the machine's own
  speed reaches all of them. The figures are medians of {rounds} rounds of {seconds} s, after a second of warming up.
- *gobridge is*: how many times this server's requests/s gobridge has; the median over the rounds, in each of which
  the two were measured within seconds.
- The load comes from wrk (one thread) on the same machine, and takes processor time from the servers. Every server
  runs the same Python and the same packages, with {workers} and 64 connections where nothing else is said. Before
  a server is measured, status and body of its answer are checked.
- *CPU µs/request* is the processor time of the server's whole process tree, user and system, divided by the requests.
  *PSS* is the memory of the tree after the load, shared pages divided among those who share them.
- *served* is the least number of connections in a round that were given at least a tenth of the mean number of answers.
  A server that stays with few connections is fast for them; the others wait, and hardly count in its latencies.
- *errors* are wrk's: broken connections, timeouts, answers that are not 2xx or 3xx. A connection that the server closes
  after its answer counts as one of the kind "read".
- Access logs are written to a file by every server that has one.
{more}
One cell again: `tests/bench/run CELL`; `tests/bench/run --list` names them.
"""


OF_WSGI = """- The C floor is an epoll loop that answers fixed bytes without looking at the request: what sockets cost here.
"""
OF_ASGI = """- Whoever can runs uvloop; fastpysgi has a loop of its own, which calls asyncio's or, where that is said, uvloop.
- The load of WebSockets comes from `tests/bench/wsload`, one program on one processor for all servers, without
  compression. In the broadcast each client sends its next message when it has its last one back, and what any client
  receives counts. *MB for 10,000* is the PSS of the server's whole process tree with the open WebSockets, less that
  without, for 10,000 of them.
- *% of a CPU* beside the timer is that of the server's whole tree.
"""
OF_NGINX = """- nginx asks the server by the uwsgi protocol over a unix socket, one connection for each request, with as many
  worker processes as there are processors; its processor time and its memory are counted with the server's.
"""
OF = {"wsgi": OF_WSGI, "asgi": OF_ASGI, "nginx": OF_NGINX}


def write(path, results):
    picture = os.path.splitext(path)[0] + ".svg"
    with open(picture, "w") as f:
        f.write(plot.svg(measured(results, "load", "websocket")))
    with open(path, "w") as f:
        f.write(text(results, os.path.basename(picture)))


def text(results, picture):
    title, made, job = KINDS_OF_PAGES[results["page"]]
    workers = "1 worker" if job.workers == 1 else "%d workers" % job.workers
    return PAGE.format(
        title=title, made=made,
        machine=results["machine"], date=results["date"], load=results["load"], versions=", ".join(results["versions"]),
        plot=picture, goals=goal_table(results), tables="\n".join(tables(results)), failures=failures(results),
        how=HOW.format(workers=workers, more=OF[results["page"]], **results), commands="\n".join(commands(results, job)))


def measured(results, *kinds):
    """(cell, its rows) in the order of the table of cells."""
    found = results["cells"]
    return [(cell, found[name]["rows"]) for name, cell in cells.ALL.items() if name in found and (not kinds or cell.kind in kinds)]


def table(head, lines):
    """Text to the left in the columns whose head says so with a leading <, numbers to the right."""
    rule = ["---" if title.startswith("<") else "---:" for title in head]
    return "\n".join("| " + " | ".join(line) + " |" for line in [[title.lstrip("<") for title in head], rule] + lines) + "\n"


def goal_table(results):
    lines = [[cell.title, goal.text, value, mark] for cell, rows in measured(results) for goal, value, mark in report.judged(cell, rows)]
    return table(["<cell", "<wanted", "measured", "<"], lines)


def tables(results):
    """One table for each kind of cells, whose columns they share."""
    for kind, columns in report.COLUMNS.items():
        lines = [line for cell, rows in measured(results, kind) for line in titled(cell, report.lines(cell, rows))]
        if lines:
            yield table(["<" + KINDS[kind], "<server"] + [title for title, _ in columns], lines)


KINDS = {"load": "requests", "websocket": "WebSocket messages", "open": "open WebSockets", "timer": "a timer of 10 ms", "start": "start", "idle": "idle", "where": "where the time goes",
         "scaling": "scaling"}


def titled(cell, lines):
    """The cell's title stands before its first line."""
    return [["**%s**" % cell.title if i == 0 else ""] + line for i, line in enumerate(lines)]


def failures(results):
    """Who could not do what, and why: the first line of the reason."""
    lines = ["- %s, %s: %s" % (cells.ALL[name].title, peer, why.splitlines()[0])
             for name, found in results["cells"].items() for peer, why in found["failed"].items()]
    return "Not measured:\n\n" + "\n".join(lines) + "\n" if lines else ""


def commands(results, job):
    """Each server's command line for hello, and what is to be known of it."""
    used = dict.fromkeys(row for _, rows in measured(results) for row in rows)
    for name in used:
        if name in peers.ALL:
            peer = peers.ALL[name]
            yield "- %s: `%s`%s" % (name, shown(" ".join(peer.line(job))), peer.note and ": " + peer.note)
