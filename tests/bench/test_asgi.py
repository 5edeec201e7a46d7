"""That the benchmarks of ASGI have applications that answer rightly, and goals that judge. Measures nothing."""

import asyncio
import os
import sys
import tempfile
import unittest
from pathlib import Path

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "apps")]

import asgi_cells  # noqa: E402
import goals  # noqa: E402
import page  # noqa: E402
import peers  # noqa: E402
import plain_asgi  # noqa: E402
import report  # noqa: E402


def row(rate, **more):
    """A round's result of any kind of cell."""
    return dict({"requests": 9, "rate": rate, "p50": 1.0, "p99": 5.0, "cpu": 8.0, "pss": 20.0, "served": 64, "errors": {}, "busy": 50.0,
                 "longest": 9.0, "grown": 100.0, "each": 10.0, "seconds": 1.0}, **more)


def run(application, scope, *received):
    """What an application sends that receives these messages, and then a disconnection for ever."""
    sent, left = [], list(received)

    async def receive():
        return left.pop(0) if left else {"type": scope["type"] + ".disconnect"}

    async def send(message):
        sent.append(message)

    asyncio.run(application(scope, receive, send))
    return sent


class Applications(unittest.TestCase):
    def test_hello_and_echo(self):
        http = {"type": "http", "path": "/"}
        self.assertEqual([m["type"] for m in run(plain_asgi.hello, http)], ["http.response.start", "http.response.body"])
        parts = [{"type": "http.request", "body": part, "more_body": more} for part, more in ((b"a" * 9000, True), (b"b", False))]
        head, body = run(plain_asgi.echo, http, *parts)
        self.assertEqual((dict(head["headers"])[b"content-length"], body["body"]), (b"9001", b"a" * 9000 + b"b"))

    def test_files_are_sent_by_path_or_not_at_all(self):
        kept, plain_asgi.FILES = plain_asgi.FILES, Path(tempfile.mkdtemp())
        try:
            (plain_asgi.FILES / "50k").write_bytes(b"0123")
            head, body = run(plain_asgi.files, {"type": "http", "path": "/50k", "extensions": {"http.response.pathsend": {}}})
            self.assertEqual((head["status"], body["type"], body["path"]), (200, "http.response.pathsend", str(plain_asgi.FILES / "50k")))
            self.assertEqual(run(plain_asgi.files, {"type": "http", "path": "/50k"})[0]["status"], 501)
        finally:
            plain_asgi.FILES = kept

    def test_sockets(self):
        said = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "one"}, {"type": "websocket.receive", "bytes": b"two", "text": None}]
        for application in (plain_asgi.ws_echo, plain_asgi.ws_broadcast):
            self.assertEqual(run(application, {"type": "websocket"}, *said),
                             [{"type": "websocket.accept"}, {"type": "websocket.send", "text": "one"}, {"type": "websocket.send", "bytes": b"two"}])
        self.assertFalse(plain_asgi.ROOM)

    def test_time_is_kept(self):
        with tempfile.NamedTemporaryFile("r") as file:
            os.environ["BENCH_LATENESS"] = file.name

            async def while_it_runs():
                await asyncio.wait([asyncio.ensure_future(plain_asgi.keep_time())], timeout=0.1)

            asyncio.run(while_it_runs())
            self.assertGreaterEqual(int(file.readline()), 0)


class Cells(unittest.TestCase):
    def test_servers_are_known_and_speak_asgi(self):
        for cell in asgi_cells.TABLE:
            for name in cell.named + cell.all:
                self.assertIsNotNone(peers.ALL[name].asgi, (cell.name, name))
                if hasattr(cell, "job"):
                    line = peers.ALL[name].line(cell.job(8000))
                    self.assertIn("plain_asgi" if "fastapi" not in cell.name else "fastapied:app", " ".join(line))
                if getattr(cell, "logged", False):
                    self.assertTrue(peers.ALL[name].logs, (cell.name, name))

    def test_goals_are_judged(self):
        for cell in asgi_cells.TABLE:
            rows = {name: [row(300 if name == "gobridge" else 100, cpu=2.0 if name == "gobridge" else 8.0)] for name in cell.named}
            if len(getattr(cell, "loads", ())) > 1:
                rows = {name + " " + one.label: [row(1)] for name in cell.named for one in cell.loads}
            self.assertEqual({mark for _, _, mark in report.judged(cell, rows)}, {"met"}, cell.name)
            self.assertEqual(len(report.judged(cell, rows)), len(cell.goals), cell.name)
            self.assertEqual(len(report.lines(cell, rows)), len(rows))

    def test_the_fastest_counts(self):
        rows = {"gobridge": [row(300, cpu=6.0, grown=99.0)], "granian": [row(150, cpu=10.0)], "uvicorn": [row(100, cpu=5.0, grown=98.0)],
                "hypercorn": [row(900, served=3)]}
        for goal, met in ((goals.cpu_of_the_best(0.6), True), (goals.cpu_of_the_best(0.59), False), (goals.cpu(1.2, "uvicorn"), True),
                          (goals.least("grown", ""), False)):
            self.assertEqual(goals.outcome(goal, rows)[1], met, goal.text)


class Page(unittest.TestCase):
    def test_has_its_own_words(self):
        found = {"machine": "2 CPUs", "date": "1 January 2026", "load": 0.1, "versions": ["gobridge 0"], "rounds": 3, "seconds": 1, "page": "asgi",
                 "cells": {cell.name: {"rows": {name: [row(100)] for name in cell.named}, "failed": {}} for cell in asgi_cells.TABLE}}
        text = page.text(found, "benchmarks-asgi.svg")
        for part in ("# Benchmarks of ASGI", "`make bench-asgi`", "with 1 worker and 64 connections", "| **WebSocket echo", "| **9,900 idle",
                     "- uvicorn: `.tools/bench/bin/uvicorn --port 8000 --workers 1"):
            self.assertIn(part, text)


if __name__ == "__main__":
    unittest.main()
