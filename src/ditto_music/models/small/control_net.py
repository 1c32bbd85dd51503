"""The trained way to control ditto-small: a branch beside the frozen denoiser (Music ControlNet).

After Wu et al. 2023 (arXiv:2311.07069), with these parts of theirs: a trainable copy of the first
half of the network that reads the noisy latent and what is asked over time; a small perceptron for
each control; projections that begin at zero, so that before training the music is the base's, bit
for bit; any control, and any stretch of one, may be left out.

Their network is a U-Net, whose copied encoder adds to the skip connections. This one has none: as
in PixArt-delta (Chen et al. 2024, arXiv:2401.05252) the i-th copied block adds to what the i-th
block of the base gives, so all later blocks see it.

What is asked is a tensor (B, T, 18), frame by frame of the latent: the values of each control, 0
where none is asked for, and then for each control whether it is asked for (1) or not (0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ditto_music.models.small.denoiser import Block, Denoiser, DenoiserConfig, Text
from ditto_music.models.small.model import SmallModel, filled, read_weights
from ditto_music.modes import apart
from ditto_music.sampling import Condition

FILE = "control_net.safetensors"

#: Values a latent frame of each control.
CONTROLS = {"intensity": 1, "melody": 12, "rhythm": 2}

USUAL_LEVEL, USUAL_SPREAD, SILENCE = -30.0, 12.0, -80.0  # dBFS
USUAL_ONSET = 1.0  # dB a frame


@dataclass(frozen=True)
class ControlNetConfig:
    """Sizes of the branch beside those of the denoiser.

    Attributes
    ----------
    copied : blocks of the denoiser, from the first.
    hidden : width of each control's perceptron.
    """

    copied: int = 4
    hidden: int = 96


class ControlNet(nn.Module):
    """The branch. New, it copies the denoiser's first blocks and changes nothing."""

    def __init__(self, base: DenoiserConfig, config: ControlNetConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or ControlNetConfig()
        self.readers = nn.ModuleList(
            nn.Sequential(
                nn.Linear(base.patch * (size + 1), c.hidden),
                nn.GELU(),
                nn.Linear(c.hidden, c.hidden),
            )
            for size in CONTROLS.values()
        )
        self.enter = nn.Linear(len(CONTROLS) * c.hidden, base.width)
        self.blocks = nn.ModuleList(Block(base, i % 2 == 1) for i in range(c.copied))
        leave = [nn.Linear(base.width, base.width) for _ in range(c.copied)]
        self.leave = nn.ModuleList(leave)
        for layer in (self.enter, *leave):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    @classmethod
    def beside(cls, denoiser: Denoiser, hidden: int = ControlNetConfig.hidden) -> ControlNet:
        """A new branch of the first half of a denoiser's blocks."""
        made = cls(denoiser.config, ControlNetConfig(denoiser.config.depth // 2, hidden))
        for block, other in zip(made.blocks, denoiser.blocks, strict=False):
            block.load_state_dict(other.state_dict())
        return made

    def forward(
        self, denoiser: Denoiser, x_t: Tensor, t: Tensor, text: Text, asked: Tensor
    ) -> Tensor:
        """Velocity (B, C, T) as the denoiser's, with what is asked (B, T, 18) heeded."""
        x, state, modulation = denoiser.begin(x_t, t, text)
        y = x + self.enter(self._read(asked.to(x), denoiser.config.patch))
        for i, block in enumerate(denoiser.blocks):
            x = block(x, modulation, text)
            if i < len(self.blocks):
                y = self.blocks[i](y, modulation, text)
                x = x + self.leave[i](y)
        return denoiser.finish(x, state)

    def _read(self, asked: Tensor, patch: int) -> Tensor:
        """(B, T, 18) to (B, T / patch, controls hidden): each by its own perceptron."""
        values, given = asked[..., : -len(CONTROLS)], asked[..., -len(CONTROLS) :]
        each = values.split([*CONTROLS.values()], -1)
        tokens = [
            read(torch.cat([value * mask, mask], -1).unflatten(1, (-1, patch)).flatten(2))
            for read, value, mask in zip(self.readers, each, given.split(1, -1), strict=True)
        ]
        return torch.cat(tokens, -1)


# --- what is asked -------------------------------------------------------------------------------


def asked(tracks: Mapping[str, Tensor], frames: int) -> Tensor:
    """One tensor (B, T, 18) of the `tracks` of some controls, by name; what has none is not asked.

    A track (B, T, values + 1) has the values and then whether they are asked for.
    """
    batch = max((len(track) for track in tracks.values()), default=1)
    missing = {name: torch.zeros(batch, frames, size + 1) for name, size in CONTROLS.items()}
    every = [tracks.get(name, empty) for name, empty in missing.items()]
    values, given = [x[..., :-1] for x in every], [x[..., -1:] for x in every]
    return torch.cat([*values, *given], -1)


def masked(asked: Tensor, given: Tensor) -> Tensor:
    """`asked` (B, T, 18) where `given` (B, T, 3) is 1."""
    counts = torch.tensor([*CONTROLS.values()])
    values = given.repeat_interleave(counts, -1)
    return asked * torch.cat([values, given], -1)


def intensity_track(curve: Tensor, times: Tensor, frame: float, frames: int) -> Tensor:
    """Track (B, T, 2) of curves (B, F) in dBFS at `times` (F,); `frame` is seconds a frame."""
    level = at(curve, times, (torch.arange(frames) + 0.5) * frame).clamp(min=SILENCE)
    return _all_given(((level - USUAL_LEVEL) / USUAL_SPREAD)[..., None])


def melody_track(classes: Tensor, times: Tensor, frame: float, frames: int) -> Tensor:
    """Track (B, T, 13) of pitch classes (B, F) at `times` (F,): C is 0.

    12 is a rest, nothing sounds; -1 is not asked for.
    """
    middles = (torch.arange(frames) + 0.5) * frame
    near = torch.searchsorted((times[1:] + times[:-1]) / 2, middles)
    here = classes.cpu()[:, near]
    given = (here >= 0)[..., None]
    return torch.cat([F.one_hot(here.clamp(min=0), 13)[..., :12] * given, given], -1).float()


def rhythm_track(strength: Tensor, times: Tensor, frame: float, frames: int) -> Tensor:
    """Track (B, T, 3) of onset strengths (B, F) in dB a frame at `times` (F,): two a frame."""
    halves = at(strength, times, (torch.arange(2 * frames) + 0.5) * frame / 2)
    return _all_given((halves / USUAL_ONSET).unflatten(-1, (frames, 2)))


def at(curve: Tensor, times: Tensor, wanted: Tensor) -> Tensor:
    """Values (B, n) of `curve` (B, F), at rising `times` (F,), at the times `wanted` (n,).

    Straight lines between, the outermost values beyond.
    """
    curve = curve.float().cpu()
    after = torch.searchsorted(times, wanted).clamp(1, len(times) - 1)
    before = after - 1
    share = ((wanted - times[before]) / (times[after] - times[before])).clamp(0, 1)
    return curve[:, before] * (1 - share) + curve[:, after] * share


def _all_given(values: Tensor) -> Tensor:
    return torch.cat([values, torch.ones_like(values[..., :1])], -1)


# --- the model -----------------------------------------------------------------------------------


class Branched(SmallModel):
    """ditto-small told what to play: its conditions hold what is asked beside the words.

    The branch runs for the prompt and for what guidance moves away from alike, so guidance, as in
    the paper, is of the words alone.

    Parameters
    ----------
    asked : (B, T, 18), one for all prompts or one each.
    files : that the branch's weights are of.
    """

    def __init__(
        self, model: SmallModel, branch: ControlNet, asked: Tensor, files: Sequence[Path] = ()
    ) -> None:
        super().__init__(
            model.name, model.codec, model.denoiser, model.words, model.device, model.dtype,
            model.schedule, [*model.files, *files], model.guidance,
        )  # fmt: skip
        self.branch = branch.to(model.device).eval().requires_grad_(False)
        self.asked = asked.to(model.device)

    @torch.no_grad()
    def condition(
        self, prompts: Sequence[str], seconds: float, beside: Sequence[str] | None = None
    ) -> Condition:
        """Encode the prompts, and beside each what is asked."""
        words = super().condition(prompts, seconds, beside).tensors
        return Condition({**words, "asked": self.asked.expand(len(prompts), -1, -1)})

    def velocity(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """By the denoiser and the branch."""
        words = dict(condition.tensors)
        asked = words.pop("asked")
        return self.branch(self.denoiser, x_t, t, Text(**words), asked)


def branch_file(model: SmallModel) -> Path | None:
    """The branch's weights beside a model's own, if they are there."""
    file = model.files[0].with_name(FILE) if model.files else None
    return file if file and file.is_file() else None


@apart()
def load_branch(file: Path, base: DenoiserConfig) -> ControlNet:
    """The branch of one file; errors as `load_small`."""
    config, state = read_weights(file, ControlNetConfig)
    return filled(ControlNet(base, config), state, file)
