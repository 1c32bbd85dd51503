"""Teach the text encoder what captions say: ``python -m training.text.encoder --help``.

The denoiser's loss barely depends on the words, so an encoder taught by it alone learned nothing:
two runs ended in a constant. Here captions are read without any sound: from the pooled text,
linear heads tell the labels of the crop a caption was written for - style, mood, ensemble, key,
mode, tempo, instruments, density, dynamics, loudness over time - and the mean and spread of each
channel of its latent. What a caption leaves open the heads can only guess; the guess is what a
denoiser wants to know as well. The heads are thrown away, the encoder is frozen.

Words are dropped, misspelt and moved a little in the space of their vectors, so that neighbours of
the captions' words mean the same.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ditto_music.models.small.denoiser import DenoiserConfig, TextEncoder
from ditto_music.models.small.words import WordPieces, load_words
from training.data.captions import caption
from training.data.dataset import Music, labels_of_crop
from training.data.words import HELD_OUT_SYNONYMS
from training.diffusion.latents import FRAME_RATE, load_latents
from training.loop import Average, Run, inputs_of, trapezoid
from training.text import ORIGIN
from training.weights import save_weights

TEMPI = np.geomspace(48, 220, 33)
LEVEL_POINTS = 8
KEYS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FLATS = {"Db": "C#", "Eb": "D#", "Gb": "F#", "Ab": "G#", "Bb": "A#"}


class Facts:
    """Labels as numbers: classes (one of many), flags (any of many) and values.

    Parameters
    ----------
    pieces : labels of the training pieces, for the names that occur.
    """

    def __init__(self, pieces: Sequence[Mapping[str, Any]]) -> None:
        self.names = {
            key: sorted({str(piece[key]) for piece in pieces})
            for key in ("family", "mood", "ensemble", "mode", "density")
        }
        self.instruments = sorted({tag for piece in pieces for tag in piece["instruments"]})
        self.kinds = sorted({event["kind"] for piece in pieces for event in piece["dynamics"]})
        self.classes = {key: len(names) for key, names in self.names.items()} | {
            "key": len(KEYS) + 1,
            "tempo": len(TEMPI) - 1,
        }
        self.flags = len(self.instruments) + len(self.kinds)

    def classes_of(self, labels: Mapping[str, Any]) -> list[int]:
        """Index in each of `classes`, -100 where a crop has no such label."""
        own = [
            names.index(str(labels[key])) if str(labels[key]) in names else -100
            for key, names in self.names.items()
        ]
        key = str(labels["key"])
        tone = FLATS.get(key, key)
        pitch = KEYS.index(tone) if tone in KEYS else len(KEYS)
        return [
            *own,
            pitch,
            int(np.clip(np.searchsorted(TEMPI, labels["bpm"]) - 1, 0, len(TEMPI) - 2)),
        ]

    def flags_of(self, labels: Mapping[str, Any]) -> list[float]:
        """1 for each instrument and kind of dynamics there is."""
        kinds = {event["kind"] for event in labels["dynamics"]}
        heard = [float(tag in labels["instruments"]) for tag in self.instruments]
        return [*heard, *(float(kind in kinds) for kind in self.kinds)]


class Readings:
    """Captions with the facts and the latent statistics of their crops.

    Statistics are standardised over the training pieces.
    """

    def __init__(self, music: Music, latents: Mapping[str, Tensor], words: WordPieces) -> None:
        self.music, self.latents, self.words = music, latents, words
        self.pieces = {
            split: [i for i in music.split(split) if str(music.pieces[i]["id"]) in latents]
            for split in ("train", "held-out")
        }
        self.facts = Facts([music.pieces[i] for i in self.pieces["train"]])
        whole = [self.latents[str(music.pieces[i]["id"])] for i in self.pieces["train"]]
        pieces = torch.stack([statistics(latent) for latent in whole])
        self.mean, self.spread = pieces.mean(0), pieces.std(0)

    @property
    def values(self) -> int:
        """How many numbers `draw` gives a crop besides its labels."""
        return LEVEL_POINTS + len(self.mean)

    def draw(
        self, split: str, count: int, rng: np.random.Generator, harm: bool = True
    ) -> tuple[tuple[Tensor, Tensor], Tensor, Tensor, Tensor]:
        """Word ids and numbers (B, L); classes (B, K), flags (B, G) and values (B, V)."""
        captions: list[str] = []
        classes: list[list[int]] = []
        flags: list[list[float]] = []
        values: list[Tensor] = []
        for index in rng.choice(self.pieces[split], count):
            piece = self.music.pieces[int(index)]
            latent = self.latents[str(piece["id"])]
            frames = min(latent.shape[1], int(rng.choice([140, 188, 282, 376])))
            start = int(rng.integers(latent.shape[1] - frames + 1))
            labels = labels_of_crop(piece, start / FRAME_RATE, frames / FRAME_RATE)
            text = caption(labels, rng)
            captions.append(misspelt(text, rng) if harm and rng.random() < 0.25 else text)
            classes.append(self.facts.classes_of(labels))
            flags.append(self.facts.flags_of(labels))
            levels = np.array(labels["loudness"] or [-90.0])
            places = np.linspace(0, len(levels) - 1, LEVEL_POINTS)
            curve = np.interp(places, np.arange(len(levels)), levels).clip(-70) / 12 + 2
            crop = statistics(latent[:, start : start + frames])
            values.append(torch.cat([torch.from_numpy(curve).float(), self.standard(crop)]))
        ids, numbers = self.words.batch(captions)
        if harm:
            keep = torch.from_numpy(rng.random(ids.shape) > 0.05)
            ids, numbers = ids * keep, numbers * keep
        return (ids, numbers), torch.tensor(classes), torch.tensor(flags), torch.stack(values)

    def standard(self, crop: Tensor) -> Tensor:
        """Statistics in units of the training pieces' spread."""
        return ((crop - self.mean) / self.spread).clamp(-4, 4)


