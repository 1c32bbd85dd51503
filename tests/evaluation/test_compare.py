"""Tasks times methods on the tiny model: made once, judged, and told in four forms."""

from __future__ import annotations

import csv
import ctypes
import html
import json
import re
import urllib.parse
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from ditto_music.baselines import METHODS
from ditto_music.cli import main
from ditto_music.errors import InputError
from ditto_music.evaluation.compare import Comparison, Made, Plan, compare, entries_of, keyed
from ditto_music.evaluation.contests import (
    CONTESTS,
    Source,
    curve_of,
    form_of_item,
    largest_join,
    tune_of,
)
from ditto_music.evaluation.embeddings import Embedding, embedding_named
from ditto_music.evaluation.studies.fresh import in_fresh_process
from ditto_music.evaluation.tables import page
from ditto_music.evaluation.targets import PROMPTS, notes_of
from ditto_music.jobs import Group, Job, Outcome, Performer
from ditto_music.jobs.batch import commands
from ditto_music.result import forget_peak, give_back, peak_memory

QUICK = (
    *("--model", "debug", "--duration", "3", "--items", "2", "--steps", "3"),
    *("--iterations", "2", "--quiet"),
)
TASKS = ("--task", "intensity", "--task", "inpaint")
BOTH = ("own", "heard")
BARE = {"own": 0.0, "seconds": 0.0}
SOME = ("--method", "plain", "--method", "dps", "--method", "naive-masking")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("compare") / "out"
    assert main(["compare", "-o", str(out), *TASKS, *SOME, *QUICK]) == 0
    return out


def music(folder: Path, pitches: list[float]) -> Path:
    """Three seconds of a tone of each pitch in Hz."""
    folder.mkdir()
    for number, pitch in enumerate(pitches):
        tones = 0.2 * np.sin(2 * np.pi * pitch * np.arange(72_000) / 24_000)
        soundfile.write(folder / f"{number}.wav", tones, 24_000)
    return folder


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_item_is_made_by_every_method_that_can(folder: Path) -> None:
    made = lines(folder / "audio" / "results.jsonl")
    pairs = sorted((line["command"], line["method"]) for line in made)
    assert pairs == sorted(
        2 * [("control", "plain"), ("control", "dps")]
        + 2 * [("inpaint", name) for name in ("plain", "dps", "naive-masking")]
    )
    assert all((folder / "audio" / line["out"]).exists() for line in made)
    assert all(line["peak_memory_bytes"] > 0 for line in made)


