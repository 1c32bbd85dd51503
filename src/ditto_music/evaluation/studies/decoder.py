"""Study 8: the decoder inside the gradient's path, and what is lost where it is left out.

Two tasks can be put to the latent alone. *match*: keep the first half of a recording, by its latent
or by the log-mel spectrum of the decoded audio. *intensity*: by the audio, or by a linear reading
of the latent that was fitted to the model's own clips (a small stand-in for a learned head). Both
ways are measured by what is heard after decoding, and by how far the latent has left what the codec
makes of audio: its error after decoding and encoding, over that of the uncontrolled clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ditto_music.audio import plots
from ditto_music.controls import Control, Intensity, Match
from ditto_music.evaluation.contests import curve_of
from ditto_music.evaluation.studies.drawing import points
from ditto_music.evaluation.studies.making import apart, counted, judged, plain, solved
from ditto_music.evaluation.studies.study import Asked, Item, Row, Scale, Size, Study
from ditto_music.evaluation.studies.tables import Column, Table, grouped, summed
from ditto_music.evaluation.targets import PROMPTS
from ditto_music.features import intensity, intensity_times
from ditto_music.features.loudness import smooth_curve
from ditto_music.features.spectrogram import mel_filters, power_spectrogram
from ditto_music.generate import generate
from ditto_music.problem import Problem
from ditto_music.protocols import Clip, Form, Model
from ditto_music.result import Result, Settings

TASKS, WAYS = ("match", "intensity"), ("in", "out")
KEPT = 0.5  # of the clip
AWAY, REFERENCE_SEED = 7, 700_000  # prompts further on, and the seed, of the recording matched
FITTED, FITTED_SEED = 8, 800_000  # clips that the linear reading is fitted to
RIDGE = 1e-2  # of the features' variance

WINDOW_SECONDS, HOP_SECONDS, BANDS, FLOOR = 1024 / 24_000, 512 / 24_000, 64, 1e-6

COLUMNS = (
    Column("before", "loss before", 3),
    Column("after", "loss after", 3),
    Column("error_before", "error before, dB"),
    Column("error", "error after decoding, dB"),
    Column("latent", "latent error where kept", 3),
    Column("heard", "judge's correlation"),
    Column("round", "codec error, over the uncontrolled's"),
    Column("apart", "distance from the uncontrolled"),
    Column("operations", "operations of an iteration, in samples"),
)


class MatchAudio(Control):
    """Log-mel spectrum of the decoded audio against a recording's, in dB^2, where it is kept.

    Parameters
    ----------
    audio : (1, N), at the model's rate.
    kept : share of the clip, from its beginning.
    """

    name = "match"
    tolerance = 1.0

    def __init__(self, audio: Tensor, kept: float) -> None:
        self.audio, self.kept = audio, kept

    def target(self, form: Form) -> Tensor:
        """The recording's levels (BANDS, F) in dB."""
        return log_mel(self.audio, form.sample_rate, self.kept)[0].to(form.device)

    def feature(self, clip: Clip) -> Tensor:
        """The clip's levels (B, BANDS, F) in dB."""
        return log_mel(clip.mono, clip.sample_rate, self.kept)

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        """Mean squared error (B,)."""
        return (feature - target).square().mean((-2, -1))


class IntensityOfLatent(Control):
    """Intensity as a linear reading of the latent has it, against a curve: no decoder is asked.

    Parameters
    ----------
    curve : as of `Intensity`.
    weights : of `features_of` a latent.
    """

    name = "intensity"
    tolerance = 0.8  # as of `Intensity`

    def __init__(self, curve: Sequence[tuple[float, float]], weights: Tensor) -> None:
        self.inner, self.weights = Intensity(curve), weights

    def target(self, form: Form) -> Tensor:
        """The curve (F,) in dBFS, as of `Intensity`."""
        return self.inner.target(form)

    def feature(self, clip: Clip) -> Tensor:
        """What is read (B, F), in dBFS, smoothed as `Intensity` is."""
        read = features_of(clip.latent, clip.model.seconds_per_frame, self._times(clip))
        return smooth_curve(read @ self.weights.to(read))

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        """Mean squared error (B,) in dB^2."""
        return (feature - target).square().mean(-1)

    def _times(self, clip: Clip) -> Tensor:
        return intensity_times(clip.frames, clip.sample_rate)


def log_mel(audio: Tensor, rate: int, kept: float = 1.0) -> Tensor:
    """Levels (B, BANDS, F) in dB of the beginning of mono audio (B, N)."""
    window, hop = round(WINDOW_SECONDS * rate), round(HOP_SECONDS * rate)
    part = audio[..., : max(window, round(kept * audio.shape[-1]))]
    power = power_spectrogram(part, window, hop) / window
    return 10 * torch.log10(mel_filters(rate, window, BANDS).to(power) @ power + FLOOR)


def features_of(latent: Tensor, seconds_per_frame: float, times: Tensor) -> Tensor:
    """Values of a latent (B, ..., T) at moments (F,), their squares and one: (B, F, D)."""
    values = latent.flatten(1, -2)
    place = (times.to(latent) / seconds_per_frame - 0.5).clamp(0, values.shape[-1] - 1)
    low = place.floor().long()
    high = (low + 1).clamp(max=values.shape[-1] - 1)
    part = place - low
    between = values[..., low] * (1 - part) + values[..., high] * part
    ones = torch.ones_like(between[:, :1])
    return torch.cat([between, between.square(), ones], dim=1).mT


