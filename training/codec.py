"""Train the codec of tones and noise: ``python -m training.codec --data DIR --out DIR``.

Everything is compared part by part, not sound by sound: a decoder that knows which tones are there,
how strong they are and what noise is beside them has no more to know, and no inverse transform
stands between it and what it gets wrong. To the latent is added noise of a fixed size (a VAE
whose posterior has one standard deviation). Resumable; ends with the mean and deviation of each
channel of the latent over training clips, and ``codec.safetensors``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ditto_music.models.small.codec import (
    FAINTEST,
    Codec,
    Parts,
    is_heard,
    level_of,
    noise_level_of,
)
from training.data.dataset import Music
from training.loop import Average, Run, inputs_of, trapezoid
from training.weights import save_weights

FRAMES = 48  # of the latent a crop: 1.024 s
MARGIN = 12  # latent frames on either side that are analysed and thrown away: windows are long
WEIGHTS = {"presence": 6.0, "level": 0.15, "noise": 0.3, "power": 0.3, "energy": 0.003}


def clips_at_gains(
    music: Music, pieces: np.ndarray, size: int, seconds: float, rng: np.random.Generator
) -> Tensor:
    """Audio (size, N) of random crops from anywhere in a bar, each at a random gain."""
    clips: list[np.ndarray] = []
    while len(clips) < size:
        bars, _ = music.crop(int(rng.choice(pieces)), 2 * seconds, rng)
        start = int(rng.integers(len(bars) // 2))
        clip = bars[start : start + len(bars) // 2]
        if float(np.abs(clip).max()) < 1e-4 and rng.random() > 0.1:
            continue  # a little silence is enough
        clips.append(clip * 10 ** (rng.uniform(-9, 5) / 20))
    return torch.from_numpy(np.stack(clips)).float()


@torch.no_grad()
def draw(
    codec: Codec, music: Music, pieces: np.ndarray, size: int, rng: np.random.Generator
) -> Parts:
    """The parts of `size` random crops, each at a random gain."""
    seconds = (FRAMES + 2 * MARGIN) * codec.config.frame / codec.config.sample_rate
    parts = codec.analyse(clips_at_gains(music, pieces, size, seconds, rng))
    latent = slice(MARGIN, MARGIN + FRAMES)

    def inner(x: Tensor) -> Tensor:
        whole = x.unflatten(1, (FRAMES + 2 * MARGIN, -1))
        return whole[:, latent].flatten(1, 2)

    return Parts(inner(parts.tones), inner(parts.noise))


def losses(codec: Codec, parts: Parts, noise: torch.Generator | None) -> dict[str, Tensor]:
    """What the decoder gets wrong, by kind, each a scalar.

    Presence is cross-entropy, loud tones counting for more; level is the mean error in nepers of
    the tones that are there. Noise, and the power that an octave's tones and a band's noise add up
    to over a latent frame, are divergences: a mean error in nepers is least at the median, which
    lies on the quiet side of power. Energy is the latent's. Without `noise` the posterior's mean
    is decoded.
    """
    mean = codec.encoder(parts)
    latent = mean
    if noise is not None:
        latent = mean + codec.config.posterior_std * torch.randn(mean.shape, generator=noise)
    guess = codec.decoder.guess(latent)
    heard, level = is_heard(parts.tones), level_of(parts.tones)
    weight = torch.where(heard, 0.3 + level / 3, 1.0)
    presence = F.binary_cross_entropy_with_logits(guess.presence, heard.to(level), weight)
    apart = (guess.level - level).abs() * heard
    made = powers(codec, codec.decoder.parts(guess))
    true = powers(codec, Parts(parts.tones * heard, parts.noise))
    return {
        "presence": presence,
        "level": apart.sum() / heard.sum().clamp(min=1),
        "noise": divergence(noise_level_of(parts.noise), guess.noise).mean(),
        "power": divergence(true[0], made[0]).mean() + divergence(true[1], made[1]).mean(),
        "energy": mean.square().mean(),
    }


def divergence(true: Tensor, guess: Tensor) -> Tensor:
    """Itakura-Saito divergence of powers whose half logs are given, each element's.

    Its mean is least where the guess is the mean of the true powers. Beyond a power 7.4 times
    (8.7 dB) the guess it goes on as a straight line, so that no attack outshouts a batch.
    """
    apart = 2 * (true - guess)
    near = apart.clamp(max=2)
    return near.exp() * (1 + apart - near) - 1 - apart


def powers(codec: Codec, parts: Parts) -> tuple[Tensor, Tensor]:
    """Half the log of the power of each octave (B, T, octaves) and band (B, T, bands) in nepers."""
    config = codec.config
    tones = parts.tones.square().unflatten(2, (config.octaves, -1)).sum(-1)
    tones = tones.unflatten(1, (-1, config.fold)).mean(2)
    noise = parts.noise.unflatten(1, (tones.shape[1], -1)).mean(2)
    return 0.5 * torch.log(tones + 4 * FAINTEST**2), noise_level_of(noise)


@torch.no_grad()
def found(codec: Codec, parts: Parts) -> dict[str, float]:
    """Of held-out crops the losses, and how many tones are found (recall) and true (precision)."""
    guess = codec.decoder.guess(codec.encoder(parts))
    there, said = is_heard(parts.tones), guess.presence > 0
    right = float((there & said).sum())
    scores = {"recall": right / float(there.sum()), "precision": right / max(1, int(said.sum()))}
    return {k: float(v) for k, v in losses(codec, parts, None).items()} | scores


@torch.no_grad()
def standardise(codec: Codec, music: Music, clips: int = 300) -> None:
    """Set ``shift`` and ``scale`` to the mean and deviation of each channel over training clips."""
    rng = np.random.default_rng(0)
    pieces = music.split("train")
    latents = [codec.encoder(draw(codec, music, pieces, 20, rng)) for _ in range(clips // 20)]
    codec.shift.copy_(torch.cat(latents).mean((0, 2)))
    codec.scale.copy_(torch.cat(latents).std((0, 2)))


def train(codec: Codec, music: Music, args: argparse.Namespace) -> Mapping[str, Tensor]:
    """The averaged weights after all steps."""
    optimizer = torch.optim.AdamW(codec.parameters(), lr=args.lr, betas=(0.9, 0.98))
    average = Average(codec)
    run = Run(
        args.out / "codec",
        args.steps,
        {"codec": codec, "optimizer": optimizer, "average": average},
        inputs_of(args),
        save_every=200,
    )
    pieces = music.split("train")
    held = draw(codec, music, music.split("held-out"), 48, np.random.default_rng(7))
    judge = Codec(codec.config)
    for step in run:
        rng = np.random.default_rng([args.seed, 1, step])
        noise = torch.Generator().manual_seed(args.seed * 1_000_003 + step)
        each = losses(codec, draw(codec, music, pieces, args.batch, rng), noise)
        optimizer.zero_grad()
        torch.stack([WEIGHTS[name] * value for name, value in each.items()]).sum().backward()
        nn.utils.clip_grad_norm_(codec.parameters(), 2.0)
        for group in optimizer.param_groups:
            group["lr"] = args.lr * trapezoid(step, args.steps, warm=100)
        optimizer.step()
        average.update(codec)
        run.log(**{name: value.detach() for name, value in each.items()})
        if (step + 1) % 500 == 0 or step + 1 == args.steps:
            judge.load_state_dict(average.values)
            told = ", ".join(f"{k} {v:.3f}" for k, v in found(judge, held).items())
            print(f"held-out at step {step + 1}: {told}", flush=True)
    return average.values


def main() -> None:
    """Parse the flags, train, standardise, save."""
    parser = argparse.ArgumentParser(description="Train the codec of tones and noise.")
    parser.add_argument("--data", type=Path, required=True, help="folder made by training.data")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run and weights")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    music, codec = Music(args.data), Codec()
    codec.load_state_dict(train(codec, music, args))
    standardise(codec, music)
    save_weights(args.out / "codec.safetensors", codec.state_dict(), codec.config)


if __name__ == "__main__":
    main()
