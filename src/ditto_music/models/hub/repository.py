"""What of a model's repository is read, and whether it is whole."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

INDEX = "model_index.json"
UNREAD = ("audio_tokenizer", "audio_token_detokenizer")  # ACE-Step's: only covers need them
FILES = ("*.json", "*.txt", "*.model", "*.jinja", "*.safetensors")  # that a part is read from
VARIANTS = ("*.*.safetensors",)  # the same weights in half precision, or averaged otherwise
SHARDS = "*.safetensors.index.json"  # says which files a large part is in
POINTER = b"version "  # begins what Git LFS has in place of a large file


class Broken(Exception):
    """A folder whose weights cannot be read, and why."""


def read_of(files: Iterable[str], folder: Path) -> list[str]:
    """Of a repository's files those that its pipeline is read from.

    Parameters
    ----------
    files : their paths in it.
    folder : holds its index.
    """
    from huggingface_hub.utils import filter_repo_objects

    return [
        *filter_repo_objects(files, allow_patterns=patterns_of(folder), ignore_patterns=[*VARIANTS])
    ]


def patterns_of(folder: Path) -> list[str]:
    """The index, and what its parts are read from; whole copies beside them are not."""
    index: dict[str, Any] = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    parts = [
        name
        for name, kind in index.items()
        if isinstance(kind, list) and kind[0] and name not in UNREAD
    ]
    return [INDEX, *(f"{part}/{files}" for part in parts for files in FILES)]


def weights_of(folder: Path) -> list[Path]:
    """The safetensors that the parts of a pipeline are read from."""
    files = (path.relative_to(folder).as_posix() for path in folder.glob("*/*.safetensors"))
    return sorted(folder / file for file in read_of(files, folder))


def weight_bytes(folder: Path, dtype: torch.dtype) -> int:
    """What the safetensors of a folder take once they are read in a precision.

    Raises
    ------
    Broken
        If one of them is not whole, or not there.
    """
    indices = (path.relative_to(folder).as_posix() for path in folder.glob(f"*/{SHARDS}"))
    for index in read_of(indices, folder):
        for shard in _shards(folder / index):
            if not shard.is_file():
                raise Broken(f"lacks {shard.parent.name}/{shard.name}: get it again")
    return sum(map(_numbers, weights_of(folder))) * dtype.itemsize


def _shards(index: Path) -> list[Path]:
    """The files that hold the weights of one part."""
    try:
        said: dict[str, Any] = json.loads(index.read_text(encoding="utf-8"))
        return [index.parent / name for name in sorted({*said["weight_map"].values()})]
    except (ValueError, AttributeError, KeyError, TypeError):
        raise Broken(f"has a damaged {index.parent.name}/{index.name}: get it again") from None


def _numbers(file: Path) -> int:
    """How many numbers a safetensors file holds, by its header.

    Raises
    ------
    Broken
        If it is not whole.
    """
    name, size = f"{file.parent.name}/{file.name}", file.stat().st_size
    with file.open("rb") as opened:
        start = opened.read(8)
        if start == POINTER:
            raise Broken(f"has a Git LFS pointer in place of {name}: run git lfs pull there")
        length = int.from_bytes(start, "little")
        if size < 8 + length:
            raise Broken(f"has a {name} that is cut short or no safetensors: get it again")
        try:
            header: dict[str, Any] = json.loads(opened.read(length))
            header.pop("__metadata__", None)
            total = sum(math.prod(each["shape"]) for each in header.values())
            end = max((each["data_offsets"][1] for each in header.values()), default=0)
        except (ValueError, AttributeError, KeyError, IndexError, TypeError):
            raise Broken(f"has a damaged {name}: get it again") from None
    if size < 8 + length + end:
        raise Broken(
            f"has a {name} that is cut short, {size} bytes of {8 + length + end}: get it again"
        )
    return total
