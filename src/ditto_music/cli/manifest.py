"""What the lines of a manifest mean: the commands of this command line with their flags by name."""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import nullcontext, redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from inspect import BoundArguments
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import fsspec
from cyclopts import CycloptsError

from ditto_music.cli.app import app
from ditto_music.cli.controls import Asked
from ditto_music.cli.methods import method_named
from ditto_music.cli.run import Run, Unfinished
from ditto_music.cli.say import say, unforeseen, warned
from ditto_music.cli.shared import LARGEST_SEED, LOADER, Shared
from ditto_music.cli.states import STATES, States
from ditto_music.errors import InputError
from ditto_music.jobs.job import Group, Job, Order, Outcome, is_address
from ditto_music.jobs.store import Store

if TYPE_CHECKING:
    from ditto_music.controls.base import Term
    from ditto_music.protocols import Model
    from ditto_music.result import Result

#: What each command takes without a flag.
WORDS = {
    "generate": ["prompt"],
    "control": ["prompt"],
    "inpaint": ["recording", "prompt"],
    "outpaint": ["recording", "prompt"],
    "loop": ["source", "prompt"],
    "invert": ["recording", "prompt"],
}
TOGETHER = ("generate", "control")  # commands whose jobs can share a batch
OURS = ("out", "report", "save-run", "quiet")  # flags that the batch sets
REPORT = "report.json"
MOST_NAMED = 50  # characters of an address in the name of its copy; disks take 255 bytes
MOST_SAMPLED = 16  # items of plain music at once: no activations are kept


@dataclass(frozen=True)
class Parsed:
    """A job as the command line understands it."""

    job: Job
    command: Callable[..., int]
    bound: BoundArguments
    argv: list[str]

    @cached_property
    def shared(self) -> Shared:
        """The flags that all commands have."""
        return self.bound.arguments.get("shared", Shared())

    @cached_property
    def asked(self) -> Asked:
        """The controls."""
        return self.bound.arguments.get("asked", Asked())

    def run(self, load: Callable[..., Model]) -> int:
        """Run the command on what `load` gives for a model; its exit status, nothing printed."""
        run = Run(self.job.command, self.argv)
        token = LOADER.set(load)
        try:
            with redirect_stdout(io.StringIO()):
                return self.command(*self.bound.args, **self.bound.kwargs, run=run)
        finally:
            LOADER.reset(token)


