"""DITTO (Novack et al., ICML 2024): optimise the initial noise through the sampler.

    x_T* = argmin over x_T of  L( f( decode( Sampler(denoiser, x_T, prompt) ) ), y )

The model is frozen and the sampler deterministic, so the gradient of any differentiable loss on the
finished audio is exact at ``x_T``. Each denoiser call is checkpointed: memory does not grow with
the number of steps. Fewer steps while optimising than for the result is DITTO-2's surrogate.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ditto_music.problem import Problem
from ditto_music.protocols import Clip, Control, Model
from ditto_music.result import Result, Row, Settings, Stopped


@dataclass(frozen=True)
class Progress:
    """What a callback sees after each iteration.

    Attributes
    ----------
    iteration : counted from 1.
    items : indices of the items that this iteration moved.
    rows : of each of them the total ``loss`` and each control's own.
    clip : their clips; ``clip.audio`` decodes on demand.
    seconds : since the start.
    """

    iteration: int
    items: list[int]
    rows: list[Row]
    clip: Clip
    seconds: float


@dataclass
class Track:
    """One item on its way: its noise, the best noise so far, and why it stopped."""

    noise: Tensor
    best: Tensor
    lowest: float = float("inf")
    stopped: Stopped | None = None
    history: list[Row] = field(default_factory=list[Row])

    def see(self, row: Row, met: bool) -> None:
        """Keep the noise if it is the best yet; stop where the target is met or numbers break."""
        self.history.append(row)
        if row["loss"] < self.lowest:
            self.lowest, self.best = row["loss"], self.noise.detach().clone()
        if self.noise.grad is None or not bool(torch.isfinite(self.noise.grad).all()):
            self.stopped = "diverged"
        elif met:
            self.stopped = "tolerance"


def optimize(
    model: Model,
    prompt: str | Sequence[str],
    control: Control | Sequence[Control],
    *,
    seed: int | Sequence[int] = 0,
    duration: float = 6.0,
    steps: int = 20,
    surrogate_steps: int | None = 8,
    guidance: float = 3.0,
    negative_prompt: str = "",
    iterations: int = 60,
    tolerance: float | None = None,
    lr: float = 5e-2,
    time_limit: float | None = None,
    checkpoint: bool = True,
    x_T: Tensor | None = None,
    callback: Callable[[Progress], bool | None] | None = None,
) -> Result:
    """Find the noise from which the model makes music that meets the control.

    Items are independent: each keeps its best, stops and reports on its own. Prompts, controls and
    seeds may be one for all or one an item.

    Parameters
    ----------
    duration : seconds of audio.
    steps, surrogate_steps : sampler steps of the result, and at most of each iteration (None: the
        same).
    guidance : classifier-free guidance scale; 1 is off, at half the cost.
    negative_prompt : what guidance moves away from.
    iterations : at most this many updates of the noise.
    tolerance : an item stops when its total loss is this small; None: when each of its controls
        counts as met.
    lr : of Adam on the noise.
    time_limit : seconds after which no new iteration starts.
    checkpoint : recompute activations in backward; off is faster and takes memory a step.
    x_T : (B, ...) noise to start from, instead of the seeds' own.
    callback : called after each iteration; returning True stops and keeps the best so far, as
        Ctrl-C does.

    Raises
    ------
    InputError
        If a setting or a target cannot be used; before any work is done.
    FloatingPointError
        If an item never had a finite loss.
    """
    settings = Settings(
        duration,
        steps,
        guidance,
        iterations,
        tolerance,
        lr,
        surrogate_steps,
        time_limit,
        checkpoint,
    )
    problem = Problem(model, prompt, control, seed, negative_prompt, settings)
    start = problem.noise() if x_T is None else x_T.detach().to(model.device)
    tracks = [Track(z.clone().requires_grad_(), z) for z in start]
    adam = torch.optim.Adam([track.noise for track in tracks], lr=lr)
    started = time.monotonic()
    outcome: Stopped = "iterations"
    try:
        for iteration in range(1, iterations + 1):
            items = [i for i, track in enumerate(tracks) if track.stopped is None]
            noise = torch.stack([tracks[i].noise for i in items])
            clip = problem.clip(problem.sample(noise, items, settings.sampled_steps))
            losses, rows = problem.measure(clip, items)
            adam.zero_grad()
            losses.sum().backward()
            for i, row in zip(items, rows, strict=True):
                tracks[i].see(row, problem.met(i, row))
            adam.step()

            seconds = time.monotonic() - started
            if callback and callback(Progress(iteration, items, rows, clip, seconds)):
                raise KeyboardInterrupt
            if all(track.stopped for track in tracks):
                break
            if time_limit and seconds * (iteration + 1) / iteration > time_limit:
                outcome = "time"
                break
    except KeyboardInterrupt:
        if not tracks[0].history:
            raise
        outcome = "interrupted"
    if iterations and any(track.lowest == float("inf") for track in tracks):
        raise FloatingPointError("the loss was never a finite number: lower lr or the guidance")
    best = torch.stack([track.best for track in tracks])
    histories = [track.history for track in tracks]
    stopped = [track.stopped or outcome for track in tracks]
    try:
        return problem.finish("ditto", best, stopped, histories)
    except KeyboardInterrupt:  # the search is over: give what it found
        return problem.finish("ditto", best, stopped, histories).interrupted()
