"""Inpainting: outside the hole nothing changes, at the hole's edges nothing jumps."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ditto_music import InputError, Intensity, Tempo
from ditto_music.audio import Recording
from ditto_music.editing import BrokenOff, inpaint, invert, joins, loop, measure_seam, outpaint
from ditto_music.editing.describe import describe
from ditto_music.editing.edit import Edit
from ditto_music.editing.filling import Task, Wish, made_to_fit
from ditto_music.editing.inpaint import check_regions
from ditto_music.editing.windows import Window, outside, window_of
from ditto_music.models.small import SmallModel
from tests.editing.sounds import music

FAST = {"steps": 3, "surrogate_steps": 3, "iterations": 2}


@pytest.mark.parametrize(
    ("rate", "channels", "subtype"),
    [(44_100, 2, "PCM_16"), (24_000, 1, "PCM_24"), (48_000, 2, "FLOAT"), (11_025, 1, "PCM_16")],
)
def test_outside_the_hole_every_sample_is_the_users(
    model: SmallModel, rate: int, channels: int, subtype: str
) -> None:
    original = music(3.3, rate, channels, subtype)
    edit = inpaint(model, original, [(1.1, 1.7)], "calm", **FAST)
    start, stop = round(1.1 * rate), round(1.7 * rate)
    out = edit.recording
    assert (out.sample_rate, out.subtype, out.samples.shape) == (
        rate,
        subtype,
        original.samples.shape,
    )
    assert np.array_equal(out.samples[:start], original.samples[:start])
    assert np.array_equal(out.samples[stop:], original.samples[stop:])
    changed = (out.samples[start:stop] != original.samples[start:stop]).any(1)
    assert changed.mean() > 0.8


def test_several_regions_and_the_very_edges(model: SmallModel) -> None:
    original = music(4.0, 24_000, 1)
    edit = inpaint(model, original, [(3.5, 4.0), (0.0, 0.4), (1.5, 2.0)], **FAST)
    same = (edit.recording.samples == original.samples)[:, 0]
    kept = np.ones(len(same), dtype=bool)
    for start, stop in edit.regions:
        kept[round(start * 24_000) : round(stop * 24_000)] = False
    assert edit.regions == [(0.0, 0.4), (1.5, 2.0), (3.5, 4.0)]
    assert same[kept].all()
    assert not same[~kept].all()
    assert [seam.seconds for seam in edit.seams] == [0.4, 1.5, 2.0, 3.5]


@pytest.mark.parametrize("fresh", [0.0, 1.0])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("second", [(2.0, 2.5), (1.5, 2.3), (1.55, 6.0)])
def test_what_stands_in_a_later_region_does_not_count(
    model: SmallModel, second: tuple[float, float], channels: int, fresh: float
) -> None:
    """Neither as what stays, nor as what begins the search, nor for colour and level."""
    one = music(6.0, 8_000, channels)
    noise = 0.3 * np.random.default_rng(6).standard_normal((channels, 32_000))
    start, stop = (round(edge * 8_000) for edge in second)
    other = one.with_region(start, noise[:, : stop - start])
    search = {"fresh": fresh, **FAST}
    made = [inpaint(model, each, [(1.0, 1.5), second], "", **search) for each in (one, other)]
    noises = [edit.results[0].items[0].x_T for edit in made]
    assert torch.equal(*noises)
    first = slice(8_000, 12_000)
    assert np.array_equal(*(edit.recording.samples[first] for edit in made))
    assert np.array_equal(*(edit.recording.samples[start:stop] for edit in made))


def test_the_prompt_is_read_from_around_the_hole(model: SmallModel) -> None:
    one = music(6.0, 24_000, 1)
    noise = 0.5 * np.random.default_rng(7).standard_normal((1, 48_000))
    other = one.with_region(48_000, noise)
    edits = [inpaint(model, each, [(2.0, 4.0)], **FAST) for each in (one, other)]
    first, second = (edit.results[0].items[0].prompt for edit in edits)
    assert first == second
    assert describe(one) != describe(other)


def test_where_nothing_else_is_left_a_later_region_is_followed(model: SmallModel) -> None:
    edit = inpaint(model, music(3.0, 8_000, 2), [(0.0, 1.5), (1.5, 3.0)], "", **FAST)
    assert [len(result.items) for result in edit.results] == [1, 1]


def test_what_is_outside_of_holes() -> None:
    assert outside((2, 9), []) == [(2, 9)]
    assert outside((2, 9), [(5, 6), (0, 3), (6, 7), (8, 12), (20, 30)]) == [(3, 5), (7, 8)]
    assert outside((2, 9), [(0, 12)]) == []
    window = Window(10, 20, 30, 60, coming=((35, 40), (80, 90)))
    assert window.stays == [slice(0, 10), slice(20, 25), slice(30, 50)]
    assert window.near == slice(0, 25)
    assert Window(10, 20, 30, 60, coming=((30, 40),)).near == slice(0, 20)
    assert window.later(5).stays == window.stays


def test_a_long_file_costs_what_its_hole_costs() -> None:
    recording = music(60.0, 8_000, 1)
    window = window_of(recording, (30.0, 31.0), 24.0)
    assert (window.end - window.begin) / 8_000 == pytest.approx(6.0, abs=0.01)
    at_start = window_of(recording, (0.2, 1.2), 24.0)
    assert at_start.begin == 0
    assert (at_start.end - at_start.begin) / 8_000 == pytest.approx(6.0, abs=0.01)


def test_same_seed_same_samples(model: SmallModel) -> None:
    original = music(2.0, 24_000, 1)
    runs = [inpaint(model, original, [(0.8, 1.2)], seed=3, **FAST) for _ in range(2)]
    assert np.array_equal(runs[0].recording.samples, runs[1].recording.samples)
    other = inpaint(model, original, [(0.8, 1.2)], seed=4, **FAST)
    assert not np.array_equal(runs[0].recording.samples, other.recording.samples)


def test_the_new_part_takes_the_level_and_balance_of_its_surroundings() -> None:
    original = music(3.0, 24_000, 2)
    window = window_of(original, (1.0, 2.0), 24.0)
    clip = original.audio().mean(0)[window.begin : window.end] * 0.6  # a codec that loses 4 dB
    part = made_to_fit(original, window, clip[None], 24_000)
    middle = slice(29_000, 43_000)  # beyond the longest fades
    out = original.with_region(window.start, part).audio()[:, middle]
    wanted = original.audio()[:, middle]
    for new, old in zip(out, wanted, strict=True):
        assert 20 * math.log10(joins.rms(new) / joins.rms(old)) == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize(
    ("regions", "says"),
    [
        ([], "no region"),
        ([(2.0, 1.0)], "ends before it begins"),
        ([(1.0, 1.0)], "ends before it begins"),
        ([(-1.0, 1.0)], "outside the recording"),
        ([(1.0, 9.0)], "outside the recording"),
        ([(1.0, 1.01)], "make it longer"),
        ([(1.0, math.nan)], "two numbers"),
        ([(0.0, 2.9)], "less than half a second"),
        ([(0.5, 1.5), (1.2, 2.0)], "overlap"),
        ([1.0, 2.0], "pairs of seconds"),
        ([(1, 2, 3)], "pairs of seconds"),
        (np.array([1.0, 2.0]), "pairs of seconds"),
    ],
)
def test_bad_regions_are_one_clear_line(regions: list[tuple[float, float]], says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        check_regions(music(3.0, 8_000, 1), regions, 24.0)
    assert "\n" not in str(caught.value)


def test_regions_may_be_an_array() -> None:
    regions: Any = np.array([[1.0, 2.0], [0.2, 0.5]])
    assert check_regions(music(3.0, 8_000, 1), regions, 24.0) == [(0.2, 0.5), (1.0, 2.0)]


@pytest.mark.parametrize("what", ["take.wav", np.zeros((1, 8_000))], ids=["path", "array"])
@pytest.mark.parametrize("edit", [inpaint, outpaint, loop, invert])
def test_what_is_no_recording_is_told(model: SmallModel, edit: Any, what: object) -> None:
    more = {inpaint: [[(0.5, 1.0)]], outpaint: [2.0]}.get(edit, [])
    with pytest.raises(InputError, match=f"a {type(what).__name__} is no recording: give what"):
        edit(model, what, *more)


def test_a_region_may_end_where_the_recording_is_said_to() -> None:
    sound = music(3.4564, 8_000, 1)
    assert check_regions(sound, [(2.0, 3.46)], 24.0) == [(2.0, sound.seconds)]
    assert check_regions(sound, [(2.0, 3.45)], 24.0) == [(2.0, 3.45)]
    with pytest.raises(InputError, match="outside the recording"):
        check_regions(sound, [(2.0, 3.48)], 24.0)


def test_a_clipped_sample_is_counted_once_and_where_it_is_clipped(tmp_path: Path) -> None:
    samples = {subtype: music(2.0, 8_000, 1, subtype) for subtype in ("PCM_16", "FLOAT")}
    window = window_of(samples["FLOAT"], (0.5, 1.5), 24.0)
    nothing = torch.zeros(1, 1)
    task = Task(window, Wish(Intensity([-1, -1])), nothing, nothing[0], 8_000)
    clip = torch.from_numpy(8 * samples["FLOAT"].audio())
    counts: dict[str, int] = {}
    for subtype, recording in samples.items():
        made, loud = task.put(recording, clip, 8_000)
        edit = Edit(made, [(0.5, 1.5)], [], [], clipped=loud)
        for suffix in ("wav", "flac"):
            counts[subtype + suffix] = edit.save(tmp_path / f"a.{suffix}")
    assert counts["FLOATwav"] == 0
    assert counts["FLOATflac"] == counts["PCM_16wav"] == counts["PCM_16flac"] > 100


def test_silence_cannot_be_followed() -> None:
    silent = replace(music(3.0, 8_000, 1), samples=np.zeros((24_000, 1), np.int32))
    with pytest.raises(InputError, match="silent"):
        check_regions(silent, [(1.0, 2.0)], 24.0)


def test_crossfade_keeps_the_power_whatever_the_correlation() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((2, 1, 40_000))
    for other in (b, a, 0.7 * a + math.sqrt(1 - 0.49) * b):
        mixed = joins.crossfade(a, other)[0]
        powers = np.square(mixed).reshape(8, -1).mean(1)
        assert np.allclose(powers, 1, atol=0.08)
    assert np.allclose(joins.crossfade(a, a), a)


def test_crossfade_starts_with_the_old_and_ends_with_the_new() -> None:
    old, new = np.full((1, 1000), 1.0), np.full((1, 1000), -0.5)
    mixed = joins.crossfade(old, new)
    assert mixed[0, 0] == pytest.approx(1.0, abs=0.01)
    assert mixed[0, -1] == pytest.approx(-0.5, abs=0.01)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5000), st.integers(0, 4000), st.integers(0, 4000))
def test_splice_is_continuous_where_music_adjoins(length: int, before: int, after: int) -> None:
    t = np.arange(before + length + after) / 8_000
    old, new = 0.5 * np.sin(2 * np.pi * 200 * t)[None], 0.5 * np.sin(2 * np.pi * 350 * t + 1)[None]
    hole = slice(before, before + length)
    out = joins.splice(old, new, new[:, hole], hole, 8_000)
    assert out.shape == (1, length)
    assert np.isfinite(out).all()
    if length > 400:
        if before > 1000:
            assert out[0, 0] == pytest.approx(old[0, before], abs=0.1)
        if after > 1000:
            assert out[0, -1] == pytest.approx(old[0, before + length - 1], abs=0.1)


def test_without_words_nothing_is_louder_than_what_stands_beside_it() -> None:
    rng = np.random.default_rng(5)
    t = np.arange(144_000) / 24_000
    sound = 0.1 * np.sin(2 * np.pi * 440 * t) + 1e-4 * rng.standard_normal(len(t))
    rumble = sound + 0.2 * np.sin(2 * np.pi * 60 * t) * ((t > 2) & (t < 4))
    original = Recording.of(sound[None], 24_000, "FLOAT")
    window = window_of(original, (2.0, 4.0), 24.0)
    clip = rumble[None, window.begin : window.end]

    def powers(within: bool) -> tuple[float, float]:
        part = made_to_fit(original, window, clip, 24_000, Wish(within=within))[0, 12_000:36_000]
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part))))
        return spectrum[60], spectrum[440]

    (low, tone), (asked, same) = powers(True), powers(False)
    assert tone == pytest.approx(same, rel=0.1)
    assert 20 * math.log10(asked / low) > 20


def test_what_stood_in_the_hole_is_gone_wholly() -> None:
    old = music(3.0, 24_000, 2).audio().astype(np.float64)
    hole = slice(24_000, 48_000)
    loud, new = old.copy(), old * 0.5
    loud[:, hole] = 0.9
    assert np.array_equal(
        *(joins.splice(each, new, new[:, hole], hole, 24_000) for each in (old, loud))
    )


HELD = ((220.0, 331.0, 662.0), (196.0, 415.0, 880.0))  # hertz


def test_held_sounds_get_longer_fades_than_struck_ones() -> None:
    rng = np.random.default_rng(2)
    t = np.arange(72_000) / 24_000
    strokes = np.exp(-40 * (t % 0.25)) * rng.standard_normal(len(t))

    def given_way(old: joins.Audio, new: joins.Audio) -> int:
        """Samples after which nothing of the old is left."""
        out = joins.splice(old, new, new[:, 24_000:], slice(24_000, 72_000), 24_000)
        return int(np.argmax((out == new[:, 24_000:]).all(0)))

    held, other = (sum(np.sin(2 * np.pi * f * t) for f in tones) for tones in HELD)
    assert given_way(held[None], 3 * other[None]) > 3_000
    assert given_way(strokes[None], strokes[None]) < 1_500


def test_new_music_gets_the_colour_of_what_stands_beside_it() -> None:
    rng = np.random.default_rng(3)
    old = rng.standard_normal((1, 48_000))
    spectrum = np.fft.rfft(old) * np.where(np.arange(24_001) / 2 > 2000, 0.5, 1.0)
    dull = np.fft.irfft(spectrum, 48_000)  # a codec that loses 6 dB above 2 kHz
    response = joins.colour(dull, old)
    low, high = response[20:300].mean(), response[400:2000].mean()
    assert 20 * math.log10(high / low) == pytest.approx(6, abs=0.2)
    far = joins.colour(np.fft.irfft(spectrum * np.where(np.arange(24_001) > 4000, 0, 1)), old)
    assert 20 * math.log10(far.max()) <= joins.MOST_GAIN_DB + 1e-9


def test_mirror_fill_is_blind_to_the_hole() -> None:
    a = music(2.0, 8_000, 2).audio().astype(np.float64)
    b = a.copy()
    b[:, 6_000:9_000] = 0.9
    assert np.array_equal(joins.mirror_fill(a, 6_000, 9_000), joins.mirror_fill(b, 6_000, 9_000))
    filled = joins.mirror_fill(b, 6_000, 9_000)
    assert np.array_equal(filled[:, :6_000], a[:, :6_000])
    assert np.array_equal(filled[:, 9_000:], a[:, 9_000:])
    assert abs(filled).max() < 0.6


def test_a_join_lasts_as_long_as_it_may_be_faded() -> None:
    sound = music(6.0, 24_000, 1)
    noise = 0.4 * np.random.default_rng(0).standard_normal((1, 9_600))
    late = sound.with_region(76_800 + 3_600, noise)  # 0.15 s into the new part
    assert measure_seam(late, 3.2, [(3.2, 3.8)]).flux_rank == 1.0
    assert measure_seam(late, 3.2, [(2.6, 3.2)]).flux_rank < 0.95


def test_a_bad_seam_ranks_high_and_an_untouched_moment_does_not() -> None:
    sound = music(6.0, 24_000, 1)
    quiet = measure_seam(sound, 3.2, [(3.2, 3.6)])
    noise = 0.4 * np.random.default_rng(0).standard_normal((1, 9_600))
    loud = measure_seam(sound.with_region(76_800, noise), 3.2, [(3.2, 3.6)])
    assert quiet.flux_rank < 0.95
    assert loud.flux_rank > 0.99
    assert loud.flux > 2 * quiet.flux


def test_a_seam_with_no_music_around_it_is_unknown() -> None:
    seam = measure_seam(Recording.of(np.zeros((1, 500)), 24_000), 0.01, [(0.0, 0.02)])
    assert math.isnan(seam.flux)


def test_silence_beside_a_region_cannot_be_followed(model: SmallModel) -> None:
    sound = music(12.0, 8_000, 1)
    samples = sound.samples.copy()
    samples[:56_000] = 0
    with pytest.raises(InputError, match="only silence"):
        inpaint(model, replace(sound, samples=samples), [(2.0, 3.0)], **FAST)


@pytest.mark.parametrize(
    ("regions", "control", "says"),
    [
        ([(1.0, 1.5), (15.0, 15.5)], None, "beside the region at 15 s is only silence"),
        ([(1.0, 3.2), (3.5, 3.7)], Tempo(120), "heard of 0.2 s"),
    ],
)
def test_the_last_region_is_refused_before_the_first_is_made(
    model: SmallModel, regions: list[tuple[float, float]], control: Tempo | None, says: str
) -> None:
    sound, seen = music(20.0, 8_000, 1), list[object]()
    quiet = replace(sound, samples=np.where(np.arange(160_000)[:, None] < 32_000, sound.samples, 0))
    with pytest.raises(InputError, match=says):
        inpaint(model, quiet, regions, "calm", control=control, callback=seen.append, **FAST)
    assert seen == []


def test_a_length_of_half_a_sample_at_the_model_s_rate_is_a_clip_like_any(
    model: SmallModel,
) -> None:
    """103,424.5 samples: half a sample more is one latent patch more."""
    sound = music(206_849 / 48_000, 48_000, 1)
    assert sound.frames == 206_849
    edit = inpaint(model, sound, [(1.5, 2.5)], "calm", **FAST)
    assert edit.recording.frames == sound.frames


def test_a_region_that_fails_leaves_those_before_it(model: SmallModel) -> None:
    original, seen = music(4.0, 24_000, 1), list[int]()

    def failing(error: Exception) -> Callable[[object], None]:
        def callback(progress: object) -> None:
            seen.append(1)
            if len(seen) % 2 == 0:  # the second region's only iteration
                raise error

        return callback

    asked: dict[str, Any] = FAST | {"iterations": 1}
    regions = [(0.5, 1.0), (2.5, 3.0)]
    with pytest.raises(BrokenOff, match="no memory") as broken:
        inpaint(model, original, regions, callback=failing(MemoryError("no memory")), **asked)
    edit = broken.value.edit
    assert edit.regions == regions[:1]
    assert np.array_equal(edit.recording.samples[24_000:], original.samples[24_000:])
    assert not np.array_equal(edit.recording.samples[:24_000], original.samples[:24_000])
    with pytest.raises(BrokenOff, match="mine") as broken:
        inpaint(model, original, regions, callback=failing(KeyError("mine")), **asked)
    assert isinstance(broken.value.__cause__, KeyError)
    assert broken.value.edit.regions == regions[:1]


def test_ctrl_c_keeps_the_regions_already_done(model: SmallModel) -> None:
    original = music(4.0, 24_000, 1)
    seen: list[int] = []

    def callback(progress: object) -> None:
        seen.append(1)
        if len(seen) == 3:
            raise KeyboardInterrupt

    edit = inpaint(model, original, [(0.5, 1.0), (2.5, 3.0)], callback=callback, **FAST)
    assert [result.items[0].stopped for result in edit.results] == ["iterations", "interrupted"]
    first = slice(12_000, 24_000)
    assert not np.array_equal(edit.recording.samples[first], original.samples[first])
