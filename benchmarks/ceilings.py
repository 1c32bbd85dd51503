"""What each judge says of music whose truth is known: ``python -m benchmarks.ceilings --data DIR``.

Held-out renders of the training data carry their melody, tempo and instruments as labels: what the
judges make of these is what results of controls are read against. Chance is what the same judge
says of the same clips with another's truth, or with a wrong one.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ditto_music import Melody, load_model
from ditto_music.evaluation.judges.beats import Pulse, pulse, same_tempo
from ditto_music.evaluation.judges.loudness import curve_agreement
from ditto_music.evaluation.judges.notes import (
    MIDDLE_C,
    Share,
    classes_at,
    melody_accuracy,
    melody_accuracy_crepe,
    note_recall,
)
from ditto_music.evaluation.judges.tags import tags
from ditto_music.evaluation.judges.timbre import form_agreement
from ditto_music.features import intensity, intensity_times
from ditto_music.features.chroma import chroma
from ditto_music.models.small.codec import Codec
from ditto_music.models.small.model import load_codec
from ditto_music.protocols import Form
from training.data.dataset import Music, labels_of_crop

RATE = 24_000
SECONDS = 6.0
TIMES = np.arange(0.01, SECONDS, 0.02)
FORM = [(0.0, 2.0, "A"), (2.0, 4.0, "B"), (4.0, 6.0, "A")]
ANOTHER = "another clip's"
TAGS = {  # of MagnaTagATune -> instruments of the labels
    "drums": ["drums", "percussion", "taiko"],
    "flute": ["flute", "pan flute", "recorder", "ocarina", "piccolo", "whistle"],
    "guitar": ["acoustic guitar", "electric guitar", "jazz guitar", "muted guitar"],
    "piano": ["piano", "electric piano"],
    "strings": ["strings", "pizzicato strings", "synth strings"],
    "violin": ["violin", "fiddle"],
}

Clip = np.ndarray
Hear = Callable[[Clip], Clip]


@dataclass(frozen=True)
class Row:
    """One line of the table: a figure of each clip, and what it is by chance of each kind."""

    judge: str
    truth: str
    values: list[float]
    chance: dict[str, list[float]]

    def text(self) -> str:
        """In Markdown."""
        low, high = np.quantile(self.values, [0.1, 0.9])
        spread = "" if set(self.values) <= {0.0, 1.0} else f"{low:.2f} to {high:.2f}"
        chance = ", ".join(f"{np.mean(some):.2f} {kind}" for kind, some in self.chance.items())
        return (
            f"| {self.judge} | {self.truth} | {np.mean(self.values):.2f} | {spread} "
            f"| {chance} | {len(self.values)} |"
        )


def crops(
    music: Music, count: int, seed: int, wanted: Callable[[dict[str, Any]], bool]
) -> Iterator[tuple[Clip, dict[str, Any]]]:
    """`count` held-out clips (N,) of different pieces and their labels, of those `wanted`."""
    rng = np.random.default_rng(seed)
    for index in rng.permutation(music.split("held-out")):
        clip, start = music.crop(int(index), SECONDS, rng)
        labels = labels_of_crop(music.pieces[int(index)], start, SECONDS)
        if count and wanted(labels):
            count -= 1
            yield clip, labels


def melody_of(labels: dict[str, Any]) -> np.ndarray:
    """Pitch classes at `TIMES` of the melody's notes from middle C up, else -1."""
    notes = [(start, length, pitch) for start, length, pitch in labels["melody"]]
    return classes_at([note for note in notes if note[2] >= MIDDLE_C], TIMES)


