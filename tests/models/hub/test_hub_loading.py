"""Where public models come from, and one line with the command that mends whatever goes wrong.

There is no network here: what the hub would say is raised as its own exceptions.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
from huggingface_hub import errors

from ditto_music import InputError, generate, load_model
from ditto_music.cli import main
from ditto_music.models import pinned
from ditto_music.models.hub import load
from ditto_music.models.hub.catalog import PUBLIC, told
from ditto_music.models.hub.repository import read_of, weight_bytes
from tests.models.hub.checkpoints import MAKERS

GATED = "stabilityai/stable-audio-open-1.0"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def answer(status: int) -> Any:
    """As the hub's library has it, whichever client that is built on."""
    library = sys.modules[errors.Response.__module__.split(".")[0]]
    return errors.Response(status, request=library.Request("GET", "https://huggingface.co"))


def raising(error: BaseException) -> Callable[..., Any]:
    def call(*_: Any, **__: Any) -> Any:
        raise error

    return call


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        (
            GATED,
            errors.GatedRepoError("no", response=answer(403)),
            ["is gated", f"https://huggingface.co/{GATED}", "hf auth login"],
        ),
        (
            "nobody/nothing",
            errors.RepositoryNotFoundError("no", response=answer(404)),
            ["is not on the hub (or is private)", "hf auth login"],
        ),
        (
            "ucsd-reach/musicldm@v9",
            errors.RevisionNotFoundError("no", response=answer(404)),
            ["has no revision 'v9'", "https://huggingface.co/ucsd-reach/musicldm/commits/main"],
        ),
        (
            "ucsd-reach/musicldm@b81",
            errors.LocalEntryNotFoundError("no"),
            ["cannot be reached", "run hf download ucsd-reach/musicldm --revision b81 online"],
        ),
        (
            "ucsd-reach/musicldm",
            errors.OfflineModeIsEnabled("no"),
            ["cannot be reached", "run hf download ucsd-reach/musicldm online"],
        ),
        (
            "ucsd-reach/musicldm",
            errors.HfHubHTTPError("no", response=answer(503)),
            ["cannot be reached", "run hf download ucsd-reach/musicldm online"],
        ),
        (
            "stabilityai/stable-audio-3-medium",
            errors.RemoteEntryNotFoundError("no", response=answer(404)),
            ["convert it", "in a clone", "convert_stable_audio_3_to_diffusers.py",
             "stable-audio-3-medium", "--output_dir"],
        ),
        (
            "stabilityai/stable-audio-3-small-music",
            errors.RemoteEntryNotFoundError("no", response=answer(404)),
            ["its autoencoder is not one that diffusers has",
             "take stabilityai/stable-audio-3-medium"],
        ),
        (
            "some/text-model",
            errors.RemoteEntryNotFoundError("no", response=answer(404)),
            ["has no model_index.json", "ditto-music models"],
        ),
        ("bad name/--x", errors.HFValidationError("no"), ["give owner/name, or a folder"]),
    ],
)  # fmt: skip
def test_what_the_hub_refuses(
    name: str, error: BaseException, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.hf_hub_download", raising(error))
    with pytest.raises(InputError) as refused:
        load_model(name)
    said = str(refused.value)
    assert said.startswith(f"model '{name}' ") and "\n" not in said
    for word in words:
        assert word in said


def test_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(InputError, match=r"pip install 'ditto-music\[hub\]'"):
        load_model(GATED)


def test_an_extra_that_is_broken_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "diffusers.py").write_text("raise ImportError('no symbol _ZN in libfoo.so')")
    monkeypatch.delitem(sys.modules, "diffusers", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"more packages \(no symbol _ZN in libfoo.so\): pip inst"):
        load_model(GATED)


