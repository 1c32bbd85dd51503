"""Style: what is heard in recordings, whatever their level, and what moves towards it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from ditto_music import InputError, Style, StyleLike, load_model, optimize
from ditto_music.audio import read_audio
from ditto_music.controls.base import Control
from ditto_music.features.loudness import levelled
from ditto_music.features.musicnn import TAGS, tags
from ditto_music.panels import Bars
from ditto_music.protocols import Clip, Form, Model

FORM = Form(6.0, 24_000, (8, 282), torch.device("cpu"))
RECORDINGS = Path(__file__).parents[1] / "recordings"


class Sound(Clip):
    """Audio (B, N) at 24 kHz that was not decoded from anything."""

    def __init__(self, mono: Tensor) -> None:
        super().__init__(cast("Model", load_model("debug")), torch.zeros(1), mono.shape[-1])
        self.audio = mono[:, None]


def recording(name: str, seconds: float = 6.0) -> Tensor:
    audio = read_audio(RECORDINGS / f"{name}.flac", 24_000, mono=True)
    return torch.from_numpy(audio)[:, : round(seconds * 24_000)]


def make(what: str) -> Control:
    """By words, or by the name of a recording."""
    path = RECORDINGS / f"{what}.flac"
    return StyleLike(path) if path.exists() else Style(what)


def heard(control: Control, audio: Tensor) -> tuple[Tensor, Tensor]:
    """Feature and target."""
    return control.feature(Sound(audio)), control.target(FORM)


def test_weights_are_those_of_the_words() -> None:
    control = Style({"jazz": 3, "guitar and piano": 1})
    target = dict(zip(control.tags, control.target(FORM).tolist(), strict=True))
    assert sum(target.values()) == pytest.approx(1)
    assert target["msd", "jazz"] == pytest.approx(0.6)
    assert target["msd", "guitar"] == target["mtt", "piano"] == pytest.approx(0.2)
    assert len(target) == 100
    assert len(Style("jazz").target(FORM)) == 50


def test_the_loss_is_the_logarithm_of_the_probability() -> None:
    control = Style({"jazz": 1, "rock": 3})
    feature = torch.full((2, 3, 50), -4.0)
    feature[0, :, control.tags.index(("msd", "jazz"))] = math.log(0.2 / 0.8)
    feature[0, :, control.tags.index(("msd", "rock"))] = math.log(0.6 / 0.4)
    target = control.target(FORM)
    wanted = -0.25 * math.log(0.2) - 0.75 * math.log(0.6)
    loss = control.loss(feature, target)
    assert loss[0] == pytest.approx(wanted, rel=1e-5)
    assert loss[1] > 3.9
    figures = control.metrics(feature, target)
    assert figures["probability"][0] == pytest.approx(0.25 * 0.2 + 0.75 * 0.6)
    assert figures["jazz_probability"][0] == pytest.approx(0.2)
    assert figures["rock_probability"][0] == pytest.approx(0.6)
    assert list(Style("hip hop").metrics(feature, target)) == ["probability"]


def test_it_hears_what_recordings_are() -> None:
    """Of a guitar chord, a drum machine and percussion each has most of its own word."""
    clips = torch.cat([recording(name) for name in ("guit_em9", "loop_compus", "loop_safari")])
    control = Style("quiet beat drums")
    figures = control.metrics(*heard(control, clips))
    best = [int(figures[f"{word}_probability"].argmax()) for word in ("quiet", "beat", "drums")]
    assert best == [0, 1, 2]


def test_the_probability_is_the_taggers() -> None:
    audio = levelled(recording("loop_compus", 3))
    control = Style("electronic")
    figures = control.metrics(*heard(control, audio))
    wanted = tags(audio, 24_000)[0, TAGS["msd"].index("electronic")]
    assert figures["probability"][0] == pytest.approx(float(wanted), abs=1e-4)


@pytest.mark.parametrize("what", ["electronic", "guit_em9"])
def test_level_does_not_matter(what: str) -> None:
    control, audio = make(what), recording("loop_compus", 3)
    loud = control.loss(*heard(control, audio))
    assert control.loss(*heard(control, 0.01 * audio)) == pytest.approx(loud, abs=1e-2)


@pytest.mark.parametrize("what", ["jazz piano", "guit_em9"])
@pytest.mark.parametrize("level", [0.0, 1e-3, 0.3])
def test_gradients_are_finite_and_move_all_but_silence(what: str, level: float) -> None:
    control = make(what)
    noise = torch.randn(2, 30_000, generator=torch.Generator().manual_seed(0))
    audio = (level * noise).requires_grad_()
    loss = control.loss(*heard(control, audio))
    assert loss.shape == (2,)
    assert (loss >= 0).all()
    loss.sum().backward()
    assert audio.grad is not None
    assert torch.isfinite(audio.grad).all()
    assert bool(audio.grad.abs().sum() > 0) == (level > 0)


def test_a_recording_is_most_like_itself() -> None:
    names = ("guit_em9", "loop_compus", "loop_safari")
    controls = [StyleLike(RECORDINGS / f"{name}.flac") for name in names]
    feature = controls[0].feature(Sound(torch.cat([recording(name) for name in names])))
    table = torch.stack([each.loss(feature, each.target(FORM)) for each in controls])
    assert (table.diag() < StyleLike.tolerance).all()
    assert (table + torch.eye(3) > StyleLike.tolerance).all()
    assert (table >= 0).all()


def test_all_of_a_long_recording_counts(tmp_path: Path) -> None:
    guitar, loop = recording("guit_em9", 4), recording("loop_compus", 4)
    long = torch.cat([guitar] * 4 + [loop] * 4, -1)[0].numpy()
    soundfile.write(tmp_path / "long.wav", long, 24_000)
    both = StyleLike(tmp_path / "long.wav")
    losses = both.loss(*heard(both, torch.cat([guitar, loop])))
    apart = StyleLike(RECORDINGS / "guit_em9.flac")
    assert (losses < apart.loss(*heard(apart, loop))).all()


@pytest.mark.parametrize(
    ("style", "says"),
    [
        ("jaz", "did you mean jazz"),
        ({"jazz": 0}, "weight of 'jazz' is 0: it must be above 0"),
        ({"jazz": -1}, "must be above 0"),
        ({"jazz": math.nan}, "must be above 0"),
        ({}, "nothing is asked for"),
    ],
)
def test_bad_words_are_one_clear_line(style: str | dict[str, float], says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        Style(style)
    assert "\n" not in str(caught.value)


def test_bad_recordings_are_one_clear_line(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", np.full(8_000, 0.1), 16_000)
    soundfile.write(tmp_path / "silent.wav", np.zeros(40_000), 16_000)
    for name, says in (("short", "lasts 0.50 s"), ("silent", "is silent"), ("gone", "gone.wav")):
        with pytest.raises(InputError, match=says):
            StyleLike(tmp_path / f"{name}.wav")


def test_words_are_drawn_beside_the_strongest_others() -> None:
    control = Style("sad jazz")
    feature, target = heard(control, recording("loop_compus", 3))
    (panel,) = control.panels(feature[0], target, FORM)
    assert isinstance(panel, Bars)
    assert list(panel.labels[:2]) == ["sad", "jazz"]
    assert panel.labels[2] == "electronic"
    assert len(set(panel.labels)) == 7
    assert panel.target[:2].tolist() == [1, 1]
    assert panel.target[2:].isnan().all()
    assert panel.achieved[2:].tolist() == sorted(panel.achieved[2:].tolist(), reverse=True)


def test_a_recording_is_drawn_by_its_own_strongest() -> None:
    control = StyleLike(RECORDINGS / "loop_compus.flac")
    feature, target = heard(control, recording("guit_em9", 3))
    (panel,) = control.panels(feature[0], target, FORM)
    assert isinstance(panel, Bars)
    assert panel.labels[0] == "electronic"
    assert panel.target.tolist() == sorted(panel.target.tolist(), reverse=True)
    assert panel.target[0] > panel.achieved[0]


@pytest.mark.parametrize("what", ["jazz", "guit_em9"])
def test_the_optimiser_gets_nearer(what: str) -> None:
    model, control = load_model("debug"), make(what)
    result = optimize(model, "x", control, duration=1, steps=2, surrogate_steps=2, iterations=4)
    item = result.items[0]
    assert item.final["loss"] < item.history[0]["loss"]
    assert item.metrics["style"]
    assert item.panels
