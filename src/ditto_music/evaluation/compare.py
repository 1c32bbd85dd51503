"""Tasks times methods on one model, through `jobs`: resumable, judged, one table."""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ditto_music.audio import Recording, read_recording
from ditto_music.audio.files import names_audio
from ditto_music.baselines import METHODS
from ditto_music.controls.references import mono
from ditto_music.controls.style_words import Tag
from ditto_music.errors import InputError
from ditto_music.evaluation.adherence import adherence, clap_score
from ditto_music.evaluation.adherence import heard as tags_heard
from ditto_music.evaluation.contests import (
    CONTESTS,
    Contest,
    Entry,
    Source,
    entry,
    largest_join,
)
from ditto_music.evaluation.embeddings import CLAP, Embedding
from ditto_music.evaluation.folder import LONGER, Clip, listen
from ditto_music.evaluation.intervals import Floats, Interval, of_distance, of_mean
from ditto_music.evaluation.kernel import kernel_to
from ditto_music.evaluation.reports import Report, controls_of
from ditto_music.evaluation.targets import PROMPTS, SECONDS
from ditto_music.features.musicnn import SAMPLE_RATE
from ditto_music.jobs import Group, Job, Outcome, Performer, Tally, run_batch
from ditto_music.jobs.batch import RESULTS, commands, key_of
from ditto_music.result import finite, forget_peak, give_back
from ditto_music.whole import whole

AUDIO, SOURCES, HEARD = "audio", "sources", "heard"
SOURCE_SEED = 1_000_000  # sources are not the seeds' own clips


#: Distances of a set of vectors (n, d) to a reference, by the embedding's name.
Nearness = Mapping[str, Callable[[npt.ArrayLike], float]]


@dataclass(frozen=True)
class Plan:
    """What is compared.

    Attributes
    ----------
    model : its name.
    tasks, methods : names, each once.
    items : of each task.
    seed : of the first item; the next has the next.
    duration : seconds of a clip.
    seconds_each : that each method may take for an item; None: as long as its own settings take.
    flags : of all jobs, such as steps; they go before a method's own.
    recordings : a folder of music to edit; None: music that the model makes.
    """

    model: str = "ditto-small"
    tasks: Sequence[str] = tuple(CONTESTS)
    methods: Sequence[str] = tuple(METHODS)
    items: int = 4
    seed: int = 0
    duration: float = SECONDS
    seconds_each: float | None = None
    flags: Mapping[str, Any] = field(default_factory=dict[str, Any])
    recordings: Path | None = None

    def __post_init__(self) -> None:
        for what, names, known in (
            ("task", self.tasks, CONTESTS),
            ("method", self.methods, METHODS),
        ):
            unknown = [name for name in names if name not in known]
            if unknown:
                raise InputError(f"{what} '{unknown[0]}' is unknown: take {', '.join(known)}")
            twice = [name for name in known if names.count(name) > 1]
            if twice:  # its clips would count as more than there are
                raise InputError(f"{what} '{twice[0]}' is given twice: give each once")
        if self.items < 1:
            raise InputError(f"items is {self.items}: it must be 1 or more")
        if self.seconds_each is not None and not 0 < self.seconds_each < math.inf:
            raise InputError(f"seconds-each is {self.seconds_each:g}: it must be above 0")
        if not any(self.methods_of(CONTESTS[task]) for task in self.tasks):
            raise InputError(
                f"{', '.join(self.methods)} cannot do {', '.join(self.tasks)} with {self.model}: "
                "methods that keep parts of a recording need outpaint, inpaint or loop, and "
                "control-net needs ditto-small and intensity, melody or both"
            )

    def methods_of(self, contest: Contest) -> list[str]:
        """Those of its methods that can do a task."""
        return contest.methods(self.methods, self.model)

    @property
    def shared(self) -> dict[str, Any]:
        """Fields of every job."""
        return {"model": self.model, "seed": self.seed, **self.flags}


