"""A folder of audio from any system: measured, bad files told of, reports read where there are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from ditto_music import InputError, generate, load_model
from ditto_music.cli import main
from ditto_music.controls.style_words import mentioned
from ditto_music.evaluation import kernel
from ditto_music.evaluation.adherence import adherence
from ditto_music.evaluation.embeddings import Embedding, embedding_named
from ditto_music.evaluation.folder import evaluate, listen
from ditto_music.evaluation.reports import controls_of, report_for, reports_in

RATE = 16_000
MUSICNN = {"musicnn": embedding_named("musicnn")}


def sound(seed: int, dull: bool) -> np.ndarray:
    """A second of tones, dull or bright; every file is another."""
    rng = np.random.default_rng(seed)
    time = np.arange(RATE) / RATE
    pitches = rng.uniform(100, 250, 3) if dull else rng.uniform(2000, 6000, 3)
    tones = np.sin(2 * np.pi * np.outer(pitches, time) + rng.uniform(0, 6, (3, 1))).sum(0)
    return 0.1 * tones + 0.01 * rng.standard_normal(RATE)


def fill(folder: Path, seeds: range, dull: bool) -> Path:
    folder.mkdir()
    for seed in seeds:
        soundfile.write(folder / f"{seed}.wav", sound(seed, dull), RATE)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("music")
    fill(root / "reference", range(8), dull=True)
    fill(root / "alike", range(20, 28), dull=True)
    fill(root / "other", range(20, 28), dull=False)
    return root


def test_what_is_alike_is_nearer_than_what_is_not(folders: Path) -> None:
    alike, other = (
        evaluate(folders / name, folders / "reference", embeddings=MUSICNN).figures
        for name in ("alike", "other")
    )
    for figure in ("FAD, musicnn", "FAD, musicnn, less its bias", "KAD, musicnn"):
        assert alike[figure].value < other[figure].value
        assert alike[figure].count == 8
    assert alike["KAD, musicnn"].high < other["KAD, musicnn"].low
    assert other["KAD, musicnn"].low > 0


def test_a_reference_is_worked_out_once_for_all_halves(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = kernel.pdist
    sizes = list[int]()

    def counting(points: np.ndarray) -> np.ndarray:
        sizes.append(len(points))
        return known(points)

    monkeypatch.setattr(kernel, "pdist", counting)
    evaluate(folders / "alike", folders / "reference", embeddings=MUSICNN)
    assert sizes.count(8) == 2  # the reference, and all that was made; the rest are halves
    assert set(sizes) == {4, 8}


def test_a_folder_to_itself_is_at_no_distance(folders: Path) -> None:
    figures = evaluate(folders / "alike", folders / "alike", embeddings=MUSICNN).figures
    assert figures["FAD, musicnn"].value == pytest.approx(0, abs=1e-6)
    assert figures["KAD, musicnn"].value < 0.05


def test_the_command_prints_a_table_and_writes_all_as_json(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "made"
    shutil.copytree(folders / "alike", made)
    (made / "empty.wav").write_bytes(b"")
    (made / "text.flac").write_text("no music")
    soundfile.write(made / "short.wav", np.zeros(20), RATE)
    (made / "notes.txt").write_text("not audio: passed over")
    out = tmp_path / "figures.json"
    reference = str(folders / "reference")
    assert main(["evaluate", str(made), "--reference", reference, "--json", str(out)]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("| figure | value | 95% interval | clips |\n|---|")
    assert "| FAD, musicnn |" in told.out
    bad = [line for line in told.err.splitlines() if "listening" not in line and "CLAP" not in line]
    assert len(bad) == 3
    for name in ("empty.wav", "short.wav", "text.flac"):
        assert sum(f"/{name}: " in line for line in bad) == 1
    said = json.loads(out.read_text())
    assert [len(said[key]) for key in ("items", "bad")] == [8, 3]
    assert said["figures"]["KAD, musicnn"]["count"] == 8


def test_a_longer_reference_is_heard_in_pieces_as_long_as_the_clips(
    folders: Path, tmp_path: Path
) -> None:
    """Cut again they are the clips themselves, and at no distance; alike in length they stay."""
    made, joined, nearly = (tmp_path / name for name in ("made", "joined", "nearly"))
    fill(made, range(6), dull=True)
    joined.mkdir()
    nearly.mkdir()
    for number in range(2):
        sounds = [sound(3 * number + i, dull=True) for i in range(3)]
        rest = 0.2 * np.ones(RATE // 2)
        soundfile.write(joined / f"{number}.wav", np.concatenate([*sounds, rest]), RATE)
        soundfile.write(nearly / f"{number}.wav", np.concatenate([sounds[0], rest]), RATE)
    found = evaluate(made, joined, embeddings=MUSICNN).figures
    assert found["FAD, musicnn"].value == pytest.approx(0, abs=1e-6)
    clips = listen(nearly, MUSICNN, print, seconds=1.0)
    assert [clip.seconds for clip in clips] == [1.5, 1.5]


def test_a_reference_of_shorter_music_is_told_of(folders: Path, tmp_path: Path) -> None:
    lines = list[str]()
    for number in range(2):
        audio = np.concatenate([sound(3 * number + i, dull=True) for i in range(3)])
        soundfile.write(tmp_path / f"{number}.wav", audio, RATE)
    evaluate(tmp_path, folders / "reference", embeddings=MUSICNN, tell=lines.append)
    (told,) = (line for line in lines if "unlike" in line)
    assert "its music lasts 1 s, what was made 3 s" in told
    lines.clear()
    evaluate(folders / "alike", folders / "reference", embeddings=MUSICNN, tell=lines.append)
    assert not [line for line in lines if "unlike" in line]


def test_a_reference_is_refused_before_clips_are_listened_to(folders: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_text("no music")
    never = {"never": Embedding(RATE, lambda audio, rate: pytest.fail("listened"))}
    for reference, words in ((tmp_path / "nowhere", "no such folder"), (tmp_path, "no audio")):
        with pytest.raises(InputError, match=words):
            evaluate(folders / "alike", reference, embeddings=never)


def test_every_network_hears_at_its_own_rate(tmp_path: Path) -> None:
    """Above 8 kHz, where MusiCNN hears nothing, CLAP does."""
    tone = 0.1 * np.sin(2 * np.pi * 10_000 * np.arange(44_100) / 44_100)
    soundfile.write(tmp_path / "high.wav", tone, 44_100)

    def power(audio: Tensor, rate: int) -> Tensor:
        return torch.tensor([float(rate), float(audio.square().mean())])

    networks = {"musicnn": Embedding(16_000, power), "clap": Embedding(48_000, power)}
    (clip,) = evaluate(tmp_path, embeddings=networks).clips
    assert clip.vectors["musicnn"][0] == 16_000
    assert clip.vectors["musicnn"][1] < 1e-6
    assert clip.vectors["clap"].tolist() == pytest.approx([48_000, 0.005], rel=0.01)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--embedding", "vggish"], "vggish: no weights come"),
        (["--vggish", "nowhere.safetensors"], "nowhere.safetensors: no such file"),
        (["--embedding", "clap"], "clap: no weights come"),
        (["--reference", "nowhere"], "nowhere: no such folder"),
        (["--json", "nowhere/x.json"], "does not exist"),
        (["--seed", "-1"], "seed is -1"),
    ],
)
def test_what_cannot_be_is_one_clear_line(
    folders: Path, capsys: pytest.CaptureFixture[str], more: list[str], words: str
) -> None:
    assert main(["evaluate", str(folders / "alike"), *more]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err.splitlines()[-1]


def test_a_folder_without_audio_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no audio that can be read"):
        evaluate(tmp_path, embeddings=MUSICNN)


def test_one_clip_and_no_reference_still_give_a_table(folders: Path, tmp_path: Path) -> None:
    shutil.copy(folders / "alike" / "20.wav", tmp_path)
    found = evaluate(tmp_path, embeddings=MUSICNN)
    assert list(found.figures) == ["seconds of audio"]
    assert "| seconds of audio | 1 |" in found.markdown()


@pytest.mark.parametrize(
    ("made", "known", "left", "says"),
    [
        (1, 2, 0, "no distances: what was made has 1 clip, and they need 2 or more"),
        (2, 1, 0, "no distances: the reference has 1 clip, and they need 2 or more"),
        (3, 2, 2, "no FAD less its bias: it needs 4 clips or more, and 3 were made"),
        (4, 2, 3, ""),
    ],
)
def test_distances_that_are_left_out_are_told_of(
    tmp_path: Path, made: int, known: int, left: int, says: str
) -> None:
    lines = list[str]()
    ours = fill(tmp_path / "made", range(made), dull=True)
    theirs = fill(tmp_path / "known", range(9, 9 + known), dull=True)
    found = evaluate(ours, theirs, embeddings=MUSICNN, tell=lines.append)
    assert len([name for name in found.figures if "AD," in name]) == left
    assert [line for line in lines if "listening" not in line] == ([says] if says else [])


def test_reports_give_control_text_and_cost(folders: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    shutil.copytree(folders / "alike", made)
    report = {
        "prompt": "a calm piano piece",
        "controls": {"intensity": {"loss": 4.0, "rms_error_db": 2.0, "note": "text"}},
        "seconds": 3.0,
        "peak_memory_bytes": 2e9,
        "iterations": 7,
        "out": "runs/out.wav",
    }
    (made / "20.json").write_text(json.dumps(report))  # beside it
    lines = [json.dumps({**report, "out": "21.wav", "seconds": 5.0}), "{half a line"]
    (made / "results.jsonl").write_text("\n".join(lines))  # of a batch
    (made / "report.json").write_text(json.dumps({"items": [{**report, "out": "a/22.wav"}]}))
    (made / "other.json").write_text("[1, 2]")
    figures = evaluate(made, folders / "reference", embeddings=MUSICNN).figures
    assert figures["intensity.rms_error_db"].value == 2.0
    assert figures["intensity.rms_error_db"].count == 3
    assert figures["seconds to make"].value == pytest.approx(11 / 3)
    assert figures["peak memory, GB"].value == pytest.approx(2.0)
    assert 0 <= figures["tags of the prompt, rank"].value <= 1
    assert figures["tags of the prompt, probability"].count == 3


def test_reports_of_commands_are_found_beside_the_audio_by_whatever_name(tmp_path: Path) -> None:
    """Two runs of the same command, each collected under a name of its own; one was left."""
    quick = ["--model", "debug", "--duration", "1", "--steps", "2"]
    out, report = tmp_path / "out.wav", tmp_path / "out.json"
    for prompt, name in (("piano", "01"), ("drums", "02"), ("guitar", "out")):
        written = ["-o", str(out), "--report", str(report)]
        assert main(["generate", prompt, *quick, *written]) == 0
        for path in (out, report):
            path.rename(path.with_stem(name))
    (tmp_path / "out.json").rename(tmp_path / "said.json")  # found by what it says of itself
    reports = reports_in(tmp_path)
    for name, prompt in (("01", "piano"), ("02", "drums"), ("out", "guitar")):
        assert report_for(tmp_path / f"{name}.wav", reports)["prompt"] == prompt  # type: ignore[index]


def test_a_report_of_several_items_from_python_is_found(tmp_path: Path) -> None:
    made = generate(load_model("debug"), ["piano", "drums"], duration=1, steps=2)
    made.save(tmp_path / "take.wav")
    made.save_report(tmp_path / "take.json")
    reports = reports_in(tmp_path)
    for name, prompt in (("take-1", "piano"), ("take-2", "drums")):
        assert report_for(tmp_path / f"{name}.wav", reports)["prompt"] == prompt  # type: ignore[index]


def test_reports_are_found_by_their_audio(tmp_path: Path) -> None:
    vary = {"items": [{"prompt": "x"}, {"prompt": "y"}]}
    (tmp_path / "report.json").write_text(json.dumps(vary))
    reports = reports_in(tmp_path)
    assert report_for(tmp_path / "2.wav", reports) == {"prompt": "y"}
    assert report_for(tmp_path / "3.wav", reports) is None
    assert controls_of({"prompt": "x", "controls": None}) == {}


def test_the_rank_is_the_share_of_others_with_less() -> None:
    """Solved by hand: more than one of four, as much as one."""
    tag = ("mtt", "piano")
    others = [{tag: value} for value in (0.1, 0.3, 0.5, 0.9)]
    found = adherence("solo piano", {tag: 0.3, ("mtt", "solo"): 0.0}, [
        other | {("mtt", "solo"): 1.0} for other in others
    ])  # fmt: skip
    assert found is not None
    assert found.probability == pytest.approx(0.15)
    assert found.rank == pytest.approx((1.5 / 4 + 0) / 2)
    assert adherence("xyzzy", {}, []) is None


def test_tags_are_read_out_of_any_prompt() -> None:
    assert mentioned("Upbeat bossa nova with nylon guitar, 80's female singer") == [
        ("msd", "guitar"), ("msd", "80s"), ("msd", "female vocalists"),
    ]  # fmt: skip
    assert mentioned("qwerty 120 bpm") == []
