"""Audio files: bit-exact rewriting, clear refusals, whole files, resampling."""

from __future__ import annotations

import errno
import os
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ditto_music.audio import (
    Recording,
    check_held,
    check_output,
    held_subtype,
    holds_exactly,
    is_silent,
    read_audio,
    read_recording,
    resample,
    write_audio,
    write_recording,
)
from ditto_music.errors import InputError

RATE = 8000
BITS = {"PCM_U8": 8, "PCM_S8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
LOSSLESS = [
    *[("wav", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")],
    *[("flac", subtype) for subtype in ("PCM_S8", "PCM_16", "PCM_24")],
    *[("aiff", subtype) for subtype in ("PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT")],
    *[("caf", subtype) for subtype in ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")],
    *[(suffix, "PCM_24") for suffix in ("aif", "au", "w64", "rf64")],
]


def noise(subtype: str, frames: int, channels: int) -> np.ndarray:
    """Every value a subtype can hold is likely; both ends of its range are there."""
    generator = np.random.default_rng(0)
    if subtype in BITS:
        top = 2 ** (BITS[subtype] - 1)
        steps = generator.integers(-top, top, (frames, channels))
        steps[0], steps[-1] = -top, top - 1
        return (steps << (32 - BITS[subtype])).astype(np.int32)
    wild = generator.standard_normal((frames, channels)) * 3
    return wild.astype(np.float64 if subtype == "DOUBLE" else np.float32)


def recording(subtype: str, frames: int = 500, channels: int = 2) -> Recording:
    return Recording(noise(subtype, frames, channels), RATE, "WAV", subtype)


def sine(frequency: float, rate: int, seconds: float = 1.0, level: float = 0.5) -> np.ndarray:
    times = np.arange(round(rate * seconds)) / rate
    return (level * np.sin(2 * np.pi * frequency * times)).astype(np.float32)


def refusal(call, *words: str) -> str:
    """The one line of the InputError that `call` must raise; it holds all `words`."""
    with pytest.raises(InputError) as caught:
        call()
    line = str(caught.value)
    assert "\n" not in line
    for word in words:
        assert word in line
    return line


# Bit for bit


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("suffix", "subtype"), LOSSLESS)
def test_rewriting_is_bit_exact(tmp_path: Path, suffix: str, subtype: str, channels: int) -> None:
    original = recording(subtype, channels=channels)
    first, second = tmp_path / f"first.{suffix}", tmp_path / f"second.{suffix}"
    assert write_recording(first, original) == 0
    read = read_recording(first)
    assert write_recording(second, read) == 0
    again = read_recording(second)
    for result in (read, again):
        assert (result.subtype, result.sample_rate) == (subtype, RATE)
        assert result.samples.dtype == original.samples.dtype
        np.testing.assert_array_equal(result.samples, original.samples)


@pytest.mark.parametrize(("subtype", "width"), [("PCM_U8", 1), ("PCM_16", 2), ("PCM_24", 3)])
def test_the_bytes_of_a_wav_survive(tmp_path: Path, subtype: str, width: int) -> None:
    data = np.random.default_rng(1).bytes(600 * width)
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((2, width, RATE, 0, "NONE", ""))
        file.writeframes(data)
    read = read_recording(tmp_path / "a.wav")
    write_recording(tmp_path / "b.wav", read.with_region(100, np.zeros((2, 50))))
    with wave.open(str(tmp_path / "b.wav"), "rb") as file:
        new = file.readframes(300)
    assert read.subtype == subtype
    assert new[: 200 * width] == data[: 200 * width]
    assert new[300 * width :] == data[300 * width :]
    zero = b"\x80" if subtype == "PCM_U8" else b"\0" * width
    assert new[200 * width : 300 * width] == zero * 100


@pytest.mark.parametrize("law", ["ULAW", "ALAW"])
def test_companded_files_become_16_bit_without_change(tmp_path: Path, law: str) -> None:
    soundfile.write(tmp_path / "a.wav", sine(440, RATE), RATE, subtype=law)
    read = read_recording(tmp_path / "a.wav")
    assert write_recording(tmp_path / "b.wav", read) == 0
    again = read_recording(tmp_path / "b.wav")
    assert again.subtype == "PCM_16"
    np.testing.assert_array_equal(again.samples, read.samples)


@pytest.mark.parametrize(
    ("subtype", "expected"), [("PCM_16", [-1, 0.5, 2**-15]), ("PCM_24", [-1, 0.5, 2**-23])]
)
def test_audio_is_scaled_by_a_power_of_two(subtype: str, expected: list[float]) -> None:
    last = 1 << (32 - BITS[subtype])
    samples = np.array([[-(2**31)], [2**30], [last]], dtype=np.int32)
    audio = Recording(samples, RATE, "WAV", subtype).audio()
    assert audio.dtype == np.float32
    assert audio.tolist() == [expected]


def test_recording_describes_itself() -> None:
    take = recording("PCM_16", frames=2000, channels=3)
    assert (take.frames, take.channels, take.seconds) == (2000, 3, 0.25)
    assert take.audio().shape == (3, 2000)


@pytest.mark.parametrize("samples", [np.zeros((4, 1), np.int16), np.zeros(4, np.int32)])
def test_recording_refuses_samples_of_another_type_or_shape(samples: np.ndarray) -> None:
    with pytest.raises(ValueError, match="PCM_16 must be int32"):
        Recording(samples, RATE, "WAV", "PCM_16")


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int16, np.uint16, np.int32])
def test_whole_numbers_are_of_the_full_scale_of_their_type(
    tmp_path: Path, kind: type[np.integer]
) -> None:
    least, most = np.iinfo(kind).min, np.iinfo(kind).max
    middle = (int(least) + int(most) + 1) // 2
    audio = np.array([[least, middle, most]], kind)
    full = Recording.of(audio, RATE, "DOUBLE").samples[:, 0]
    assert full[:2].tolist() == [-1, 0] and full[2] == pytest.approx(1, abs=0.01)
    assert write_audio(tmp_path / "a.wav", audio, RATE, subtype="DOUBLE") == 0
    np.testing.assert_array_equal(read_recording(tmp_path / "a.wav").samples[:, 0], full)


def test_16_bit_numbers_stay_bit_for_bit() -> None:
    audio = np.array([[-32768, -5, 0, 7, 32767]], np.int16)
    samples = Recording.of(audio, RATE, "PCM_16").samples
    np.testing.assert_array_equal(samples[:, 0] >> 16, audio[0])


@pytest.mark.parametrize(
    ("audio", "rate", "subtype", "words"),
    [
        (np.zeros((32_000, 2)), RATE, "PCM_24", r"up to 64 channels, not \(32000, 2\)"),
        (np.zeros((1, 0)), RATE, "PCM_24", "with samples"),
        (np.full((1, 5), np.nan), RATE, "PCM_24", "not finite numbers"),
        (np.zeros((1, 5)), 0, "PCM_24", "the rate is 0 Hz"),
        (np.zeros((1, 5)), RATE, "X", "the sample type X is none of a WAV"),
    ],
)
def test_what_is_no_recording_is_refused(
    audio: np.ndarray, rate: int, subtype: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        Recording.of(audio, rate, subtype)


# Regions


@settings(max_examples=150, deadline=None)
@given(
    subtype=st.sampled_from([*BITS, "FLOAT", "DOUBLE"]),
    channels=st.integers(1, 3),
    start=st.integers(0, 40),
    data=st.data(),
)
def test_a_region_changes_nothing_else_and_is_within_half_a_step(
    subtype: str, channels: int, start: int, data: st.DataObject
) -> None:
    original = recording(subtype, 50, channels)
    before = original.samples.copy()
    length = data.draw(st.integers(0, 50 - start))
    part = data.draw(
        arrays.arrays(np.float64, (channels, length), elements=st.floats(-1.5, 1.5, width=32))
    )
    edited = original.with_region(start, part)
    stop = start + length
    np.testing.assert_array_equal(original.samples, before)
    np.testing.assert_array_equal(edited.samples[:start], before[:start])
    np.testing.assert_array_equal(edited.samples[stop:], before[stop:])
    new = edited.samples[start:stop].T.astype(np.float64)
    if subtype not in BITS:
        np.testing.assert_array_equal(new, part)
        return
    step = 2.0 ** (1 - BITS[subtype])
    assert (new % 2.0 ** (32 - BITS[subtype]) == 0).all()
    error = np.abs(new * 2.0**-31 - np.clip(part, -1, 1 - step))
    assert (error <= step / 2).all()


def test_a_region_survives_the_file(tmp_path: Path) -> None:
    original = recording("PCM_16", 500, 2)
    part = np.stack([sine(300, RATE, 0.01), sine(500, RATE, 0.01)])
    edited = original.with_region(37, part)
    write_recording(tmp_path / "a.flac", edited)
    np.testing.assert_array_equal(read_recording(tmp_path / "a.flac").samples, edited.samples)


@pytest.mark.parametrize(
    ("start", "part", "words"),
    [
        (-1, np.zeros((2, 3)), "do not lie in"),
        (498, np.zeros((2, 3)), "do not lie in"),
        (0, np.zeros((1, 3)), "1 channels, the recording 2"),
        (0, np.full((2, 3), np.nan), "finite"),
        (0, np.zeros((1, 2, 3)), "channels, N"),
    ],
)
def test_a_region_that_does_not_fit_is_refused(start: int, part: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        recording("PCM_16").with_region(start, part)


# Silence


@pytest.mark.parametrize(
    ("samples", "silent"),
    [
        ([0, 0, 0], True),
        ([1, -1, 0], True),
        ([9, 9, 9], True),
        ([2, -2, 0], False),
    ],
)
def test_silence_is_one_step_of_16_bit_around_the_middle(samples: list[int], silent: bool) -> None:
    column = np.array(samples, dtype=np.int32)[:, None] << 16
    assert is_silent(Recording(column, RATE, "WAV", "PCM_16")) is silent


def test_no_samples_are_silence() -> None:
    assert is_silent(recording("PCM_16").part(0, 0))


def test_one_loud_channel_is_not_silence() -> None:
    samples = np.zeros((100, 2), np.float32)
    samples[50, 1] = 0.01
    assert not is_silent(Recording(samples, RATE, "WAV", "FLOAT"))


# Writing


@pytest.mark.parametrize(
    ("name", "asked", "given"),
    [
        ("a.wav", None, "PCM_24"),
        ("a.WAV", "PCM_16", "PCM_16"),
        ("a.wav", "PCM_S8", "PCM_U8"),
        ("a.wav", "MPEG_LAYER_III", "FLOAT"),
        ("a.wav", "VORBIS", "FLOAT"),
        ("a.flac", None, "PCM_24"),
        ("a.flac", "PCM_U8", "PCM_S8"),
        ("a.flac", "PCM_32", "PCM_24"),
        ("a.flac", "FLOAT", "PCM_24"),
        ("a.caf", "PCM_U8", "PCM_S8"),
        ("a.caf", "ALAC_16", "PCM_16"),
        ("a.caf", "ALAC_20", "PCM_24"),
        ("a.caf", "ALAC_32", "PCM_32"),
        ("a.ogg", None, "VORBIS"),
        ("a.ogg", "OPUS", "OPUS"),
        ("a.opus", "VORBIS", "OPUS"),
        ("a.mp3", "PCM_24", "MPEG_LAYER_III"),
    ],
)
def test_a_subtype_falls_back_to_the_nearest(name: str, asked: str | None, given: str) -> None:
    assert held_subtype(name, asked) == given


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff", "rf64"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_what_is_held_exactly_comes_back_bit_for_bit(
    tmp_path: Path, suffix: str, subtype: str
) -> None:
    recording = Recording.of(sine(440, RATE, 0.1, level=0.3), RATE, subtype)
    path = tmp_path / f"a.{suffix}"
    write_recording(path, recording)
    back = read_recording(path)
    length = min(back.frames, recording.frames)
    same = np.array_equal(back.audio()[:, :length], recording.audio()[:, :length])
    assert holds_exactly(path, subtype) == (
        suffix not in ("ogg", "mp3") and (suffix != "flac" or subtype in ("PCM_16", "PCM_24"))
    )
    assert same or not holds_exactly(path, subtype)


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff", "aif", "caf", "au", "w64", "rf64"])
def test_every_subtype_named_can_be_written_by_libsndfile(tmp_path: Path, suffix: str) -> None:
    for subtype in [*BITS, "FLOAT", "DOUBLE"]:
        path = tmp_path / f"{subtype}.{suffix}"
        write_audio(path, sine(440, RATE, 0.01), RATE, subtype=subtype)
        assert soundfile.info(path).subtype == held_subtype(path, subtype)


def test_new_audio_is_24_bit_at_its_own_level(tmp_path: Path) -> None:
    audio = np.stack([sine(440, RATE, level=0.01), sine(220, RATE, level=0.02)])
    assert write_audio(tmp_path / "a.wav", audio, RATE) == 0
    read = read_recording(tmp_path / "a.wav")
    assert (read.subtype, read.sample_rate, read.channels) == ("PCM_24", RATE, 2)
    np.testing.assert_allclose(read.audio(), audio, rtol=0, atol=2.0**-24)


def test_clipped_samples_are_counted(tmp_path: Path) -> None:
    audio = np.array([0.5, 1.0, 1.5, -1.0, -1.5, 1.01], np.float32)
    assert write_audio(tmp_path / "a.wav", audio, RATE, subtype="PCM_16") == 3
    steps = read_recording(tmp_path / "a.wav").samples[:, 0] >> 16
    assert steps.tolist() == [16384, 32767, 32767, -32768, -32768, 32767]


def test_float_files_are_not_clipped(tmp_path: Path) -> None:
    audio = np.array([[0.5, 1.5, -2.5]], np.float32)
    assert write_audio(tmp_path / "a.wav", audio, RATE, subtype="FLOAT") == 0
    np.testing.assert_array_equal(read_recording(tmp_path / "a.wav").audio(), audio)


def test_a_narrower_format_rounds_and_counts(tmp_path: Path) -> None:
    samples = np.array([[0.25 + 0.75 * 2.0**-23], [1.5]], np.float64)
    assert write_recording(tmp_path / "a.flac", Recording(samples, RATE, "WAV", "DOUBLE")) == 1
    steps = read_recording(tmp_path / "a.flac").samples[:, 0] >> 8
    assert steps.tolist() == [2**21 + 1, 2**23 - 1]


@pytest.mark.parametrize(
    "audio", [np.zeros((2, 0)), np.zeros((1, 2, 3)), np.array([0, np.inf]), np.zeros((65, 3))]
)
def test_audio_that_is_no_audio_is_refused(tmp_path: Path, audio: np.ndarray) -> None:
    with pytest.raises(ValueError, match="audio"):
        write_audio(tmp_path / "a.wav", audio, RATE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("suffix", "rate", "tolerance"),
    [("mp3", 44100, 0.05), ("ogg", 44100, 0.03), ("opus", 48000, 0.05)],
)
def test_lossy_files_are_written_and_read(
    tmp_path: Path, suffix: str, rate: int, tolerance: float
) -> None:
    path = tmp_path / f"a.{suffix}"
    audio = np.stack([sine(440, rate), sine(660, rate)])
    assert write_audio(path, audio, rate) == 0
    read = read_recording(path)
    assert (read.frames, read.sample_rate, read.channels) == (rate, rate, 2)
    assert read.samples.dtype == np.float32
    inner = slice(rate // 10, -rate // 10)
    np.testing.assert_allclose(read.audio()[:, inner], audio[:, inner], rtol=0, atol=tolerance)
    write_recording(tmp_path / "b.wav", read)
    again = read_recording(tmp_path / "b.wav")
    assert again.subtype == "FLOAT"
    np.testing.assert_array_equal(again.samples, read.samples)


@pytest.mark.parametrize(("suffix", "rate"), [("mp3", 44100), ("ogg", 44100), ("opus", 48000)])
def test_lossy_files_are_of_high_quality(tmp_path: Path, suffix: str, rate: int) -> None:
    path = tmp_path / f"a.{suffix}"
    write_audio(path, 0.1 * np.random.default_rng(0).standard_normal((2, 3 * rate)), rate)
    assert 200_000 < 8 * path.stat().st_size / 3 < 330_000


def test_long_vorbis_is_written(tmp_path: Path) -> None:
    frames = 3_000_000  # libsndfile ends the process when it gets these at once
    write_audio(tmp_path / "a.ogg", np.zeros(frames, np.float32), RATE)
    assert read_recording(tmp_path / "a.ogg").frames == frames


@pytest.mark.parametrize(
    ("name", "channels", "rate", "words"),
    [
        ("a.mp3", 3, 44100, "MP3 does not hold 3 channels at 44100 Hz"),
        ("a.mp3", 1, 96000, "MP3 does not hold 1 channels at 96000 Hz"),
        ("a.flac", 9, 44100, "FLAC does not hold 9 channels"),
        ("a.flac", 1, 96001, "at 96001 Hz"),
        ("a.opus", 1, 44100, "at 44100 Hz as OPUS"),
        ("a.ogg", 1, 384000, "at 384000 Hz as VORBIS"),
    ],
)
def test_what_a_format_does_not_hold_is_refused(
    tmp_path: Path, name: str, channels: int, rate: int, words: str
) -> None:
    audio = np.zeros((channels, 100), np.float32)
    refusal(lambda: write_audio(tmp_path / name, audio, rate), name, words, ".wav")
    assert list(tmp_path.iterdir()) == []


def test_unknown_names_are_refused_with_the_choices(tmp_path: Path) -> None:
    audio = sine(440, RATE)
    refusal(lambda: write_audio(tmp_path / "a.m4a", audio, RATE), ".m4a is unknown", ".wav, .flac")
    refusal(lambda: write_audio(tmp_path / "a", audio, RATE), "there is no suffix", ".wav, .flac")
    refusal(
        lambda: write_audio(tmp_path / "a.flac", audio, RATE, subtype="PCM_12"),
        "PCM_12 is unknown",
        "PCM_24, PCM_16",
    )
    assert list(tmp_path.iterdir()) == []


def test_check_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there.wav").write_bytes(b"old")
    (tmp_path / "folder.wav").mkdir()
    check_output(tmp_path / "new.flac")
    check_output(tmp_path / "there.wav")
    refusal(lambda: check_output(tmp_path / "new.xyz"), "new.xyz", ".xyz is unknown")
    refusal(lambda: check_output(tmp_path / "no" / "a.wav"), "does not exist; create it")
    refusal(lambda: check_output(tmp_path / "there.wav" / "a.wav"), "does not exist")
    refusal(lambda: check_output(tmp_path / "folder.wav"), "is a folder")
    refusal(lambda: check_output(tmp_path / "there.wav", overwrite=False), "exists already")
    monkeypatch.setattr(os, "access", lambda *_: False)
    refusal(lambda: check_output(tmp_path / "new.wav"), "is not writable")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.wav", "there.wav"]


def test_check_held(tmp_path: Path) -> None:
    every = [".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".caf", ".au", ".w64"]
    for suffix in (*every, ".rf64"):
        check_held(tmp_path / f"a{suffix}", 48_000, 2, "PCM_16")
        check_held(tmp_path / f"a{suffix}", 24_000, 1, "FLOAT")
    refusal(lambda: check_held(tmp_path / "a.opus", 44_100, 2), "OGG does not hold 2 channels")
    refusal(lambda: check_held(tmp_path / "a.mp3", 48_000, 3), "choose another suffix")
    refusal(lambda: check_held(tmp_path / "a.ogg", 384_000, 1), "1 channels at 384000 Hz as VORBIS")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    path = tmp_path / "a.wav"
    path.write_bytes(b"old")
    monkeypatch.setattr(Path, "write_bytes", fill)
    refusal(lambda: write_audio(path, sine(440, RATE), RATE), "a.wav", "no space left")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


# Reading


def zero_length_flac(path: Path) -> None:
    """A FLAC as encoders write it to a pipe: its header does not know the length."""
    soundfile.write(path, sine(440, RATE), RATE)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)


def cut_flac(path: Path) -> None:
    soundfile.write(path, noise("PCM_16", 20000, 1), RATE)
    path.write_bytes(path.read_bytes()[:20000])


def with_nan(path: Path) -> None:
    samples = np.zeros((RATE, 2), np.float32)
    samples[2000, 1] = np.nan
    samples[4000, 0] = np.inf
    soundfile.write(path, samples, RATE, subtype="FLOAT")


BAD_FILES = {
    "missing.wav": (lambda path: None, "no such file"),
    "folder.wav": (Path.mkdir, "is a folder"),
    "pipe.wav": (os.mkfifo, "not an ordinary file"),
    "text.wav": (lambda path: path.write_text("hello"), "WAV, FLAC, OGG, MP3, AIFF"),
    "nothing.wav": (lambda path: path.write_bytes(b""), "not an audio file"),
    "header.wav": (lambda path: path.write_bytes(b"RIFF\0\0\0\0WAVE"), "not an audio file"),
    "headless.raw": (lambda path: path.write_bytes(bytes(400)), "not an audio file"),
    "empty.wav": (lambda path: soundfile.write(path, np.zeros((0, 1)), RATE), "is empty"),
    "crowd.wav": (lambda path: soundfile.write(path, np.zeros((9, 65)), RATE), "65 channels"),
    "slow.wav": (lambda path: soundfile.write(path, np.zeros(9), 900), "900 Hz"),
    "fast.wav": (lambda path: soundfile.write(path, np.zeros(9), 900_000), "900000 Hz"),
    "stream.flac": (zero_length_flac, "does not say its length"),
    "cut.flac": (cut_flac, "cut short"),
    "nan.wav": (with_nan, "the first at 0.250 s"),
    "huge.wav": (
        lambda path: soundfile.write(path, np.full(9, 1e300), RATE, subtype="DOUBLE"),
        "infinity",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    make, words = BAD_FILES[name]
    make(tmp_path / name)
    line = refusal(lambda: read_recording(tmp_path / name, what="reference"), words)
    assert line.startswith(f"reference {tmp_path / name}: ")
    assert refusal(lambda: read_audio(tmp_path / name, RATE)).startswith("audio ")


def test_a_closed_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(path: Path, mode: str) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    write_audio(tmp_path / "a.wav", sine(440, RATE), RATE)
    monkeypatch.setattr(Path, "open", deny)
    refusal(
        lambda: read_recording(tmp_path / "a.wav"), "permission denied", "check its permissions"
    )


def test_silent_files_are_read(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", np.zeros(100), RATE)
    assert is_silent(read_recording(tmp_path / "a.wav"))


@pytest.mark.parametrize("rate", [RATE, 11025, 48000])
def test_read_audio_at_a_rate(tmp_path: Path, rate: int) -> None:
    stereo = np.stack([sine(440, RATE, level=0.6), sine(440, RATE, level=0.2)])
    write_audio(tmp_path / "a.wav", stereo, RATE, subtype="FLOAT")
    both = read_audio(tmp_path / "a.wav", rate, mono=False)
    mono = read_audio(tmp_path / "a.wav", rate)
    assert (both.shape, mono.shape) == ((2, rate), (1, rate))
    assert both.dtype == mono.dtype == np.float32
    inner = slice(rate // 10, -rate // 10)
    expected = sine(440, rate, level=0.4)
    np.testing.assert_allclose(mono[0, inner], expected[inner], rtol=0, atol=1e-4)
    np.testing.assert_allclose(both.mean(axis=0)[inner], mono[0, inner], rtol=0, atol=1e-5)


def test_read_audio_refuses_what_vanishes(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", np.ones(1) / 2, 48000)
    refusal(lambda: read_audio(tmp_path / "a.wav", 8000), "too short")


# Resampling


@pytest.mark.parametrize(
    ("from_rate", "to_rate"), [(44100, 48000), (48000, 44100), (44100, 16000), (8000, 44100)]
)
def test_a_sine_keeps_amplitude_place_and_length(from_rate: int, to_rate: int) -> None:
    result = resample(sine(1000, from_rate)[None], from_rate, to_rate)
    assert result.shape == (1, to_rate)
    assert result.dtype == np.float32
    inner = slice(to_rate // 10, -to_rate // 10)
    np.testing.assert_allclose(result[0, inner], sine(1000, to_rate)[inner], rtol=0, atol=1e-5)


def test_what_the_lower_rate_cannot_hold_is_gone() -> None:
    result = resample(sine(10000, 44100)[None], 44100, 16000)
    assert np.abs(result[0, 2000:-2000]).max() < 1e-5


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    length=st.integers(1, 3000),
    from_rate=st.sampled_from([8000, 11025, 22050, 44100, 48000, 96000]),
    to_rate=st.sampled_from([8000, 16000, 22050, 24000, 44100, 48000]),
)
@example(length=441, from_rate=44100, to_rate=22050)  # soxr alone gives one more
def test_the_length_is_exact(length: int, from_rate: int, to_rate: int) -> None:
    result = resample(np.zeros((2, length)), from_rate, to_rate)
    assert result.shape == (2, round(length * to_rate / from_rate))
