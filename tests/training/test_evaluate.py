"""The figures of the model card are measured with the guidance that is asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ditto_music.models.small import debug_model
from ditto_music.sampling import Guidance
from training import evaluate


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ([], (6.0, (0.3, 0.8))),
        (["--guidance", "4.5"], (4.5, (0.3, 0.8))),
        (["--guidance", "4.5", "--guidance-interval", "0:1"], (4.5, (0.0, 1.0))),
    ],
)
def test_what_is_not_asked_of_guidance_is_the_models_own(
    flags: list[str],
    wanted: tuple[float, tuple[float, float]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, used = debug_model(), list[object]()
    model.guidance = replace(model.guidance, scale=6.0, interval=(0.3, 0.8))

    def measure(model: object, music: object, guidance: object, args: object) -> dict[str, object]:
        used.append(guidance)
        return {}

    for name, fake in (("measure", measure), ("Music", Path), ("load_model", lambda _: model)):
        monkeypatch.setattr(evaluate, name, fake)
    monkeypatch.setattr("sys.argv", ["-", "--data", "-", "--out", str(tmp_path), *flags])
    evaluate.main()
    assert used == [Guidance(*wanted)]
    told = json.loads((tmp_path / "evaluation.json").read_text())
    assert (told["guidance"], tuple(told["guidance interval"])) == wanted
