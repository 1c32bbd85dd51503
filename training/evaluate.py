"""Measure a set of weights for the model card: ``python -m training.evaluate --help``.

Everything is compared with held-out renders: the codec's round trip with Griffin-Lim from the same
clip's mel spectrogram, generated clips with the statistics of held-out ones, and what a prompt
brings forth with what a simple probe (logistic regression on mel and onset statistics, trained on
training renders) makes of held-out renders of the same styles - the ceiling.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ditto_music import generate, load_model
from ditto_music.audio.plots import spectrogram
from ditto_music.evaluation.frechet import frechet_distance
from ditto_music.models.small import SmallModel
from ditto_music.whole import whole
from training.data.dataset import Music
from training.data.words import HELD_OUT_SYNONYMS
from training.spectral import spectral_distance

RATE = 24_000
SECONDS = 6.0

Clips = np.ndarray


def features(clip: np.ndarray) -> np.ndarray:
    """What the probe hears of a clip (N,): mel means and spreads, and the pulse of its onsets."""
    mel = librosa.feature.melspectrogram(y=clip, sr=RATE, n_fft=1024, hop_length=256, n_mels=48)
    level = librosa.power_to_db(mel, ref=1.0, top_db=None).clip(-80)
    onsets = librosa.onset.onset_strength(S=level, sr=RATE, hop_length=256)
    pulse = librosa.autocorrelate(onsets - onsets.mean(), max_size=140)
    pulse = pulse[10:140].reshape(-1, 5).mean(1) / (pulse[0] + 1e-6)
    return np.concatenate([level.mean(1), level.std(1), 20 * pulse])


def crops(music: Music, split: str, count: int, seed: int) -> tuple[Clips, list[dict[str, Any]]]:
    """Crops (n, N) of different pieces and their labels."""
    rng = np.random.default_rng(seed)
    picks = rng.choice(music.split(split), count, replace=count > len(music.split(split)))
    return (
        np.stack([music.crop(int(i), SECONDS, rng)[0] for i in picks]),
        [music.pieces[int(i)] for i in picks],
    )


@torch.no_grad()
def round_trip(model: SmallModel, clips: Clips) -> Clips:
    """Through the codec and back."""
    audio = torch.from_numpy(clips)[:, None]
    made = [model.decode(model.encode(part))[:, 0, : clips.shape[1]] for part in audio.split(10)]
    return torch.cat(made).numpy()


def griffin_lim(clip: np.ndarray) -> np.ndarray:
    """Back from a 128-band mel spectrogram by 32 rounds of Griffin-Lim."""
    mel = librosa.feature.melspectrogram(y=clip, sr=RATE, n_fft=1024, hop_length=256, n_mels=128)
    made = librosa.feature.inverse.mel_to_audio(mel, sr=RATE, n_fft=1024, hop_length=256, n_iter=32)
    return np.pad(made, (0, max(0, len(clip) - len(made))))[: len(clip)].astype(np.float32)


def distances(made: Clips, true: Clips) -> np.ndarray:
    """Multi-resolution STFT distance of each pair, (n,)."""
    pairs = zip(torch.from_numpy(made), torch.from_numpy(true), strict=True)
    return np.array([float(spectral_distance(a[None], b[None])) for a, b in pairs])


def sing(model: SmallModel, prompts: list[str], seed: int, guidance: float, steps: int) -> Clips:
    """One clip a prompt, (n, N)."""
    made: list[np.ndarray] = []
    for start in range(0, len(prompts), 8):
        some = prompts[start : start + 8]
        seeds = list(range(seed + start, seed + start + len(some)))
        result = generate(model, some, seed=seeds, duration=SECONDS, guidance=guidance, steps=steps)
        made.append(result.audio[:, 0].numpy())
    return np.concatenate(made)


def tempo_found(clip: np.ndarray, bpm: float) -> bool:
    """Whether the onsets' strongest pulse is the tempo, its half or its double, within 4%."""
    envelope = librosa.onset.onset_strength(y=clip, sr=RATE, hop_length=256)
    found = float(librosa.feature.tempo(onset_envelope=envelope, sr=RATE, hop_length=256)[0])
    return any(abs(found / (bpm * octave) - 1) < 0.04 for octave in (0.5, 1, 2))


