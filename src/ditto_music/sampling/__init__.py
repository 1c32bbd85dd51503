"""Noise schedules, deterministic samplers, guidance and checkpointing: pure functions of tensors.

Every model is a denoiser that returns the clean estimate ``x0_hat(x_t, t)``; every sampler is one
function that walks it from the initial noise to a clean latent and keeps no state, so a
checkpointed step gives the same bits when it runs again.
"""

from collections.abc import Callable

from torch import Tensor

from ditto_music.sampling.adams import adams
from ditto_music.sampling.checkpointing import Denoise, checkpointed
from ditto_music.sampling.condition import Condition
from ditto_music.sampling.ddim import ddim
from ditto_music.sampling.guidance import guided
from ditto_music.sampling.inversion import invert_ddim
from ditto_music.sampling.noise import draw_noise
from ditto_music.sampling.schedule import FlowSchedule, Schedule
from ditto_music.sampling.stochastic import stochastic_ddim

Sampler = Callable[[Denoise, Tensor, Schedule, int], Tensor]

#: Name -> ``(denoise, x_T, schedule, steps) -> x_0``; all deterministic.
SAMPLERS: dict[str, Sampler] = {"ddim": ddim, "adams": adams}

__all__ = [
    "SAMPLERS",
    "Condition",
    "Denoise",
    "FlowSchedule",
    "Sampler",
    "Schedule",
    "adams",
    "checkpointed",
    "ddim",
    "draw_noise",
    "guided",
    "invert_ddim",
    "stochastic_ddim",
]
