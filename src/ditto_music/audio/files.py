"""Audio files in and out, bit for bit where the file allows it.

A `Recording` keeps the samples in the type the file itself uses, so that editing a region and
writing the file again leaves every other sample as it was. Integer files (PCM) are held as int32
with the sample in the top bits, as libsndfile delivers them; going through floats would not do,
for libsndfile multiplies by 0x7FFF when it writes floats as 16 bit and divides by 0x8000 when it
reads them. Lossy files (MP3, Vorbis, Opus, ADPCM) are decoded to float32.

Shapes: files are (frames, channels), as on disk; audio for models is float32 (channels, frames).
Full scale is [-1, 1]. Level is never normalised. Rates are in Hz.
"""

from __future__ import annotations

import io
import math
import os
import struct
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from ditto_music.errors import InputError
from ditto_music.whole import check_target, whole

Samples = npt.NDArray[np.int32 | np.float32 | np.float64]
Audio = npt.NDArray[np.float32]
Floats = npt.NDArray[np.floating[Any]]
Given = npt.NDArray[np.floating[Any] | np.integer[Any]]

MAX_CHANNELS = 64
MIN_RATE, MAX_RATE = 1_000, 768_000
MAX_SECONDS = 24 * 3600
SILENCE = 2.0**-15  # one step of 16 bit, -90 dBFS

# Bits of the subtypes held as int32. ULAW and ALAW decode to 16 bit exactly; ALAC is lossless.
_BITS = {
    "PCM_U8": 8,
    "PCM_S8": 8,
    "PCM_16": 16,
    "PCM_24": 24,
    "PCM_32": 32,
    "ULAW": 16,
    "ALAW": 16,
    "ALAC_16": 16,
    "ALAC_20": 20,
    "ALAC_24": 24,
    "ALAC_32": 32,
}
_FLOAT_BITS = {"FLOAT": 25, "DOUBLE": 54}  # sign and significand: the integers they hold exactly
_WIDTHS = _BITS | _FLOAT_BITS

_SIGNED = ("PCM_24", "PCM_16", "PCM_32", "PCM_S8", "FLOAT", "DOUBLE")
_UNSIGNED = ("PCM_24", "PCM_16", "PCM_32", "PCM_U8", "FLOAT", "DOUBLE")

# Suffix -> format of the file and the subtypes written to it, the default first. ALAC is left out:
# libsndfile 1.2 does not write stereo of 20 bit and more without loss.
_CONTAINERS: dict[str, tuple[str, tuple[str, ...]]] = {
    ".wav": ("WAV", _UNSIGNED),
    ".flac": ("FLAC", ("PCM_24", "PCM_16", "PCM_S8")),
    ".ogg": ("OGG", ("VORBIS", "OPUS")),
    ".oga": ("OGG", ("VORBIS", "OPUS")),
    ".opus": ("OGG", ("OPUS",)),
    ".mp3": ("MP3", ("MPEG_LAYER_III",)),
    ".aiff": ("AIFF", _SIGNED),
    ".aif": ("AIFF", _SIGNED),
    ".caf": ("CAF", _SIGNED),
    ".au": ("AU", _SIGNED),
    ".w64": ("W64", _UNSIGNED),
    ".rf64": ("RF64", _UNSIGNED),
}
# libsndfile's compression level, 0 best: MP3 V0 and about 250 kbit/s for stereo Vorbis and Opus.
_COMPRESSION = {"MPEG_LAYER_III": 0.0, "VORBIS": 0.2, "OPUS": 0.5}
_MAX_VORBIS_RATE = 200_000  # above it libsndfile 1.2 ends the process
_BLOCK = 1 << 16  # frames a write; libsndfile 1.2 ends the process on 2**21 of Vorbis at once

_READABLE = ", ".join(dict.fromkeys(name for name, _ in _CONTAINERS.values()))


