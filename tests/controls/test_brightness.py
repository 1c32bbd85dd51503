"""Brightness: every form of curve in Hz, and one clear line for every bad one."""

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ditto_music import Brightness, InputError, generate, optimize
from ditto_music.models.small import SmallModel
from ditto_music.panels import Curve
from ditto_music.protocols import Form

FORM = Form(6.0, 24_000, (8, 282), torch.device("cpu"))


def at(curve: torch.Tensor, seconds: float) -> float:
    """Value in Hz of a target nearest to a time."""
    return float(curve[round((seconds - 1024 / 24_000) * 24_000 / 512)].exp2())


def test_every_form_of_a_rise_is_the_same_curve(tmp_path: Path) -> None:
    table = tmp_path / "rise.csv"
    table.write_text("seconds,Hz\n0,400\n6,1600\n")
    forms = [
        [400, 1600],
        "400:1600",
        "0=400,6=1600",
        [(0, 400), (6, 1600)],
        np.geomspace(400, 1600, 100),
        table,
    ]
    curves = [Brightness(form).target(FORM) for form in forms]
    for curve in curves[1:]:
        assert torch.allclose(curve, curves[0], atol=1e-3)
    assert at(curves[0], 3.0) == pytest.approx(800, rel=0.01)  # even in octaves


def test_a_recording_is_copied(tmp_path: Path) -> None:
    time = np.arange(7 * 44_100) / 44_100
    hertz = np.where(time < 3, 500, 2000)
    soundfile.write(tmp_path / "ref.wav", 0.1 * np.sin(2 * np.pi * hertz * time), 44_100)
    curve = Brightness(tmp_path / "ref.wav").target(FORM)
    assert at(curve, 1.5) == pytest.approx(500, rel=0.05)
    assert at(curve, 5) == pytest.approx(2000, rel=0.05)


def test_the_error_is_in_octaves_an_item() -> None:
    control = Brightness([800, 800])
    target = control.target(FORM)
    feature = target + torch.tensor([[0.0], [-2.0]])
    assert control.loss(feature, target).tolist() == pytest.approx([0, 4])
    assert control.metrics(feature, target)["rms_error_octaves"].tolist() == pytest.approx([0, 2])


def test_the_search_goes_towards_it(model: SmallModel) -> None:
    plain = generate(model, "calm", Brightness([800, 800]), duration=1.0, steps=3).items[0]
    panel = plain.panels[0]
    assert isinstance(panel, Curve)
    assert (panel.unit, len(panel.times)) == ("Hz", len(panel.achieved))
    wanted = 0.8 * panel.achieved
    control = Brightness(torch.stack([panel.times, wanted], dim=1).tolist())
    result = optimize(
        *(model, "calm", control),
        **{"duration": 1.0, "steps": 3, "surrogate_steps": 3, "iterations": 8, "lr": 0.1},
    )
    history = [row["brightness"] for row in result.items[0].history]
    assert min(history) < 0.9 * history[0]


@pytest.mark.parametrize(
    ("curve", "says"),
    [
        ("bright", r"'bright' is not understood: give start:end, a list of seconds=Hz points"),
        ("", "not understood"),
        ("0=500,6", "not understood"),
        ([], "give numbers"),
        ([500, math.nan], "finite"),
        ("3=500,1=900", "times must rise"),
        ("0=500,9=900", "lies outside the clip"),
        ([0, 500], "0 Hz is out of range: keep between 100 and 6000"),
        ([-3, 500], "-3 Hz is out of range"),
        ([500, 7000], "7000 Hz is out of range"),
        ("missing.wav", "no such file for the brightness curve"),
        (Path("nowhere.flac"), "no such file"),
        ("missing.csv", "cannot be read"),
        ("5" * 5000, "finite|out of range|not understood"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_bad_curves_are_one_clear_line(curve: object, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        Brightness(curve).target(FORM)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seconds", [0.06, 0.3])
def test_a_clip_too_short_for_a_spectrum_is_refused_before_the_search(seconds: float) -> None:
    with pytest.raises(InputError, match=f"brightness: a clip of {seconds:.3f} s is too short"):
        Brightness([400, 1600]).target(Form(seconds, 24_000, (8, 3), torch.device("cpu")))


def test_bad_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("0,500\n1,dull\n")
    with pytest.raises(InputError, match="line 2: expected seconds,Hz"):
        Brightness(tmp_path / "c.csv")
    soundfile.write(tmp_path / "silence.wav", np.zeros(7 * 24_000), 24_000)
    with pytest.raises(InputError, match=r"silence\.wav: is silent for its first 6 s"):
        Brightness(tmp_path / "silence.wav").target(FORM)
    soundfile.write(tmp_path / "short.wav", np.full(24_000, 0.1), 24_000)
    with pytest.raises(InputError, match="longer recording"):
        Brightness(tmp_path / "short.wav").target(FORM)
