"""On a device without float64, as Apple's: nothing there is ever made in it.

There is none here, so torch's device "meta" stands for it: shapes and types without values.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ditto_music.descent import DESCENTS
from ditto_music.sampling import (
    NOISY_SAMPLERS,
    SAMPLERS,
    AngleSchedule,
    DiscreteSchedule,
    FlowSchedule,
    KarrasSchedule,
    Schedule,
    clean,
    reversible,
)
from ditto_music.sampling.plans import planned
from ditto_music.sampling.schedule import linear_betas

aten = torch.ops.aten
STEPS = 4
SCHEDULES: dict[str, Schedule] = {
    "flow": FlowSchedule(),
    "angle": AngleSchedule(),
    "karras": KarrasSchedule(),
    "discrete": DiscreteSchedule(linear_betas()),
}


class NoDoubles(TorchDispatchMode):
    """What an operation gives on the device is never float64; what is read from there is a half."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        far = any(isinstance(each, Tensor) and each.is_meta for each in args)
        if far and func is aten._local_scalar_dense.default:
            return 0.5
        if far and func is aten._to_copy.default and kwargs.get("device") == torch.device("cpu"):
            return torch.full(args[0].shape, 0.5, dtype=kwargs.get("dtype") or args[0].dtype)
        made = func(*args, **kwargs)
        for each in tree_leaves(made):
            if isinstance(each, Tensor) and each.is_meta:
                assert each.dtype != torch.float64, func
        return made


def test_a_double_on_the_device_is_found() -> None:
    with NoDoubles():
        number = torch.empty((), device="meta")
        assert float(number) == float(number.cpu().double()) == 0.5
        with pytest.raises(AssertionError):
            number.double()


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("sampler", [*SAMPLERS, *NOISY_SAMPLERS, "reversible"])
def test_a_walk_its_way_back_and_a_step_down_stay_in_float32(sampler: str, name: str) -> None:
    schedule = SCHEDULES[name]

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        assert t.device == x.device
        return clean("v", x.tanh(), x, schedule.alpha(t), schedule.sigma(t))

    with NoDoubles():
        x_T = torch.empty(2, 3, 8, device="meta", requires_grad=True)
        if sampler == "reversible":
            x_0 = reversible(denoise, x_T, schedule, STEPS)
        else:
            call = planned(denoise, "checkpoint", schedule.times(STEPS))
            walk = SAMPLERS.get(sampler) or NOISY_SAMPLERS[sampler]
            later = [] if sampler in SAMPLERS else [torch.empty(STEPS - 1, 2, 3, 8, device="meta")]
            x_0 = walk(call, x_T, schedule, STEPS, *later)
        (slope,) = torch.autograd.grad(x_0.square().sum(), x_T)
        moved = [DESCENTS[way](None).step(x_T.detach(), 1.0, slope) for way in DESCENTS]
    for each in moved:
        assert (each.device.type, each.dtype, each.shape) == ("meta", torch.float32, (2, 3, 8))