def grid(path: Path, clips: Clips, titles: list[str]) -> None:
    """Spectrograms, four in a row, to be looked at."""
    rows = -(-len(clips) // 4)
    figure = Figure(figsize=(16, 2.6 * rows), layout="constrained")
    axes = figure.subplots(rows, 4).ravel()
    for ax, clip, title in zip(axes, clips, titles, strict=False):
        spectrogram(ax, clip, RATE)
        ax.set_title(title, fontsize=8)
    with whole(path) as temporary:
        figure.savefig(temporary, dpi=80)


def main() -> None:
    """Measure and write ``evaluation.json`` and the grids."""
    parser = argparse.ArgumentParser(description="Measure a set of weights for the model card.")
    parser.add_argument("--data", type=Path, required=True, help="folder made by training.data")
    parser.add_argument("--model", default="ditto-small", help="name, or folder of weights")
    parser.add_argument("--out", type=Path, default=Path("out/evaluation"))
    parser.add_argument("--each", type=int, default=3, help="clips a style and kind of prompt")
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--steps", type=int, default=20)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    music, model = Music(args.data), load_model(args.model)
    assert isinstance(model, SmallModel)
    report: dict[str, Any] = {"model": args.model, "guidance": args.guidance, "steps": args.steps}

    held, held_labels = crops(music, "held-out", 160, 1)
    again = round_trip(model, held)
    some = slice(0, 40)
    report["spectral_distance"] = {
        "codec round trip": float(distances(again[some], held[some]).mean()),
        "Griffin-Lim from 128-band mel": float(
            distances(np.stack([griffin_lim(c) for c in held[some]]), held[some]).mean()
        ),
    }

    train, train_labels = crops(music, "train", 1600, 2)
    heard = np.stack([features(clip) for clip in train])
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    probe.fit(heard, [piece["family"] for piece in train_labels])
    styles = list(HELD_OUT_SYNONYMS["family"])

    def accuracy(clips: Clips, families: list[str]) -> dict[str, float]:
        chances = probe.predict_proba(np.stack([features(clip) for clip in clips]))
        ranks = [
            int((row > row[list(probe.classes_).index(family)]).sum())
            for row, family in zip(chances, families, strict=True)
        ]
        return {
            "top 1": float(np.mean(np.array(ranks) < 1)),
            "top 5": float(np.mean(np.array(ranks) < 5)),
        }

    families = [style for style in styles for _ in range(args.each)]
    rephrased = [
        w for style in styles for w in (HELD_OUT_SYNONYMS["family"][style] * 9)[: args.each]
    ]
    plain = sing(model, families, 100, args.guidance, args.steps)
    other = sing(model, rephrased, 500, args.guidance, args.steps)
    in_styles = [i for i, piece in enumerate(held_labels) if piece["family"] in styles]
    report["family_probe"] = {
        "chance (top 1)": 1 / len(probe.classes_),
        "held-out renders": accuracy(
            held[in_styles], [held_labels[i]["family"] for i in in_styles]
        ),
        "codec round trip": accuracy(
            again[in_styles], [held_labels[i]["family"] for i in in_styles]
        ),
        "generated, name of the style": accuracy(plain, families),
        "generated, words never in a caption": accuracy(other, families),
    }

    reduce = make_pipeline(StandardScaler(), PCA(24)).fit(heard)
    real, more = (
        reduce.transform(np.stack([features(c) for c in crops(music, "held-out", 280, s)[0]]))
        for s in (3, 4)
    )
    captions = [f"{p['mood']} {p['family']}, {p['bpm']} bpm" for p in held_labels]
    made = sing(model, captions, 900, args.guidance, args.steps)
    halves = np.random.default_rng(0).permutation(len(real))
    report["frechet"] = {
        "floor: two halves of held-out": frechet_distance(real[halves[:140]], more[halves[140:]]),
        "codec round trip": frechet_distance(
            real, reduce.transform(np.stack([features(c) for c in again]))
        ),
        "generated": frechet_distance(
            real, reduce.transform(np.stack([features(c) for c in made]))
        ),
    }
    steady = [i for i, p in enumerate(held_labels) if "drums" in p["instruments"]]
    report["tempo_within_4_percent"] = {
        "held-out renders": float(
            np.mean([tempo_found(held[i], held_labels[i]["bpm"]) for i in steady])
        ),
        "generated": float(np.mean([tempo_found(made[i], held_labels[i]["bpm"]) for i in steady])),
    }

    def levels(clips: Clips) -> list[float]:
        frames = clips[:, : 6 * RATE].reshape(len(clips), 6, RATE)
        decibels = 10 * np.log10(np.square(frames).mean(2) + 1e-10)
        return [round(float(q), 1) for q in np.quantile(decibels, [0.05, 0.25, 0.5, 0.75, 0.95])]

    report["level_dbfs_quantiles_5_25_50_75_95"] = {
        "held-out": levels(held),
        "generated": levels(made),
    }
    with whole(args.out / "evaluation.json") as path:
        Path(path).write_text(json.dumps(report, indent=2))
    grid(args.out / "generated.png", plain[:: args.each][:16], families[:: args.each][:16])
    grid(
        args.out / "codec.png",
        np.stack([held[:8], again[:8]], 1).reshape(16, -1),
        ["held-out render", "codec round trip"] * 8,
    )
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
