"""Prompts to pieces: numbers, accents, accidentals, and any text at all."""

import string
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from ditto_music.models.small.model import load_denoiser, shipped_weights
from ditto_music.models.small.words import (
    LARGEST_NUMBER,
    NUMBER,
    PAD,
    Tokens,
    WordPieces,
    captions_words,
    is_a_letter_away,
    load_words,
    normalise,
    vocabulary_from_tensor,
    vocabulary_to_tensor,
)
from training.data.words import HELD_OUT_SYNONYMS
from training.text.lexicon import lexicon

LETTERS = list(string.ascii_lowercase)
WHOLE = ["calm", "cafe", "bpm", "sharp", "flat", "minor", "major", "sad", "80s", "-", "&", "/"]
WORDS = WordPieces([PAD, NUMBER, *LETTERS, *(f"##{c}" for c in LETTERS), "##der", *WHOLE])


def pieces(text: str, limit: int = 48) -> list[str]:
    return [WORDS.pieces[i] for i in WORDS.encode(text, limit).ids]


@given(st.text(), st.integers(0, 60))
def test_any_text_gives_known_ids_and_finite_values_within_the_limit(text: str, limit: int) -> None:
    tokens = WORDS.encode(text, limit)
    assert len(tokens.ids) == len(tokens.values) <= limit
    assert all(0 < i < len(WORDS) for i in tokens.ids)
    number = WORDS.pieces.index(NUMBER)
    for i, value in zip(tokens.ids, tokens.values, strict=True):
        assert 0 <= value <= LARGEST_NUMBER and (i == number or value == 0)


@given(st.text(alphabet=LETTERS, min_size=1, max_size=30))
def test_letters_are_never_lost(word: str) -> None:
    spelt = "".join(normalise(word).split())  # "ab" is a note's name, "a flat"
    assert "".join(p.removeprefix("##") for p in pieces(word)) == spelt


@given(st.text(), st.integers(0, 20))
def test_a_shorter_limit_gives_the_beginning_of_the_longer_one(text: str, limit: int) -> None:
    assert WORDS.encode(text, limit).ids == WORDS.encode(text).ids[:limit]


@given(st.text(), st.integers(0, 20))
def test_a_word_is_left_out_where_there_are_more_tokens(text: str, limit: int) -> None:
    word = WORDS.left_out(text, limit)
    assert (word is None) == (len(WORDS.encode(text, limit + 1).ids) <= limit)
    assert word is None or word in normalise(text)


def test_the_first_word_not_read_to_its_end_is_named() -> None:
    assert [WORDS.left_out("sad cafe, 92bpm", n) for n in range(5)] == [
        *("sad", "cafe", "92bpm", "92bpm"),
        None,
    ]


@given(st.integers(0, 10**6))
def test_a_whole_number_is_one_token_with_its_value(number: int) -> None:
    assert WORDS.encode(str(number)) == Tokens([WORDS.pieces.index(NUMBER)], [float(number)])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("92 bpm", [92.0, 0.0]),
        ("120bpm", [120.0, 0.0]),
        ("bpm120.5", [0.0, 120.5]),
        ("-14", [0.0, 14.0]),
        ("6/8", [6.0, 0.0, 8.0]),
        ("9" * 400, [LARGEST_NUMBER]),
        ("80s", [0.0]),
    ],
)
def test_number_values(text: str, expected: list[float]) -> None:
    assert WORDS.encode(text).values == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("c#", "c sharp"),
        ("F# minor", "f sharp minor"),
        ("C#m, sad", "c sharp minor sad"),
        ("g♯", "g sharp"),
        ("bb", "b flat"),
        ("Ebmaj", "e flat major"),
        ("E♭ minor", "e flat minor"),
        ("A-flat major", "a flat major"),
        ("b flat", "b flat"),
    ],
)
def test_accidentals_are_spelled(text: str, expected: str) -> None:
    assert pieces(text) == expected.split()


@pytest.mark.parametrize("text", ["BB", "AB", "3 db", "-14 dB", "ebm", "EBM", "abc", "sad", "a"])
def test_what_only_looks_like_a_note_is_left_alone(text: str) -> None:
    assert "flat" not in pieces(text) and "sharp" not in pieces(text)


def test_case_and_accents_do_not_matter() -> None:
    assert pieces("CALM Café") == pieces("calm cafe\u0301") == ["calm", "cafe"]


def test_the_longest_piece_wins_and_a_misspelt_word_is_spelled() -> None:
    assert pieces("sadder calmm") == ["sad", "##der", "calm", "##m"]


