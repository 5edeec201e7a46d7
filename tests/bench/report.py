"""Turns the rounds of a cell into lines of a table, for a terminal and for a page."""

import statistics

import goals

OURS = goals.OURS


def median(key, form):
    return lambda rows, row: form % statistics.median(r[key] for r in rows[row])


def against(key):
    """How many times this row's number gobridge has; nothing in rows of its own."""

    def cell(rows, row):
        ours = next((r for r in (row.replace(row.split(" ")[0], OURS, 1), OURS) if r in rows), None)
        return "" if ours is None or row.startswith(OURS) else "%.2f" % goals.ratio(rows, ours, row, key)

    return cell


def served(rows, row):
    """The least of the rounds. On a machine that is too busy, the look at a round's connections comes too late."""
    return str(min((r["served"] for r in rows[row] if "served" in r), default="?"))


def errors(rows, row):
    """The sum of all rounds, by kind."""
    total = {}
    for result in rows[row]:
        for kind, n in result["errors"].items():
            total[kind] = total.get(kind, 0) + n
    return ", ".join("%s %d" % item for item in total.items()) or "0"


COLUMNS = {
    "load": (
        ("requests/s", median("rate", "%.0f")),
        ("gobridge is", against("rate")),
        ("p50 ms", median("p50", "%.3g")),
        ("p99 ms", median("p99", "%.3g")),
        ("CPU µs/request", median("cpu", "%.1f")),
        ("PSS MiB", median("pss", "%.0f")),
        ("served", served),
        ("errors", errors),
    ),
    "timer": (
        ("p50 ms late", median("p50", "%.3f")),
        ("p99 ms late", median("p99", "%.3f")),
        ("longest ms", median("longest", "%.2f")),
        ("% of a CPU", median("busy", "%.0f")),
        ("requests/s", median("rate", "%.0f")),
    ),
    "websocket": (
        ("messages/s", median("rate", "%.0f")),
        ("gobridge is", against("rate")),
        ("p50 ms", median("p50", "%.3g")),
        ("p99 ms", median("p99", "%.3g")),
        ("CPU µs/message", median("cpu", "%.1f")),
        ("PSS MiB", median("pss", "%.0f")),
        ("served", served),
        ("errors", errors),
    ),
    "open": (
        ("MB for 10,000", median("grown", "%.0f")),
        ("KiB each", median("each", "%.1f")),
        ("PSS MiB", median("pss", "%.0f")),
        ("CPU s", median("seconds", "%.1f")),
    ),
    "start": (("first answer ms", median("start", "%.0f")),),
    "idle": (
        ("wake-ups/s", median("wakes", "%.1f")),
        ("% of a CPU", median("load", "%.2f")),
        ("PSS MiB", median("pss", "%.0f")),
    ),
    "scaling": (
        ("requests/s", median("rate", "%.0f")),
        ("front µs/request", median("front", "%.2f")),
        ("workers µs/request", median("worker", "%.2f")),
        ("p50 ms", median("p50", "%.3g")),
        ("p99 ms", median("p99", "%.3g")),
        ("PSS MiB", median("pss", "%.0f")),
        ("served", served),
        ("errors", errors),
    ),
    "where": (
        ("CPU µs/request", median("cpu", "%.2f")),
        ("system calls/request", median("calls", "%.3f")),
    ),
}


def lines(cell, rows):
    """A list of texts for each row."""
    return [[row] + [tell(rows, row) for _, tell in COLUMNS[cell.kind]] for row in rows]


def text(cell, rows, failed):
    head = ["%s: %s" % (cell.name, cell.title), "%-32s" % "" + "".join("%15s" % title for title, _ in COLUMNS[cell.kind])]
    body = ["%-32s" % row + "".join("%15s" % value for value in values) for row, *values in lines(cell, rows)]
    return "\n".join(head + body + ["  %s: %s" % item for item in failed.items()] + ["  " + v for v in verdicts(cell, rows)]) + "\n"


def verdicts(cell, rows):
    return ["%s %s: %s" % (mark, goal.text, value) for goal, value, mark in judged(cell, rows)]


def judged(cell, rows):
    """Each goal with its value and a mark. A goal whose servers were left out is not judged."""
    found = []
    for goal in cell.goals:
        value, met = goals.outcome(goal, rows)
        if value is not None:
            found.append((goal, "%.3g" % value, "met" if met else "NOT MET"))
    return found
