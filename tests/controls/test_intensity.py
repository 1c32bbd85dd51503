"""Intensity: every form of curve, both losses, and one clear line for every bad one."""

import math
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

from ditto_music import InputError, Intensity, load_model
from ditto_music.controls.curves import CurveLike, parse_points, points, read_points
from ditto_music.features import intensity
from ditto_music.features.loudness import loudness_over
from ditto_music.protocols import Clip, Form, Model

FORM = Form(6.0, 24_000, (8, 282), torch.device("cpu"))


def at(curve: torch.Tensor, seconds: float) -> float:
    """Value of a target nearest to a time."""
    return float(curve[round((seconds - 1024 / 24_000) * 24_000 / 512)])


def test_every_form_of_a_rise_is_the_same_curve(tmp_path: Path) -> None:
    table = tmp_path / "rise.csv"
    table.write_text("seconds,dB\n0,-35\n6,-14\n")
    forms = [
        [-35, -14],
        "-35:-14",
        "0=-35,6=-14",
        "0=-35 6=-14",
        [(0, -35), (6, -14)],
        np.array([-35.0, -14.0]),
        np.array([[0, -35.0], [6, -14.0]]),
        table,
        str(table),
        np.linspace(-35, -14, 1000),
    ]
    curves = [Intensity(form).target(FORM) for form in forms]
    for curve in curves[1:]:
        assert torch.allclose(curve, curves[0], atol=0.05)
    assert at(curves[0], 3.0) == pytest.approx(-24.5, abs=0.1)


def test_points_are_held_at_the_ends_and_steps_are_steps() -> None:
    curve = Intensity("1=-40,3=-40,3=-20,5=-20").target(FORM)
    assert at(curve, 0.2) == pytest.approx(-40, abs=0.01)
    assert at(curve, 2.0) == pytest.approx(-40, abs=0.01)
    assert at(curve, 5.8) == pytest.approx(-20, abs=0.01)


def test_a_recording_is_copied(tmp_path: Path) -> None:
    rate = 44_100
    t = np.arange(7 * rate) / rate
    rise = 10 ** ((-40 + 3 * t) / 20) * np.sqrt(2)
    soundfile.write(tmp_path / "ref.wav", rise * np.sin(2 * np.pi * 330 * t), rate)
    curve = Intensity(tmp_path / "ref.wav").target(FORM)
    assert at(curve, 1) == pytest.approx(-37, abs=0.2)
    assert at(curve, 5) == pytest.approx(-25, abs=0.2)


def test_a_point_a_little_beyond_the_clip_is_at_its_end() -> None:
    """Edits last whole frames: of 6 s asked for this is what a loop has."""
    form = replace(FORM, seconds=5.99467)
    asked = Intensity("0=-30,6=-14").target(form)
    assert torch.equal(asked, Intensity([-30, -14]).target(form))
    with pytest.raises(InputError, match=r"point at 6\.05 s lies outside"):
        Intensity("0=-30,6.05=-14").target(form)


class Sound(Clip):
    """Audio (B, channels, N) at 24 kHz that was not decoded from anything."""

    def __init__(self, audio: torch.Tensor) -> None:
        super().__init__(cast("Model", load_model("debug")), torch.zeros(1), audio.shape[-1])
        self.audio = audio


def test_channels_are_as_loud_as_they_are_whatever_their_mean(tmp_path: Path) -> None:
    """Of a left channel and its opposite the mean is silent."""
    left = 0.1 * math.sqrt(2) * torch.sin(2 * math.pi * 440 / 24_000 * torch.arange(144_000))
    wide = torch.stack([left, -left])
    soundfile.write(tmp_path / "wide.wav", wide.T.numpy(), 24_000)
    heard = Intensity([-20, -20]).feature(Sound(wide[None]))
    copied = Intensity(tmp_path / "wide.wav").target(FORM)
    for curve in (heard, copied):
        assert torch.allclose(curve, torch.full_like(curve, -20.0), atol=0.05)
    one = Sound(left[None, None])
    assert torch.equal(Intensity([-20, -20]).feature(one), intensity(left[None], 24_000))
    assert float(loudness_over(wide[None], 24_000, -23.0)) == pytest.approx(3, abs=0.05)


def test_mse_is_in_squared_decibels_an_item() -> None:
    control = Intensity([-30, -30])
    target = control.target(FORM)
    feature = target + torch.tensor([[0.0], [3.0]])
    assert control.loss(feature, target).tolist() == pytest.approx([0, 9])
    assert control.metrics(feature, target)["rms_error_db"].tolist() == pytest.approx([0, 3])


def test_correlation_knows_shape_but_not_level() -> None:
    control = Intensity([-30, -20], loss="correlation")
    target = control.target(FORM)
    feature = torch.stack([target - 12, 2 * target, -target])
    assert control.loss(feature, target).tolist() == pytest.approx([0, 0, 2], abs=1e-3)


