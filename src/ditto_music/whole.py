"""Files and folders that appear whole or not at all: written beside their place, flushed to the
disk, then renamed.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Collection, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from ditto_music.errors import InputError

_MENDS = {
    errno.ENOSPC: "no space left on the disk; free some or write to another one",
    errno.EDQUOT: "no space left in your quota; free some or write to another disk",
    errno.EFBIG: "the file would be larger than this disk allows; write to another one",
    errno.EROFS: "the disk is read-only; write to another one",
    errno.EACCES: "no permission to write there; choose another folder",
    errno.EPERM: "no permission to write there; choose another folder",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}

#: What macOS and Windows put into any folder by themselves.
_DROPPED = re.compile(r"\.DS_Store|\._.*|Thumbs\.db|desktop\.ini", re.IGNORECASE)


def numbered(path: str | os.PathLike[str], count: int) -> list[Path]:
    """The path itself for one, else ``count`` paths with -1, -2 ... before the suffix."""
    path = Path(path)
    if count == 1:
        return [path]
    return [path.with_stem(f"{path.stem}-{i}") for i in range(1, count + 1)]


def check_target(path: str | os.PathLike[str], *, overwrite: bool = True) -> None:
    """Check that a file can be written at `path`, before any long work. Nothing is written.

    Parameters
    ----------
    path : path of the file to write
    overwrite : whether a file that is already there may be replaced

    Raises
    ------
    InputError
        If the folder does not exist or cannot be written to, if `path` is a folder, a device or a
        protected file, or if it exists and `overwrite` is false.
    """
    path = Path(path)
    with _mendable(path):
        _check_place(path)
        _check_existing(path, overwrite)


def _check_place(path: Path) -> None:
    folder = path.resolve().parent
    if not folder.is_dir():
        raise InputError(f"{path}: the folder {folder} does not exist; create it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{path}: the folder {folder} is not writable; choose another one")
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except FileNotFoundError:  # as in /proc, where access is granted to some
        raise InputError(
            f"{path}: the folder {folder} takes no files; choose another one"
        ) from None


def _check_existing(path: Path, overwrite: bool) -> None:
    if path.is_dir():
        raise InputError(f"{path}: this is a folder; add a file name")
    if not path.exists():
        return
    if not path.is_file():
        raise InputError(f"{path}: this is not an ordinary file; choose another name")
    if not overwrite:
        raise InputError(f"{path}: exists already; choose another name or allow overwriting")
    if not os.access(path, os.W_OK):
        raise InputError(f"{path}: is write-protected; choose another name")


@contextmanager
def whole(path: str | os.PathLike[str]) -> Generator[Path]:
    """Write a file that appears whole or not at all.

    Yields a free name in the folder of `path`, with its suffix, for the body to write to. When the
    body ends well the new file is flushed to the disk and renamed to `path`, replacing what was
    there. On any failure, an interrupt included, the new file is removed and what was at `path`
    stays as it was. A symbolic link is followed, not replaced.

    Parameters
    ----------
    path : path of the file to write

    Yields
    ------
    Path
        The name to write to; the body must create this file.

    Raises
    ------
    InputError
        As `check_target`, and when the disk is full, read-only or closed to this user.

    Examples
    --------
    >>> with whole("report.json") as draft:
    ...     draft.write_text("{}")
    """
    path = Path(path)
    check_target(path)
    target = path.resolve()
    draft = target.with_name(f".{secrets.token_hex(8)}{target.suffix}")
    with _mendable(path):
        try:
            yield draft
            _flush(draft)
            put_in_place(draft, target)
        finally:
            draft.unlink(missing_ok=True)


@contextmanager
def whole_folder(
    path: str | os.PathLike[str], marker: str, own: Collection[str]
) -> Generator[Path]:
    """Write a folder that appears whole or not at all.

    Yields a new folder beside `path` for the body to fill. When the body ends well its files are
    flushed to the disk and it is renamed to `path`. On any failure it is removed and what was at
    `path` stays as it was.

    Parameters
    ----------
    path : path of the folder to write
    marker : a file that every folder of this kind has; a folder without it is not replaced
    own : all that such a folder has; one that holds anything else, but for what systems drop, is
        not replaced

    Raises
    ------
    InputError
        As `check_folder`, and when the disk is full, read-only or closed to this user.
    """
    path = Path(path)
    check_folder(path, marker, own)
    target = path.resolve()
    draft, old = (target.with_name(f".{secrets.token_hex(8)}") for _ in range(2))
    with _mendable(path):
        try:
            draft.mkdir()
            yield draft
            for file in filter(Path.is_file, draft.rglob("*")):
                _flush(file)
            if target.exists():
                target.rename(old)
            put_in_place(draft, target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
            if old.exists() and not target.exists():
                old.rename(target)
            shutil.rmtree(old, ignore_errors=True)


def check_folder(path: str | os.PathLike[str], marker: str, own: Collection[str]) -> None:
    """Check that a folder can be written at `path`, before any long work. Nothing is written.

    Parameters
    ----------
    marker, own : as `whole_folder`

    Raises
    ------
    InputError
        If the folder around it does not exist or cannot be written to, or `path` is a file or a
        folder of other things.
    """
    path = Path(path)
    with _mendable(path):
        _check_place(path)
        if path.exists() and not path.is_dir():
            raise InputError(f"{path}: there is a file of this name; choose another one")
        names = [each.name for each in path.iterdir()] if path.exists() else []
        there = [name for name in names if not _DROPPED.fullmatch(name)]
        if there and not (path / marker).is_file():
            raise InputError(f"{path}: is a folder of other things; choose another name")
        if others := [name for name in there if name not in own]:
            raise InputError(f"{path}: holds {others[0]}, too; move it, or choose another name")


def check_room(path: str | os.PathLike[str]) -> None:
    """Check that files can be written in a folder that may be made first. Nothing is written.

    Raises
    ------
    InputError
        If it, or the nearest of the folders it is to be made in, is a file or cannot be written to.
    """
    path = Path(path)
    with _mendable(path):
        there = next(one for one in (path.resolve(), *path.resolve().parents) if one.exists())
        if not there.is_dir():
            raise InputError(f"{path}: {there} is a file: give a folder")
        if not os.access(there, os.W_OK | os.X_OK):
            raise InputError(f"{path}: the folder {there} is not writable; choose another one")


def put_in_place(draft: Path, target: Path) -> None:
    """Rename what is finished; its new name outlives a power cut where the system can see to that.

    A file replaces the one that was there.
    """
    draft.replace(target)
    with suppress(OSError):  # Windows opens no folders, some file systems flush none
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def _mendable(path: Path) -> Generator[None]:
    """Errors of the file system become one line for the user where there is something to mend."""
    try:
        yield
    except OSError as error:
        if error.errno in _MENDS:
            raise InputError(f"{path}: {_MENDS[error.errno]}") from error
        raise