def statistics(latent: Tensor) -> Tensor:
    """Mean and log spread of each channel of a latent (C, T): (2 C,)."""
    latent = latent.float()
    return torch.cat([latent.mean(1), (latent.std(1) + 0.05).log()])


def misspelt(text: str, rng: np.random.Generator) -> str:
    """`text` with a letter of one or two of its words lost, doubled or swapped with the next."""
    words = text.split(" ")
    for _ in range(int(rng.integers(1, 3))):
        place = int(rng.integers(len(words)))
        word = words[place]
        if len(word) < 4 or not word.isalpha():
            continue
        at = int(rng.integers(1, len(word) - 1))
        here, after = word[at], word[at + 1 :]
        ends = [after, 2 * here + after, after[0] + here + after[1:]]
        words[place] = word[:at] + ends[int(rng.integers(3))]
    return " ".join(words)


class Heads(nn.Module):
    """Linear readings of the pooled text; thrown away after training."""

    def __init__(self, width: int, facts: Facts, values: int) -> None:
        super().__init__()
        self.classes = nn.ModuleList(nn.Linear(width, n) for n in facts.classes.values())
        self.flags = nn.Linear(width, facts.flags)
        self.values = nn.Linear(width, values)

    def losses(self, pooled: Tensor, classes: Tensor, flags: Tensor, values: Tensor) -> Tensor:
        """One loss each: every kind of class, then flags, then values, (K + 2,)."""
        names = [
            F.cross_entropy(head(pooled), classes[:, i]) for i, head in enumerate(self.classes)
        ]
        present = F.binary_cross_entropy_with_logits(self.flags(pooled), flags)
        return torch.stack([*names, 10 * present, F.mse_loss(self.values(pooled), values)])


@torch.no_grad()
def report(encoder: TextEncoder, heads: Heads, readings: Readings) -> str:
    """Losses on captions of held-out pieces, and styles found by words no caption has."""
    rng = np.random.default_rng(7)
    text, *truth = readings.draw("held-out", 512, rng, harm=False)
    pooled = encoder(*text).pooled
    losses = heads.losses(pooled, *truth)
    families = readings.facts.names["family"]
    phrases = [(w, k) for k, words in HELD_OUT_SYNONYMS["family"].items() for w in words]
    ids = readings.words.batch([phrase for phrase, _ in phrases])
    guess = heads.classes[0](encoder(*ids).pooled).topk(5).indices.tolist()
    right = [families.index(family) for _, family in phrases]
    first = np.mean([g[0] == r for g, r in zip(guess, right, strict=True)])
    fifth = np.mean([r in g for g, r in zip(guess, right, strict=True)])
    names = [*readings.facts.classes, "flags", "values"]
    told = ", ".join(f"{n} {v:.3f}" for n, v in zip(names, losses.tolist(), strict=True))
    return (
        f"held-out: {told}; spread of the pooled text over prompts {pooled.std(0).mean():.3f}; "
        f"style by unseen words: top 1 {first:.2f}, top 5 {fifth:.2f}"
    )


def main() -> None:
    """Parse the flags and train."""
    parser = argparse.ArgumentParser(description="Train the text encoder of ditto-small.")
    parser.add_argument("--data", type=Path, required=True, help="folder made by training.data")
    parser.add_argument("--latents", type=Path, required=True)
    parser.add_argument("--words", type=Path, required=True, help="made by training.text.distil")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch", type=int, default=192)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    words, vectors = load_words(args.words)
    config = DenoiserConfig(vocabulary=len(words), word_width=vectors.shape[1])
    encoder = TextEncoder(config)
    readings = Readings(Music(args.data), load_latents(args.latents), words)
    heads = Heads(config.text_width, readings.facts, readings.values)
    both = nn.ModuleDict({"encoder": encoder, "heads": heads})
    vectors = vectors.float()
    encoder.vectors.copy_(vectors)
    optimizer = torch.optim.AdamW(both.parameters(), lr=args.lr, weight_decay=0.02)
    average = Average(both, 0.995)
    run = Run(
        args.out / "text",
        args.steps,
        {"both": both, "optimizer": optimizer, "average": average},
        inputs_of(args),
        save_every=500,
    )
    judge = deepcopy(both)
    for step in run:
        rng = np.random.default_rng([args.seed, 5, step])
        noise = torch.Generator().manual_seed(args.seed * 1_000_003 + step)
        text, *truth = readings.draw("train", args.batch, rng)
        encoder.vectors.copy_(vectors + 0.3 * torch.randn(vectors.shape, generator=noise))
        losses = heads.losses(encoder(*text).pooled, *truth)
        losses.sum().backward()
        nn.utils.clip_grad_norm_(both.parameters(), 5.0)
        for group in optimizer.param_groups:
            group["lr"] = args.lr * trapezoid(step, args.steps, warm=50)
        optimizer.step()
        optimizer.zero_grad()
        average.update(both)
        run.log(loss=losses.detach().sum(), style=losses[0].detach(), values=losses[-1].detach())
        if (step + 1) % 250 == 0 or step + 1 == args.steps:
            judge.load_state_dict(average.values)
            best, told = cast("TextEncoder", judge["encoder"]), cast("Heads", judge["heads"])
            best.vectors.copy_(vectors)
            print(report(best, told, readings), flush=True)
            save_weights(
                args.out / "text.safetensors", best.state_dict(), config, word_vectors=ORIGIN
            )


if __name__ == "__main__":
    main()