@dataclass(frozen=True, eq=False)
class Recording:
    """An audio file in memory.

    Attributes
    ----------
    samples : array, shape (frames, channels)
        int32 for integer subtypes (the sample in the top bits), float64 for DOUBLE, else float32.
    sample_rate : frames per second, Hz
    format : the file's format, such as "WAV"
    subtype : the file's sample type, such as "PCM_24" or "FLOAT"
    """

    samples: Samples
    sample_rate: int
    format: str
    subtype: str

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or self.samples.dtype != _sample_type(self.subtype):
            raise ValueError(
                f"samples of {self.subtype} must be {_sample_type(self.subtype)} (frames, channels)"
                f", not {self.samples.dtype} {self.samples.shape}"
            )

    @classmethod
    def of(cls, audio: Given, sample_rate: int, subtype: str = "PCM_24") -> Recording:
        """A WAV in memory of audio (channels, N), rounded to `subtype` and clipped to it.

        Full scale is [-1, 1], of whole numbers that of their type.

        Raises
        ------
        InputError
            If the rate is outside 1 kHz to 768 kHz, or the subtype is none of a WAV.
        ValueError
            As `write_audio`.
        """
        if subtype not in _UNSIGNED:
            choices = ", ".join(_UNSIGNED)
            raise InputError(f"the sample type {subtype} is none of a WAV; choose from {choices}")
        if not MIN_RATE <= sample_rate <= MAX_RATE:
            raise InputError(
                f"the rate is {sample_rate:g} Hz, outside {MIN_RATE} to {MAX_RATE} Hz; give another"
            )
        samples, _ = _quantise(_some_rows(audio), subtype)
        return cls(samples, sample_rate, "WAV", subtype)

    @property
    def frames(self) -> int:
        """Number of samples of each channel."""
        return self.samples.shape[0]

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.samples.shape[1]

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate

    def part(self, start: int, stop: int | None = None) -> Recording:
        """The frames ``start:stop`` as a recording of their own."""
        return replace(self, samples=self.samples[start:stop])

    def audio(self, start: int = 0, stop: int | None = None) -> Audio:
        """The samples as float32, shape (channels, frames), full scale [-1, 1].

        Integers are divided by a power of two, exact up to 24 bit; 32 bit is rounded to float32.

        Parameters
        ----------
        start, stop : frames to give, by default all.
        """
        samples = self.samples[start:stop]
        return np.ascontiguousarray(_full_scale(samples).T, dtype=np.float32)

    def with_region(self, start: int, audio: Floats) -> Recording:
        """The recording with `audio` in place of what began at frame `start`.

        The new part is rounded to the nearest value of the recording's own bit depth, without
        dither, and clipped where it overflows. All other samples stay bit for bit.

        Parameters
        ----------
        start : first frame to replace
        audio : array, shape (channels, n), full scale [-1, 1]

        Raises
        ------
        ValueError
            If the channels differ, the part does not lie inside, or it holds NaN or infinity.
        """
        new = _rows(audio)
        stop = start + len(new)
        if new.shape[1] != self.channels:
            raise ValueError(f"the part has {new.shape[1]} channels, the recording {self.channels}")
        if start < 0 or stop > self.frames:
            raise ValueError(f"frames {start} to {stop} do not lie in 0 to {self.frames}")
        samples = self.samples.copy()
        samples[start:stop], _ = _quantise(new, self.subtype)
        return replace(self, samples=samples)


def names_file(text: str | os.PathLike[str]) -> bool:
    """Whether there is an ordinary file of this name; text too long to be a name is none."""
    try:
        return Path(text).is_file()
    except OSError:
        return False


def names_audio(text: str | os.PathLike[str]) -> bool:
    """Whether `text` ends like an audio file, there or not."""
    return Path(text).suffix.lower() in _CONTAINERS


def is_silent(recording: Recording) -> bool:
    """Whether no channel moves by more than one step of 16 bit (-90 dBFS) around its middle.

    A recording without samples is silent.
    """
    audio = recording.audio()
    return not recording.frames or bool((np.ptp(audio, axis=1) <= 2 * SILENCE).all())


def read_recording(
    path: str | os.PathLike[str],
    *,
    what: str = "audio",
    longest: float = MAX_SECONDS,
    most: float = math.inf,
) -> Recording:
    """Read an audio file in its own sample type.

    Parameters
    ----------
    path : any file libsndfile reads: WAV, FLAC, OGG, MP3, AIFF and more
    what : what the file is for, to open the error line with, such as "reference"
    longest : seconds; what says it is longer is refused before anything is decoded
    most : samples of all channels together; what says it has more is refused likewise

    Raises
    ------
    InputError
        If the file is missing, a folder, closed to this user, not audio, damaged, empty, longer
        than `longest` or a day, of more than 64 channels, more than `most` samples or of a rate
        outside 1 kHz to 768 kHz, or if it holds NaN or infinite samples.
    """
    name = f"{what} {path}"
    _check_source(Path(path), name)
    with _open(path, name) as file:
        _check_header(file, name)
        if file.frames > longest * file.samplerate:
            seconds = file.frames / file.samplerate
            raise InputError(f"{name}: lasts {seconds:.1f} s, more than {longest:g} s; cut it")
        if (count := file.frames * file.channels) > most:
            raise InputError(
                f"{name}: holds {count / 1e6:.1f} million samples, more than {most / 1e6:g};"
                " resample it or mix it down"
            )
        samples = _decode(file, name)
        recording = Recording(samples, file.samplerate, file.format, file.subtype)
    _check_finite(recording, name)
    return recording


