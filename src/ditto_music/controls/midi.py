"""The melody of a MIDI file."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import mido
import numpy as np

from ditto_music.audio import names_file
from ditto_music.controls.midi_bytes import plain
from ditto_music.controls.notes import Note, Tune, begun
from ditto_music.errors import InputError

DRUMS = 9  # the tenth channel
SUFFIXES = (".mid", ".midi", ".kar")
_MELODY = re.compile(
    r"(?<![^\W\d_])(melod[^\W\d_]*|(vocal|voice|lead|singer)s?|sing(ing)?)(?![^\W\d_])",
    re.IGNORECASE,
)  # between no letters


@dataclass(frozen=True)
class Part:
    """The notes of one channel of one track."""

    name: str
    notes: Sequence[Note]

    def busy(self) -> float:
        """Seconds in which it sounds."""
        starts, ends, _ = np.array(sorted(self.notes)).T
        before = np.maximum.accumulate(np.concatenate([[0.0], ends[:-1]]))
        return float(np.clip(ends - np.maximum(starts, before), 0, None).sum())

    def melodious(self) -> float:
        """Mean pitch, and up to an octave more the fewer notes sound at once."""
        starts, ends, pitches = np.array(self.notes).T
        return float(pitches.mean() + 12 * self.busy() / (ends - starts).sum())


def read_midi(path: Path, part: int | None = None) -> Tune:
    """The melody of a MIDI file, by its own tempo; time begins with its first note.

    Parameters
    ----------
    path : a Standard MIDI File of type 0 or 1.
    part : which channel of a track, counted from 1 in the order of the file, drums left out. None
        takes one whose track is named as a melody, a lead or a voice, where not all are; else, of
        the parts that sound at least a third as long as the busiest, the one with the highest mean
        pitch, where one that never sounds two notes at once counts as an octave higher.

    Raises
    ------
    InputError
        If the file is missing, damaged, of another kind, without notes, or has no such part.
    """
    parts = read_parts(path)
    if not parts:
        raise InputError(f"melody {path}: holds no notes (drums do not count): give another file")
    if part is None:
        return begun(_tuneful(parts).notes)
    if not 1 <= part <= len(parts):
        names = ", ".join(f"{number} {each.name}" for number, each in enumerate(parts, start=1))
        raise InputError(f"melody {path}: there is no part {part}: choose from {names}")
    return begun(parts[part - 1].notes)


def read_parts(path: Path) -> list[Part]:
    """Every channel of every track that holds notes, without the drums; errors as `read_midi`."""
    if not names_file(path):
        raise InputError(f"melody {path}: there is no such file; check the name")
    try:
        file = mido.MidiFile(file=BytesIO(plain(path.read_bytes())), clip=True)
    except Exception as error:  # whatever the parser stumbled over
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"melody {path}: not a MIDI file, or a damaged one ({reason}); export it again"
        ) from error
    if file.type == 2 or file.ticks_per_beat <= 0:
        raise InputError(
            f"melody {path}: not a MIDI file of type 0 or 1 in beats; export it as one"
        )
    clock = Clock(file)
    return [
        part
        for number, track in enumerate(file.tracks, start=1)
        for part in _parts(track, track.name.strip() or f"track {number}", clock)
    ]


class Clock:
    """From ticks to seconds through every change of tempo in a file."""

    def __init__(self, file: mido.MidiFile) -> None:
        changes = [(0, 500_000)]  # 120 beats a minute until told otherwise
        for track in file.tracks:
            tick = 0
            for message in track:
                tick += message.time
                if message.type == "set_tempo":
                    changes.append((tick, message.tempo))
        changes.sort(key=lambda change: change[0])
        self.ticks = [tick for tick, _ in changes]
        self.paces = [tempo / 1e6 / file.ticks_per_beat for _, tempo in changes]  # seconds a tick
        spans = np.diff(self.ticks) * np.array(self.paces[:-1])
        self.seconds: list[float] = [0.0, *np.cumsum(spans).tolist()]

    def __call__(self, tick: int) -> float:
        """Seconds from the beginning."""
        last = bisect_right(self.ticks, tick) - 1
        return self.seconds[last] + (tick - self.ticks[last]) * self.paces[last]


def _parts(track: mido.MidiTrack, name: str, clock: Clock) -> list[Part]:
    """The channels of one track; a note that never ends lasts to the end of the track."""
    held: dict[tuple[int, int], list[int]] = defaultdict(list)
    notes: dict[int, list[Note]] = defaultdict(list)

    def end(channel: int, pitch: int, start: int, tick: int) -> None:
        if clock(tick) > clock(start) and channel != DRUMS:
            notes[channel].append(Note(clock(start), clock(tick), pitch))

    tick = 0
    for message in track:
        tick += message.time
        if message.type not in ("note_on", "note_off"):
            continue
        key = message.channel, message.note
        if message.type == "note_on" and message.velocity > 0:
            held[key].append(tick)
        elif held[key]:
            end(*key, held[key].pop(0), tick)
    for key, starts in held.items():
        for start in starts:
            end(*key, start, tick)
    several = len(notes) > 1
    return [
        Part(f"{name}, channel {channel + 1}" if several else name, notes[channel])
        for channel in sorted(notes)
    ]


def _tuneful(parts: Sequence[Part]) -> Part:
    """The part that most looks like a melody."""
    named = [part for part in parts if _MELODY.search(part.name)]
    some = 0 < len(named) < len(parts)  # the name of all is the song's title
    longest = max(part.busy() for part in parts)
    lasting = [part for part in parts if part.busy() >= longest / 3]
    return max(named if some else lasting, key=Part.melodious)
