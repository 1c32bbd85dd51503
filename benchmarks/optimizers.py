"""Ways down compared at equal control: ``python -m benchmarks.optimizers``.

Intensity curves, tunes and forms are asked of a few prompts by each way down, from the same noise,
one clip at a time. A search ends when what was asked is reached on all of the result's steps, so
seconds to it are compared, and so can the clips be, which ``--out`` gets, a folder a way, for
``ditto-music evaluate``. With ``--figure`` the losses are drawn against seconds. Resumable: what is
in ``--out`` with the same settings is not made again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.kept import Settings, keep, kept
from ditto_music import Intensity, Melody, Progress, Structure, generate, load_model, optimize
from ditto_music.controls.base import Term
from ditto_music.evaluation.targets import CURVES, FORMS, PROMPTS, SECONDS, TUNES
from ditto_music.item import Row
from ditto_music.models import revision
from ditto_music.protocols import Model


@dataclass(frozen=True)
class Way:
    """How to search; the papers' is plain Adam on all steps of DDIM."""

    optimizer: str
    lr: float | None = None
    steps: int | None = None
    surrogate_steps: int | None = None
    sampler: str = "adams"


PAPERS = 20  # steps

WAYS = {
    "lbfgs": Way("lbfgs"),
    "lbfgs, twenty steps": Way("lbfgs", steps=PAPERS),
    "lbfgs, one norm": Way("lbfgs-norm"),
    "lbfgs, norm free": Way("lbfgs-free"),
    "lbfgs, all steps": Way("lbfgs", surrogate_steps=PAPERS),
    "adam": Way("adam"),
    "plain adam": Way("adam-plain", 3e-2),
    "adam, warm restarts": Way("adam-cosine"),
    "normalised": Way("ngd"),
    "the paper's": Way("adam-plain", 5e-3, PAPERS, PAPERS, "ddim"),
}


@dataclass(frozen=True)
class Task:
    """Targets, and when one is reached: of a row and the uncontrolled sample's, on all steps."""

    controls: dict[str, Callable[[], Term]]
    goal: str
    reached: Callable[[Row, Row], bool]


TASKS = {
    "intensity": Task(
        {name: lambda curve=curve: Intensity(curve) for name, curve in CURVES.items()},
        "2 dB²",
        lambda row, start: row["intensity"] <= 2.0,
    ),
    "melody": Task(
        {name: lambda tune=tune: Melody(tune) for name, tune in TUNES.items()},
        "0.85 of frames",
        lambda row, start: row["melody.accuracy"] >= 0.85,
    ),
    "structure": Task(
        {form: lambda form=form: Structure(form) for form in FORMS},
        "0.3 of the start",
        lambda row, start: row["structure"] <= 0.3 * start["structure"],
    ),
}


@dataclass(frozen=True)
class Outcome:
    """One search: whether it got there, after how many iterations and seconds, and the noise.

    Attributes
    ----------
    curve : seconds and lowest loss so far after each iteration; where the sampler's steps change,
        what was lowest on the others is forgotten.
    """

    reached: bool
    iterations: int
    seconds: float
    deviation: float
    curve: list[tuple[float, float]]


def run(
    model: Model,
    way: Way,
    task: Task,
    control: Term,
    prompt: str,
    seed: int,
    settings: Settings,
    out: Path,
) -> Outcome:
    """One clip, written to `out`, its outcome beside it; seconds are those until it could be.

    Parameters
    ----------
    settings : of all clips; ``iterations`` is the most there may be.
    """
    done, settings = out.with_suffix(".outcome.json"), {**settings, **asdict(way)}
    if made := kept(done, settings):
        return Outcome(**made)
    seen: list[Row] = []
    reached = False
    steps = model.steps if way.steps is None else way.steps
    plain = generate(
        model, prompt, control, seed=seed, duration=SECONDS, steps=steps, sampler=way.sampler
    )
    start = plain.items[0].final
    started = time.monotonic()
    curve: list[tuple[float, float]] = []

    def watch(progress: Progress) -> bool:
        nonlocal reached
        seen.extend(progress.rows)
        now = seen[-1]
        alike = [row["loss"] for row in seen if row["steps"] == now["steps"]]
        curve.append((time.monotonic() - started, min(alike)))
        reached = now["steps"] == steps and task.reached(now, start)
        return reached

    result = optimize(
        model,
        prompt,
        control,
        seed=seed,
        duration=SECONDS,
        steps=steps,
        iterations=settings["iterations"],
        optimizer=way.optimizer,
        lr=way.lr,
        surrogate_steps=way.surrogate_steps,
        sampler=way.sampler,
        callback=watch,
    )
    spent = time.monotonic() - started
    result.save(out)
    outcome = Outcome(reached, len(seen), spent, float(result.x_T.std()), curve)
    keep(done, settings, asdict(outcome))
    return outcome


