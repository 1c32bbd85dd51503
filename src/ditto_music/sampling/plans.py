"""Gradient plans: what of each denoiser call is kept for the way back.

Every plan but the last is exact; they differ in time and memory alone.

=============  ==========================================  =====================================
plan           kept for backward                           forward passes a step and iteration
=============  ==========================================  =====================================
plain          all activations of all steps                2 (forward, backward)
checkpoint     one latent a step                           3 (forward, again, backward)
blocks         the same, and one block of a step's network 4 (forward, again, again, backward)
auto           all of as many steps as a budget holds      2 to 3; "blocks" where none fits
reversible     two latents in all; sampler "edict"         8 (forward, undo, again, back, by two)
last-K         all of the last K steps                     1, and 1 for each of K
=============  ==========================================  =====================================

*last-K* (DRaFT-K, Clark et al. 2024) takes what the network says in earlier steps as constant, so
only the sampler's own linear path leads from there to the noise: approximate. The sampler
"ping-pong" has none, since a step keeps nothing of its input but what the network says: only the
later noises that the last K steps begin with are reached, and x_T is not.
"""

from __future__ import annotations

import re
from pathlib import Path

import psutil
import torch
from torch import Tensor

from ditto_music.errors import InputError
from ditto_music.sampling.checkpointing import Denoise, checkpointed

PLANS = ("auto", "plain", "checkpoint", "blocks", "reversible", "last-K")
SHARE = 0.5  # of the memory that is free, where no budget is given
CONTAINER = Path("/sys/fs/cgroup")  # says what this process's may take

_parts = {"main": 1.0, "gpu": 1.0}  # of free memory that are this process's, see `share_memory`


def last_steps(plan: str) -> int | None:
    """K of a plan ``last-K``, None of any other.

    Raises
    ------
    InputError
        If there is no such plan.
    """
    if plan in PLANS[:-1]:
        return None
    found = re.fullmatch(r"last-([1-9]\d*)", str(plan))
    if not found:
        raise InputError(
            f"gradient '{plan}' is unknown: take {', '.join(PLANS[:-1])} or last-K, as in last-5"
        )
    return int(found[1])


def from_step(near: Denoise, far: Denoise, times: Tensor, last: int) -> Denoise:
    """One way to call the denoiser in the last so many steps, another before them.

    They part half-way between two times of the run: a time rounded to the latent's precision stays
    on its side.

    Parameters
    ----------
    last : 1 to steps - 1.
    """
    first = len(times) - 1 - last
    middle = float(times[first - 1 : first + 1].mean())
    return lambda x_t, t: near(x_t, t) if float(t) < middle else far(x_t, t)


def stored(denoise: Denoise) -> Denoise:
    """The denoiser with all its activations kept.

    The input becomes a tensor of its own, so that gradients of what reads it inside are summed
    before the sampler's are added, as where the call is made again: plans agree to the last bit.
    """
    return lambda x_t, t: denoise(x_t.view_as(x_t), t)


def constant(denoise: Denoise) -> Denoise:
    """The denoiser's answer as a constant: no gradient through it."""

    @torch.no_grad()
    def call(x_t: Tensor, t: Tensor) -> Tensor:
        return denoise(x_t, t)

    return call


def planned(denoise: Denoise, plan: str, times: Tensor, fitting: int = 0) -> Denoise:
    """The denoiser as a plan wants it called.

    Parameters
    ----------
    denoise : for "blocks", one that keeps a block at a time by itself.
    times : (steps + 1,), falling, of the run.
    fitting : for "auto", how many steps may keep their activations.
    """
    steps = len(times) - 1
    kept = last_steps(plan)
    if plan in ("plain", "reversible") or (kept is not None and kept >= steps):
        return stored(denoise)
    if plan in ("checkpoint", "blocks"):
        return checkpointed(denoise)
    if kept is not None:
        return from_step(stored(denoise), constant(denoise), times, kept)
    fit = min(fitting, steps)
    if fit == 0:
        return checkpointed(denoise)
    if fit == steps:
        return stored(denoise)
    return from_step(stored(denoise), checkpointed(denoise), times, fit)


def activation_bytes(denoise: Denoise, x_t: Tensor, t: Tensor) -> int:
    """What one call keeps for backward, in bytes, weights and condition left out.

    Two calls are made: what both keep is no activation of either.
    """

    def kept() -> tuple[dict[int, int], Tensor]:
        seen: dict[int, int] = {}

        def pack(x: Tensor) -> Tensor:
            storage = x.untyped_storage()
            seen[storage.data_ptr()] = storage.nbytes()
            return x.detach()  # an output kept as it is would hold itself for ever, graph and all

        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            return seen, denoise(x_t.detach().requires_grad_(), t)

    (first, alive), (second, _) = kept(), kept()  # `alive` holds the first's storages
    del alive
    return sum(size for pointer, size in second.items() if pointer not in first)


def memory_budget(device: torch.device, gigabytes: float | None, coming: int = 0) -> int:
    """Bytes that activations may take: what was asked, or half of what is free now.

    In a process that shares its machine, see `share_memory`, it is half of its part.

    Parameters
    ----------
    coming : bytes of weights that are still to come there and so leave less free.
    """
    if gigabytes is not None:
        return round(gigabytes * 1e9)
    part = _parts["gpu" if device.type == "cuda" else "main"]
    return max(0, round(SHARE * part * (free_memory(device) - coming)))


def share_memory(*, main: float, gpu: float) -> None:
    """Plan with these parts of what is free, for processes beside this one plan with the rest.

    Of the whole process until it ends, as `torch.set_num_threads` is.
    """
    _parts.update(main=main, gpu=gpu)


def free_memory(device: torch.device) -> int:
    """Bytes that new tensors may take there; on a GPU with what this process holds but not uses."""
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    free, left = psutil.virtual_memory().available, left_in_container()
    return free if left is None else min(free, left)


def left_in_container(root: Path = CONTAINER) -> int | None:
    """Bytes of main memory that a container's limit leaves, on Linux; None where there is no limit.

    What is held of files is given up when it is needed, so it counts as free, as it does of a
    machine.
    """
    for folder, limit, usage in (
        (root, "memory.max", "memory.current"),
        (root / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),  # of cgroups v1
    ):
        try:
            most, used = (int((folder / name).read_text()) for name in (limit, usage))
            lines = (folder / "memory.stat").read_text().splitlines()
        except (OSError, ValueError):  # no such files, or "max"
            continue
        told = dict(line.split() for line in lines)
        kinds = ("active_file", "inactive_file")
        files = sum(int(told.get(f"total_{kind}", told.get(kind, 0))) for kind in kinds)
        return max(0, most - used + files)
    return None
