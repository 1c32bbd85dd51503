"""VGGish against the definition of its front end and the layout of the port to torch."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import audio_utils

from ditto_music.errors import InputError
from ditto_music.evaluation.embeddings import embedding_named
from ditto_music.features.loudness import levelled
from ditto_music.features.vggish import SAMPLE_RATE, load_vggish, log_mel


def published() -> tuple[nn.Sequential, nn.Sequential]:
    """The port's layers, written down as it lists them."""
    features = nn.Sequential()
    wide = 1
    for width in (64, 0, 128, 0, 256, 256, 0, 512, 512, 0):
        if width:
            features.extend([nn.Conv2d(wide, width, kernel_size=3, padding=1), nn.ReLU()])
            wide = width
        else:
            features.append(nn.MaxPool2d(kernel_size=2, stride=2))
    tail = [nn.Linear(512 * 4 * 6, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU()]
    return features, nn.Sequential(*tail, nn.Linear(4096, 128), nn.ReLU())


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Random weights in half precision, 144 MB, gone after these tests."""
    torch.manual_seed(0)
    features, embeddings = published()
    state = {f"features.{name}": value for name, value in features.state_dict().items()}
    state |= {f"embeddings.{name}": value for name, value in embeddings.state_dict().items()}
    file = tmp_path_factory.mktemp("vggish") / "vggish.safetensors"
    save_file({name: value.half() for name, value in state.items()}, file)
    yield file
    load_vggish.cache_clear()
    file.unlink()


def music(seconds: float) -> Tensor:
    """A tone that rises over noise, (1, N) at the network's rate."""
    time = torch.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    noise = torch.randn(time.shape, generator=torch.Generator().manual_seed(1))
    return (0.3 * torch.sin(2 * torch.pi * (200 + 300 * time) * time) + 0.02 * noise)[None]


def reference(audio: np.ndarray) -> np.ndarray:
    """Log mels (F, 64) by another library's frames and triangles."""
    bank = audio_utils.mel_filter_bank(
        257, 64, 125.0, 7500.0, 16_000, mel_scale="kaldi", triangularize_in_mel_space=True
    )
    window = audio_utils.window_function(400, "hann", periodic=True)
    magnitudes = audio_utils.spectrogram(
        audio, window, 400, 160, fft_length=512, power=1.0, center=False, mel_filters=bank
    )
    return np.log(magnitudes.T + 0.01)


def test_the_front_end_is_that_of_its_definition() -> None:
    audio = music(2.5)
    seen = log_mel(audio)[0].numpy()
    expected = reference(audio[0].double().numpy())
    assert seen.shape == expected.shape == (1 + (40_000 - 400) // 160, 64)
    assert np.abs(seen - expected).max() < 1e-3


def test_vectors_are_those_of_the_published_layers_before_the_last_relu(weights: Path) -> None:
    network = load_vggish(weights, torch.device("cpu"))
    features, embeddings = published()
    features.load_state_dict(network.features.state_dict())
    embeddings.load_state_dict(network.embeddings.state_dict())
    audio = music(3.1)
    mel = torch.from_numpy(reference(levelled(audio)[0].double().numpy())).float()
    windows = torch.stack([mel[96 * i : 96 * (i + 1)] for i in range(len(mel) // 96)])[:, None]
    assert len(windows) == 3
    expected = embeddings[:-1](features(windows).transpose(1, 3).transpose(1, 2).reshape(3, -1))
    heard = embedding_named("vggish", vggish=weights)(audio, SAMPLE_RATE)
    assert heard.shape == (128,)
    expected = expected.detach()
    assert float((heard - expected.mean(0)).abs().max()) < 1e-4 * float(expected.abs().max())
    assert bool((expected < 0).any())


def test_a_clip_shorter_than_a_window_is_repeated_to_one(weights: Path) -> None:
    ear = embedding_named("vggish", vggish=weights)
    short = music(0.4)
    assert torch.allclose(ear(short, SAMPLE_RATE), ear(short.repeat(1, 3), SAMPLE_RATE), atol=1e-6)
    with pytest.raises(InputError, match="no samples"):
        log_mel(torch.zeros(1, 0))


def test_what_are_not_its_weights_is_one_clear_line(weights: Path, tmp_path: Path) -> None:
    def refused(file: Path, words: str) -> None:
        with pytest.raises(InputError, match=words):
            load_vggish(file, torch.device("cpu"))

    refused(tmp_path / "none.safetensors", "no such file")
    pickled = tmp_path / "vggish.pth"
    torch.save({"features.0.weight": torch.zeros(1)}, pickled)
    refused(pickled, "cannot be read as safetensors")
    other = tmp_path / "other.safetensors"
    save_file({"features.0.weight": torch.zeros(64, 3, 3, 3)}, other)
    refused(other, r"features.0.weight is \[64, 3, 3, 3\], where torchvggish has \[64, 1, 3, 3\]")
    save_file({"features.0.weight": torch.zeros(64, 1, 3, 3)}, other)
    refused(other, "features.0.bias is missing")
