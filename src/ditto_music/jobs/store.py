"""Where results go: a folder, or any address that fsspec knows (memory://, s3://, gs:// ...)."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem

from ditto_music.errors import InputError
from ditto_music.whole import put_in_place

DRAFTS = ".drafts"


class Store:
    """A place for files that appear whole.

    Parameters
    ----------
    address : a folder, made if need be, or an fsspec address.

    Raises
    ------
    InputError
        If it cannot be a folder, or the address cannot be used from here.
    """

    def __init__(self, address: str | Path) -> None:
        try:
            self.files, root = fsspec.core.url_to_fs(str(address))
            self.address, self.root = str(address), str(root).rstrip("/")
            self.local = Path(self.root) if isinstance(self.files, LocalFileSystem) else None
            self.files.makedirs(self.root, exist_ok=True)
        except FileExistsError:
            raise InputError(f"{address}: is a file: give a folder") from None
        except OSError as error:
            raise InputError(f"{address}: cannot be made ({error.strerror})") from None
        except Exception as error:  # each kind of address has errors of its own
            raise InputError(f"{address}: cannot be used ({error})") from None

    @contextmanager
    def draft(self) -> Generator[Path]:
        """An empty folder of this machine to make files in; it goes away afterwards."""
        beside = self.local / DRAFTS if self.local else None
        if beside:
            beside.mkdir(exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=beside))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def put(self, path: Path, name: str) -> None:
        """Bring a finished file or folder here under a name, in place of what was there.

        To a folder it is moved, to an address copied; a file goes over the old one without taking
        that away first, which object stores do in one.
        """
        if self.local:
            target = self.local / name
            if path.is_dir() and target.exists():
                shutil.rmtree(target)
            put_in_place(path, target)
        elif path.is_dir():
            with suppress(FileNotFoundError):
                self.files.rm(f"{self.root}/{name}", recursive=True)
            self.files.put(str(path), f"{self.root}/{name}", recursive=True)
        else:
            self.files.put_file(str(path), f"{self.root}/{name}")

    def get(self, name: str, path: Path) -> bool:
        """Copy a file from here, if there is one."""
        if not self.files.exists(f"{self.root}/{name}"):
            return False
        self.files.get_file(f"{self.root}/{name}", str(path))
        return True

    def remove(self, name: str) -> None:
        """A file that may not be there."""
        with suppress(FileNotFoundError):
            self.files.rm(f"{self.root}/{name}")

    def clear_drafts(self) -> None:
        """Take away what a killed run left behind."""
        if self.local:
            shutil.rmtree(self.local / DRAFTS, ignore_errors=True)
