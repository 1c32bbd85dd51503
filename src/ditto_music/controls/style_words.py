"""What words ask for which music tags.

A text is read word by word, the longest known phrase first: a tag of the Million Song Dataset in
any case, with or without hyphens and plural s; a phrase of `SYNONYMS`; a tag that only
MagnaTagATune has. Words of `FILLERS` mean nothing here. Anything else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

from ditto_music.errors import InputError
from ditto_music.features.musicnn import TAGS, Which

Tag = tuple[Which, str]
"""A network and one of its tags."""

SYNONYMS: Mapping[str, str] = {
    # genres
    "rap": "Hip-Hop",
    "hiphop": "Hip-Hop",
    "r and b": "rnb",
    "r n b": "rnb",
    "rhythm and blues": "rnb",
    "prog": "Progressive rock",
    "prog rock": "Progressive rock",
    "progressive": "Progressive rock",
    "punk rock": "punk",
    "edm": "dance",
    "chill out": "chillout",
    "downtempo": "chillout",
    "lounge": "easy listening",
    "orchestral": "classical",
    "orchestra": "classical",
    "symphonic": "classical",
    "newage": "new age",
    # moods
    "calm": "Mellow",
    "gentle": "Mellow",
    "relaxed": "Mellow",
    "relaxing": "chill",
    "sorrowful": "sad",
    "melancholic": "sad",
    "melancholy": "sad",
    "joyful": "happy",
    "cheerful": "happy",
    "pretty": "beautiful",
    "strange": "weird",
    # decades
    "sixties": "60s",
    "1960s": "60s",
    "seventies": "70s",
    "1970s": "70s",
    "eighties": "80s",
    "1980s": "80s",
    "nineties": "90s",
    "1990s": "90s",
    "2000s": "00s",
    # voices
    "female singer": "female vocalists",
    "female singing": "female vocalists",
    "female voice": "female vocalists",
    "female vocal": "female vocalists",
    "male singer": "male vocalists",
    "male singing": "male vocalists",
    "male voice": "male vocalists",
    "male vocal": "male vocalists",
    "without vocals": "no vocals",
    "without voice": "no voice",
    "singer": "singing",
    "sung": "singing",
    # instruments and pace
    "percussion": "drums",
    "drum": "drums",
    "synthesizer": "synth",
    "synthesiser": "synth",
    "string": "strings",
    "rapid": "fast",
    "noisy": "loud",
}

SPELLING = str.maketrans({"&": " and ", "'": "", "\u2019": ""})

_FILLERS = (
    "a an and at by for from genre in is it its like music musical of on or piece play played "
    "playing plus some song sort sound sounding style that the this to track tune very with"
)
FILLERS = frozenset(_FILLERS.split())
NEGATIONS = frozenset({"no", "not", "without"})


def understand(text: str) -> list[Tag]:
    """The tags a text asks for, each once, in the order of the text.

    Raises
    ------
    InputError
        If a word is not known, or none asks for anything.
    """
    words = _words(text)
    found: dict[Tag, None] = {}
    at = 0
    while at < len(words):
        for length in range(min(LONGEST, len(words) - at), 0, -1):
            tag = _look_up(" ".join(words[at : at + length]))
            if tag:
                found[tag] = None
                at += length
                break
        else:
            if words[at] not in FILLERS:
                raise InputError(_unknown(words[at]))
            at += 1
    if not found:
        raise InputError(
            f"style '{' '.join(words)}' asks for nothing: give words such as jazz, sad or piano"
        )
    return list(found)


def mentioned(text: str) -> list[Tag]:
    """The tags a text asks for among whatever else it says, each once; possibly none.

    What comes right after one of `NEGATIONS`, as in ``no drums``, is not asked for.
    """
    words, found, at = _words(text), dict[Tag, None](), 0
    while at < len(words):
        phrases = range(min(LONGEST, len(words) - at), 0, -1)
        pairs = ((n, _look_up(" ".join(words[at : at + n]))) for n in phrases)
        length, tag = next((pair for pair in pairs if pair[1]), (1, None))
        ruled_out = at > 0 and words[at - 1] in NEGATIONS
        found |= {tag: None} if tag and not ruled_out else {}
        at += length
    return list(found)


def _words(text: str) -> list[str]:
    """In small letters, without punctuation: ``R&B`` reads ``r and b``, ``80's`` ``80s``."""
    return re.findall(r"[^\W_]+", text.casefold().translate(SPELLING))


def _look_up(phrase: str) -> Tag | None:
    """The tag of a phrase, in the singular where the plural is none."""
    return KNOWN.get(phrase) or (KNOWN.get(phrase[:-1]) if phrase.endswith("s") else None)


def _unknown(word: str) -> str:
    near = get_close_matches(word, KNOWN, n=3)
    mend = f"did you mean {' or '.join(near)}?" if near else "take words such as jazz, sad, piano"
    return f"style: '{word}' is no word the taggers know: {mend}"


def _vocabulary() -> dict[str, Tag]:
    """Every phrase in the spelling of `_words`, and its tag."""
    networks: tuple[Which, ...] = ("mtt", "msd")
    tags: dict[str, Tag] = {tag: (which, tag) for which in networks for tag in TAGS[which]}
    phrases = {phrase: tags[tag] for phrase, tag in SYNONYMS.items()}
    return {" ".join(_words(phrase)): tag for phrase, tag in (tags | phrases).items()}


KNOWN = _vocabulary()
LONGEST = max(phrase.count(" ") + 1 for phrase in KNOWN)
