"""Models by name: the embedded one, a tiny random one for tests, or a folder of weights."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ditto_music.errors import InputError
from ditto_music.models.hub.base import HubModel
from ditto_music.models.hub.catalog import PUBLIC
from ditto_music.models.hub.load import Notice, is_hub, load_hub, pinned
from ditto_music.models.small import SmallModel, debug_model, load_small, shipped_weights
from ditto_music.models.weights import fingerprint
from ditto_music.modes import apart
from ditto_music.protocols import Model

DEFAULT = "ditto-small"
BFLOAT16_CAPABILITY = 8  # of NVIDIA's GPUs: Ampere; older ones emulate it. AMD's are above


@dataclass(frozen=True)
class Entry:
    """One model that `load_model` knows by name."""

    name: str
    about: str
    licence: str
    size_bytes: Callable[[], int]


REGISTRY = (
    Entry(
        DEFAULT,
        "the embedded model: 24 kHz mono, 0.5 to 24 s; heeds styles, holds pitch, rather loud",
        "MIT, Apache-2.0",
        lambda: sum(file.stat().st_size for file in shipped_weights().glob("*.safetensors")),
    ),
    Entry("debug", "tiny and random: for tests and for trying the interface", "MIT", lambda: 0),
)


@apart()
def load_model(
    name: str = DEFAULT,
    *,
    device: str = "cpu",
    dtype: str = "auto",
    offload: str = "text",
    compiled: bool = False,
    notice: Notice | None = None,
) -> Model:
    """A model by its name, or from a folder that holds its weights.

    Parameters
    ----------
    name : ``ditto-small``; ``debug``; the path of a folder with ``codec.safetensors`` and
        ``denoiser.safetensors``; or a hub id (``id@revision`` pins it) or folder of a pipeline of
        diffusers that `ditto_music.models.hub` has an adapter for.
    device : ``cpu``, ``cuda``, ``mps`` ...
    dtype : of the denoiser's matrix products, ``float32`` or ``bfloat16``; ``auto`` takes bfloat16
        on a GPU (of NVIDIA's, Ampere or later) or a processor with instructions for it
        (AVX512-BF16, AMX), where it is faster. Of public models, of their weights too.
    offload : of a public model, "text" lets go of text encoders once prompts are read, "all" keeps
        on a GPU only the part at work, "none" keeps everything there.
    compiled : translate the network by `torch.compile` at its first call; docs/performance.md says
        when that pays. On a CPU it takes a C++ compiler.
    notice : told licence and size of a public model before its first download.

    Raises
    ------
    InputError
        If there is no such model, device or dtype, or nothing to compile with.
    """
    where = _device(device)
    precision = _dtype(dtype, where)
    if compiled:
        _check_compiler(where)
    model = _loaded(name, where, precision, offload, notice)
    if compiled and isinstance(model, SmallModel | HubModel):
        model.network.compile()
    return model


def _loaded(
    name: str, where: torch.device, precision: torch.dtype, offload: str, notice: Notice | None
) -> Model:
    if name == "debug":
        return debug_model(where)
    if name == DEFAULT:
        return load_small(shipped_weights(), where, precision, DEFAULT)
    if is_hub(name):
        return load_hub(name, where, precision, offload=offload, notice=notice)
    if Path(name).is_dir():
        return load_small(Path(name), where, precision, name)
    raise unknown(name)


def revision(name: str = DEFAULT) -> str:
    """What tells one set of weights from another: a hash of all that lie in the model's folder.

    Of a hub id it is the id itself, which need not be here yet: only ``id@revision`` is one set.

    Raises
    ------
    InputError
        If there is no such model.
    """
    if name == "debug":
        return "debug"
    folder = shipped_weights() if name == DEFAULT else Path(name)
    if is_hub(name) and not folder.is_dir():
        return name
    files = sorted(folder.rglob("*.safetensors")) if folder.is_dir() else []
    if not files:
        raise unknown(name)
    return fingerprint(files)


def unknown(name: str) -> InputError:
    """There is no such model."""
    known = ", ".join(entry.name for entry in REGISTRY)
    return InputError(
        f"model '{name}' is unknown: take one of {known}, a public one that ditto-music models "
        "lists, or a folder of weights"
    )


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].split(".")[0][:100]
        raise InputError(f"device '{name}' cannot be used here ({reason}): try cpu") from None
    if device.type == "meta":
        raise InputError("device 'meta' holds no numbers: try cpu")
    return device


def fastest_dtype(device: torch.device) -> torch.dtype:
    """Of matrix products on `device`: bfloat16 where it has instructions for them, else float32."""
    if device.type == "cuda":
        fast = torch.cuda.get_device_capability(device)[0] >= BFLOAT16_CAPABILITY
    else:
        fast = device.type == "cpu" and _processor_has_bfloat16()
    return torch.bfloat16 if fast else torch.float32


def _processor_has_bfloat16() -> bool:
    """Whether it has instructions for it; a torch that does not list them may know AVX512-BF16."""
    if hasattr(torch.cpu, "get_capabilities"):
        here = torch.cpu.get_capabilities()
        return bool(here.get("avx512_bf16") or here.get("amx_bf16"))
    known = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(known and known())


def _check_compiler(device: torch.device) -> None:
    """On a CPU torch translates to C++."""
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if device.type == "cpu" and not shutil.which(compiler):
        raise InputError(
            f"--compile needs the C++ compiler {compiler}, which is not here: install it, name "
            "another in the variable CXX, or leave --compile out"
        )


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        return fastest_dtype(device)
    choices = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    if name not in choices:
        raise InputError(f"dtype '{name}' is unknown: take auto, float32 or bfloat16")
    return choices[name]


__all__ = [
    "DEFAULT",
    "PUBLIC",
    "REGISTRY",
    "Entry",
    "SmallModel",
    "load_model",
    "pinned",
    "revision",
]
