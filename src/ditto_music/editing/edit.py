"""What an edit gives back: the finished recording, how each region was made, how well it joins."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ditto_music.audio import Recording, write_recording
from ditto_music.editing.seams import Seam
from ditto_music.result import Result, finite
from ditto_music.whole import whole


@dataclass(frozen=True)
class Edit:
    """A finished edit.

    Attributes
    ----------
    recording : at the rate, channels and sample type of the original.
    regions : the (start, stop) seconds that are new.
    results : the optimisation behind each region.
    seams : every join, measured.
    """

    recording: Recording
    regions: list[tuple[float, float]]
    results: list[Result]
    seams: list[Seam]

    def save(self, path: str | os.PathLike[str]) -> int:
        """Write the recording; returns how many samples were clipped."""
        return write_recording(path, self.recording)

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw the recording with its new regions marked. PNG, SVG or PDF."""
        from ditto_music.pictures import draw_edit

        draw_edit(path, self.recording, self.regions)

    def report(self, **more: object) -> dict[str, Any]:
        """The report of the first region with those of all regions and seams beside it."""
        first = self.results[0].report()
        return {
            **first,
            "duration": self.recording.seconds,
            "sample_rate": self.recording.sample_rate,
            "seconds": sum(result.seconds for result in self.results),
            "regions": [
                {"from": start, "to": stop} | result.report()
                for (start, stop), result in zip(self.regions, self.results, strict=True)
            ],
            "seams": [asdict(seam) for seam in self.seams],
            **more,
        }

    def save_report(self, path: str | os.PathLike[str], **more: object) -> None:
        """Write the report as JSON."""
        with whole(path) as temporary:
            text = json.dumps(finite(self.report(**more)), indent=2)
            Path(temporary).write_text(text + "\n", encoding="utf-8")