def test_stable_audio_open_needs_no_package_that_the_extra_has_not(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without torchsde its scheduler is a class in name alone."""
    import diffusers
    from diffusers.utils import dummy_torch_and_torchsde_objects as absent

    kind = "CosineDPMSolverMultistepScheduler"
    monkeypatch.setattr(diffusers, kind, getattr(absent, kind))
    model = load_model(str(folders["StableAudioPipeline"]), dtype="float32")
    level = json.loads(
        (folders["StableAudioPipeline"] / "scheduler" / "scheduler_config.json").read_text("utf-8")
    )["sigma_max"]
    assert float(model.schedule.times(1)[0]) == pytest.approx(math.atan(level) * 2 / math.pi)
    assert generate(model, "calm", duration=0.64, steps=2).audio.isfinite().all()


def test_too_little_memory_for_the_weights(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "free_memory", lambda device: 1000)
    with pytest.raises(InputError, match=r"cpu has 0\.0 GB free: take --dtype bfloat16"):
        load_model(str(folders["MusicLDMPipeline"]), dtype="float32")
    with pytest.raises(InputError, match="close other programs, or take a smaller model"):
        load_model(str(folders["MusicLDMPipeline"]), dtype="bfloat16")


def test_weights_are_counted_from_the_headers(folders: dict[str, Path]) -> None:
    folder = folders["AceStepPipeline"]
    model: Any = load_model(str(folder), dtype="float32")
    counted = weight_bytes(folder, torch.float32)
    assert counted == pytest.approx(model.weight_bytes()[0], rel=0.1)
    assert weight_bytes(folder, torch.bfloat16) * 2 == counted


WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


def pointer(file: Path) -> None:
    file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 700000000\n")


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def beheaded(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def damaged(file: Path) -> None:
    file.write_bytes((2).to_bytes(8, "little") + b"{x" + file.read_bytes()[10:])


def sharded(file: Path) -> None:
    there, gone = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    file.rename(file.parent / there)
    index = file.parent / f"{file.name}.index.json"
    index.write_text(json.dumps({"weight_map": {"a": there, "b": gone}}))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (pointer, f"has a Git LFS pointer in place of {WEIGHTS}: run git lfs pull there"),
        (cut, rf"has a {WEIGHTS} that is cut short, \d+ bytes of \d+: get it again"),
        (beheaded, f"has a {WEIGHTS} that is cut short or no safetensors: get it again"),
        (empty, f"has a {WEIGHTS} that is cut short or no safetensors: get it again"),
        (damaged, f"has a damaged {WEIGHTS}: get it again"),
        (sharded, "lacks unet/model-00002-of-00002.safetensors: get it again"),
    ],
)
def test_weights_that_are_not_whole_are_told_by_name(
    folders: dict[str, Path], tmp_path: Path, damage: Callable[[Path], None], words: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(folders["MusicLDMPipeline"], folder)
    damage(folder / WEIGHTS)
    with pytest.raises(InputError, match=f"^model '{folder}' {words}$"):
        load_model(str(folder))


# --- a hub on this disk --------------------------------------------------------------------------


@pytest.fixture
def hub(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], list[dict[str, Any]]]:
    """A cache that holds the index of a model at a commit; its weights come when asked for."""
    snapshot = tmp_path / "models--ucsd-reach--musicldm" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    source = folders["MusicLDMPipeline"]
    shutil.copy(source / "model_index.json", snapshot)
    asked: list[dict[str, Any]] = []

    def index(where: str, file: str, revision: str | None = None) -> str:
        asked.append({"where": where, "revision": revision})
        return str(snapshot / file)

    def download(where: str, **given: Any) -> str:
        asked.append({"where": where} | given)
        shutil.copytree(source, snapshot, dirs_exist_ok=True)
        return str(snapshot)

    info = SimpleNamespace(
        card_data=SimpleNamespace(license="cc-by-nc-sa-4.0", license_name=None),
        siblings=[
            SimpleNamespace(rfilename="unet/diffusion_pytorch_model.safetensors", size=700_000_000),
            SimpleNamespace(rfilename="unet/model.fp16.safetensors", size=350_000_000),
            SimpleNamespace(rfilename="all.safetensors", size=9_000_000_000),
            SimpleNamespace(rfilename="vae/model.safetensors", size=200_000_000),
        ],
    )
    monkeypatch.setattr("huggingface_hub.hf_hub_download", index)
    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: info)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    return lambda: asked


def test_licence_and_size_are_told_before_the_first_download(
    hub: Callable[[], list[dict[str, Any]]], tmp_path: Path
) -> None:
    """Told before, and only then; all files are of the commit that the index was found at."""
    lines: list[str] = []

    def notice(line: str) -> None:
        assert not any("allow_patterns" in each for each in hub())
        lines.append(line)

    model = load_model("ucsd-reach/musicldm@v1", dtype="float32", notice=notice)
    assert lines == [
        "ucsd-reach/musicldm is not here yet: licence cc-by-nc-sa-4.0; downloading 0.9 GB, "
        f"to {tmp_path}"
    ]
    index, files = hub()
    assert index == {"where": "ucsd-reach/musicldm", "revision": "v1"}
    assert files["revision"] == COMMIT
    assert {"model_index.json", "unet/*.safetensors", "vocoder/*.json"} < {*files["allow_patterns"]}
    report = generate(model, "calm", duration=0.5, steps=2).report()
    assert report["revision"] == COMMIT
    load_model("ucsd-reach/musicldm@v1", dtype="float32", notice=notice)
    assert len(lines) == 1


def test_the_command_line_tells_it(
    hub: Callable[[], list[dict[str, Any]]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, report = tmp_path / "out.wav", tmp_path / "out.json"
    flags = ["--duration", "0.5", "--steps", "2", "-o", str(out), "--report", str(report)]
    assert main(["generate", "calm", "--model", "ucsd-reach/musicldm", *flags]) == 0
    said = capsys.readouterr().err
    assert "licence cc-by-nc-sa-4.0; downloading 0.9 GB" in said
    assert "of memory at the most (weights" in said
    told = json.loads(report.read_text("utf-8"))
    assert told["revision"] == COMMIT
    assert told["estimated_memory_bytes"]["peak"] > 0


#: Of repositories as they are published: what is read from each, and what is left where it is.
PUBLISHED: dict[str, tuple[list[str], list[str]]] = {
    "StableAudioPipeline": (
        [
            "model_index.json",
            "projection_model/config.json",
            "projection_model/diffusion_pytorch_model.safetensors",
            "scheduler/scheduler_config.json",
            "text_encoder/config.json",
            "text_encoder/model.safetensors",
            "tokenizer/special_tokens_map.json",
            "tokenizer/spiece.model",
            "tokenizer/tokenizer.json",
            "tokenizer/tokenizer_config.json",
            "transformer/config.json",
            "transformer/diffusion_pytorch_model.safetensors",
            "vae/config.json",
            "vae/diffusion_pytorch_model.safetensors",
        ],
        [".gitattributes", "LICENSE.md", "README.md", "model.ckpt", "model.safetensors",
         "model_config.json", "stable_audio.png"],
    ),
    "AceStepPipeline": (
        [
            "condition_encoder/diffusion_pytorch_model.safetensors",
            "model_index.json",
            "text_encoder/model.safetensors",
            "tokenizer/chat_template.jinja",
            "tokenizer/merges.txt",
            "tokenizer/vocab.json",
            "transformer/config.json",
            "transformer/diffusion_pytorch_model-00001-of-00002.safetensors",
            "transformer/diffusion_pytorch_model-00002-of-00002.safetensors",
            "transformer/diffusion_pytorch_model.safetensors.index.json",
            "vae/diffusion_pytorch_model.safetensors",
        ],
        ["README.md", "audio_token_detokenizer/config.json",
         "audio_token_detokenizer/diffusion_pytorch_model.safetensors",
         "audio_tokenizer/config.json", "audio_tokenizer/diffusion_pytorch_model.safetensors",
         "modeling.py", "silence_latent.pt"],
    ),
    "AudioLDM2Pipeline": (
        [
            "feature_extractor/preprocessor_config.json",
            "language_model/model.safetensors",
            "model_index.json",
            "text_encoder_2/model.safetensors",
            "tokenizer_2/spiece.model",
            "unet/diffusion_pytorch_model.safetensors",
            "vocoder/model.safetensors",
        ],
        ["language_model/pytorch_model.bin", "unet/diffusion_pytorch_model.bin",
         "unet/diffusion_pytorch_model.fp16.safetensors",
         "unet/diffusion_pytorch_model.non_ema.safetensors", "vocoder/flax_model.msgpack"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_only_what_is_read_is_downloaded(folders: dict[str, Path], name: str) -> None:
    read, left = PUBLISHED[name]
    assert sorted(read_of([*left, *read], folders[name])) == read


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_downloaded_is_enough(folders: dict[str, Path], name: str, tmp_path: Path) -> None:
    whole, part = folders[name], tmp_path / "part"
    files = [path.relative_to(whole).as_posix() for path in whole.rglob("*") if path.is_file()]
    for file in read_of(files, whole):
        (part / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(whole / file, part / file)
    assert not (part / "audio_tokenizer").exists()
    ours, theirs = (
        generate(load_model(str(folder), dtype="float32"), "calm", duration=0.5, steps=1)
        for folder in (part, whole)
    )
    assert torch.equal(ours.audio, theirs.audio)


def test_a_full_disk(
    hub: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load.shutil, "disk_usage", lambda _: SimpleNamespace(free=10_000_000))
    with pytest.raises(InputError, match="set HF_HUB_CACHE to a folder on a larger disk"):
        load_model("ucsd-reach/musicldm")


def test_what_is_known_here_is_told_where_the_hub_says_nothing() -> None:
    line = told(GATED, None, None)
    assert "licence Stability AI Community" in line and "about 5.3 GB" in line
    assert "licence not stated" in told("some/one", None, None)


def test_a_folder_is_reported_by_what_it_holds(folders: dict[str, Path]) -> None:
    one, other = (load_model(str(folders[name])) for name in ("AceStepPipeline", "base"))
    assert one.revision and other.revision and one.revision != other.revision


def test_a_revision_pins_what_is_of_the_hub(folders: dict[str, Path]) -> None:
    known = f"ucsd-reach/musicldm@{COMMIT}"
    for name in ("ucsd-reach/musicldm", "ucsd-reach/musicldm@v1", known):
        assert pinned(name, COMMIT) == known
    kept = (
        ("ditto-small", COMMIT),
        (str(folders["base"]), COMMIT),
        ("my/folder", "0123456789abcdef"),
    )
    for name, revision in (*kept, ("ucsd-reach/musicldm", None)):
        assert pinned(name, revision) == name


# --- the list ------------------------------------------------------------------------------------


def test_models_lists_licence_size_and_revision(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert main(["models"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    rows = {line.split("\t")[0]: dict(zip(header.split("\t"), line.split("\t"), strict=True))
            for line in lines}  # fmt: skip
    assert {"ditto-small", "debug", *(public.name for public in PUBLIC)} == set(rows)
    row = rows[GATED]
    assert row["gated"] == "yes" and row["licence"] == "Stability AI Community"
    assert row["size"] == "5.3 GB" and row["in memory"] == "2.4 or 4.9 GB"
    assert len(rows["ucsd-reach/musicldm"]["revision"]) == 40
    assert rows["ditto-small"]["here"] == "yes" and row["here"] == "no"


def test_every_public_model_has_its_page() -> None:
    docs = Path(__file__).parents[3] / "docs" / "models"
    for public in PUBLIC:
        page = (docs / f"{public.family}.md").read_text("utf-8")
        assert public.name in page
        assert public.licence.split(",")[0] in page


def test_audioldm2_as_it_was_published_has_a_language_model_without_a_head(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    """Its index names a class that cannot go on writing with the transformers of today."""
    whole = load_model(str(folders["AudioLDM2Pipeline"]), dtype="float32")
    published = tmp_path / "audioldm2"
    shutil.copytree(folders["AudioLDM2Pipeline"], published)
    shutil.rmtree(published / "language_model")
    head = transformers.GPT2LMHeadModel.from_pretrained(
        folders["AudioLDM2Pipeline"] / "language_model"
    )
    head.transformer.save_pretrained(published / "language_model")
    index = json.loads((published / "model_index.json").read_text())
    index["language_model"] = ["transformers", "GPT2Model"]
    (published / "model_index.json").write_text(json.dumps(index))
    model = load_model(str(published), dtype="float32")
    ours, theirs = (one.condition(["calm piano"], 0.64).tensors for one in (model, whole))
    for name, value in theirs.items():
        assert torch.equal(ours[name], value)
