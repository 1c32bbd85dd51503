"""Rhythm: a recording's onsets as the target, and one clear line for every recording without."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ditto_music import InputError, Rhythm, generate, optimize
from ditto_music.models.small import SmallModel
from ditto_music.panels import Curve
from ditto_music.protocols import Form

FORM = Form(6.0, 24_000, (8, 282), torch.device("cpu"))
RECORDINGS = Path(__file__).parents[1] / "recordings"
LOOP = RECORDINGS / "loop_compus.flac"


def knocks(times: list[float], seconds: float = 6.0, rate: int = 24_000) -> np.ndarray:
    noise = np.random.default_rng(0)
    audio = 1e-4 * noise.standard_normal(round(seconds * rate))
    for time in times:
        start = round(time * rate)
        length = len(audio) - start
        audio[start:] += 0.2 * np.exp(-np.arange(length) / 800) * noise.standard_normal(length)
    return audio


def heard(control: Rhythm, audio: np.ndarray, path: Path) -> torch.Tensor:
    soundfile.write(path, audio, 24_000)
    return Rhythm(path).target(FORM)[None]


def test_the_recording_itself_has_no_loss_and_level_does_not_matter(tmp_path: Path) -> None:
    control = Rhythm(LOOP)
    target = control.target(FORM)
    samples, rate = soundfile.read(LOOP)
    soundfile.write(tmp_path / "quiet.wav", 0.2 * samples, rate, subtype="FLOAT")
    quiet = Rhythm(tmp_path / "quiet.wav").target(FORM)
    assert control.loss(torch.stack([target, quiet]), target).tolist() == pytest.approx(
        [0, 0], abs=1e-3
    )


def test_the_loss_grows_with_how_late_it_is(tmp_path: Path) -> None:
    beats = [0.5, 1.0, 1.75, 2.5, 3.0, 4.25, 5.0]
    path = tmp_path / "knocks.wav"
    soundfile.write(path, knocks(beats), 24_000)
    control = Rhythm(path)
    target = control.target(FORM)
    late = [heard(control, knocks([t + by for t in beats]), path) for by in (0.0, 0.01, 0.03, 0.2)]
    same, little, more, other = control.loss(torch.cat(late), target).tolist()
    assert same == pytest.approx(0, abs=1e-3)
    assert little < 0.1 < more < other
    assert other > 0.9
    correlation = control.metrics(torch.cat(late), target)["correlation"]
    assert correlation.tolist() == pytest.approx([1 - x for x in (same, little, more, other)])


def test_the_loss_has_a_finite_gradient_at_silence() -> None:
    control = Rhythm(LOOP)
    target = control.target(FORM)
    feature = torch.zeros(2, len(target), requires_grad=True)
    control.loss(feature, target).sum().backward()
    assert torch.isfinite(feature.grad).all()
    assert feature.grad.abs().sum() > 0


def test_the_search_goes_towards_it(model: SmallModel) -> None:
    result = optimize(
        *(model, "calm", Rhythm(LOOP)),
        **{"duration": 1.0, "steps": 3, "surrogate_steps": 3, "iterations": 8, "lr": 0.1},
    )
    history = [row["rhythm"] for row in result.items[0].history]
    assert min(history) < 0.95 * history[0]


def test_it_is_drawn_in_standard_deviations(model: SmallModel) -> None:
    (panel,) = generate(model, "calm", Rhythm(LOOP), duration=2.0, steps=2).items[0].panels
    assert isinstance(panel, Curve)
    for curve in (panel.target, panel.achieved):
        assert len(curve) == len(panel.times)
        assert float(curve.std()) == pytest.approx(1, abs=1e-3)


def test_recordings_without_onsets_are_refused(tmp_path: Path) -> None:
    time = np.arange(6 * 24_000) / 24_000
    for name, samples in (
        ("silence", np.zeros_like(time)),
        ("tone", 0.2 * np.sin(2 * np.pi * 330 * time)),
        ("noise", 0.1 * np.random.default_rng(0).standard_normal(len(time))),
    ):
        soundfile.write(tmp_path / f"{name}.wav", samples, 24_000)
        with pytest.raises(InputError, match=rf"{name}.wav: nothing begins in its first 6 s"):
            Rhythm(tmp_path / f"{name}.wav").target(FORM)


def test_short_missing_and_other_files_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", knocks([0.5], 1.0), 24_000)
    with pytest.raises(InputError, match=r"short\.wav: 1\.00 s of audio, but the clip has 6 s"):
        Rhythm(tmp_path / "short.wav").target(FORM)
    with pytest.raises(InputError, match=r"gone\.wav: there is no such file"):
        Rhythm("gone.wav")
    (tmp_path / "words.wav").write_text("boom boom")
    with pytest.raises(InputError, match="not an audio file"):
        Rhythm(tmp_path / "words.wav")