def line(task: str, name: str, outcomes: list[Outcome]) -> str:
    """Medians over the searches; one that never got there counts as never."""
    waits = [one.seconds if one.reached else np.inf for one in outcomes]
    counts = [one.iterations if one.reached else np.inf for one in outcomes]
    spread = [one.deviation for one in outcomes]
    return (
        f"| {task}: {TASKS[task].goal} | {name} | {sum(one.reached for one in outcomes)} of "
        f"{len(outcomes)} | {np.median(counts):.0f} | {np.median(waits):.1f} | {max(waits):.1f} "
        f"| {min(spread):.3f} to {max(spread):.3f} |"
    )


def median_curve(outcomes: list[Outcome]) -> tuple[np.ndarray, np.ndarray]:
    """Seconds (N,) and the median loss of the searches at each, none before all have one.

    A search that has ended counts with its last loss.
    """
    begun = max(one.curve[0][0] for one in outcomes)
    ended = max(one.curve[-1][0] for one in outcomes)
    seconds = np.linspace(begun, ended, 400)
    losses: list[np.ndarray] = []
    for one in outcomes:
        at, loss = np.array(one.curve).T
        losses.append(loss[np.searchsorted(at, seconds, side="right") - 1])
    return seconds, np.median(losses, axis=0)


def figure(found: dict[str, dict[str, list[Outcome]]]) -> Figure:
    """Median loss against seconds, a panel a task and a line a way."""
    drawn = Figure((4.5 * len(found) + 2, 4), layout="constrained")
    panels = drawn.subplots(1, len(found), squeeze=False)[0]
    for axes, (task, ways) in zip(panels, found.items(), strict=True):
        for name, outcomes in ways.items():
            axes.plot(*median_curve(outcomes), label=name)
        axes.set(title=f"{task}: {TASKS[task].goal}", xlabel="seconds", xscale="log", yscale="log")
    panels[0].set_ylabel("loss, median")
    drawn.legend(*panels[-1].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    return drawn


def main() -> None:
    """Print the table, a row as soon as it is known, and draw the figure."""
    parser = argparse.ArgumentParser(description="Ways down at equal control.")
    parser.add_argument("--prompts", type=int, default=2)
    parser.add_argument("--task", choices=list(TASKS), action="append", help="default: all")
    parser.add_argument("--way", choices=list(WAYS), action="append", help="default: all")
    parser.add_argument("--iterations", type=int, default=150)
    parser.add_argument("--model", default="ditto-small")
    parser.add_argument("--out", type=Path, default=Path("out/optimizers"))
    parser.add_argument("--compile", action="store_true", help="one search goes before the rest")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="losses against seconds")
    args = parser.parse_args()
    model = load_model(args.model, compiled=args.compile)
    if args.compile:
        _ = optimize(model, PROMPTS[0], Intensity([-30, -20]), duration=SECONDS, iterations=6)
    named = ("model", "iterations", "compile")
    settings = {name: getattr(args, name) for name in named} | {"revision": revision(args.model)}
    print("| task | way | reached | iterations | s (median) | s (worst) | deviation of x_T |")
    print("|---" * 7 + "|")
    found: dict[str, dict[str, list[Outcome]]] = {}
    for task in args.task or TASKS:
        for name in args.way or WAYS:
            folder = args.out / name.replace(" ", "-").replace(",", "").replace("'", "")
            folder.mkdir(parents=True, exist_ok=True)
            outcomes = [
                run(model, WAYS[name], TASKS[task], control(), prompt, seed, settings,
                    folder / f"{seed:02d}-{task}-{target}.wav")
                for seed, prompt in enumerate(PROMPTS[: args.prompts])
                for target, control in TASKS[task].controls.items()
            ]  # fmt: skip
            print(line(task, name, outcomes), flush=True)
            found.setdefault(task, {})[name] = outcomes
            if args.figure:
                figure(found).savefig(args.figure, dpi=150)


if __name__ == "__main__":
    main()
