"""Smoothing and intensity against what the equations say."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import savgol_coeffs, savgol_filter
from torch.nn import functional as F

from ditto_music import InputError
from ditto_music.features import intensity, intensity_times, savgol_kernel, smooth
from ditto_music.features.loudness import loudness_over, peaks_over


def test_kernel_values_of_the_literature() -> None:
    assert torch.allclose(savgol_kernel(5) * 35, torch.tensor([-3.0, 12, 17, 12, -3]).double())
    wide = savgol_kernel(87)
    assert float(wide[0]) == pytest.approx(-0.016273, abs=1e-6)
    assert float(wide[43]) == pytest.approx(0.025868, abs=1e-6)
    assert float(wide.sum()) == pytest.approx(1)


@pytest.mark.parametrize("window", [5, 23, 87])
def test_kernel_equals_scipy_and_orders_two_and_three_agree(window: int) -> None:
    assert np.allclose(savgol_kernel(window, 2), savgol_coeffs(window, 2), atol=1e-9)
    assert torch.allclose(savgol_kernel(window, 2), savgol_kernel(window, 3), atol=1e-9)


def test_smoothing_equals_scipy(generator: torch.Generator) -> None:
    x = torch.randn(3, 200, generator=generator).double()
    wanted = savgol_filter(x.numpy(), 47, 2, mode="nearest")
    assert np.allclose(smooth(x, 47), wanted, atol=1e-9)


def test_constants_pass_and_lines_pass_away_from_the_borders() -> None:
    flat = torch.full((1, 100), -23.0)
    assert torch.allclose(smooth(flat, 47), flat, atol=1e-4)
    line = torch.linspace(-40, -12, 200).double()[None]
    assert torch.allclose(smooth(line, 47)[:, 24:-24], line[:, 24:-24], atol=1e-9)


@pytest.mark.parametrize("window", [4, 1])
def test_bad_windows_are_refused(window: int) -> None:
    with pytest.raises(ValueError, match="odd"):
        savgol_kernel(window)


@pytest.mark.parametrize("frames", [1, 2, 4, 5])
def test_short_curves_are_smoothed_with_what_there_is(frames: int) -> None:
    assert smooth(torch.ones(1, frames), 47).shape == (1, frames)


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100])
@pytest.mark.parametrize("amplitude", [1.0, 0.1, 0.001])
def test_a_sine_reads_its_rms(rate: int, amplitude: float) -> None:
    t = torch.arange(2 * rate) / rate
    curve = intensity(amplitude * torch.sin(2 * math.pi * 440 * t)[None], rate)
    wanted = 20 * math.log10(amplitude / math.sqrt(2))
    assert torch.allclose(curve, torch.full_like(curve, wanted), atol=0.05)


def test_times_are_centres_of_frames_and_count_them() -> None:
    for samples in (2048, 24_000, 144_000):
        times = intensity_times(samples, 24_000)
        assert intensity(torch.ones(1, samples), 24_000).shape[-1] == len(times)
    assert float(times[0]) == pytest.approx(1024 / 24_000)
    assert float(times[1] - times[0]) == pytest.approx(512 / 24_000)
    assert float(times[-1]) <= 6 - 1024 / 24_000 + 1e-6


def test_a_step_is_seen_where_it_is() -> None:
    audio = torch.cat([torch.full((1, 48_000), 0.01), torch.full((1, 48_000), 0.1)], dim=1)
    curve = intensity(audio, 24_000, smoothing=0)[0]
    times = intensity_times(96_000, 24_000)
    assert torch.allclose(curve[times < 1.9], torch.tensor(-40.0), atol=0.01)
    assert torch.allclose(curve[times > 2.1], torch.tensor(-20.0), atol=0.01)


def test_silence_is_finite_with_a_finite_gradient() -> None:
    audio = torch.zeros(1, 24_000, requires_grad=True)
    curve = intensity(audio, 24_000)
    curve.sum().backward()
    assert torch.allclose(curve, torch.tensor(-100.0), atol=1e-3)
    assert torch.isfinite(audio.grad).all()


def test_audio_shorter_than_a_frame_is_one_clear_line() -> None:
    with pytest.raises(InputError, match="shorter than one intensity frame"):
        intensity(torch.zeros(1, 100), 24_000)


def test_how_far_music_is_over_a_level() -> None:
    """A second at -6 dBFS and one at -26: of seven half seconds three are over, and a half."""
    rate = 8000
    noise = torch.randn(2 * rate, generator=torch.Generator().manual_seed(0)).sign()
    audio = (noise * torch.tensor([0.5, 0.05]).repeat_interleave(rate))[None].requires_grad_()
    over = loudness_over(audio, rate, -16.0)
    loud, half = -6.02 + 16, -6.02 - 3.01 + 16  # the window across the edge holds half the power
    assert float(over.detach()) == pytest.approx(math.sqrt((3 * loud**2 + half**2) / 7), abs=0.1)
    (slope,) = torch.autograd.grad(over.sum(), audio)
    assert float((slope * audio.detach())[:, :rate].sum()) > 0
    assert float(slope[:, int(1.25 * rate) :].abs().max()) == 0
    quiet = (0.1 * audio).detach().requires_grad_()
    under = loudness_over(quiet, rate, -16.0)
    assert float(under.detach()) == 0
    (slope,) = torch.autograd.grad(under.sum(), quiet)
    assert float(slope.abs().max()) == 0


def test_how_far_peaks_are_over_full_scale() -> None:
    audio = torch.zeros(2, 2, 24_000)
    audio[0, 0, 100], audio[0, 1, 5000], audio[0, 1, 5001] = 2.0, -4.0, 3.0
    audio.requires_grad_()
    over = peaks_over(audio, 24_000, 0.0)
    six = 20 * math.log10(2)
    assert over.tolist() == pytest.approx([(six**8 + (2 * six) ** 8) ** (1 / 8), 0], rel=1e-4)
    (slope,) = torch.autograd.grad(over.sum(), audio)
    assert slope.nonzero().tolist() == [[0, 0, 100], [0, 1, 5000]]
    assert bool(slope.isfinite().all())


def test_the_last_samples_of_an_odd_length_are_heard() -> None:
    rate = 24_000
    audio = torch.full((1, rate + 1), 0.1)
    audio[0, -1] = 4.0
    audio.requires_grad_()
    over = peaks_over(audio, rate, 0.0)
    assert float(over.detach()) == pytest.approx(20 * math.log10(4))
    (slope,) = torch.autograd.grad(over.sum(), audio)
    assert slope.nonzero().tolist() == [[0, rate]]

    audio = torch.full((1, 2 * rate + 5999), 0.01)  # the last half second is 12,000 samples
    audio[0, -5999:] = 0.5
    audio.requires_grad_()
    over = loudness_over(audio, rate, -30.0)
    last = 10 * math.log10((5999 * 0.5**2 + 6001 * 0.01**2) / 12_000) + 30
    assert float(over.detach()) == pytest.approx(math.sqrt(last**2 / 8), rel=1e-3)
    (slope,) = torch.autograd.grad(over.sum(), audio)
    assert bool((slope[0, -12_000:] > 0).all()) and not bool(slope[0, :-12_000].any())


def test_what_lasts_whole_stretches_is_measured_by_these() -> None:
    audio = torch.randn(2, 2, 36_000, generator=torch.Generator().manual_seed(0))
    half = F.avg_pool1d(audio.square().mean(1, keepdim=True), 12_000, 6000)[:, 0]
    beyond = (10 * torch.log10(half + 1e-10) + 20).relu()
    over = (beyond.square().mean(-1) + 1e-12).sqrt() - 1e-6
    assert torch.equal(loudness_over(audio, 24_000, -20.0), over)
    padded = F.pad(audio, (0, 479))
    assert torch.equal(peaks_over(padded, 24_000, 0.0), peaks_over(audio, 24_000, 0.0))