@dataclass(frozen=True)
class Made:
    """One clip, made and heard.

    Attributes
    ----------
    figures : those its task has told, "clap" its CLAP score where CLAP listens, seconds and
        gigabytes.
    seconds : of what networks hear of it, of an edit the new part.
    vectors : by the embedding's name.
    """

    entry: Entry
    file: Path
    prompt: str
    seconds: float
    figures: dict[str, float]
    vectors: dict[str, Floats]
    tags: dict[Tag, float]


@dataclass(frozen=True)
class Cell:
    """A task and a method, summed up; `figures` by their names."""

    contest: Contest
    method: str
    figures: dict[str, Interval]
    missing: int


@dataclass(frozen=True)
class Comparison:
    """What came of it.

    Attributes
    ----------
    sources : of the edits.
    failed : one line for each item that could not be made.
    """

    plan: Plan
    made: list[Made]
    cells: list[Cell]
    sources: list[Source]
    failed: list[str]


@dataclass(frozen=True)
class Metered:
    """A performer that measures the memory of each group by itself."""

    inner: Performer

    def revision(self, job: Job) -> str:
        """The inner one's."""
        return self.inner.revision(job)

    def kind(self, job: Job) -> Hashable | None:
        """The inner one's."""
        return self.inner.kind(job)

    def perform(self, group: Group, address: str) -> list[Outcome]:
        """The inner one's; where the peak cannot be forgotten, memory is not told."""
        gc.collect()  # what an earlier item left behind is not this one's
        give_back()
        forgotten = forget_peak()
        outcomes = self.inner.perform(group, address)
        if forgotten:
            return outcomes
        return [
            replace(each, report=each.report | {"peak_memory_bytes": None}) if each.report else each
            for each in outcomes
        ]


def compare(
    plan: Plan,
    out: str | Path,
    *,
    embeddings: Mapping[str, Embedding],
    reference: str | Path | None = None,
    performer: Performer | None = None,
    tally: Tally | None = None,
    watch: Callable[[Outcome], None] = lambda outcome: None,
    tell: Callable[[str], None] = lambda line: None,
) -> Comparison:
    """Make, hear and sum up. What was made or heard before in the folder is not done again.

    Parameters
    ----------
    out : a folder, for the audio too.
    embeddings, reference : of the distance to a folder of music; without one there is none. It is
        listened to before anything is made, cut as `ditto_music.evaluation.folder.listen` does into
        pieces as long as the clips, or as the new parts of an edit.
    performer : of jobs; None: the command line's.
    tally, watch : kept up to date, and called with each outcome.
    tell : called with a line now and then.

    Raises
    ------
    InputError
        If a folder cannot be used, or another comparison is at work in it.
    """
    folder = Path(out)
    act = performer or commands()
    known = listen(Path(reference), embeddings, tell, tell, plan.duration) if reference else []
    near = dict.fromkeys(plan.tasks, nearness(known))
    sources = sources_of(plan, folder, act, tell)
    entries = keyed(entries_of(plan, sources), act)
    tell(f"{len(entries)} clips to make or to find made")
    jobs = [each.job for each in entries]
    outcomes = run_batch(
        jobs, folder / AUDIO, performer=Metered(act), most=1, retry_failed=True, tally=tally
    )
    failed: list[str] = []
    for outcome in outcomes:
        watch(outcome)
        if not outcome.done:
            failed.append(f"{entries[outcome.line - 1].name}: {outcome.error}")
    reports = reports_of(folder / AUDIO)
    tell("listening to what was made")
    ears = ears_of(embeddings)
    made = [
        hear(each, folder, reports[key], embeddings, ears, plan.duration)
        for each in entries
        if (key := key_of(Job(0, each.job), act)) in reports
    ]
    for task in plan.tasks:
        lengths = [one.seconds for one in made if one.entry.contest.name == task]
        if reference and lengths and any(clip.seconds > LONGER * median(lengths) for clip in known):
            length = median(lengths)
            tell(f"{task}: the reference again, in pieces of {length:.2f} s")
            again = listen(Path(reference), embeddings, lambda line: None, seconds=length)
            near[task] = nearness(again)
    return Comparison(plan, made, summed(plan, made, near), sources, failed)


def nearness(known: Sequence[Clip]) -> Nearness:
    """Kernel distances to music that was listened to; two clips and more have one.

    Raises
    ------
    InputError
        If most of the music is one and the same clip.
    """
    if len(known) < 2:
        return {}
    return {name: kernel_to([clip.vectors[name] for clip in known]) for name in known[0].vectors}


