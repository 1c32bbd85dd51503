"""Controls as plain values, so that a run can be saved and asked again on another day.

A control is written as its name and what it was made with. Files it was given are copied beside the
run and tensors go to its tensor file, so the run needs nothing else.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from ditto_music import controls
from ditto_music.audio import names_file
from ditto_music.controls.base import Control, Sum, Term
from ditto_music.controls.part import Part
from ditto_music.controls.seamless import Seamless
from ditto_music.errors import InputError

FILES = "files"

KNOWN: dict[str, type[Control]] = {
    kind.__name__: kind
    for kind in [*(getattr(controls, name) for name in controls.__all__), Seamless]
    if isinstance(kind, type) and issubclass(kind, Control)
}


@dataclass
class Store:
    """The folder of a run and the tensors that belong to it.

    Attributes
    ----------
    kept : name in the folder of each file copied there.
    named : name of each tensor taken in, by its identity.
    terms : made of each spec, by its JSON: what several takes ask is read once.
    """

    folder: Path
    tensors: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    kept: dict[Path, str] = field(default_factory=dict[Path, str])
    named: dict[int, str] = field(default_factory=dict[int, str])
    terms: dict[str, Term] = field(default_factory=dict[str, Term])

    def keep(self, path: str | Path) -> str:
        """Copy a file into the folder, unless it is there; returns its name there."""
        source = Path(path).resolve()
        if source not in self.kept:
            name = f"{FILES}/{len(self.kept)}-{Path(path).name}"
            (self.folder / FILES).mkdir(exist_ok=True)
            shutil.copyfile(source, self.folder / name)
            self.kept[source] = name
        return self.kept[source]

    def add(self, tensor: Tensor) -> str:
        """Take a tensor in, unless it is there; returns its name."""
        if id(tensor) not in self.named:
            name = f"argument-{len(self.tensors)}"
            self.tensors[name] = tensor
            self.named[id(tensor)] = name
        return self.named[id(tensor)]

    def write(self, path: Path) -> None:
        """Write the tensors, each with memory of its own: views of one may overlap."""
        own = {
            name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
            for name, tensor in self.tensors.items()
        }
        save_file(own, path)


def to_spec(term: Term, store: Store) -> dict[str, Any]:
    """A term as plain values; a control of the user's own is written as such, by name only."""
    if isinstance(term, Sum):
        return {"sum": [[weight, to_spec(one, store)] for weight, one in term.terms]}
    if isinstance(term, Part):
        span = [term.start, term.stop, term.offset, term.whole]
        return {"part": to_spec(term.term, store), "span": span}
    assert isinstance(term, Control)
    kind = type(term)
    if KNOWN.get(kind.__name__) is not kind:
        return {"own": f"{kind.__module__}.{kind.__qualname__}"}
    arguments = {
        name: _kept(value, store) if name in term.files else _plain(value, store)
        for name, value in term.arguments.items()
    }
    return {"control": kind.__name__, "arguments": arguments}


def from_spec(spec: Mapping[str, Any], store: Store) -> Term:
    """The term again, the same one for equal specs.

    Raises
    ------
    InputError
        If it holds a control of the user's own, or one that this version does not know.
    """
    key = json.dumps(spec)
    if key not in store.terms:
        store.terms[key] = _term(spec, store)
    return store.terms[key]


def _term(spec: Mapping[str, Any], store: Store) -> Term:
    """The term of a spec."""
    if "sum" in spec:
        return Sum([(float(weight), from_spec(one, store)) for weight, one in spec["sum"]])
    if "part" in spec:
        return Part(from_spec(spec["part"], store), *spec["span"])
    if "own" in spec:
        raise InputError(
            f"the run was made with a control of your own, {spec['own']}: give it as control="
        )
    kind = KNOWN.get(str(spec.get("control")))
    if kind is None:
        raise InputError(f"the run holds a control '{spec.get('control')}', unknown here")
    return kind(**{name: _value(value, store) for name, value in spec["arguments"].items()})


def _kept(value: object, store: Store) -> Any:
    """An argument that may be the path of a file, which is copied."""
    if isinstance(value, str | Path) and names_file(value):
        return {"file": store.keep(value)}
    return _plain(value, store)


def _plain(value: object, store: Store) -> Any:
    """An argument as JSON can hold it."""
    match value:
        case Tensor():
            return {"tensor": store.add(value)}
        case np.ndarray():
            return value.tolist()
        case Path():
            return str(value)
        case Mapping():
            pairs = cast("Mapping[Any, Any]", value).items()
            return {"map": [[key, _plain(one, store)] for key, one in pairs]}
        case str():
            return value
        case Sequence():
            return [_plain(one, store) for one in cast("Sequence[object]", value)]
        case np.generic():
            return value.item()
        case _:
            return value


def _value(plain: Any, store: Store) -> Any:
    """An argument from what `_kept` or `_plain` made."""
    if isinstance(plain, list):
        values = [_value(one, store) for one in cast("list[Any]", plain)]
        return [tuple(one) if isinstance(one, list) else one for one in values]
    if not isinstance(plain, dict):
        return plain
    fields = cast("dict[str, Any]", plain)
    if "tensor" in fields:
        return store.tensors[fields["tensor"]]
    if "file" in fields:
        return str(store.folder / fields["file"])
    return {key: _value(one, store) for key, one in fields["map"]}
