"""The modes of torch of a caller change nothing, and its random numbers stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ditto_music import (
    Intensity,
    Match,
    MatchSpectrum,
    Melody,
    Rhythm,
    Structure,
    Style,
    StyleLike,
    Tempo,
    generate,
    load_model,
    optimize,
)
from ditto_music.baselines import METHODS
from ditto_music.controls import Control
from ditto_music.editing import inpaint
from ditto_music.features import (
    chroma,
    musicnn,
    resampling,
    smoothing,
    spectrogram,
    spectrum,
    timbre,
)
from ditto_music.features.crepe import network
from ditto_music.models.small import SmallModel
from ditto_music.optimize import Progress
from ditto_music.protocols import Model
from ditto_music.sampling import draw_noise
from tests.editing.sounds import music

GUITAR = Path(__file__).with_name("recordings") / "guit_em9.flac"
SECONDS = 3.0

LASTING: dict[str, Callable[[], Any]] = {
    "mel": lambda: spectrogram.mel_filters.__wrapped__(24_000, 2048, 40),
    "cosines": lambda: timbre._cosines.__wrapped__(40, 20),
    "resampling": lambda: resampling.polyphase.__wrapped__(2, 3),
    "bands": lambda: spectrum._band_filters.__wrapped__(24_000, 8192),
    "smoothing": lambda: smoothing.savgol_kernel.__wrapped__(5),
    "chroma": lambda: chroma.chroma_filters.__wrapped__(24_000, 4096),
    "crepe": network.load_crepe.__wrapped__,
    "taggers": lambda: musicnn._network.__wrapped__("msd", torch.device("cpu")),
    "ditto-small": lambda: load_model().codec,
    "debug": lambda: load_model("debug").denoiser,
}


@contextmanager
def odd_modes() -> Iterator[None]:
    """What a caller may be in."""
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        yield


def tensors_of(made: Any) -> list[Tensor]:
    return [made] if isinstance(made, Tensor) else [*made.parameters(), *made.buffers()]


@pytest.mark.parametrize("make", LASTING.values(), ids=LASTING)
def test_what_is_kept_is_of_no_mode_and_moves_no_random_numbers(make: Callable[[], Any]) -> None:
    before = torch.get_rng_state()
    with odd_modes():
        made = make()
    assert torch.equal(before, torch.get_rng_state())
    assert not any(tensor.is_inference() for tensor in tensors_of(made))


@pytest.mark.parametrize("make", LASTING.values(), ids=LASTING)
def test_what_is_kept_is_of_its_own_precision(make: Callable[[], Any]) -> None:
    usual = [tensor.dtype for tensor in tensors_of(make())]
    torch.set_default_dtype(torch.float64)
    try:
        assert [tensor.dtype for tensor in tensors_of(make())] == usual
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Intensity([-40, -20]),
        lambda: Melody(GUITAR),
        lambda: MatchSpectrum(GUITAR),
        lambda: Rhythm(GUITAR),
        lambda: Structure("AB"),
        lambda: Style("calm piano"),
        lambda: StyleLike(GUITAR),
        lambda: Tempo(120),
    ],
)
def test_a_control_measured_in_inference_mode_can_be_searched_for_later(
    model: SmallModel, make: Callable[[], Control]
) -> None:
    with torch.inference_mode():
        control = make()
        generate(model, "calm", control, duration=SECONDS, steps=2)
    optimize(model, "calm", control, duration=SECONDS, steps=2, iterations=1)


@pytest.mark.parametrize("method", [name for name in METHODS if not METHODS[name].trained_for])
def test_the_modes_of_the_caller_change_nothing(model: SmallModel, method: str) -> None:
    def made() -> Tensor:
        control: Control = Intensity([-40, -20])
        if METHODS[method].keeps:
            kept = torch.ones(model.latent_shape(1.0))
            control = Match(kept, torch.ones(kept.shape[-1]))
        start = draw_noise(model.latent_shape(1.0), [1])
        return METHODS[method](
            model, "calm", control, duration=1.0, steps=3, iterations=2, x_T=start
        ).audio

    usual = made()
    with odd_modes():
        assert torch.equal(made(), usual)
    with torch.no_grad():
        assert torch.equal(made(), usual)
    assert not usual.is_inference()


def sampled(model: Model) -> Tensor:
    return generate(model, "calm piano", duration=1.0, steps=2).audio


def test_the_trained_branch_and_the_embedded_model_under_autocast() -> None:
    small, branched = load_model(dtype="float32"), METHODS["control-net"]
    asked: dict[str, Any] = {"duration": 1.0, "steps": 2}
    usual = generate(small, "calm piano", **asked).audio
    state = torch.get_rng_state()
    with odd_modes():
        assert torch.equal(
            generate(load_model(dtype="float32"), "calm piano", **asked).audio, usual
        )
        branched(small, "calm piano", Intensity([-30, -20]), **asked)
    assert torch.equal(state, torch.get_rng_state())


def test_an_edit_under_any_mode(model: SmallModel) -> None:
    original = music(4.0, 24_000, 1)
    asked: dict[str, Any] = {"prompt": "calm", "steps": 2, "iterations": 1}
    usual = inpaint(model, original, [(1.0, 2.0)], **asked).recording.samples
    with odd_modes():
        assert (inpaint(model, original, [(1.0, 2.0)], **asked).recording.samples == usual).all()


@pytest.mark.parametrize("method", ["ditto", "doodl", "dps", "mpgd"])
def test_a_model_may_answer_in_half_precision(
    model: SmallModel, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    answers = {name: getattr(model, name) for name in ("denoise", "decode")}
    for name, answer in answers.items():
        monkeypatch.setattr(model, name, lambda *of, answer=answer: answer(*of).bfloat16())
    seen: list[Progress] = []
    control = Intensity([-40, -20]) + Structure("AB")
    made = METHODS[method](
        model, "calm", control, duration=SECONDS, steps=3, iterations=1, callback=seen.append
    )
    assert {seen[0].clip.audio.dtype, made.audio.dtype, made.x_T.dtype} == {torch.float32}
    assert made.items[0].latent.dtype == torch.float32


def test_noise_has_its_own_type_and_device() -> None:
    small = load_model(dtype="float32")
    usual = sampled(small)
    torch.set_default_dtype(torch.float64)
    try:
        for one in (small, load_model(dtype="float32")):
            torch.testing.assert_close(sampled(one), usual, rtol=0, atol=1e-3)
        METHODS["dps"](small, "calm piano", Intensity([-30, -20]), duration=1.0, steps=2)
    finally:
        torch.set_default_dtype(torch.float32)
    with torch.device("meta"):
        noise = draw_noise((2, 3), [0])
    assert torch.equal(noise, draw_noise((2, 3), [0]))
