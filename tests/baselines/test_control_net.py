"""The trained branch: nothing before training, what it is told and where, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from ditto_music import Brightness, InputError, Intensity, Melody, Progress, Rhythm, Settings
from ditto_music.baselines import control_net, plain
from ditto_music.baselines.control_net import held, told_of
from ditto_music.controls import Match
from ditto_music.controls.part import Part
from ditto_music.models.small import SmallModel
from ditto_music.models.small.control_net import (
    CONTROLS,
    FILE,
    Branched,
    ControlNet,
    ControlNetConfig,
    asked,
    at,
    load_branch,
    masked,
    melody_track,
)
from ditto_music.models.small.denoiser import Text
from ditto_music.problem import Problem, form_of
from training.weights import save_weights

FAST = {"duration": 1.0, "steps": 3}
BOTH = Intensity([-35, -14]) + Melody("C4 E4")


@pytest.fixture
def branch(model: SmallModel) -> ControlNet:
    """As before training."""
    return ControlNet.beside(model.denoiser, hidden=8)


@pytest.fixture
def loud(branch: ControlNet) -> ControlNet:
    """As if it had learnt something, whatever it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        for layer in (branch.enter, *branch.leave):
            torch.nn.init.normal_(layer.weight, std=0.3)
    return branch


@pytest.fixture
def hits(tmp_path: Path) -> Path:
    """A recording of five hits."""
    sound = np.zeros(36_000, np.float32)
    noise = np.random.default_rng(0).standard_normal(2400).astype(np.float32)
    for start in range(2400, 36_000, 7200):
        sound[start : start + 2400] = 0.3 * noise * np.exp(-np.arange(2400) / 400)
    soundfile.write(tmp_path / "hits.wav", sound, 24_000)
    return tmp_path / "hits.wav"


# --- the branch ----------------------------------------------------------------------------------


def test_before_training_the_music_is_the_bases(model: SmallModel, branch: ControlNet) -> None:
    more = {"seed": [0, 1], **FAST}
    told = control_net(model, ["calm", "slow jazz"], BOTH, branch=branch, **more)
    free = plain(model, ["calm", "slow jazz"], BOTH, **more)
    assert torch.equal(told.audio, free.audio)
    for copy, block in zip(branch.blocks, model.denoiser.blocks, strict=False):
        pairs = zip(copy.parameters(), block.parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)


def test_what_is_asked_is_heard_once_it_has_learnt(model: SmallModel, loud: ControlNet) -> None:
    rise, fall = (
        control_net(model, "calm", Intensity(curve), branch=loud, **FAST).items[0].latent
        for curve in ([-35, -14], [-14, -35])
    )
    assert not torch.allclose(rise, fall, atol=1e-3)


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_not_given_has_no_influence(
    model: SmallModel, loud: ControlNet, name: str
) -> None:
    """Not whole, and not in a stretch; where it is given, it has one."""
    generator = torch.Generator().manual_seed(0)
    frames = model.latent_shape(1.0)[-1]
    values = sum(CONTROLS.values())
    wild = torch.randn(1, frames, values, generator=generator)
    given = torch.ones(1, frames, len(CONTROLS))
    given[:, 10:, [*CONTROLS].index(name)] = 0
    places = torch.arange(len(CONTROLS)).repeat_interleave(torch.tensor([*CONTROLS.values()]))
    own = places == [*CONTROLS].index(name)

    def velocity(values: Tensor) -> Tensor:
        text = model.condition(["calm"], 1.0).tensors
        x_t = torch.randn(1, *model.latent_shape(1.0), generator=torch.Generator().manual_seed(3))
        told = torch.cat([values, given], -1)
        return loud(model.denoiser, x_t, torch.tensor(0.7), Text(**text), told)

    before = velocity(wild)
    unseen, seen = wild.clone(), wild.clone()
    unseen[:, 10:, own] += 5
    seen[:, :10, own] += 5
    assert torch.equal(velocity(unseen), before)
    assert not torch.allclose(velocity(seen), before, atol=1e-4)


