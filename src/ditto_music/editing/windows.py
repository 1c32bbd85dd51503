"""Where new music goes, and how much of the recording around it is looked at.

An edit makes room in the recording, if it has to, and then fills *windows*: stretches of the
recording with a hole to fill and what stays on either side of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ditto_music.audio import Recording

CLIP_SECONDS = 6.0
CONTEXT_SECONDS = (1.0, 3.0)

Span = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """Frames of a recording: the hole ``start:stop`` inside what is looked at, ``begin:end``.

    Attributes
    ----------
    coming : (start, stop) of holes that are filled after this one; what is in them shall go, too.
    """

    begin: int
    start: int
    stop: int
    end: int
    coming: tuple[Span, ...] = ()

    @property
    def hole(self) -> slice:
        """The hole, counted from the window's beginning."""
        return slice(self.start - self.begin, self.stop - self.begin)

    @property
    def stays(self) -> list[slice]:
        """What stays, counted from the window's beginning."""
        left = outside((self.begin, self.end), [(self.start, self.stop), *self.coming])
        return [slice(start - self.begin, stop - self.begin) for start, stop in left]

    @property
    def near(self) -> slice:
        """The hole and what stays on either side up to the next, from the window's beginning."""
        hole, stays = self.hole, self.stays
        begin = next((one.start for one in stays if one.stop == hole.start), hole.start)
        end = next((one.stop for one in stays if one.start == hole.stop), hole.stop)
        return slice(begin, end)

    def later(self, frames: int) -> Window:
        """The same in a recording to which `frames` have been added in front."""
        begin, start, stop, end = (
            edge + frames for edge in (self.begin, self.start, self.stop, self.end)
        )
        coming = tuple((first + frames, last + frames) for first, last in self.coming)
        return Window(begin, start, stop, end, coming)

    @property
    def frames(self) -> int:
        """Of the window."""
        return self.end - self.begin


def window_of(recording: Recording, region: tuple[float, float], longest: float) -> Window:
    """The region with as much context as helps: a clip of 6 s where the recording has it.

    Parameters
    ----------
    region : (start, stop) in seconds.
    longest : clip the model makes, in seconds.
    """
    rate = recording.sample_rate
    hole = region[1] - region[0]
    least, most = CONTEXT_SECONDS
    context = min(max((CLIP_SECONDS - hole) / 2, least), most, (longest - hole) / 2)
    start, stop = (round(edge * rate) for edge in region)
    room = int(longest * rate) - (stop - start)  # rounding may not make it longer than a clip
    reach = min(round(context * rate), max(0, room // 2))
    spare = max(0, reach - start)  # context missing on one side is taken on the other
    lack = max(0, stop + reach - recording.frames)
    begin = max(0, start - reach - lack)
    end = min(recording.frames, stop + reach + spare)
    return Window(begin, start, min(stop, recording.frames), end)


def outside(span: Span, holes: Sequence[Span]) -> list[Span]:
    """What is left of the frames ``start:stop`` without some others, in order."""
    first, last = span
    left: list[Span] = []
    for start, stop in sorted(holes):
        left.append((first, min(start, last)))
        first = max(first, stop)
    return [(start, stop) for start, stop in [*left, (first, last)] if start < stop]


def with_room(recording: Recording, at: int, frames: int) -> Recording:
    """The recording with `frames` of silence let in before frame `at`."""
    room = np.zeros((frames, recording.channels), recording.samples.dtype)
    before, after = recording.samples[:at], recording.samples[at:]
    return replace(recording, samples=np.concatenate([before, room, after]))


def rolled(recording: Recording, frames: int) -> Recording:
    """The recording as a circle, read from frame `frames` on."""
    return replace(recording, samples=np.roll(recording.samples, -frames, axis=0))