def melodies(music: Music, count: int, hear: Hear) -> list[Row]:
    """Basic Pitch and CREPE on the labelled melody, at moments it is above middle C."""
    shares: dict[str, list[Share]] = {"top": [], "heard": [], "crepe": []}
    recalls: list[float] = []
    strange: list[float] = []
    before: list[tuple[float, float, int]] = []
    for clip, labels in crops(music, count, 1, lambda labels: (melody_of(labels) >= 0).sum() > 75):
        target, audio = melody_of(labels), hear(clip)
        accuracy = melody_accuracy(audio, RATE, TIMES, target)
        shares["top"].append(accuracy.top)
        shares["heard"].append(accuracy.heard)
        shares["crepe"].append(melody_accuracy_crepe(audio, RATE, TIMES, target))
        notes = [(start, length, pitch) for start, length, pitch in labels["melody"]]
        recalls.append(note_recall(audio, RATE, notes)[0])
        if before:
            strange.append(note_recall(audio, RATE, before)[0])
        before = notes
    names = {
        "top": ("Basic Pitch", "melody is the strongest class"),
        "heard": ("Basic Pitch", "melody is among those heard"),
        "crepe": ("CREPE", "melody (raw chroma)"),
    }
    rows = [
        Row(
            *names[key],
            [share.found for share in some],
            {
                "transposed": [share.transposed for share in some],
                "its notes shuffled": [share.shuffled for share in some],
            },
        )
        for key, some in shares.items()
    ]
    return [*rows, Row("Basic Pitch", "recall of whole notes", recalls, {ANOTHER: strange})]


def asked(music: Music, count: int, hear: Hear) -> list[Row]:
    """What the control of melodies itself says of music that has the melody asked for."""
    own: list[tuple[float, float]] = []
    other: list[tuple[float, float]] = []
    before: Melody | None = None
    form = Form(SECONDS, RATE, (1,), torch.device("cpu"))
    for clip, labels in crops(music, count, 1, lambda labels: (melody_of(labels) >= 0).sum() > 75):
        control = Melody(
            [(start, start + length, pitch) for start, length, pitch in labels["melody"]]
        )
        feature = chroma(torch.from_numpy(hear(clip))[None], RATE)
        for melody, figures in ((control, own), (before, other)):
            if melody is not None:
                target = melody.target(form)
                met = float(melody.loss(feature, target)) <= melody.tolerance
                figures.append((float(melody.metrics(feature, target)["accuracy"]), float(met)))
        before = control
    return [
        Row("the control", words, [row[i] for row in own], {ANOTHER: [row[i] for row in other]})
        for i, words in enumerate(("melody: frames right", "melody: within tolerance"))
    ]


def tempi(music: Music, count: int, hear: Hear) -> list[Row]:
    """The labelled tempo by librosa, of clips with drums and without."""
    rows: list[Row] = []
    for words, drums in (("with drums", True), ("without", False)):
        made = crops(music, count, 2, lambda it, drums=drums: ("drums" in it["playing"]) == drums)
        pairs = [(pulse(hear(clip), RATE), float(labels["bpm"])) for clip, labels in made]
        for how, bpm_of in (("autocorrelation", _bpm), ("beats", _beat_bpm)):
            for octaves in (False, True):
                found = [same_tempo(bpm_of(a), bpm, octaves=octaves) for a, bpm in pairs]
                other = [
                    same_tempo(bpm_of(a), bpm, octaves=octaves)
                    for i, (a, _) in enumerate(pairs)
                    for j, (_, bpm) in enumerate(pairs)
                    if i != j
                ]
                truth = f"tempo {words}, 4%" + (", or half or double" if octaves else "")
                rows.append(
                    Row(f"librosa, {how}", truth, _floats(found), {ANOTHER: _floats(other)})
                )
    return rows


def levels(music: Music, count: int, hear: Hear) -> list[Row]:
    """Momentary loudness against the clip's own intensity, and against another clip's."""
    values: list[float] = []
    other: list[float] = []
    before: np.ndarray | None = None
    times = intensity_times(round(SECONDS * RATE), RATE).numpy()
    for clip, _ in crops(music, count, 3, lambda labels: bool(labels["dynamics"])):
        audio = hear(clip)
        own = intensity(torch.from_numpy(audio)[None], RATE)[0].numpy()
        values.append(curve_agreement(audio, RATE, times, own).correlation)
        if before is not None:
            other.append(curve_agreement(audio, RATE, times, before).correlation)
        before = own
    return [
        Row(
            "loudness, momentary", "correlation with the clip's intensity", values, {ANOTHER: other}
        )
    ]


