"""Half-precision safetensors with the sizes of the network in their metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file
from torch import Tensor

from ditto_music.whole import whole

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def save_weights(
    path: Path, state: Mapping[str, Tensor], config: DataclassInstance, **more: str
) -> None:
    """Save `state`, its floats as float16, with `config` as JSON under the metadata key ``config``.

    Parameters
    ----------
    more : to keep in the metadata, such as the licence of a part.

    Raises
    ------
    ValueError
        If a weight does not survive float16 (infinite after rounding).
    """
    halves = {
        name: (value.detach().half() if value.is_floating_point() else value).contiguous()
        for name, value in state.items()
    }
    for name, value in halves.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise ValueError(f"{name} does not fit float16")
    with whole(path) as temporary:
        save_file(halves, temporary, {"config": json.dumps(asdict(config)), **more})
