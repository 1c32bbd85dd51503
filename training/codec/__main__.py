"""Train the codec: ``python -m training.codec --data DIR --out DIR``.

Phase one trains encoder and decoder on spectral distances, with noise of a fixed size added to the
latent (a VAE whose posterior has one standard deviation). Then the encoder is frozen, so latents
already encoded stay valid: phase two teaches the decoder to keep the phase of tones coherent, phase
three tunes it against STFT discriminators as well. Each phase resumes; the averaged weights are
written after each as ``codec.safetensors``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ditto_music.models.small.codec import Codec
from training.codec.losses import (
    Discriminators,
    fool_loss,
    judge_loss,
    phase_distance,
    spectral_distance,
)
from training.data.dataset import Music
from training.loop import Average, Run, trapezoid
from training.weights import save_weights

SECONDS = 1.024  # of audio a crop: 48 latent frames


def batch(music: Music, pieces: np.ndarray, size: int, rng: np.random.Generator) -> Tensor:
    """Random crops (B, N) with a random gain and polarity, never clipped."""
    length = int(SECONDS * 24_000)
    clips: list[np.ndarray] = []
    while len(clips) < size:
        bars, _ = music.crop(int(rng.choice(pieces)), 3 * SECONDS, rng)
        start = int(rng.integers(len(bars) - length))
        clip = bars[start : start + length]
        peak = float(np.abs(clip).max())
        if peak < 1e-4 and rng.random() > 0.1:
            continue  # a little silence is enough
        gain = 10 ** (rng.uniform(-9, 6) / 20) * (1 if rng.random() < 0.5 else -1)
        clips.append(clip * (gain if abs(gain) * peak < 1 else np.sign(gain)))
    return torch.from_numpy(np.stack(clips)).float()


def reconstruct(codec: Codec, audio: Tensor, noise: torch.Generator) -> tuple[Tensor, Tensor]:
    """Decode a noisy posterior sample; also the prior term, the mean square of the mean."""
    mean = codec.encoder(audio)
    std = codec.config.posterior_std
    jitter = torch.randn(mean.shape, generator=noise)
    return codec.decoder(mean + std * jitter), mean.square().mean()


def spectral_phase(codec: Codec, music: Music, folder: Path, args: argparse.Namespace) -> Average:
    """Encoder and decoder together."""
    optimizer = torch.optim.AdamW(codec.parameters(), lr=args.lr, betas=(0.9, 0.98))
    average = Average(codec)
    run = Run(
        folder / "spectral",
        args.spectral_steps,
        {"codec": codec, "optimizer": optimizer, "average": average},
    )
    train = music.split("train")
    for step in run:
        rng = np.random.default_rng([args.seed, 1, step])
        noise = torch.Generator().manual_seed(args.seed * 1_000_003 + step)
        audio = batch(music, train, args.batch, rng)
        output, prior = reconstruct(codec, audio, noise)
        distance = spectral_distance(output, audio)
        loss = distance + args.prior * prior
        for group in optimizer.param_groups:
            group["lr"] = args.lr * trapezoid(step, args.spectral_steps)
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(codec.parameters(), 5.0)
        optimizer.step()
        average.update(codec)
        run.log(distance=distance.detach(), prior=prior.detach(), norm=norm)
    return average


def decoder_phase(codec: Codec, music: Music, folder: Path, args: argparse.Namespace) -> Average:
    """The decoder alone, on spectral distances and the steps of the phase."""
    codec.encoder.requires_grad_(False)
    optimizer = torch.optim.AdamW(codec.decoder.parameters(), lr=args.lr, betas=(0.9, 0.98))
    average = Average(codec)
    run = Run(
        folder / "decoder",
        args.decoder_steps,
        {"codec": codec, "optimizer": optimizer, "average": average},
        save_every=200,
    )
    train = music.split("train")
    for step in run:
        rng = np.random.default_rng([args.seed, 4, step])
        noise = torch.Generator().manual_seed(args.seed * 1_000_003 + 700_001 + step)
        audio = batch(music, train, args.batch, rng)
        output, _ = reconstruct(codec, audio, noise)
        distance, phase = spectral_distance(output, audio), phase_distance(output, audio)
        for group in optimizer.param_groups:
            group["lr"] = 0.7 * args.lr * trapezoid(step, args.decoder_steps, warm=100)
        optimizer.zero_grad()
        (distance + args.phase * phase).backward()
        torch.nn.utils.clip_grad_norm_(codec.decoder.parameters(), 5.0)
        optimizer.step()
        average.update(codec)
        run.log(distance=distance.detach(), phase=phase.detach())
    return average


def adversarial_phase(
    codec: Codec, music: Music, folder: Path, args: argparse.Namespace
) -> Average:
    """The decoder alone, against discriminators; the encoder stays as it is."""
    judges = Discriminators()
    decoder_optimizer = torch.optim.AdamW(codec.decoder.parameters(), lr=2e-4, betas=(0.8, 0.98))
    judge_optimizer = torch.optim.AdamW(judges.parameters(), lr=4e-4, betas=(0.8, 0.98))
    average = Average(codec, 0.998)
    run = Run(
        folder / "adversarial",
        args.adversarial_steps,
        {
            "codec": codec,
            "judges": judges,
            "decoder_optimizer": decoder_optimizer,
            "judge_optimizer": judge_optimizer,
            "average": average,
        },
        save_every=200,
    )
    codec.encoder.requires_grad_(False)
    train = music.split("train")
    for step in run:
        rng = np.random.default_rng([args.seed, 2, step])
        noise = torch.Generator().manual_seed(args.seed * 1_000_003 + 500_009 + step)
        audio = batch(music, train, args.batch // 2, rng)
        output, _ = reconstruct(codec, audio, noise)
        factor = trapezoid(step, args.adversarial_steps, warm=50)
        for optimizer, lr in ((decoder_optimizer, 2e-4), (judge_optimizer, 4e-4)):
            for group in optimizer.param_groups:
                group["lr"] = lr * factor

        verdict = judge_loss(judges(audio), judges(output.detach()))
        judge_optimizer.zero_grad()
        verdict.backward()
        judge_optimizer.step()

        judges.requires_grad_(False)
        with torch.no_grad():
            real = judges(audio)
        fooled, matched = fool_loss(real, judges(output))
        distance, phase = spectral_distance(output, audio), phase_distance(output, audio)
        loss = 3.0 * (distance + args.phase * phase) + 0.3 * fooled + 3.0 * matched
        decoder_optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(codec.decoder.parameters(), 5.0)
        decoder_optimizer.step()
        judges.requires_grad_(True)
        average.update(codec)
        run.log(
            distance=distance.detach(),
            phase=phase.detach(),
            verdict=verdict.detach(),
            fooled=fooled.detach(),
            matched=matched.detach(),
        )
    return average


@torch.no_grad()
def standardise(codec: Codec, music: Music, clips: int = 400) -> None:
    """Set ``shift`` and ``scale`` to the mean and deviation of each channel over training clips."""
    rng = np.random.default_rng(0)
    train = music.split("train")
    picks = rng.choice(len(train), clips)
    audio = np.stack([music.crop(train[int(i)], 4.096, rng)[0] for i in picks])
    frames = audio.shape[1] // codec.config.frame * codec.config.frame
    chunks = torch.from_numpy(audio[:, :frames]).float().split(20)
    latents = torch.cat([codec.encoder(chunk) for chunk in chunks])
    codec.shift.copy_(latents.mean((0, 2)))
    codec.scale.copy_(latents.std((0, 2)))


def main() -> None:
    """Parse the flags and run both phases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="folder made by training.data")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs and weights")
    parser.add_argument("--spectral-steps", type=int, default=2600)
    parser.add_argument("--decoder-steps", type=int, default=320)
    parser.add_argument("--adversarial-steps", type=int, default=0)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--prior", type=float, default=0.01, help="weight of the latent's energy")
    parser.add_argument("--phase", type=float, default=1.0, help="weight of the phase distance")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    music = Music(args.data)
    codec = Codec()
    for phase in (spectral_phase, decoder_phase, adversarial_phase):
        average = phase(codec, music, args.out, args)
        codec.load_state_dict(average.values)
        if phase is spectral_phase:
            standardise(codec, music)
        save_weights(args.out / "codec.safetensors", codec.state_dict(), codec.config)


if __name__ == "__main__":
    main()
