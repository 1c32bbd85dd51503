"""Match: what it is given must fit the clip."""

import math

import pytest
import torch

from ditto_music import InputError
from ditto_music.controls import Match
from ditto_music.models.small import SmallModel
from ditto_music.problem import form_of


def test_a_reference_or_mask_that_does_not_fit_is_one_clear_line(model: SmallModel) -> None:
    form = form_of(model, 1.0)
    channels, frames = form.latent_shape
    good, mask = torch.zeros(channels, frames), torch.ones(frames)
    assert torch.equal(Match(good, mask).target(form), good)
    with pytest.raises(InputError, match="keeps nothing"):
        Match(good, 0 * mask)
    with pytest.raises(InputError, match="must be finite numbers"):
        Match(math.nan * mask, mask)
    with pytest.raises(InputError, match="give both the same duration"):
        Match(good[:, 1:], mask[1:]).target(form)
    for wrong in (mask[1:], mask[None]):
        with pytest.raises(InputError, match=f"the reference's frames are {frames}: give a value"):
            Match(good, wrong).target(form)
