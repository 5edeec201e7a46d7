"""The cells: which jobs are measured."""

import asgi_cells
import goals
import peers
import startup
from behind import BehindCell
from cell import EVERYBODY, LOGGING, MATRIX, NGINX, SCALING, Cell
from idle import IdleCell
from load import Load
from logpipe import PipeCell
from quota import QuotaCell
from scaling import Point, ScalingCell
from startup import StartCell
from timer import TimerCell
from where import WhereCell

# What a browser sends, with two cookies.
BROWSER = (
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("Accept-Language", "en-US,en;q=0.5"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Referer", "https://www.example.org/shop/search?q=bridge"),
    ("Cookie", "sessionid=3v1q8m0c5w2y7r4t6u9i; csrftoken=Zk3JtP0sQwXn8LdYb5VhRf2GmTc7Ae1U"),
    ("Connection", "keep-alive"),
    ("Upgrade-Insecure-Requests", "1"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-User", "?1"),
    ("Priority", "u=0, i"),
    ("DNT", "1"),
)
POST = Load(method="POST", headers=(("Content-Type", "application/octet-stream"),), body=b"x" * 1024)
TEN_KB = b"0123456789abcde\n" * 640
HUNDRED_KB = TEN_KB * 10
OURS = ("gobridge",)
BEHIND = ("gobridge", "uwsgi", "gunicorn")  # who speaks uwsgi
NOTE = Load(path="/note/Welcome/")
NOTE_TEXT = b"Log in as demo, password demo."

TABLE = (
    Cell("hello", "hello, 1 worker", ("gobridge", "granian", "bjoern", "fastpysgi", "C floor"),
         (goals.times(1.6, "granian"), goals.times(1, "bjoern"), goals.times(1, "fastpysgi")),
         all=EVERYBODY + ("C floor",), workers=1),
    Cell("headers", "hello with 14 browser headers and two cookies", ("gobridge", "granian"), goals.each_times(1.4, "granian"),
         application="plain:headed", loads=(Load(headers=BROWSER),)),
    Cell("10k", "10 KB body", ("gobridge", "granian"), goals.each_times(1.4, "granian"),
         application="plain:ten_kb", body=TEN_KB),
    Cell("post", "POST of 1 KB", ("gobridge", "granian"), goals.each_times(1.4, "granian"),
         application="plain:posted", loads=(POST,)),
    Cell("generator", "100 KB from a generator in pieces of 4 KB", ("gobridge", "granian"), goals.each_times(1.4, "granian"),
         application="plain:generated", body=HUNDRED_KB),
    Cell("flask", "Flask", ("gobridge", "granian", "uwsgi"),
         (goals.times(1.4, "granian"), goals.times(1.7, "uwsgi"), goals.tail(10), goals.all_served(64)),
         application="flasked:app"),
    Cell("django", "Django with one query", ("gobridge", "granian", "uwsgi"),
         (goals.times(1.1, "granian"), goals.times(1.2, "uwsgi"), goals.tail(10), goals.all_served(64)),
         application="djangoed.wsgi:application", body=NOTE_TEXT, loads=(NOTE,)),

    Cell("hello-log", "hello, 1 worker, access log", ("gobridge", "granian"), (goals.logged_times(1.6, "granian"),),
         all=LOGGING, workers=1, logged=True),
    Cell("headers-log", "14 browser headers and two cookies, access log", ("gobridge", "granian"), (goals.logged_times(1.4, "granian"),),
         all=LOGGING, application="plain:headed", loads=(Load(headers=BROWSER),), logged=True),
    Cell("10k-log", "10 KB body, access log", ("gobridge", "granian"), (goals.logged_times(1.4, "granian"),),
         all=LOGGING, application="plain:ten_kb", body=TEN_KB, logged=True),
    Cell("post-log", "POST of 1 KB, access log", ("gobridge", "granian"), (goals.logged_times(1.4, "granian"),),
         all=LOGGING, application="plain:posted", loads=(POST,), logged=True),
    Cell("generator-log", "100 KB from a generator, access log", ("gobridge", "granian"), (goals.logged_times(1.4, "granian"),),
         all=LOGGING, application="plain:generated", body=HUNDRED_KB, logged=True),
    Cell("flask-log", "Flask, access log", ("gobridge", "granian", "uwsgi"),
         (goals.logged_times(1.4, "granian"), goals.logged_times(1.7, "uwsgi")),
         all=LOGGING, application="flasked:app", logged=True),
    Cell("django-log", "Django with one query, access log", ("gobridge", "granian", "uwsgi"),
         (goals.logged_times(1.1, "granian"), goals.logged_times(1.2, "uwsgi")),
         all=LOGGING, application="djangoed.wsgi:application", body=NOTE_TEXT, loads=(NOTE,), logged=True),

    Cell("one", "hello, 1 connection", ("gobridge", "bjoern"), (goals.median_latency(1.1, "bjoern"),),
         all=EVERYBODY + ("C floor",), loads=(Load(connections=1),)),
    Cell("c512", "hello, 512 connections, after 64", ("gobridge", "granian"),
         (goals.row_times(0.9, "gobridge at 512", "gobridge at 64"),),
         loads=(Load(label="at 64"), Load(connections=512, label="at 512"))),
    Cell("mix4", "4 workers of one thread: 62 connections on hello, while 2 sleep 200 ms in each request",
         ("gobridge", "granian", "granian-threads", "uwsgi-close", "gunicorn", "gunicorn 4"), (goals.times_the_best(2), goals.tail_no_worse()),
         all=EVERYBODY + ("granian-threads",), application="plain:mixed", workers=4, loads=(Load(connections=62),), beside=Load(connections=2, path="/sleep")),
    Cell("threads8", "2 workers of 8 threads, views that wait 10 ms", ("gobridge", "granian", "uwsgi", "gunicorn", "waitress"),
         (goals.times_the_best(1), goals.all_served(64)), application="plain:waiting", threads=8),
    Cell("threads8-16", "the same, with no more connections than threads (16)", ("gobridge", "granian", "uwsgi"),
         (goals.times_the_best(1), goals.tail(1.5), goals.all_served(16)), application="plain:waiting", threads=8, loads=(Load(connections=16),)),

    QuotaCell("quota", "hello, 1 worker, half a CPU for the whole server", ("gobridge", "granian", "bjoern"), workers=1,
              all=EVERYBODY + ("C floor",)),
    QuotaCell("quota-one", "1 connection, half a CPU for the whole server", ("gobridge", "granian", "bjoern"), workers=1,
              all=EVERYBODY + ("C floor",), loads=(Load(connections=1),), part=MATRIX),
    PipeCell("full-pipe", "hello, its access log in a pipe that nobody reads", ("gobridge",),
             (goals.row_times(0.95, "gobridge with a full pipe", "gobridge with a log file"),), all=("gobridge",)),
    TimerCell("timer", "a timer of 10 ms in the front, 64 connections on hello", ("gobridge",),
              (goals.difference_at_most(2, "gobridge front, with load", "gobridge: an idle process beside it", "p99",
                                        "p99 lateness at most 2 ms above that of an idle process"),), all=("gobridge",)),
    StartCell("start", "start to the first answer, hello", ("gobridge", "granian", "uwsgi"),
              (goals.at_most(150, "gobridge", "start", "first answer within 150 ms"),)),
    StartCell("start-django", "start to the first answer, the Django example", ("gobridge", "granian", "uwsgi", startup.SETUP),
              (goals.ratio_at_most(1.5, "gobridge", startup.SETUP, "start",
                                   "first answer within 1.5 times what python -c 'import django; django.setup()' takes"),), **startup.DJANGO),
    IdleCell("idle", "hello, idle", ("gobridge", "granian"), (goals.at_most(10, "gobridge", "wakes", "at most 10 wake-ups a second"),),
             most=3),
    WhereCell("where", "hello, 1 worker: where the time goes", ("gobridge", "bjoern", "C floor"), workers=1, most=3,
              all=("gobridge", "granian", "bjoern", "fastpysgi", "C floor")),

    Cell("settings", "hello, 2 workers: other settings of the same servers", tuple(name for name, peer in peers.ALL.items() if peer.command), part=MATRIX),
    Cell("hello-2", "hello, 2 workers", ("gobridge", "granian", "bjoern"), part=MATRIX),
    Cell("hello-4", "hello, 4 workers", ("gobridge", "granian", "bjoern"), workers=4, part=MATRIX),
    Cell("flask-1", "Flask, 1 worker", ("gobridge", "granian", "uwsgi"), application="flasked:app", workers=1, part=MATRIX),
    Cell("django-1", "Django with one query, 1 worker", ("gobridge", "granian", "uwsgi"), application="djangoed.wsgi:application",
         body=NOTE_TEXT, loads=(NOTE,), workers=1, part=MATRIX),
    Cell("django-512", "Django with one query, 512 connections", ("gobridge", "granian", "uwsgi"),
         application="djangoed.wsgi:application", body=NOTE_TEXT, loads=(Load(path=NOTE.path, connections=512),), part=MATRIX),

    BehindCell("nginx-hello", "hello behind nginx", BEHIND, (goals.times_the_best(1), goals.cpu_of_the_best(1)), all=BEHIND, part=NGINX),
    BehindCell("nginx-flask", "Flask behind nginx", BEHIND, (goals.times_the_best(1.15), goals.cpu_of_the_best(1)), all=BEHIND,
               application="flasked:app", part=NGINX),
    BehindCell("nginx-django", "Django with one query, behind nginx", BEHIND, (goals.times_the_best(1.15), goals.cpu_of_the_best(1)), all=BEHIND,
               application="djangoed.wsgi:application", body=NOTE_TEXT, loads=(NOTE,), part=NGINX),

    ScalingCell("scaling-reactors", "reactors, with 2 workers", OURS, all=OURS, part=SCALING, points=tuple(
        Point("%d reactor%s, %d connections" % (n, "s"[n == 1:], c), reactors=n, connections=c) for c in (64, 512) for n in (1, 2, 3))),
    ScalingCell("scaling-workers", "workers, with 1 reactor and 64 connections", OURS, all=OURS, part=SCALING,
                points=tuple(Point("%d worker%s" % (n, "s"[n == 1:]), workers=n) for n in (1, 2, 3, 4, 6, 8))),
    ScalingCell("scaling-connections", "connections, with 1 reactor and 2 workers", OURS, all=OURS, part=SCALING,
                points=tuple(Point("%d connection%s" % (n, "s"[n == 1:]), connections=n) for n in (1, 4, 16, 64, 256, 1000, 4000))),
    ScalingCell("scaling-applications", "applications, with 1 reactor, 2 workers and 64 connections", OURS, all=OURS, part=SCALING, points=(
        Point("hello"), Point("Flask", application="flasked:app"),
        Point("Django with one query", application="djangoed.wsgi:application", path=NOTE.path, body=NOTE_TEXT))),
)

ALL = {cell.name: cell for cell in TABLE + asgi_cells.TABLE}
