"""What is done and what failed, one JSON object a line, written down before anything else happens.

A line is appended with a single write and flushed to the disk, so a killed process leaves at worst
half a last line, which the next run takes away. An address that is no local folder cannot be
appended to: there the file is kept here and sent anew every few seconds, in turn to its own name
and to another, so that one of the two is whole whenever the process is killed.
"""

from __future__ import annotations

import errno
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ditto_music.errors import InputError
from ditto_music.jobs.store import Store

EVERY = 5.0  # seconds between two copies to an address


class Ledger:
    """A growing file of lines.

    Parameters
    ----------
    store, name : where it is.
    anew : begin with an empty one.
    """

    def __init__(self, store: Store, name: str, *, anew: bool = False) -> None:
        self.store, self.name = store, name
        self.copies = [f".{name}.new", name]  # at an address; the first is the next to be sent
        self.sent = time.monotonic()
        if anew:
            for copy in self.copies:
                store.remove(copy)
        self.path = store.local / name if store.local else self._spool()
        self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        _mend(self.path)

    def keys(self) -> Iterator[int]:
        """Of the lines there are, short; the file is read as it goes.

        Raises
        ------
        InputError
            If a line is none of ours.
        """
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield short(json.loads(line)["key"])
                except (ValueError, LookupError, TypeError):
                    raise InputError(
                        f"{self.store.address}/{self.name}: line {number} is damaged: take it away,"
                        " and its job is done again"
                    ) from None

    def add(self, line: dict[str, Any]) -> None:
        """Write a line down; when this returns it is on the disk.

        Raises
        ------
        OSError
            If it does not fit there; the lines before it stay whole.
        """
        whole = json.dumps(line).encode() + b"\n"
        if os.write(self.file, whole) < len(whole):
            _mend(self.path)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        os.fsync(self.file)
        if not self.store.local and time.monotonic() - self.sent > EVERY:
            self.send()

    def send(self) -> None:
        """Copy it to its address, over the older of the two copies."""
        if not self.store.local:
            self.store.put(self.path, self.copies[0])
            self.copies.reverse()
            self.sent = time.monotonic()

    def close(self) -> None:
        """Nothing more will come."""
        os.close(self.file)
        if not self.store.local:
            self.send()
            if self.copies[0] == self.name:
                self.send()
            self.store.remove(self.copies[0])
            self.path.unlink()

    def _spool(self) -> Path:
        """Here, the longer of the two copies; the shorter is the next to be sent."""
        paths = {copy: _fetched(self.store, copy) for copy in self.copies}
        self.copies.sort(key=lambda copy: paths[copy].stat().st_size)
        paths[self.copies[0]].unlink()
        return paths[self.copies[1]]


def short(key: str) -> int:
    """A key in eight bytes: a million of them have to be remembered."""
    return int(key[:16], 16)


def _mend(path: Path) -> None:
    """Take away half a last line."""
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        at = size
        while at > 0:
            back = min(at, 1 << 16)
            file.seek(at - back)
            found = file.read(back).rfind(b"\n")
            if found >= 0:
                at = at - back + found + 1
                break
            at -= back
        if at < size:
            file.truncate(at)


def _fetched(store: Store, name: str) -> Path:
    """The whole lines of a file of the store, or of none, in one of this machine."""
    handle, path = tempfile.mkstemp(suffix=f"-{name}")
    os.close(handle)
    store.get(name, Path(path))
    _mend(Path(path))
    return Path(path)
