"""Measure a set of weights for the model card: ``python -m training.evaluate --help``.

All is heard by judges that no training used (MusiCNN, librosa), in held-out renders. Half of these
pieces are the reference, the other half say what is asked of the model, and stand beside what it
makes of it: what the judges make of *them* is the ceiling.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.spatial.distance import cdist, pdist
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.ceilings import tag_pairs
from ditto_music import generate, load_model
from ditto_music.audio.plots import spectrogram
from ditto_music.cli.shared import Shared
from ditto_music.evaluation.embeddings import MUSICNN, embedding_named
from ditto_music.evaluation.frechet import frechet_distance
from ditto_music.evaluation.judges.beats import pulse, same_tempo
from ditto_music.evaluation.judges.tags import tags
from ditto_music.models.small import SmallModel
from ditto_music.sampling import Guidance
from ditto_music.whole import whole
from training.data.dataset import Music, labels_of_crop
from training.data.words import HELD_OUT_SYNONYMS
from training.spectral import spectral_distance
from training.text.encoder import misspelt

RATE = 24_000
SECONDS = 6.0
STYLES = 12
#: Mode -> semitones from its tonic up to that of the major scale with the same notes.
TO_MAJOR = {
    "major": 0,
    "dorian": 10,
    "phrygian": 8,
    "lydian": 7,
    "mixolydian": 5,
    "minor": 3,
    "harmonic minor": 3,
}

Audio = np.ndarray


@dataclass(frozen=True)
class Clips:
    """Clips (n, N) of different pieces, or what was made in their place, and their labels."""

    audio: Audio
    labels: list[dict[str, Any]]

    def where(self, keep: Sequence[int]) -> Clips:
        """Some of them."""
        return Clips(self.audio[list(keep)], [self.labels[i] for i in keep])


def crops(music: Music, pieces: Sequence[int], count: int, seed: int) -> Clips:
    """`count` crops, none of a piece twice before every piece had its turn."""
    rng = np.random.default_rng(seed)
    turns = [rng.permutation(pieces) for _ in range(-(-count // len(pieces)))]
    audio: list[Audio] = []
    labels: list[dict[str, Any]] = []
    for index in np.concatenate(turns)[:count]:
        clip, start = music.crop(int(index), SECONDS, rng)
        audio.append(clip)
        labels.append(labels_of_crop(music.pieces[int(index)], start, SECONDS))
    return Clips(np.stack(audio), labels)


def prompt_of(labels: Mapping[str, Any]) -> str:
    """All that is judged, in words: ``calm bossa nova, piano, flute, 96 bpm, in Eb dorian``."""
    some = sorted(labels["playing"], key=lambda tag: -sum(b - a for a, b in labels["playing"][tag]))
    key = f"in {labels['key']} {labels['mode']}" if labels["key"] else ""
    parts = [f"{labels['mood']} {labels['family']}", *some[:2], f"{labels['bpm']} bpm", key]
    return ", ".join(part for part in parts if part)


def sing(
    model: SmallModel, prompts: Sequence[str], seed: int, guidance: Guidance, steps: int | None
) -> Audio:
    """One clip a prompt, (n, N)."""
    made: list[Audio] = []
    for start in range(0, len(prompts), 8):
        some = list(prompts[start : start + 8])
        seeds = list(range(seed + start, seed + start + len(some)))
        result = generate(model, some, seed=seeds, duration=SECONDS, guidance=guidance, steps=steps)
        made.append(result.audio[:, 0].numpy())
    return np.concatenate(made)


@torch.no_grad()
def round_trip(model: SmallModel, clips: Audio) -> Audio:
    """Through the codec and back."""
    audio = torch.from_numpy(clips)[:, None]
    made = [model.decode(model.encode(part))[:, 0, : clips.shape[1]] for part in audio.split(10)]
    return torch.cat(made).numpy()


@torch.no_grad()
def embedded(clips: Audio) -> np.ndarray:
    """MusiCNN's embedding of each clip, all brought to one loudness, (n, 200)."""
    embedding = embedding_named(MUSICNN)
    return np.stack([embedding(torch.from_numpy(clip)[None], RATE).numpy() for clip in clips])


def griffin_lim(clip: Audio) -> Audio:
    """Back from a 128-band mel spectrogram by 32 rounds of Griffin-Lim."""
    mel = librosa.feature.melspectrogram(y=clip, sr=RATE, n_fft=1024, hop_length=256, n_mels=128)
    made = librosa.feature.inverse.mel_to_audio(mel, sr=RATE, n_fft=1024, hop_length=256, n_iter=32)
    return np.pad(made, (0, max(0, len(clip) - len(made))))[: len(clip)].astype(np.float32)


def distance(made: Audio, true: Audio) -> float:
    """Mean multi-resolution STFT distance of pairs."""
    pairs = zip(torch.from_numpy(made), torch.from_numpy(true), strict=True)
    return float(np.mean([float(spectral_distance(a[None], b[None])) for a, b in pairs]))


