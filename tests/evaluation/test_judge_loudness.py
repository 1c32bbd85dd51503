"""Loudness against the standard's tables, EBU Tech 3341's signals and pyloudnorm."""

import math

import numpy as np
import pytest
import torch
from pyloudnorm import Meter
from scipy.signal import freqz, lfilter

from ditto_music import InputError
from ditto_music.evaluation.judges.loudness import (
    SHORT_TERM,
    curve_agreement,
    integrated_loudness,
    k_weighted,
    loudness_curve,
)
from ditto_music.evaluation.targets import intensity_error, loudness_judge


def tone(level: float, seconds: float, rate: int = 48_000, hertz: float = 1000) -> np.ndarray:
    """A sine whose peak has this level in dBFS."""
    t = np.arange(round(seconds * rate)) / rate
    return 10 ** (level / 20) * np.sin(2 * np.pi * hertz * t)


def test_the_filter_at_48_khz_is_the_standards() -> None:
    # ITU-R BS.1770-5, tables 1 and 2
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285]
    rumble = [1.0, -1.99004745483398, 0.99007225036621]
    impulse = np.zeros((1, 2000))
    impulse[0, 0] = 1
    wanted = lfilter(shelf, [1.0, -1.69065929318241, 0.73248077421585], impulse)
    wanted = lfilter([1.0, -2.0, 1.0], rumble, wanted)
    assert np.allclose(k_weighted(impulse, 48_000), wanted, atol=1e-9)


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100, 96_000])
def test_the_filter_weighs_alike_at_any_rate(rate: int) -> None:
    def response(rate: int) -> np.ndarray:
        impulse = np.zeros((1, rate))
        impulse[0, 0] = 1
        hertz = np.array([40.0, 100, 500, 1000, 2000, 4000])
        return 20 * np.log10(np.abs(freqz(k_weighted(impulse, rate)[0], worN=hertz, fs=rate)[1]))

    assert np.allclose(response(rate), response(48_000), atol=0.15)


@pytest.mark.parametrize(
    "segments",  # EBU Tech 3341, table 1, cases 1 to 5: stereo sines, all -23.0 but the second
    [
        [(-23, 20)],
        [(-33, 20)],
        [(-36, 10), (-23, 60), (-36, 10)],
        [(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)],
        [(-26, 20), (-20, 20.1), (-26, 20)],
    ],
)
def test_integrated_loudness_of_the_ebu_signals(segments: list[tuple[float, float]]) -> None:
    one = np.concatenate([tone(level, seconds, 24_000) for level, seconds in segments])
    wanted = -33.0 if segments == [(-33, 20)] else -23.0
    assert integrated_loudness(np.stack([one, one]), 24_000) == pytest.approx(wanted, abs=0.1)
    assert integrated_loudness(one, 24_000) == pytest.approx(wanted - 3.01, abs=0.1)


def test_short_term_and_momentary_loudness_of_the_ebu_signals() -> None:
    # Cases 9 and 12: each level lasts so long that a window always holds the same energy.
    short = np.concatenate([tone(-20, 1.34), tone(-30, 1.66)] * 5)
    _, levels = loudness_curve(np.stack([short, short]), 48_000, SHORT_TERM)
    assert np.allclose(levels, -23, atol=0.1)
    momentary = np.concatenate([tone(-20, 0.18), tone(-30, 0.22)] * 25)
    _, levels = loudness_curve(np.stack([momentary, momentary]), 48_000)
    assert np.allclose(levels[5:], -23, atol=0.1)


@pytest.mark.parametrize("rate", [22_050, 24_000, 44_100])
def test_a_steady_sound_reads_alike_momentary_short_term_integrated_and_in_pyloudnorm(
    rate: int,
) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(10 * rate)
    whole = integrated_loudness(noise, rate)
    assert whole == pytest.approx(Meter(rate).integrated_loudness(noise), abs=0.1)
    for window in (0.4, SHORT_TERM):
        _, levels = loudness_curve(torch.from_numpy(noise), rate, window)
        assert np.allclose(levels, whole, atol=0.4)
        assert levels.mean() == pytest.approx(whole, abs=0.05)