def sources_of(
    plan: Plan, folder: Path, act: Performer, tell: Callable[[str], None]
) -> list[Source]:
    """Recordings to edit, one an item: those given, or plain music of the model.

    Raises
    ------
    InputError
        If the recordings' folder has none, or the model's music cannot be made.
    """
    if not any(CONTESTS[task].edits for task in plan.tasks):
        return []
    if plan.recordings is not None:
        paths = sorted(path for path in plan.recordings.glob("*") if names_audio(path))
        if not paths:
            raise InputError(f"{plan.recordings}: no audio files to edit: give another folder")
        return [Source(paths[item % len(paths)].resolve()) for item in range(plan.items)]
    tell("music to edit")
    allowed = ("model", "steps", "device", "dtype", "offload", "guidance")
    shared = {name: value for name, value in plan.shared.items() if name in allowed}
    jobs: list[dict[str, Any]] = [
        {
            **shared,
            "command": "generate",
            "prompt": PROMPTS[item % len(PROMPTS)],
            "duration": plan.duration,
            "seed": SOURCE_SEED + plan.seed + item,
        }
        for item in range(plan.items)
    ]
    asked = [Entry(CONTESTS["outpaint"], item, "source", job) for item, job in enumerate(jobs)]
    named, home = keyed(asked, act), folder / SOURCES
    made = [each.job for each in named]
    for outcome in run_batch(made, home, performer=act, most=1, retry_failed=True):
        if not outcome.done:
            raise InputError(f"music to edit: {outcome.error}")
    return [
        Source((home / f"{each.name}.wav").resolve(), str(each.fields["prompt"])) for each in named
    ]


def entries_of(plan: Plan, sources: Sequence[Source]) -> list[Entry]:
    """All clips, task by task and item by item."""
    return [
        entry(
            contest,
            item,
            method,
            plan.shared,
            plan.duration,
            sources[item] if contest.edits else None,
            plan.seconds_each,
        )
        for contest in (CONTESTS[task] for task in plan.tasks)
        for item in range(plan.items)
        for method in plan.methods_of(contest)
    ]


def keyed(entries: Sequence[Entry], act: Performer) -> list[Entry]:
    """With the key of all that each depends on."""
    return [replace(each, key=key_of(Job(0, each.fields), act)) for each in entries]


def reports_of(folder: Path) -> dict[str, Report]:
    """All of a batch's folder, by their jobs' keys."""
    path = folder / RESULTS
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {report["key"]: report for report in map(json.loads, lines)}


@torch.no_grad()
def ears_of(embeddings: Mapping[str, Embedding]) -> dict[str, list[float]]:
    """What tells networks of one name from one another: how they hear a second of the same noise.

    CLAP is whatever weights were given.
    """

    def ear(embedding: Embedding) -> list[float]:
        rate = embedding.sample_rate
        noise = 0.1 * torch.randn(1, rate, generator=torch.Generator().manual_seed(0))
        return embedding(noise, rate).tolist()

    return {name: ear(embedding) for name, embedding in embeddings.items()}