def test_items_are_independent(model: SmallModel, loud: ControlNet) -> None:
    controls = [Intensity([-35, -14]), Melody("C4 E4")]
    start = torch.randn(2, *model.latent_shape(1.0), generator=torch.Generator().manual_seed(0))
    both = control_net(model, ["calm", "jazz"], controls, branch=loud, x_T=start, **FAST)
    alone = control_net(model, "jazz", controls[1], branch=loud, x_T=start[1:], **FAST)
    assert torch.allclose(both.items[1].latent, alone.items[0].latent, atol=1e-5)
    assert [item.prompt for item in both.items] == ["calm", "jazz"]


def test_guidance_is_of_the_words_alone(model: SmallModel, loud: ControlNet) -> None:
    """The branch is on for the prompt and for what guidance moves away from."""
    form = form_of(model, 1.0)
    told = told_of(BOTH.objectives(form), form, model)
    problem = Problem(Branched(model, loud, told), "calm", BOTH, 0, Settings(1.0, 3, 2.5))
    x_t, t = problem.noise(), torch.tensor(0.8)
    calm, nothing = (
        x_t - t * loud(model.denoiser, x_t, t, Text(**model.condition([words], 1.0).tensors), told)
        for words in ("calm", "")
    )
    guided = problem.denoiser([0])(x_t, t)
    assert torch.allclose(guided, nothing + 2.5 * (calm - nothing), atol=1e-5)
    assert not torch.allclose(calm, nothing, atol=1e-4)


def test_its_report_is_of_one_evaluation(model: SmallModel, loud: ControlNet) -> None:
    seen: list[Progress] = []
    result = control_net(model, ["calm", "jazz"], BOTH, branch=loud, callback=seen.append, **FAST)
    assert result.method == "control-net"
    assert len(seen) == 1
    for item, row in zip(result.items, seen[0].rows, strict=True):
        assert item.history == [row]
        assert item.history[0]["loss"] == pytest.approx(item.final["loss"], rel=1e-5)
        assert item.stopped == "iterations"
    easy = control_net(model, "calm", BOTH, branch=loud, tolerance=1e9, **FAST)
    assert easy.items[0].stopped == "tolerance"