def test_the_tables_hold_a_line_a_method_with_intervals(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (folder / "table.md").read_text()
    asked = "each with its own settings, all with steps 3, iterations 2; in brackets"
    assert text.startswith(f"debug, 2 items a task, {asked}")
    assert text.count("\n| plain | 2 |") == 2
    assert text.count("\n| naive-masking | 2 |") == 1
    assert "RMS error, dB | momentary loudness, correlation | prompt's tags, rank" in text
    with (folder / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    cell = {(row["task"], row["method"], row["figure"]): row["value"] for row in rows}
    errors = {
        name: [
            line["controls"]["intensity"]["rms_error_db"]
            for line in lines(folder / "audio" / "results.jsonl")
            if line["command"] == "control" and line["method"] == name
        ]
        for name in ("plain", "dps")
    }
    for name, values in errors.items():
        value = float(cell["intensity", name, "RMS error, dB"])
        assert value == pytest.approx(np.mean(values), rel=1e-6)
    assert -1 <= float(cell["intensity", "dps", "momentary loudness, correlation"]) <= 1
    assert float(cell["inpaint", "naive-masking", CONTESTS["inpaint"].own.label]) < 1e-6


def test_what_is_made_is_not_made_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [*folder.glob("audio/*.wav"), *folder.glob("heard/*.json"), *folder.glob("sources/*")]
    before = {path: path.stat().st_mtime_ns for path in files if path.suffix in (".wav", ".json")}
    count = len(lines(folder / "audio" / "results.jsonl"))
    assert len(before) == 10 + 10 + 2
    assert main(["compare", "-o", str(folder), *TASKS, *SOME, *QUICK]) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(lines(folder / "audio" / "results.jsonl")) == count
    assert capsys.readouterr().out == (folder / "table.md").read_text()


def test_the_page_plays_every_clip_and_asks_nothing_of_the_net(folder: Path) -> None:
    page = (folder / "index.html").read_text()
    assert "http" not in page
    sounds = re.findall(r'src="([^"]+)"', page)
    assert len(sounds) == 10 + 2
    assert all((folder / sound).resolve().is_file() for sound in sounds)
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_equal_seconds_are_other_clips_than_own_settings(folder: Path) -> None:
    plan = Plan("debug", ["intensity"], ["ditto", "freedom"], items=1)
    own, equal = (
        keyed(entries_of(each, []), commands())
        for each in (plan, Plan("debug", ["intensity"], ["ditto", "freedom"], 1, seconds_each=9))
    )
    assert own[1].fields["steps"] == METHODS["freedom"].own["steps"] == 100
    assert "time_limit" not in own[0].fields
    assert equal[0].fields["time_limit"] == 9
    assert equal[0].fields["iterations"] > 1000
    assert [each.fields.get("tolerance") for each in (*own, *equal)] == [None, None, 0, 0]
    assert not {each.name for each in own} & {each.name for each in equal}
    asked = Plan("debug", ["intensity"], ["freedom"], 1, flags={"steps": 7})
    assert entries_of(asked, [])[0].fields["steps"] == 7
    held = Plan("debug", ["intensity"], ["freedom"], 1, flags={"offload": "all"})
    assert entries_of(held, [])[0].fields["offload"] == "all"


def test_recordings_of_one_s_own_are_edited_and_a_reference_gives_distances(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = music(tmp_path / "music", [220, 290, 360])
    asked = ("--task", "outpaint", "--method", "plain", "--method", "multidiffusion-50")
    folders = ("--recordings", str(folder), "--reference", str(folder))
    assert main(["compare", "-o", str(tmp_path / "out"), *asked, *folders, *QUICK]) == 0
    out = capsys.readouterr().out
    assert "| KAD, musicnn |" in out
    made = lines(tmp_path / "out" / "audio" / "results.jsonl")
    assert {line["method"] for line in made} == {"plain", "multidiffusion-50"}
    assert not (tmp_path / "out" / "sources").exists()


def test_recordings_of_any_name_are_played(tmp_path: Path) -> None:
    names = ["take #2?.wav", "50% & more.wav", "plain.wav"]
    for name in names:
        (tmp_path / name).touch()
        plan = Plan("debug", ["loop"], ["plain"], items=1, recordings=tmp_path)
        source = Source(tmp_path / name)
        made = Made(entries_of(plan, [source])[0], tmp_path / "a.wav", "", 1.0, BARE, {}, {})
        found = page(Comparison(plan, [made], [], [source], []), tmp_path / "out")
        address, _ = re.findall(r'src="([^"]+)"', found)
        played = urllib.parse.urlsplit(html.unescape(address))
        assert (played.query, played.fragment) == ("", "")
        assert urllib.parse.unquote(played.path) == f"../{name}"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--method", "naive-masking", "--task", "melody"], "cannot do melody"),
        (["--method", "control-net", "--task", "structure"], "cannot do structure"),
        (["--method", "control-net", "--model", "debug"], "with debug"),
        (["--items", "0"], "items is 0"),
        (2 * ["--task", "intensity"], "task 'intensity' is given twice"),
        (2 * ["--method", "plain"], "method 'plain' is given twice"),
        (["--seconds-each", "0"], "seconds-each is 0"),
        (["--seed", "-1"], "seed is -1"),
        (["--recordings", "nowhere", "--task", "loop"], "nowhere: no audio files"),
        (["--task", "dance"], "dance"),
    ],
)
def test_what_cannot_be_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], words: str
) -> None:
    assert main(["compare", "-o", str(tmp_path / "out"), "--quiet", *more]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err.splitlines()[-1]


def test_a_trained_method_does_what_it_was_trained_for() -> None:
    plan = Plan(items=1)
    able = [name for name, contest in CONTESTS.items() if "control-net" in plan.methods_of(contest)]
    assert able == ["intensity", "melody", "intensity-melody"]
    assert entries_of(Plan(tasks=["melody"], methods=["control-net"], items=1), [])
    other = Plan("debug", items=1)
    assert not any("control-net" in other.methods_of(contest) for contest in CONTESTS.values())


def test_two_controls_at_once_have_each_its_own_figure_and_its_ear(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--task", "intensity-melody", "--method", "plain", "--method", "freedom")
    assert main(["compare", "-o", str(tmp_path), *asked, *QUICK]) == 0
    heads = capsys.readouterr().out.splitlines()[4]
    names = [CONTESTS[task].told[who].label for task in ("intensity", "melody") for who in BOTH]
    assert heads.startswith(f"| method | clips | {' | '.join(names)} | prompt's tags, rank |")
    made = lines(tmp_path / "audio" / "results.jsonl")
    assert all({"intensity", "melody"} <= set(line["controls"]) for line in made)
    with (tmp_path / "table.csv").open() as file:
        cell = {(row["method"], row["figure"]): row["value"] for row in csv.DictReader(file)}
    for label, control, key in zip(
        names[::2], ("intensity", "melody"), ("rms_error_db", "accuracy"), strict=True
    ):
        own = [line["controls"][control][key] for line in made if line["method"] == "plain"]
        assert float(cell["plain", label]) == pytest.approx(np.mean(own), rel=1e-6)
    assert all(cell["freedom", label] for label in names[1::2])
    said = (tmp_path / "index.html").read_text()
    assert all(said.count(f"<small>{name}: ") == 4 for name in names[::2])


def test_an_item_that_fails_is_told_and_the_rest_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    more = ["--task", "intensity", "--method", "plain", *QUICK]
    more[more.index("3", more.index("--duration"))] = "40"  # longer than the model makes
    assert main(["compare", "-o", str(out), *more]) == 1
    told = capsys.readouterr().out
    assert told.count("Failed: intensity-") == 2
    assert "makes clips of" in told


def test_what_another_network_of_the_name_heard_is_not_taken(tmp_path: Path) -> None:
    plan = Plan("debug", ["intensity"], ["plain"], items=1, duration=1.0, flags={"steps": 2})

    def heard(power: float) -> tuple[list[float], int]:
        def embed(audio: Tensor, rate: int) -> Tensor:
            return audio.abs().pow(power).mean().repeat(2)

        found = compare(plan, tmp_path, embeddings={"clap": Embedding(48_000, embed)})
        (kept,) = (tmp_path / "heard").iterdir()
        return found.made[0].vectors["clap"].tolist(), kept.stat().st_mtime_ns

    first, second = heard(1.0), heard(0.5)
    assert first[0] != second[0]
    assert heard(0.5) == second  # and not heard again


def test_vectors_of_another_rate_are_heard_again_and_those_of_their_own_are_not(
    tmp_path: Path,
) -> None:
    """What was heard before its rate was written down was heard at 16 kHz, by MusiCNN's rate."""
    plan = Plan("debug", ["intensity"], ["plain"], items=1, duration=1.0, flags={"steps": 2})
    rates = list[int]()

    def embed(audio: Tensor, rate: int) -> Tensor:
        rates.append(rate)
        return torch.tensor([1.0, audio.shape[-1] / rate])

    def heard(rate: int) -> Path:
        _ = compare(plan, tmp_path, embeddings={"clap": Embedding(rate, embed)})
        (kept,) = (tmp_path / "heard").iterdir()
        return kept

    kept = heard(16_000)
    said = json.loads(kept.read_text())
    del said["rates"]
    kept.write_text(json.dumps(said))
    rates.clear()
    assert json.loads(heard(16_000).read_text()) == said
    assert rates == [16_000]  # of the noise that tells networks apart
    rates.clear()
    assert json.loads(heard(48_000).read_text())["rates"] == {"clap": 48_000}
    assert rates == [48_000, 48_000]


@dataclass(frozen=True)
class Unable:
    """A performer, of other weights unless said, with which nothing can be made."""

    revision: Callable[[Job], str] = lambda job: "other weights"

    def kind(self, job: Job) -> None:
        return None

    def perform(self, group: Group, address: str) -> list[Outcome]:
        return [Outcome(order.key, order.job.line, error="cannot") for order in group.orders]


def test_a_clip_of_other_weights_does_not_stand_in_for_one_that_failed(tmp_path: Path) -> None:
    plan = Plan("debug", ["intensity"], ["plain"], items=2, duration=1.0, flags={"steps": 2})
    assert compare(plan, tmp_path, embeddings={}).cells[0].missing == 0
    found = compare(plan, tmp_path, embeddings={}, performer=Unable())
    assert (len(found.made), found.cells[0].missing, len(found.failed)) == (0, 2, 2)
    assert compare(plan, tmp_path, embeddings={}).cells[0].missing == 0


@dataclass(frozen=True)
class Renamed:
    """The command line, whose weights have another name now."""

    inner: Performer

    def revision(self, job: Job) -> str:
        return "other " + self.inner.revision(job)

    def kind(self, job: Job) -> Hashable | None:
        return self.inner.kind(job)

    def perform(self, group: Group, address: str) -> list[Outcome]:
        return self.inner.perform(group, address)


def test_weights_that_come_back_find_their_own_clips_and_music_to_edit(tmp_path: Path) -> None:
    flags = {"steps": 2, "overlap": 1.0, "seconds": 1.0}
    plan = Plan("debug", ["outpaint"], ["plain"], items=1, duration=2.0, flags=flags)
    first = compare(plan, tmp_path, embeddings={})
    bits = [path.read_bytes() for path in (first.made[0].file, first.sources[0].path)]
    other = compare(plan, tmp_path, embeddings={}, performer=Renamed(commands()))
    assert other.made[0].file != first.made[0].file and other.sources != first.sources
    again = compare(plan, tmp_path, embeddings={}, performer=Unable(commands().revision))
    assert [one.file for one in again.made] == [first.made[0].file]
    assert again.cells[0].missing == 0
    assert bits == [path.read_bytes() for path in (again.made[0].file, again.sources[0].path)]


@dataclass(frozen=True)
class Never:
    """A performer that is not to be asked."""

    def revision(self, job: Job) -> str:
        raise AssertionError

    kind = perform = revision


@pytest.mark.parametrize(
    ("clips", "words"),
    [
        (None, "no such folder"),
        ([], "no audio that can be read"),
        (3 * [220], "one and the same clip"),
    ],
)
def test_a_reference_that_cannot_be_used_is_refused_before_anything_is_made(
    tmp_path: Path, clips: list[float] | None, words: str
) -> None:
    if clips is not None:
        music(tmp_path / "music", clips)
    plan = Plan("debug", ["intensity", "inpaint"], ["plain"], items=2, duration=2.0)
    networks = {"musicnn": embedding_named("musicnn")}
    with pytest.raises(InputError, match=words):
        _ = compare(
            plan, tmp_path / "out", embeddings=networks, reference=tmp_path / "music",
            performer=Never(),
        )  # fmt: skip
    assert not (tmp_path / "out").exists()


def test_a_reference_is_heard_in_pieces_as_long_as_the_new_part_of_an_edit(tmp_path: Path) -> None:
    music(tmp_path / "music", [220, 290, 360])
    plan = Plan("debug", ["intensity", "inpaint"], ["plain"], items=2, duration=3.0)
    lengths, told = list[float](), list[str]()

    def embed(audio: Tensor, rate: int) -> Tensor:
        lengths.append(round(audio.shape[-1] / rate, 2))
        return torch.cat([torch.ones(1), audio[0, :9]])

    networks = {"musicnn": Embedding(16_000, embed)}
    found = compare(
        replace(plan, flags={"steps": 2}), tmp_path / "out",
        embeddings=networks, reference=tmp_path / "music", tell=told.append,
    )  # fmt: skip
    assert lengths[:3] == [3.0] * 3
    new = found.made[-1].seconds
    assert 0.9 < new < 1.1  # a third
    assert lengths[-6:] == pytest.approx(6 * [new], abs=0.02)
    assert sum("in pieces of" in line for line in told) == 1
    assert all("KAD, musicnn" in cell.figures for cell in found.cells)


def test_targets_stretch_with_the_clip() -> None:
    assert curve_of(0, 3.0) == ("rise", [(0, -40), (3, -12)])
    assert sum(length for _, length, _ in notes_of(tune_of(0, 3.0))) == pytest.approx(3)


@pytest.mark.parametrize(
    ("named", "count"),
    [
        (lambda item: curve_of(item, 3.0)[0], 5),
        (lambda item: tune_of(item, 3.0), 3),
        (form_of_item, 3),
    ],
)
def test_a_prompt_that_comes_again_has_another_target(
    named: Callable[[int], str], count: int
) -> None:
    pairs = {(item % len(PROMPTS), named(item)) for item in range(len(PROMPTS) * count)}
    assert len(pairs) == len(PROMPTS) * count


def test_items_of_one_prompt_share_their_ground() -> None:
    plan = Plan("debug", ["intensity"], ["plain"], items=len(PROMPTS) + 2)
    grounds = [each.ground for each in entries_of(plan, [])]
    assert grounds == [*PROMPTS, *PROMPTS[:2]]
    own = Plan("debug", ["loop", "inpaint"], ["plain"], items=2)
    sources = [Source(Path("a.wav")), Source(Path("b.wav"))]
    assert [each.ground for each in entries_of(own, sources)] == 2 * ["a.wav", "b.wav"]


def held_after_work(back: bool) -> int:
    """Bytes that a process holds beyond what it did before, once 200 MB are freed again."""
    forget_peak()
    before = peak_memory()
    torch.ones(4 << 20, dtype=torch.uint8)  # freed at once: others of its size are of the heap then
    blocks = [torch.ones(4 << 20, dtype=torch.uint8) for _ in range(50)]
    del blocks[:-1]  # what lies above them in the heap keeps them
    if back:
        give_back()
    forget_peak()
    return peak_memory() - before


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="glibc's")
def test_memory_of_an_item_is_without_what_earlier_ones_freed() -> None:
    assert in_fresh_process(held_after_work, False) > 100e6
    assert in_fresh_process(held_after_work, True) < 20e6


def test_the_largest_join_counts() -> None:
    seams = [{"flux_rank": 0.2, "jump_rank": 0.7}, {"flux_rank": None, "jump_rank": 0.1}]
    assert largest_join({"seams": seams}) == 0.7
    assert np.isnan(largest_join({"seams": []}))
    assert Source(Path("a.wav")).prompt is None
