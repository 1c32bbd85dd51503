"""VGGish: audio as vectors of 128, those of the first Fréchet audio distances.

The network of Hershey et al. (2017, arXiv:1609.09430), as Kilgour et al. (2019, arXiv:1812.08466)
hear music by it: 16 kHz mono, magnitude of 400-sample frames every 160 in transforms of 512, 64 mel
bands from 125 to 7500 Hz whose triangles are straight in mel, ``log(mel + 0.01)``, windows of 96
frames (0.96 s) one after another. Vectors are taken before the last ReLU and before the principal
components and eight bits of AudioSet's release, as distances take them.

No weights come with this package: they are published as pickles and TensorFlow checkpoints, neither
of which is read here. The state of the port to torch (`torchvggish`), written anew as safetensors,
is.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from ditto_music.errors import InputError
from ditto_music.features.resampling import resample
from ditto_music.modes import apart

SAMPLE_RATE, FRAME, HOP, TRANSFORM = 16_000, 400, 160, 512
BANDS, LOW, HIGH, OFFSET = 64, 125.0, 7500.0, 0.01
WINDOW = 96  # frames
SIZE = (WINDOW - 1) * HOP + FRAME  # samples that a window sees


class VGGish(nn.Module):
    """Log-mel windows (W, 96, 64) to vectors (W, 128); weights are named as in `torchvggish`."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        wide = 1
        for widths in ((64,), (128,), (256, 256), (512, 512)):
            for width in widths:
                layers += [nn.Conv2d(wide, width, 3, padding=1), nn.ReLU()]
                wide = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(
            nn.Linear(WINDOW // 16 * BANDS // 16 * wide, 4096),
            nn.ReLU(),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, 128),
        )

    def forward(self, windows: Tensor) -> Tensor:
        """The vectors (W, 128) of windows (W, 96, 64)."""
        seen = self.features(windows[:, None])
        return self.embeddings(seen.permute(0, 2, 3, 1).flatten(1))  # channels last, TensorFlow's


def embedding(network: VGGish, audio: Tensor, sample_rate: int) -> Tensor:
    """The mean over windows of 0.96 s of their vectors, (B, 128), of mono audio (B, N).

    Shorter audio is repeated to one window; what is left over behind the last is not heard.

    Raises
    ------
    InputError
        If there is no sound at all.
    """
    windows = log_mel(resample(audio.float(), sample_rate, SAMPLE_RATE)).split(WINDOW, dim=1)
    whole = torch.stack([window for window in windows if window.shape[1] == WINDOW], dim=1)
    return network(whole.flatten(0, 1)).unflatten(0, whole.shape[:2]).mean(1)


def log_mel(audio: Tensor) -> Tensor:
    """What the network sees, (B, F, 64), of mono audio (B, N) at 16 kHz, a window at least."""
    if not audio.shape[-1]:
        raise InputError("audio of no samples has no VGGish vector: give some")
    if audio.shape[-1] < SIZE:
        audio = audio.repeat(1, math.ceil(SIZE / audio.shape[-1]))[:, :SIZE]
    side = (TRANSFORM - FRAME) // 2  # torch puts the frame into the middle of its transform
    shape = torch.hann_window(FRAME, device=audio.device)
    transform = torch.stft(
        F.pad(audio, (side, side)), TRANSFORM, HOP, FRAME, shape, center=False, return_complex=True
    )
    return (_filters().to(audio.device) @ transform.abs() + OFFSET).log().transpose(1, 2)


@cache
@apart()
def _filters() -> Tensor:
    """Triangles (64, 257) over the mels of the transform's frequencies (Stevens and Volkmann's)."""
    mels = mel(torch.linspace(0, SAMPLE_RATE / 2, TRANSFORM // 2 + 1, dtype=torch.float64))
    low, high = mel(torch.tensor([LOW, HIGH], dtype=torch.float64)).tolist()
    edges = torch.linspace(low, high, BANDS + 2, dtype=torch.float64)
    step = edges[1] - edges[0]
    return (1 - (mels - edges[1:-1, None]).abs() / step).clamp(min=0).float()


def mel(hertz: Tensor) -> Tensor:
    """Mels of frequencies in Hz, 1000 of them at 1 kHz."""
    return 1127 * torch.log1p(hertz / 700)


@cache
@apart()
def load_vggish(file: Path, device: torch.device) -> VGGish:
    """The network with the weights of a file of safetensors, read once for each device.

    Raises
    ------
    InputError
        If there is no such file, or it does not hold the state of `torchvggish`.
    """
    if not file.is_file():
        raise InputError(f"vggish: {file}: no such file: give its weights as safetensors")
    try:
        state = load_file(file)
    except (SafetensorError, OSError) as error:
        raise InputError(f"vggish: {file}: cannot be read as safetensors: {error}") from None
    with torch.device("meta"):
        network = VGGish()
    want = {name: value.shape for name, value in network.state_dict().items()}
    for name, shape in want.items():
        if name not in state or state[name].shape != shape:
            there = f"is {list(state[name].shape)}" if name in state else "is missing"
            raise InputError(
                f"vggish: {file}: {name} {there}, where torchvggish has {list(shape)}: "
                "give its state dict, written by safetensors"
            )
    network.load_state_dict({name: state[name].float() for name in want}, assign=True)
    return network.requires_grad_(False).eval().to(device)


__all__ = ["SAMPLE_RATE", "VGGish", "embedding", "load_vggish", "log_mel"]
