"""What a search will take, before it takes it: a rehearsal on tensors that have no contents.

Network and decoder are run forward and back on fake tensors, which have shapes and nothing else,
while a ledger adds up what would be allocated and let go. That is exact in what PyTorch allocates
for tensors; what kernels use inside, and what an allocator keeps for itself, is not seen.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ditto_music.errors import InputError
from ditto_music.protocols import Clip
from ditto_music.sampling import CALLS_A_STEP
from ditto_music.sampling.plans import free_memory

if TYPE_CHECKING:
    from ditto_music.problem import Problem

COPIES = 3  # of the audio: its stretches, all of it, its gradient
Task = Literal["denoise", "decode"]

SPARE = 0.95  # of the free memory that a search may be expected to fill


@runtime_checkable
class Weighed(Protocol):
    """A model large enough to be asked what it takes."""

    def weight_bytes(self) -> tuple[int, int]:
        """Of the weights on the device while prompts are read, and of those that stay there."""
        ...

    def moved_bytes(self, task: Task) -> int:
        """Of weights that come to the device for a task and leave it again."""
        ...

    def held(self, task: Task) -> AbstractContextManager[None]:
        """Inside, the weights of a task are where it is done, and none move: for a rehearsal."""
        ...

    @property
    def telling_seconds(self) -> float:
        """Of a clip whose decoding takes as much, beyond the audio itself, as any longer one's."""
        ...


@dataclass(frozen=True)
class Use:
    """Of one forward and backward pass, in bytes beyond its input.

    Attributes
    ----------
    kept : between forward and backward, the output left out.
    peak : at the most.
    """

    kept: int
    peak: int


@dataclass(frozen=True)
class Estimate:
    """Peak memory of a run in bytes.

    Attributes
    ----------
    reading : weights while prompts are read, text encoders with them.
    weights : that stay afterwards.
    network : one call, forward and backward, or where a step is made again whole all of its calls;
        with its weights, if they come for it alone.
    kept : what earlier calls keep for backward, all together.
    decoder : decoding, forward and backward, and the controls on the audio; weights likewise.
    """

    reading: int
    weights: int
    network: int
    kept: int
    decoder: int

    @property
    def working(self) -> int:
        """Beyond the weights that stay."""
        return self.kept + max(self.network, self.decoder)

    @property
    def peak(self) -> int:
        """At the most, weights and all."""
        return max(self.reading, self.weights + self.working)

    def __str__(self) -> str:
        parts = {"weights": self.weights, "network": self.kept + self.network}
        parts["decoder and controls"] = self.decoder
        told = ", ".join(f"{name} {size(part)}" for name, part in parts.items())
        return f"about {size(self.peak)} of memory at the most ({told})"

    def report(self) -> dict[str, int]:
        """For the report."""
        return asdict(self) | {"peak": self.peak}


