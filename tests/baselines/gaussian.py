"""A model that can be solved by hand: each value of the clean latent is Gaussian by itself."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from ditto_music import Control
from ditto_music.protocols import Clip, Form
from ditto_music.sampling import AngleSchedule, Condition, Schedule
from ditto_music.sampling.guidance import Guidance

MEANS = {"": 0.25, "high": 1.0}
VARIANCE = 0.5
SECONDS = 1.0


class Gaussian:
    """Posterior means of ``x_0 ~ N(mean of the prompt, 0.5)`` given ``alpha x_0 + sigma eps``."""

    name = "gaussian"
    sample_rate = 8
    channels = 1
    revision = None
    baked = False
    guidance = Guidance()
    decoder_reach = 0
    seconds_range = (0.25, 10.0)
    seconds_per_frame = 1 / 8
    device = torch.device("cpu")

    def __init__(self, schedule: Schedule | None = None) -> None:
        self.schedule: Schedule = schedule or AngleSchedule()
        self.asked_for_gradients = 0

    def latent_shape(self, seconds: float) -> tuple[int, ...]:
        return 2, round(seconds * self.sample_rate)

    def condition(
        self, prompts: Sequence[str], seconds: float, beside: Sequence[str] | None = None
    ) -> Condition:
        return Condition({"mean": torch.tensor([[[MEANS[p]]] for p in prompts]).double()})

    def denoise(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        self.asked_for_gradients += x_t.requires_grad
        mean = condition.tensors["mean"].to(x_t)
        return mean + share(self.schedule, t) * (x_t - self.schedule.alpha(t) * mean)

    def sparing(self) -> AbstractContextManager[None]:
        return nullcontext()

    def encode(self, audio: Tensor) -> Tensor:
        return audio.expand(-1, 2, -1)

    def decode(self, latent: Tensor) -> Tensor:
        return latent.mean(1, keepdim=True)


def share(schedule: Schedule, t: Tensor) -> float:
    """d x0_hat / d x_t, the same for all values."""
    alpha, sigma = float(schedule.alpha(t)), float(schedule.sigma(t))
    return alpha * VARIANCE / (alpha**2 * VARIANCE + sigma**2)


class Distance(Control):
    """How far the latent is from another: the mean square, or the mean size (L1).

    It says how large the latent is to be, so nothing else, such as a ceiling, is to change it.
    """

    name = "distance"
    sets_level = True

    def __init__(self, wanted: Tensor, power: int = 2) -> None:
        self.wanted, self.power = wanted, power

    def target(self, form: Form) -> Tensor:
        return self.wanted

    def feature(self, clip: Clip) -> Tensor:
        return clip.latent

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        return (feature - target).abs().pow(self.power).flatten(1).mean(1)


def noise(seed: int = 0, count: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 2, 8, generator=generator, dtype=torch.float64)


def wanted(seed: int = 9) -> Tensor:
    return 2 + noise(seed)[0]


def rms(x: Tensor) -> float:
    return float(x.square().mean().sqrt())


class Draws:
    """The fresh noises of an item, in order."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self()

    def __call__(self) -> Tensor:
        return torch.randn(2, 8, generator=self.generator).double()[None]
