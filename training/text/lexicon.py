"""The words that captions are made of: ``python -m training.text.lexicon > lexicon.txt``.

They go into the package, where a word of a prompt that is none, but for one letter, is read as the
one of these that was meant (`ditto_music.models.small.words`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ditto_music.models.small.words import normalise
from training.data import words

LEAST = 4  # letters
KEYS = "major minor dorian phrygian lydian mixolydian sharp flat music"
TABLES = (
    *(words.MOOD_WORDS, words.SCENES, words.FAMILY_WORDS, words.INSTRUMENT_WORDS),
    *(words.TEMPO_WORDS, words.DENSITY_WORDS, words.LOUDNESS_WORDS, words.DYNAMICS_WORDS),
    *(words.EDGE_WORDS, KEYS),
)


def texts(table: object) -> Iterator[str]:
    """All text of a nested table, keys as well."""
    if isinstance(table, str):
        yield table
    elif isinstance(table, Mapping):
        for pair in table.items():
            yield from texts(pair)
    elif isinstance(table, list | tuple):
        for part in table:
            yield from texts(part)


def lexicon() -> list[str]:
    """Every word of `LEAST` letters or more, as prompts are normalised, in alphabetical order."""
    found = {word for text in texts(TABLES) for word in re.findall(r"[^\W\d_]+", normalise(text))}
    return sorted(word for word in found if len(word) >= LEAST)


if __name__ == "__main__":
    print("\n".join(lexicon()))
