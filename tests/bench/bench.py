"""Measures gobridge beside other servers. See docs/benchmarks.md for what it found."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time

import asgi_cells
import cells
import machine
import page
import paper
import peers
import report
from cell import ASGI, BENCH, MATRIX, NGINX, SCALING
from paths import APPS, BUILD, FILES, PYTHON
from server import Failure, environment


# The pages that have cells of their own, and their parts.
PARTS = {"asgi": (ASGI,), "nginx": (NGINX,)}


def arguments():
    parser = argparse.ArgumentParser(prog="tests/bench/run", description=__doc__)
    parser.add_argument("cells", nargs="*", metavar="CELL", help="these cells; default: those of make bench")
    parser.add_argument("--asgi", dest="page", action="store_const", const="asgi", default="wsgi", help="the cells of ASGI")
    parser.add_argument("--nginx", dest="page", action="store_const", const="nginx", help="the cells behind nginx")
    parser.add_argument("--all", action="store_true", help="every cell, with every server that can do it")
    parser.add_argument("--list", action="store_true", help="list the cells and stop")
    parser.add_argument("--servers", nargs="+", metavar="NAME", choices=list(peers.ALL), help="these servers: %(choices)s")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, default 5")
    parser.add_argument("--seconds", type=int, default=2, help="seconds that a server is measured in a round, default 2")
    parser.add_argument("--scaling", metavar="FILE", help="the cells that show how the front's cost grows, into that page")
    parser.add_argument("--write", metavar="FILE", help="write a page there, and a plot beside it")
    parser.add_argument("--rewrite", metavar="FILE", help="measure nothing: write the page of the last run's results")
    options = parser.parse_args()
    unknown = [name for name in options.cells if name not in cells.ALL]
    if unknown:
        parser.error("no cell %s; there are: %s" % (", ".join(unknown), " ".join(cells.ALL)))
    return options


def chosen(options):
    """The cells, each with its servers."""
    if options.cells:
        found = [cells.ALL[name] for name in options.cells]
    else:
        parts = PARTS.get(options.page) or ((SCALING,) if options.scaling else (BENCH, MATRIX) if options.all else (BENCH,))
        found = [cell for cell in cells.ALL.values() if cell.part in parts]
    return [(cell, servers(cell, options)) for cell in found]


def servers(cell, options):
    if options.servers:
        return [name for name in options.servers if name in cell.all or name in cell.named]
    return list(dict.fromkeys(cell.all + cell.named if options.all else cell.named))


def prepare(asgi):
    """Makes the files that are sent, or the Django application's database."""
    if asgi:
        make_files()
        return
    os.makedirs(os.path.join(BUILD, "django"), exist_ok=True)
    subprocess.run([PYTHON, "-m", "djangoed.wsgi"], cwd=APPS, env=environment(), check=True)


def make_files():
    os.makedirs(FILES, exist_ok=True)
    for name, size in asgi_cells.SIZES.items():
        with open(os.path.join(FILES, name), "wb") as f:
            f.write(asgi_cells.content(size))


def measure(cell, names, options):
    """Every server in every round, each time another one first, so that a drift of the machine's own speed
    reaches all of them alike. Returns {row: results of its rounds}, {server: why it has none}."""
    rows, failed, owner = {}, {}, {}
    for i in range(min(options.rounds, cell.most)):
        for name in names[i % len(names):] + names[:i % len(names)]:
            if name in failed:
                continue
            try:
                for row, result in cell.measure(name, options.seconds):
                    rows.setdefault(row, []).append(result)
                    owner[row] = name
            except Failure as e:
                failed[name] = str(e)
    # As the cell names its servers: the rounds took turns.
    return dict(sorted(rows.items(), key=lambda item: names.index(owner[item[0]]))), failed


def kept(results):
    """The file in which they are."""
    return os.path.join(BUILD, "results-%s.json" % results["page"])


def save(results):
    path = kept(results)
    with open(path + ".new", "w") as f:
        json.dump(results, f, indent=1)
    os.replace(path + ".new", path)


def run(options):
    begin = time.monotonic()
    load = os.getloadavg()[0]
    if load > 0.5:
        print("the machine is busy (load %.1f): the figures will be of little use" % load, file=sys.stderr)
    pages = {next((page for page, parts in PARTS.items() if cell.part in parts), "wsgi") for cell, _ in chosen(options)}
    for asgi in {page == "asgi" for page in pages}:
        prepare(asgi)
    results = {"rounds": options.rounds, "seconds": options.seconds, "page": pages.pop() if len(pages) == 1 else "wsgi", "cells": {}}
    used = dict.fromkeys(name for _, names in chosen(options) for name in names)
    results.update(machine.surroundings(list(dict.fromkeys(p for name in used if name in peers.ALL for p in peers.ALL[name].packages)), results["page"] == "nginx"))
    for cell, names in chosen(options):
        rows, failed = measure(cell, names, options)
        results["cells"][cell.name] = {"rows": rows, "failed": failed}
        save(results)
        print(report.text(cell, rows, failed), flush=True)
    print("took %d s; the figures are in %s" % (time.monotonic() - begin, kept(results)))
    return results


def main():
    options = arguments()
    if options.list:
        print("\n".join("%-20s %s%s" % (cell.name, cell.title, "" if cell.part == BENCH else " (%s)" % cell.part) for cell in cells.ALL.values()))
        return
    # So that the servers end with us, whoever ends us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    os.makedirs(BUILD, exist_ok=True)
    if options.rewrite:
        with open(kept({"page": options.page})) as f:
            page.write(options.rewrite, json.load(f))
        return
    results = run(options)
    if options.scaling:
        paper.write(options.scaling, results)
    if options.write:
        page.write(options.write, results)


main()
