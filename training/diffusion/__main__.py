"""Train the denoiser and its text encoder: ``python -m training.diffusion --help``.

Flow matching (Lipman et al. 2023) on the codec's latents: times from a logit-normal, velocity
targets, captions written anew for every crop and dropped one time in ten for guidance. Crops are 3
to 12 seconds long, so that the model knows any of these lengths; most begin on a bar line.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ditto_music.models.small.denoiser import Denoiser, DenoiserConfig
from ditto_music.models.small.words import WordPieces, load_words, vocabulary_to_tensor
from training.data.captions import caption
from training.data.dataset import Music, labels_of_crop
from training.diffusion.latents import load_latents
from training.loop import Average, Run, trapezoid
from training.weights import save_weights

LENGTHS = (3.0, 4.0, 6.0, 6.0, 6.0, 8.0, 12.0)
FRAME_RATE = 24_000 / 512


class Batches:
    """Crops of latents with captions that tell the truth about the crop."""

    def __init__(self, music: Music, latents: Mapping[str, Tensor], words: WordPieces) -> None:
        self.music = music
        self.latents = latents
        self.words = words
        self.pieces = {
            split: [i for i in music.split(split) if str(music.pieces[i]["id"]) in latents]
            for split in ("train", "held-out")
        }

    def draw(
        self, split: str, tokens: int, rng: np.random.Generator, drop: float = 0.1
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Latents (B, C, T), word ids and numbers (B, L), with ``B T`` about `tokens`."""
        seconds = float(rng.choice(LENGTHS))
        frames = int(seconds * FRAME_RATE) // 2 * 2
        crops: list[Tensor] = []
        captions: list[str] = []
        while len(crops) < max(1, tokens // frames):
            piece = self.music.pieces[int(rng.choice(self.pieces[split]))]
            latent = self.latents[str(piece["id"])]
            room = latent.shape[1] - frames
            if room < 0:
                continue
            start = int(rng.integers(room + 1))
            if rng.random() < 0.7:
                bar = piece["bar_seconds"] * FRAME_RATE
                start = round(int(start / bar) * bar)
            crops.append(latent[:, start : start + frames].float())
            labels = labels_of_crop(piece, start / FRAME_RATE, seconds)
            captions.append("" if rng.random() < drop else caption(labels, rng))
        ids, values = self.words.batch(captions)
        return torch.stack(crops), ids, values


def flow_loss(
    model: Denoiser, x_0: Tensor, ids: Tensor, values: Tensor, noise: torch.Generator
) -> Tensor:
    """Mean squared error of the velocity at logit-normal times, a scalar."""
    t = torch.sigmoid(torch.randn(len(x_0), generator=noise))
    eps = torch.randn(x_0.shape, generator=noise)
    x_t = (1 - t)[:, None, None] * x_0 + t[:, None, None] * eps
    return (model(x_t, t, model.text(ids, values)) - (eps - x_0)).square().mean()


@torch.no_grad()
def held_out_loss(model: Denoiser, batches: Batches) -> float:
    """The same loss on fixed held-out crops, times and noise."""
    rng, noise = np.random.default_rng(7), torch.Generator().manual_seed(7)
    draws = [batches.draw("held-out", 8 * 282, rng, drop=0.0) for _ in range(8)]
    return float(np.mean([float(flow_loss(model, *draw, noise)) for draw in draws]))


def export(
    path: Path, values: Mapping[str, Tensor], config: DenoiserConfig, words: WordPieces
) -> None:
    """Write the averaged weights with the vocabulary beside them."""
    save_weights(path, dict(values) | {"vocabulary": vocabulary_to_tensor(words.pieces)}, config)


def main() -> None:
    """Parse the flags and train."""
    parser = argparse.ArgumentParser(description="Train the denoiser of ditto-small.")
    parser.add_argument("--data", type=Path, required=True, help="folder made by training.data")
    parser.add_argument(
        "--latents", type=Path, required=True, help="made by training.diffusion.latents"
    )
    parser.add_argument("--words", type=Path, required=True, help="made by training.text.distil")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2150)
    parser.add_argument("--tokens", type=int, default=16 * 282, help="latent frames a batch")
    parser.add_argument("--lr", type=float, default=1.2e-3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    words, vectors = load_words(args.words)
    config = DenoiserConfig(vocabulary=len(words), word_width=vectors.shape[1])
    model = Denoiser(config)
    model.text.vectors.copy_(vectors)
    batches = Batches(Music(args.data), load_latents(args.latents), words)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, betas=(0.9, 0.97))
    average = Average(model, 0.998)
    run = Run(
        args.out / "diffusion",
        args.steps,
        {"model": model, "optimizer": optimizer, "average": average},
        save_every=200,
    )
    judge = Denoiser(config)
    for step in run:
        rng = np.random.default_rng([args.seed, 3, step])
        noise = torch.Generator().manual_seed(args.seed * 1_000_003 + step)
        loss = flow_loss(model, *batches.draw("train", args.tokens, rng), noise)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = args.lr * trapezoid(step, args.steps)
        optimizer.step()
        optimizer.zero_grad()
        average.update(model)
        run.log(loss=loss.detach(), norm=norm)
        if (step + 1) % 200 == 0:
            judge.load_state_dict(average.values)
            print(
                f"held-out loss at step {step + 1}: {held_out_loss(judge, batches):.4f}", flush=True
            )
            export(args.out / "denoiser.safetensors", average.values, config, words)
    export(args.out / "denoiser.safetensors", average.values, config, words)


if __name__ == "__main__":
    main()