def test_weights_on_disk_are_the_weights(
    model: SmallModel, loud: ControlNet, tmp_path: Path
) -> None:
    file = tmp_path / FILE
    save_weights(file, loud.half().float().state_dict(), loud.config)
    again = load_branch(file, model.denoiser.config)
    assert again.config == ControlNetConfig(copied=1, hidden=8)
    pairs = zip(again.parameters(), loud.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


# --- what it is told -----------------------------------------------------------------------------


def test_it_is_told_the_targets_and_no_more(model: SmallModel, hits: Path) -> None:
    form = form_of(model, 1.0)
    all_three = Intensity([-42, -18]) + Melody("C4:.5 .:.2 E4:.3") + 0.5 * Rhythm(hits)
    told = told_of(all_three.objectives(form), form, model)[0]
    level, classes, onsets, given = told.split([1, 12, 2, 3], -1)
    assert told.shape == (form.latent_shape[-1], 18)
    assert float(level[23:25].mean()) == pytest.approx(0, abs=0.05)  # -30 dBFS, in twelves
    assert float(level[46] - level[0]) == pytest.approx(2, abs=0.4)
    assert torch.equal(classes[:21, 0], torch.ones(21))
    assert classes[36:45, 4].tolist() == [1] * 9
    assert given[:21, 1].tolist() == [1] * 21
    assert given[26:30].tolist() == [[1, 0, 1]] * 4  # a rest is free
    assert float(classes[26:30].sum()) == 0
    peaks = onsets.flatten().topk(4).indices.sort().values * model.seconds_per_frame / 2
    assert any(abs(float(peak) - 0.1) < 0.04 for peak in peaks)
    alone = told_of(Intensity([-42, -18]).objectives(form), form, model)[0]
    assert torch.equal(alone[:, 0], told[:, 0])
    assert float(alone[:, 1:15].abs().sum()) == 0
    assert alone[0, 15:].tolist() == [1, 0, 0]


@pytest.mark.parametrize("name", ["intensity", "melody", "rhythm"])
def test_of_a_part_it_is_told_what_is_asked_there(model: SmallModel, hits: Path, name: str) -> None:
    """As of a clip that is only the part, and nothing around it."""
    frame, first, size = model.seconds_per_frame, 12, 24
    start, stop = first * frame, (first + size) * frame
    control = {
        "intensity": Intensity([-42, -18]),
        "melody": Melody("C4 E4"),
        "rhythm": Rhythm(hits),
    }
    form, small = form_of(model, 1.0), form_of(model, stop - start)
    told = told_of(Part(control[name], start, stop).objectives(form), form, model)[0]
    alone = told_of(control[name].objectives(small), small, model)[0]
    given = told[:, 15 + list(CONTROLS).index(name)]
    assert given[first : first + size].tolist() == alone[:size, 15:].sum(1).tolist()
    assert torch.allclose(told[first : first + size], alone[:size], atol=1e-3)
    assert float(told[:first].abs().sum() + told[first + size :].abs().sum()) == 0


def test_a_part_and_a_whole_are_followed_together(model: SmallModel, loud: ControlNet) -> None:
    asked = Part(Intensity([-42, -18]), 0.25, 0.75) + Melody("C4 E4")
    part = control_net(model, "calm", asked, branch=loud, **FAST)
    whole = control_net(model, "calm", BOTH, branch=loud, **FAST)
    tune = control_net(model, "calm", Melody("C4 E4"), branch=loud, **FAST)
    for other in (whole, tune):
        assert not torch.allclose(part.items[0].latent, other.items[0].latent, atol=1e-3)


def test_a_change_of_notes_is_no_rest() -> None:
    target = torch.tensor([-1, 0, 0, -1, 4, 4, -1, -1, 7, -1, -1, -1, 2, -1, -1])
    wanted = [-1, 0, 0, 0, 4, 4, 4, 4, 7, -1, -1, -1, 2, -1, -1]
    assert held(target).tolist() == wanted


def test_a_rest_that_is_asked_for_is_none_of_the_classes() -> None:
    track = melody_track(torch.tensor([[0, 12, -1]]), torch.tensor([0.5, 1.5, 2.5]), 1.0, 3)[0]
    assert track[:, 12].tolist() == [1, 1, 0]
    assert track[:, :12].sum(1).tolist() == [1, 0, 0]


def test_curves_are_straight_between_their_points() -> None:
    curve, times = torch.tensor([[0.0, 10.0, 4.0]]), torch.tensor([1.0, 2.0, 4.0])
    wanted = torch.tensor([0.0, 1.5, 2.0, 3.0, 9.0])
    assert at(curve, times, wanted)[0].tolist() == [0, 5, 10, 7, 4]


def test_masking_takes_values_and_mask(model: SmallModel) -> None:
    every = asked({name: torch.ones(1, 4, size + 1) for name, size in CONTROLS.items()}, 4)
    given = torch.tensor([[[1.0, 0, 1]]]).expand(1, 4, 3)
    assert masked(every, given)[0, 0].tolist() == [1, *[0] * 12, 1, 1, 1, 0, 1]
    assert torch.equal(asked({}, 4), torch.zeros(1, 4, 18))


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("control", "words"),
    [
        (Brightness([500, 2000]), "intensity, melody, rhythm alone, and this asks for brightness"),
        (BOTH + Brightness([500, 2000]), "asks for brightness"),
        (Match(torch.zeros(8, 48), torch.ones(48)), "asks for match"),
        (Part(Brightness([500, 2000]), 0.2, 0.8), "asks for brightness"),
        (BOTH + Intensity([-20, -20]), "asks for intensity twice"),
    ],
)
def test_what_it_was_not_trained_for_is_refused(
    model: SmallModel, branch: ControlNet, control: Intensity, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        control_net(model, "calm", control, branch=branch, **FAST)


def test_a_model_without_a_branch_is_refused(model: SmallModel) -> None:
    with pytest.raises(InputError, match="debug has no trained branch: take that model"):
        control_net(model, "calm", BOTH, **FAST)


def test_a_broken_file_is_refused(model: SmallModel, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=FILE):
        load_branch(tmp_path / FILE, model.denoiser.config)
