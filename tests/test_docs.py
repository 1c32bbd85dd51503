"""The code in the documentation runs as it stands there."""

import math
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import ditto_music
from ditto_music import Result
from ditto_music.editing import outpaint
from ditto_music.models.small import SmallModel
from tests.editing.sounds import music

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


def test_an_own_control_over_time_is_cut_by_the_windows_of_an_extension(
    model: SmallModel, own_control: dict[str, Any], tmp_path: Path
) -> None:
    control = own_control["Opening"]()
    quick = {"steps": 3, "surrogate_steps": 3, "iterations": 2}
    edit = outpaint(model, music(4.0, 24_000, 1), 12.0, "", control=control, **quick)
    assert [round(stop - start) for start, stop in edit.regions] == [6, 6]
    edit.plot(tmp_path / "opening.png")
    for result in edit.results:
        assert math.isfinite(result.items[0].final["opening"])


def test_the_own_control_is_about_twenty_lines() -> None:
    code = snippets("own-control.md")[0]
    body = code[code.index("class ") :]
    assert len([line for line in body.splitlines() if line.strip()]) <= 22
