"""A job, a group of jobs, what came of one, and the file that lists them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec

from ditto_music.errors import InputError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
MOST_NUMBERED = 1000  # files of one job whose names are kept for it; no command makes more


@dataclass(frozen=True)
class Job:
    """One item.

    Attributes
    ----------
    line : of the manifest, from 1.
    fields : ``command`` and its flags by name, as ``{"command": "control", "prompt": ...}``;
        ``id`` names the files that are written, of a ``count`` as ``id-1``, ``id-2`` ...
    """

    line: int
    fields: Mapping[str, Any]

    @property
    def where(self) -> str:
        """For messages."""
        return f"line {self.line}"

    @property
    def command(self) -> str:
        """Its name; plain music unless said."""
        return str(self.fields.get("command", "generate"))

    @property
    def names(self) -> list[str]:
        """Which its files may have that no other job's may: none without an ``id``."""
        own = self.fields.get("id")
        if own is None:
            return []
        try:
            count = int(str(self.fields.get("count", 1)))
        except ValueError:  # told by whoever reads the job
            count = 1
        last = min(count, MOST_NUMBERED) if count > 1 else 0
        return [str(own), *(f"{own}-{number}" for number in range(1, last + 1))]

    @property
    def files(self) -> list[str]:
        """Which its fields name: paths of what is here, and addresses."""
        return [value for value in _values(self.fields) if is_address(value) or _is_file(value)]

    def key(self, revision: str) -> str:
        """What the job asks, as a hash: of its fields, of the files they name, of the model.

        Two jobs with one key would make the same files. What cannot be read is told by whoever does
        the job, and counts here by its name.
        """
        whole = hashlib.sha256(revision.encode())
        whole.update(json.dumps(dict(self.fields), sort_keys=True).encode())
        for place in self.files:
            # Each kind of address has errors of its own, and some only `Exception` in common.
            with suppress(Exception), fsspec.open(place, "rb") as file:
                source = cast("BinaryIO", file)
                while block := source.read(1 << 20):
                    whole.update(block)
        return whole.hexdigest()[:32]

    def name(self, key: str) -> str:
        """Of its files, without a suffix: its own ``id``, or the key.

        Raises
        ------
        InputError
            If the id cannot name a file.
        """
        own = self.fields.get("id")
        if own is None:
            return key
        if not NAME.fullmatch(str(own)):
            raise InputError(
                f"id '{own}' cannot name a file: give up to 100 letters, digits, dots, hyphens "
                "and underscores, a letter or digit first"
            )
        return str(own)


@dataclass(frozen=True)
class Order:
    """A job that is to be done.

    Attributes
    ----------
    key, name : what it is written down by, and what its files are called.
    kind : orders of one kind may share a batch; None: on its own.
    """

    job: Job
    key: str
    name: str
    kind: Hashable | None = None


@dataclass(frozen=True)
class Group:
    """Orders that a worker may do as one batch."""

    orders: list[Order] = field(default_factory=list[Order])


@dataclass(frozen=True)
class Outcome:
    """What came of a job: a report, or one clear line of what was wrong."""

    key: str
    line: int
    report: dict[str, Any] | None = None
    error: str = ""

    @property
    def done(self) -> bool:
        """Whether it is made."""
        return self.report is not None


def read_manifest(address: str | Path) -> Iterator[Job | Outcome]:
    """Jobs of a file or fsspec address, one JSON object a line; a bad line is a failed outcome.

    Lines are read as they are needed. Empty ones are passed over. Errors as `manifest_lines`.
    """
    return _jobs(manifest_lines(address))


def manifest_lines(address: str | Path) -> Iterator[str]:
    """Lines of a manifest, read as they are needed.

    Raises
    ------
    InputError
        If there is no such file, it is not text, or the address cannot be read from here.
    """
    try:
        with fsspec.open(str(address), "rt", encoding="utf-8-sig") as file:
            yield from cast("Iterable[str]", file)
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{address}: no such manifest: give a file of one job a line") from None
    except UnicodeDecodeError:
        raise InputError(f"{address}: is not text: give a file of one JSON object a line") from None
    except Exception as error:  # each kind of address has errors of its own
        raise InputError(f"{address}: cannot be used ({error})") from None


def is_address(value: str) -> bool:
    """Whether it is an fsspec address and no path."""
    return bool(re.match(r"[a-z][a-z0-9+.-]+://", value))


def _jobs(lines: Iterable[str]) -> Iterator[Job | Outcome]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            yield _bad(number, line, f"is not JSON ({error})")
            continue
        yield job_of(number, value, line)


def job_of(number: int, given: object, line: str = "") -> Job | Outcome:
    """What was given as a job or its fields, where it is one: plain values by name, as JSON has.

    Parameters
    ----------
    line : of the manifest, where it is of one.
    """
    if isinstance(given, Outcome):
        return given
    line = line or repr(given)
    if isinstance(given, Mapping):
        given = Job(number, cast("Mapping[str, Any]", given))
    if not isinstance(given, Job):
        return _bad(number, line, 'is not an object like {"prompt": "calm piano"}')
    try:
        json.dumps(dict(given.fields), sort_keys=True)
    except (TypeError, ValueError) as error:
        return _bad(given.line, line, f"has more than JSON can say ({error})")
    return given


def _bad(number: int, line: str, why: str) -> Outcome:
    key = hashlib.sha256(line.strip().encode()).hexdigest()[:32]
    return Outcome(key, number, error=f"line {number} {why}")


def _values(fields: Mapping[str, Any]) -> Iterator[str]:
    for value in fields.values():
        for one in cast("list[Any]", value) if isinstance(value, list) else [value]:
            if isinstance(one, str):
                yield one


def _is_file(value: str) -> bool:
    try:
        return Path(value).is_file()
    except (OSError, ValueError):
        return False
