"""A control of a part sees the part alone, and targets of a whole are cut in the right place."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from ditto_music import Brightness, InputError, Intensity, Melody, Rhythm, Structure, Tempo
from ditto_music.controls import Control
from ditto_music.controls.part import Part
from ditto_music.controls.seamless import Seamless
from ditto_music.features.loudness import HOP_SECONDS, intensity_times
from ditto_music.models.small import SmallModel
from ditto_music.problem import form_of
from ditto_music.protocols import Clip, Form

LOOP = Path(__file__).parents[1] / "recordings" / "loop_compus.flac"


def clip_of(model: SmallModel, seconds: float) -> Clip:
    form = form_of(model, seconds)
    noise = torch.randn(2, *form.latent_shape, generator=torch.Generator().manual_seed(0))
    return Clip(model, noise, form.frames)


def test_it_measures_what_the_control_would_of_the_stretch_alone(model: SmallModel) -> None:
    clip = clip_of(model, 3.0)
    (aim,) = Part(Intensity([-30, -20]), 1.0, 2.5).objectives(form_of(model, 3.0))
    losses, figures = aim.measure(clip)
    (alone,) = Intensity([-30, -20]).objectives(form_of(model, 1.5))
    cut = Clip(model, clip.latent, 36_000)
    cut.audio = clip.audio[..., 24_000:60_000]
    expected, _ = alone.measure(cut)
    assert torch.equal(losses, expected)
    assert aim.name == "intensity"
    assert aim.tolerance == alone.tolerance
    assert set(figures) == {"rms_error_db", "correlation"}


def test_the_gradient_reaches_the_stretch(model: SmallModel) -> None:
    clip = clip_of(model, 3.0)
    clip.latent.requires_grad_()
    (aim,) = Part(Intensity([-30, -20]), 1.0, 2.0).objectives(form_of(model, 3.0))
    (gradient,) = torch.autograd.grad(aim.measure(clip)[0].sum(), clip.latent)
    size = gradient.abs().sum((0, 1))
    assert float(size[50:90].min()) > 0
    assert float(size[:20].max()) < 1e-2 * float(size.max())


@pytest.mark.parametrize("control", [Intensity([-40, -10]), Brightness([300, 3000])])
def test_parts_of_a_whole_add_up_to_it(model: SmallModel, control: Control) -> None:
    form = form_of(model, 3.0)
    whole = control.target(form_of(model, 6.0))
    times = control.times(form_of(model, 6.0))
    assert times is not None
    for offset in (0.0, 3.0):
        (aim,) = Part(control, 0.0, 3.0, offset, 6.0).objectives(form)
        inside = control.times(form)
        assert inside is not None
        assert aim.target.shape == inside.shape
        middle = len(inside) // 2
        near = int((times - inside[middle] - offset).abs().argmin())
        step = float(whole.diff().abs().max())
        assert float(aim.target[middle] - whole[near]) == pytest.approx(0, abs=1.1 * step)


class When(Control):
    """Asks of each frame of intensity when it is."""

    name = "when"

    def target(self, form: Form) -> Tensor:
        return self.times(form)

    def times(self, form: Form) -> Tensor:
        return intensity_times(form.frames, form.sample_rate)

    def feature(self, clip: Clip) -> Tensor:
        return clip.mono

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        return feature.mean(-1)


@pytest.mark.parametrize("offset", [0.0, 1.2345, 2.99])
def test_a_part_is_cut_at_the_nearest_frames(model: SmallModel, offset: float) -> None:
    form, inner = form_of(model, 6.0), form_of(model, 3.0)
    found = When().cut(When().target(form), form, offset, inner)
    away = found - When().times(inner) - offset
    assert float(away.abs().max()) <= HOP_SECONDS / 2 + 1e-5
    assert torch.equal(When().cut(When().target(form), form, 0.0, form), When().target(form))


def test_each_part_has_its_own_notes(model: SmallModel) -> None:
    tune, form = Melody("C D E F G A B C"), form_of(model, 3.0)
    for offset, classes in ((0.0, {-1, 0, 2, 4, 5}), (3.0, {-1, 7, 9, 11, 0})):
        (aim,) = Part(tune, 0.0, 3.0, offset, 6.0).objectives(form)
        assert set(aim.target.tolist()) == classes


def test_a_part_without_a_note_asks_for_nothing(model: SmallModel) -> None:
    tune = Melody([(0.0, 1.0, 60)])
    (aim,) = Part(tune, 0.0, 3.0, 3.0, 6.0).objectives(form_of(model, 3.0))
    losses, _ = aim.measure(clip_of(model, 3.0))
    assert torch.equal(losses, torch.zeros(2))


def test_a_part_without_a_shape_asks_for_nothing(model: SmallModel, tmp_path: Path) -> None:
    """A curve that is flat from there on, and a recording that holds one tone."""
    samples, rate = soundfile.read(LOOP)
    samples = samples[: 3 * rate]
    time = np.arange(6 * rate) / rate
    tone = 0.1 * np.sin(2 * np.pi * 330 * time)
    tone[: len(samples)] = samples.reshape(len(samples), -1)[:, 0]
    soundfile.write(tmp_path / "tone.wav", tone, rate)
    curve = Intensity([(0, -30), (1, -14), (9, -14)], "correlation")
    for control, offset, whole in ((curve, 6.0, 9.0), (Rhythm(tmp_path / "tone.wav"), 3.5, 6.0)):
        clip = clip_of(model, 2.5)
        clip.latent.requires_grad_()
        (aim,) = Part(control, 0.0, 2.5, offset, whole).objectives(form_of(model, 2.5))
        losses, _ = aim.measure(clip)
        assert torch.equal(losses, torch.zeros(2))
        assert not torch.autograd.grad(losses.sum(), clip.latent)[0].any()


def test_what_has_no_times_is_asked_of_every_part(model: SmallModel) -> None:
    (aim,) = Part(Tempo(120), 0.0, 3.0, 3.0, 6.0).objectives(form_of(model, 3.0))
    (alone,) = Tempo(120).objectives(form_of(model, 6.0))
    assert torch.equal(aim.target, alone.target)
    with pytest.raises(InputError, match="structure: 6 s"):
        Part(Structure("AB"), 0.0, 3.0, 3.0, 6.0).objectives(form_of(model, 3.0))


@pytest.mark.parametrize("frames", [95_476, 95_477])  # of 4.33 s at 22.05 kHz: half a sample off
def test_a_form_is_asked_of_a_single_window_at_any_rate(model: SmallModel, frames: int) -> None:
    form, stop = form_of(model, 5.0), frames / 22_050
    (aim,) = Part(Structure("A B:2"), 0.0, stop, 0.0, 4.33).objectives(form)
    losses, _ = aim.measure(clip_of(model, 5.0))
    assert losses.isfinite().all()


def test_level_is_set_by_levels_alone() -> None:
    assert Intensity([-20, -10]).sets_level
    assert not Intensity([-20, -10], "correlation").sets_level
    assert (Tempo(120) + Intensity([-20, -10])).sets_level
    assert not (Tempo(120) + 0 * Intensity([-20, -10])).sets_level
    assert not (Tempo(120) + 0 * (Tempo(90) + Intensity([-20, -10]))).sets_level
    assert not Tempo(120).sets_level


def test_seamless_is_zero_where_the_end_goes_on_at_the_beginning(model: SmallModel) -> None:
    form = form_of(model, 3.0)
    clip = clip_of(model, 3.0)
    frames = form.latent_shape[-1]
    (aim,) = Seamless(frames - 20, 20).objectives(form)
    assert float(aim.measure(clip)[0].mean()) == pytest.approx(2.0, abs=0.3)
    clip.latent[..., frames - 20 :] = clip.latent[..., :20]
    assert float(aim.measure(clip)[0].max()) == 0.0
    with pytest.raises(InputError, match="shorter than loop"):
        Seamless(frames, 10).objectives(form)
    with pytest.raises(InputError, match="fit into the loop"):
        Seamless(5, 10)
