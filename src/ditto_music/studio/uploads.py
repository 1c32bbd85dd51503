"""Files that a page has sent: read once by the guarded readers, then known by an id."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np

from ditto_music.audio import Recording, read_recording
from ditto_music.controls.midi import SUFFIXES as MIDI
from ditto_music.controls.midi import read_midi
from ditto_music.controls.notes import Note, read_voice
from ditto_music.errors import InputError
from ditto_music.studio.limits import Limits

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".caf", ".au")
COLUMNS = 1000  # of a waveform

T = TypeVar("T")


@dataclass(frozen=True)
class Upload:
    """One file.

    Attributes
    ----------
    name : what the user calls it, without a folder.
    path : where it is kept here; never told to a page.
    """

    id: str
    name: str
    path: Path


class Uploads:
    """The files of one tab.

    Parameters
    ----------
    folder : where to keep them.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder
        self.limits = limits
        self._files: dict[str, Upload] = {}

    def __len__(self) -> int:
        """Recordings that are here."""
        return len(self._files)

    def place(self, name: str, suffixes: Sequence[str] = SUFFIXES) -> Upload:
        """A place for a file that is about to arrive.

        Raises
        ------
        InputError
            If its suffix is none that is read here.
        """
        shown = PurePosixPath(name.replace("\\", "/")).name[-80:] or "recording.wav"
        suffix = PurePosixPath(shown).suffix.lower()
        if suffix not in suffixes:
            raise InputError(f"{shown}: is not read here: give one of {', '.join(suffixes)}")
        key = secrets.token_urlsafe(12)
        return Upload(key, shown, self.folder / f"{secrets.token_hex(8)}{suffix}")

    def recording(self, upload: Upload) -> Recording:
        """Take in a recording, decoded once to be sure of it.

        Raises
        ------
        InputError
            If it is broken, empty, too long or of too many samples.
        """
        read = self._guarded(upload, self._recording)
        self._files[upload.id] = upload
        while len(self._files) > self.limits.uploads:
            self._files.pop(next(iter(self._files))).path.unlink(missing_ok=True)
        return read

    def notes(self, upload: Upload) -> list[Note]:
        """The tune of a MIDI file or of a voice; the file is not kept.

        Raises
        ------
        InputError
            If it cannot be read or has no tune.
        """

        def read(path: Path) -> list[Note]:
            if path.suffix in MIDI:
                return list(read_midi(path).notes)
            self._recording(path)
            return list(read_voice(path).notes)

        try:
            return self._guarded(upload, read)
        finally:
            upload.path.unlink(missing_ok=True)

    def get(self, key: str) -> Upload:
        """A file that is here.

        Raises
        ------
        InputError
            If it is not, or no longer.
        """
        if key not in self._files:
            raise InputError("the recording is not here any more: drop it on the page again")
        return self._files[key]

    def _recording(self, path: Path) -> Recording:
        """Decoded, where its header says that it is not too much."""
        limits = self.limits
        return read_recording(path, longest=limits.upload_seconds, most=limits.upload_samples)

    def _guarded(self, upload: Upload, read: Callable[[Path], T]) -> T:
        """Errors tell the user's name for the file, not ours."""
        try:
            return read(upload.path)
        except InputError as error:
            upload.path.unlink(missing_ok=True)
            told = str(error).replace(str(upload.path), upload.name)
            raise InputError(told.removeprefix("audio ").removeprefix("melody ")) from None


def waveform(audio: np.ndarray) -> list[list[float]]:
    """The lowest and highest sample of each of up to `COLUMNS` moments of audio (channels, N)."""
    mono = audio.mean(0)
    starts = np.unique(np.linspace(0, len(mono), COLUMNS, endpoint=False, dtype=np.int64))
    low, high = np.minimum.reduceat(mono, starts), np.maximum.reduceat(mono, starts)
    return [[round(float(a), 3), round(float(b), 3)] for a, b in zip(low, high, strict=True)]
