"""A plot of requests a second: for each cell a bar for each server, as an SVG without any library."""

import statistics
from xml.sax.saxutils import escape

WIDTH, LABEL, VALUE = 860, 170, 160  # pixels: all, left of the bars, right of them
BAR, GAP, TITLE = 14, 3, 26  # heights
COLORS = {"gobridge": "#0b6e4f", "granian": "#b5651d", "granian-threads": "#d9a066", "uwsgi": "#4a6fa5", "uwsgi-close": "#8fa9cf",
          "uwsgi-router": "#bccbe3", "gunicorn": "#7d8c3f", "waitress": "#8d6a9f", "bjoern": "#a23b3b", "fastpysgi": "#d07f7f",
          "uvicorn": "#4a6fa5", "hypercorn": "#8d6a9f",
          "C floor": "#999999"}


def svg(measured):
    """measured: (cell, its rows) pairs. A cell's longest bar has the whole width."""
    parts, y = [], 10
    for cell, rows in measured:
        parts.append(text(10, y + 14, cell.title, "font-weight='bold'"))
        y += TITLE
        rates = {row: statistics.median(r["rate"] for r in results) for row, results in rows.items()}
        for row, rate in rates.items():
            parts.append(bar(y, row, rate, max(rates.values()), rates))
            y += BAR + GAP
        y += 8
    head = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' font-family='sans-serif' font-size='11'>" % (WIDTH, y)
    return "\n".join([head, "<rect width='100%' height='100%' fill='white'/>"] + parts + ["</svg>"]) + "\n"


def bar(y, row, rate, longest, rates):
    width = (WIDTH - LABEL - VALUE) * rate / (longest or 1)
    color = next((c for name, c in sorted(COLORS.items(), key=lambda item: -len(item[0])) if row.startswith(name)), "#666666")
    told = "{:,.0f}/s".format(rate)
    if rates.get("gobridge") and row != "gobridge":
        told += "  (gobridge: %.2f)" % (rates["gobridge"] / rate)
    return "\n".join([
        text(LABEL - 6, y + 11, row, "text-anchor='end'"),
        "<rect x='%d' y='%d' width='%.1f' height='%d' fill='%s'/>" % (LABEL, y, width, BAR, color),
        text(LABEL + width + 5, y + 11, told),
    ])


def text(x, y, what, more=""):
    return "<text x='%.1f' y='%d' %s>%s</text>" % (x, y, more, escape(what))
