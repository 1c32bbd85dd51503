"""What tells one set of weights from another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path


def fingerprint(files: Iterable[Path]) -> str:
    """A hash of what the files hold, 16 hex digits; of files that have not changed, at once."""
    return _hash(tuple((str(file), file.stat().st_mtime_ns) for file in sorted(files)))


@cache
def _hash(files: tuple[tuple[str, int], ...]) -> str:
    whole = hashlib.sha256()
    for path, _ in files:
        with Path(path).open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()[:16]
