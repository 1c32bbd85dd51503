"""Structure: forms in every spelling, recordings, and one clear line for every bad one."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import butter, sosfilt

from ditto_music import InputError, Structure, load_model, optimize
from ditto_music.controls.structure import parse_form
from ditto_music.features.timbre import timbre_times
from ditto_music.models.small import SmallModel
from ditto_music.protocols import Clip, Form

RATE = 24_000
FORM = Form(6.0, RATE, (8, 282), torch.device("cpu"))
TIMES = timbre_times(FORM.frames, RATE)


class Sound(Clip):
    """A clip of given samples (B, N)."""

    def __init__(self, samples: torch.Tensor, model: SmallModel) -> None:
        super().__init__(model, torch.zeros(len(samples), 1), samples.shape[-1])
        self.audio = samples[:, None]  # type: ignore[misc]


def song(form: str, seconds: float) -> torch.Tensor:
    """A section of its own sound a letter, each as long: (1, N)."""
    noise = np.random.default_rng(0).standard_normal(round(seconds * RATE))
    bands = {"A": (80, 300), "B": (700, 1500), "C": (4000, 8000)}
    sounds: dict[str, torch.Tensor] = {}
    for letter, band in bands.items():
        sound = sosfilt(butter(1, band, "bandpass", fs=RATE, output="sos"), noise)
        sounds[letter] = torch.from_numpy(0.1 * sound / sound.std()).float()
    sounds |= {"a": 0.05 * sounds["A"]}  # the same, 26 dB quieter
    return torch.cat([sounds[letter] for letter in form])[None]


def at(matrix: torch.Tensor, first: float, second: float) -> float:
    """Entry of the moments nearest to two times."""
    i, j = (int((TIMES - seconds).abs().argmin()) for seconds in (first, second))
    return float(matrix[i, j])


@pytest.mark.parametrize(
    "spelling",
    ["AABA", "aaba", "A A B A", "A,A,B,A", " AA  BA ", "xxyx", "A:3 B:1.5 A", "A:1.5 A B A:1.5"],
)
def test_every_spelling_of_a_form_is_the_same_matrix(spelling: str) -> None:
    matrix = Structure(spelling).target(FORM)
    assert torch.equal(matrix, Structure("AABA").target(FORM))
    for first, second, alike in ((0.7, 2.2, 1), (0.7, 5.2, 1), (0.7, 3.7, 0), (3.7, 3.7, 1)):
        assert at(matrix, first, second) == pytest.approx(alike, abs=0.01)


def test_lengths_are_seconds_and_the_rest_is_shared() -> None:
    matrix = Structure("A:1 B C A:2").target(FORM)
    assert at(matrix, 0.5, 5.2) == pytest.approx(1, abs=0.1)
    for first, second in ((0.5, 1.7), (1.7, 3.2), (3.2, 5.2)):
        assert at(matrix, first, second) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("seconds", [3.9893, 4.02])
def test_lengths_may_miss_the_clip_s_by_a_little(seconds: float) -> None:
    form = Form(seconds, RATE, (), FORM.device)
    assert torch.equal(Structure("A:2 B:2").target(form), Structure("A:2 B").target(form))
    with pytest.raises(InputError, match=r"add up to 4\.1 s"):
        Structure("A:2 B:2.1").target(form)


def test_what_is_left_may_be_just_the_shortest() -> None:
    """2.3 - 1.8 is a little less than 0.5."""
    assert Structure("A:1.8 B").target(Form(2.3, RATE, (), FORM.device)).isfinite().all()


@pytest.mark.parametrize("form", ["AB", "ABA", "AABA", "ABAC", "ABCABC"])
def test_music_of_that_form_meets_it_and_other_music_does_not(form: str, model: SmallModel) -> None:
    control = Structure(form)
    target = control.target(FORM)
    good, bad = (
        control.feature(Sound(song(sections, 6 / len(sections)), model))
        for sections in (form, form.replace("B", "A"))
    )
    # Three sounds in a row, low, middle and high, are not all as unlike as three can be.
    loss = float(control.loss(good, target))
    assert loss < (0.07 if "C" in form else control.tolerance)
    assert float(control.loss(bad, target)) > 3 * loss
    wanted = control.metrics(target[None], target)
    assert wanted["mse"].tolist() == [0]
    contrast = float(control.metrics(good, target)["contrast"])
    assert contrast == pytest.approx(float(wanted["contrast"]), abs=0.1)
    assert float(control.metrics(bad, target)["contrast"]) < contrast - 0.05


def test_a_louder_repeat_is_still_a_repeat(model: SmallModel) -> None:
    control = Structure("ABA")
    target = control.target(FORM)
    loss = control.loss(control.feature(Sound(song("ABa", 2), model)), target)
    assert float(loss) < control.tolerance


@pytest.mark.parametrize(("form", "part"), [("AABA", 0), ("AB", 1), ("ABA", 1)])
def test_silence_is_no_sound_that_a_part_may_have(form: str, part: int, model: SmallModel) -> None:
    control = Structure(form)
    target = control.target(FORM)
    music = song(form, 6 / len(form))
    length = music.shape[-1] // len(form)
    music[:, part * length : (part + 1) * length] = 0
    loss = control.loss(control.feature(Sound(music, model)), target)
    assert float(loss) > 2 * control.tolerance


def test_a_recording_is_copied_in_detail(tmp_path: Path, model: SmallModel) -> None:
    audio = song("ABACAB", 1.1)
    soundfile.write(tmp_path / "song.wav", audio[0].numpy(), RATE, subtype="FLOAT")
    for path in (tmp_path / "song.wav", str(tmp_path / "song.wav")):
        control = Structure(path)
        target = control.target(FORM)
        itself = control.feature(Sound(audio[:, : FORM.frames], model))
        assert torch.allclose(itself[0], target, atol=1e-4)
        assert float(control.loss(itself, target)) < 1e-8
        assert control.metrics(itself, target)["correlation"].tolist() == pytest.approx([1])
        other = control.feature(Sound(song("AB", 3), model))
        assert float(control.loss(other, target)) > control.tolerance
        assert float(control.metrics(other, target)["correlation"]) < 0.5


@pytest.mark.parametrize("sound", [torch.zeros(2, 48_000), torch.ones(2, 48_000)])
def test_silence_has_a_finite_loss_and_gradient(sound: torch.Tensor, model: SmallModel) -> None:
    control = Structure("AB")
    sound = sound.clone().requires_grad_()
    losses = control.loss(
        control.feature(Sound(sound, model)), control.target(Form(2.0, RATE, (), FORM.device))
    )
    assert losses.shape == (2,)
    losses.sum().backward()
    assert torch.isfinite(losses).all()
    assert torch.isfinite(sound.grad).all()


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ("", "form is empty"),
        ("  ", "form is empty"),
        ("A", "only one letter"),
        ("AAA", "only one letter"),
        ("aA", "only one letter"),
        ("A:6", "only one letter"),
        ("A1BA", "'1' is no letter"),
        ("AB'A", "''' is no letter"),
        ("A-B", "'-' is no letter"),
        ("ÄB", "'Ä' is no letter"),
        (":2 A", "':2' is no letter with its length"),
        ("AB:2 A", "'AB:2' is no letter with its length"),
        ("A:two B", "'A:two': the length must be a number"),
        ("A:2s B", "number of seconds above 0"),
        ("A: B", "number of seconds above 0"),
        ("A:0 B", "number of seconds above 0"),
        ("A:-1 B", "number of seconds above 0"),
        ("A:nan B", "number of seconds above 0"),
        ("A:inf B", "number of seconds above 0"),
        ("A:2 B:2", "add up to 4 s, but the clip has 6 s"),
        ("A:4 B:4", "add up to 8 s, but the clip has 6 s"),
        ("A:5 B:2 A", "add up to 7 s, but the clip has 6 s"),
        ("A:6 B", r"section 2 \(B\) of 0 s is too short.*0.5 s or more"),
        ("A:5.7 B:0.3", r"section 2 \(B\) of 0.3 s is too short"),
        ("AB" * 7, r"section 1 \(A\) of 0.43 s is too short"),
        ("missing.wav", "structure missing.wav: there is no such file"),
        ("folder/missing", "no such file"),
        ("long/" * 999, "structure long/.*long/"),
        (Path("nowhere"), "structure nowhere: there is no such file"),
    ],
)
def test_bad_forms_are_one_clear_line(form: str | Path, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        Structure(form).target(FORM)
    assert "\n" not in str(caught.value)


def test_bad_recordings_are_one_clear_line(tmp_path: Path) -> None:
    for name, samples, says in (
        ("short", np.sin(np.arange(2 * RATE) / 9), "2.00 s of audio, but the clip has 6 s"),
        ("silent", np.zeros(7 * RATE), "the same all along"),
        ("steady", np.sin(np.arange(7 * RATE) / 9), "the same all along"),
    ):
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE)
        with pytest.raises(InputError, match=says):
            Structure(tmp_path / f"{name}.wav").target(FORM)
    (tmp_path / "text.wav").write_text("la la la")
    with pytest.raises(InputError, match="not an audio file"):
        Structure(tmp_path / "text.wav").target(FORM)


def test_a_clip_shorter_than_two_moments_has_no_structure() -> None:
    with pytest.raises(InputError, match="too short to have a structure"):
        Structure("AB").target(Form(0.4, RATE, (), FORM.device))


@given(st.text(alphabet=st.sampled_from("ABab:.0123456789 ,-é'\n"), max_size=30))
def test_any_text_is_a_form_or_one_clear_line(text: str) -> None:
    try:
        sections = parse_form(text)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert len(sections.letters) == len(sections.lengths) > 1
        assert len(set(sections.letters)) > 1


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_targets_fit_features_at_any_rate(rate: int, model: SmallModel) -> None:
    for seconds in (1.0, 3.3, 12.0):
        form = Form(seconds, rate, (), FORM.device)
        hop = round(rate * 1024 / RATE)
        count = (form.frames // hop + 1 - 8) // 3 + 1
        assert Structure("AB").target(form).shape == (count, count)


def test_the_optimiser_brings_the_form_about() -> None:
    model = load_model("debug")
    control = Structure("AB")
    result = optimize(
        model,
        "",
        control,
        duration=1,
        steps=3,
        surrogate_steps=3,
        iterations=10,
        lr=0.2,
    )
    item = result.items[0]
    assert item.final["structure"] < 0.6 * item.history[0]["structure"]
    first, last = item.metrics["structure"], item.panels[0]
    assert first["mse"] == pytest.approx(item.final["structure"])
    assert last.target.shape == last.achieved.shape
