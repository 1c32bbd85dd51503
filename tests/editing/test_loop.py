"""Loops: what is kept stays bit for bit, the end goes on at the beginning, beats come out whole."""

import math
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ditto_music import InputError, Intensity
from ditto_music.editing import loop, loop_from_prompt
from ditto_music.editing.beats import beat_seconds
from ditto_music.editing.loop import beat_of_prompt, plan_loop
from ditto_music.models.small import SmallModel
from tests.editing.sounds import clicks, music

FAST = {"steps": 2, "surrogate_steps": 2, "iterations": 1}


def test_a_recording_and_its_way_back_to_the_beginning(model: SmallModel) -> None:
    original = clicks(4.1, 120.0)
    edit = loop(model, original, "calm", **FAST)
    out = edit.recording
    assert np.array_equal(out.samples[: original.frames], original.samples)
    assert edit.loops
    assert edit.beat == pytest.approx(0.5, abs=0.005)
    assert out.seconds / edit.beat == pytest.approx(round(out.seconds / edit.beat), abs=1e-3)
    assert out.seconds > 4.1 + 0.5
    assert [seam.seconds for seam in edit.seams] == pytest.approx([0.0, 4.1], abs=1e-3)


def test_a_loop_no_longer_than_the_recording_redoes_its_end(model: SmallModel) -> None:
    original = music(5.0, 44_100, 2)
    edit = loop(model, original, "", seconds=4.0, **FAST)
    (start, stop), rate = edit.regions[0], original.sample_rate
    assert stop == pytest.approx(4.0, abs=0.02)
    assert stop - start == pytest.approx(2.0, abs=0.02)
    kept = round(start * rate)
    assert np.array_equal(edit.recording.samples[:kept], original.samples[:kept])
    assert edit.recording.subtype == "PCM_16"


@pytest.mark.parametrize("frames", [16_384, 16_385])
@pytest.mark.parametrize("bridge", [20_000, 20_000.5, 20_001.5])
def test_a_bridge_of_any_length_begins_where_the_recording_ends(frames: int, bridge: float) -> None:
    rate = 16_384  # by which halves of frames are exact
    recording = music(2.0, rate, 1).part(0, frames)
    plan = plan_loop(recording, (frames + bridge) / rate, None, 22.0)
    assert plan.kept == frames
    assert plan.length - plan.kept == pytest.approx(bridge, abs=0.5)


def test_across_the_end_nothing_jumps(model: SmallModel) -> None:
    edit = loop(model, music(4.0, 24_000, 1), "", seconds=6.0, **FAST)
    audio = edit.recording.audio()[0]
    around = np.abs(np.diff(np.concatenate([audio[-40:], audio[:40]])))
    assert around.max() <= np.abs(np.diff(audio)).max()


def test_a_wav_says_where_it_loops_and_reads_as_before(model: SmallModel, tmp_path: Path) -> None:
    edit = loop(model, clicks(3.0, 120.0), "", **FAST)
    edit.save(tmp_path / "loop.wav")
    data = (tmp_path / "loop.wav").read_bytes()
    at = data.index(b"smpl")
    assert struct.unpack("<I", data[4:8])[0] == len(data) - 8
    (size,) = struct.unpack("<I", data[at + 4 : at + 8])
    assert at + 8 + size == len(data)
    loops, _, _, _, first, last = struct.unpack("<I2I3I", data[at + 36 : at + 60])
    assert loops == 1
    assert (first, last) == (0, edit.recording.frames - 1)
    samples, _ = soundfile.read(tmp_path / "loop.wav", dtype="int32", always_2d=True)
    assert np.array_equal(samples, edit.recording.samples)
    edit.save(tmp_path / "loop.flac")
    assert soundfile.info(tmp_path / "loop.flac").frames == edit.recording.frames


def test_from_words_both_ends_meet(model: SmallModel) -> None:
    settings = {"steps": 3, "surrogate_steps": 3, "tolerance": 0.0}
    start = loop_from_prompt(model, "calm", seconds=2.0, **settings, iterations=1)
    edit = loop_from_prompt(model, "calm", seconds=2.0, **settings, iterations=12)
    assert edit.recording.seconds == pytest.approx(2.0, abs=0.011)
    assert edit.recording.sample_rate == model.sample_rate
    final = [each.results[0].items[0].final["seamless"] for each in (start, edit)]
    assert final[1] < 0.5 * final[0]
    assert edit.seams[0].seconds == 0.0


def test_from_words_a_tempo_makes_whole_beats(model: SmallModel) -> None:
    edit = loop_from_prompt(model, "techno, 130 bpm", seconds=2.0, **FAST)
    assert edit.recording.seconds == pytest.approx(4 * 60 / 130, abs=model.seconds_per_frame / 2)
    assert edit.beat == pytest.approx(edit.recording.seconds / 4, rel=1e-9)
    assert edit.report()["bpm"] == pytest.approx(130, abs=1)
    assert beat_of_prompt("calm piano") is None
    assert beat_of_prompt("fast, 97.5BPM") == pytest.approx(60 / 97.5)
    assert beat_of_prompt("0 bpm") is None


@pytest.mark.parametrize("seconds", [math.inf, math.nan])
@pytest.mark.parametrize("prompt", ["techno", "techno, 130 bpm"])
def test_no_loop_from_words_of_no_length(model: SmallModel, prompt: str, seconds: float) -> None:
    with pytest.raises(InputError, match=f"seconds is {seconds:g}: give"):
        loop_from_prompt(model, prompt, seconds=seconds, **FAST)


def test_a_control_on_a_loop_from_words(model: SmallModel) -> None:
    edit = loop_from_prompt(model, "", seconds=2.0, control=Intensity([-20, -20]), **FAST)
    assert set(edit.results[0].items[0].metrics) == {"seamless", "intensity"}


@pytest.mark.parametrize("bpm", [82.0, 97.0, 120.0, 143.0])
def test_beats_are_counted_to_a_thousandth(bpm: float) -> None:
    beat = beat_seconds(clicks(12.0, bpm))
    assert beat is not None
    ratio = beat * bpm / 60
    assert min(abs(ratio / whole - 1) for whole in (0.5, 1.0, 2.0)) < 1e-3


def test_noise_and_short_sounds_have_no_beat() -> None:
    rng = np.random.default_rng(0)
    from ditto_music.audio import Recording

    noise = Recording.of(0.1 * rng.standard_normal((1, 240_000)), 24_000)
    assert beat_seconds(noise) is None
    assert beat_seconds(clicks(1.0, 120.0)) is None


@pytest.mark.parametrize(
    ("seconds", "says"),
    [(0.2, "seconds is 0.2"), (float("inf"), "seconds is inf"), (60.0, "outpaint it first")],
)
def test_lengths_that_cannot_be_looped(seconds: float, says: str) -> None:
    with pytest.raises(InputError, match=says):
        plan_loop(music(5.0, 8_000, 1), seconds, None, 22.0)


def test_too_short_a_recording_is_refused(model: SmallModel) -> None:
    with pytest.raises(InputError, match=r"lasts 0\.50 s"):
        loop(model, music(0.5, 8_000, 1), **FAST)
    with pytest.raises(InputError, match=r"seconds is 0\.5"):
        loop_from_prompt(model, "calm", seconds=0.5, **FAST)
