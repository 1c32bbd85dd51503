"""Noise schedules, samplers, guidance and gradient plans: pure functions of tensors.

Every model is a denoiser that returns the clean estimate ``x0_hat(x_t, t)``; every sampler is one
function that walks it from the initial noise to a clean latent and keeps no state, so a
checkpointed step gives the same bits when it runs again. What a walk remembers, as a guidance with
momentum does, lies outside of the steps.
"""

from collections.abc import Callable

from torch import Tensor

from ditto_music.sampling.adams import adams
from ditto_music.sampling.checkpointing import Denoise, checkpointed
from ditto_music.sampling.condition import Condition
from ditto_music.sampling.ddim import ddim
from ditto_music.sampling.dpm import dpm, stochastic_dpm
from ditto_music.sampling.edict import (
    edict,
    edict_pair,
    invert_edict,
    mixing,
    reversible,
    reversible_pair,
)
from ditto_music.sampling.guidance import Guidance, Parts, estimates, guided, joined
from ditto_music.sampling.heun import heun
from ditto_music.sampling.inversion import invert_ddim
from ditto_music.sampling.noise import draw_noise, draw_noises, normal, seeds_of
from ditto_music.sampling.ping_pong import ping_pong
from ditto_music.sampling.plans import PLANS
from ditto_music.sampling.prediction import clean, edm_clean, predicted
from ditto_music.sampling.projection import Projection
from ditto_music.sampling.schedule import (
    AngleSchedule,
    DiscreteSchedule,
    FlowSchedule,
    KarrasSchedule,
    Schedule,
)
from ditto_music.sampling.stochastic import (
    fresh_noise,
    noised,
    noisy_ddim,
    rms,
    stochastic_ddim,
    stochastic_step,
)

Sampler = Callable[[Denoise, Tensor, Schedule, int], Tensor]

NoisySampler = Callable[[Denoise, Tensor, Schedule, int, Tensor], Tensor]

#: Name -> ``(denoise, x_T, schedule, steps) -> x_0``; all deterministic. Euler's method, in the
#: noise level or along straight flows, is "ddim".
SAMPLERS: dict[str, Sampler] = {
    "adams": adams,
    "ddim": ddim,
    "dpm": dpm,
    "heun": heun,
    "edict": edict,
}

#: Name -> ``(denoise, x_T, schedule, steps, noises) -> x_0``, with noises (steps - 1, B, ...) for
#: the steps but the last: deterministic once these are drawn.
NOISY_SAMPLERS: dict[str, NoisySampler] = {"ping-pong": ping_pong}

#: Of the samplers that make more than one denoiser call a step.
CALLS_A_STEP = {"heun": 2, "edict": 2}

__all__ = [
    "CALLS_A_STEP",
    "NOISY_SAMPLERS",
    "PLANS",
    "SAMPLERS",
    "AngleSchedule",
    "Condition",
    "Denoise",
    "DiscreteSchedule",
    "FlowSchedule",
    "Guidance",
    "KarrasSchedule",
    "NoisySampler",
    "Parts",
    "Projection",
    "Sampler",
    "Schedule",
    "adams",
    "checkpointed",
    "clean",
    "ddim",
    "dpm",
    "draw_noise",
    "draw_noises",
    "edict",
    "edict_pair",
    "edm_clean",
    "estimates",
    "fresh_noise",
    "guided",
    "heun",
    "invert_ddim",
    "invert_edict",
    "joined",
    "mixing",
    "noised",
    "noisy_ddim",
    "normal",
    "ping_pong",
    "predicted",
    "reversible",
    "reversible_pair",
    "rms",
    "seeds_of",
    "stochastic_ddim",
    "stochastic_dpm",
    "stochastic_step",
]
