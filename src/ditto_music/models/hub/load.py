"""Which adapter a checkpoint needs, where it comes from, and one line for whatever goes wrong."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import torch

from ditto_music.errors import InputError
from ditto_music.models.hub.catalog import CONVERTED, told
from ditto_music.models.hub.parts import OFFLOADS
from ditto_music.models.hub.repository import (
    INDEX,
    UNREAD,
    VARIANTS,
    Broken,
    patterns_of,
    read_of,
    weight_bytes,
    weights_of,
)
from ditto_music.models.weights import fingerprint
from ditto_music.modes import apart
from ditto_music.protocols import Model
from ditto_music.sampling.plans import free_memory

STEPPED = "EDMDPMSolverMultistepScheduler"  # reads the configuration of Stable Audio Open's
COMMIT = re.compile(r"[0-9a-f]{40}")
SPARE = 1.1  # of the weights, while they are read

#: Class of the pipeline in ``model_index.json`` -> module and class of its adapter.
ADAPTERS = {
    "StableAudioPipeline": ("stable_audio", "StableAudioModel"),
    "StableAudio3Pipeline": ("stable_audio_3", "StableAudio3Model"),
    "AceStepPipeline": ("ace_step", "AceStepModel"),
    "AudioLDM2Pipeline": ("mel", "AudioLDM2Model"),
    "MusicLDMPipeline": ("mel", "MusicLDMModel"),
}

#: Told of a download before it begins.
Notice = Callable[[str], None]


def load_hub(
    name: str,
    device: torch.device,
    dtype: torch.dtype,
    *,
    offload: str = "text",
    notice: Notice | None = None,
) -> Model:
    """A pipeline of diffusers by hub id, ``id@revision``, or folder, behind its adapter.

    Parameters
    ----------
    offload : a name of `ditto_music.models.hub.parts.OFFLOADS`.
    notice : told licence and size before anything large is downloaded.

    Raises
    ------
    InputError
        If it cannot be had, is of no known kind or does not fit in memory: one line with what
        mends it.
    """
    if offload not in OFFLOADS:
        raise InputError(f"offload '{offload}' is unknown: take {', '.join(OFFLOADS)}")
    try:
        import diffusers  # noqa: F401  # pyright: ignore[reportUnusedImport]
        import transformers  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError as error:
        why = " ".join(str(error).split())  # of a package that is found it may be anything
        raise InputError(
            f"model '{name}' needs more packages ({why}): pip install 'ditto-music[hub]'"
        ) from None
    with _one_line(name):
        folder = Path(name) if Path(name).is_dir() else downloaded(name, notice)
        kind = _kind(folder, name)
        place = torch.device("cpu") if offload == "all" else device  # where all of them are at once
        check_memory(name, weight_bytes(folder, dtype), place, dtype)
        with _quiet():
            pipe = _pipeline(folder, kind, dtype)
    module, adapter = _adapter(kind, name)
    parts = {part: type(made) for part, made in pipe.components.items()}

    def reader(part: str) -> torch.nn.Module:
        with _one_line(name), _quiet(), apart():
            return _part(folder, part, parts[part], dtype)

    def revision() -> str:
        return commit_of(folder) or fingerprint(weights_of(folder))

    made = getattr(import_module(f"ditto_music.models.hub.{module}"), adapter)
    return cast(
        "Model",
        made(name, pipe, device, reader=reader, offload=offload, told=revision),
    )


def is_hub(name: str) -> bool:
    """Whether a name is a folder of a pipeline or looks like a hub id."""
    path = Path(name)
    if path.is_dir():
        return (path / INDEX).is_file()
    return name.count("/") == 1 and not name.startswith((".", "/", "~"))


def pinned(name: str, revision: str | None) -> str:
    """The name of the very weights of a revision: what a hub id alone stands for may change."""
    if revision and COMMIT.fullmatch(revision) and is_hub(name) and not Path(name).is_dir():
        return f"{name.partition('@')[0]}@{revision}"
    return name


def commit_of(folder: Path) -> str | None:
    """The commit of a snapshot in the hub's cache; None of any other folder."""
    return folder.name if COMMIT.fullmatch(folder.name) else None


def downloaded(name: str, notice: Notice | None = None) -> Path:
    """The snapshot of a hub id or ``id@revision``, downloaded where it is not here.

    All files are of the one commit that its index was found at. Only what is read comes, and of
    weights only safetensors.
    """
    from huggingface_hub import hf_hub_download, snapshot_download

    where, _, revision = name.partition("@")
    folder = Path(hf_hub_download(where, INDEX, revision=revision or None)).parent
    _kind(folder, name)
    if not weights_of(folder):
        _announce(where, folder, notice)
    with _quiet(bars=True):
        return Path(
            snapshot_download(
                where,
                revision=commit_of(folder) or revision or None,
                allow_patterns=patterns_of(folder),
                ignore_patterns=[*VARIANTS],
            )
        )


