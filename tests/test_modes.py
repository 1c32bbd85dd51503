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
from ditto_music.controls import Control
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