def size(count: int) -> str:
    """Bytes as people say them."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.0f} MB"


def estimated(problem: Problem, steps: int, *, searches: bool = True) -> Estimate:
    """What sampling all items of a problem at once takes, with gradients if it searches.

    Parameters
    ----------
    problem : on a model that is `Weighed`.
    steps : sampler steps of an iteration.
    """
    model, everyone = problem.model, list(range(len(problem)))
    assert isinstance(model, Weighed)
    reading, weights = model.weight_bytes()
    to_denoise, to_decode = model.moved_bytes("denoise"), model.moved_bytes("decode")
    noise = problem.noise()
    frames = problem.form.frames
    telling = min(frames, math.ceil(model.telling_seconds * problem.form.sample_rate))
    more = COPIES * (frames - telling) * problem.model.channels * len(problem) * noise.itemsize

    def decode(x: Tensor) -> Tensor:
        return Clip(problem.model, x, telling).audio

    if not searches:
        with model.held("denoise"):
            network = rehearsed(problem.room.called(everyone), noise, gradients=False)
        with model.held("decode"):
            decoder = rehearsed(decode, noise, gradients=False)
        return Estimate(
            reading, weights, network.peak + to_denoise, 0, decoder.peak + more + to_decode
        )
    plan, kept_steps = problem.room.plan(everyone, steps, noise.dtype)
    network = problem.room.use(everyone, noise, sparing=plan == "blocks")
    with model.held("decode"):
        decoder = rehearsed(decode, noise)
    controls = _controls(problem, noise, everyone)
    calls = CALLS_A_STEP.get(problem.settings.sampler, 1)
    stored = network.kept if kept_steps else 0
    beside = network.kept * (calls - 1) if plan == "reversible" else 0  # a step is made again whole
    latents = noise.nbytes * calls * steps * 3  # of each call its input, its estimate, their sum
    return Estimate(
        reading,
        weights,
        network.peak + beside + latents + to_denoise,
        stored * max(0, calls * kept_steps - 1),
        stored + latents + decoder.peak + more + controls + to_decode,
    )


def check(estimate: Estimate, device: torch.device, seconds: float) -> None:
    """Refuse a search that will not fit.

    Raises
    ------
    InputError
        With what would make it fit.
    """
    free = free_memory(device)
    if estimate.working <= SPARE * free:
        return
    larger = estimate.network + estimate.kept >= estimate.decoder
    mend = (
        "take --gradient blocks, --dtype bfloat16, --guidance 1 or a shorter --duration"
        if larger
        else f"take a --duration below {seconds:g}, or --dtype bfloat16"
    )
    raise InputError(
        f"this needs {size(estimate.working)} beyond the weights that are there and {device} has "
        f"{size(free)} free: {mend}"
    )


def rehearsed(call: Callable[[Tensor], Tensor], x: Tensor, *, gradients: bool = True) -> Use:
    """What a call and the way back through it would take for an input like `x`; nothing is run."""
    from torch._subclasses.fake_tensor import FakeTensorMode  # slow to import

    ledger = Ledger()
    with FakeTensorMode(allow_non_fake_inputs=True), torch.set_grad_enabled(gradients):
        fake = torch.empty(x.shape, dtype=x.dtype, device=x.device, requires_grad=gradients)
        with ledger:
            y = call(fake)
            kept = ledger.now - y.nbytes
            if gradients:
                torch.autograd.grad(y, fake, torch.empty_like(y))
    return Use(kept, ledger.peak)


def ran_out(error: BaseException) -> bool:
    """Whether an error says that there was no memory left, on a GPU or in main memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def _controls(problem: Problem, noise: Tensor, items: Sequence[int]) -> int:
    """What the controls keep of the audio; measured, on noise, since they are small."""
    form, model = problem.form, problem.model
    audio = noise.new_empty(len(items), model.channels, form.frames).normal_(
        generator=torch.Generator(noise.device).manual_seed(0)
    )
    if not any(problem.goals[i].objectives for i in items):
        return 0
    ledger = Ledger()
    with torch.enable_grad(), ledger:
        clip = _Heard(problem, noise.detach().requires_grad_(), 0.1 * audio)
        losses, _ = problem.measure(clip, items)
        torch.autograd.grad(losses.sum(), (clip.audio, clip.latent), allow_unused=True)
    return ledger.peak


class _Heard(Clip):
    """A clip whose audio is given."""

    def __init__(self, problem: Problem, latent: Tensor, audio: Tensor) -> None:
        super().__init__(problem.model, latent, problem.form.frames)
        self.__dict__["audio"] = audio.requires_grad_()


class Ledger(TorchDispatchMode):
    """Adds up the storages that operations inside make, as long as something holds them.

    Attributes
    ----------
    now, peak : bytes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._alive: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """One operation: whatever storage it returns that was not there before counts."""
        given = {self._key(x) for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)}
        made = func(*args, **(kwargs or {}))
        for x in tree_leaves(made):
            if isinstance(x, Tensor) and self._key(x) not in given:
                self._count(x)
        return made

    @staticmethod
    def _key(x: Tensor) -> int:
        return x.untyped_storage()._cdata  # pyright: ignore[reportPrivateUsage]

    def _count(self, x: Tensor) -> None:
        storage = x.untyped_storage()
        key, count = storage._cdata, storage.nbytes()  # pyright: ignore[reportPrivateUsage]
        if key in self._alive:
            return
        self._alive.add(key)
        self.now += count
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._gone, key, count)

    def _gone(self, key: int, count: int) -> None:
        self._alive.discard(key)
        self.now -= count
