"""Naive masking and MultiDiffusion by hand, and what they need."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from gaussian import MEANS, SECONDS, Distance, Draws, Gaussian, noise, share, wanted
from torch import Tensor

from ditto_music import InputError
from ditto_music.baselines import METHODS, multidiffusion, naive_masking
from ditto_music.controls import Match
from ditto_music.sampling import Condition

MASK = torch.tensor([1.0, 1, 1, 0, 0, 0, 1, 1]).double()
SEED = 4


def steps_of(count: int) -> list[tuple[float, float, float, Tensor]]:
    """``alpha_t, alpha_s, sigma_s`` and the time of each step."""
    schedule = Gaussian().schedule
    return [
        (float(schedule.alpha(t)), float(schedule.alpha(s)), float(schedule.sigma(s)), t)
        for t, s in pairwise(schedule.times(count))
    ]


def step_by_hand(x: Tensor, alpha_t: float, alpha_s: float, sigma_s: float, t: Tensor) -> Tensor:
    """DDIM under the prompt alone."""
    mean = MEANS["high"]
    x0 = mean + share(Gaussian().schedule, t) * (x - alpha_t * mean)
    eps = (x - alpha_t * x0) / float(Gaussian().schedule.sigma(t))
    return alpha_s * x0 + sigma_s * eps


def made(method, steps: int, model=None, control=None, **more):
    return method(
        model or Gaussian(),
        "high",
        control or Match(wanted(), MASK),
        seed=SEED,
        duration=SECONDS,
        steps=steps,
        guidance=1.0,
        x_T=noise(),
        **more,
    )


@pytest.mark.parametrize("until", [1.0, 0.5])
@pytest.mark.parametrize("method", [naive_masking, multidiffusion])
def test_the_known_part_goes_in_as_noisy_as_the_rest(method, until: float) -> None:
    x, fresh = noise(), Draws(SEED)
    for number, (alpha_t, alpha_s, sigma_s, t) in enumerate(steps_of(4)):
        x = step_by_hand(x, alpha_t, alpha_s, sigma_s, t)
        if number < 4 * until:
            reference = alpha_s * wanted() + sigma_s * fresh()
            inside = reference if method is naive_masking else (reference + x) / 2
            x = MASK * inside + (1 - MASK) * x
    result = made(method, 4, until=until)
    assert torch.allclose(result.items[0].latent[None], x, atol=1e-6)
    name = "naive-masking" if method is naive_masking else "multidiffusion"
    assert result.method == (name if until == 1 else f"{name}-50")


def test_naive_masking_keeps_what_stays_exactly() -> None:
    out = made(naive_masking, 3).items[0].latent
    assert torch.equal(out[:, MASK == 1], wanted()[:, MASK == 1])


class Averaging(Gaussian):
    """The clean estimate of each frame is the mean of all frames that are seen at once."""

    def denoise(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        return x_t.mean(-1, keepdim=True).expand_as(x_t)


def test_overlapping_windows_are_averaged() -> None:
    """Windows of 4 frames every 2 on a canvas of 8, one step from noise to clean.

    The clean canvas is then, of each frame, the mean over the windows that see it of their means.
    """
    x = noise()
    windows = [x[..., a : a + 4].mean(-1) for a in (0, 2, 4)]
    by_hand = torch.stack(
        [
            *[windows[0]] * 2,
            *[(windows[0] + windows[1]) / 2] * 2,
            *[(windows[1] + windows[2]) / 2] * 2,
            *[windows[2]] * 2,
        ],
        dim=-1,
    )
    nothing_new = Match(by_hand[0], MASK)  # what is known is what comes out
    out = made(multidiffusion, 1, Averaging(), nothing_new, window=0.5, stride=0.25)
    assert torch.allclose(out.items[0].latent[None], by_hand, atol=1e-12)


def test_the_last_window_ends_with_the_canvas() -> None:
    """Windows of 5 frames every 2: at 0, 2 and 3."""
    x = noise()
    means = {a: x[..., a : a + 5].mean(-1) for a in (0, 2, 3)}
    frame_3 = sum(means.values()) / 3
    out = made(multidiffusion, 1, Averaging(), window=5 / 8, stride=0.25).items[0].latent[None]
    assert torch.allclose(out[..., 3], frame_3, atol=1e-12)
    assert torch.allclose(out[..., 7], (means[3] + wanted()[None, :, 7]) / 2, atol=1e-12)


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.keeps])
def test_without_a_reference_it_is_one_clear_line(name: str) -> None:
    for control in (Distance(wanted()), Distance(wanted()) + 0 * Match(wanted(), MASK)):
        with pytest.raises(InputError, match=r"can do nothing else: use it with inpaint"):
            made(METHODS[name], 2, control=control)


@pytest.mark.parametrize(
    ("more", "words"), [({"until": 0.0}, "until is 0"), ({"stride": 2.0}, "stride is 2 s")]
)
def test_numbers_out_of_range_are_one_clear_line(more: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        made(multidiffusion, 2, **more)