@pytest.mark.parametrize("text", ["", " \n", "…!?", "спокойно", "🎷", "[]"])
def test_text_without_known_pieces_is_empty(text: str) -> None:
    assert WORDS.encode(text) == Tokens([], [])


def test_batch_pads_with_zero_and_keeps_one_column() -> None:
    ids, values = WORDS.batch(["calm 92", "sad", ""])
    assert ids.tolist()[1:] == [[WORDS.pieces.index("sad"), 0], [0, 0]]
    assert values.tolist() == [[0, 92], [0, 0], [0, 0]]
    assert WORDS.batch([""])[0].shape == (1, 1)


@pytest.mark.parametrize("bad", [[], ["calm"], [PAD, "calm"], [PAD, NUMBER, "a", "a"]])
def test_a_broken_vocabulary_is_refused(bad: list[str]) -> None:
    with pytest.raises(ValueError, match="vocabulary"):
        WordPieces(bad)


def test_a_file_holds_its_vocabulary(tmp_path: Path) -> None:
    vocabulary = vocabulary_to_tensor(WORDS.pieces)
    assert vocabulary_from_tensor(vocabulary) == list(WORDS.pieces)
    vectors = torch.randn(len(WORDS), 4).half()
    save_file({"vectors": vectors, "vocabulary": vocabulary}, tmp_path / "words.safetensors")
    words, read = load_words(tmp_path / "words.safetensors")
    assert words.pieces == WORDS.pieces and torch.equal(read, vectors)


def test_the_reserved_pieces_cannot_be_written() -> None:
    ids = WORDS.encode("[pad] [num]").ids
    assert WORDS.pieces.index(PAD) not in ids and WORDS.pieces.index(NUMBER) not in ids


def distance(a: str, b: str) -> int:
    """Optimal string alignment, by its recursion."""
    if not a or not b:
        return len(a) + len(b)
    ways = [distance(a[1:], b) + 1, distance(a, b[1:]) + 1, distance(a[1:], b[1:]) + (a[0] != b[0])]
    if len(a) > 1 and a[1::-1] == b[:2]:
        ways.append(distance(a[2:], b[2:]) + 1)
    return min(ways)


@given(st.text("abc", max_size=5), st.text("abc", max_size=5))
def test_a_letter_away_is_a_distance_of_one(a: str, b: str) -> None:
    assert is_a_letter_away(a, b) == is_a_letter_away(b, a) == (distance(a, b) == 1)


LEXICON = ["calm", "techno", "piano", "pianos", "minor"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("clam", "calm"), ("callm", "calm"), ("cilm", "calm"), ("TECHNNO", "techno"),
        ("tecno 120bpm", "techno 120bpm"),
        ("clma", "clma"),  # two letters away
        ("kalm", "kalm"),  # does not begin alike
        ("pianoz", "pianoz"),  # two could be meant
        ("cal", "cal"),  # too short
        ("sad", "sad"),
        ("calmer", "calmer"),  # a word and its ending
    ],
)  # fmt: skip
def test_a_word_with_a_letter_wrong_is_read_as_the_one_that_was_meant(
    typed: str, meant: str
) -> None:
    corrected = WordPieces(WORDS.pieces, LEXICON)
    assert corrected.encode(typed) == WORDS.encode(meant)


@given(st.text(), st.integers(0, 60))
def test_correcting_keeps_to_known_ids_and_the_limit(text: str, limit: int) -> None:
    tokens = WordPieces(WORDS.pieces, LEXICON).encode(text, limit)
    assert len(tokens.ids) == len(tokens.values) <= limit
    assert all(0 < i < len(WORDS) for i in tokens.ids)


@pytest.fixture(scope="module")
def shipped() -> WordPieces:
    return load_denoiser(shipped_weights() / "denoiser.safetensors")[1]


def test_the_shipped_model_reads_misspelt_prompts_as_meant(shipped: WordPieces) -> None:
    typed, meant = "mellancholy tecnho with saxaphone", "melancholy techno with saxophone"
    assert shipped.encode(typed) == shipped.encode(meant)


def test_words_that_are_known_or_in_no_caption_are_left_alone(shipped: WordPieces) -> None:
    plain = WordPieces(shipped.pieces)
    unseen = [texts for words in HELD_OUT_SYNONYMS.values() for texts in words.values()]
    others = ["zydeco", "dubstep", "shoegaze", "bossa nova", "hang drum"]
    for text in [*captions_words(), *others, *(text for texts in unseen for text in texts)]:
        assert shipped.encode(text) == plain.encode(text), text


def test_the_lexicon_is_that_of_the_captions() -> None:
    assert [*captions_words()] == lexicon()