@dataclass(frozen=True)
class Commands:
    """The performer of command lines.

    Parameters
    ----------
    suffix : of the audio files, which is their format.
    plot : whether to draw each item.
    save_run : keep the run of each, and the state of searches, from which a killed one goes on.
    dry : refuse whatever each command itself refuses before it loads a model.
    quiet : whether Python's warnings stay untold; None leaves them as they are.
    """

    suffix: str = ".wav"
    plot: bool = False
    save_run: bool = False
    dry: bool = False
    quiet: bool | None = None
    _model: Callable[..., Model] = field(default_factory=lambda: _load, repr=False)

    def revision(self, job: Job) -> str:
        """Of the model's weights, and of which files are asked for beside a WAV and its report."""
        from ditto_music.models import revision

        asked = [self.suffix] if self.suffix != Commands.suffix else []
        asked += [name for name in ("plot", "save_run") if getattr(self, name)]
        return " ".join([revision(str(job.fields.get("model", Shared().model))), *asked])

    def kind(self, job: Job) -> Hashable | None:
        """Music from words with equal settings may share a batch."""
        fields = {name: value for name, value in job.fields.items() if name != "id"}
        seed, prompt = fields.get("seed"), fields.get("prompt")
        usual = type(seed) is int and 0 <= seed <= LARGEST_SEED and isinstance(prompt, str)
        if usual and prompt and job.command in TOGETHER:
            fields |= {"seed": 0, "prompt": "music"}  # jobs often differ in nothing else
        return _kind(json.dumps(fields, sort_keys=True), self)

    def perform(self, group: Group, address: str) -> list[Outcome]:
        """The jobs as batches that fit the memory, or one by one where that fails."""
        tell = None if self.quiet else say
        with nullcontext() if self.quiet is None else warned(tell):
            return self._perform(group, address)

    def _perform(self, group: Group, address: str) -> list[Outcome]:
        store, orders = Store(address), group.orders
        together = orders[0].job.command in TOGETHER
        if not together:
            return [self._guarded(order, self._edit, store) for order in orders]
        try:
            fitting = self._fitting(orders)
        except Exception:  # whatever it is, each is told its own
            fitting = 1
        parts = [orders[i : i + fitting] for i in range(0, len(orders), fitting)]
        return [outcome for part in parts for outcome in self._part(part, store)]

    def _part(self, orders: Sequence[Order], store: Store) -> list[Outcome]:
        """As one batch, or one by one, so that what is wrong with one is its own."""
        if len(orders) > 1:
            with suppress(Exception):
                return self._batch(orders, store)
        return [self._guarded(order, self._single, store) for order in orders]

    def _guarded(
        self, order: Order, make: Callable[[Order, Store], dict[str, Any]], store: Store
    ) -> Outcome:
        """An outcome, whatever goes wrong."""
        try:
            return Outcome(order.key, order.job.line, make(order, store))
        except Exception as error:
            line = f"{order.job.where}: {_told(error)}"
            return Outcome(order.key, order.job.line, error=line)

    def _single(self, order: Order, store: Store) -> dict[str, Any]:
        (outcome,) = self._batch([order], store)
        return outcome.report or {}

    def _fitting(self, orders: Sequence[Order]) -> int:
        """How many items' activations fit at once, none of them made twice."""
        from ditto_music.problem import Problem
        from ditto_music.result import Settings, fewer
        from ditto_music.sampling.plans import memory_budget

        shared = parse(orders[0].job, Path(f"x{self.suffix}")).shared
        if orders[0].job.command == "generate":
            return MOST_SAMPLED
        model = self._model(shared.model, **shared.loading())
        steps = shared.steps_on(model)
        steps = min(steps, shared.surrogate_steps or fewer(steps))
        settings = Settings(
            shared.duration,
            steps,
            shared.guiding(model.guidance),
            sampler=shared.sampler,
            negative_prompt=shared.negative,
        )
        # The longest, so that it is guided and no other takes more.
        prompt = max((str(order.job.fields.get("prompt", "")) for order in orders), key=len)
        room = Problem(model, prompt, None, 0, settings).room
        bytes_an_item = max(steps * room.bytes_a_step(), room.bytes_a_call())
        budget = memory_budget(model.device, shared.memory_budget) // 2  # the rest is to decode
        return max(1, budget // max(1, bytes_an_item))

    def _batch(self, orders: Sequence[Order], store: Store) -> list[Outcome]:
        """Music from words for several jobs of one kind."""
        from ditto_music.audio import check_held

        for order in orders:
            self._check_kept(order, store)
        with tempfile.TemporaryDirectory() as folder:
            jobs = [_fetched(order.job, Path(folder)) for order in orders]
            parsed = [parse(job, Path(f"x{self.suffix}")) for job in jobs]
            shared = parsed[0].shared
            seeds = [one.shared.checked(Path(folder) / "x.wav").seed for one in parsed]
            prompts = [str(one.bound.arguments["prompt"]) for one in parsed]
            model = self._model(shared.model, **shared.loading())
            check_held(Path(f"x{self.suffix}"), model.sample_rate, model.channels)
            terms: list[Term | None] = [None] * len(orders)
            if orders[0].job.command == "generate":
                from ditto_music.generate import generate

                sampling = shared.sampling(model) | {"seed": seeds}
                result = generate(model, prompts, duration=shared.duration, **cast("Any", sampling))
            else:
                noises = shared.steps_on(model) if shared.later_noises else 1
                controls = [one.asked.control() for one in parsed]
                terms = [*controls]
                states = States(store, [order.key for order in orders]) if self.save_run else None
                result = method_named(shared.method)(
                    model,
                    prompts,
                    controls,
                    seed=seeds,
                    duration=shared.duration,
                    callback=states,
                    x_T=states.start(model, shared.duration, seeds, noises) if states else None,
                    **shared.search(model),
                )
                if any(item.stopped == "interrupted" for item in result.items):
                    raise KeyboardInterrupt
            return [
                self._deliver(order, one, result[i], terms[i], store)
                for i, (order, one) in enumerate(zip(orders, parsed, strict=True))
            ]

    def _deliver(
        self, order: Order, parsed: Parsed, result: Result, term: Term | None, store: Store
    ) -> Outcome:
        """Write the files of one item and report it."""
        with store.draft() as folder:
            out = folder / f"{order.name}{self.suffix}"
            clipped = result.save(out)
            if self.plot:
                result.plot(folder / f"{order.name}.png")
            if self.save_run:
                from ditto_music.runs import run_of, save_run

                save_run(folder / f"{order.name}.run", run_of(result, term, parsed.argv))
            _hand_over(folder, store)
        if self.save_run:
            store.remove(f"{STATES}-{order.key}.safetensors")
        more = {"command": order.job.command, "out": out.name, "id": order.name}
        return Outcome(
            order.key,
            order.job.line,
            _plain(result.report(**more, line=order.job.line, clipped=clipped)),
        )

    def _edit(self, order: Order, store: Store) -> dict[str, Any]:
        """Any other command, as it runs by itself; what it made before it broke off is kept."""
        self._check_kept(order, store)
        with store.draft() as folder, tempfile.TemporaryDirectory() as inputs:
            try:
                status = self._alone(order.job, order.name, folder, Path(inputs)).run(self._model)
            except Unfinished as error:
                _hand_over(folder, store)
                raise Unfinished(str(error).replace(f"{folder}{os.sep}", "")) from None
            if status == 130:
                raise KeyboardInterrupt
            told = json.loads((Path(inputs) / REPORT).read_text(encoding="utf-8"))
            _hand_over(folder, store)
            made = told.get("items", [told])
            for one in made:
                one["out"] = Path(one["out"]).name
            audio = [one["out"] for one in made]
            more = {"out": audio[0] if len(audio) == 1 else audio, "id": order.name}
            return told | more | {"line": order.job.line}

    def _check_kept(self, order: Order, store: Store) -> None:
        """Refuse a job that would be written over a file that it reads."""
        if store.local is None:
            return
        names = [order.name, *order.job.names]
        suffixes = (self.suffix, ".png", ".run")
        written = {
            (store.local / f"{name}{suffix}").resolve() for name in names for suffix in suffixes
        }
        for file in order.job.files:
            if Path(file).resolve() in written:
                raise InputError(f"{file}: is read and would be written over: give another id")

    def _alone(self, job: Job, name: str, folder: Path, inputs: Path) -> Parsed:
        """A job as it runs by itself: its files go to one folder, what it reads to another."""
        own = {"report": str(inputs / REPORT)}
        if self.plot:
            own["plot"] = str(folder / f"{name}.png")
        if self.save_run:
            own["save_run"] = str(folder / f"{name}.run")
        return parse(_fetched(job, inputs), folder / f"{name}{self.suffix}", own)

    def rehearse(self, job: Job) -> None:
        """Run a command up to where it loads its model.

        Raises
        ------
        InputError
            If it does not come so far.
        """
        with tempfile.TemporaryDirectory() as folder:
            try:
                self._alone(job, "x", Path(folder), Path(folder)).run(_no_model)
            except _Understood:
                pass
            except Exception as error:
                raise InputError(_told(error)) from None


def parse(job: Job, out: Path, own: Mapping[str, Any] | None = None) -> Parsed:
    """A job as the command line reads it.

    Raises
    ------
    InputError
        If there is no such command or flag, or a value is none.
    """
    command = job.command
    if command not in WORDS:
        raise InputError(f"command '{command}' is unknown: take {', '.join(WORDS)}")
    fields = {name.replace("_", "-"): value for name, value in job.fields.items()}
    for name in ("command", "id"):
        fields.pop(name, None)
    taken = [name for name in fields if name in OURS or name == "plot"]
    if taken:
        raise InputError(f"{taken[0]} is set by the batch: leave it out, 'id' names the files")
    words = [fields.pop(name) for name in WORDS[command] if fields.get(name) is not None]
    for name in WORDS[command]:
        fields.pop(name, None)
    fields |= {name.replace("_", "-"): value for name, value in (own or {}).items()}
    argv = [command, *_flags(fields | {"out": str(out), "quiet": True}), "--", *map(str, words)]
    try:
        function, bound, _ = app.parse_args(argv, print_error=False, exit_on_error=False)
    except CycloptsError as error:
        raise InputError(" ".join(str(error).split())) from None
    bound.apply_defaults()
    return Parsed(job, cast("Callable[..., int]", function), bound, argv)


@lru_cache(maxsize=1024)
def _kind(fields: str, act: Commands) -> Hashable | None:
    """Of a job with these fields, in JSON; reading a command line takes a twentieth of a second."""
    job = Job(0, json.loads(fields))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / f"x{act.suffix}"
        shared = parse(job, out).shared.checked(out)
    if act.save_run:
        shared.check_method()
    if act.dry:
        act.rehearse(job)
    return (job.command, replace(shared, seed=0)) if job.command in TOGETHER else None


def _flags(fields: Mapping[str, Any]) -> list[str]:
    """As on a command line: true is the flag alone, a list the flag several times."""
    flags: list[str] = []
    for name, value in fields.items():
        for one in cast("list[Any]", value) if isinstance(value, list) else [value]:
            if one is True:
                flags.append(f"--{name}")
            elif one is not None and one is not False:
                flags.append(f"--{name}={one}")
    return flags


def _fetched(job: Job, folder: Path) -> Job:
    """The job with files in place of addresses."""

    def local(value: Any) -> Any:
        if isinstance(value, list):
            return [local(one) for one in cast("list[Any]", value)]
        if not isinstance(value, str) or not is_address(value):
            return value
        path = folder / f"{len(list(folder.iterdir()))}-{_file_name(value)}"
        try:
            with fsspec.open(value, "rb") as source, path.open("wb") as target:
                shutil.copyfileobj(cast("Any", source), target)
        except (OSError, ImportError, ValueError) as error:
            raise InputError(f"{value}: cannot be read ({error})") from None
        return str(path)

    return replace(job, fields={name: local(value) for name, value in job.fields.items()})


def _file_name(address: str) -> str:
    """Of a copy: the end of the last part, which is its suffix, without a web address's query."""
    web = address.startswith(("http://", "https://"))
    path = urlsplit(address).path if web else address
    return path.rsplit("/", 1)[-1][-MOST_NAMED:] or "file"


def _hand_over(folder: Path, store: Store) -> None:
    """Everything in a folder to its place, the audio last: where it is, all is."""
    for path in sorted(folder.iterdir(), key=lambda path: path.suffix not in (".png", ".run")):
        store.put(path, path.name)


def _plain(report: dict[str, Any]) -> dict[str, Any]:
    from ditto_music.result import finite

    return cast("dict[str, Any]", finite(report))


def _told(error: Exception) -> str:
    """What went wrong, in one line."""
    foreseen = InputError | CycloptsError | Unfinished | FloatingPointError
    told = str(error) if isinstance(error, foreseen) else unforeseen(error)
    return " ".join(told.split())


class _Understood(Exception):
    """A command has checked all that it can without a model."""


def _no_model(*_: object, **__: object) -> Model:
    raise _Understood


@lru_cache(maxsize=1)
def _load(name: str, **how: Any) -> Model:
    """The model that this worker holds."""
    from ditto_music.models import load_model

    return load_model(name, **how)