def hear(
    made: Entry,
    folder: Path,
    report: Report,
    embeddings: Mapping[str, Embedding],
    ears: Mapping[str, Sequence[float]],
    duration: float,
) -> Made:
    """One clip as judges and networks hear it; what was heard before by the same ones is read."""
    file = folder / AUDIO / str(report["out"])
    kept = folder / HEARD / f"{made.name}.json"
    known: dict[str, Any] = {}
    rates = {name: embedding.sample_rate for name, embedding in embeddings.items()}
    if kept.exists():
        known = json.loads(kept.read_text(encoding="utf-8"))
    if not (
        known.get("key") == report["key"]
        and known.get("rates", dict.fromkeys(known["vectors"], SAMPLE_RATE)) == rates
        and _same(known.get("ears", ears), ears)
    ):
        own = {"key": report["key"], "rates": rates, "ears": ears}
        known = own | _heard(made, file, report, embeddings, duration)
        kept.parent.mkdir(parents=True, exist_ok=True)
        with whole(kept) as path:
            Path(path).write_text(json.dumps(finite(known)), encoding="utf-8")
    contest = made.contest
    join = {contest.heard.key: largest_join(report)} if contest.edits else {}
    said = controls_of(report) | known["judged"] | join
    memory = report.get("peak_memory_bytes")
    prompt = str(report["prompt"])
    figures = {
        name: math.nan if said.get(figure.key) is None else float(said[figure.key])
        for name, figure in contest.told.items()
    }
    figures["seconds"] = float(report["seconds"])
    figures["memory"] = memory * 1e-9 if memory else math.nan
    vectors = {name: np.asarray(value, np.float64) for name, value in known["vectors"].items()}
    if CLAP in embeddings:
        score = clap_score(prompt, vectors, embeddings)
        figures["clap"] = math.nan if score is None else score
    return Made(
        made,
        file,
        prompt,
        new_seconds(report) if contest.edits else duration,
        figures,
        vectors,
        {(which, tag): value for which, tag, value in known["tags"]},
    )


def _same(ears: Mapping[str, Sequence[float]], others: Mapping[str, Sequence[float]]) -> bool:
    """Whether these are the same networks, by what `ears_of` says of them."""
    return set(ears) == set(others) and all(
        len(ears[name]) == len(others[name]) and np.allclose(ears[name], others[name], 0.05, 0.01)
        for name in ears
    )


@torch.no_grad()
def _heard(
    made: Entry,
    file: Path,
    report: Report,
    embeddings: Mapping[str, Embedding],
    duration: float,
) -> dict[str, Any]:
    recording = read_recording(file)
    contest = made.contest
    judged: dict[str, float] = {}
    if contest.judge is not None:
        try:
            judge = contest.judge(made.item, duration)
            judged = judge(recording.audio().mean(0), recording.sample_rate)
        except InputError:  # too short for this judge
            judged = {}
    part = new_part(recording, report) if contest.edits else recording
    tags = tags_heard(mono(part, SAMPLE_RATE), SAMPLE_RATE)
    return {
        "judged": judged,
        "vectors": {name: embed.of(part).tolist() for name, embed in embeddings.items()},
        "tags": [[which, tag, value] for (which, tag), value in tags.items()],
    }


def new_part(recording: Recording, report: Report) -> Recording:
    """Of an edit, the first region that is new."""
    region = report["regions"][0]
    rate = recording.sample_rate
    return recording.part(round(region["from"] * rate), round(region["to"] * rate))


def new_seconds(report: Report) -> float:
    """Of an edit, how long that part is."""
    region = report["regions"][0]
    return float(region["to"] - region["from"])


def summed(plan: Plan, made: Sequence[Made], near: Mapping[str, Nearness]) -> list[Cell]:
    """Each task and method with intervals over prompts; `near` is each task's reference."""
    cells: list[Cell] = []
    for contest in (CONTESTS[task] for task in plan.tasks):
        for method in plan.methods_of(contest):
            some = [m for m in made if m.entry.contest == contest and m.entry.method == method]
            if not some:
                cells.append(Cell(contest, method, {}, plan.items))
                continue
            columns = {name: [one.figures[name] for one in some] for name in some[0].figures}
            columns["text"] = [_rank(one, some) for one in some]
            grounds = [one.entry.ground for one in some]
            figures = {
                name: of_mean(values, np.random.default_rng(plan.seed), grounds)
                for name, values in columns.items()
            }
            for name, distance in near[contest.name].items():
                if len(some) >= 2:
                    figures[f"KAD, {name}"] = of_distance(
                        distance,
                        np.stack([one.vectors[name] for one in some]),
                        np.random.default_rng(plan.seed),
                        groups=grounds,
                    )
            cells.append(Cell(contest, method, figures, plan.items - len(some)))
    return cells


def _rank(one: Made, some: Sequence[Made]) -> float:
    """Of the tags of its prompt among the same method's clips of other prompts."""
    others = [other.tags for other in some if other.prompt != one.prompt]
    found = adherence(one.prompt, one.tags, others) if others else None
    return math.nan if found is None else found.rank