def _announce(where: str, folder: Path, notice: Notice | None) -> None:
    """Licence and size as the hub has them, or as known here; and whether the disk has room.

    Parameters
    ----------
    folder : holds the index.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.constants import HF_HUB_CACHE
    from huggingface_hub.errors import HTTPError  # pyright: ignore[reportPrivateImportUsage]

    licence, size = None, None
    try:
        info = HfApi().model_info(where, revision=commit_of(folder), files_metadata=True)
        licence = getattr(info.card_data, "license_name", None) or getattr(
            info.card_data, "license", None
        )
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
        size = sum(sizes[file] for file in read_of(sizes, folder))
    except (OSError, HTTPError):  # what is known here will do
        pass
    cache = Path(HF_HUB_CACHE)
    if notice:
        notice(f"{told(where, licence, size)}, to {cache}")
    existing = next(place for place in (cache, *cache.parents) if place.is_dir())
    free = shutil.disk_usage(existing).free
    if size and size > free:
        raise InputError(
            f"model '{where}' is {size / 1e9:.1f} GB and {existing} has {free / 1e9:.1f} GB left: "
            "set HF_HUB_CACHE to a folder on a larger disk"
        )


def check_memory(name: str, needed: int, device: torch.device, dtype: torch.dtype) -> None:
    """Refuse weights that this machine has no room for.

    Raises
    ------
    InputError
        With the flag that mends it.
    """
    free = free_memory(device)
    if needed * SPARE <= free:
        return
    smaller = (
        "take --dtype bfloat16, which halves them"
        if dtype == torch.float32
        else "close other programs, or take a smaller model: ditto-music models"
    )
    if device.type != "cpu":
        smaller += ", or --offload all"
    raise InputError(
        f"model '{name}' needs {needed * SPARE / 1e9:.1f} GB for its weights and {device} has "
        f"{free / 1e9:.1f} GB free: {smaller}"
    )


def _kind(folder: Path, name: str) -> str:
    said = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    kind = str(said.get("_class_name"))
    _adapter(kind, name)
    return kind


def _pipeline(folder: Path, kind: str, dtype: torch.dtype) -> Any:
    import diffusers

    given: dict[str, Any] = {}
    if kind == "AudioLDM2Pipeline":  # saved as a class without the method that makes tokens
        from transformers import GPT2LMHeadModel

        given["language_model"] = _part(folder, "language_model", GPT2LMHeadModel, dtype)
    if kind == "AceStepPipeline":
        given |= dict.fromkeys(UNREAD)
    if kind == "StableAudioPipeline":  # its own needs torchsde, and is never stepped here
        given["scheduler"] = None
    pipe = getattr(diffusers, kind).from_pretrained(
        folder, torch_dtype=dtype, use_safetensors=True, **given
    )
    if pipe.scheduler is None:
        pipe.scheduler = getattr(diffusers, STEPPED).from_pretrained(folder, subfolder="scheduler")
    return pipe


def _part(folder: Path, part: str, kind: Any, dtype: torch.dtype) -> torch.nn.Module:
    """One module of a pipeline, of its class; libraries differ in how precision is named."""
    import transformers

    load = kind.from_pretrained
    named = "dtype" if issubclass(kind, transformers.PreTrainedModel) else "torch_dtype"
    return load(folder, subfolder=part, use_safetensors=True, **{named: dtype})


@contextmanager
def _one_line(name: str) -> Generator[None]:
    """Whatever the hub or a file says becomes one line with what mends it."""
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HFValidationError,
        HTTPError,  # pyright: ignore[reportPrivateImportUsage]
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    where, _, revision = name.partition("@")
    try:
        yield
        return
    except GatedRepoError:
        why = (
            f"is gated: accept its terms at https://huggingface.co/{where}, then run hf auth login"
        )
    except RepositoryNotFoundError:
        why = "is not on the hub (or is private): check the name, or run hf auth login"
    except RevisionNotFoundError:
        why = f"has no revision '{revision}': see https://huggingface.co/{where}/commits/main"
    except LocalEntryNotFoundError:
        why = _unreachable(where, revision)
    except EntryNotFoundError:
        why = (
            f"is not in the layout of diffusers: {CONVERTED[where]}"
            if where in CONVERTED
            else f"has no {INDEX}, so it is no pipeline of diffusers: ditto-music models lists some"
        )
    except (OfflineModeIsEnabled, HTTPError, ConnectionError):
        why = _unreachable(where, revision)
    except HFValidationError:
        why = "is no name that the hub knows: give owner/name, or a folder"
    except Broken as error:
        why = str(error)
    except json.JSONDecodeError:
        why = f"has a damaged {INDEX}: get it again"
    except MemoryError:
        why = "does not fit in memory: take --dtype bfloat16"
    except OSError as error:
        said = " ".join(str(error).split())
        why = (
            "has no safetensors, and nothing else is read: convert it with save_pretrained"
            if "safetensors" in said
            else f"cannot be read ({said[:160]}): get it again"
        )
    raise InputError(f"model '{name}' {why}")


def _unreachable(where: str, revision: str) -> str:
    at = f" --revision {revision}" if revision else ""
    return (
        f"is not on this machine and the hub cannot be reached: run hf download {where}{at} online"
    )


@contextmanager
def _quiet(*, bars: bool = False) -> Generator[None]:
    """No advice from the libraries while they load, and bars only if asked for."""
    from diffusers.utils import logging as ours
    from transformers.utils import logging as theirs

    before = [each.get_verbosity() for each in (ours, theirs)]
    shown = theirs.is_progress_bar_enabled()
    try:
        for each in (ours, theirs):
            each.set_verbosity_error()
            if not bars:
                each.disable_progress_bar()
        yield
    finally:
        for each, level in zip((ours, theirs), before, strict=True):
            each.set_verbosity(level)
            if shown:
                each.enable_progress_bar()


def _adapter(kind: str, name: str) -> tuple[str, str]:
    if kind not in ADAPTERS:
        known = ", ".join(ADAPTERS)
        raise InputError(f"model '{name}' is a {kind}, which has no adapter here: take {known}")
    return ADAPTERS[kind]
