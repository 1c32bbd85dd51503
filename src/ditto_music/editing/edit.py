"""What an edit gives back: the finished recording, how each region was made, how well it joins."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ditto_music.audio import Recording, write_recording
from ditto_music.editing.closing import Closing
from ditto_music.editing.drift import Drift, drift_panels
from ditto_music.editing.filling import Filled, Task
from ditto_music.editing.seams import Seam, measure_seam
from ditto_music.result import Result, write_report
from ditto_music.whole import numbered


@dataclass(frozen=True)
class Edit:
    """A finished edit.

    Attributes
    ----------
    recording : at the rate, channels and sample type of the original.
    regions : the (start, stop) seconds that are new.
    results : the optimisation behind each region.
    seams : every join, measured.
    read : whether the prompts were read from the recording.
    clipped : samples of the new music that were too loud for a recording of integers.
    tasks : what was asked of each region, so that it can be made again.
    drift : of an extension, a line a window.
    loops : whether the recording's end goes on at its beginning.
    roll : frame of the recording at which the circle is cut open for the tasks' windows.
    beat : seconds of a beat, where the edit looked for one and found it.
    """

    recording: Recording
    regions: list[tuple[float, float]]
    results: list[Result]
    seams: list[Seam]
    read: bool = False
    clipped: int = 0
    tasks: Sequence[Task | Closing] = ()
    drift: list[Drift] = field(default_factory=list[Drift])
    loops: bool = False
    roll: int = 0
    beat: float | None = None

    def save(self, path: str | os.PathLike[str]) -> int:
        """Write the recording, a loop with loop points where the format has them (WAV).

        Returns how many samples were clipped.
        """
        return self.clipped + write_recording(path, self.recording, loops=self.loops)

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw the recording, its new regions marked, its drift, and what was asked of them.

        PNG, SVG or PDF.
        """
        from ditto_music.pictures import draw_edit

        asked = any(isinstance(task, Task) and task.wish.sets_level for task in self.tasks)
        panels = [(0.0, panel) for panel in drift_panels(self.drift, level=not asked)]
        panels += [
            (start, panel)
            for (start, _), result in zip(self.regions, self.results, strict=True)
            for panel in result.items[0].panels
        ]
        draw_edit(path, self.recording, self.regions, panels)

    def report(self, **more: object) -> dict[str, Any]:
        """The report of the first region with those of all regions and seams beside it."""
        first = self.results[0].report()
        return {
            **first,
            "duration": self.recording.seconds,
            "sample_rate": self.recording.sample_rate,
            "seconds": sum(result.seconds for result in self.results),
            "prompt_read": self.read,
            "regions": [
                {"from": start, "to": stop} | result.report()
                for (start, stop), result in zip(self.regions, self.results, strict=True)
            ],
            "seams": [asdict(seam) for seam in self.seams],
            "drift": [asdict(each) for each in self.drift],
            "loops": self.loops,
            "bpm": 60 / self.beat if self.beat else None,
            **more,
        }

    def save_report(self, path: str | os.PathLike[str], **more: object) -> None:
        """Write the report as JSON."""
        write_report(path, self.report(**more))


class BrokenOff(Exception):
    """An edit whose later windows could not be made, for the reason that is its cause.

    Attributes
    ----------
    edit : what was finished before.
    """

    def __init__(self, edit: Edit, cause: Exception) -> None:
        super().__init__(str(cause))
        self.edit, self.__cause__ = edit, cause


@dataclass(frozen=True)
class Alternatives:
    """The same edit from several seeds, written as ``name-1.wav``, ``name-2.wav`` ...

    Attributes
    ----------
    count : how many were asked for, where they are more than there are.
    """

    edits: list[Edit]
    count: int = 0

    def __iter__(self) -> Iterator[Edit]:
        return iter(self.edits)

    def paths(self, path: str | os.PathLike[str]) -> list[Path]:
        """A path for each."""
        return numbered(path, max(self.count, len(self.edits)))[: len(self.edits)]

    def save(self, path: str | os.PathLike[str]) -> int:
        """Write each recording; returns how many samples were clipped in all."""
        return sum(edit.save(one) for one, edit in zip(self.paths(path), self.edits, strict=True))

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw each."""
        for one, edit in zip(self.paths(path), self.edits, strict=True):
            edit.plot(one)

    def save_report(self, path: str | os.PathLike[str], **more: object) -> None:
        """Write one report: that of a single edit, or all under ``items``; each has its file."""
        out = more.pop("out", None)
        outs = [str(one) for one in self.paths(str(out))] if out else [None] * len(self.edits)
        pairs = zip(self.edits, outs, strict=True)
        reports = [edit.report(**more, out=one) for edit, one in pairs]
        write_report(path, reports[0] if len(reports) == 1 else {"items": reports})


def measured(
    recording: Recording,
    regions: Sequence[tuple[float, float]],
    results: Sequence[Result],
    *,
    read: bool = False,
    clipped: int = 0,
    tasks: Sequence[Task | Closing] = (),
) -> Edit:
    """The edit with every join between a region and what is beside it measured."""
    edges = dict.fromkeys(edge for region in regions for edge in region)
    inside = [edge for edge in edges if 0 < round(edge * recording.sample_rate) < recording.frames]
    seams = [measure_seam(recording, edge, regions) for edge in sorted(inside)]
    return Edit(recording, list(regions), list(results), seams, read, clipped, list(tasks))


def gathered(windows: Iterable[Filled]) -> tuple[list[Filled], Exception | None]:
    """Windows as they are filled, up to one that was interrupted or that could not be.

    Returns
    -------
    Those there are, and why the next could not be. What stops the first is raised.
    """
    made: list[Filled] = []
    try:
        for filled in windows:
            made.append(filled)
            if filled.result.items[0].stopped == "interrupted":
                break
    except KeyboardInterrupt:
        if not made:
            raise
        made[-1] = made[-1]._replace(result=made[-1].result.interrupted())
    except Exception as error:  # whatever it is, also in a control or callback of one's own
        if not made:
            raise
        return made, error
    return made, None


def assembled(
    recording: Recording,
    regions: Sequence[tuple[float, float]],
    made: Sequence[Filled],
    *,
    read: bool,
) -> Edit:
    """The edit of these windows, measured."""
    return measured(
        recording,
        regions,
        [each.result for each in made],
        read=read,
        clipped=sum(each.clipped for each in made),
        tasks=[each.task for each in made],
    )


def looped(edit: Edit, beat: float | None, roll: int = 0) -> Edit:
    """The edit as a loop: the way from its end to its beginning is a join, too."""
    length = edit.recording.seconds
    samples = edit.recording.samples
    twice = replace(edit.recording, samples=np.concatenate([samples, samples]))
    regions = [(a + shift, b + shift) for shift in (0.0, length) for a, b in edit.regions]
    wrap = replace(measure_seam(twice, length, regions), seconds=0.0)
    return replace(edit, seams=[wrap, *edit.seams], loops=True, roll=roll, beat=beat)
