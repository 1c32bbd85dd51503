"""Words to tags: every tag in every spelling, synonyms, and one clear line for the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ditto_music import InputError
from ditto_music.controls.style_words import FILLERS, KNOWN, SYNONYMS, mentioned, understand
from ditto_music.features.musicnn import TAGS


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("jazz", ["jazz"]),
        ("JAZZ!", ["jazz"]),
        ("calm piano jazz", ["Mellow", "piano", "jazz"]),
        ("a sad song with guitars, like the 80's", ["sad", "guitar", "80s"]),
        ("Hip-Hop", ["Hip-Hop"]),
        ("hip_hop", ["Hip-Hop"]),
        ("hiphop", ["Hip-Hop"]),
        ("R&B", ["rnb"]),
        ("r\u2019n\u2019b and soul", ["rnb", "soul"]),
        ("alternative rock", ["alternative rock"]),
        ("rock, alternative", ["rock", "alternative"]),
        ("heavy metal, metal", ["heavy metal", "metal"]),
        ("female singers", ["female vocalists"]),
        ("no vocals", ["no vocals"]),
        ("strings and violins", ["strings", "violin"]),
        ("jazz jazz jazz", ["jazz"]),
    ],
)
def test_words_ask_for_tags(text: str, tags: list[str]) -> None:
    assert [tag for _, tag in understand(text)] == tags


@pytest.mark.parametrize(
    ("prompt", "tags"),
    [
        ("upbeat rock, no drums", ["rock"]),
        ("sad piano without guitars or violin", ["sad", "piano", "violin"]),
        ("not jazz but heavy metal", ["heavy metal"]),
        ("calm, no vocals, without voice", ["Mellow", "no vocals", "no voice"]),
        ("without", []),
    ],
)
def test_what_a_prompt_rules_out_is_not_asked_for(prompt: str, tags: list[str]) -> None:
    assert [tag for _, tag in mentioned(prompt)] == tags


def test_every_tag_is_its_own_word_or_has_a_better_one() -> None:
    for which in ("msd", "mtt"):
        for tag in TAGS[which]:
            network, found = understand(tag)[0]
            assert found in TAGS[network]
            assert found == tag or tag in SYNONYMS
    assert all(len(understand(phrase)) == 1 for phrase in SYNONYMS)
    assert not FILLERS & KNOWN.keys()


def test_what_both_networks_know_is_asked_of_the_first() -> None:
    assert understand("guitar rock") == [("msd", "guitar"), ("msd", "rock")]
    assert understand("harpsichord") == [("mtt", "harpsichord")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("jaz", "'jaz' is no word the taggers know: did you mean jazz?"),
        ("smooth jazz", "'smooth'"),
        ("gitar", "did you mean guitar or sitar"),
        ("xyzzy", "take words such as"),
        ("", "asks for nothing"),
        ("some music", "'some music' asks for nothing"),
        ("no drums", "'no'"),
    ],
)
def test_other_words_are_one_clear_line(text: str, says: str) -> None:
    with pytest.raises(InputError, match="style") as caught:
        understand(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=40) | st.lists(st.sampled_from(sorted(KNOWN)), max_size=5).map(" ".join))
def test_any_text_is_tags_or_one_clear_line(text: str) -> None:
    try:
        tags = understand(text)
    except InputError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert len(set(tags)) == len(tags) > 0
        assert all(tag in TAGS[which] for which, tag in tags)
