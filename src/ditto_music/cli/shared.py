"""The flags every command that makes music has."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

from cyclopts import Group, Parameter, Token

from ditto_music.cli.cores import Cores
from ditto_music.cli.methods import NAMES, method_named
from ditto_music.cli.say import say
from ditto_music.errors import InputError

if TYPE_CHECKING:
    from ditto_music.optimize import Search
    from ditto_music.protocols import Model
    from ditto_music.sampling.guidance import Guidance

MUSIC = Group.create_ordered("Music")
SEARCH = Group.create_ordered(
    "Search",
    help="How the noise is searched for music that meets the request. No effect on generate.",
)
FILES = Group.create_ordered("Files and machine")

#: Of commands that do not have all of `Shared`.
Offload = Annotated[
    Literal["none", "text", "all"],
    Parameter(group=FILES, help="Of public models, as of control."),
]

CORES = Cores()  # since the command began
LARGEST_SEED = 2**63 - 1

#: Loads models in place of `load_model`: a batch keeps the one it has.
LOADER: ContextVar[Callable[..., Model] | None] = ContextVar("LOADER", default=None)


def _whole_number(kind: Any, tokens: Sequence[Token]) -> int:
    """An integer; unlike cyclopts' own reading, 1.5 is refused and not rounded."""
    try:
        return int(tokens[0].value)
    except ValueError:
        raise ValueError(f'"{tokens[0].value}" is not a whole number.') from None


Whole = Annotated[int, Parameter(converter=_whole_number)]


class Sampling(TypedDict):
    """What `generate`, `optimize` and the edits take alike."""

    seed: int
    steps: int
    guidance: Guidance
    negative_prompt: str
    sampler: str


