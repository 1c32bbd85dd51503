"""Mono becomes as wide as its surroundings; a sound cut off goes on by itself."""

import math

import numpy as np
import pytest

from ditto_music import Intensity
from ditto_music.audio import Recording
from ditto_music.editing import joins
from ditto_music.editing.filling import Wish, made_to_fit
from ditto_music.editing.stereo import spread
from ditto_music.editing.windows import Window

RATE = 24_000


def noise(count: int, seed: int) -> joins.Audio:
    return np.random.default_rng(seed).standard_normal((count, 3 * RATE))


def width(stereo: joins.Audio) -> float:
    """Sides over middle in dB."""
    return 20 * math.log10(joins.rms(stereo[0] - stereo[1]) / joins.rms(stereo[0] + stereo[1]))


def test_width_panning_and_mono_sum() -> None:
    middle, side = noise(2, 0)
    new = noise(1, 1)
    for amount, pan in ((0.5, 0.0), (0.2, 0.4), (0.8, -0.3)):
        like = np.stack(
            [middle + pan * middle + amount * side, middle - pan * middle - amount * side]
        )
        out = spread(new, like, RATE)
        assert np.allclose(out.mean(0), new[0], atol=1e-9)
        assert width(out) == pytest.approx(width(like), abs=1.0)
        balance = [20 * math.log10(joins.rms(x[0]) / joins.rms(x[1])) for x in (out, like)]
        assert balance[0] == pytest.approx(balance[1], abs=1.0)


def test_bands_have_their_own_width() -> None:
    t = np.arange(3 * RATE) / RATE
    low, high = np.sin(2 * np.pi * 100 * t), np.sin(2 * np.pi * 5000 * t)
    like = np.stack([low + high, low]) + 1e-3 * noise(2, 3)
    out = spread((low + high)[None], like, RATE)
    spectrum = np.abs(np.fft.rfft(out * np.hanning(len(t))))
    at_low, at_high = (spectrum[:, round(hertz * 3)] for hertz in (100, 5000))
    assert at_low[0] == pytest.approx(at_low[1], rel=0.05)
    assert at_high[0] > 10 * at_high[1]


def test_mono_stays_mono_and_equal_channels_stay_as_they_are() -> None:
    new = noise(1, 2)
    assert np.array_equal(spread(new, noise(1, 3), RATE), new)
    pair = noise(2, 4)
    assert np.array_equal(spread(pair, noise(2, 5), RATE), pair)
    same = spread(new, np.repeat(noise(1, 6), 2, axis=0), RATE)
    assert np.allclose(same[0], same[1])


def test_more_than_two_channels_get_their_levels() -> None:
    like = noise(1, 7) * np.array([[1.0], [0.5], [0.25]])
    out = spread(noise(1, 8), like, RATE)
    assert out.shape == (3, 3 * RATE)
    assert joins.rms(out[0]) / joins.rms(out[2]) == pytest.approx(4, rel=0.01)


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("clip_channels", [1, 2])
def test_a_level_that_was_asked_of_the_clip_is_that_of_all_channels(
    channels: int, clip_channels: int
) -> None:
    """Whatever its colour and however wide what stands beside it is."""
    beside = 0.05 * noise(channels, 12)
    beside[:, 1:] += 0.8 * beside[:, :-1]  # darker than the clip
    recording = Recording.of(np.concatenate([beside, np.zeros_like(beside)], axis=1), RATE, "FLOAT")
    window = Window(0, 3 * RATE, 6 * RATE, 6 * RATE)
    clip = 0.1 * np.random.default_rng(13).standard_normal((clip_channels, 6 * RATE))
    clip[:, 5 * RATE :] = np.repeat(clip[:, 5 * RATE :: 6], 6, axis=1)  # as loud, but darker
    asked = Intensity([-20, -20])
    part = made_to_fit(recording, window, clip, RATE, Wish(asked))
    for second in (1, 2):
        middle = part[:, second * RATE + RATE // 4 : second * RATE + 3 * RATE // 4]
        assert 20 * math.log10(joins.rms(middle)) == pytest.approx(-20, abs=0.3)
    free = made_to_fit(recording, window, clip, RATE)
    assert 20 * math.log10(joins.rms(free[:, RATE : 2 * RATE])) < -22


@pytest.mark.parametrize("seconds", [0.1, 0.2, 0.6])
def test_a_level_asked_of_a_short_hole_is_met_between_sides_that_are_alike(seconds: float) -> None:
    """And nowhere in the hole is it louder than these."""
    hole = round(seconds * RATE)
    music = 0.1 * noise(1, 14)
    recording = Recording.of(music, RATE, "FLOAT")
    window = Window(0, RATE, RATE + hole, 3 * RATE)
    clip = 10 ** (-10 / 20) * music  # a model that makes all of it as quiet as the hole shall be
    part = made_to_fit(recording, window, clip, RATE, Wish(Intensity([-30, -30])))
    levels = [20 * math.log10(joins.rms(piece)) for piece in np.array_split(part, 5, axis=1)]
    assert max(levels) < -19
    assert levels[2] < -27


def test_a_continuation_of_tones_goes_on_in_phase() -> None:
    t = np.arange(2 * RATE) / RATE
    sound = np.exp(-2 * t) * (np.sin(2 * np.pi * 220 * t) + 0.5 * np.sin(2 * np.pi * 1234 * t))
    sound = sound + 1e-5 * noise(1, 9)[0, : len(t)]
    known, true = sound[None, :RATE], sound[None, RATE : RATE + 1000]
    guess = joins.continued(known, 1000)
    assert joins.rms(guess - true) < 0.05 * joins.rms(true)


def test_a_continuation_never_grows_and_silence_stays_silent() -> None:
    wild = noise(1, 10)[:, :4000]
    guess = joins.continued(wild, 8000)
    assert np.isfinite(guess).all()
    assert joins.rms(guess[:, -2000:]) < joins.rms(wild)
    assert not joins.continued(np.zeros((2, 500)), 100).any()
    assert joins.continued(np.ones((1, 2)), 10).shape == (1, 10)
