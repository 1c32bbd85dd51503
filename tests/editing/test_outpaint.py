"""Outpainting: the original inside the result bit for bit, any length, either end."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from ditto_music import InputError, Intensity, Structure, Style
from ditto_music.audio import Recording
from ditto_music.editing import BrokenOff, extend, joins, outpaint
from ditto_music.editing.drift import drift_panels
from ditto_music.editing.extend import (
    check_end,
    check_prompts,
    check_reached,
    prompt_at,
    room_to_extend,
    windows_of,
)
from ditto_music.editing.filling import Filled, Task, Wish, fill, made_to_fit
from ditto_music.editing.windows import window_of
from ditto_music.models.small import SmallModel
from tests.editing.sounds import music

FAST = {"steps": 2, "surrogate_steps": 2, "iterations": 1}


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize(
    ("rate", "channels", "subtype"), [(44_100, 2, "PCM_16"), (24_000, 1, "FLOAT")]
)
def test_the_original_is_in_it_bit_for_bit(
    model: SmallModel, rate: int, channels: int, subtype: str, before: bool
) -> None:
    original = music(2.2, rate, channels, subtype)
    edit = outpaint(model, original, 1.3, "calm", before=before, **FAST)
    out, new = edit.recording, round(1.3 * rate)
    assert (out.sample_rate, out.channels, out.subtype) == (rate, channels, subtype)
    assert out.frames == original.frames + new
    kept = out.samples[new:] if before else out.samples[: original.frames]
    made = out.samples[:new] if before else out.samples[original.frames :]
    assert np.array_equal(kept, original.samples)
    assert (made != 0).mean() > 0.9
    assert [seam.seconds for seam in edit.seams] == pytest.approx([1.3 if before else 2.2])


def test_any_length_in_windows_that_follow_one_another(model: SmallModel, tmp_path: Path) -> None:
    original = music(2.0, 8_000, 1)
    edit = outpaint(model, original, 20.0, overlap=2.0, **FAST)
    assert len(edit.results) == 2
    assert edit.recording.frames == original.frames + 160_000
    assert edit.regions == [(2.0, 12.0), (12.0, 22.0)]
    assert [seam.seconds for seam in edit.seams] == [2.0, 12.0]
    assert [(line.start, line.stop) for line in edit.drift] == edit.regions
    assert edit.read
    assert all(result.items[0].prompt for result in edit.results)
    level, tempo, timbre = drift_panels([replace(line, bpm=90.0) for line in edit.drift[::-1]])
    assert level.times.tolist() == tempo.times.tolist() == timbre.times.tolist() == [7.0, 17.0]
    assert level.achieved.tolist() == pytest.approx([line.level_db for line in edit.drift])
    assert timbre.achieved.tolist() == pytest.approx([line.timbre for line in edit.drift])
    assert drift_panels(edit.drift[:1]) == []
    silent = [replace(line, bpm=None) for line in edit.drift]
    assert [panel.name for panel in drift_panels(silent, level=False)] == ["drift of timbre"]
    edit.plot(tmp_path / "long.png")
    assert (tmp_path / "long.png").stat().st_size > 20_000


def test_backwards_the_windows_are_in_place_too(model: SmallModel) -> None:
    original = music(2.0, 8_000, 1)
    edit = outpaint(model, original, 20.0, "calm", before=True, overlap=2.0, **FAST)
    assert edit.regions == [(10.0, 20.0), (0.0, 10.0)]
    assert [seam.seconds for seam in edit.seams] == [10.0, 20.0]
    assert np.array_equal(edit.recording.samples[160_000:], original.samples)


def test_the_prompt_changes_on_the_way(model: SmallModel) -> None:
    plan = [(0.0, "calm piano"), (10.0, "techno")]
    edit = outpaint(model, music(2.0, 8_000, 1), 20.0, plan, overlap=2.0, **FAST)
    assert [result.items[0].prompt for result in edit.results] == ["calm piano", "techno"]
    assert not edit.read


def test_a_control_is_asked_of_the_new_music_alone(model: SmallModel) -> None:
    sound = music(2.0, 24_000, 1)
    edit = outpaint(model, sound, 20.0, "", overlap=2.0, control=Intensity([-40, -20]), **FAST)
    first, second = (result.items[0] for result in edit.results)
    assert set(first.final) >= {"match", "intensity"}
    halves = [item.panels[0] for item in (first, second)]
    assert float(halves[0].target[0]) == pytest.approx(-39.5, abs=1.0)
    assert float(halves[0].target[-1]) == pytest.approx(-30, abs=1.0)
    assert float(halves[1].target[-1]) == pytest.approx(-20.5, abs=1.0)
    assert abs(float(halves[0].target[-1]) - float(halves[1].target[0])) < 0.2
    with patch("ditto_music.pictures.draw_edit") as drawn:
        edit.plot("out.png")
    names = [panel.name for _, panel in drawn.call_args.args[3]]
    assert "drift of timbre" in names
    assert "drift of level" not in names


def test_what_needs_the_whole_is_refused_over_several_windows(model: SmallModel) -> None:
    with pytest.raises(InputError, match="structure: 20 s are made in parts"):
        outpaint(model, music(2.0, 8_000, 1), 20.0, "", control=Structure("ABA"), **FAST)
    once = outpaint(model, music(2.0, 24_000, 1), 2.0, "", control=Structure("ABA"), **FAST)
    assert "structure" in once.results[0].items[0].metrics
    timeless = outpaint(model, music(2.0, 24_000, 1), 1.0, "", control=Style("jazz"), **FAST)
    assert "style" in timeless.results[0].items[0].metrics


def test_ctrl_c_keeps_the_windows_already_made(model: SmallModel) -> None:
    original, seen = music(2.0, 8_000, 1), list[int]()

    def callback(progress: object) -> None:
        seen.append(1)
        if len(seen) == 2:
            raise KeyboardInterrupt

    edit = outpaint(model, original, 30.0, "", overlap=2.0, callback=callback, **FAST)
    assert [result.items[0].stopped for result in edit.results] == ["iterations", "interrupted"]
    assert edit.recording.frames == original.frames + 160_000


def test_later_windows_continue_the_whole_overlap_of_a_shorter_recording(
    model: SmallModel,
) -> None:
    edit = outpaint(model, music(1.0, 8_000, 1), 18.0, "", overlap=3.0, **FAST)
    windows = [task.window for task in edit.tasks if isinstance(task, Task)]
    assert [window.start - window.begin for window in windows] == [8_000, 24_000]


@pytest.mark.parametrize("before", [False, True])
def test_a_window_that_fails_leaves_the_ones_before_it(
    model: SmallModel, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    original, once = music(2.0, 8_000, 1), extend.fill

    def third_fails(*args: Any, seed: int, **kwargs: Any) -> Filled:
        if seed == 2:
            raise FloatingPointError("the loss was never a finite number")
        return once(*args, seed=seed, **kwargs)

    given: dict[str, Any] = {"overlap": 2.0, "before": before} | FAST
    monkeypatch.setattr(extend, "fill", third_fails)
    with pytest.raises(BrokenOff, match="never a finite number") as broken:
        outpaint(model, original, 30.0, "", **given)
    edit = broken.value.edit
    assert isinstance(broken.value.__cause__, FloatingPointError)
    assert edit.recording.frames == original.frames + 160_000
    kept = edit.recording.samples[160_000:] if before else edit.recording.samples[:16_000]
    assert np.array_equal(kept, original.samples)
    assert edit.regions == ([(10, 20), (0, 10)] if before else [(2, 12), (12, 22)])
    monkeypatch.setattr(extend, "fill", lambda *_, **__: third_fails(seed=2))
    with pytest.raises(FloatingPointError):
        outpaint(model, original, 30.0, "", **given)


@pytest.mark.parametrize(
    ("seconds", "overlap", "says"),
    [
        (0.0, 3.0, "seconds is 0"),
        (float("nan"), 3.0, "seconds is nan"),
        (1e9, 3.0, "seconds is 1e\\+09"),
        (5.0, 0.0, "overlap is 0"),
        (5.0, 11.5, "overlap is 11.5"),
    ],
)
def test_bad_numbers_are_one_clear_line(seconds: float, overlap: float, says: str) -> None:
    with pytest.raises(InputError, match=says):
        windows_of(music(3.0, 8_000, 1), seconds, overlap, 24.0)


def test_too_little_to_continue_is_refused(model: SmallModel) -> None:
    with pytest.raises(InputError, match=r"lasts 0\.30 s"):
        outpaint(model, music(0.3, 8_000, 1), 2.0, **FAST)
    silent = replace(music(3.0, 8_000, 1), samples=np.zeros((24_000, 1), np.int32))
    with pytest.raises(InputError, match="silent"):
        outpaint(model, silent, 2.0, **FAST)


def test_an_end_of_silence_is_refused_with_how_long_it_is(model: SmallModel) -> None:
    original = music(6.0, 8_000, 2)
    ends = original.with_region(8_000, np.zeros((2, 40_000)))
    begins = replace(ends, samples=ends.samples[::-1])
    cut = r"5\.00 s are silent: cut them, or take a longer --overlap"
    with pytest.raises(InputError, match=f"recording's last {cut}"):
        outpaint(model, ends, 1.0, "calm", **FAST)
    with pytest.raises(InputError, match=f"recording's first {cut}"):
        outpaint(model, begins, 1.0, "calm", before=True, **FAST)
    check_end(ends, 3.0, before=True)
    check_end(ends, 5.5)
    long = extend.with_room(ends, ends.frames, 80_000)
    with pytest.raises(InputError, match=r"last 15\.00 s are silent: cut them$"):
        check_end(long, 11.0)


def test_plans_begin_at_zero_and_rise() -> None:
    assert prompt_at(check_prompts([(0, "a"), (5, "b")]), 4.9) == "a"
    assert prompt_at(check_prompts([(0, "a"), (5, "b")]), 5.0) == "b"
    for bad in ([], [(1.0, "a")], [(0.0, "a"), (0.0, "b")]):
        with pytest.raises(InputError, match="rise from 0"):
            check_prompts(bad)


def test_a_prompt_that_no_window_begins_under_is_refused(model: SmallModel) -> None:
    plan = [(0.0, "calm"), (20.0, "full band")]
    check_reached(plan, [0.0, 8.0, 16.0, 24.0, 32.0])
    with pytest.raises(InputError, match=r"'full band' of 20 s would never .* at 0, 7.33, 14.7 s"):
        check_reached(plan, [0.0, 7.333, 14.667])
    with pytest.raises(InputError, match=r"'calm' of 0 s would never"):
        check_reached([(0.0, "calm"), (0.0005, "loud")], [0.0])
    with pytest.raises(InputError, match=r"'loud' of 0.5 s would never"):
        outpaint(model, music(2.0, 8_000, 1), 1.0, [(0, "calm"), (0.5, "loud")], **FAST)


def test_windows_of_whole_samples_begin_under_their_prompts(model: SmallModel) -> None:
    """They may begin half a sample before it, be it the first."""
    edit = outpaint(model, music(2.0, 8_000, 1), 0.33335, "calm", before=True, **FAST)
    assert edit.results[0].items[0].prompt == "calm"
    assert prompt_at([(0.0, "a"), (20 / 3, "b")], round(20 / 3 * 22_050) / 22_050) == "b"


def test_a_window_of_whole_samples_is_no_longer_than_a_clip(
    model: SmallModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "seconds_range", (0.5, 10.0))
    edit = outpaint(model, music(9.0, 11_025, 1), 4.2, "", overlap=7.9, **FAST)
    assert edit.recording.frames == round(13.2 * 11_025)
    for start in (3.3, 3.46, 4.06):
        hole = window_of(music(14.0, 11_025, 1), (start, start + 8.0), 10.0)
        assert hole.frames <= 110_250


@pytest.mark.parametrize("before", [False, True])
def test_every_window_begins_from_the_recording_itself(
    model: SmallModel, before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = music(2.0, 8_000, 1)
    sources: list[np.ndarray] = []

    def watched(model: SmallModel, recording: Recording, *args: object, **more: object) -> Filled:
        first, last = more["source"]
        sources.append(recording.samples[first:last])
        return fill(model, recording, *args, **more)

    monkeypatch.setattr(extend, "fill", watched)
    outpaint(model, original, 20.0, "", overlap=2.0, before=before, **FAST)
    assert len(sources) == 2
    assert all(np.array_equal(source, original.samples) for source in sources)


def test_an_open_end_is_soon_back_at_the_recordings_level() -> None:
    loud = music(8.0, 24_000, 1)
    soft = loud.with_region(5 * 24_000, loud.audio(5 * 24_000) * 0.25)  # ends 12 dB down
    roomy, window = room_to_extend(soft, 6 * 24_000, 3 * 24_000)
    clip = 0.25 * music(9.0, 24_000, 1).audio()
    part = made_to_fit(roomy, window, clip, 24_000, Wish(level=joins.rms(loud.audio())))
    first, later = part[:, : 24_000 // 2], part[:, 2 * 24_000 :]
    wanted = joins.rms(loud.audio())
    assert joins.rms(first) < 0.6 * wanted
    assert joins.rms(later) == pytest.approx(wanted, rel=0.2)


def test_an_open_end_of_wide_stereo_is_no_louder_than_the_recording(model: SmallModel) -> None:
    """Its middle is the softer, the less alike the channels are."""
    noise = 0.1 * np.random.default_rng(8).standard_normal((2, 5 * 24_000))
    edit = outpaint(model, Recording.of(noise, 24_000), 6.0, "calm", **FAST)
    later = edit.recording.audio(8 * 24_000)
    change = 20 * np.log10(joins.rms(later) / joins.rms(noise))
    assert change == pytest.approx(0, abs=1.0)
