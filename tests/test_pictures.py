from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from ditto_music import InputError
from ditto_music.audio import Recording
from ditto_music.item import Item
from ditto_music.panels import Bars, Curve, Matrices, Roll
from ditto_music.pictures import check_picture, draw_edit, draw_item, figures

RATE = 8_000
BEGINNINGS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


@pytest.fixture
def item() -> Item:
    times = torch.linspace(0.05, 0.95, 40)
    noise = torch.randn(2, RATE, generator=torch.Generator().manual_seed(0))
    return Item(
        prompt="calm piano",
        seed=0,
        audio=0.1 * noise,
        x_T=torch.zeros(1),
        latent=torch.zeros(1),
        history=[{"loss": loss, "intensity": loss} for loss in (90.0, 20.0, float("nan"), 0.7)],
        metrics={"intensity": {"rms_error_db": 0.8366, "correlation": 0.971}},
        panels=[Curve("intensity", "dBFS", times, -30 + 10 * times, -29 + 9 * times)],
    )


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures saved, as they were."""
    kept: list[Figure] = []
    save = Figure.savefig

    def keep(self: Figure, *args: object, **kwargs: object) -> None:
        kept.append(self)
        save(self, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", keep)
    return kept


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".PNG"])
def test_each_suffix_has_its_format(tmp_path: Path, item: Item, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    draw_item(path, item, RATE)
    assert path.read_bytes().startswith(BEGINNINGS[suffix.lower()])
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["out.gif", "out"])
def test_other_suffixes_are_refused(tmp_path: Path, item: Item, name: str) -> None:
    with pytest.raises(InputError, match=r"\.png, \.svg, \.pdf"):
        draw_item(tmp_path / name, item, RATE)
    with pytest.raises(InputError):
        check_picture(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_has_curves_spectrogram_and_loss(
    tmp_path: Path, item: Item, drawn: list[Figure]
) -> None:
    draw_item(tmp_path / "out.png", item, RATE)
    labels = [ax.get_ylabel() for ax in drawn[0].axes]
    assert labels == ["intensity (dBFS)", "frequency (Hz)", "loss"]
    curve, sound, loss = drawn[0].axes
    assert curve.get_xlim() == sound.get_xlim() == (0, 1)
    assert loss.get_yscale() == "log"
    assert drawn[0].get_suptitle() == "calm piano"
    assert curve.get_title("left") == "intensity 0.8 dB RMS error, 0.97 correlation"


def test_every_kind_of_panel_is_drawn(tmp_path: Path, item: Item, drawn: list[Figure]) -> None:
    times = torch.linspace(0.05, 0.95, 40)
    pitches = torch.tensor([-1] * 10 + [0] * 15 + [2] * 15)
    hertz = torch.logspace(1.5, 3.5, 40)
    panels = [
        Roll("melody", ["C", "C#", "D"], times, pitches, torch.rand(3, 40)),
        Matrices("structure", 1.0, torch.eye(8), torch.rand(8, 8)),
        Bars("style", "probability", ["jazz", "rock"], torch.ones(2), torch.tensor([0.3, 0.1])),
        Curve("balance", "dB", hertz, torch.zeros(40), torch.rand(40), "frequency (Hz)"),
    ]
    draw_item(tmp_path / "out.png", replace(item, panels=panels), RATE)
    melody, structure, style, balance, *_ = drawn[0].axes
    assert [tick.get_text() for tick in melody.get_yticklabels()] == ["C", "C#", "D"]
    parts = [ax.get_ylabel() for ax in structure.child_axes]
    assert parts == ["structure, target", "structure, achieved"]
    assert [tick.get_text() for tick in style.get_xticklabels()] == ["jazz", "rock"]
    assert balance.get_xscale() == "log"
    line = melody.lines[0].get_ydata()
    assert np.isnan(line[:10]).all()
    assert line[-1] == 2


@pytest.mark.parametrize("losses", [[], [float("nan")]], ids=["none", "not a number"])
def test_a_loss_that_is_not_there_is_left_out(
    tmp_path: Path, item: Item, drawn: list[Figure], losses: list[float]
) -> None:
    plain = replace(item, panels=[], metrics={}, history=[{"loss": loss} for loss in losses])
    draw_item(tmp_path / "out.png", plain, RATE)
    assert [ax.get_ylabel() for ax in drawn[0].axes] == ["frequency (Hz)"]


@pytest.mark.parametrize(
    "prompt", ["", "$x^ $ \\frac", "静かなピアノ 🎹", "very " * 99, "two\nlines"]
)
def test_any_prompt_can_be_a_title(tmp_path: Path, item: Item, prompt: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_item(tmp_path / "out.png", replace(item, prompt=prompt), RATE)
    assert (tmp_path / "out.png").stat().st_size > 10_000


def test_a_picture_that_fails_leaves_the_old_one(
    tmp_path: Path, item: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Figure, path: Path, **_: object) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    (tmp_path / "out.png").write_bytes(b"old")
    monkeypatch.setattr(Figure, "savefig", broken)
    with pytest.raises(KeyboardInterrupt):
        draw_item(tmp_path / "out.png", item, RATE)
    assert (tmp_path / "out.png").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_figures_read_as_words(item: Item) -> None:
    assert figures(item) == "intensity 0.8 dB RMS error, 0.97 correlation"
    more = {**item.metrics, "melody": {"chroma_accuracy": 0.5}, "match": {}}
    assert figures(replace(item, metrics=more)).endswith("; melody 0.50 chroma accuracy")
    more = {"structure": {"mse": 0.004, "contrast": 0.84}, "tempo": {"bpm": 120.38}}
    told = figures(replace(item, metrics=more))
    assert told == "structure 0.00 MSE, 0.84 contrast; tempo 120 bpm"


def test_an_edit_marks_its_regions(tmp_path: Path, drawn: list[Figure]) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, (2 * RATE, 2)).astype(np.float32)
    recording = Recording(samples, RATE, "WAV", "FLOAT")
    draw_edit(tmp_path / "out.svg", recording, [(0.5, 1.0), (1.5, 1.75)])
    wave, sound = drawn[0].axes
    assert len(wave.patches) == 2
    assert [line.get_xdata()[0] for line in sound.lines] == [0.5, 1.0, 1.5, 1.75]
    assert drawn[0].get_suptitle() == "new: 0.50 to 1.00 s, 1.50 to 1.75 s"


def test_parts_of_one_curve_have_one_panel(tmp_path: Path, drawn: list[Figure]) -> None:
    recording = Recording(np.zeros((3 * RATE, 1), np.float32), RATE, "WAV", "FLOAT")
    times = torch.linspace(0.1, 0.9, 5)
    level = Curve("intensity", "dBFS", times, times - 30, times - 29)
    bright = Curve("brightness", "Hz", times, times, times)
    spectrum = replace(level, name="spectrum", axis="frequency (Hz)")
    panels = [(start, one) for start in (2.0, 1.0) for one in (level, bright, spectrum)]
    draw_edit(tmp_path / "out.svg", recording, [(1.0, 2.0), (2.0, 3.0)], panels)
    named = [ax.get_ylabel().split()[0] for ax in drawn[0].axes[2:]]
    assert named == ["intensity", "brightness", "spectrum", "spectrum"]
    line = drawn[0].axes[2].lines[0].get_xdata()
    there = [*(times + 1).tolist(), float("nan"), *(times + 2).tolist()]
    assert line == pytest.approx(there, nan_ok=True)
