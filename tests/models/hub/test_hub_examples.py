"""Examples and the table of the README: what they name is there, and runs."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from ditto_music.cli.app import app
from ditto_music.cli.shared import Shared
from ditto_music.models import PUBLIC

ROOT = Path(__file__).parents[3]
SCRIPTS = sorted((ROOT / "examples").glob("*.sh"))
TICK = re.compile(r"\[✓\]\((tests/[\w/]+\.py) \"(\w+)\"\)")


def command_lines(script: Path) -> list[list[str]]:
    """Each ``ditto-music`` line as its words, with the script's variables filled in."""
    text = script.read_text("utf-8").replace("\\\n", " ")
    variables = dict(re.findall(r"^(\w+)=(\S+)$", text, re.M))
    for name, value in variables.items():
        text = text.replace(f"${name}", value)
    return [shlex.split(line) for line in text.splitlines() if line.startswith("ditto-music ")]


def test_there_is_one_for_each_family() -> None:
    assert {script.stem for script in SCRIPTS} == {public.family for public in PUBLIC}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_every_command_line_is_one(script: Path) -> None:
    """As the command line reads it; the numbers are checked as a run would."""
    lines = command_lines(script)
    assert len(lines) >= 2
    known = {public.name for public in PUBLIC if public.family == script.stem}
    for _, *words in lines:
        _, bound, _ = app.parse_args(words, print_error=False, exit_on_error=False)
        shared = bound.arguments["shared"]
        assert isinstance(shared, Shared)
        shared.checked(Path("out.wav"))
        name = shared.model.partition("@")[0]
        assert name in known or name.removeprefix("./") in {each.split("/")[1] for each in known}
        if asked := bound.arguments.get("asked"):
            asked.any_control()


def test_pinned_revisions_are_the_known_ones() -> None:
    pinned = {public.name: public.revision for public in PUBLIC if public.revision}
    said = {
        model.partition("@")[0]: model.partition("@")[2]
        for script in SCRIPTS
        for line in command_lines(script)
        for model in [line[line.index("--model") + 1]]
        if "@" in model
    }
    assert said == pinned


def test_the_python_one_runs(
    folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = ROOT / "examples" / "public_model.py"
    spec = importlib.util.spec_from_file_location("public_model", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    out = tmp_path / "rise.wav"
    small = ["--seconds", "1", "--steps", "3", "--iterations", "3", "--out", str(out)]
    module.main([str(folders["AceStepPipeline"]), "calm", *small])
    said = capsys.readouterr().out
    assert out.stat().st_size > 1000
    assert "of memory at the most" in said and "iteration 1:" in said and "weights" in said


def test_every_tick_of_the_readme_names_a_test_that_is_there() -> None:
    table = [line for line in (ROOT / "README.md").read_text("utf-8").splitlines() if "✓" in line]
    ticks = [tick for line in table for tick in TICK.findall(line)]
    assert len(ticks) == sum(line.count("✓") for line in table) >= 40
    for file, name in set(ticks):
        text = (ROOT / file).read_text("utf-8")
        assert re.search(rf"^def {name}\(", text, re.M), f"{file} has no {name}"


def test_the_readme_has_a_line_for_each_family() -> None:
    table = [line for line in (ROOT / "README.md").read_text("utf-8").splitlines() if "✓" in line]
    pages = {match for line in table for match in re.findall(r"docs/models/([\w-]+)\.md", line)}
    assert pages == {public.family for public in PUBLIC}