@Parameter(name="*")
@dataclass(frozen=True)
class Shared:
    """Their defaults are those of the library."""

    model: Annotated[
        str,
        Parameter(
            group=MUSIC,
            help="A name that `ditto-music models` lists, OWNER/NAME[@REVISION] on the Hugging "
            "Face hub, or a folder of weights.",
        ),
    ] = "ditto-small"
    duration: Annotated[
        float,
        Parameter(group=MUSIC, help="Length in seconds. No effect on edits of a recording."),
    ] = 6.0
    seed: Annotated[
        Whole,
        Parameter(group=MUSIC, help="Number the music grows from; -1 draws one and reports it."),
    ] = 0
    steps: Annotated[
        Whole | None,
        Parameter(
            group=MUSIC,
            help="Sampler steps of the result; more are finer and slower. By default the model's "
            "own (ditto-small 10); of edits 20, or a distilled model's own.",
        ),
    ] = None
    sampler: Annotated[
        Literal["adams", "ddim", "dpm", "heun", "edict", "ping-pong"],
        Parameter(
            group=MUSIC,
            help="How noise is walked to music; adams is closest in few steps, ping-pong is for "
            "models distilled to a few.",
        ),
    ] = "adams"
    guidance: Annotated[
        float | None,
        Parameter(
            group=MUSIC,
            help="How closely to follow the prompt: 1 is loosely and up to twice as fast, 7 "
            "strictly. By default, as of the next two: what suits the model.",
        ),
    ] = None
    guidance_interval: Annotated[
        str | None,
        Parameter(
            group=MUSIC,
            metavar="FROM:TO",
            help="Guide only while noise is this share of the music; faster. 0:1 is always.",
        ),
    ] = None
    guidance_rescale: Annotated[
        float | None,
        Parameter(
            group=MUSIC, help="Undo the gain in contrast that guidance brings, 0 not to 1 wholly."
        ),
    ] = None
    guidance_threshold: Annotated[
        float | None,
        Parameter(
            group=MUSIC, help="Cut off what lies beyond this quantile, as 0.995. By default: off."
        ),
    ] = None
    plain_guidance: Annotated[
        bool,
        Parameter(
            group=MUSIC,
            negative="",
            show_default=False,
            help="Guide plainly a model that has a rule of its own with momentum (ACE-Step base).",
        ),
    ] = False
    negative: Annotated[
        str, Parameter(group=MUSIC, metavar="PROMPT", help="What to stay away from, in words.")
    ] = ""

    iterations: Annotated[
        Whole,
        Parameter(
            group=SEARCH, help="Make and judge the music at most this often, the unimproved too."
        ),
    ] = 60
    tolerance: Annotated[
        float | None,
        Parameter(
            group=SEARCH,
            help="Stop once the loss is this small. By default: once each request counts as met.",
        ),
    ] = None
    optimizer: Annotated[
        Literal["lbfgs", "lbfgs-norm", "lbfgs-free", "adam", "adam-plain", "adam-cosine", "ngd"],
        Parameter(
            group=SEARCH,
            help="lbfgs keeps each octave of the noise along time as large as noise is, lbfgs-norm "
            "only all of it, the others neither; adam-plain is the papers'.",
        ),
    ] = "lbfgs"
    lr: Annotated[
        float | None,
        Parameter(
            group=SEARCH,
            help="Size of a step; larger is bolder and less stable. By default: 0.15 for "
            "lbfgs, 0.005 for adam-plain, else 0.03.",
        ),
    ] = None
    time_limit: Annotated[
        float | None,
        Parameter(group=SEARCH, help="Seconds after which to stop improving. By default: none."),
    ] = None
    method: Annotated[
        str,
        Parameter(
            group=SEARCH,
            choices=NAMES,
            help="How to get there: ditto searches the noise; the others are what it is compared "
            "with, see docs/compare.md.",
        ),
    ] = "ditto"
    surrogate_steps: Annotated[
        Whole | None,
        Parameter(
            group=SEARCH,
            help="Sampler steps while improving; fewer are faster and rougher. By default half of "
            "--steps, 8 at most.",
        ),
    ] = None

    later_noises: Annotated[
        bool,
        Parameter(
            group=SEARCH,
            show_default=False,
            help="Search the noises that sampler ping-pong adds on the way too.",
        ),
    ] = False
    ceiling: Annotated[
        float,
        Parameter(
            group=SEARCH,
            metavar="DBFS",
            help="As loud as any half second is to get, where no intensity is asked for, its peaks "
            "within the file's full scale; 20 lets both be.",
        ),
    ] = -12.0
    gradient: Annotated[
        str,
        Parameter(
            group=SEARCH,
            metavar="PLAN",
            help="What is kept for the way back: auto, plain, checkpoint, blocks (least memory), "
            "reversible (with sampler edict), or last-K, an approximation. All but the last two "
            "find the same music.",
        ),
    ] = "auto"
    memory_budget: Annotated[
        float | None,
        Parameter(
            group=SEARCH,
            metavar="GB",
            help="For auto, what may be kept. By default: half of the memory that is free.",
        ),
    ] = None

    device: Annotated[
        str, Parameter(group=FILES, help="Where to compute: cpu, cuda, cuda:1, mps ...")
    ] = "cpu"
    dtype: Annotated[
        str,
        Parameter(group=FILES, help="Precision: float32, bfloat16, or auto: the faster one here."),
    ] = "auto"
    offload: Annotated[
        Literal["none", "text", "all"],
        Parameter(
            group=FILES,
            help="Of public models: text lets go of text encoders once prompts are read; all keeps "
            "on a GPU only the part at work, slower; none keeps everything there.",
        ),
    ] = "text"
    compile: Annotated[
        bool,
        Parameter(
            group=FILES,
            show_default=False,
            help="Translate the network into machine code first: faster, after a wait that pays "
            "for itself in a batch. Needs a C++ compiler.",
        ),
    ] = False
    plot: Annotated[
        Path | None,
        Parameter(group=FILES, metavar="FILE", help="Draw the result: .png, .svg or .pdf."),
    ] = None
    report: Annotated[
        Path | None,
        Parameter(group=FILES, metavar="FILE", help="Write everything measured, as JSON."),
    ] = None
    save_run: Annotated[
        Path | None,
        Parameter(
            group=FILES,
            metavar="FOLDER",
            help="Keep all that `vary` and `resume` need to go on from here.",
        ),
    ] = None
    quiet: Annotated[
        bool,
        Parameter(
            group=FILES, show_default=False, help="No progress and no warnings on standard error."
        ),
    ] = False

    def checked(self, out: Path, count: int = 1, given: Sequence[Path] = ()) -> Shared:
        """Every number and every file to write checked, and the seed drawn where it is -1.

        Parameters
        ----------
        count, given : as `ditto_music.cli.files.check_files`.

        Raises
        ------
        InputError
            If one cannot be used. Nothing has been written.
        """
        from ditto_music.cli.files import check_files
        from ditto_music.result import Settings
        from ditto_music.sampling.guidance import Guidance

        Settings(
            duration=self.duration,
            steps=Settings.steps if self.steps is None else self.steps,
            guidance=self.guiding(Guidance()),
            iterations=self.iterations,
            tolerance=self.tolerance,
            optimizer=self.optimizer,
            lr=self.lr,
            surrogate_steps=self.surrogate_steps,
            time_limit=self.time_limit,
            sampler=self.sampler,
            gradient=self.gradient,
            memory_budget=self.memory_budget,
            later_noises=self.later_noises,
            ceiling=self.ceiling,
        )
        if not -1 <= self.seed <= LARGEST_SEED:
            raise InputError(f"seed is {self.seed}: it must be -1 or 0 to {LARGEST_SEED}")
        check_files(self, out, count, given)
        return replace(self, seed=secrets.randbelow(2**32)) if self.seed == -1 else self

    def check_method(self) -> None:
        """Refuse to keep the run of a method whose music is not that of a noise."""
        if not method_named(self.method).finds:
            raise InputError(
                f"--save-run keeps the noise found, and method '{self.method}' finds none: leave "
                "one of them out"
            )

    def without(self, command: str, why: str, names: Sequence[str]) -> None:
        """Say which flags were given though they have no effect on this command."""
        given = [
            f"--{field.name.replace('_', '-')}"
            for field in fields(self)
            if field.name in names and getattr(self, field.name) != field.default
        ]
        if given and not self.quiet:
            say(f"note: {command} {why}: {', '.join(given)} has no effect")

    def load(self, name: str | None = None, out: Path | None = None) -> Model:
        """The model, or another of this name, on its device.

        Parameters
        ----------
        out : file to write its audio to, if it is that which is written.

        Raises
        ------
        InputError
            If there is no such model, device or precision, or `out` does not hold its audio.
        """
        from ditto_music.audio import check_held
        from ditto_music.models import load_model

        load = LOADER.get() or load_model
        how = self.loading()
        if load is load_model and not self.quiet:
            how["notice"] = say
        model = load(name or self.model, **how)
        if out:
            check_held(out, model.sample_rate, model.channels)
        if load is load_model and not self.quiet and model.device.type == "cpu":
            import torch

            if hint := CORES.hint(torch.get_num_threads()):
                say(hint)
        return model

    def loading(self) -> dict[str, Any]:
        """How to load the model: arguments of `load_model`, those off their defaults."""
        given = {"offload": self.offload, "compiled": self.compile}
        default = {"offload": "text", "compiled": False}
        return {"device": self.device, "dtype": self.dtype} | {
            name: value for name, value in given.items() if value != default[name]
        }

    @property
    def guides(self) -> bool:
        """Whether anything is asked of guidance."""
        asked = self.guidance, self.guidance_interval, self.guidance_rescale
        more = self.guidance_threshold is not None or self.plain_guidance
        return asked != (None, None, None) or more

    def guiding(self, own: Guidance) -> Guidance:
        """As asked for, and where nothing is, as the model's own.

        Raises
        ------
        InputError
            If one cannot be used.
        """
        asked: dict[str, Any] = {
            "scale": self.guidance,
            "rescale": self.guidance_rescale,
            "threshold": self.guidance_threshold,
        }
        if self.guidance_interval is not None:
            try:
                low, high = (float(part) for part in self.guidance_interval.split(":"))
            except ValueError:
                raise InputError(
                    f"guidance-interval is '{self.guidance_interval}': give two numbers, as in "
                    "0.2:0.9"
                ) from None
            asked["interval"] = low, high
        if self.plain_guidance:
            own = replace(own, projection=None)
        return replace(own, **{name: value for name, value in asked.items() if value is not None})

    def steps_on(self, model: Model) -> int:
        """Sampler steps of the result."""
        return model.steps if self.steps is None else self.steps

    def sampling(self, model: Model) -> Sampling:
        """Arguments of a plain sample."""
        return Sampling(
            seed=self.seed,
            steps=self.steps_on(model),
            guidance=self.guiding(model.guidance),
            negative_prompt=self.negative,
            sampler=self.sampler,
        )

    def search(self, model: Model) -> Search:
        """Arguments of an optimisation, but for its seed."""
        return {
            "steps": self.steps,
            "surrogate_steps": self.surrogate_steps,
            "guidance": self.guiding(model.guidance) if self.guides else None,
            "negative_prompt": self.negative,
            "iterations": self.iterations,
            "tolerance": self.tolerance,
            "optimizer": self.optimizer,
            "lr": self.lr,
            "time_limit": self.time_limit,
            "sampler": self.sampler,
            "gradient": self.gradient,
            "memory_budget": self.memory_budget,
            "later_noises": self.later_noises,
            "ceiling": self.ceiling,
        }
