"""That the benchmarks read, judge and write rightly. Measures nothing, and takes a second."""

import os
import socket
import sys
import tempfile
import time
import unittest
import xml.dom.minidom

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "apps")]

import behind  # noqa: E402
import cells  # noqa: E402
import connections  # noqa: E402
import goals  # noqa: E402
import load  # noqa: E402
import page  # noqa: E402
import paper  # noqa: E402
import peers  # noqa: E402
import plain  # noqa: E402
import plot  # noqa: E402
import processes  # noqa: E402
import report  # noqa: E402
import server  # noqa: E402
import where  # noqa: E402
from cell import ASGI, NGINX, Cell, percentile  # noqa: E402

WRK = """Running 1s test @ http://127.0.0.1:8000/
  1 threads and 64 connections
  Latency Distribution
     50%  595.00us
     75%    0.93ms
     90%    2.00ms
     99%    1.20s 
  43512 requests in 1.01s, 5.31MB read
  Socket errors: connect 0, read 7, write 0, timeout 2
  Non-2xx or 3xx responses: 3
Requests/sec:  43081.21
Transfer/sec:      5.26MB
"""


def result(rate, **more):
    return dict({"requests": 100, "rate": rate, "p50": 1.0, "p99": 5.0, "cpu": 8.0, "pss": 20.0, "served": 64, "errors": {}}, **more)


def results(**rows):
    """A results file with the cell hello."""
    return {"machine": "2 CPUs", "date": "1 January 2026", "load": 0.1, "versions": ["gobridge 0"], "rounds": 3, "seconds": 1, "page": "wsgi",
            "cells": {"hello": {"rows": rows, "failed": {"uwsgi": "does not serve\nits log"}}}}


LOADS = [cell for cell in cells.ALL.values() if isinstance(cell, Cell) and cell.kind == "load" and cell.name != "full-pipe" and cell.part != ASGI]


class Wrk(unittest.TestCase):
    def test_is_read(self):
        self.assertEqual(load.parse(WRK), {"requests": 43512, "rate": 43081.21, "p50": 0.595, "p99": 1200,
                                           "errors": {"read": 7, "timeout": 2, "refused": 3}})

    def test_without_result_is_an_error(self):
        with self.assertRaisesRegex(ValueError, "unable to connect"):
            load.parse("unable to connect to 127.0.0.1:8000")


class Starved(unittest.TestCase):
    busy = "0 0 127.0.0.1:4 127.0.0.1:5 ino:7 cubic bytes_sent:40 bytes_acked:41 bytes_received:9000 lastsnd:1 lastrcv:1"

    def test_is_who_has_no_answers_or_hardly_any(self):
        for line, starved in (
            ("0 0 127.0.0.1:4 127.0.0.1:5 ino:8 cubic bytes_sent:40 bytes_acked:41 lastsnd:2500 lastrcv:2504", 1),
            ("0 0 127.0.0.1:4 127.0.0.1:5 ino:8 cubic bytes_sent:40 bytes_received:99 lastsnd:50 lastrcv:50", 1),
            ("0 0 127.0.0.1:4 127.0.0.1:5 ino:8 cubic bytes_sent:40 bytes_received:5000 lastsnd:2500 lastrcv:2504", 0),
            ("0 0 127.0.0.1:4 127.0.0.1:5 ino:8 cubic bytes_sent:40 lastsnd:12", 0),
        ):
            self.assertEqual(connections.count([self.busy, line]), starved, line)

    def test_sockets_are_told_by_their_inodes(self):
        with socket.socket() as s:
            self.assertIn(os.fstat(s.fileno()).st_ino, connections.sockets(os.getpid()))
        self.assertEqual(connections.number("ino", self.busy), 7)


