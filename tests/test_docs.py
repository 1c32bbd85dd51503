"""The code in the documentation runs as it stands there."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import ditto_music
from ditto_music import Result
from ditto_music.models.small import SmallModel

DOCS = Path(__file__).parents[1] / "docs"
QUICK = {
    "duration": 1,
    "steps": 3,
    "surrogate_steps": 3,
    "iterations": 8,
    "lr": 0.3,
}


def snippets(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", (DOCS / page).read_text("utf-8"), re.M | re.S)


@pytest.fixture
def own_control(
    model: SmallModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> dict[str, Any]:
    """What the page about own controls defines, run on the tiny model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ditto_music, "load_model", lambda: model)
    monkeypatch.setattr(ditto_music, "optimize", partial(ditto_music.optimize, **QUICK))
    names: dict[str, Any] = {}
    for code in snippets("own-control.md"):
        exec(compile(code, "own-control.md", "exec"), names)
    return names


def test_an_own_control_is_followed_alone_and_in_a_sum(own_control: dict[str, Any]) -> None:
    result: Result = own_control["result"]
    item = result.items[0]
    assert item.final["muffled"] < 0.95 * item.history[0]["muffled"]
    assert Path("muffled.wav").stat().st_size > 0
    assert Path("muffled.png").stat().st_size > 0
    assert "treble_db" in result.report()["controls"]["muffled"]
    both: Result = own_control["both"]
    item = both.items[0]
    assert item.final["loss"] < item.history[0]["loss"]
    assert set(item.metrics) == {"muffled", "intensity"}


def test_the_own_control_is_about_twenty_lines() -> None:
    code = snippets("own-control.md")[0]
    body = code[code.index("class ") :]
    assert len([line for line in body.splitlines() if line.strip()]) <= 22
