"""Runs on disk: everything needed to repeat, resume or vary what was made.

A run is a folder: ``run.json`` says what was asked, ``run.safetensors`` holds the noise found and
other tensors, ``files`` what controls were given, and for an edit ``recording.wav`` its outcome.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ditto_music._version import __version__
from ditto_music.audio import Recording, read_recording, write_recording
from ditto_music.baselines import METHODS
from ditto_music.controls.base import Term
from ditto_music.controls.specs import FILES, Store, from_spec, to_spec
from ditto_music.editing.closing import Closing
from ditto_music.editing.edit import Edit
from ditto_music.editing.filling import Task, Wish
from ditto_music.editing.windows import Window
from ditto_music.errors import InputError
from ditto_music.problem import one_each
from ditto_music.result import Result, Settings, finite
from ditto_music.sampling import Guidance, Projection
from ditto_music.whole import check_folder, whole_folder

FORMAT = 1
MARKER, TENSORS, RECORDING = "run.json", "run.safetensors", "recording.wav"
OWN = (MARKER, TENSORS, RECORDING, FILES)


@dataclass(frozen=True)
class Take:
    """One clip that was made: what was asked, and the noise found.

    Attributes
    ----------
    x_T : (...), of one clip.
    later : (n, ...), noises of later sampler steps where they are not the seed's own.
    control : all that was asked of it, or None.
    task : what of an edit it makes, or None.
    settings : of its search, where they are not the run's.
    """

    prompt: str
    seed: int
    x_T: Tensor
    control: Term | None = None
    task: Task | Closing | None = None
    later: Tensor | None = None
    settings: Settings | None = None

    @property
    def noise(self) -> Tensor:
        """What was searched: x_T (...), or with later noises (n + 1, ...)."""
        return self.x_T if self.later is None else torch.cat([self.x_T[None], self.later])


@dataclass(frozen=True)
class Run:
    """What a command made.

    Attributes
    ----------
    model : its name, as `load_model` takes it.
    settings : of the search; ``duration`` is that of a clip, each window of an edit has its own.
    takes : a clip each: one an item, or one a window of an edit.
    edit : for an edit, its outcome; the takes' windows are in it.
    command : the command line, where there was one.
    revision : of the model's weights; None of a model without, and in runs of earlier versions.
    """

    model: str
    settings: Settings
    takes: list[Take]
    edit: Edit | None = None
    command: list[str] = field(default_factory=list[str])
    revision: str | None = None


def run_of(
    made: Result | Edit,
    control: Term | Sequence[Term] | None = None,
    command: Sequence[str] = (),
) -> Run:
    """What is worth saving of a result or an edit.

    Parameters
    ----------
    made : what `optimize`, `generate` or an edit gave.
    control : what was asked of a result, one for all or one an item; an edit knows its own.

    Raises
    ------
    InputError
        If it is not told what was asked of a result, or the music is not that of its noise.
    """
    results = [made] if isinstance(made, Result) else made.results
    finding = [name for name, method in METHODS.items() if method.finds]
    for result in results:
        if result.method not in finding:
            raise InputError(
                f"a run keeps the noise found, and method '{result.method}' finds none: "
                f"{', '.join(finding)} do"
            )
    tasks = made.tasks if isinstance(made, Edit) else []
    items = [item for result in results for item in result.items]
    if tasks:
        goals: list[Term | None] = [task.goal() for task in tasks]
    else:
        given = [*control] if isinstance(control, Sequence) else [control]
        goals = one_each("controls", given, len(items))
    for item, goal in zip(items, goals, strict=True):
        if item.metrics and goal is None:
            raise InputError(
                f"the music was asked for {' and '.join(item.metrics)}: give run_of the control too"
            )
    takes = [
        Take(
            item.prompt,
            item.seed,
            item.x_T,
            goals[i],
            tasks[i] if tasks else None,
            item.later,
        )
        for i, item in enumerate(items)
    ]
    edit = made if isinstance(made, Edit) else None
    first = results[0]
    return Run(first.model, first.settings, takes, edit, list(command), first.revision)


def save_run(folder: str | os.PathLike[str], run: Run) -> None:
    """Write a run; the folder appears whole or not at all, in place of an earlier run.

    Raises
    ------
    InputError
        If the folder cannot be written, or holds other things.
    """
    with whole_folder(folder, MARKER, OWN) as draft:
        store = Store(draft)
        said: dict[str, Any] = {
            "format": FORMAT,
            "version": __version__,
            "model": run.model,
            "revision": run.revision,
            "command": run.command,
            "settings": asdict(run.settings),
            "takes": [_take_to_plain(i, take, store) for i, take in enumerate(run.takes)],
        }
        if run.edit:
            write_recording(draft / RECORDING, run.edit.recording)
            said["edit"] = {
                "format": run.edit.recording.format,
                "regions": run.edit.regions,
                "loops": run.edit.loops,
                "roll": run.edit.roll,
                "beat": run.edit.beat,
            }
        store.write(draft / TENSORS)
        text = json.dumps(finite(said), indent=2) + "\n"
        (draft / MARKER).write_text(text, encoding="utf-8")


def load_run(folder: str | os.PathLike[str], control: Term | None = None) -> Run:
    """Read a run.

    Parameters
    ----------
    control : in place of the saved ones, which is needed where one was the user's own.

    Raises
    ------
    InputError
        If it is no run, a file is missing or damaged, or another version wrote it in a way that
        this one does not read.
    """
    folder = Path(folder)
    try:
        said = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        if said["format"] != FORMAT:
            raise InputError(
                f"{folder}: a run of format {said['format']} (ditto-music {said['version']}), and "
                f"this version reads format {FORMAT}: make it again, or use that version"
            )
        store = Store(folder, load_file(folder / TENSORS))
        settings = _settings(said["settings"])
        takes = [_take_from_plain(one, store, control) for one in said["takes"]]
        edit = _edit(folder, said["edit"], takes) if "edit" in said else None
        revision = said.get("revision")  # runs of earlier versions have none
        return Run(str(said["model"]), settings, takes, edit, list(said["command"]), revision)
    except (FileNotFoundError, NotADirectoryError):
        missing = TENSORS if (folder / MARKER).is_file() else MARKER
        raise InputError(
            f"{folder}: no saved run: {missing} is missing; give the folder that --save-run wrote"
        ) from None
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, OSError, SafetensorError) as error:
        raise InputError(f"{folder}: the run is damaged ({error}): make it again") from None


def check_run(folder: str | os.PathLike[str]) -> None:
    """Check that a run can be written there, before any long work."""
    check_folder(folder, MARKER, OWN)


def _take_to_plain(number: int, take: Take, store: Store) -> dict[str, Any]:
    store.tensors[f"x_T-{number}"] = take.x_T
    if take.later is not None:
        store.tensors[f"later-{number}"] = take.later
    plain: dict[str, Any] = {
        "prompt": take.prompt,
        "seed": take.seed,
        "x_T": f"x_T-{number}",
        "later": None if take.later is None else f"later-{number}",
        "control": to_spec(take.control, store) if take.control and not take.task else None,
        "settings": asdict(take.settings) if take.settings else None,
    }
    if isinstance(take.task, Closing):
        own = take.task.control
        plain["loop"] = {
            "length": take.task.length,
            "overlap": take.task.overlap,
            "seconds_per_frame": take.task.seconds_per_frame,
            "control": None if own is None else to_spec(own, store),
        }
    elif take.task:
        wish = take.task.wish
        plain["task"] = {
            "window": asdict(take.task.window),
            "wish": {
                "control": None if wish.control is None else to_spec(wish.control, store),
                "offset": wish.offset,
                "whole": wish.whole,
                "level": wish.level,
                "within": wish.within,
            },
            "reference": store.add(take.task.reference),
            "mask": store.add(take.task.mask),
            "sample_rate": take.task.sample_rate,
        }
    return plain


def _take_from_plain(plain: Mapping[str, Any], store: Store, control: Term | None) -> Take:
    task, goal = None, control
    if "loop" in plain:
        said = plain["loop"]
        if control is None and said["control"] is not None:
            control = from_spec(said["control"], store)
        task = Closing(said["length"], said["overlap"], said["seconds_per_frame"], control)
        goal = task.goal()
    elif "task" in plain:
        said, wished = plain["task"], plain["task"]["wish"]
        wish = wished["control"]
        if control is None and wish is not None:
            control = from_spec(wish, store)
        task = Task(
            _window(said["window"]),
            Wish(
                control,
                wished["offset"],
                wished["whole"],
                wished["level"],
                wished.get("within", False),
            ),
            store.tensors[said["reference"]],
            store.tensors[said["mask"]],
            said["sample_rate"],
        )
        goal = task.goal()
    elif goal is None and plain["control"] is not None:
        goal = from_spec(plain["control"], store)
    later, settings = plain.get("later"), plain.get("settings")  # not in runs of earlier versions
    return Take(
        plain["prompt"],
        plain["seed"],
        store.tensors[plain["x_T"]],
        goal,
        task,
        None if later is None else store.tensors[later],
        None if settings is None else _settings(settings),
    )


def _window(said: Mapping[str, Any]) -> Window:
    coming = said.get("coming", [])  # runs of earlier versions have none
    spans = tuple((start, stop) for start, stop in coming)
    return Window(said["begin"], said["start"], said["stop"], said["end"], spans)


def _settings(said: Mapping[str, Any]) -> Settings:
    known = {each.name for each in fields(Settings)}
    values: dict[str, Any] = {name: value for name, value in said.items() if name in known}
    guidance: Any = values["guidance"]
    if isinstance(guidance, dict):
        low, high = guidance.pop("interval")
        projection: Any = guidance.pop("projection", None)  # runs of earlier versions have none
        values["guidance"] = Guidance(
            **guidance,
            interval=(low, high),
            projection=None if projection is None else Projection(**projection),
        )
    return Settings(**values)


def _edit(folder: Path, said: Mapping[str, Any], takes: Sequence[Take]) -> Edit:
    """The edit as far as it is kept: its recording and windows, without how it was made."""
    recording: Recording = replace(read_recording(folder / RECORDING), format=said["format"])
    regions = [(float(start), float(stop)) for start, stop in said["regions"]]
    tasks = [take.task for take in takes if take.task]
    return Edit(
        recording,
        regions,
        [],
        [],
        tasks=tasks,
        loops=said["loops"],
        roll=said["roll"],
        beat=said["beat"],
    )
