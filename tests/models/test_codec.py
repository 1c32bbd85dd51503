"""The codec of tones and noise: shapes, exact gradients, and parts that keep what was heard."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch
from torch import Tensor

from ditto_music.models.small.codec import (
    Codec,
    CodecConfig,
    Parts,
    amplitude_of,
    is_heard,
    level_of,
)
from ditto_music.models.small.model import load_codec
from training.weights import save_weights

RECORDINGS = Path(__file__).parents[1] / "recordings"
SMALL = CodecConfig(width=16, encoder_blocks=1, decoder_blocks=1)


def codec_of(config: CodecConfig = SMALL) -> Codec:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Codec(config).eval().requires_grad_(False)


def recording(name: str) -> Tensor:
    samples, rate = soundfile.read(RECORDINGS / name, dtype="float32", always_2d=True)
    audio = soxr.resample(samples.mean(1), rate, 24_000)[: 3 * 24_000 // 512 * 512]
    return torch.from_numpy(np.ascontiguousarray(audio))[None]


def test_audio_and_latents_agree_on_length() -> None:
    codec = codec_of()
    audio = 0.1 * torch.randn(2, 40 * 512, generator=torch.Generator().manual_seed(0))
    latent = codec.encode(audio)
    assert latent.shape == (2, 32, 40)
    assert codec.decode(latent).shape == audio.shape
    assert torch.isfinite(codec.decode(latent)).all()


def test_gradients_through_the_decoder_are_exact() -> None:
    codec = codec_of().double()
    latent = torch.randn(1, 32, 8, generator=torch.Generator().manual_seed(1)).double()
    assert torch.autograd.gradcheck(
        lambda x: codec.decode(x).square().mean(), latent.requires_grad_(), eps=1e-6, atol=1e-7
    )


def test_levels_and_amplitudes_are_inverse() -> None:
    amplitudes = torch.tensor([0.0, 1e-4, 3e-3, 0.1, 1.0])
    assert torch.allclose(amplitude_of(level_of(amplitudes)), amplitudes, atol=1e-6)


def test_the_faint_and_the_masked_are_not_heard() -> None:
    tones = torch.tensor([0.5, 0.1, 1e-3, 1e-4]).expand(1, 3, 4)
    assert is_heard(tones)[0, 1].tolist() == [True, True, False, False]
    assert is_heard(tones * 0.01)[0, 1].tolist() == [True, True, False, False]


@pytest.mark.parametrize("name", ["guit_em9.flac", "loop_compus.flac", "loop_safari.flac"])
def test_the_parts_of_a_recording_hold_its_level(name: str) -> None:
    codec, audio = codec_of(), recording(name)
    made = codec.decoder.render(codec.analyse(audio))
    frames = 24
    before, after = (
        10 * torch.log10(x.unflatten(1, (frames, -1)).square().mean(-1) + 1e-6)
        for x in (
            audio[:, : audio.shape[1] // frames * frames],
            made[:, : audio.shape[1] // frames * frames],
        )
    )
    assert float((after - before).abs().median()) < 1.5


def test_a_clip_is_decoded_alone_as_in_a_batch() -> None:
    codec = codec_of()
    latent = torch.randn(3, 32, 12, generator=torch.Generator().manual_seed(2))
    assert torch.allclose(codec.decode(latent)[1:2], codec.decode(latent[1:2]), atol=1e-6)


def test_its_weights_are_told_from_the_other_codecs(tmp_path: Path) -> None:
    codec = codec_of()
    save_weights(tmp_path / "codec.safetensors", codec.state_dict(), codec.config)
    again = load_codec(tmp_path / "codec.safetensors")
    assert isinstance(again, Codec)
    assert again.config == SMALL
    latent = torch.randn(1, 32, 6, generator=torch.Generator().manual_seed(3))
    assert torch.allclose(again.eval().decode(latent), codec.decode(latent), atol=1e-3)


def test_parts_that_are_silent_make_silence() -> None:
    codec = codec_of()
    parts = Parts(torch.zeros(1, 16, 252), torch.zeros(1, 32, 40))
    assert float(codec.decoder.render(parts).abs().max()) < 1e-6