def test_windows_lie_inside_the_clip_and_times_are_their_centres() -> None:
    clip = np.concatenate([tone(-40, 2, 24_000), tone(-20, 2, 24_000)])
    times, levels = loudness_curve(clip, 24_000)
    assert times[0] == pytest.approx(0.2)
    assert times[-1] == pytest.approx(3.8)
    assert np.allclose(np.diff(times), 0.1)
    assert np.allclose(levels[times < 1.75], -43.01, atol=0.2)
    assert np.allclose(levels[times > 2.25], -23.01, atol=0.2)


@pytest.mark.parametrize("window", [0.4, 1.0, SHORT_TERM])
@pytest.mark.parametrize("gain", [1.0, 0.1])
def test_a_clip_that_follows_a_curve_agrees_at_any_window_and_level(
    window: float, gain: float
) -> None:
    points, target = [0.0, 2, 3, 6], [-40.0, -20, -20, -30]
    t = np.arange(6 * 24_000) / 24_000
    noise = np.random.default_rng(0).standard_normal(len(t))
    clip = gain * 0.3 * noise * 10 ** (np.interp(t, points, target) / 20)
    agreement = curve_agreement(clip, 24_000, points, target, window)
    assert agreement.correlation > 0.995
    assert agreement.rms_error_db < 0.6
    against = curve_agreement(clip, 24_000, points, [-20, -40, -40, -30], window)
    assert against.correlation < -0.5
    assert against.rms_error_db > 3


def test_a_clip_too_short_for_the_long_window_is_judged_by_the_short_one() -> None:
    curve = [(0.0, -40.0), (2.0, -15.0)]
    t = np.arange(2 * 24_000) / 24_000
    noise = np.random.default_rng(0).standard_normal(len(t))
    clip = (noise * 10 ** (np.interp(t, *zip(*curve, strict=True)) / 20)).astype(np.float32)
    heard = loudness_judge(curve)(clip, 24_000)
    assert heard["momentary"] > 0.99
    assert heard["error_db"] < 1
    assert math.isnan(heard["short_term"])


def test_the_error_in_db_is_the_same_at_any_rate() -> None:
    curve = [(0.0, -40.0), (2.0, -15.0), (4.0, -40.0)]

    def error(rate: int) -> float:
        t = np.arange(4 * rate) / rate
        clip = tone(-20, 4, rate) * 10 ** np.sin(8 * t)
        return intensity_error(clip.astype(np.float32), rate, curve)

    assert [error(rate) for rate in (44_100, 48_000)] == pytest.approx(
        2 * [error(24_000)], rel=1e-3
    )


def test_flat_clips_and_flat_curves_do_not_correlate() -> None:
    silence = np.zeros(6 * 24_000)
    assert integrated_loudness(silence, 24_000) == -math.inf
    agreement = curve_agreement(silence, 24_000, [0, 6], [-40, -20])
    assert agreement.correlation == 0
    assert agreement.rms_error_db > 4
    flat = curve_agreement(tone(-20, 6, 24_000), 24_000, [0, 6], [-20, -20])
    assert math.isnan(flat.correlation)
    assert flat.rms_error_db < 0.1


def test_short_clips_and_odd_curves_are_one_clear_line() -> None:
    with pytest.raises(InputError, match=r"shorter than one loudness window of 0\.4 s"):
        integrated_loudness(np.zeros(4000), 24_000)
    with pytest.raises(InputError, match="shorter than one loudness window of 3 s"):
        loudness_curve(np.zeros(48_000), 24_000, SHORT_TERM)
    with pytest.raises(InputError, match="as many times as levels"):
        curve_agreement(np.zeros(48_000), 24_000, [0, 1], [-20])


@pytest.mark.parametrize(
    ("clip", "words"),
    [
        (np.zeros((2, 2, 9)), "samples"),
        (np.zeros(0), "samples"),
        (np.full(48_000, np.nan), "not numbers"),
    ],
)
def test_what_is_no_clip_is_one_clear_line(clip: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        integrated_loudness(clip, 24_000)
