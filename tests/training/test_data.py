"""The data pipeline: words that are true, music that is what its labels say, bytes that repeat."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mido", reason="mido is not installed: `pip install ditto-music[train]`")

from training.data import dynamics, needs, shards
from training.data.__main__ import main
from training.data.captions import caption
from training.data.compose import compose
from training.data.dataset import Music, labels_of_crop
from training.data.engines import ENGINES
from training.data.harmony import MODES, Chord, Key, progression
from training.data.melody import melody
from training.data.moods import MOODS
from training.data.render import limit, shelf, to_int16
from training.data.score import Note, Part, Score, read_parts
from training.data.styles import FAMILIES, GROOVES
from training.data.words import (
    DYNAMICS_WORDS,
    FAMILY_WORDS,
    HELD_OUT_SYNONYMS,
    INSTRUMENT_WORDS,
    MOOD_WORDS,
)

try:
    needs.check()
    MISSING = ""
except needs.MissingProgramError as error:
    MISSING = str(error)
needs_programs = pytest.mark.skipif(bool(MISSING), reason=MISSING)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def labels() -> dict:
    return {
        "id": "0-000000",
        "split": "train",
        "family": "bossa nova",
        "ensemble": "band",
        "mood": "calm",
        "bpm": 120,
        "beats_per_bar": 4,
        "bar_seconds": 2.0,
        "key": "D",
        "mode": "dorian",
        "instruments": ["drums", "flute", "piano"],
        "playing": {"drums": [[0, 16]], "flute": [[8, 16]], "piano": [[0, 6], [10, 16]]},
        "lead": "flute",
        "density": "dense",
        "dynamics": [
            {"kind": "crescendo", "start": 1.0, "end": 5.0},
            {"kind": "break", "start": 6.0, "end": 8.0},
            {"kind": "fade out", "start": 13.0, "end": 16.0},
        ],
        "melody": [[8.0, 1.0, 74], [9.5, 2.0, 77]],
        "loudness": [-40.0] * 10 + [-20.0] * 22,
        "offset": 0,
        "samples": 16 * 24000,
        "sample_rate": 24000,
    }


# --- styles and words ---------------------------------------------------------------------------


def test_there_are_many_grooves_and_some_are_held_out() -> None:
    names = [groove.name for groove in GROOVES]
    assert len(names) == len(set(names)) >= 250
    assert {groove.beats for groove in GROOVES} == {3, 4}
    assert {groove.family for groove in GROOVES} | set(ENGINES) == set(FAMILIES)
    assert 0.03 < np.mean([groove.held_out for groove in GROOVES]) < 0.1


def test_every_style_and_mood_has_words() -> None:
    assert set(FAMILY_WORDS) == set(FAMILIES)
    assert set(MOOD_WORDS) == set(MOODS) == set(HELD_OUT_SYNONYMS["mood"])
    assert set(DYNAMICS_WORDS) == set(dynamics.KINDS)
    assert all(len(set(words)) >= 6 for words in MOOD_WORDS.values())
    assert all(len(set(words)) >= 3 for words in FAMILY_WORDS.values())


# --- captions -----------------------------------------------------------------------------------


def _says(text: str, words: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(words)}(?![\w-])", text.lower()) is not None


def test_captions_vary(labels: dict, rng: np.random.Generator) -> None:
    texts = {caption(labels, rng) for _ in range(400)}
    assert len(texts) > 360
    assert min(map(len, texts)) < 15
    assert max(map(len, texts)) > 100


def test_a_caption_follows_from_labels_and_generator_alone(labels: dict) -> None:
    before = json.dumps(labels)
    first, second = (caption(labels, np.random.default_rng(7)) for _ in range(2))
    assert first == second
    assert json.dumps(labels) == before


def test_captions_never_use_held_out_words(labels: dict, rng: np.random.Generator) -> None:
    held_out = [w for kind in HELD_OUT_SYNONYMS.values() for words in kind.values() for w in words]
    texts = " | ".join(
        caption({**labels, "family": family, "mood": mood, "instruments": [*tags]}, rng)
        for family in FAMILIES
        for mood in MOODS
        for tags in (labels["instruments"], list(INSTRUMENT_WORDS)[::2], list(INSTRUMENT_WORDS))
        for _ in range(3)
    )
    assert [words for words in held_out if _says(texts, words)] == []


def test_held_out_phrases_share_no_telling_word_with_the_names_of_their_style() -> None:
    def words(texts: list[str]) -> set[str]:
        return set(re.findall(r"[a-z]+", " ".join(texts))) - {"music"}

    families = HELD_OUT_SYNONYMS["family"]
    shared = {family: words(families[family]) & words(FAMILY_WORDS[family]) for family in families}
    assert {family: told for family, told in shared.items() if told} == {}


def test_captions_are_true(labels: dict, rng: np.random.Generator) -> None:
    for _ in range(600):
        text = caption(labels, rng)
        rest = text.lower().replace("grand piano", "piano")
        for mood in set(MOOD_WORDS) - {"calm"}:
            assert not any(_says(rest, word) for word in MOOD_WORDS[mood]), text
        assert not _says(text, "waltz")
        assert not _says(text, "violin")
        assert not _says(text, "no drums")
        number = re.search(r"(\d+) bpm", text.lower())
        assert number is None or number[1] == "120"
        key = re.search(r"in ([a-g][b#]?) (\w+)", text.lower())
        assert key is None or key.groups() == ("d", "dorian")


def test_a_caption_of_nothing_says_silence(labels: dict, rng: np.random.Generator) -> None:
    nothing = {**labels, "instruments": [], "loudness": [-90.0] * 12}
    assert "silence" in caption(nothing, rng)
    assert "silence" not in caption({**nothing, "loudness": [-40.0] + [-90.0] * 11}, rng)


def test_drums_alone_have_no_key(labels: dict, rng: np.random.Generator) -> None:
    alone = {**labels, "ensemble": "drums", "instruments": ["drums"], "key": None, "mode": None}
    texts = [caption(alone, rng) for _ in range(200)]
    assert all("None" not in text for text in texts)
    assert all("drum" in text.lower() for text in texts)


# --- crops --------------------------------------------------------------------------------------


def test_labels_of_a_crop_tell_the_truth(labels: dict) -> None:
    early = labels_of_crop(labels, 0.0, 6.0)
    assert early["instruments"] == ["drums", "piano"]
    assert early["lead"] is None
    assert early["melody"] == []
    assert [e["kind"] for e in early["dynamics"]] == ["crescendo"]
    assert early["loudness"] == [-40.0] * 10 + [-20.0] * 2
    assert early["density"] == "dense"

    late = labels_of_crop(labels, 10.0, 6.0)
    assert late["instruments"] == ["drums", "flute", "piano"]
    assert late["melody"] == [[0.0, 1.5, 77]]
    assert late["dynamics"] == [{"kind": "fade out", "start": 3.0, "end": 6.0}]
    assert late["samples"] == 6 * 24000

    middle = labels_of_crop(labels, 5.0, 6.0)
    assert [e["kind"] for e in middle["dynamics"]] == ["break"]
    assert middle["density"] is None  # players rest in it


@pytest.fixture
def folder(tmp_path: Path, labels: dict) -> Path:
    """Two pieces of 16 s: a ramp up and silence."""
    samples = 16 * 24000
    ramp = np.arange(samples, dtype=np.int64) * 32767 // samples
    np.save(tmp_path / "shard-00000.npy", np.r_[ramp, np.zeros(samples)].astype(np.int16))
    lines = [labels, {**labels, "split": "held-out", "offset": samples}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "shard-00000.jsonl").write_text(text)
    return tmp_path


def test_music_reads_pieces_splits_and_crops(folder: Path, rng: np.random.Generator) -> None:
    music = Music(folder)
    assert len(music) == 2
    assert music.split("train").tolist() == [0]
    assert music.split("held-out").tolist() == [1]
    for _ in range(20):
        audio, start = music.crop(0, 6.0, rng)
        assert audio.shape == (6 * 24000,)
        assert audio.dtype == np.float32
        assert start % 2.0 == 0  # on a bar line
        assert audio[0] == pytest.approx(start / 16, abs=1e-4)
    assert not music.crop(1, 6.0, rng)[0].any()
    assert music.audio(0).shape == (16 * 24000,)


def test_music_says_what_is_wrong(folder: Path, tmp_path: Path, rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="shorter than 20"):
        Music(folder).crop(0, 20.0, rng)
    with pytest.raises(FileNotFoundError, match=r"python -m training\.data"):
        Music(tmp_path / "nothing")


# --- music --------------------------------------------------------------------------------------


def test_chords_have_names() -> None:
    assert Key(2, "dorian").chord(0, seventh=True).symbol == "Dm7"
    assert Key(0, "major").chord(4, seventh=True).symbol == "G7"
    assert Key(0, "harmonic minor").chord(2, seventh=True) == Chord(3, (0, 4, 8))


@pytest.mark.parametrize("mode", list(MODES))
def test_progressions_stay_in_the_key(mode: str, rng: np.random.Generator) -> None:
    key = Key(7, mode)
    bars = progression(key, 16, rng, sevenths=0.5)
    assert len(bars) == 16
    tones = {pc for bar in bars for chord in bar for pc in chord.pitch_classes}
    assert tones <= set(key.scale)


def test_a_melody_fits_its_chords_and_range(rng: np.random.Generator) -> None:
    key = Key(9, "minor")
    chords = progression(key, 8, rng, sevenths=0)
    notes = melody(key, chords, 4, rng, low=60, high=79, activity=0.5, swing=False)
    assert len(notes) > 8
    assert all(56 <= n.pitch <= 83 and 0 <= n.start < 32 for n in notes)
    strong = [n for n in notes if n.start % 4 == 0]
    at = [chords[int(n.start // 4)][0].pitch_classes for n in strong]
    assert all(n.pitch % 12 in tones for n, tones in zip(strong, at, strict=True))


@pytest.mark.parametrize("family", list(ENGINES))
def test_engines_play_to_the_end(family: str, rng: np.random.Generator) -> None:
    chords = progression(Key(0, "minor"), 8, rng, sevenths=0)
    parts = ENGINES[family](chords, 4, rng)
    assert max(n.end for p in parts for n in p.notes) > 28
    assert all(0 <= n.pitch <= 127 and 1 <= n.velocity <= 127 for p in parts for n in p.notes)


def _score() -> Score:
    steps = [Note(i / 2, 0.4, 60 + i % 12, 90) for i in range(64)]
    kick = [Note(float(i), 0.2, 36, 100) for i in range(32)]
    return Score(120, 4, 8, [Part("chords", 0, steps), Part("drums", 0, kick)])


def test_a_score_survives_midi() -> None:
    score = _score()
    midi = score.midi()
    assert midi.length == pytest.approx(score.seconds)
    keys, kick = read_parts(midi, limit=32)
    assert [n.pitch for n in keys.notes] == [n.pitch for n in score.parts[0].notes]
    assert keys.tag == "piano"
    assert (kick.role, kick.tag) == ("drums", "drums")
    assert len(kick.notes) == 32


def test_dynamics_do_what_their_events_say() -> None:
    seen = set()
    for seed in range(300):
        score = _score()
        plan = dynamics.plan(score, np.random.default_rng(seed), chance=1.0)
        times = np.arange(len(plan.curve)) / dynamics.RATE
        for event in plan.events:
            seen.add(event["kind"])
            assert 0 <= event["start"] <= event["end"] <= score.seconds + 1e-6
        if len(plan.events) != 1:
            continue
        kind, start, end = plan.events[0].values()
        onsets = np.array([n.start / 2 for p in score.parts for n in p.notes])
        before = dynamics.curve_at(plan, np.array([start - 0.05]))[0]
        after = dynamics.curve_at(plan, np.array([end + 0.05]))[0]
        if kind in ("crescendo", "step up", "fade in"):
            assert after > before + 5
        elif kind in ("decrescendo", "step down", "fade out"):
            assert after < before - 5
        elif kind in ("silent start", "silent end"):
            assert not ((onsets > start + 0.02) & (onsets < end - 0.02)).any()
        elif kind == "swells":
            assert np.ptp(plan.curve[times < 8]) > 9
    assert seen == set(dynamics.KINDS)


def test_the_limiter_is_gentle_and_never_passes_one(rng: np.random.Generator) -> None:
    quiet = 0.2 * rng.standard_normal(24000).clip(-3, 3)
    np.testing.assert_array_equal(limit(quiet), quiet)
    loud = limit(3 * rng.standard_normal(24000))
    assert np.abs(loud).max() <= 1
    assert to_int16(loud).dtype == np.int16


def test_shelves_move_one_side_only() -> None:
    time = np.arange(24000) / 24000
    low, high = np.sin(2 * np.pi * 60 * time), np.sin(2 * np.pi * 9000 * time)

    def gain(tone: np.ndarray, *, up: bool) -> float:
        return float(20 * np.log10(np.std(shelf(tone, 1000, -12, high=up)) / np.std(tone)))

    assert gain(low, up=True) == pytest.approx(0, abs=0.5)
    assert gain(high, up=True) == pytest.approx(-12, abs=3.5)
    assert gain(low, up=False) == pytest.approx(-12, abs=1)


# --- the command --------------------------------------------------------------------------------


def test_a_missing_program_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert main(["--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == "mma is not installed: run `apt install mma`\n"
    assert not (tmp_path / "out").exists()


def test_seeds_do_not_mix(folder: Path, labels: dict) -> None:
    (folder / "shard-00000.jsonl").write_text(json.dumps({**labels, "seed": 3}) + "\n")
    with pytest.raises(SystemExit) as stop:
        main(["--out", str(folder), "--seed", "4"])
    assert stop.value.code == 2


@needs_programs
def test_pieces_are_whole_bars_with_labels() -> None:
    for number in range(12):
        piece = compose(5, number)
        said = piece.labels
        assert 12 <= piece.score.seconds <= 20
        bars = piece.score.seconds / said["bar_seconds"]
        assert bars == pytest.approx(round(bars), abs=1e-3)
        assert said["instruments"]
        assert set(said["instruments"]) == set(said["playing"])
        assert all(s < piece.score.seconds for s, _, _ in said["melody"])
        json.dumps(said)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@needs_programs
def test_the_same_seed_gives_the_same_bytes_and_a_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "PIECES", 2)
    monkeypatch.setattr(shards, "count_for", lambda hours: 2)
    (tmp_path / "here").mkdir()
    for shard in (0, 1):
        shards.make(tmp_path / "here", 1, shard)
    files = _bytes(tmp_path / "here")
    assert sorted(files) == [f"shard-0000{i}.{end}" for i in (0, 1) for end in ("jsonl", "npy")]

    run = ["--workers", "2", "--seed", "1", "--out", str(tmp_path / "a")]
    assert main(run) == 0
    assert _bytes(tmp_path / "a") == files

    (tmp_path / "a" / "shard-00001.jsonl").unlink()
    (tmp_path / "a" / "shard-00001.npy").write_bytes(b"half a shard")
    assert main(run) == 0
    assert _bytes(tmp_path / "a") == files

    music = Music(tmp_path / "a")
    assert len(music) == 4
    assert np.abs(music.audio(3)).max() > 0.001
    measured = shards.loudness((music.audio(3) * 32767).round().astype(np.int16))
    assert measured == pytest.approx(music.pieces[3]["loudness"], abs=0.1)
