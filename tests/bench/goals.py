"""What gobridge is to reach in a cell, as a number that the rounds yield and one that is wanted."""

import dataclasses
import statistics
from typing import Callable

OURS = "gobridge"


@dataclasses.dataclass(frozen=True)
class Goal:
    text: str
    value: Callable[[dict], float]  # of {row: results of its rounds}; KeyError when a server is missing
    wanted: float
    most: bool = False  # wanted is the most that is allowed, not the least

    def met(self, value):
        return value <= self.wanted if self.most else value >= self.wanted


def ratio(rows, row, other, key="rate"):
    """The median over the rounds of how many times the other's number a row has. Rounds are paired."""
    return statistics.median(a[key] / b[key] for a, b in zip(rows[row], rows[other]) if b[key])


def median(rows, row, key):
    found = [r[key] for r in rows[row] if key in r]
    if not found:
        raise KeyError(key)
    return statistics.median(found)


def times(wanted, other):
    """Requests a second, against another server's."""
    return Goal("at least %.3g times the requests/s of %s" % (wanted, other), lambda rows: ratio(rows, OURS, other), wanted)


def each_times(wanted, *others):
    return tuple(times(wanted, other) for other in others)


def logged_times(wanted, other):
    """The same with access logs, where a twentieth less is allowed."""
    return times(wanted * 0.95, other)


def times_the_best(wanted, key="rate"):
    """Requests a second, against whoever of the peers has most."""
    return Goal("at least %.3g times the requests/s of the best peer that serves every connection" % wanted,
                lambda rows: min(ratio(rows, OURS, other, key) for other in rivals(rows)), wanted)


def tail_no_worse():
    return Goal("p99 at most that of the best peer that serves every connection", lambda rows: max(ratio(rows, OURS, other, "p99") for other in rivals(rows)),
                1, most=True)


def fastest(rows):
    return max(rivals(rows), key=lambda row: median(rows, row, "rate"))


def cpu_of_the_best(wanted):
    return Goal("at most %.3g of the CPU per request of the fastest peer" % wanted, lambda rows: ratio(rows, OURS, fastest(rows), "cpu"),
                wanted, most=True)


def cpu(wanted, other):
    return Goal("at most %.3g of the CPU per request of %s" % (wanted, other), lambda rows: ratio(rows, OURS, other, "cpu"), wanted, most=True)


def least(key, text):
    """Less than every other row has."""
    return Goal(text, lambda rows: max(ratio(rows, OURS, row, key) for row in others(rows)), 1, most=True)


def others(rows):
    found = [row for row in rows if row != OURS]
    if not found:
        raise KeyError("a peer")
    return found


def rivals(rows):
    """The peers that have served as many connections as we have: leaving some out makes the others fast."""
    most = median(rows, OURS, "served")
    found = [row for row in rows if row not in (OURS, "C floor") and median(rows, row, "served") >= 0.95 * most]
    if not found:
        raise KeyError("a peer")
    return found


def tail(wanted):
    return Goal("p99 at most %.3g times p50" % wanted, lambda rows: median(rows, OURS, "p99") / median(rows, OURS, "p50"), wanted, most=True)


def all_served(connections):
    return Goal("every one of %d connections served" % connections, lambda rows: min(r.get("served", 0) for r in rows[OURS]), connections)


def median_latency(wanted, other):
    return Goal("p50 at most %.3g times that of %s" % (wanted, other), lambda rows: ratio(rows, OURS, other, "p50"), wanted, most=True)


def row_times(wanted, row, other):
    return Goal("%s: at least %.3g times the requests/s of %s" % (row, wanted, other), lambda rows: ratio(rows, row, other), wanted)


def at_most(wanted, row, key, text):
    return Goal(text, lambda rows: median(rows, row, key), wanted, most=True)


def ratio_at_most(wanted, row, other, key, text):
    return Goal(text, lambda rows: ratio(rows, row, other, key), wanted, most=True)


def difference_at_most(wanted, row, other, key, text):
    def value(rows):
        return statistics.median(a[key] - b[key] for a, b in zip(rows[row], rows[other]))

    return Goal(text, value, wanted, most=True)


def outcome(goal, rows):
    """(value or None if its servers were not measured, met)."""
    try:
        value = goal.value(rows)
    except KeyError:
        return None, False
    return value, goal.met(value)
