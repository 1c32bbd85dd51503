"""The commands that make ditto-small again: each reads what those before it made."""

from __future__ import annotations

import argparse
import importlib
import shlex
import sys
from pathlib import Path

import pytest

pytest.importorskip("mido", reason="mido is not installed: `pip install ditto-music[train]`")

COMMANDS = [
    shlex.split(line.partition("-m ")[2])
    for line in (Path(__file__).parents[2] / "training/README.md")
    .read_text()
    .replace("\\\n", " ")
    .splitlines()
    if line.startswith("    python -m ")
]


class Parsed(Exception):
    """Raised with the flags instead of the work."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Path]]:
    """Module -> its flags that are files or folders, defaults and all."""
    parse = argparse.ArgumentParser.parse_args

    def stop(parser: argparse.ArgumentParser, flags: list[str] | None = None) -> None:
        raise Parsed(parse(parser, flags))

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    found: dict[str, dict[str, Path]] = {}
    for name, *flags in COMMANDS:
        module = importlib.import_module(name)
        if hasattr(module, "__path__"):
            module = importlib.import_module(f"{name}.__main__")
        monkeypatch.setattr(sys, "argv", [name, *flags])
        with pytest.raises(Parsed) as caught:
            module.main()
        given = vars(caught.value.args[0])
        found[name] = {
            flag: Path(value)
            for flag, value in given.items()
            if isinstance(value, Path) or (flag == "model" and value)
        }
    return found


def test_every_command_reads_what_those_before_it_made(asked: dict[str, dict[str, Path]]) -> None:
    assert len(asked) == len(COMMANDS) > 8
    made: set[Path] = set()
    for files in asked.values():
        read = {file for flag, file in files.items() if flag != "out"}
        assert all(file in made or file.parent in made for file in read)
        made.add(files["out"])


def test_all_of_the_model_is_in_one_folder(asked: dict[str, dict[str, Path]]) -> None:
    model = asked["training.evaluate"]["model"]
    for part in ("equaliser", "diffusion", "controlnet"):
        assert asked[f"training.{part}"]["out"] == model
    assert asked["training.controlnet"]["denoiser"] == model / "denoiser.safetensors"
