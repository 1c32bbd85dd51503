"""Melody: every form of tune, the loss, and one clear line for every bad one."""

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ditto_music import InputError, Melody, optimize
from ditto_music.controls.notes import Note, Tune, parse_notes
from ditto_music.features.chroma import chroma, chroma_times
from ditto_music.models.small import SmallModel
from ditto_music.panels import Roll
from ditto_music.protocols import Form

FORM = Form(6.0, 24_000, (8, 282), torch.device("cpu"))
TUNE = [(0.0, 1.0, 60), (1.5, 2.0, 64), (2.0, 6.0, 67)]


def at(target: Tensor, seconds: float) -> int:
    """Class of the frame nearest to a time."""
    return int(target[round(seconds * 24_000 / 1024)])


def sung(
    pitches: list[float], seconds: float = 0.5, rate: int = 16_000, lead: float = 0.0
) -> np.ndarray:
    """One tone after the other with five harmonics, after `lead` seconds of silence."""
    time = np.arange(round(seconds * rate)) / rate
    edge = np.minimum(1, 50 * np.minimum(time, seconds - time))
    hertz = [440 * 2 ** ((pitch - 69) / 12) for pitch in pitches]
    voice = [sum(np.sin(2 * np.pi * f * k * time) / k for k in range(1, 6)) for f in hertz]
    return np.concatenate([np.zeros(round(lead * rate)), *[0.1 * edge * one for one in voice]])


def test_every_form_of_a_tune_is_the_same_target() -> None:
    forms = [
        "C4:1 .:0.5 E4:0.5 G4:4",
        "c:1,.:0.5,e:.5,g:4e0",
        "B#3:1  .:0.5 Fb4:0.5 F##4:4",
        "C♯4:1 .:.5 F4:.5 A♭4:4",
        TUNE,
        np.array(TUNE),
        [*TUNE, (0.2, 0.8, 48), (3, 5, 40)],  # under the highest
    ]
    targets = [Melody(form).target(FORM) for form in forms]
    targets[3] = torch.where(targets[3] >= 0, targets[3] - 1, -1)
    for target in targets[1:]:
        assert torch.equal(target, targets[0])
    assert [at(targets[0], t) for t in (0, 0.5, 1.2, 1.75, 3.0, 5.9)] == [0, 0, -1, 4, 7, 7]


def test_notes_without_lengths_share_the_clip() -> None:
    target = Melody("C . E G").target(FORM)
    assert [at(target, t) for t in (0.1, 1.4, 2.0, 3.1, 4.4, 5.9)] == [0, 0, -1, 4, 4, 7]


def test_a_long_tune_is_no_file_name() -> None:
    assert torch.equal(Melody("C:0.02 " * 300).target(FORM), Melody("C:6").target(FORM))
    with pytest.raises(InputError, match="no such file"):
        Melody("C4" * 300 + ".mid")


def test_the_rest_of_a_short_tune_and_changes_of_note_are_free() -> None:
    target = Melody("C:1 D:1").target(FORM)
    assert (target[chroma_times(FORM.frames, FORM.sample_rate) > 2] == -1).all()
    assert at(target, 1.0) == -1
    assert {0, 2, -1} == set(target.tolist())
    octave = Melody("C4:1 C5:1").target(FORM)
    assert at(octave, 1.0) == 0


def test_a_tune_can_be_transposed_and_stretched() -> None:
    plain = Melody("C:1 E:2").target(FORM)
    higher = Melody("C:1 E:2", transpose=10).target(FORM)
    assert torch.equal(higher, torch.where(plain >= 0, (plain + 10) % 12, -1))
    twice = Melody("C:1 E:2", stretch=2).target(FORM)
    assert torch.equal(twice, Melody("C:2 E:4").target(FORM))
    assert torch.equal(twice, Melody("C:1 E:2", stretch="fit").target(FORM))
    assert torch.equal(Melody("C E", stretch="fit").target(FORM), Melody("C E").target(FORM))
    assert torch.equal(Melody("C E", stretch=0.5).target(FORM), Melody("C E . .").target(FORM))
    for number in (np.float32, np.int64):
        assert torch.equal(twice, Melody("C:1 E:2", stretch=number(2)).target(FORM))


