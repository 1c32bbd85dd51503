"""What a study is: a question, the items that answer it, and how its rows become table and figure.

An item is one measurement with everything it depends on, so that it can be written down by it and
never made twice. Measuring is all that touches a model; the rest is pure.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from matplotlib.figure import Figure

from ditto_music.errors import InputError
from ditto_music.evaluation.studies import QUESTIONS
from ditto_music.evaluation.studies.tables import Table
from ditto_music.evaluation.targets import PROMPTS, SECONDS
from ditto_music.protocols import Model

T = TypeVar("T")

Row = dict[str, Any]
Asked = Mapping[str, Any]

#: The paper's controls, as `ditto_music.evaluation.contests` asks for them.
CONTROLS = ("intensity", "melody", "structure")


@dataclass(frozen=True)
class Scale:
    """What every item of a study has in common.

    Attributes
    ----------
    duration : seconds of a clip.
    steps, surrogate_steps, iterations : of searches, see `ditto_music.optimize.optimize`; the
        steps are ditto-small's own, whatever the model, so that figures can be compared.
    seed : of the first prompt; the next has the next.
    """

    duration: float = SECONDS
    steps: int = 10
    surrogate_steps: int = 5
    iterations: int = 40
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            least, wanted = (0, "0 or more") if name == "seed" else (1, "1 or more")
            good = value >= least
            if name == "duration":
                good, wanted = 0 < value < math.inf, "above 0 seconds"
            if not good:
                raise InputError(f"{name.replace('_', '-')} is {value:g}: it must be {wanted}")


@dataclass(frozen=True)
class Size:
    """How much of a study is made.

    Attributes
    ----------
    prompts : each with a target and a seed of its own; what is more is added to what is there.
    controls : of the studies that ask for several, which.
    quick : sweeps keep their ends.
    """

    prompts: int = 8
    controls: Sequence[str] = CONTROLS
    quick: bool = False
    scale: Scale = field(default_factory=Scale)

    def __post_init__(self) -> None:
        if self.prompts < 1:
            raise InputError(f"prompts is {self.prompts}: it must be 1 or more")
        unknown = [name for name in self.controls if name not in CONTROLS]
        known = ", ".join(CONTROLS)
        if unknown:
            raise InputError(f"control '{unknown[0]}' is unknown: take {known}")
        twice = [name for name in CONTROLS if self.controls.count(name) > 1]
        if twice:  # its items would count as more than there are
            raise InputError(f"control '{twice[0]}' is given twice: give each once")

    def sweep(self, values: Sequence[T]) -> Sequence[T]:
        """All values, or the ends."""
        return [values[0], values[-1]] if self.quick and len(values) > 2 else values

    def first(self, values: Sequence[T]) -> Sequence[T]:
        """All values, or the first."""
        return values[:1] if self.quick else values


@dataclass(frozen=True)
class Item:
    """One measurement.

    Attributes
    ----------
    asked : what is particular to it, as plain values; ``prompt`` is the number of its prompt and of
        its target.
    """

    asked: Asked
    scale: Scale

    def __getitem__(self, name: str) -> Any:
        return self.asked[name]

    @property
    def number(self) -> int:
        """Of the prompt, from 0."""
        return int(self.asked.get("prompt", 0))

    @property
    def words(self) -> str:
        """The prompt."""
        return PROMPTS[self.number % len(PROMPTS)]

    @property
    def seed(self) -> int:
        """Of the initial noise."""
        return self.scale.seed + self.number

    def job(self, study: str, shared: Mapping[str, Any]) -> dict[str, Any]:
        """As `ditto_music.jobs.run_batch` takes it; its id is what is asked."""
        fields: dict[str, Any] = {
            "command": "study",
            "study": study,
            **shared,
            "asked": dict(self.asked),
            "scale": asdict(self.scale),
        }
        digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12]
        return fields | {"id": f"{study}-{digest}"}


@dataclass(frozen=True)
class Study:
    """A question that can be run.

    Attributes
    ----------
    name : of the command line and of its file.
    paper : what DITTO's paper found, in a sentence or two.
    items : what is asked of each, for a size.
    measure : an item on a model; a row or several, of plain values. Randomness is the seed's.
    table, draw : of the rows, each with what was asked of its item; pure.
    fresh : each item in a process of its own, whose memory is then only its own.
    """

    name: str
    paper: str
    items: Callable[[Size], list[Asked]]
    measure: Callable[[Model, Item], list[Row]]
    table: Callable[[Sequence[Row]], Table]
    draw: Callable[[Sequence[Row]], Figure]
    fresh: bool = False

    @property
    def question(self) -> str:
        """In one line."""
        return QUESTIONS[self.name]

    def planned(self, size: Size) -> list[Item]:
        """The items of a size."""
        return [Item(asked, size.scale) for asked in self.items(size)]
