"""The code in the documentation runs as it stands there."""

import math
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ditto_music
from ditto_music import Result
from ditto_music.editing import inpaint, outpaint
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
def run_page(
    model: SmallModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[str], dict[str, Any]]:
    """Runs what a page has, quickly and on the tiny model, and gives what it defines."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ditto_music, "load_model", lambda: model)
    monkeypatch.setattr(ditto_music, "optimize", partial(ditto_music.optimize, **QUICK))

    def run(page: str) -> dict[str, Any]:
        names: dict[str, Any] = {}
        for code in snippets(page):
            exec(compile(code, page, "exec"), names)
        return names

    return run


@pytest.fixture
def own_control(run_page: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    return run_page("own-control.md")


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


def test_an_own_model_is_searched_and_edits_with_it(
    run_page: Callable[[str], dict[str, Any]],
) -> None:
    names = run_page("own-model.md")
    result: Result = names["result"]
    item, model = result.items[0], names["Waves"]()
    assert (result.model, result.sample_rate) == ("waves", 16_000)
    assert item.final["loss"] < 0.5 * item.history[0]["loss"]
    assert Path("waves.wav").stat().st_size > 0
    latent = torch.randn(2, *model.latent_shape(1.0))
    assert torch.allclose(model.encode(model.decode(latent)), latent, atol=1e-5)
    original = music(3.0, 44_100, 2)
    edit = inpaint(model, original, [(1.0, 1.5)], "", steps=3, surrogate_steps=3, iterations=2)
    assert np.array_equal(edit.recording.samples[:44_100], original.samples[:44_100])
    assert not np.array_equal(
        edit.recording.samples[44_100:66_150], original.samples[44_100:66_150]
    )
