"""What every control can do: be copied, pickled, and be a dataclass."""

import copy
import pickle
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ditto_music import controls
from ditto_music.controls import Control
from ditto_music.controls.specs import Store, to_spec
from ditto_music.models.small import SmallModel
from ditto_music.problem import form_of
from ditto_music.protocols import Clip, Form

LOOP = Path(__file__).parents[1] / "recordings" / "loop_compus.flac"
MADE = [
    controls.Brightness([800, 3000]),
    controls.Intensity([-30, -14], loss="correlation"),
    controls.Match(torch.ones(2, 3), torch.ones(3)),
    controls.MatchSpectrum(LOOP),
    controls.Melody("C D E", transpose=2),
    controls.Rhythm(LOOP),
    controls.Structure("AABA"),
    controls.Style({"jazz": 1.0, "piano": 0.5}),
    controls.StyleLike(LOOP),
    controls.Tempo(120),
    controls.Tempo(120) + 0.5 * controls.Intensity([-30, -14]),
]


@dataclass(frozen=True)
class Level(Control):
    """A control of the user's own."""

    name = "level"
    wanted: float = -20.0

    def target(self, form: Form) -> Tensor:
        return torch.tensor(self.wanted)

    def feature(self, clip: Clip) -> Tensor:
        return clip.mono.square().mean(-1)

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        return (feature - target).square()


@pytest.fixture
def form(model: SmallModel) -> Form:
    return form_of(model, 2.0)


@pytest.mark.parametrize("made", [*MADE, Level(-12.0)], ids=lambda made: type(made).__name__)
def test_controls_can_be_copied_and_pickled(made: controls.Control, tmp_path: Path) -> None:
    for copied in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert type(copied) is type(made)
        assert to_spec(copied, Store(tmp_path)) == to_spec(made, Store(tmp_path))


def test_every_control_but_the_one_that_needs_weights_is_tried() -> None:
    others = {"Control", "Term", "Clap"}
    assert {type(made).__name__ for made in MADE} == set(controls.__all__) - others


def test_a_control_can_be_a_frozen_dataclass() -> None:
    assert Level(-12.0).arguments == {"wanted": -12.0}
    assert Level().arguments == {}


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(TypeError, match="bpm"):
        controls.Tempo()  # type: ignore[call-arg]


def test_what_is_no_control_cannot_be_added(form: Form) -> None:
    for wrong in (1, None, "jazz", Level):
        with pytest.raises(TypeError, match="unsupported operand"):
            Level() + wrong  # type: ignore[operator]
    with pytest.raises(TypeError, match="unsupported operand"):
        1 + Level()  # type: ignore[operator]


def test_sum_adds_controls(form: Form) -> None:
    aims = sum([Level(), controls.Tempo(240), Level(-12.0)]).objectives(form)  # type: ignore[union-attr]
    assert [(aim.name, aim.weight) for aim in aims] == [("level", 1), ("tempo", 1), ("level", 1)]
