"""Training of the denoiser.

Flow matching (Lipman et al. 2023) on the codec's latents: times from a logit-normal that leans
towards noise, where the words matter, velocity targets, captions written anew for every crop and
dropped one time in ten for guidance. Crops are 3 to 12 seconds long, so that the model knows any
of these lengths; most begin on a bar line. The text encoder (`training.text.encoder`) is frozen.

Workers are single-threaded processes that average their gradients: as fast here as the threads of
one process, and other work on the machine slows them only by what it takes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, distributed, nn

from ditto_music.models.small.denoiser import Denoiser, DenoiserConfig
from ditto_music.models.small.model import load_denoiser
from ditto_music.models.small.words import WordPieces, load_words, vocabulary_to_tensor
from training.data.captions import caption
from training.data.dataset import Music, labels_of_crop
from training.diffusion.latents import FRAME_RATE, load_latents
from training.loop import Average, Run, fast_products, inputs_of, trapezoid
from training.text import ORIGIN
from training.weights import save_weights

SHAPE = ("width", "depth", "heads", "patch", "expansion")
LENGTHS = (3.0, 4.0, 6.0, 6.0, 6.0, 8.0, 12.0)


@dataclass(frozen=True)
class Times:
    """Where times are drawn: mean and deviation of their logit. The default has a twentieth of
    them above 0.94.
    """

    lean: float = 0.6
    spread: float = 1.2

    def draw(self, count: int, noise: torch.Generator) -> Tensor:
        """Times (B,) in (0, 1)."""
        return torch.sigmoid(self.lean + self.spread * torch.randn(count, generator=noise))


TIMES = Times()


class Crop(NamedTuple):
    """A stretch of a piece: its number, latent (C, T) from latent frame `start` on, and words."""

    piece: int
    start: int
    latent: Tensor
    words: str


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
        crops = self.crops(split, tokens, rng, drop)
        ids, values = self.words.batch([crop.words for crop in crops])
        return torch.stack([crop.latent for crop in crops]), ids, values

    def crops(
        self, split: str, tokens: int, rng: np.random.Generator, drop: float = 0.1
    ) -> list[Crop]:
        """Crops of one length; together about `tokens` latent frames."""
        seconds = float(rng.choice(LENGTHS))
        frames = int(seconds * FRAME_RATE) // 4 * 4
        crops: list[Crop] = []
        while len(crops) < max(1, tokens // frames):
            index = int(rng.choice(self.pieces[split]))
            piece = self.music.pieces[index]
            latent = self.latents[str(piece["id"])]
            room = latent.shape[1] - frames
            if room < 0:
                continue
            start = int(rng.integers(room + 1))
            if rng.random() < 0.7:
                bar = piece["bar_seconds"] * FRAME_RATE
                start = round(int(start / bar) * bar)
            labels = labels_of_crop(piece, start / FRAME_RATE, seconds)
            words = "" if rng.random() < drop else caption(labels, rng)
            crops.append(Crop(index, start, latent[:, start : start + frames].float(), words))
        return crops


def flow_loss(
    model: Denoiser,
    x_0: Tensor,
    ids: Tensor,
    values: Tensor,
    noise: torch.Generator,
    times: Times = TIMES,
) -> Tensor:
    """Mean squared error of the velocity at logit-normal times, a scalar."""
    with torch.no_grad():
        text = model.text(ids, values)
    return flow_error(lambda x_t, t: model(x_t, t, text), x_0, noise, times)


def flow_error(
    velocity: Callable[[Tensor, Tensor], Tensor],
    x_0: Tensor,
    noise: torch.Generator,
    times: Times = TIMES,
) -> Tensor:
    """As `flow_loss`, of any ``(x_t, t) -> velocity``."""
    t = times.draw(len(x_0), noise)
    eps = torch.randn(x_0.shape, generator=noise)
    x_t = (1 - t)[:, None, None] * x_0 + t[:, None, None] * eps
    return (velocity(x_t, t) - (eps - x_0)).square().mean()


@torch.no_grad()
def held_out_losses(model: Denoiser, batches: Batches) -> dict[str, float]:
    """The same loss on fixed held-out crops, times and noise: by their own captions, by those of
    other crops, and by none. A model that heeds its prompt loses by the swap.
    """
    losses: dict[str, list[float]] = {"own": [], "another's": [], "no": []}
    rng = np.random.default_rng(7)
    for seed in range(8):
        x_0, ids, numbers = batches.draw("held-out", 16 * 282, rng, drop=0.0)
        captions = {
            "own": (ids, numbers),
            "another's": (ids.roll(1, 0), numbers.roll(1, 0)),
            "no": (0 * ids, 0 * numbers),
        }
        for name, text in captions.items():
            noise = torch.Generator().manual_seed(seed)
            losses[name].append(float(flow_loss(model, x_0, *text, noise)))
    return {name: float(np.mean(values)) for name, values in losses.items()}


def export(
    path: Path, values: Mapping[str, Tensor], config: DenoiserConfig, words: WordPieces
) -> None:
    """Write the averaged weights with the vocabulary beside them."""
    state = dict(values) | {"vocabulary": vocabulary_to_tensor(words.pieces)}
    save_weights(path, state, config, word_vectors=ORIGIN)


def average_gradients(model: nn.Module, workers: int) -> None:
    """Make the gradients of all workers their mean, in one exchange."""
    if workers == 1:
        return
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    parts = (flat / workers).split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def optimizers(
    model: nn.Module, lr: float, *, muon: bool = True
) -> dict[str, torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for the matrices of the blocks, AdamW for all else that learns, or
    AdamW for all.

    Muon's steps are scaled to the size of AdamW's (Liu et al. 2025), so both share one rate.
    """
    learnt = {k: p for k, p in model.named_parameters() if p.requires_grad}
    if not muon:
        return {"adamw": torch.optim.AdamW(learnt.values(), lr=lr, betas=(0.9, 0.97), fused=True)}
    matrices = {k for k in learnt if k.startswith("blocks.") and k.endswith("weight")}
    matrices = {k for k in matrices if learnt[k].ndim == 2}
    others = [p for k, p in learnt.items() if k not in matrices]
    return {
        "muon": torch.optim.Muon(
            [learnt[k] for k in sorted(matrices)],
            lr=lr,
            weight_decay=0.01,
            adjust_lr_fn="match_rms_adamw",
        ),
        "adamw": torch.optim.AdamW(others, lr=lr, betas=(0.9, 0.97), fused=True),
    }