class Where(unittest.TestCase):
    def test_shares(self):
        text = "# Overhead,Command\n    50.30%  ,gobridge       ,[kernel.kallsyms]  \n 20.12% ,gobridge,gobridge  \n 13.00%,gobridge-worker,python3.11\n" \
               " 8.00%,gobridge-worker,host-83c2.so\n 4.00%,python,_bjoern.cpython-311-x86_64-linux-gnu.so\n 0.25%,gobridge,[vdso]\n"
        got = {part: round(share, 4) for part, share in where.parse_shares(text).items()}
        self.assertEqual(got, {"front, kernel": 0.5055, "front, Go": 0.2012, "worker, Python": 0.13, "worker, C host": 0.08, "python, server": 0.04})

    def test_calls(self):
        head = "\n   syscall            calls  errors  total\n                                     (msec)\n   --------------- --------  ------\n"
        text = " Summary of events:\n\n gobridge (17465), 1614 events, 0.4%%\n%s   futex   731  0  988.110\n   sendto   25908      0    74.450\n" \
               "\n gobridge-worker (9), 2 events, 0.1%%\n%s   futex   2   0   1.0\n" % (head, head)
        self.assertEqual(where.parse_calls(text), {"front, kernel": 26639, "worker, kernel": 2})


class Percentile(unittest.TestCase):
    def test_is_a_value(self):
        self.assertEqual([percentile([4, 1, 3, 2], p) for p in (0, 25, 50, 51, 99, 100)], [1, 1, 2, 3, 4, 4])


class Goals(unittest.TestCase):
    def test_ratios_are_paired(self):
        rows = {"gobridge": [result(100), result(10), result(300)], "granian": [result(50), result(4), result(250)]}
        self.assertAlmostEqual(goals.ratio(rows, "gobridge", "granian"), 2)

    def test_least_and_most(self):
        rows = {"gobridge": [result(100, p99=20.0)], "granian": [result(50)], "bjoern": [result(80)], "C floor": [result(900)],
                "uwsgi": [result(500, p99=1.0, served=2)]}
        for goal, met in ((goals.times(2, "granian"), True), (goals.times(2.1, "granian"), False), (goals.times_the_best(1.25), True),
                          (goals.times_the_best(1.3), False), (goals.tail(20), True), (goals.tail(19), False), (goals.tail_no_worse(), False),
                          (goals.all_served(64), True), (goals.all_served(65), False), (goals.median_latency(1.1, "bjoern"), True)):
            self.assertEqual(goals.outcome(goal, rows)[1], met, goal.text)

    def test_who_was_not_measured_meets_nothing(self):
        self.assertEqual(goals.outcome(goals.times(1, "granian"), {"gobridge": [result(1)]}), (None, False))


class Report(unittest.TestCase):
    rows = {"gobridge": [result(200), result(210), result(190)], "granian": [result(100, errors={"read": 2})] * 3}

    def test_lines(self):
        ours, theirs = report.lines(cells.ALL["hello"], self.rows)
        self.assertEqual(ours[:3], ["gobridge", "200", ""])
        self.assertEqual(theirs[:3] + theirs[-1:], ["granian", "100", "2.00", "read 6"])

    def test_rows_of_two_loads_are_compared_each_with_its_own(self):
        rows = {"gobridge at 64": [result(200)], "gobridge at 512": [result(100)], "granian at 64": [result(100)], "granian at 512": [result(10)]}
        self.assertEqual([line[2] for line in report.lines(cells.ALL["c512"], rows)], ["", "", "2.00", "10.00"])

    def test_page(self):
        text = page.text(results(**self.rows), "benchmarks.svg")
        for part in ("at least 1.6 times the requests/s of granian | 2 | met", "| granian | 100 | 2.00 |", "medians of 3 rounds of 1 s",
                     "hello, 1 worker, uwsgi: does not serve\n", "- granian: `.tools/bench/bin/granian --interface wsgi"):
            self.assertIn(part, text)

    def test_plot_is_xml(self):
        drawn = plot.svg(page.measured(results(**self.rows), "load"))
        self.assertEqual(len(xml.dom.minidom.parseString(drawn).getElementsByTagName("rect")), 1 + len(self.rows))


