"""CLAP on a tiny random checkpoint: the front end is the extractor's, and what it is used for."""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from ditto_music import Clap, InputError, load_model, optimize
from ditto_music.cli import main
from ditto_music.evaluation.targets import PROMPTS
from ditto_music.features.clap import ClapEncoder, load_clap
from ditto_music.features.loudness import levelled
from ditto_music.panels import Bars
from ditto_music.protocols import Clip, Form, Model

transformers = pytest.importorskip("transformers")

RATE, SECONDS, BANDS = 48_000, 2, 16
FORM = Form(1.0, 24_000, (8, 47), torch.device("cpu"))
CPU = torch.device("cpu")


def save_tiny(folder: Path, truncation: str = "rand_trunc", safe: bool = True) -> Path:
    """A checkpoint of the real classes with few and small layers."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing

    torch.manual_seed(0)
    config = transformers.ClapConfig(
        text_config={
            "vocab_size": 20,
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 16,
            "max_position_embeddings": 40,
        },
        audio_config={
            "spec_size": 64,
            "num_mel_bins": BANDS,
            "patch_embeds_hidden_size": 8,
            "hidden_size": 16,
            "depths": [1, 1],
            "num_attention_heads": [1, 2],
            "window_size": 4,
            "enable_fusion": truncation == "fusion",
            "fusion_type": "aff_2d" if truncation == "fusion" else None,
            "patch_embed_input_channels": 1,
        },
        projection_dim=12,
    )
    network = transformers.ClapModel(config)
    if safe:
        network.save_pretrained(folder)
    else:
        config.save_pretrained(folder)
        torch.save(network.state_dict(), folder / "pytorch_model.bin")
    transformers.ClapFeatureExtractor(
        feature_size=BANDS, max_length_s=SECONDS, truncation=truncation, frequency_min=50
    ).save_pretrained(folder)
    words = ["<s>", "<pad>", "</s>", "<unk>", "calm", "piano", "loud", "drums"]
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, "<unk>"))
    tokenizer.pre_tokenizer = Whitespace()  # type: ignore[assignment]
    tokenizer.post_processor = TemplateProcessing("<s> $A </s>", None, [("<s>", 0), ("</s>", 2)])  # type: ignore[assignment]
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=30,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("clap"))


@pytest.fixture(scope="session")
def fused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("fused"), "fusion")


@pytest.fixture
def encoder(tiny: Path) -> ClapEncoder:
    return load_clap(str(tiny), CPU)


def noise(samples: int, batch: int = 1) -> Tensor:
    return 0.1 * torch.randn(batch, samples, generator=torch.Generator().manual_seed(0))


class Sound(Clip):
    """Audio (B, N) at 24 kHz that was not decoded from anything."""

    def __init__(self, mono: Tensor) -> None:
        super().__init__(cast("Model", load_model("debug")), torch.zeros(1), mono.shape[-1])
        self.audio = mono[:, None]  # type: ignore[misc]


@pytest.mark.parametrize("kind", ["tiny", "fused"])
@pytest.mark.parametrize("seconds", [0.5, 0.7, 1.2, 2.0])
def test_the_front_end_is_the_extractors(
    kind: str, seconds: float, request: pytest.FixtureRequest
) -> None:
    """Shorter clips are repeated as often as fits; each kind of checkpoint has its own filters."""
    encoder = load_clap(str(request.getfixturevalue(kind)), CPU)
    audio = noise(round(seconds * RATE))
    theirs = encoder.extractor(audio[0].numpy(), sampling_rate=RATE, return_tensors="pt")
    wanted = theirs["input_features"][0, 0].float()
    own = encoder.log_mel(encoder.windows(audio)[:, 0])[0]
    assert own.shape == wanted.shape == (SECONDS * RATE // 480 + 1, BANDS)
    assert torch.allclose(own, wanted, rtol=1e-4, atol=2e-3)
    assert ((own - wanted).norm() / wanted.norm()) < 1e-4


@pytest.mark.parametrize("kind", ["tiny", "fused"])
def test_vectors_are_those_of_the_model(kind: str, request: pytest.FixtureRequest) -> None:
    encoder = load_clap(str(request.getfixturevalue(kind)), CPU)
    audio = noise(RATE, 2)
    fed = encoder.extractor(list(audio.numpy()), sampling_rate=RATE, return_tensors="pt")
    fed["is_longer"] = torch.zeros_like(fed["is_longer"])
    tokens = encoder.tokenizer("calm piano", return_tensors="pt")
    both = encoder.network(
        input_ids=tokens["input_ids"],
        attention_mask=tokens["attention_mask"],
        input_features=fed["input_features"].float(),
        is_longer=fed["is_longer"],
    )
    assert torch.allclose(encoder.audio(audio, RATE), both.audio_embeds, atol=1e-4)
    assert torch.allclose(encoder.text("calm piano"), both.text_embeds[0], atol=1e-5)


def test_windows_cover_a_long_clip_evenly(encoder: ClapEncoder) -> None:
    size = SECONDS * RATE
    windows = encoder.windows(torch.arange(2.5 * size)[None])
    assert windows.shape == (1, 3, size)
    assert windows[0, :, 0].tolist() == [0, 0.75 * size, 1.5 * size]
    long = noise(round(2.5 * size))
    assert encoder.audio(long, RATE).norm() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", ["tiny", "fused"])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_gradients_reach_the_audio(kind: str, level: float, request: pytest.FixtureRequest) -> None:
    control = Clap("calm piano", model=request.getfixturevalue(kind))
    audio = (level * noise(24_000, 2)).requires_grad_()
    loss = control.loss(control.feature(Sound(audio)), control.target(FORM))
    assert loss.shape == (2,)
    assert (loss >= 0).all()
    loss.sum().backward()
    assert audio.grad is not None
    assert torch.isfinite(audio.grad).all()
    assert bool(audio.grad.abs().sum() > 0) == (level > 0)


def test_a_recording_is_most_like_itself(tiny: Path, tmp_path: Path) -> None:
    audio = noise(24_000)
    soundfile.write(tmp_path / "ref.wav", audio[0].numpy(), 24_000, subtype="FLOAT")
    control = Clap(audio=tmp_path / "ref.wav", model=tiny)
    feature = control.feature(Sound(torch.cat([audio, 0.1 * audio.flip(-1).cumsum(-1)])))
    target = control.target(FORM)
    loss = control.loss(feature, target)
    assert loss[0] == pytest.approx(0, abs=1e-3)
    assert loss[1] > loss[0]
    assert torch.allclose(control.metrics(feature, target)["score"], 1 - loss, atol=1e-5)
    (panel,) = control.panels(feature[0], target, FORM)
    assert isinstance(panel, Bars)
    assert panel.labels == ["ref.wav"]
    assert panel.achieved[0] == pytest.approx(1, abs=1e-3)


def test_the_optimiser_gets_nearer(tiny: Path) -> None:
    control = Clap("loud drums", model=tiny)
    result = optimize(
        load_model("debug"), "x", control, duration=1, steps=2, surrogate_steps=2, iterations=8
    )
    item = result.items[0]
    assert item.final["loss"] < item.history[0]["loss"]
    assert item.metrics["clap"]["score"] == pytest.approx(1 - item.final["clap"], abs=1e-5)


def test_words_beyond_the_towers_length_are_left_out(encoder: ClapEncoder) -> None:
    assert torch.equal(encoder.text("calm " * 100), encoder.text("calm " * 28))


def test_an_encoder_is_read_once(tiny: Path) -> None:
    assert load_clap(str(tiny), CPU) is load_clap(str(tiny), CPU)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "either a text or a recording"),
        ({"text": "calm", "audio": "a.wav"}, "either a text or a recording"),
        ({"text": " "}, "the text is empty"),
        ({"audio": "gone.wav"}, "gone.wav"),
    ],
)
def test_bad_requests_are_one_clear_line(arguments: Any, says: str, tiny: Path) -> None:
    with pytest.raises(InputError, match=says) as caught:
        Clap(**arguments, model=tiny)
    assert "\n" not in str(caught.value)


def test_bad_weights_are_one_clear_line(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    def say(folder: Path) -> str:
        with pytest.raises(InputError) as caught:
            Clap("calm", model=folder)
        assert str(folder) in str(caught.value)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    (tmp_path / "empty").mkdir()
    assert "cannot be read: Unrecognized model" in say(tmp_path / "empty")
    transformers.BertConfig().save_pretrained(tmp_path / "other")
    assert "of the kind bert" in say(tmp_path / "other")
    pickled = save_tiny(tmp_path / "pickled", safe=False)
    assert "no file named model.safetensors" in say(pickled)
    torn = save_tiny(tmp_path / "torn")
    state = load_file(torn / "model.safetensors")
    state.pop("audio_projection.linear1.weight")
    save_file(state, torn / "model.safetensors", {"format": "pt"})
    assert "audio_projection.linear1.weight is missing" in say(torn)
    (torn / "model.safetensors").write_bytes(b"something else" * 10)
    assert "cannot be read" in say(torn)
    mute = save_tiny(tmp_path / "mute")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (mute / name).unlink()
    assert "no vocabulary" in say(mute)
    deaf = save_tiny(tmp_path / "deaf")
    (deaf / "preprocessor_config.json").unlink()
    assert "feature extractor" in say(deaf)


def test_what_is_not_found_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise OSError(f"{name} is not a local folder and is not a valid identifier\nlisted on ...")

    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", fail)
    with pytest.raises(InputError, match="sought on the hub") as caught:
        Clap("calm", model="nobody/nothing")
    assert "\n" not in str(caught.value)


def test_a_missing_extra_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    says = r"^clap needs more packages \(.*transformers.*\): pip install 'ditto-music\[hub\]'$"
    with pytest.raises(InputError, match=says):
        Clap("calm", model="never/read")


def test_it_is_on_the_command_line(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    quick = ("--model", "debug", "--duration", "1", "--steps", "2", "--surrogate-steps", "2")
    asked = ("control", "x", "-o", "out.wav", *quick, "--iterations", "2")
    told = ("--clap", "calm piano", "--clap-model", str(tiny), "--report", "out.json")
    assert main((*asked, *told)) == 0
    match = re.search(
        r"^clap: -?\d\.\d\d -> (-?\d\.\d\d) score, 2 iterations", capsys.readouterr().out, re.M
    )
    assert match
    report = json.loads(Path("out.json").read_text())["controls"]["clap"]
    assert float(match[1]) == pytest.approx(report["score"], abs=0.006)
    soundfile.write("ref.wav", np.full(RATE, 0.1), RATE)
    assert main((*asked, "--clap", "ref.wav", "--clap-model", str(tiny))) == 0
    capsys.readouterr()
    assert main((*asked, "--clap", "gone.aiff", "--clap-model", str(tiny))) == 2
    assert "gone.aiff: there is no such file" in capsys.readouterr().err
    assert main((*asked, "--clap", "calm piano")) == 2
    assert "give its weights with --clap-model" in capsys.readouterr().err


def test_the_score_of_clip_and_prompt_is_told_where_there_are_words(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The cosine of the two, one a clip; what has no prompt has no score."""
    monkeypatch.chdir(tmp_path)
    clips = 0.3 * noise(RATE, 3)
    for number, words in enumerate(["calm piano", "loud drums", " "]):
        soundfile.write(f"{number}.wav", clips[number].numpy(), RATE, subtype="FLOAT")
        Path(f"{number}.json").write_text(json.dumps({"prompt": words}))
    encoder = load_clap(str(tiny), CPU)
    heard = encoder.audio(levelled(clips), RATE)
    wanted = [
        float(heard[i] @ encoder.text(words))
        for i, words in enumerate(["calm piano", "loud drums"])
    ]
    assert main(["evaluate", ".", "--clap", str(tiny), "--json", "said.txt", "--quiet"]) == 0
    assert "| CLAP score |" in capsys.readouterr().out
    said = json.loads(Path("said.txt").read_text())["figures"]["CLAP score"]
    assert said["count"] == 2
    assert said["value"] == pytest.approx(np.mean(wanted), abs=1e-4)
    assert main(["evaluate", ".", "--quiet"]) == 0
    assert "CLAP score" not in capsys.readouterr().out


def test_methods_are_held_against_one_another_by_their_score(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--task", "intensity", "--method", "plain", "--items", "2", "--model", "debug")
    quick = ("--duration", "1", "--steps", "2", "--quiet", "-o", str(tmp_path))
    assert main(["compare", *asked, *quick, "--clap", str(tiny)]) == 0
    assert "| prompt's tags, rank | CLAP score | seconds |" in capsys.readouterr().out
    encoder = load_clap(str(tiny), CPU)
    scores: list[float] = []
    for path in sorted((tmp_path / "heard").glob("*.json")):
        vector = torch.tensor(json.loads(path.read_text())["vectors"]["clap"])
        scores.append(float(vector @ encoder.text(PROMPTS[len(scores)])))
    with (tmp_path / "table.csv").open() as file:
        (told,) = (row for row in csv.DictReader(file) if row["figure"] == "CLAP score")
    assert float(told["value"]) == pytest.approx(np.mean(scores), abs=1e-5)
    assert main(["compare", *asked, *quick]) == 0
    assert "CLAP score" not in capsys.readouterr().out
