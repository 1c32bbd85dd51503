"""Run a study: its items through `jobs`, then table and figure from whatever is known."""

from __future__ import annotations

import csv
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ditto_music.errors import InputError
from ditto_music.evaluation.compare import reports_of
from ditto_music.evaluation.studies import study_named
from ditto_music.evaluation.studies.fresh import in_fresh_process
from ditto_music.evaluation.studies.study import Item, Row, Scale, Size, Study
from ditto_music.evaluation.studies.tables import Table
from ditto_music.jobs import Group, Job, Outcome, Tally, run_batch
from ditto_music.jobs.batch import key_of
from ditto_music.models import load_model, revision
from ditto_music.protocols import Model
from ditto_music.result import finite
from ditto_music.whole import whole

ITEMS, TABLE, CSV, FIGURE = "items", "table.md", "table.csv", "figure.png"
DPI = 80
USUAL = "text"  # what of public models is let go, where nothing else is asked


@dataclass(frozen=True)
class Findings:
    """What came of a study.

    Attributes
    ----------
    rows : of all items that could be measured, each with what was asked.
    failed : one line for each of the others.
    """

    study: Study
    rows: list[Row]
    failed: list[str]

    @property
    def table(self) -> Table:
        """Made of the rows."""
        return self.study.table(self.rows)

    def markdown(self) -> str:
        """Question and table, and what failed."""
        lines = [self.study.question, ""]
        lines += [self.table.markdown()] if self.rows else ["Nothing could be measured."]
        return "\n".join([*lines, *(f"\nFailed: {line}" for line in self.failed)])


def run_study(
    study: Study,
    size: Size,
    out: str | Path,
    *,
    model: str = "ditto-small",
    device: str = "cpu",
    dtype: str = "auto",
    offload: str = "text",
    tally: Tally | None = None,
    watch: Callable[[Outcome], None] = lambda outcome: None,
) -> Findings:
    """Measure what is not measured yet in the folder, and take the rest from there.

    Parameters
    ----------
    out : a folder; several sizes may share it.
    device, dtype, offload : as of `load_model`.
    tally, watch : kept up to date, and called with each outcome.

    Raises
    ------
    InputError
        If the folder cannot be used, or another run is at work in it.
    """
    folder = Path(out)
    # What is wrong with the model is wrong with all items.
    _ = revision(model) if study.fresh else _load(model, device, dtype, offload)
    shared = {"model": model, "device": device, "dtype": dtype}
    if offload != USUAL:  # so that items of other folders are known by what they were
        shared["offload"] = offload
    jobs = [item.job(study.name, shared) for item in study.planned(size)]
    act = Measuring()
    outcomes = run_batch(
        jobs, folder / ITEMS, performer=act, most=1, retry_failed=True, tally=tally
    )
    failed: list[str] = []
    for outcome in outcomes:
        watch(outcome)
        if not outcome.done:
            failed.append(outcome.error)
    known = reports_of(folder / ITEMS)
    rows: list[Row] = []
    for job in jobs:
        if (key := key_of(Job(0, job), act)) in known:
            rows += [job["asked"] | row for row in known[key]["rows"]]
    return Findings(study, rows, failed)


def write_all(found: Findings, folder: str | Path) -> list[Path]:
    """Write the table in Markdown and CSV, and the figure; returns their paths."""
    home = Path(folder)
    with whole(home / TABLE) as path:
        Path(path).write_text(found.markdown() + "\n", encoding="utf-8")
    if not found.rows:
        return [home / TABLE]
    with whole(home / CSV) as path, Path(path).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(found.table.rows())
    with whole(home / FIGURE) as path:
        found.study.draw(found.rows).savefig(path, dpi=DPI)
    return [home / name for name in (TABLE, CSV, FIGURE)]


@dataclass(frozen=True)
class Measuring:
    """The performer of studies' items."""

    def revision(self, job: Job) -> str:
        """Of the model's weights."""
        return revision(str(job.fields["model"]))

    def kind(self, job: Job) -> Hashable | None:
        """Each item is on its own."""
        return None

    def perform(self, group: Group, address: str) -> list[Outcome]:
        """Measure; an item that cannot be is told in one line."""
        return [self._outcome(order.key, order.job) for order in group.orders]

    def _outcome(self, key: str, job: Job) -> Outcome:
        fields = job.fields
        try:
            fresh = study_named(fields["study"]).fresh
            rows = in_fresh_process(measured, fields) if fresh else measured(fields)
        except Exception as error:
            kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
            told = kind + " ".join(str(error).split())
            asked = ", ".join(f"{name} {value}" for name, value in fields["asked"].items())
            return Outcome(key, job.line, error=f"{asked}: {told}")
        return Outcome(key, job.line, {"id": fields["id"], "rows": finite(rows)})


def measured(fields: Mapping[str, Any]) -> list[Row]:
    """The rows of an item, from a job's fields."""
    item = Item(fields["asked"], Scale(**fields["scale"]))
    model = _load(fields["model"], fields["device"], fields["dtype"], fields.get("offload", USUAL))
    return study_named(fields["study"]).measure(model, item)


@lru_cache(maxsize=1)
def _load(name: str, device: str, dtype: str, offload: str) -> Model:
    """The model that this process holds."""
    return load_model(name, device=device, dtype=dtype, offload=offload)