def read_audio(
    path: str | os.PathLike[str], sample_rate: int, *, mono: bool = True, what: str = "audio"
) -> Audio:
    """Read an audio file at a given rate.

    Parameters
    ----------
    path : any file libsndfile reads
    sample_rate : rate of the result, Hz
    mono : whether to average the channels
    what : what the file is for, to open the error line with

    Returns
    -------
    array, float32, shape (1, N) if `mono`, else (channels, N)

    Raises
    ------
    InputError
        As `read_recording`, and if nothing is left at this rate.
    """
    recording = read_recording(path, what=what)
    audio = recording.audio()
    if mono:
        audio = audio.mean(axis=0, keepdims=True)
    audio = resample(audio, recording.sample_rate, sample_rate)
    if not audio.size:
        raise InputError(f"{what} {path}: too short to use at {sample_rate} Hz; give a longer file")
    return audio


def resample(audio: Floats, from_rate: int, to_rate: int) -> Audio:
    """Resample by soxr at its very high quality, without delay.

    Parameters
    ----------
    audio : array, shape (channels, N)
    from_rate, to_rate : Hz

    Returns
    -------
    array, float32, shape (channels, round(N * to_rate / from_rate))
    """
    audio = np.asarray(audio, dtype=np.float32)
    if from_rate == to_rate:
        return audio
    length = round(audio.shape[1] * to_rate / from_rate)
    result = soxr.resample(np.ascontiguousarray(audio.T), from_rate, to_rate, quality="VHQ")
    return np.ascontiguousarray(result[:length].T)


def write_recording(
    path: str | os.PathLike[str], recording: Recording, *, loops: bool = False
) -> int:
    """Write a recording; the format follows from the suffix of `path`.

    With `loops` a WAV says that it repeats as a whole.

    The samples are written bit for bit if the format holds the recording's subtype, and else
    rounded to `held_subtype(path, recording.subtype)`. The file appears whole or not at all.

    Returns
    -------
    int
        How many samples lay outside [-1, 1] and were clipped; always 0 where nothing is rounded.

    Raises
    ------
    InputError
        As `write_audio`.
    """
    subtype = held_subtype(path, recording.subtype)
    samples, clipped = recording.samples, 0
    if subtype != recording.subtype:
        samples, clipped = _quantise(_full_scale(samples), subtype)
    _write(Path(path), samples, recording.sample_rate, subtype, loops)
    return clipped


def write_audio(
    path: str | os.PathLike[str], audio: Given, sample_rate: int, *, subtype: str | None = None
) -> int:
    """Write audio as it is: no dither, no change of level; the format follows from the suffix.

    The file appears whole or not at all, see `ditto_music.whole`.

    Parameters
    ----------
    path : where to write; .wav, .flac, .ogg, .oga, .opus, .mp3, .aiff, .aif, .caf, .au, .w64, .rf64
    audio : array, shape (channels, N) or (N,), full scale [-1, 1], of whole numbers their type's
    sample_rate : Hz
    subtype : such as "PCM_16" or "FLOAT"; without it, and where the format cannot hold it, the
        one that `held_subtype` gives (24 bit for files without loss)

    Returns
    -------
    int
        How many samples lay outside [-1, 1] and were clipped; always 0 for float and lossy files.

    Raises
    ------
    InputError
        If the suffix or the subtype is unknown, the format does not hold these channels at this
        rate, or the file cannot be written (see `check_output`; a full disk).
    ValueError
        If the audio is empty, not (channels, N), or holds NaN or infinity.
    """
    subtype = held_subtype(path, subtype)
    samples, clipped = _quantise(_some_rows(audio), subtype)
    _write(Path(path), samples, sample_rate, subtype)
    return clipped


def held_subtype(path: str | os.PathLike[str], subtype: str | None = None) -> str:
    """The subtype a file of this suffix is written with when `subtype` is asked for.

    That is `subtype` itself where the format holds it; else the narrowest one that holds its
    samples exactly; else the widest there is. Lossy subtypes count as FLOAT, their samples once
    decoded. Without `subtype`: PCM_24, or the suffix's own lossy one (.ogg is Vorbis).

    Raises
    ------
    InputError
        If the suffix or the subtype is unknown.
    """
    _, held = _container(Path(path))
    if subtype is None or subtype in held:
        return subtype or held[0]
    if subtype not in soundfile.available_subtypes():
        choices = ", ".join(held)
        raise InputError(f"{path}: the sample type {subtype} is unknown; choose from {choices}")
    wanted = _WIDTHS.get(subtype, _WIDTHS["FLOAT"])
    ranked = sorted((choice for choice in held if choice in _WIDTHS), key=_WIDTHS.__getitem__)
    enough = [choice for choice in ranked if _WIDTHS[choice] >= wanted]
    return [*enough, *reversed(ranked), *held][0]


