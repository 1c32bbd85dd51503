"""The networks of ditto-small: a text encoder and a latent diffusion transformer.

The transformer (DiT, Peebles and Xie 2023) predicts the flow velocity ``u = eps - x_0`` of
``x_t = (1 - t) x_0 + t eps``. Time and the pooled text modulate every block through one shared
projection and a learned offset a block (adaLN-single, PixArt-alpha); every other block also looks
at the words. Positions are rotary, so length is free. An empty prompt is the unconditional model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class DenoiserConfig:
    """Sizes of the two networks; the defaults are those of the shipped weights."""

    channels: int = 32
    patch: int = 2
    width: int = 320
    depth: int = 8
    heads: int = 5
    expansion: int = 3
    cross_width: int = 160
    vocabulary: int = 24_000
    word_width: int = 128
    text_width: int = 192
    text_depth: int = 2
    text_limit: int = 48


@dataclass(frozen=True)
class Text:
    """An encoded prompt: ``tokens`` (B, L, V), ``mask`` (B, L) true at words, ``pooled`` (B, V)."""

    tokens: Tensor
    mask: Tensor
    pooled: Tensor


def waves(x: Tensor, count: int, longest: float) -> Tensor:
    """Sines and cosines (..., 2 count) of `x` (...) at wavelengths from 1 to `longest`."""
    steps = torch.arange(count, device=x.device, dtype=torch.float32) / max(1, count - 1)
    angles = x.float()[..., None] * (2 * math.pi) * longest**-steps
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def rotate(x: Tensor) -> Tensor:
    """Rotary positions for queries or keys (B, H, L, D)."""
    length, half = x.shape[-2], x.shape[-1] // 2
    rates = 1000.0 ** -(torch.arange(half, device=x.device, dtype=torch.float32) / half)
    angles = torch.arange(length, device=x.device, dtype=torch.float32)[:, None] * rates
    sin, cos = angles.sin().to(x.dtype), angles.cos().to(x.dtype)
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention of heads (B, H, L, D), `mask` true at the keys to look at.

    In bfloat16 on a CPU plain products are differentiated far faster than torch's fused kernel
    (docs/performance.md); in float32 they are not.
    """
    kind = q.device.type
    if kind != "cpu" or not torch.is_autocast_enabled(kind):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    weights = (q * q.shape[-1] ** -0.5) @ k.mT
    if mask is not None:
        weights = weights.masked_fill(~mask, -math.inf)
    return weights.softmax(-1) @ v


class SelfAttention(nn.Module):
    """Multi-head attention with normalised queries and keys and rotary positions."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_norm = nn.RMSNorm(width // heads, eps=1e-6)
        self.k_norm = nn.RMSNorm(width // heads, eps=1e-6)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, L, W) to the same; `mask` (B, L) is true at the keys to look at."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q, k = q.to(self.q_norm.weight), k.to(self.k_norm.weight)  # as autocast leaves them
        q, k = rotate(self.q_norm(q)), rotate(self.k_norm(k))
        keys = None if mask is None else mask[:, None, None, :]
        y = attend(q, k, v, keys)
        return self.out(y.transpose(1, 2).flatten(2))


class CrossAttention(nn.Module):
    """Sound looks at words: its queries, their keys and values."""

    def __init__(self, width: int, text_width: int, inner: int) -> None:
        super().__init__()
        self.heads = max(1, inner // 32)
        self.q = nn.Linear(width, inner, bias=False)
        self.kv = nn.Linear(text_width, 2 * inner, bias=False)
        self.out = nn.Linear(inner, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, text: Text) -> Tensor:
        """(B, L, W) to the same."""
        q = self.q(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = self.kv(text.tokens).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        y = attend(q, k, v, text.mask[:, None, None, :])
        return self.out(y.transpose(1, 2).flatten(2))


class Feed(nn.Sequential):
    """The block's multilayer perceptron."""

    def __init__(self, width: int, expansion: int) -> None:
        enter, leave = nn.Linear(width, expansion * width), nn.Linear(expansion * width, width)
        super().__init__(enter, nn.GELU(), leave)

    @property
    def last(self) -> nn.Linear:
        """The layer that writes to the residual stream."""
        return cast("nn.Linear", self[-1])


