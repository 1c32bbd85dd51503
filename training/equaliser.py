"""Train the codec's equalisers: ``python -m training.equaliser --data DIR --codec FILE --out DIR``.

Encoder, latent, tones and noise stay as they are; what is learnt is how the codec's sound differs
from the true one. Differences of band levels at three resolutions teach the mean of all that may
be; three small networks, one at each of these resolutions, that tell true levels from ours (hinge
loss and matching of features as in MelGAN, Kumar et al. 2019, and SoundStream, Zeghidour et al.
2021) teach what any one of it looks like. None of the judges of `ditto_music.evaluation` takes
part. Resumable; ends with ``codec.safetensors``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm
from torch.utils.data import DataLoader, Dataset

from ditto_music.models import fastest_dtype
from ditto_music.models.small.codec import Codec
from ditto_music.models.small.equaliser import bin_levels
from ditto_music.models.small.model import load_codec
from ditto_music.models.small.noise import noise_bands
from training.codec import clips_at_gains
from training.data.dataset import Music
from training.loop import Average, Run, fast_products, inputs_of, trapezoid
from training.weights import save_weights

FRAMES = 64  # of the latent a crop: 1.365 s
MARGIN = 12  # latent frames on either side that are analysed and thrown away: windows are long
EDGE = 3  # latent frames at either end of a crop that are not judged
WEIGHTS = {"bands": 3.0, "power": 1.0, "fool": 1.0, "features": 2.0}
SCALES = ((512, 80), (1024, 128), (2048, 128))  # window, bands


class Crops(NamedTuple):
    """Of some crops the true sound (B, N), what tones and noise make of their latents (B, N), and
    these (B, C, T).
    """

    true: Tensor
    draft: Tensor
    latent: Tensor


class Drawn(Dataset[Crops]):
    """Batches by their step."""

    def __init__(self, codec: Codec, music: Music, size: int, seed: int) -> None:
        self.codec, self.music, self.size, self.seed = codec, music, size, seed
        self.pieces = music.split("train")

    def __getitem__(self, step: int) -> Crops:
        """Random crops of training pieces."""
        rng = np.random.default_rng([self.seed, 1, step])
        return draw(self.codec, self.music, self.pieces, self.size, rng)


@torch.no_grad()
def draw(
    codec: Codec, music: Music, pieces: np.ndarray, size: int, rng: np.random.Generator
) -> Crops:
    """`size` random crops, each at a random gain, with their latents a little uncertain."""
    config = codec.config
    seconds = (FRAMES + 2 * MARGIN) * config.frame / config.sample_rate
    audio = clips_at_gains(music, pieces, size, seconds, rng)
    latent = codec.encode(audio)[:, :, MARGIN : MARGIN + FRAMES]
    doubt = config.posterior_std * rng.random((size, 1, 1)) * rng.standard_normal(latent.shape)
    latent = latent + torch.from_numpy(doubt).float() / codec.scale[:, None]
    true = audio[:, MARGIN * config.frame : (MARGIN + FRAMES) * config.frame]
    return Crops(true, codec.draft(latent, int(rng.integers(400))), latent)


class Levels(nn.Module):
    """Levels of bands (B, F, bands) of audio (B, N) at one resolution, in nepers."""

    filters: Tensor

    def __init__(self, length: int, bands: int, sample_rate: int) -> None:
        super().__init__()
        self.length = length
        filters = noise_bands(bands, length, sample_rate)
        self.register_buffer("filters", filters.T / filters.sum(1))

    def forward(self, audio: Tensor) -> Tensor:
        """Without the ends."""
        _, level = bin_levels(audio, self.length, self.length // 4)
        inner = EDGE * 512 // (self.length // 4)
        return 0.5 * torch.log(torch.exp(2 * level[:, inner:-inner]) @ self.filters + 1e-8)


class Discriminator(nn.Module):
    """Says of each stretch of band levels (B, F, bands) whether it is of true music."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        shapes = [
            (1, width // 2, (3, 7), 2, 1),
            (width // 2, width, (3, 5), 2, 1),
            (width, width, (3, 5), 2, 2),
            (width, width, (3, 3), 1, 4),
        ]
        self.layers = nn.ModuleList(
            weight_norm(
                nn.Conv2d(
                    before, after, kernel, stride=(1, stride), dilation=(apart, 1),
                    padding=(apart * (kernel[0] // 2), kernel[1] // 2),
                )
            )
            for before, after, kernel, stride, apart in shapes
        )  # fmt: skip
        self.leave = weight_norm(nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, levels: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Above zero for true; and what each layer saw."""
        x, seen = levels[:, None] / 2.5 + 2, list[Tensor]()
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.1)
            seen.append(x)
        return self.leave(x).float(), seen


def coarse(levels: Tensor) -> Tensor:
    """Levels (B, F, bands) of the power in every 16 frames and 8 bands."""
    power = F.avg_pool2d(torch.exp(2 * levels)[:, None], (16, 8))
    return 0.5 * torch.log(power + 1e-8)


def near(made: Iterable[Tensor], true: Iterable[Tensor]) -> dict[str, Tensor]:
    """How far levels are from those of the true sound: each in nepers, and their sums of power."""
    pairs = list(zip(made, true, strict=True))
    apart = [(a - b).abs().mean() for a, b in pairs]
    sums = [(coarse(a) - coarse(b)).abs().mean() for a, b in pairs]
    return {"bands": torch.stack(apart).mean(), "power": torch.stack(sums).mean()}


def deceit(
    judges: Iterable[nn.Module], made: Iterable[Tensor], true: Iterable[Tensor]
) -> dict[str, Tensor]:
    """How far the judges are from taking ours for true, by what they say and by what they see."""
    fool, features = list[Tensor](), list[Tensor]()
    for judge, ours, theirs in zip(judges, made, true, strict=True):
        with torch.no_grad():
            _, wanted = judge(theirs)
        said, seen = judge(ours)
        fool.append(-said.mean())
        apart = [(a - b).abs().mean() / b.abs().mean() for a, b in zip(seen, wanted, strict=True)]
        features.append(torch.stack(apart).float().mean())
    return {"fool": torch.stack(fool).mean(), "features": torch.stack(features).mean()}


def told_apart(
    judges: Iterable[nn.Module], made: Iterable[Tensor], true: Iterable[Tensor]
) -> Tensor:
    """Hinge loss of the judges: 2 where they cannot tell."""
    each = [
        F.relu(1 - judge(theirs)[0]).mean() + F.relu(1 + judge(ours.detach())[0]).mean()
        for judge, ours, theirs in zip(judges, made, true, strict=True)
    ]
    return torch.stack(each).mean()


@torch.no_grad()
def held_out(codec: Codec, music: Music, scales: Iterable[Levels]) -> dict[str, float]:
    """How near fixed held-out crops come to the true sound, and tones and noise alone."""
    crops = draw(codec, music, music.split("held-out"), 32, np.random.default_rng(7))
    true = [scale(crops.true) for scale in scales]
    made = codec.equalise(crops.draft, crops.latent)
    equalised = near([scale(made) for scale in scales], true)
    draft = near([scale(crops.draft) for scale in scales], true)
    return {k: float(v) for k, v in equalised.items()} | {
        f"{k} of the draft": float(v) for k, v in draft.items()
    }


def train(codec: Codec, music: Music, args: argparse.Namespace) -> None:
    """All steps; the codec with the averaged equalisers is saved on the way and at the end."""
    ours = codec.equalisers
    scales = [Levels(length, bands, codec.config.sample_rate) for length, bands in SCALES]
    judges = nn.ModuleList(Discriminator() for _ in SCALES)
    optimizer = torch.optim.AdamW(ours.parameters(), lr=args.lr, betas=(0.8, 0.98))
    learner = torch.optim.AdamW(judges.parameters(), lr=args.lr / 2, betas=(0.8, 0.98))
    average = Average(ours, 0.998)
    parts = {"equalisers": ours, "judges": judges, "optimizer": optimizer, "learner": learner}
    parts |= {"average": average}
    run = Run(args.out / "equaliser", args.steps, parts, inputs_of(args), save_every=100)
    steps = range(run.step, args.steps)
    batches = Drawn(codec, music, args.batch, args.seed)
    dtype = fastest_dtype(torch.device("cpu"))
    judged = load_codec(args.codec)
    drawn = DataLoader(batches, batch_size=None, sampler=steps, num_workers=1, prefetch_factor=4)
    for step, crops in zip(run, drawn, strict=False):
        rate = args.lr * trapezoid(step, args.steps, warm=100)
        for group in optimizer.param_groups:
            group["lr"] = rate
        for group in learner.param_groups:
            group["lr"] = rate / 2
        sound = codec.equalise(crops.draft, crops.latent, dtype)
        seen = [scale(sound) for scale in scales]
        with torch.no_grad():
            true = [scale(crops.true) for scale in scales]
        each = near(seen, true)
        if step >= args.alone:
            with fast_products():
                wrong = told_apart(judges, seen, true)
            learner.zero_grad()
            wrong.backward()
            learner.step()
            judges.requires_grad_(False)
            with fast_products():
                each |= deceit(judges, seen, true)
            judges.requires_grad_(True)
            run.log(told_apart=wrong.detach())
        optimizer.zero_grad()
        torch.stack([WEIGHTS[name] * value for name, value in each.items()]).sum().backward()
        nn.utils.clip_grad_norm_(ours.parameters(), 2.0)
        optimizer.step()
        average.update(ours)
        run.log(**{name: value.detach() for name, value in each.items()})
        if (step + 1) % 500 == 0 or step + 1 == args.steps:
            judged.equalisers.load_state_dict(average.values)
            told = ", ".join(f"{k} {v:.4f}" for k, v in held_out(judged, music, scales).items())
            print(f"held-out at step {step + 1}: {told}", flush=True)
            save_weights(args.out / "codec.safetensors", judged.state_dict(), codec.config)


def main() -> None:
    """Parse the flags, train."""
    parser = argparse.ArgumentParser(description="Train the codec's equalisers.")
    parser.add_argument("--data", type=Path, required=True, help="folder made by training.data")
    parser.add_argument("--codec", type=Path, required=True, help="made by training.codec")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run and weights")
    parser.add_argument("--steps", type=int, default=4200)
    parser.add_argument("--alone", type=int, default=400, help="steps before judges take part")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    codec = load_codec(args.codec).requires_grad_(False)
    codec.equalisers.requires_grad_(True)
    train(codec, Music(args.data), args)


if __name__ == "__main__":
    main()
