"""Reports beside audio: what a clip was asked, where some command of ours made it.

A report is found as ``NAME.json`` beside ``NAME.wav``, as ``report.json`` of the folder, alone or
with several items, or as a line of a batch's ``results.jsonl``. A folder of any other system has
none and is measured without.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

Report = dict[str, Any]


def reports_in(folder: Path) -> dict[str, Report]:
    """By the name of the audio file; files that are no reports are passed over."""
    found: dict[str, Report] = {}
    for path in sorted(folder.glob("*.json")):
        for number, report in enumerate(_reports(_read(path.read_bytes())), start=1):
            out = report.get("out")
            name = Path(str(out)).name if out else None
            if name is None and path.name == "report.json":
                name = f"{number}.wav"  # of `vary`
            found[name or path.stem] = report
    results = folder / "results.jsonl"
    if results.exists():
        for line in results.read_bytes().splitlines():
            for report in _reports(_read(line)):
                if isinstance(report.get("out"), str):
                    found[Path(report["out"]).name] = report
    return found


def report_for(path: Path, reports: dict[str, Report]) -> Report | None:
    """Of an audio file."""
    return reports.get(path.name) or reports.get(path.stem)


def controls_of(report: Report) -> dict[str, float]:
    """A report's control figures as ``control.figure``, those that are numbers."""
    controls = cast("dict[str, Any]", report.get("controls") or {})
    return {
        f"{name}.{key}": float(value)
        for name, figures in controls.items()
        if isinstance(figures, dict)
        for key, value in cast("dict[str, Any]", figures).items()
        if isinstance(value, int | float)
    }


def _read(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _reports(value: Any) -> Iterator[Report]:
    if not isinstance(value, dict):
        return
    fields = cast("Report", value)
    items = fields.get("items")
    for one in cast("list[Any]", items) if isinstance(items, list) else [fields]:
        if isinstance(one, dict) and "prompt" in one:
            yield cast("Report", one)