def forms(music: Music, count: int, hear: Hear) -> list[Row]:
    """ABA spliced from two pieces, and the same form asked of a piece left whole."""
    found: list[tuple[float, float]] = []
    other: list[tuple[float, float]] = []
    before: Clip | None = None
    part = 2 * RATE
    for clip, _ in crops(music, count + 1, 4, lambda labels: True):
        if before is not None:
            spliced = np.concatenate([before[:part], clip[:part], before[part : 2 * part]])
            for judged, rows in ((spliced, found), (clip, other)):
                agreement = form_agreement(hear(judged), RATE, FORM)
                rows.append((agreement.correlation, agreement.contrast))
        before = clip
    return [
        Row(
            "spectral contrast",
            words,
            [row[i] for row in found],
            {"left whole": [row[i] for row in other]},
        )
        for i, words in enumerate(("correlation with ABA", "alike minus different, ABA"))
    ]


def tag_pairs(heard: Sequence[tuple[Mapping[str, float], set[str]]]) -> list[float]:
    """Of clips' tags and the instruments that play in them, for each pair of a clip with a tag's
    instrument and one without: 1 where the tag is likelier in the first, else 0.
    """
    right: list[float] = []
    for tag, names in TAGS.items():
        there = [probable[tag] for probable, playing in heard if playing & set(names)]
        absent = [probable[tag] for probable, playing in heard if not playing & set(names)]
        right += [float(a > b) for a in there for b in absent]
    return right


def instruments(music: Music, count: int, hear: Hear) -> list[Row]:
    """How often a tag is likelier where its instrument plays than where it does not."""
    heard = [
        (tags(hear(clip), RATE), set(labels["playing"]))
        for clip, labels in crops(music, count, 5, lambda labels: True)
    ]
    right = tag_pairs(heard)
    return [
        Row(
            "MusiCNN (MTT)",
            "tag likelier where it plays, pairs of clips",
            right,
            {"by a coin": [0.5]},
        )
    ]


def _bpm(heard: Pulse) -> float:
    return heard.bpm


def _beat_bpm(heard: Pulse) -> float:
    return heard.beat_bpm


def _floats(values: list[bool]) -> list[float]:
    return [float(value) for value in values]


def through(name: str) -> Hear:
    """Clips as a codec gives them back.

    `name` is a model's, a ``codec.safetensors``, or ``parts``: tones and noise, found and played
    with nothing between, which is the most that codec can give.
    """
    decode: Callable[[torch.Tensor], torch.Tensor]
    if name == "parts":
        codec = Codec()
        decode = lambda audio: codec.decoder.render(codec.analyse(audio))  # noqa: E731
    elif name.endswith(".safetensors"):
        trained = load_codec(Path(name)).eval()
        decode = lambda audio: trained.decode(trained.encode(audio))  # noqa: E731
    else:
        model = load_model(name)
        decode = lambda audio: model.decode(model.encode(audio[:, None])).mean(1)  # noqa: E731

    @torch.no_grad()
    def hear(clip: Clip) -> Clip:
        whole = np.pad(clip, (0, -len(clip) % 1024))
        return decode(torch.from_numpy(whole)[None])[0, : len(clip)].numpy()

    return hear


MEASURES = {
    "melodies": melodies,
    "asked": asked,
    "tempi": tempi,
    "levels": levels,
    "forms": forms,
    "instruments": instruments,
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What judges say of music whose truth is known.")
    parser.add_argument("--data", type=Path, required=True, help="folder made by training.data")
    parser.add_argument("--count", type=int, default=30, help="clips of each measure")
    parser.add_argument(
        "--through",
        metavar="CODEC",
        help="hear clips as this codec does: a model, a file, or parts",
    )
    parser.add_argument("--only", choices=list(MEASURES), action="append", help="default: all")
    args = parser.parse_args()
    music = Music(args.data)
    hear: Hear = through(args.through) if args.through else lambda clip: clip
    print("| judge | of | mean | 10% to 90% | chance | clips |\n|---|---|---|---|---|---|")
    for name in args.only or MEASURES:
        for row in MEASURES[name](music, args.count, hear):
            print(row.text(), flush=True)


if __name__ == "__main__":
    main()
