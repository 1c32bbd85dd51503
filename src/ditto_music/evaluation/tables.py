"""A comparison as people read it: Markdown, CSV, a figure, and a page to listen."""

from __future__ import annotations

import csv
import html
import math
import os
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ditto_music.audio import plots
from ditto_music.evaluation.compare import Cell, Comparison, Made
from ditto_music.evaluation.intervals import FEWEST, Interval
from ditto_music.whole import whole

TABLE, CSV, FIGURE, PAGE = "table.md", "table.csv", "figure.png", "index.html"
DPI = 150
HELD = ("device", "dtype", "offload")  # flags of where the model is, not of what is asked of it


def write_all(found: Comparison, folder: str | Path) -> list[Path]:
    """Write the table in Markdown and CSV, the figure and the page; returns their paths."""
    home = Path(folder)
    with whole(home / TABLE) as path:
        Path(path).write_text(markdown(found) + "\n", encoding="utf-8")
    with whole(home / CSV) as path, Path(path).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows(found))
    with whole(home / FIGURE) as path:
        draw(found, path)
    with whole(home / PAGE) as path:
        Path(path).write_text(page(found, home), encoding="utf-8")
    return [home / name for name in (TABLE, CSV, FIGURE, PAGE)]


def markdown(found: Comparison) -> str:
    """A table a task, a line a method; brackets are 95% intervals."""
    plan = found.plan
    budget = (
        "each with its own settings"
        if plan.seconds_each is None
        else f"{plan.seconds_each:g} s each"
    )
    flags = [f"{name} {value}" for name, value in plan.flags.items() if name not in HELD]
    budget += f", all with {', '.join(flags)}" if flags else ""
    brackets = f"in brackets 95% intervals, over prompts, none under {FEWEST}"
    lines = [f"{plan.model}, {plan.items} items a task, {budget}; {brackets}.", ""]
    for task in plan.tasks:
        cells = [cell for cell in found.cells if cell.contest.name == task]
        if not cells:
            continue
        names = _columns(cells)
        heads = [_label(cells[0], name) for name in names]
        lines += [
            f"### {task}",
            "",
            f"| method | clips | {' | '.join(heads)} |",
            "|---" * (len(heads) + 2) + "|",
        ]
        for cell in cells:
            told = [_text(cell.figures.get(name), name) for name in names]
            clips = plan.items - cell.missing
            lines.append(f"| {cell.method} | {clips} | {' | '.join(told)} |")
        lines.append("")
    lines += [f"Failed: {line}" for line in found.failed]
    return "\n".join(lines).rstrip()


def rows(found: Comparison) -> Iterator[list[str | float | int]]:
    """A line a number: what a spreadsheet or another program reads."""
    yield ["task", "method", "seconds_each", "figure", "value", "low", "high", "clips"]
    budget = "" if found.plan.seconds_each is None else found.plan.seconds_each
    for cell in found.cells:
        for name, value in cell.figures.items():
            label = _label(cell, name)
            numbers = ["" if math.isnan(x) else x for x in (value.value, value.low, value.high)]
            yield [cell.contest.name, cell.method, budget, label, *numbers, value.count]


def draw(found: Comparison, path: str | os.PathLike[str]) -> None:
    """How well each method meets each task, by the controls' own figures."""
    contests = {cell.contest.name: cell.contest for cell in found.cells}
    places = [
        (contest.name, *each) for contest in contests.values() for each in contest.met.items()
    ]
    picture, axes = plots.figure(len(places), height=2.6)
    for ax, (task, name, figure) in zip(axes, places, strict=True):
        cells = [c for c in found.cells if c.contest.name == task and name in c.figures]
        values = [cell.figures[name] for cell in cells]
        aim = "less is better" if figure.less else "more is better"
        plots.compared(
            ax,
            [cell.method for cell in cells],
            np.array([value.value for value in values]),
            np.array([value.low for value in values]),
            np.array([value.high for value in values]),
            f"{figure.label}\n({aim})",
        )
        ax.set_title(task, color=plots.INK, fontsize="small", loc="left")
    picture.savefig(path, dpi=DPI)


def page(found: Comparison, home: Path) -> str:
    """A page of its own: every item with all methods side by side; it asks nothing of the net."""
    out = [HEAD]
    for task in found.plan.tasks:
        made = [one for one in found.made if one.entry.contest.name == task]
        if not made:
            continue
        methods = [m for m in found.plan.methods if any(one.entry.method == m for one in made)]
        heads = "".join(f"<th>{html.escape(name)}</th>" for name in methods)
        out.append(f"<h2>{html.escape(task)}</h2>\n<table><tr><th>item</th>{heads}</tr>")
        for item in sorted({one.entry.item for one in made}):
            some = {one.entry.method: one for one in made if one.entry.item == item}
            first = next(iter(some.values()))
            cells = [f"<td>{_said(found, first, home)}</td>"]
            for method in methods:
                one = some.get(method)
                cells.append(f"<td>{_player(one.file, home) + _told(one) if one else '-'}</td>")
            out.append(f"<tr>{''.join(cells)}</tr>")
        out.append("</table>")
    return "\n".join([*out, "</body></html>", ""])


HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Methods side by side</title>
<style>
body { font: 14px/1.4 sans-serif; margin: 2em; color: #333 }
table { border-collapse: collapse }
th, td { border-bottom: 1px solid #e3e3e3; padding: .5em; text-align: left; vertical-align: top }
audio { width: 14em; display: block }
small { color: #666 }
</style></head><body>
<h1>Methods side by side</h1>
<p>The numbers are in <a href="table.md">table.md</a>, <a href="table.csv">table.csv</a> and
<a href="figure.png">figure.png</a>.</p>"""


def _said(found: Comparison, one: Made, home: Path) -> str:
    """What is asked of an item, and the recording of an edit."""
    asked = [
        f"{name}: {value}"
        for name, value in one.entry.fields.items()
        if name in ("intensity", "melody", "structure")
    ]
    told = html.escape("; ".join([one.prompt, *asked]))
    if not one.entry.contest.edits:
        return told
    return f"{told}<br><small>before</small>{_player(found.sources[one.entry.item].path, home)}"


def _told(one: Made) -> str:
    met = one.entry.contest.met
    pairs = [(figure.label, one.figures[name]) for name, figure in met.items()]
    pairs.append(("seconds", one.figures["seconds"]))
    return "<br>".join(
        f"<small>{html.escape(label)}: {value:.3g}</small>" for label, value in pairs
    )


def _player(file: Path, home: Path) -> str:
    address = Path(os.path.relpath(file.resolve(), home.resolve())).as_posix()
    source = html.escape(urllib.parse.quote(address))
    return f'<audio controls preload="none" src="{source}"></audio>'


def _columns(cells: list[Cell]) -> list[str]:
    """Figures that some cell has, in one order."""
    order = dict.fromkeys(name for cell in cells for name in cell.figures)
    first = [name for name in (*cells[0].contest.told, "text", "clap") if name in order]
    last = [name for name in ("seconds", "memory") if name in order]
    return [*first, *(name for name in order if name not in first + last), *last]


def _label(cell: Cell, name: str) -> str:
    labels = {
        **{key: figure.label for key, figure in cell.contest.told.items()},
        "text": "prompt's tags, rank",
        "clap": "CLAP score",
        "seconds": "seconds",
        "memory": "peak memory, GB",
    }
    return labels.get(name, name)


def _text(value: Interval | None, name: str) -> str:
    if value is None or math.isnan(value.value):
        return ""
    return value.text({"seconds": 1, "memory": 2}.get(name, 3))
