"""Matching a spectrum: level-free, where the recording has content, and clear lines for others."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy.signal import butter, sosfilt

from ditto_music import InputError, MatchSpectrum, generate, optimize
from ditto_music.features.spectrum import band_centres, spectral_balance
from ditto_music.models.small import SmallModel
from ditto_music.panels import Curve
from ditto_music.protocols import Form

FORM = Form(6.0, 24_000, (8, 282), torch.device("cpu"))
CENTRES = band_centres(24_000)


def noise(rate: int = 24_000, seconds: float = 3.0, seed: int = 0) -> np.ndarray:
    """Noise that falls by 6 dB an octave from 500 Hz on."""
    white = np.random.default_rng(seed).standard_normal(round(seconds * rate))
    return 0.1 * sosfilt(butter(1, 500, fs=rate, output="sos"), white)


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "ref.wav", noise(), 24_000, subtype="FLOAT")
    return tmp_path / "ref.wav"


def bands(audio: np.ndarray) -> torch.Tensor:
    return spectral_balance(torch.from_numpy(audio).float()[None], 24_000)


def test_the_same_balance_at_any_level_has_no_loss(reference: Path) -> None:
    control = MatchSpectrum(reference)
    target = control.target(FORM)
    other = noise(seconds=8.0, seed=1)
    loud, quiet = control.loss(torch.cat([bands(3 * other), bands(0.05 * other)]), target).tolist()
    assert loud == pytest.approx(quiet, rel=0.05)
    assert loud < control.tolerance


def test_errors_are_in_squared_decibels_an_item(reference: Path) -> None:
    control = MatchSpectrum(reference)
    target = control.target(FORM)
    assert bool(target.isfinite().all())
    tilt = 3 * torch.sign(CENTRES - 800.5)  # 12 bands up, 12 down
    feature = torch.stack([target - 20, target + tilt])
    feature.requires_grad_()
    losses = control.loss(feature, target)
    losses.sum().backward()
    assert losses.tolist() == pytest.approx([0, 9], abs=0.3)
    assert control.metrics(feature, target)["rms_error_db"].tolist() == pytest.approx(
        [0, 3], abs=0.05
    )
    assert torch.isfinite(feature.grad).all()


def test_bands_that_the_recording_has_not_are_free(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "low.wav", noise(8000), 8000, subtype="FLOAT")
    control = MatchSpectrum(tmp_path / "low.wav")
    target = control.target(FORM)
    assert torch.equal(target.isfinite(), CENTRES * 2 ** (1 / 6 + 2 / 3) <= 4000)
    feature = torch.where(target.isfinite(), target, -20.0)[None]
    assert float(control.loss(feature, target)) == pytest.approx(0, abs=1e-6)
    cut = 0.01 * sosfilt(butter(12, 1000, fs=24_000, output="sos"), noise())
    soundfile.write(tmp_path / "cut.wav", cut, 24_000, subtype="FLOAT")
    heard = MatchSpectrum(tmp_path / "cut.wav").target(FORM).isfinite()
    assert bool(heard[CENTRES < 1000].all())
    assert not heard[CENTRES > 4000].any()


def test_the_search_goes_towards_it(model: SmallModel, reference: Path) -> None:
    result = optimize(
        *(model, "calm", MatchSpectrum(reference)),
        **{"duration": 1.0, "steps": 3, "surrogate_steps": 3, "iterations": 8, "lr": 0.1},
    )
    history = [row["match-spectrum"] for row in result.items[0].history]
    assert min(history) < 0.9 * history[0]


def test_it_is_drawn_over_frequency(model: SmallModel, reference: Path) -> None:
    control = MatchSpectrum(reference)
    (panel,) = generate(model, "calm", control, duration=1.0, steps=2).items[0].panels
    assert isinstance(panel, Curve)
    assert panel.axis == "frequency (Hz)"
    assert len(panel.times) == len(panel.target) == len(panel.achieved)
    assert float(panel.achieved.mean()) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("seconds", [0.06, 0.3])
def test_a_clip_too_short_for_a_spectrum_is_refused_before_the_search(
    seconds: float, reference: Path
) -> None:
    with pytest.raises(InputError, match=f"match-spectrum: a clip of {seconds:.3f} s is too short"):
        MatchSpectrum(reference).target(Form(seconds, 24_000, (8, 3), torch.device("cpu")))


def test_recordings_without_a_balance_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(48_000), 24_000)
    soundfile.write(tmp_path / "short.wav", noise(seconds=0.2), 24_000)
    tone = 0.3 * np.sin(2 * np.pi * 400 * np.arange(2000) / 1000)
    soundfile.write(tmp_path / "tone.wav", tone, 1000)  # of which 250 Hz and less are known
    with pytest.raises(InputError, match=r"silence\.wav: is silent"):
        MatchSpectrum(tmp_path / "silence.wav").target(FORM)
    with pytest.raises(InputError, match=r"short\.wav: lasts 0\.20 s: give at least 0\.5 s"):
        MatchSpectrum(tmp_path / "short.wav")
    with pytest.raises(InputError, match=r"tone\.wav: sounds in fewer than 3 bands"):
        MatchSpectrum(tmp_path / "tone.wav").target(FORM)
    with pytest.raises(InputError, match=r"gone\.wav: there is no such file"):
        MatchSpectrum("gone.wav")
