"""The transcriber against the package's own code, and on tones whose notes are known."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from ditto_music import InputError
from ditto_music.audio.files import read_recording
from ditto_music.evaluation.judges.basic_pitch import HOP, RATE, notes_of, transcribe

HERE = Path(__file__).parent
REFERENCE = json.loads((HERE / "basic_pitch_reference.json").read_text())


@pytest.fixture(scope="module")
def guitar() -> tuple[np.ndarray, int]:
    recording = read_recording(HERE.parent / "recordings/guit_em9.flac")
    return recording.audio(), recording.sample_rate


def test_posteriors_and_notes_are_the_packages_own(guitar: tuple[np.ndarray, int]) -> None:
    heard = transcribe(*guitar)
    assert heard.notes.shape == heard.onsets.shape == tuple(REFERENCE["shape"])
    for frame, key, note, onset in REFERENCE["posteriors"]:
        assert heard.notes[frame, key] == pytest.approx(note, abs=1e-3)
        assert heard.onsets[frame, key] == pytest.approx(onset, abs=1e-3)
    assert heard.notes.mean() == pytest.approx(REFERENCE["mean"], abs=1e-5)
    found = [[note.start, note.end, note.pitch] for note in notes_of(heard)]
    assert len(found) == len(REFERENCE["notes"])
    for note, wanted in zip(found, REFERENCE["notes"], strict=True):
        assert note == pytest.approx(wanted, abs=0.011)  # the package's times drift by 10 ms


@pytest.mark.parametrize("start", [0.05, 0.5, 1.9, 3.4, 5.0, 7.7])
def test_a_note_is_heard_where_it_is_in_every_window(start: float) -> None:
    rate = 24_000
    t = np.arange(9 * rate) / rate
    sounds = (t >= start) & (t < start + 0.8)
    clip = 0.2 * sounds * sum(np.sin(2 * np.pi * 440 * k * (t - start)) / k for k in range(1, 6))
    heard = transcribe(clip.astype(np.float32), rate)
    notes = [note for note in notes_of(heard) if note.pitch == 69]
    assert len(notes) == 1
    assert notes[0].start == pytest.approx(start, abs=0.04)
    assert notes[0].end == pytest.approx(start + 0.8, abs=0.1)


def test_times_rise_and_no_frame_is_far_from_the_next() -> None:
    times = transcribe(np.zeros(20 * RATE), RATE).times
    assert times[0] == 0
    steps = np.diff(times) * RATE
    assert steps.min() > 0
    assert steps.max() <= HOP + 1e-6
    assert 19.8 < times[-1] < 20


def test_silence_and_clips_of_one_frame_have_no_notes() -> None:
    assert notes_of(transcribe(np.zeros(RATE), RATE)) == []
    assert notes_of(transcribe(np.zeros(300), RATE)) == []


def test_a_clip_shorter_than_a_frame_is_one_clear_line() -> None:
    with pytest.raises(InputError, match="shorter than one frame"):
        transcribe(np.zeros(100), RATE)


def test_the_network_is_the_published_one() -> None:
    import ditto_music

    folder = Path(ditto_music.__file__).parent / "evaluation/judges/basic_pitch"
    found = hashlib.sha256((folder / "nmp.onnx").read_bytes()).hexdigest()
    assert found == REFERENCE["sha256"]
    assert "Apache License" in (folder / "LICENSE").read_text()
    assert "Spotify" in (folder / "NOTICE").read_text()