@lru_cache(maxsize=1)
def reading_of(model: Model, scale: Scale) -> Tensor:
    """Weights (D,) by which a latent's features tell the level in dBFS: ridge regression over clips
    of the model's own.
    """
    seeds = [FITTED_SEED + scale.seed + i for i in range(FITTED)]
    words = [PROMPTS[-1 - i] for i in range(FITTED)]
    made = generate(model, words, seed=seeds, duration=scale.duration, steps=scale.steps)
    mono = made.audio.mean(1)
    times = intensity_times(mono.shape[-1], made.sample_rate)
    latents = torch.stack([one.latent for one in made.items])
    read = features_of(latents, model.seconds_per_frame, times).flatten(0, 1).double()
    level = intensity(mono, made.sample_rate, smoothing=0).flatten().double()
    gram = read.T @ read
    penalty = RIDGE * gram.diagonal().clone()
    penalty[-1] = 0
    weights = torch.linalg.lstsq(gram + penalty.diag(), (read.T @ level)[:, None]).solution
    return weights[:, 0].float()


def items(size: Size) -> list[Asked]:
    """Both tasks, the decoder in and out."""
    return [
        {"prompt": number, "task": task, "decoder": way}
        for number in range(size.prompts)
        for task in TASKS
        for way in WAYS
    ]


def measure(model: Model, item: Item) -> list[Row]:
    """One search."""
    task, inside = str(item["task"]), item["decoder"] == "in"
    free, one = counted(lambda: plain(model, item))
    recording = _recording(model, item)
    audio = recording.audio[0].float()
    encoded = model.encode(audio[None].to(model.device))[0].cpu()
    mask = (torch.arange(encoded.shape[-1]) < KEPT * encoded.shape[-1]).float()
    curve = curve_of(item.number, item.scale.duration)[1]
    control: Control
    if task == "match":
        control = MatchAudio(audio.mean(0, keepdim=True), KEPT) if inside else Match(encoded, mask)
    elif inside:
        control = Intensity(curve)
    else:
        control = IntensityOfLatent(curve, reading_of(model, item.scale))
    made = solved(model, item, control)
    clip = made.items[0]

    def error(result: Result) -> float:
        """After decoding, in dB."""
        if task == "match":
            truth = MatchAudio(audio.mean(0, keepdim=True), KEPT)
        else:
            truth = Intensity(curve)
        measured = plain(model, item, truth, x_T=result.x_T)
        return measured.items[0].final["loss"] ** 0.5

    latent = float(((clip.latent - encoded).square() * mask).mean() / mask.mean())
    return [
        {
            "before": plain(model, item, control).items[0].final["loss"],
            "after": clip.final["loss"],
            "error_before": error(free),
            "error": error(made),
            "latent": latent if task == "match" else None,
            "heard": judged(made, "intensity", item) if task == "intensity" else None,
            "round": round_error(model, made) / max(round_error(model, free), 1e-12),
            "apart": apart(made, free),
            "operations": _iteration(model, item, control) / one,
        }
    ]


def _recording(model: Model, item: Item) -> Result:
    words = PROMPTS[(item.number + AWAY) % len(PROMPTS)]
    return plain(model, item, prompts=[words], seed=REFERENCE_SEED + item.seed)


@torch.no_grad()
def round_error(model: Model, result: Result) -> float:
    """Mean squared error of the latent after decoding and encoding: how unlike audio's it is."""
    latent = result.items[0].latent[None].to(model.device)
    again = model.encode(model.decode(latent))[..., : latent.shape[-1]]
    return float((again - latent).square().mean())


def _iteration(model: Model, item: Item, control: Control) -> int:
    """Operations of one iteration on all steps, their activations made again."""
    scale = item.scale
    settings = Settings(scale.duration, scale.steps, gradient="checkpoint")
    problem = Problem(model, item.words, control, item.seed, settings)

    def once() -> None:
        x_T = problem.noise().requires_grad_()
        losses, _ = problem.measure(problem.clip(problem.sample(x_T, [0], scale.steps)), [0])
        _ = torch.autograd.grad(losses.sum(), x_T)

    return counted(once)[1]


def table(rows: Sequence[Row]) -> Table:
    """A line a task and way."""
    return summed(rows, {"task": "task", "decoder": "decoder"}, COLUMNS)


def draw(rows: Sequence[Row]) -> Figure:
    """The error after decoding, and how unlike audio's the latent has become."""
    groups = {
        f"{task}, decoder {way}": some
        for (task, way), some in grouped(rows, ["task", "decoder"]).items()
    }
    before = {  # the same clips for either way
        f"{task}, uncontrolled": [{"error": row["error_before"], "round": 1.0} for row in some]
        for (task, way), some in grouped(rows, ["task", "decoder"]).items()
        if way == "in"
    }
    picture, axes = plots.figure(2, height=2.6)
    for ax, column in zip(axes, (COLUMNS[3], COLUMNS[6]), strict=True):
        points(ax, dict(sorted((before | groups).items())), column)
        plots.from_zero(ax)
    return picture


STUDY = Study(
    name="decoder",
    paper="The vocoder is inside wherever the feature is of audio; edits and structure work on the "
    "spectrogram without it. What it costs or saves is not measured.",
    items=items,
    measure=measure,
    table=table,
    draw=draw,
)