@pytest.mark.parametrize("number", [float, np.float32, np.int64])
def test_whole_semitones_may_be_any_number(number: type) -> None:
    control = Melody("C:1 E:2", transpose=number(10))
    target = control.target(FORM)
    assert torch.equal(target, Melody("C:1 E:2", transpose=10).target(FORM))
    assert control.loss(torch.zeros(1, 13, len(target)), target).isfinite()


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_a_scale_of_pure_tones_scores_all(rate: int) -> None:
    time = torch.arange(rate // 2) / rate
    pitches = list(range(60, 72))
    tones = [torch.sin(2 * math.pi * 440 * 2 ** ((p - 69) / 12) * time) for p in pitches]
    control = Melody("C C# D D# E F F# G G# A A# B")
    target = control.target(Form(6.0, rate, (8, 282), torch.device("cpu")))
    feature = chroma(0.1 * torch.cat(tones)[None], rate)
    assert control.metrics(feature, target)["accuracy"].tolist() == [1]
    assert float(control.loss(feature, target)) < control.tolerance
    wrong = control.loss(feature.roll(6, 1), target)
    assert float(wrong) > math.log(12)


def test_loss_is_the_cross_entropy_of_the_frames_that_have_a_note() -> None:
    control = Melody([(0, 3, 62)])
    target = control.target(FORM)
    voiced = int((target >= 0).sum())
    feature = torch.full((2, 13, len(target)), 1 / 13).log()
    feature[1, :, : voiced // 2] = torch.tensor([0.04] * 2 + [0.52] + [0.04] * 10).log()[:, None]
    wanted = (voiced // 2 * math.log(1 / 0.52) + (voiced - voiced // 2) * math.log(13)) / voiced
    assert control.loss(feature, target).tolist() == pytest.approx([math.log(13), wanted])
    assert control.metrics(feature, target)["accuracy"].tolist() == pytest.approx(
        [0, voiced // 2 / voiced]
    )


def test_the_loss_has_a_finite_gradient_that_reaches_every_voiced_frame(
    generator: torch.Generator,
) -> None:
    control = Melody(TUNE)
    target = control.target(FORM)
    feature = torch.randn(2, 13, len(target), generator=generator).requires_grad_()
    control.loss(feature.log_softmax(1), target).sum().backward()
    reached = feature.grad.abs().sum(1) > 0
    assert torch.equal(reached, (target >= 0).expand(2, -1))


def test_the_panel_shows_classes_by_name() -> None:
    control = Melody(TUNE)
    target = control.target(FORM)
    feature = torch.zeros(13, len(target)).log_softmax(0)
    [roll] = control.panels(feature, target, FORM)
    assert isinstance(roll, Roll)
    assert roll.rows[0] == "C"
    assert roll.achieved.shape == (12, len(roll.times)) == (12, len(roll.target))
    assert torch.allclose(roll.achieved, torch.tensor(1 / 13))


def test_a_search_goes_towards_the_tune(model: SmallModel) -> None:
    control = Melody("C . E G")
    settings = {"duration": 1.0, "steps": 2, "surrogate_steps": 2, "tolerance": 0.0}
    result = optimize(model, "calm", control, iterations=6, **settings)
    item = result.items[0]
    assert item.final["loss"] < item.history[0]["loss"] - 0.1
    assert item.metrics["melody"]["accuracy"] == item.final["melody.accuracy"]


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_a_recorded_voice_gives_its_notes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"hummed{suffix}"
    soundfile.write(path, sung([60.44, 64.56, 62.53, 67.47], lead=0.4), 16_000)
    tune = Melody(path).tune
    pitches = [note.pitch for note in tune.notes]
    assert [pitch - pitches[0] for pitch in pitches] == [
        0,
        4,
        2,
        7,
    ]  # a quarter tone off throughout
    assert pitches[0] in (60, 61)
    starts = [note.start for note in tune.notes]
    assert starts == pytest.approx([0, 0.5, 1.0, 1.5], abs=0.05)
    assert tune.seconds == pytest.approx(2.0, abs=0.05)


def test_a_quiet_room_between_sung_notes_is_a_rest(tmp_path: Path) -> None:
    time = np.arange(16_000) / 16_000
    hum = 1e-4 * np.sin(2 * np.pi * 100 * time)
    audio = np.concatenate([sung([69]), hum, sung([71])])
    soundfile.write(tmp_path / "sung.wav", audio, 16_000, subtype="FLOAT")
    assert [note.pitch for note in Melody(tmp_path / "sung.wav").tune.notes] == [69, 71]


def test_a_longer_file_is_cut_but_longer_notes_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "sung.wav", sung([60, 62, 64]), 16_000)
    short = Form(1.0, 24_000, (8, 47), torch.device("cpu"))
    assert set(Melody(tmp_path / "sung.wav").target(short).tolist()) == {0, 2, -1}
    with pytest.raises(InputError, match=r"notes last 1\.5 s, the clip 1 s: .*duration longer"):
        Melody("C:.5 D:.5 E:.5").target(short)
    rounded = Form(1.49, 24_000, (8, 70), torch.device("cpu"))  # as edits may round what was asked
    assert set(Melody("C:.5 D:.5 E:.5").target(rounded).tolist()) == {0, 2, 4, -1}
    fitted = Melody(tmp_path / "sung.wav", stretch="fit").target(short)
    assert set(fitted.tolist()) >= {0, 2, 4}


@pytest.mark.parametrize(
    ("tune", "says"),
    [
        ("", "no notes"),
        (" , ", "no notes"),
        ("H4:1", "'H4' is not a note: a note is a letter"),
        ("C4:1 Cis:1", "'Cis' is not a note"),
        ("C#b44", "not a note"),
        ("C4:0", "'C4:0' has no length that can be used"),
        ("C4:-1", "no length that can be used"),
        ("C4:nan", "no length that can be used"),
        ("C4:inf", "no length that can be used"),
        ("C4:", "no length that can be used"),
        ("C4:1:2", "no length that can be used"),
        ("C4:long", "no length that can be used"),
        ("C4:1 E4", "'E4' has no length but others have"),
        (". .", "only rests"),
        (".:3", "only rests"),
        ("C4:3 D4:4", "notes last 7 s, the clip 6 s"),
        ("C4:0.001 .:5", "no note lasts long enough"),
        ([], "shape"),
        ([60, 62], "shape"),
        ([(0, 1)], "shape"),
        (["C4", "E4"], "into one text"),
        ([(0, 1, 60), (1, 2)], "rows of three numbers"),
        ([(0, 1, 60), (1, math.nan, 62)], "note 2 lasts from 1 to nan"),
        ([(1, 1, 60)], "note 1"),
        ([(2, 1, 60)], "end after it begins"),
        ([(-1, 1, 60)], "begin at 0"),
        ([(0, 1, 200)], "pitch 200"),
        ([(0, 1, 60.5)], "whole MIDI number"),
        ([(0, 1, 60), (5, 7, 62)], "notes last 7 s"),
        ("gone.wav", "no such file"),
        ("gone.mid", "no such file"),
        (Path("C4"), "no such file"),
    ],
)
def test_bad_tunes_are_one_clear_line(tune: object, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        Melody(tune).target(FORM)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"transpose": 0.5}, "whole semitones"),
        ({"transpose": math.nan}, "whole semitones"),
        ({"stretch": 0}, "factor above 0"),
        ({"stretch": -1.0}, "factor above 0"),
        ({"stretch": math.inf}, "factor above 0"),
        ({"stretch": math.nan}, "factor above 0"),
        ({"stretch": "long"}, "factor above 0, or fit"),
        ({"stretch": 7}, "notes last 7 s"),
        ({"part": 1}, "only a MIDI file has parts"),
    ],
)
def test_bad_options_are_one_clear_line(more: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        Melody("C:1", **more).target(FORM)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("audio", "says"),
    [
        (np.random.default_rng(0).normal(0, 0.1, 16_000), "no pitch was found"),
        (np.zeros(16_000), "no pitch was found"),
        (np.full(800, 0.1), "too short to have a pitch"),
    ],
    ids=["noise", "silence", "a click"],
)
def test_recordings_without_a_tune_are_one_clear_line(
    tmp_path: Path, audio: np.ndarray, says: str
) -> None:
    soundfile.write(tmp_path / "bad.wav", audio, 16_000)
    with pytest.raises(InputError, match=says) as caught:
        Melody(tmp_path / "bad.wav")
    assert "bad.wav" in str(caught.value)


def test_text_is_a_file_where_it_names_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    soundfile.write("C4.wav", sung([62]), 16_000)
    Path("C4.wav").rename("C4")
    assert [note.pitch for note in Melody("C4").tune.notes] == [62]


@given(st.text(max_size=30))
def test_any_text_is_a_tune_or_one_clear_line(text: str) -> None:
    try:
        tune = parse_notes(text)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert tune.notes
        assert 0 < tune.seconds < math.inf


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.integers(1, 30), st.integers(0, 127)),
        min_size=1,
        max_size=12,
    )
)
def test_the_highest_note_sounding_is_the_melody(rows: list[tuple[int, int, int]]) -> None:
    notes = [Note(start / 10, (start + length) / 10, pitch) for start, length, pitch in rows]
    found = Tune(notes, 8.0).at(torch.arange(80) / 10 + 0.05)
    for place, pitch in enumerate(found.tolist()):
        now = place / 10 + 0.05
        sounding = [note.pitch for note in notes if note.start <= now < note.end]
        assert pitch == max(sounding, default=-1)