@pytest.mark.parametrize("loss", ["mse", "correlation"])
def test_losses_have_finite_gradients(loss: str, generator: torch.Generator) -> None:
    control = Intensity([-30, -20], loss=loss)  # type: ignore[arg-type]
    target = control.target(FORM)
    feature = (target + torch.randn(2, len(target), generator=generator)).requires_grad_()
    control.loss(feature, target).sum().backward()
    assert torch.isfinite(feature.grad).all()
    assert feature.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("curve", "says"),
    [
        ("loud", "not understood"),
        ("-35;-14", "not understood"),
        ("0=-35,6", "not understood"),
        ("", "not understood"),
        ([], "give numbers"),
        ([[1, 2, 3]], "give numbers"),
        (["loud", "quiet"], "give numbers"),
        ([(0, -35), -14], "no mixture"),
        ([-35, math.nan], "finite"),
        ("0=-35,inf=-3", "finite"),
        ("3=-35,1=-14", "times must rise"),
        ("0=-35,9=-14", "lies outside the clip"),
        ("-1=-35,2=-14", "lies outside the clip"),
        ("missing.wav", "no such file"),
        (Path("nowhere.flac"), "no such file"),
        ("missing.csv", "cannot be read"),
    ],
)
def test_bad_curves_are_one_clear_line(curve: object, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        Intensity(curve).target(FORM)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("curve", [[-35, 3], "5:9", [(0, -99), (3, -14)]])
def test_levels_that_cannot_be_are_refused_before_the_clip_is_known(curve: CurveLike) -> None:
    with pytest.raises(InputError, match="dBFS is out of range: keep between -80 and 0"):
        Intensity(curve)


@pytest.mark.parametrize(
    "table",
    [
        b"0;-35\n3;-14\n",
        b"Zeit;Pegel\r\n0,0;-35,0\r\n3,0;-14,0\r\n;\r\n",
        b"seconds\tdB\n0\t-35\n3\t-14\n",
        "seconds\tdB\r\n0\t-35\r\n3\t-14\r\n".encode("utf-16"),
        b"\xef\xbb\xbf0,-35\n3,-14\n",
    ],
)
def test_tables_are_read_as_spreadsheets_write_them(tmp_path: Path, table: bytes) -> None:
    (tmp_path / "c.csv").write_bytes(table)
    assert read_points(tmp_path / "c.csv") == points([(0, -35), (3, -14)])


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (b"0;-35\n1;loud\n", "line 2: expected seconds;dB but found '1;loud'"),
        (b"0 -35\n1 -14\n", "line 1: expected seconds,dB but found '0 -35'"),
        (b'"seconds\nof it",dB\n0,-35\n1,loud\n', "line 4: "),
        ("Länge,dB\n0,-35\n".encode("latin-1"), "not text in UTF-8 or UTF-16: save it as a CSV"),
        ("0,-35\n".encode("utf-16-le"), "not text in UTF-8 or UTF-16"),
    ],
)
def test_tables_that_cannot_be_read_are_one_clear_line(
    tmp_path: Path, table: bytes, says: str
) -> None:
    (tmp_path / "c.csv").write_bytes(table)
    with pytest.raises(InputError, match=says):
        read_points(tmp_path / "c.csv")


def test_a_bad_row_of_a_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("0,-35\n1,loud\n")
    with pytest.raises(InputError, match="line 2"):
        Intensity(tmp_path / "c.csv")
    (tmp_path / "d.csv").write_text("0,-3O\n1,-14\n")  # no heading
    with pytest.raises(InputError, match=r"line 1: expected seconds,dB but found '0,-3O'"):
        Intensity(tmp_path / "d.csv")
    (tmp_path / "e.csv").write_text("seconds,dB\n")
    with pytest.raises(InputError, match="no seconds,dB rows"):
        Intensity(tmp_path / "e.csv")


def test_a_flat_curve_has_no_shape() -> None:
    with pytest.raises(InputError, match="flat curve"):
        Intensity([-20, -20], loss="correlation").target(FORM)


def test_an_unknown_loss_is_named() -> None:
    with pytest.raises(InputError, match="take mse or correlation"):
        Intensity([-20, -10], loss="mae")  # type: ignore[arg-type]


def test_a_short_recording_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", np.full(24_000, 0.1), 24_000)
    with pytest.raises(InputError, match="longer recording"):
        Intensity(tmp_path / "short.wav").target(FORM)


def test_a_recording_may_be_as_long_as_its_rounded_length(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "ref.wav", np.full(round(6.857 * 24_000), 0.1), 24_000)
    curve = Intensity(tmp_path / "ref.wav").target(replace(FORM, seconds=6.86))
    assert torch.allclose(curve, torch.tensor(-20.0), atol=0.5)
    with pytest.raises(InputError, match="longer recording"):
        Intensity(tmp_path / "ref.wav").target(replace(FORM, seconds=6.87))


@given(st.text(max_size=40))
def test_any_text_is_a_curve_or_one_clear_line(text: str) -> None:
    try:
        points = parse_points(text)
    except InputError as error:
        assert "\n" not in str(error).replace(text, "")
    else:
        assert len(points.times) == len(points.values) > 0