def right_tempo(clips: Clips) -> float:
    """How often a beat tracker hears the tempo of the labels, half or double allowed, within 4%."""
    heard = [pulse(clip, RATE).bpm for clip in clips.audio]
    pairs = zip(heard, clips.labels, strict=True)
    return float(np.mean([same_tempo(bpm, it["bpm"], octaves=True) for bpm, it in pairs]))


def notes_of(clip: Audio) -> int:
    """The major scale whose seven notes sound most, by its tonic; chance is a twelfth."""
    chroma = librosa.feature.chroma_cqt(y=clip, sr=RATE).mean(1)
    scale = np.zeros(12)
    scale[[0, 2, 4, 5, 7, 9, 11]] = 1
    return int(np.argmax([chroma @ np.roll(scale, tonic) for tonic in range(12)]))


def right_notes(clips: Clips) -> float:
    """How often the notes heard are those of the key of the labels."""
    tonics = librosa.note_to_midi([it["key"] for it in clips.labels])
    wanted = [
        (int(tonic) + TO_MAJOR[it["mode"]]) % 12
        for tonic, it in zip(tonics, clips.labels, strict=True)
    ]
    return float(np.mean([notes_of(c) == w for c, w in zip(clips.audio, wanted, strict=True)]))


def right_instruments(clips: Clips) -> float:
    """How often a tag is likelier where its instrument was to play than where it was not."""
    heard = [
        (tags(clip, RATE), set(it["playing"]))
        for clip, it in zip(clips.audio, clips.labels, strict=True)
    ]
    return float(np.mean(tag_pairs(heard)))


def adherence(clips: Clips) -> dict[str, float]:
    """What is measured of a clip by its labels."""
    drums = [i for i, it in enumerate(clips.labels) if "drums" in it["playing"]]
    tonal = [i for i, it in enumerate(clips.labels) if it["key"]]
    return {
        "tempo": right_tempo(clips.where(drums)),
        "notes of the key": right_notes(clips.where(tonal)),
        "instruments": right_instruments(clips),
    }


class Styles:
    """The `STYLES` most frequent styles that have words no caption uses, and who tells them apart:
    logistic regression on MusiCNN's embeddings of the reference.
    """

    def __init__(self, reference: np.ndarray, labels: Sequence[Mapping[str, Any]]) -> None:
        counts = Counter(it["family"] for it in labels if it["ensemble"] == "band")
        known = [name for name, _ in counts.most_common() if name in HELD_OUT_SYNONYMS["family"]]
        self.names = known[:STYLES]
        keep = self.among(labels)
        self.probe: Pipeline = make_pipeline(
            StandardScaler(), LogisticRegression(C=0.05, max_iter=1000)
        )
        self.probe.fit(reference[keep], [labels[i]["family"] for i in keep])

    def among(self, labels: Sequence[Mapping[str, Any]]) -> list[int]:
        """Which clips are of these styles, whole bands."""
        kept = enumerate(labels)
        return [i for i, it in kept if it["family"] in self.names and it["ensemble"] == "band"]

    def told(self, clips: np.ndarray, families: Sequence[str]) -> float:
        """How often the probe names the style."""
        return float(np.mean(self.probe.predict(clips) == np.array(families)))


def levels(clips: Audio) -> dict[str, Any]:
    """Quantiles of the level of seconds in dBFS, and the share of samples over full scale."""
    frames = clips[:, : 6 * RATE].reshape(len(clips), 6, RATE)
    decibels = 10 * np.log10(np.square(frames).mean(2) + 1e-10)
    spread = [round(float(q), 1) for q in np.quantile(decibels, [0.05, 0.25, 0.5, 0.75, 0.95])]
    return {"5 25 50 75 95%": spread, "over full scale": float((np.abs(clips) > 1).mean())}


