"""New music begins from the recording's own: found where it fits, mixed with chance as asked."""

import numpy as np
import pytest
import torch

from ditto_music import InputError
from ditto_music.audio import Recording
from ditto_music.editing import inpaint, joins, loop, outpaint
from ditto_music.editing.alike import filled_alike
from ditto_music.editing.filling import FRESH, fill, initial_noise, steps_of, worded
from ditto_music.editing.windows import Window, window_of, with_room
from ditto_music.models.small import SmallModel
from tests.editing.sounds import clicks, music

FAST = {"steps": 2, "surrogate_steps": 2, "iterations": 1}
RATE = 24_000


def pattern(seconds: float) -> Recording:
    """Two bars of 1.6 s in turn, each with its own tones."""
    t = np.arange(round(seconds * RATE)) / RATE
    hertz = np.array([220, 330, 275, 440, 550, 180, 300, 700])[(t % 3.2 / 0.4).astype(int)]
    sound = 0.3 * np.exp(-5 * (t % 0.4)) * np.sin(2 * np.pi * np.cumsum(hertz) / RATE)
    return Recording.of(sound[None], RATE, "FLOAT")


def test_a_pattern_goes_on_in_its_place() -> None:
    whole = pattern(16.0)
    hole = window_of(whole, (7.3, 8.9), 24.0)
    blank = whole.with_region(hole.start, np.zeros((1, hole.stop - hole.start)))
    filled = filled_alike(blank, hole, 0)
    wanted = whole.audio(hole.begin, hole.end)
    assert np.array_equal(filled[:, : hole.hole.start - 500], wanted[:, : hole.hole.start - 500])
    assert joins.rms(filled - wanted) < 0.25 * joins.rms(wanted)


def test_it_goes_on_to_either_end_from_a_named_source() -> None:
    whole = pattern(12.0)
    kept = whole.part(0, 8 * RATE)
    after = Window(5 * RATE, 8 * RATE, 12 * RATE, 12 * RATE)
    filled = filled_alike(with_room(kept, 8 * RATE, 4 * RATE), after, 0, (0, 8 * RATE))
    wanted = whole.audio(after.begin, after.end)
    assert joins.rms(filled - wanted) < 0.4 * joins.rms(wanted)
    before = Window(0, 0, 4 * RATE, 7 * RATE)
    roomy = with_room(whole.part(4 * RATE, 12 * RATE), 0, 4 * RATE)
    filled = filled_alike(roomy, before, 0, (4 * RATE, 12 * RATE))
    wanted = whole.audio(0, 7 * RATE)
    assert filled.shape == wanted.shape
    assert joins.rms(filled[:, : 4 * RATE]) > 0.5 * joins.rms(wanted)


def test_a_dying_note_goes_on_dying() -> None:
    t = np.arange(8 * RATE) / RATE
    note = Recording.of((0.5 * np.exp(-t) * np.sin(2 * np.pi * 220 * t))[None], RATE, "FLOAT")
    hole = window_of(note, (3.0, 4.0), 24.0)
    filled = filled_alike(note.with_region(hole.start, np.zeros((1, RATE))), hole, 0)
    for new, old in zip(
        np.array_split(filled[0, hole.hole], 4),
        np.array_split(note.audio(hole.start, hole.stop)[0], 4),
        strict=True,
    ):
        assert abs(20 * np.log10(joins.rms(new) / joins.rms(old))) < 2.5


def test_other_seeds_take_other_places_that_fit() -> None:
    whole = pattern(16.0)
    hole = window_of(whole, (7.3, 8.9), 24.0)
    noise = 0.02 * np.random.default_rng(4).standard_normal((1, whole.frames))
    noisy = whole.with_region(0, whole.audio() + noise)  # no two bars are the same
    filled = [filled_alike(noisy, hole, seed) for seed in (0, 0, 1, 2, 3)]
    assert np.array_equal(filled[0], filled[1])
    assert len({each.tobytes() for each in filled}) > 2
    wanted = whole.audio(hole.begin, hole.end)
    for each in filled:
        assert joins.rms(each - wanted) < 0.4 * joins.rms(wanted)


def test_too_little_to_choose_from_is_mirrored() -> None:
    short = music(1.2, RATE, 2)
    hole = window_of(short, (0.4, 0.8), 24.0)
    clip = short.audio(hole.begin, hole.end).astype(np.float64)
    mirrored = joins.mirror_fill(clip, hole.hole.start, hole.hole.stop)
    assert np.array_equal(filled_alike(short, hole, 0), mirrored)


def test_the_share_of_fresh_noise(model: SmallModel) -> None:
    sound = torch.from_numpy(music(1.0, model.sample_rate, 1).audio())
    reference = model.encode(sound[None])[0]
    mask = torch.ones(reference.shape[-1])
    mask[10:20] = 0
    inverted, half, other, fresh = (
        initial_noise(model, "calm", reference, mask, 1.0, seed, 2, share)[0]
        for seed, share in ((0, 0.0), (0, 0.5), (1, 0.5), (0, 1.0))
    )
    for noise in (half, other, fresh):
        assert torch.equal(noise[:, mask > 0], inverted[:, mask > 0])
    hole = mask == 0
    assert torch.allclose(half[:, hole], 0.5**0.5 * (inverted + fresh)[:, hole], atol=1e-5)
    assert not torch.equal(half[:, hole], other[:, hole])


def test_without_words_the_edits_go_unguided_and_begin_from_the_recording() -> None:
    assert worded(None, None, {}) == worded("", None, {}) == (FRESH, {"guidance": 1.0})
    assert worded(None, None, {"negative_prompt": "noise"})[1] == {"negative_prompt": "noise"}
    assert worded("calm", None, {"steps": 3}) == (1.0, {"steps": 3})
    assert worded(None, 0.2, {"guidance": 4.0}) == (0.2, {"guidance": 4.0})


def test_an_edit_has_more_steps_than_music_alone_but_for_distilled_models(
    model: SmallModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert steps_of(model, {}) == steps_of(model, {"steps": None}) == 20 > model.steps
    assert steps_of(model, {"steps": 3}) == 3
    monkeypatch.setattr(model, "baked", True)
    assert steps_of(model, {}) == model.steps


def test_every_edit_takes_it(model: SmallModel) -> None:
    original = clicks(4.1, 120.0)
    edits = [
        (
            inpaint(model, original, [(2.0, 3.0)], "", fresh=fresh, **FAST),
            outpaint(model, original, 1.0, "", fresh=fresh, **FAST),
            loop(model, original, "", fresh=fresh, **FAST),
        )
        for fresh in (0.0, None, 1.0)
    ]
    for varied, usual, fresh in zip(*edits, strict=True):
        assert usual.results[0].settings.guidance == 1.0
        noises = [edit.results[0].items[0].x_T for edit in (varied, usual, fresh)]
        assert not torch.equal(noises[0], noises[1])
        assert not torch.equal(noises[1], noises[2])


def test_a_share_that_is_none_is_refused(model: SmallModel) -> None:
    original = music(2.0, RATE, 1)
    window = window_of(original, (0.8, 1.2), 24.0)
    with pytest.raises(InputError, match=r"fresh is 1\.5: give a share from 0 to 1"):
        fill(model, original, window, "calm", seed=0, fresh=1.5, **FAST)
