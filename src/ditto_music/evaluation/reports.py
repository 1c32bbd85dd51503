"""Reports beside audio: what a clip was asked, where some command of ours made it.

A report is found as ``NAME.json`` beside ``NAME.wav``, or with several items beside ``NAME-1.wav``,
``NAME-2.wav`` ...; where no such audio is there by the ``out`` it has. Likewise as ``report.json``
of the folder, by its ``out`` or as of `vary`, or as a line of a batch's ``results.jsonl``. A folder
of any other system has none and is measured without.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from ditto_music.audio.files import names_audio

Report = dict[str, Any]


def reports_in(folder: Path) -> dict[str, Report]:
    """By the stem or the name of the audio file; files that are no reports are passed over."""
    heard = {path.stem for path in folder.iterdir() if names_audio(path)}
    found: dict[str, Report] = {}
    for path in sorted(folder.glob("*.json")):
        reports = [*_reports(_read(path.read_bytes()))]
        whole = path.name == "report.json"  # of all the folder, whose files `vary` numbers
        for number, report in enumerate(reports, start=1):
            numbered = path.stem if len(reports) == 1 else f"{path.stem}-{number}"
            beside = str(number) if whole else numbered
            out = Path(str(report["out"])).name if report.get("out") else beside
            found[beside if beside in heard and not whole else out] = report
    results = folder / "results.jsonl"
    if results.exists():
        for line in results.read_bytes().splitlines():
            for report in _reports(_read(line)):
                if isinstance(report.get("out"), str):
                    found[Path(report["out"]).name] = report
    return found


def report_for(path: Path, reports: dict[str, Report]) -> Report | None:
    """Of an audio file."""
    return reports.get(path.stem) or reports.get(path.name)


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
