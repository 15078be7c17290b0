#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""draw_latency.py TABLE SVG: the latency table as a drawing, a panel a situation.

Nothing but the table goes in and every number is rounded in text, so the same
table gives the same bytes everywhere: run_test_tables compares them."""
import math
import sys
from xml.sax.saxutils import escape

PANELS = ["plain-90", "told-90", "untold-75", "slow", "hole", "zone", "join", "hot", "apart-90"]
SIZE = "1000"
COLUMNS, ROW, NAMES, PLOT, ERRORS, GAP, TOP = 3, 15, 160, 190, 52, 16, 52
LOW, HIGH = 20.0, 2000.0  # ms
TICKS = [20, 50, 100, 200, 500, 1000, 2000]
INK, PALE, GRID, BAD = "#222", "#777", "#e4e4e4", "#b3261e"
# By what an algorithm goes; checked in this order.
KINDS = [
    ("in a pool", "#2e7d32", lambda name: name.startswith("pool")),
    ("by turns or by chance", "#6b6b6b", lambda name: "round robin" in name or "random" in name),
    ("by a key", "#c77700", lambda name: any(word in name for word in (
        "maglev", "hash", "jump", "anchor", "rendezvous", "ketama", "nginx", "bounded"))),
    ("by load", "#1a5fb4", lambda name: True),
]


def read(path):
    """{situation: (about, [(algorithm, p50, p99, p999, errors)])} for fleets of SIZE."""
    panels, about = {}, {}
    for line in open(path, encoding="utf-8"):
        if line.startswith("# ") and "; " in line and line.rstrip().endswith(f"{SIZE} endpoints"):
            name, words = line[2:].split(": ", 1)
            about[name] = words.rsplit("; ", 1)[0]
        elif not line.startswith("#") and line.split()[1:2] == [SIZE]:
            words = line.split()
            p50, p99, p999, errors = (float(x) for x in words[-6:-2])
            panels.setdefault(words[0], []).append(
                (" ".join(words[2:-6]), p50, p99, p999, errors))
    return {name: (about[name], rows) for name, rows in panels.items()}


def x_of(ms):
    share = math.log(min(max(ms, LOW), HIGH) / LOW) / math.log(HIGH / LOW)
    return round(NAMES + share * PLOT, 1)


def colour_of(name):
    return next(colour for _, colour, fits in KINDS if fits(name))


def text(x, y, words, anchor="start", size=11, fill=INK, weight="normal"):
    return (f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" '
            f'fill="{fill}" font-weight="{weight}">{escape(words)}</text>')


def wrapped(words, width):
    lines = [""]
    for word in words.replace(" %", "\u00a0%").split(" "):
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] = (lines[-1] + " " + word).strip()
    return lines


def panel(name, about, rows, height):
    out = [text(0, 12, name, size=13, weight="bold")]
    for i, line in enumerate(wrapped(about, 62)[:2]):
        out.append(text(0, 27 + 13 * i, line, fill=PALE))
    bottom = TOP + ROW * height
    for ms in TICKS:
        x = x_of(ms)
        out.append(f'<line x1="{x:g}" y1="{TOP - 4}" x2="{x:g}" y2="{bottom}" stroke="{GRID}"/>')
        label = f"{ms} ms" if ms == TICKS[0] else "2 s" if ms == 2000 else "1 s" if ms == 1000 else str(ms)
        out.append(text(x, bottom + 13, label, "middle", 10, PALE))
    out.append(text(NAMES + PLOT + ERRORS, bottom + 13, "errors", "end", 10, PALE))
    least = min(row[4] for row in rows)
    for i, (algorithm, p50, p99, p999, errors) in enumerate(rows):
        y, colour = TOP + ROW * i + 5, colour_of(algorithm)
        out.append(text(NAMES - 8, y + 4, algorithm, "end", fill=colour))
        out.append(f'<line x1="{x_of(p50):g}" y1="{y}" x2="{x_of(p999):g}" y2="{y}" '
                   f'stroke="{colour}" stroke-opacity="0.45"/>')
        out.append(f'<circle cx="{x_of(p50):g}" cy="{y}" r="3" fill="#fff" stroke="{colour}" '
                   f'stroke-width="1.5"/>')
        out.append(f'<circle cx="{x_of(p99):g}" cy="{y}" r="3.5" fill="{colour}"/>')
        x = x_of(p999)
        out.append(f'<line x1="{x:g}" y1="{y - 4}" x2="{x:g}" y2="{y + 4}" stroke="{colour}" '
                   f'stroke-width="1.5"/>')
        if errors > 0:
            much = errors > 1 and errors > 2 * least
            out.append(text(NAMES + PLOT + ERRORS, y + 4, f"{errors:.2f} %", "end", 10,
                            BAD if much else PALE, "bold" if much else "normal"))
    return out


def main():
    table, target = sys.argv[1:3]
    panels = read(table)
    names = [name for name in PANELS if name in panels]
    width_of_one = NAMES + PLOT + ERRORS + GAP
    width = COLUMNS * width_of_one + 2 * GAP
    out, top = [], 64
    for first in range(0, len(names), COLUMNS):
        line = names[first:first + COLUMNS]
        height = max(len(panels[name][1]) for name in line)
        for column, name in enumerate(line):
            out.append(f'<g transform="translate({GAP + column * width_of_one} {top})">')
            out += panel(name, *panels[name], height)
            out.append("</g>")
        top += TOP + ROW * height + 36
    head = [text(GAP, 22, "Latency by algorithm, simulated: 1000 endpoints, one call at a time each, "
                 "50 ms on average", size=15, weight="bold")]
    x = GAP
    for words, colour, _ in KINDS:
        head.append(f'<circle cx="{x + 5}" cy="40" r="4" fill="{colour}"/>')
        head.append(text(x + 14, 44, words, fill=colour))
        x += 34 + 6.2 * len(words)
    head.append(text(width - GAP, 44, "ring: half of the calls take less; dot: 99 %; "
                     "bar: 99.9 %. Callers give up after 2 s.", "end", fill=PALE))
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}" '
           f'font-family="system-ui, sans-serif" role="img">',
           "<title>Latency by algorithm and situation</title>",
           f'<rect width="{width}" height="{top}" fill="#fff"/>'] + head + out + ["</svg>"]
    with open(target, "w", encoding="utf-8") as file:
        file.write("\n".join(svg) + "\n")


if __name__ == "__main__":
    main()
