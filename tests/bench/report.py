"""What a run leaves: a TSV with every value, a table for a README, and a picture."""

import math
import os
import platform
import time
from xml.sax.saxutils import escape

from figures import number
from peers import TITLES

HEDDLE = "heddle"


def machine():
    model = "an unknown processor"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{len(os.sched_getaffinity(0))} cores ({model}), Linux {platform.release()}"


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def tsv(results):
    lines = ["figure\ttitle\tunit\twho\tmedian\tratio\tbar\tbar_here\tverdict\trounds"]
    for one in results:
        row = one.row
        if one.ours is not None:
            verdict = {True: "ok", False: "SHORT", None: ""}[one.ok]
            here = "" if one.bar_here is None else f"{one.bar_here:.6g}"
            lines.append("\t".join((row.name, row.title, row.unit, HEDDLE, f"{one.ours:.6g}", "1", row.bar_text(), here,
                                    verdict, rounds(one, HEDDLE))))
        for name, value in one.peers.items():
            ratio = "" if one.ours is None else f"{one.ratio(name):.4g}"
            lines.append("\t".join((row.name, row.title, row.unit, name, f"{value:.6g}", ratio, "", "", "",
                                    rounds(one, name))))
    return "\n".join(lines) + "\n"


def rounds(one, who):
    return " ".join(f"{value:.6g}" for value in one.spread.get(who, ()))


def markdown(results, command):
    """The table, with its command, its date and its machine. A ratio above one: heddle is ahead."""
    lines = [f"`{command}`, {time.strftime('%-d %B %Y')}, {machine()}:", "",
             "| case | heddle | the best peer | ratio | the others | what is possible |", "|---|---|---|---|---|---|"]
    for one in results:
        if one.ours is None:
            continue
        cells = {name: f"{TITLES[name]} {number(value)}" for name, value in one.peers.items()}
        rivals = one.rivals()
        best = f"{cells[rivals[0]]} | {one.ratio(rivals[0]):.2f}" if rivals else "|"
        marks = ", ".join(cells[name] for name in cells if name not in rivals)
        lines.append(f"| {one.row.title} | **{with_unit(one.row, one.ours)}** | {best} | "
                     f"{', '.join(cells[name] for name in rivals[1:])} | {marks} |")
    return "\n".join(lines) + "\n"


def with_unit(row, value):
    return number(value) + (row.unit if row.unit in ("x", "/s") else " " + row.unit)


# ---- the picture ----

LEFT, RIGHT, TOP, STEP = 330, 90, 96, 28  # the titles' width, the values', above the first row, from row to row
WIDTH = 960
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
INK, MUTED, FAINT, AHEAD, BEHIND = "#24292f", "#57606a", "#d0d7de", "#1a7f37", "#bc4c00"


def picture(results, subtitle):
    """A line for each row that has a bar. heddle stands at 1, and each peer at how many times better heddle is, on a
    logarithmic scale; what lies beyond its ends stands there."""
    shown = [one for one in results if one.ours and one.rivals() and one.row.bar is not None]
    ratios = [one.ratio(name) for one in shown for name in one.peers]
    low = max(TICKS[0], min(0.5, min(ratios, default=1)) / 1.15)
    high = min(TICKS[-1], max(2, max(ratios, default=1)) * 1.15)

    def x(ratio):
        clamped = min(max(ratio, low), high)
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(clamped / low) / math.log(high / low)

    bottom = TOP + STEP * len(shown)
    height = bottom + 34
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
             f'font-size="12" fill="{INK}">', f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
             text(16, 26, "heddle beside its peers", size=17, weight="bold"), text(16, 45, subtitle, color=MUTED),
             text(16, 61, "How many times better heddle is: each dot a peer, the best one named. Hollow: no runtime, or one "
                  "whose tasks cannot wait; it marks what is possible.", color=MUTED)]
    for tick in TICKS:
        if low <= tick <= high:
            parts.append(f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP - 12}" y2="{bottom}" '
                         f'stroke="{INK if tick == 1 else FAINT}" stroke-width="{1.5 if tick == 1 else 1}"/>')
            parts.append(text(x(tick), bottom + 16, "heddle" if tick == 1 else f"{tick:g}x", anchor="middle",
                              weight="bold" if tick == 1 else "normal"))
    for index, one in enumerate(shown):
        parts += line(one, TOP + STEP * index + 8, x)
    return "\n".join([*parts, "</svg>"]) + "\n"


def line(one, y, x):
    rivals = one.rivals()
    best, ratio = rivals[0], one.ratio(rivals[0])
    color = AHEAD if ratio >= 1 else BEHIND
    parts = [text(LEFT - 14, y + 4, one.row.title, anchor="end"),
             text(WIDTH - 10, y + 4, with_unit(one.row, one.ours), anchor="end", weight="bold"),
             f'<line x1="{x(1):.1f}" x2="{x(ratio):.1f}" y1="{y}" y2="{y}" stroke="{color}" stroke-width="3"/>']
    for name in list(one.peers)[::-1]:
        shape = (5, color, color) if name == best else (3, "#8c959f", "#8c959f") if name in rivals else (4, "#ffffff", INK)
        parts.append(dot(x(one.ratio(name)), y, *shape, f"{TITLES[name]}: {with_unit(one.row, one.peers[name])}"))
    # Over its dot, but for one at an end.
    anchor = "start" if x(ratio) < LEFT + 40 else "end" if x(ratio) > WIDTH - RIGHT - 40 else "middle"
    parts.append(text(x(ratio), y - 8, f"{TITLES[best]} {ratio:.2f}x", color=color, size=10, anchor=anchor))
    return parts


def dot(x, y, radius, fill, stroke, title):
    return (f'<circle cx="{x:.1f}" cy="{y}" r="{radius}" fill="{fill}" stroke="{stroke}" stroke-width="1.5">'
            f'<title>{escape(title)}</title></circle>')


def text(x, y, words, color=INK, size=12, anchor="start", weight="normal"):
    return (f'<text x="{x:.1f}" y="{y}" fill="{color}" font-size="{size}" text-anchor="{anchor}" '
            f'font-weight="{weight}" stroke="#ffffff" stroke-width="3" paint-order="stroke">{escape(words)}</text>')
