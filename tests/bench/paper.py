"""The part of docs/scaling.md that the figures make: tables, and what follows from them for more processors."""

import statistics

import page
import report

BEGIN, END = "<!-- figures: written by tests/bench/run --scaling -->", "<!-- end of the figures -->"
CPUS = (2, 4, 8, 16, 32, 64)
CPUS_PER_REACTOR = 8  # what --reactors auto does


def write(path, results):
    """Puts the figures between the two marks of the page."""
    with open(path) as f:
        text = f.read()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    with open(path, "w") as f:
        f.write(before + BEGIN + "\n\n" + figures(results) + "\n" + END + after)


def figures(results):
    parts = ["%s; %s; medians of %d rounds of %d s. %s." % (results["machine"], results["date"], results["rounds"], results["seconds"],
                                                         ", ".join(results["versions"]))]
    for cell, rows in page.measured(results, "scaling"):
        parts.append("**%s**\n\n" % cell.title + page.table(["<"] + [title for title, _ in report.COLUMNS["scaling"]], report.lines(cell, rows)))
    applications = results["cells"].get("scaling-applications")
    if applications:
        parts.append("**On paper: what more processors would see**\n\n" + paper(applications["rows"]))
    return "\n\n".join(parts)


def paper(rows):
    """For each application a line for each number of CPUs."""
    lines = []
    for row, results in rows.items():
        front, worker = (statistics.median(r[key] for r in results) for key in ("front", "worker"))
        lines += [[row if i == 0 else ""] + line(cpus, front, worker) for i, cpus in enumerate(CPUS)]
    return page.table(["<application", "CPUs", "reactors (auto)", "they can take, requests/s", "workers can take", "<first saturated",
                       "reactors for which both are"], lines)


def line(cpus, front, worker):
    """front, worker: microseconds of each for a request. A reactor has one CPU, and the workers have the others."""
    reactors = max(1, cpus // CPUS_PER_REACTOR)
    fronts, workers = reactors * 1e6 / front, (cpus - reactors) * 1e6 / worker
    balanced = cpus * front / (front + worker)
    return [str(cpus), str(reactors), "%.0f" % fronts, "%.0f" % workers, "reactors" if fronts < workers else "workers", "%.1f" % balanced]