class Paper(unittest.TestCase):
    def test_names_what_is_saturated_first(self):
        self.assertEqual(paper.line(16, 5.0, 2.0), ["16", "2", "400000", "7000000", "reactors", "11.4"])
        self.assertEqual(paper.line(64, 5.0, 500.0), ["64", "8", "1600000", "112000", "workers", "0.6"])

    def test_goes_between_the_marks(self):
        found = results()
        found["cells"] = {"scaling-applications": {"rows": {"hello": [result(9, front=5.0, worker=2.0)]}, "failed": {}}}
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "page.md")
            for _ in range(2):  # what stood there goes
                with open(path, "a" if os.path.exists(path) else "w") as f:
                    f.write("" if f.tell() else "before %s old %s after" % (paper.BEGIN, paper.END))
                paper.write(path, found)
            with open(path) as f:
                text = f.read()
        self.assertTrue(text.startswith("before " + paper.BEGIN) and text.endswith(paper.END + " after"), text)
        self.assertNotIn(" old ", text)
        self.assertEqual(text.count("| hello | 16 |") + text.count("|  | 16 |"), 1)


class Cells(unittest.TestCase):
    def test_answers_are_those_of_the_applications(self):
        for cell in LOADS:
            module, _, name = cell.application.partition(":")
            if module == "plain" and name != "waiting":
                for one in cell.loads:
                    self.assertEqual(answer(getattr(plain, name), one), ("200 OK", cell.body), cell.name)

    def test_servers_are_known_and_can_log_where_they_must(self):
        for cell in LOADS:
            for name in cell.named + cell.all:
                self.assertTrue(peers.ALL[name].logs or not cell.logged, (cell.name, name))

    def test_goals_name_servers_of_their_cell(self):
        for cell in LOADS:
            names = cell.named if len(cell.loads) == 1 else [name + " " + one.label for name in cell.named for one in cell.loads]
            rows = {name: [result(1)] for name in names}
            for goal in cell.goals:
                self.assertIsNotNone(goals.outcome(goal, rows)[0], (cell.name, goal.text))


class BehindNginx(unittest.TestCase):
    cells = [cell for cell in cells.ALL.values() if cell.part == NGINX]

    def test_servers_speak_uwsgi_on_the_socket_that_nginx_asks(self):
        self.assertEqual({cell.application for cell in self.cells}, {"plain:hello", "flasked:app", "djangoed.wsgi:application"})
        for cell in self.cells:
            for name in cell.named:
                job = cell.job(8080, name)
                self.assertIn(job.unix, " ".join(peers.ALL[name].line(job)))
                self.assertIn("uwsgi", " ".join(peers.ALL[name].line(job)))
                for part in ("listen 127.0.0.1:8080 ", "uwsgi_pass unix:%s;" % job.unix):
                    self.assertIn(part, behind.configuration(job))

    def test_page(self):
        rows = {name: [result(100)] for name in ("gobridge", "uwsgi", "gunicorn")}
        found = dict(results(), page="nginx", cells={cell.name: {"rows": rows, "failed": {}} for cell in self.cells})
        text = page.text(found, "benchmarks-nginx.svg")
        for part in ("# Benchmarks behind nginx", "`make bench-nginx`", "| **Flask behind nginx** | gobridge | 100 |", "--bind uwsgi:unix:app.sock"):
            self.assertIn(part, text)


class Proc(unittest.TestCase):
    def test_tells_of_ourselves(self):
        self.assertIn(os.getpid(), processes.tree(os.getpid()))
        self.assertGreater(processes.pss_bytes(os.getpid()), 1 << 20)
        self.assertGreater(processes.sleeps(os.getpid()), 0)
        self.assertGreaterEqual(processes.cpu_seconds(os.getpid()), 0)


class Ends(unittest.TestCase):
    def test_with_what_its_leader_has_left(self):
        os.makedirs(server.BUILD, exist_ok=True)
        with server.Server("leaves", ["sh", "-c", "sleep 600 & exec sleep 600"], 0) as s:  # the first one ignores SIGINT
            while len(processes.group(s.pid)) < 2:
                time.sleep(0.01)
        self.assertEqual(processes.group(s.pid), [])


def answer(app, one):
    """What the application says to the load's request."""
    environ = {"REQUEST_METHOD": one.method, "PATH_INFO": one.path, "CONTENT_LENGTH": str(len(one.body)), "wsgi.input": Body(one.body)}
    environ.update(("HTTP_" + name.upper().replace("-", "_"), value) for name, value in one.headers)
    said = []
    body = b"".join(app(environ, lambda status, headers: said.append(status)))
    return said[0], body


class Body:
    def __init__(self, data):
        self.data = data

    def read(self, n):
        return self.data[:n]


if __name__ == "__main__":
    unittest.main()