def grid(path: Path, clips: Audio, titles: Sequence[str]) -> None:
    """Spectrograms, four in a row, to be looked at."""
    rows = -(-len(clips) // 4)
    figure = Figure(figsize=(16, 2.6 * rows), layout="constrained")
    axes = figure.subplots(rows, 4).ravel()
    for ax, clip, title in zip(axes, clips, titles, strict=False):
        spectrogram(ax, clip, RATE)
        ax.set_title(title, fontsize=8)
    with whole(path) as temporary:
        figure.savefig(temporary, dpi=80)


def nearest(path: Path, made: np.ndarray, unseen: np.ndarray, trained: np.ndarray) -> float:
    """How far the nearest piece learnt from is from a generated clip, over how far it is from an
    unseen render, medians; draws both.
    """
    distances = {"generated": cdist(made, trained).min(1), "unseen": cdist(unseen, trained).min(1)}
    figure = Figure(figsize=(6, 3), layout="constrained")
    ax = figure.subplots()
    for name, some in distances.items():
        ax.hist(some, bins=40, histtype="step", density=True, label=name)
    ax.set_xlabel(f"distance to the nearest of {len(trained)} crops learnt from (MusiCNN)")
    ax.set_yticks([])
    ax.legend(frameon=False)
    with whole(path) as temporary:
        figure.savefig(temporary, dpi=80)
    return float(np.median(distances["generated"]) / np.median(distances["unseen"]))


def measure(
    model: SmallModel, music: Music, guidance: Guidance, args: argparse.Namespace
) -> dict[str, Any]:
    """All figures; pictures go to ``args.out``."""
    unseen = np.random.default_rng(0).permutation(music.split("held-out"))
    first, second = np.array_split(unseen, 2)
    heard = crops(music, first.tolist(), 4 * args.count, 1)
    wanted = crops(music, second.tolist(), args.count, 2)
    all_ours, theirs = embedded(heard.audio), embedded(wanted.audio)
    ours = all_ours[: args.count]

    def make(prompts: Sequence[str], seed: int) -> Audio:
        return sing(model, prompts, seed, guidance, args.steps)

    began = time.monotonic()
    made = Clips(make([prompt_of(it) for it in wanted.labels], 1000), wanted.labels)
    seconds = (time.monotonic() - began) / args.count
    again = Clips(round_trip(model, wanted.audio), wanted.labels)
    of_made, of_again = embedded(made.audio), embedded(again.audio)

    styles = Styles(all_ours, heard.labels)
    there = styles.among(wanted.labels)
    families = [wanted.labels[i]["family"] for i in there]
    asked = [style for style in styles.names for _ in range(args.each)]
    rng = np.random.default_rng(4)
    synonyms = HELD_OUT_SYNONYMS["family"]
    plain = make(asked, 5000)
    worded = {
        "plain": embedded(plain),
        "misspelt": embedded(make([misspelt(style, rng) for style in asked], 6000)),
        "in words no caption has": embedded(
            make([synonyms[style][i % len(synonyms[style])] for i, style in enumerate(asked)], 7000)
        ),
    }

    floor = frechet_distance(ours, theirs)
    some = slice(0, 40)
    true = wanted.audio[some]
    report: dict[str, Any] = {
        "clips": args.count,
        "frechet": {"floor": floor}
        | {
            name: {"distance": (d := frechet_distance(ours, clips)), "floors": d / floor}
            for name, clips in {"codec": of_again, "generated": of_made}.items()
        },
        "styles": styles.names,
        "style": {"renders": styles.told(theirs[there], families)}
        | {"codec": styles.told(of_again[there], families)}
        | {name: styles.told(clips, asked) for name, clips in worded.items()},
        "adherence": {
            "renders": adherence(wanted),
            "codec": adherence(again),
            "generated": adherence(made),
        },
        "diversity": float(pdist(of_made).mean() / pdist(theirs).mean()),
        "level": {
            "renders": levels(wanted.audio),
            "codec": levels(again.audio),
            "generated": levels(made.audio),
        },
        "spectral distance": {
            "codec": distance(again.audio[some], true),
            "Griffin-Lim from 128-band mel": distance(
                np.stack([griffin_lim(clip) for clip in true]), true
            ),
        },
        "seconds a clip": seconds,
    }
    learnt = embedded(crops(music, music.split("train").tolist(), 3000, 5).audio)
    report["nearest learnt, over unseen's"] = nearest(
        args.out / "nearest.png", of_made, theirs, learnt
    )
    grid(args.out / "generated.png", plain[:: args.each][:16], styles.names)
    grid(
        args.out / "codec.png",
        np.stack([wanted.audio[:8], again.audio[:8]], 1).reshape(16, -1),
        ["held-out render", "codec round trip"] * 8,
    )
    return report


def main() -> None:
    """Measure and write ``evaluation.json`` and the pictures."""
    parser = argparse.ArgumentParser(description="Measure a set of weights for the model card.")
    parser.add_argument("--data", type=Path, required=True, help="folder made by training.data")
    parser.add_argument("--model", default="ditto-small", help="name, or folder of weights")
    parser.add_argument("--out", type=Path, default=Path("out/evaluation"))
    parser.add_argument("--count", type=int, default=500, help="clips of each set")
    parser.add_argument("--each", type=int, default=10, help="clips a style and kind of prompt")
    parser.add_argument("--steps", type=int, help="default: the model's own, as of the next two")
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--guidance-interval", metavar="FROM:TO", help="as the command's")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    model = load_model(args.model)
    assert isinstance(model, SmallModel)
    asked = Shared(guidance=args.guidance, guidance_interval=args.guidance_interval)
    guidance = asked.guiding(model.guidance)
    report = {"model": args.model, "steps": args.steps}
    report |= {"guidance": guidance.scale, "guidance interval": guidance.interval}
    report |= measure(model, Music(args.data), guidance, args)
    with whole(args.out / "evaluation.json") as path:
        Path(path).write_text(json.dumps(report, indent=2))
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