def holds_exactly(path: str | os.PathLike[str], subtype: str) -> bool:
    """Whether a file of this suffix holds the samples of a subtype, once decoded, bit for bit.

    Raises
    ------
    InputError
        As `held_subtype`.
    """
    wanted = _WIDTHS.get(subtype, _WIDTHS["FLOAT"])
    return _WIDTHS.get(held_subtype(path, subtype), 0) >= wanted


def check_output(path: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Check that audio can be written at `path`, before any long work. Nothing is written.

    Raises
    ------
    InputError
        If the suffix is unknown, the folder does not exist or cannot be written to, `path` is a
        folder or a protected file, or it exists and `overwrite` is false.
    """
    check_target(path, overwrite=overwrite)
    _container(Path(path))


def check_held(
    path: str | os.PathLike[str], sample_rate: int, channels: int, subtype: str | None = None
) -> None:
    """Check that a file of this suffix holds such audio, before any long work. Nothing is written.

    Parameters
    ----------
    sample_rate : Hz
    subtype : that the audio has, as `held_subtype` takes it

    Raises
    ------
    InputError
        If the suffix or the subtype is unknown, or the format does not hold these channels at this
        rate.
    """
    subtype = held_subtype(path, subtype)
    _encode(Path(path), np.zeros((1, channels), _sample_type(subtype)), sample_rate, subtype)


def _sample_type(subtype: str) -> Literal["int32", "float32", "float64"]:
    if subtype in _BITS:
        return "int32"
    return "float64" if subtype == "DOUBLE" else "float32"


def _full_scale(samples: Samples) -> npt.NDArray[np.float64]:
    """Samples of any type as float64 of the same shape, full scale [-1, 1]; exact."""
    audio = samples.astype(np.float64)
    return audio * 2.0**-31 if samples.dtype == np.int32 else audio


def _quantise(audio: Floats, subtype: str) -> tuple[Samples, int]:
    """Round audio to the samples of a subtype; also says how many lay outside [-1, 1]."""
    if subtype not in _BITS:
        return audio.astype(_sample_type(subtype)), 0
    top = 2.0 ** (_BITS[subtype] - 1)
    steps = np.clip(np.rint(audio.astype(np.float64) * top), -top, top - 1)
    samples = (steps * 2.0 ** (32 - _BITS[subtype])).astype(np.int32)
    return samples, int(np.count_nonzero(np.abs(audio) > 1))


def _rows(audio: Given) -> Floats:
    """Audio (channels, N) or (N,) as rows (N, channels), checked to be finite numbers.

    Whole numbers are brought from the full scale of their type to [-1, 1].
    """
    rows: Any = np.atleast_2d(np.asarray(audio))
    if rows.ndim != 2:
        raise ValueError(f"audio must be (channels, N) or (N,), not {rows.shape}")
    if np.issubdtype(rows.dtype, np.integer):
        least, most = np.iinfo(rows.dtype).min, np.iinfo(rows.dtype).max
        middle = (least + most + 1) / 2
        rows = (rows.astype(np.float64) - middle) / (middle - least)
    if not np.isfinite(rows).all():
        raise ValueError("audio holds samples that are not finite numbers (NaN or infinity)")
    return np.ascontiguousarray(rows.T)


def _some_rows(audio: Given) -> Floats:
    """The same, of a sample at least and of no more channels than a file has."""
    rows = _rows(audio)
    if not 0 < rows.shape[1] <= MAX_CHANNELS or not len(rows):
        raise ValueError(
            f"audio must be (channels, N) or (N,) with samples and up to {MAX_CHANNELS} channels, "
            f"not {np.shape(audio)}"
        )
    return rows


def _container(path: Path) -> tuple[str, tuple[str, ...]]:
    if path.suffix.lower() not in _CONTAINERS:
        choices = ", ".join(_CONTAINERS)
        ending = f"the suffix {path.suffix} is unknown" if path.suffix else "there is no suffix"
        raise InputError(f"{path}: {ending}; end the name in one of {choices}")
    return _CONTAINERS[path.suffix.lower()]


def _check_source(path: Path, name: str) -> None:
    try:
        if path.is_dir():
            raise InputError(f"{name}: this is a folder; name a file in it")
        if not path.exists():
            raise InputError(f"{name}: there is no such file; check the name")
        if not path.is_file():
            raise InputError(f"{name}: this is not an ordinary file; name an audio file")
        path.open("rb").close()
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise InputError(f"{name}: cannot be opened ({reason}); check its permissions") from error


def _open(path: str | os.PathLike[str], name: str) -> soundfile.SoundFile:
    try:
        # Bytes are taken too: off Windows by any name, on Windows by what its code page has.
        named = os.fspath(path) if sys.platform == "win32" else os.fsencode(path)
        return soundfile.SoundFile(cast("str", named))
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: .raw has no header
        raise InputError(
            f"{name}: not an audio file that can be read; convert it to one of {_READABLE}"
        ) from error


def _check_header(file: soundfile.SoundFile, name: str) -> None:
    if file.channels > MAX_CHANNELS:
        raise InputError(
            f"{name}: has {file.channels} channels, more than {MAX_CHANNELS}; mix it down first"
        )
    if not MIN_RATE <= file.samplerate <= MAX_RATE:
        raise InputError(
            f"{name}: has a rate of {file.samplerate} Hz, outside {MIN_RATE} to {MAX_RATE} Hz;"
            " resample it first"
        )
    if file.frames > MAX_SECONDS * file.samplerate:
        raise InputError(
            f"{name}: is longer than a day, or does not say its length; save it again or cut it"
        )


def _decode(file: soundfile.SoundFile, name: str) -> Samples:
    try:
        samples = file.read(dtype=_sample_type(file.subtype), always_2d=True)
    except soundfile.LibsndfileError as error:
        raise InputError(
            f"{name}: cannot be decoded to its end (damaged or cut short); save it again"
        ) from error
    if not len(samples):
        raise InputError(f"{name}: is empty (0 seconds of audio); give a longer file")
    return cast("Samples", samples)


def _check_finite(recording: Recording, name: str) -> None:
    with np.errstate(over="ignore"):
        finite = np.isfinite(recording.samples.astype(np.float32, copy=False)).all(axis=1)
    if not finite.all():
        seconds = int(np.argmin(finite)) / recording.sample_rate
        raise InputError(
            f"{name}: holds samples that are not numbers (NaN or infinity), the first at"
            f" {seconds:.3f} s; repair or cut it there"
        )


def _write(
    path: Path, samples: Samples, sample_rate: int, subtype: str, loops: bool = False
) -> None:
    data = _encode(path, samples, sample_rate, subtype)
    if loops and _container(path)[0] == "WAV":
        data = with_loop_points(bytes(data), len(samples), sample_rate)
    with whole(path) as draft:
        draft.write_bytes(data)


def with_loop_points(wav: bytes, frames: int, sample_rate: int) -> bytes:
    """A WAV file that says it repeats as a whole, for ever: a `smpl` chunk at its end.

    Samplers and players that know the chunk (Microsoft's Multimedia Data Standards Update, 1994)
    go from the last sample straight to the first.
    """
    period = round(1e9 / sample_rate)
    header = struct.pack("<9I", 0, 0, period, 60, 0, 0, 0, 1, 0)
    forward = struct.pack("<6I", 0, 0, 0, frames - 1, 0, 0)
    chunk = b"smpl" + struct.pack("<I", len(header + forward)) + header + forward
    size = len(wav) + len(chunk) - 8
    return wav[:4] + struct.pack("<I", size) + wav[8:] + chunk


def _encode(path: Path, samples: Samples, sample_rate: int, subtype: str) -> memoryview:
    """The bytes of the file. In memory, for libsndfile does not report a full disk reliably."""
    container, _ = _container(path)
    channels = samples.shape[1]
    refusal = InputError(
        f"{path}: {container} does not hold {channels} channels at {sample_rate} Hz as {subtype};"
        " choose another suffix, such as .wav"
    )
    if subtype == "VORBIS" and sample_rate > _MAX_VORBIS_RATE:
        raise refusal
    buffer = io.BytesIO()
    level = _COMPRESSION.get(subtype)
    try:
        with soundfile.SoundFile(
            buffer, "w", sample_rate, channels, subtype, format=container, compression_level=level
        ) as file:
            for start in range(0, len(samples), _BLOCK):
                file.write(samples[start : start + _BLOCK])
    except soundfile.LibsndfileError as error:
        raise refusal from error
    return buffer.getbuffer()
