"""Which adapter a checkpoint needs, where it comes from, and one line for whatever goes wrong."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import torch

from ditto_music.errors import InputError
from ditto_music.protocols import Model

INDEX = "model_index.json"
STEPPED = "EDMDPMSolverMultistepScheduler"  # reads the configuration of Stable Audio Open's

#: Class of the pipeline in ``model_index.json`` -> module and class of its adapter.
ADAPTERS = {
    "StableAudioPipeline": ("stable_audio", "StableAudioModel"),
    "StableAudio3Pipeline": ("stable_audio_3", "StableAudio3Model"),
    "AceStepPipeline": ("ace_step", "AceStepModel"),
    "AudioLDM2Pipeline": ("mel", "AudioLDM2Model"),
    "MusicLDMPipeline": ("mel", "MusicLDMModel"),
}


def load_hub(name: str, device: torch.device, dtype: torch.dtype) -> Model:
    """A pipeline of diffusers by hub id, ``id@revision``, or folder, behind its adapter.

    Raises
    ------
    InputError
        If it cannot be had or is of no known kind: one line with what mends it.
    """
    pipe = _pipeline(name, dtype)
    module, kind = _adapter(type(pipe).__name__, name)
    adapter = getattr(import_module(f"ditto_music.models.hub.{module}"), kind)
    return cast("Model", adapter(name, pipe, device))


def is_hub(name: str) -> bool:
    """Whether a name is a folder of a pipeline or looks like a hub id."""
    path = Path(name)
    if path.is_dir():
        return (path / INDEX).is_file()
    return name.count("/") == 1 and not name.startswith((".", "/", "~"))


def _pipeline(name: str, dtype: torch.dtype) -> Any:
    try:
        import diffusers
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import (
            GatedRepoError,
            HfHubHTTPError,
            LocalEntryNotFoundError,
            OfflineModeIsEnabled,
            RepositoryNotFoundError,
        )
    except ImportError:
        raise InputError(
            f"model '{name}' needs more packages: pip install 'ditto-music[hub]'"
        ) from None
    path = Path(name)
    where, _, revision = (name, "", "") if path.is_dir() else name.partition("@")
    try:
        index = (
            path / INDEX
            if path.is_dir()
            else Path(hf_hub_download(where, INDEX, revision=revision or None))
        )
        said = json.loads(index.read_text(encoding="utf-8"))
        kind = str(said.get("_class_name"))
        _adapter(kind, name)
        given: dict[str, Any] = {"revision": revision} if revision else {}
        if kind == "AudioLDM2Pipeline":  # saved as a class without the method that makes tokens
            from transformers import GPT2LMHeadModel

            given["language_model"] = GPT2LMHeadModel.from_pretrained(
                where, subfolder="language_model", use_safetensors=True, dtype=dtype
            )
        if kind == "StableAudioPipeline":  # its own needs torchsde, and is never stepped here
            given["scheduler"] = getattr(diffusers, STEPPED).from_pretrained(
                where, subfolder="scheduler", **given
            )
        with _quiet():
            return getattr(diffusers, kind).from_pretrained(
                where, torch_dtype=dtype, use_safetensors=True, **given
            )
    except GatedRepoError:
        why = (
            f"is gated: accept its terms at https://huggingface.co/{where}, then run hf auth login"
        )
    except RepositoryNotFoundError:
        why = "is not on the hub (or is private): check the name, or run hf auth login"
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, ConnectionError):
        why = (
            f"is not on this machine and the hub cannot be reached: run hf download {where} online"
        )
    except json.JSONDecodeError:
        why = f"has a damaged {INDEX}: get it again"
    except OSError as error:
        told = " ".join(str(error).split())
        safe = "safetensors" in told
        why = (
            "has no safetensors, and nothing else is read: convert it with save_pretrained"
            if safe
            else f"cannot be read ({told[:160]}): get it again"
        )
    raise InputError(f"model '{name}' {why}")


@contextmanager
def _quiet() -> Generator[None]:
    """Neither bars nor advice from the libraries while they load; what goes wrong is raised."""
    from diffusers.utils import logging as ours
    from transformers.utils import logging as theirs

    before = [each.get_verbosity() for each in (ours, theirs)]
    bars = theirs.is_progress_bar_enabled()
    try:
        for each in (ours, theirs):
            each.set_verbosity_error()
            each.disable_progress_bar()
        yield
    finally:
        for each, level in zip((ours, theirs), before, strict=True):
            each.set_verbosity(level)
            if bars:
                each.enable_progress_bar()


def _adapter(kind: str, name: str) -> tuple[str, str]:
    if kind not in ADAPTERS:
        known = ", ".join(ADAPTERS)
        raise InputError(f"model '{name}' is a {kind}, which has no adapter here: take {known}")
    return ADAPTERS[kind]