def flags() -> argparse.ArgumentParser:
    """What a run may be told."""
    parser = argparse.ArgumentParser(description="Train the denoiser of ditto-small.")
    parser.add_argument("--data", type=Path, required=True, help="folder made by training.data")
    parser.add_argument(
        "--latents", type=Path, required=True, help="made by training.diffusion.latents"
    )
    parser.add_argument("--words", type=Path, help="made by training.text.distil")
    parser.add_argument("--text", type=Path, help="made by training.text.encoder")
    parser.add_argument(
        "--start",
        type=Path,
        help="denoiser.safetensors to begin from; with --words and --text its blocks alone",
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--tokens", type=int, default=32 * 282, help="latent frames a batch")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument(
        "--compile", action=argparse.BooleanOptionalAction, default=True, help="by torch.compile"
    )
    parser.add_argument("--optimizer", choices=("muon", "adamw"), default="muon")
    for key, value in asdict(TIMES).items():
        parser.add_argument(f"--{key}", type=float, default=value, help="of the logit of times")
    shape = DenoiserConfig()
    for key in SHAPE:
        parser.add_argument(f"--{key}", type=int, default=getattr(shape, key), help="of new blocks")
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--port", type=int, default=29_517, help="where workers meet")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def begin(args: argparse.Namespace) -> tuple[Denoiser, WordPieces]:
    """The denoiser to train and its vocabulary: new blocks under the text encoder of ``--words``
    and ``--text``, or all of ``--start``, whose text encoder these replace if given.
    """
    if args.start and not args.words:
        return load_denoiser(args.start)
    words, vectors = load_words(args.words)
    shape = {key: getattr(args, key) for key in SHAPE}
    model = Denoiser(DenoiserConfig(vocabulary=len(words), word_width=vectors.shape[1], **shape))
    if args.start:
        known = load_denoiser(args.start)[0].state_dict()
        blocks = {key: value for key, value in known.items() if not key.startswith("text.")}
        model.load_state_dict(blocks, strict=False)
    text = {key: value.float() for key, value in load_file(args.text).items()}
    model.text.load_state_dict(text | {"vectors": vectors.float()})
    return model, words


def train(rank: int, args: argparse.Namespace) -> dict[str, float]:
    """One worker's run; the first also logs, judges and saves, and gives the last judgement."""
    torch.manual_seed(args.seed)
    if args.workers > 1:
        torch.set_num_threads(1)
        where = f"tcp://127.0.0.1:{args.port}"
        distributed.init_process_group("gloo", where, rank=rank, world_size=args.workers)
    model, words = begin(args)
    config = model.config
    model.text.requires_grad_(False)
    learnt = [p for p in model.parameters() if p.requires_grad]
    batches = Batches(Music(args.data), load_latents(args.latents), words)
    steppers = optimizers(model, args.lr, muon=args.optimizer == "muon")
    times = Times(args.lean, args.spread)
    average = Average(model, 0.998)
    run = Run(
        args.out / "diffusion",
        args.steps,
        {"model": model, "average": average, **steppers},
        inputs_of(args),
        log_every=25,
        save_every=100,
        writes=rank == 0,
    )
    judge = Denoiser(config)

    def judged(step: int) -> dict[str, float]:
        judge.load_state_dict(average.values)
        losses = held_out_losses(judge, batches)
        told = ", ".join(f"{k} {v:.4f}" for k, v in losses.items())
        print(f"held-out loss at step {step} by captions: {told}", flush=True)
        export(args.out / "denoiser.safetensors", average.values, config, words)
        return losses

    velocity = cast("Denoiser", torch.compile(model, dynamic=True)) if args.compile else model
    for step in run:
        rng = np.random.default_rng([args.seed, 3, step, rank])
        noise = torch.Generator().manual_seed((args.seed * 1_000_003 + step) * 16 + rank)
        batch = batches.draw("train", args.tokens // args.workers, rng)
        with fast_products():
            loss = flow_loss(velocity, *batch, noise, times)
        loss.backward()
        average_gradients(model, args.workers)
        norm = nn.utils.clip_grad_norm_(learnt, 1.0)
        for stepper in steppers.values():
            for group in stepper.param_groups:
                group["lr"] = args.lr * trapezoid(step, args.steps)
            stepper.step()
            stepper.zero_grad()
        if rank > 0:
            continue
        average.update(model)
        run.log(loss=loss.detach(), norm=norm)
        if (step + 1) % 250 == 0 and step + 1 < args.steps:
            judged(step + 1)
    return judged(args.steps) if rank == 0 else {}