class TextEncoder(nn.Module):
    """Word vectors, numbers by value, and a small transformer.

    The vectors are distilled from a sentence encoder and stay frozen, so a word never seen in a
    training caption still lands beside its synonyms. A number enters as waves of its logarithm:
    an unseen tempo lies between its neighbours. The rest learns first to tell what a caption says
    of the music (`training.text.encoder`) and is frozen too while the denoiser trains: taught by
    the denoiser's faint gradient alone, it collapsed into a constant.
    """

    vectors: Tensor

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        width = config.text_width
        self.register_buffer("vectors", torch.zeros(config.vocabulary, config.word_width))
        self.enter = nn.Linear(config.word_width, width)
        self.number = nn.Linear(32, width)
        self.start = nn.Parameter(torch.randn(width) * 0.1)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 * config.text_depth))
        looks = [SelfAttention(width, width // 48) for _ in range(config.text_depth)]
        feeds = [Feed(width, 3) for _ in range(config.text_depth)]
        self.looks, self.feeds = nn.ModuleList(looks), nn.ModuleList(feeds)
        self.norm = nn.LayerNorm(width)
        for branch in self.branches:
            nn.init.zeros_(branch.weight)
            nn.init.zeros_(branch.bias)

    @property
    def branches(self) -> list[nn.Linear]:
        """The layers that write to the residual stream; they begin at zero."""
        looks = (cast("SelfAttention", look).out for look in self.looks)
        return [*looks, *(cast("Feed", feed).last for feed in self.feeds)]

    def forward(self, ids: Tensor, values: Tensor) -> Text:
        """Encode padded word pieces.

        Parameters
        ----------
        ids : (B, L) integer, 0 where padded.
        values : (B, L), the number a token stands for, or 0.
        """
        words = self.enter(self.vectors[ids].to(self.enter.weight.dtype))
        size = torch.log2(values.clamp(min=1.0))
        numbers = self.number(waves(4 * size, 16, 64.0).to(words.dtype)) * (values > 0)[..., None]
        start = self.start.expand(len(ids), 1, -1)
        x = torch.cat([start, words + numbers], dim=1)
        mask = torch.cat([torch.ones_like(ids[:, :1]), ids], dim=1) != 0
        for i, (look, feed) in enumerate(zip(self.looks, self.feeds, strict=True)):
            x = x + look(self.norms[2 * i](x), mask)
            x = x + feed(self.norms[2 * i + 1](x))
        x = self.norm(x)
        return Text(x, mask, x[:, 0])


class Block(nn.Module):
    """One transformer block, modulated by time and text."""

    def __init__(self, config: DenoiserConfig, looks_at_words: bool) -> None:
        super().__init__()
        self.attention = SelfAttention(config.width, config.heads)
        self.words = (
            CrossAttention(config.width, config.text_width, config.cross_width)
            if looks_at_words
            else None
        )
        self.feed = Feed(config.width, config.expansion)
        self.offset = nn.Parameter(torch.zeros(6, config.width))

    def forward(self, x: Tensor, modulation: Tensor, text: Text) -> Tensor:
        """(B, L, W) with modulation (B, 6, W)."""
        parts = (modulation + self.offset)[:, :, None].unbind(1)
        scale_a, shift_a, gate_a, scale_f, shift_f, gate_f = parts
        normal = F.layer_norm(x, x.shape[-1:])
        x = x + gate_a * self.attention(normal * (1 + scale_a) + shift_a)
        if self.words is not None:
            x = x + self.words(F.layer_norm(x, x.shape[-1:]), text)
        normal = F.layer_norm(x, x.shape[-1:])
        return x + gate_f * self.feed(normal * (1 + scale_f) + shift_f)


class Denoiser(nn.Module):
    """Flow velocity of latents (B, C, T), T a multiple of the patch."""

    def __init__(self, config: DenoiserConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or DenoiserConfig()
        self.text = TextEncoder(c)
        self.enter = nn.Linear(c.channels * c.patch, c.width)
        self.time = nn.Sequential(nn.Linear(64, c.width), nn.SiLU(), nn.Linear(c.width, c.width))
        self.prompt = nn.Linear(c.text_width, c.width)
        self.modulation = nn.Linear(c.width, 6 * c.width)
        self.blocks = nn.ModuleList(Block(c, i % 2 == 1) for i in range(c.depth))
        self.final = nn.Linear(c.width, 2 * c.width)
        self.leave = nn.Linear(c.width, c.channels * c.patch)
        for layer in (self.modulation, self.final, self.leave):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x_t: Tensor, t: Tensor, text: Text) -> Tensor:
        """Velocity (B, C, T) at times t (B,) or () in [0, 1]."""
        x, state, modulation = self.begin(x_t, t, text)
        for block in self.blocks:
            x = block(x, modulation, text)
        return self.finish(x, state)

    def begin(self, x_t: Tensor, t: Tensor, text: Text) -> tuple[Tensor, Tensor, Tensor]:
        """Before the blocks: tokens (B, L, W), what time and text say (B, W), and the blocks'
        modulation (B, 6, W) by it.
        """
        tokens = x_t.mT.unflatten(1, (-1, self.config.patch)).flatten(2)
        times = self.time(waves(100 * t.expand(len(x_t)), 32, 1000.0).to(x_t.dtype))
        state = F.silu(times + self.prompt(text.pooled))
        return self.enter(tokens), state, self.modulation(state).unflatten(-1, (6, -1))

    def finish(self, x: Tensor, state: Tensor) -> Tensor:
        """After the blocks: velocity (B, C, T) of tokens (B, L, W)."""
        scale, shift = self.final(state)[:, None].chunk(2, dim=-1)
        x = self.leave(F.layer_norm(x, x.shape[-1:]) * (1 + scale) + shift)
        return x.unflatten(2, (self.config.patch, -1)).flatten(1, 2).mT
