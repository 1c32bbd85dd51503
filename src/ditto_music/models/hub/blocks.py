"""Autoencoders in little memory: a block's activations at a time, a stretch of time at a time.

A plain decode of Oobleck keeps 1.6 GB a second of stereo audio for backward. Block by block it is
less than a tenth of that between blocks, but still all of one block's; stretch by stretch it is one
block's activations of one stretch, however long the clip is. Both give the gradient of the plain
decode for any loss: the loss sees the whole clip, only the decoder's own graph is cut up. Encoders
have no gradient here and go by stretches alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

Decode = Callable[[Tensor], Tensor]
Encode = Callable[[Tensor], Tensor]

DILATED = 3 * (1 + 3 + 9)  # samples to either side that an Oobleck block's residual units look at
EDGE = 3  # that its first and last convolution do


def decoded_by_blocks(decoder: Any, latent: Tensor) -> Tensor:
    """What an `OobleckDecoder` makes of latents (B, C, T)."""
    x = decoder.conv1(latent)
    for block in decoder.block:
        x = kept(block, x)
    return decoder.conv2(decoder.snake1(x))


def kept(block: Callable[..., Tensor], *given: Any, **more: Any) -> Tensor:
    """The block's answer; where gradients are on, only its inputs are kept for backward."""
    if not torch.is_grad_enabled():
        return block(*given, **more)
    return cast("Tensor", checkpoint(block, *given, use_reentrant=False, **more))


def oobleck_reach(ratios: Sequence[int]) -> int:
    """Latent frames to either side that an Oobleck decoder looks at.

    Parameters
    ----------
    ratios : of upsampling, in the order of the decoder's blocks. Each block's transposed
        convolution looks one frame of its own rate further.
    """
    reach, rate = float(EDGE), 1
    for ratio in ratios:
        reach += 1 / rate
        rate *= ratio
        reach += DILATED / rate
    return math.ceil(reach + EDGE / rate)


def oobleck_encoder_reach(ratios: Sequence[int]) -> int:
    """Latent frames to either side of its own that an Oobleck encoder looks at.

    Parameters
    ----------
    ratios : of downsampling, in the order of the encoder's blocks. Each block's strided convolution
        looks half a stride beyond its own frame.
    """
    reach, rate = EDGE, 1
    for ratio in ratios:
        reach += (DILATED + math.ceil(ratio / 2)) * rate
        rate *= ratio
    return math.ceil(reach / rate) + 1


def hifigan_reach(config: Any) -> int:
    """Mel frames to either side that a `SpeechT5HifiGan` of this configuration looks at."""
    dilated = max(
        (size - 1) // 2 * (sum(dilations) + len(dilations))
        for size, dilations in zip(
            config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True
        )
    )
    reach, rate = float(EDGE), 1
    for ratio, size in zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True):
        reach += math.ceil((size - 1 - (size - ratio) // 2) / ratio) / rate
        rate *= ratio
        reach += dilated / rate
    return math.ceil(reach + EDGE / rate)


def same_reach(coder: Any) -> int:
    """Latent frames to either side that a `SAMEDecoder`, or `SAMEEncoder`, attends to, a window a
    layer.
    """
    reach, rate = 0.0, 1
    blocks = coder.blocks if coder.blocks[0].mode == "decoder" else reversed(coder.blocks)
    for block in blocks:
        reach += block.sliding_window * len(block.transformers) / rate
        rate *= block.stride
    return math.ceil(reach)


def keep_inputs_only(layers: Iterable[Any]) -> None:
    """From now on these modules keep their inputs for backward and run again there.

    Deleting their attribute ``forward`` undoes it.
    """
    for layer in layers:
        layer.forward = partial(kept, layer.forward)


def decoded_by_stretches(
    decode: Decode, latent: Tensor, frames: int, reach: int, hop: int
) -> Tensor:
    """What `decode` makes of latents (B, ..., T), `frames` of them at a time, with their context.

    Forward keeps nothing; backward decodes each stretch again and goes back through it, so for any
    loss of the whole audio the gradient is that of one decode.

    Parameters
    ----------
    decode : latents (B, ..., t) to audio (B, channels, hop t); a pure function that looks at most
        `reach` frames to either side and does not care where in the clip it is.
    frames : of a stretch; a latent no longer than this is decoded at once.
    """
    if latent.shape[-1] <= frames:
        return decode(latent)
    return cast("Tensor", _ByStretches.apply(latent, decode, frames, reach, hop))


def encoded_by_stretches(
    encode: Encode, audio: Tensor, frames: int, reach: int, hop: int
) -> Tensor:
    """What `encode` makes of audio (B, channels, hop T), `frames` at a time, with their context.

    Parameters
    ----------
    encode : audio (B, channels, hop t) to latents (B, ..., t); looks at most `reach` frames to
        either side and does not care where in the clip it is.
    frames : of a stretch; audio no longer than this is encoded at once.
    """
    total = audio.shape[-1] // hop
    if total <= frames:
        return encode(audio)
    return torch.cat(
        [
            encode(audio[..., hop * whole.start : hop * whole.stop])[..., own]
            for whole, own in stretches(total, frames, reach)
        ],
        dim=-1,
    )


def stretches(total: int, frames: int, reach: int) -> Iterator[tuple[slice, slice]]:
    """Frames to work on and, of these, frames to keep; together the latter are all, once."""
    for start in range(0, total, frames):
        stop = min(start + frames, total)
        begin, end = max(0, start - reach), min(total, stop + reach)
        yield slice(begin, end), slice(start - begin, stop - begin)


class _ByStretches(torch.autograd.Function):
    """A decode whose graph exists only a stretch at a time."""

    @staticmethod
    def forward(
        ctx: Any, latent: Tensor, decode: Decode, frames: int, reach: int, hop: int
    ) -> Tensor:
        """Each stretch in turn; gradients are off in here."""
        ctx.save_for_backward(latent)
        ctx.how = decode, frames, reach, hop
        return torch.cat(
            [
                decode(latent[..., whole])[..., hop * own.start : hop * own.stop]
                for whole, own in stretches(latent.shape[-1], frames, reach)
            ],
            dim=-1,
        )

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, ...]:
        """Each stretch again with a graph, straight back through it; overlaps add up."""
        (latent,) = ctx.saved_tensors
        decode, frames, reach, hop = ctx.how
        slope, done = torch.zeros_like(latent), 0
        for whole, own in stretches(latent.shape[-1], frames, reach):
            part = latent[..., whole].detach().requires_grad_()
            length = hop * (own.stop - own.start)
            with torch.enable_grad():
                audio = decode(part)[..., hop * own.start : hop * own.stop]
                (piece,) = torch.autograd.grad(audio, part, grads[0][..., done : done + length])
            slope[..., whole] += piece
            done += length
        return slope, None, None, None, None
