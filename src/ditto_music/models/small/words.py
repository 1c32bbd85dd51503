"""Words of a prompt as ids and numbers: the text input of ditto-small.

A prompt becomes a short list of ids into a table of word vectors ``(V, D)``. It is split as BERT's
WordPiece splits (Wu et al. 2016, arXiv:1609.08144: the longest known piece first), with three
changes that music asks for:

* a number (``92``, ``120.5``) is one token ``[num]`` that carries its value, so that tempo is a
  quantity and not a spelling: ``"120bpm"`` gives ``[num]=120, bpm``. A sign stays a piece of its
  own. A number inside a known word (``80s``, ``4th``) belongs to that word;
* the accidental of a note is spelled: ``c#``, ``F#m``, ``Bb``, ``E♭ minor``, ``A-flat`` read
  ``c sharp``, ``f sharp minor``, ``b flat``, ``e flat minor``, ``a flat``;
* a word that is none, but for one letter lost, added, changed or swapped with the next, is read as
  the word of the captions that was meant, if there is only one: ``tecnho``, ``mellancholy``;
* what the vocabulary does not hold is left out, letter by letter: any other word still gives its
  pieces, punctuation without meaning disappears, and no text is an error.

A text without any known piece gives an empty list, as an empty text does.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

PAD = "[pad]"
NUMBER = "[num]"
LARGEST_NUMBER = 1e6
"""Values are clipped here, so that any run of digits stays finite."""
SHORTEST = 4  # letters of a word that may be misspelt
ENDINGS = ("s", "y", "ed", "er", "ly", "ers", "ing", "ish")  # of words that are none the less words

# A note letter with its accidental, before lower-casing: the case of the "b" tells B flat (Bb, bb)
# from BB King, AB form, dB and EBM. "3 db" is a level, "ebm" a genre.
_ACCIDENTAL = re.compile(
    r"(?<![^\W_])(?!ebm\b)(?!(?<=\d\ )db)"
    r"(?P<note>[A-Ga-g])(?:(?P<sharp>[#♯]|-sharp)|(?:[b♭]|-flat))(?P<quality>min|maj|m)?(?![A-Za-z])"
)
_QUALITY = {None: "", "m": " minor", "min": " minor", "maj": " major"}
_WORD_OR_SYMBOL = re.compile(r"[^\W_]+(?:(?<=[0-9])\.[0-9]+)?|[^\w\s]")
_NUMBER_OR_LETTERS = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)|[^0-9]+")


@dataclass(frozen=True)
class Tokens:
    """An encoded text: `ids[i]` is a row of the word vectors, `values[i]` a number's value or 0."""

    ids: list[int]
    values: list[float]


class WordPieces:
    """Splits text into the pieces of one vocabulary.

    Parameters
    ----------
    pieces
        Row `i` of the word vectors belongs to `pieces[i]`. The first is ``[pad]``; ``[num]`` is
        among them; a piece that continues a word begins with ``##``.
    lexicon
        What misspelt words may be meant for; see `captions_words`.

    Raises
    ------
    ValueError
        If ``[pad]`` is not first, ``[num]`` is missing, or a piece stands twice.

    Examples
    --------
    >>> words = WordPieces(["[pad]", "[num]", "calm", "bpm", "in", "c", "sharp"])
    >>> words.encode("Calm, 92 bpm in C#")
    Tokens(ids=[2, 1, 3, 4, 5, 6], values=[0.0, 92.0, 0.0, 0.0, 0.0, 0.0])
    """

    def __init__(self, pieces: Sequence[str], lexicon: Sequence[str] = ()) -> None:
        if not pieces or pieces[0] != PAD or NUMBER not in pieces:
            raise ValueError(f"a vocabulary begins with {PAD} and contains {NUMBER}")
        self.pieces = tuple(pieces)
        self._ids = {piece: i for i, piece in enumerate(self.pieces)}
        if len(self._ids) != len(self.pieces):
            raise ValueError("a piece stands twice in the vocabulary")
        self._longest = max(len(piece) for piece in self.pieces)
        self.lexicon = frozenset(lexicon)

    def __len__(self) -> int:
        return len(self.pieces)

    def encode(self, text: str, limit: int = 48) -> Tokens:
        """The first `limit` tokens of `text`; never fails, and is empty if nothing is known."""
        ids: list[int] = []
        values: list[float] = []
        for token, value, _ in islice(self._tokens(text), limit):
            ids.append(token)
            values.append(value)
        return Tokens(ids, values)

    def left_out(self, text: str, limit: int = 48) -> str | None:
        """The first word that `encode` does not read to its end, if the text is that long."""
        return next((word for _, _, word in islice(self._tokens(text), limit, None)), None)

    def batch(self, texts: Sequence[str], limit: int = 48) -> tuple[Tensor, Tensor]:
        """Ids (B, L) int64 and values (B, L) float32 of B texts, padded with 0 to the longest.

        L is at least 1 and at most `limit`; a column of padding stands for an empty text.
        """
        rows = [self.encode(text, limit) for text in texts]
        length = max([1, *(len(row.ids) for row in rows)])
        ids = torch.zeros(len(rows), length, dtype=torch.int64)
        values = torch.zeros(len(rows), length, dtype=torch.float32)
        for i, row in enumerate(rows):
            ids[i, : len(row.ids)] = torch.tensor(row.ids, dtype=torch.int64)
            values[i, : len(row.ids)] = torch.tensor(row.values)
        return ids, values

    def _tokens(self, text: str) -> Iterator[tuple[int, float, str]]:
        """Each with its value and the word it is of."""
        for unit in _WORD_OR_SYMBOL.finditer(normalise(text)):
            word = unit[0]
            if word in self._ids and not word.isdecimal():
                yield self._ids[word], 0.0, word
                continue
            for part in _NUMBER_OR_LETTERS.finditer(word):
                if part["number"]:
                    yield self._ids[NUMBER], min(float(part["number"]), LARGEST_NUMBER), word
                else:
                    meant = self._meant(part[0])
                    whole = [self._ids[meant]] if meant in self._ids else self._split(meant)
                    yield from ((token, 0.0, word) for token in whole)

    def _meant(self, word: str) -> str:
        """The one word of the lexicon that is a letter away and begins alike, or the word."""
        if len(word) < SHORTEST or word in self._ids or word in self.lexicon:
            return word
        if any(word.removesuffix(end) in self._ids for end in ENDINGS):
            return word
        near = [one for one in self.lexicon if one[0] == word[0] and is_a_letter_away(one, word)]
        return near[0] if len(near) == 1 else word

    def _split(self, word: str) -> Iterator[int]:
        """Greedy longest match; a letter that begins no known piece is skipped."""
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(min(len(word), start + self._longest), start, -1):
                token = self._ids.get(prefix + word[start:end])
                if token is not None:
                    yield token
                    start = end
                    break
            else:
                start += 1


def is_a_letter_away(a: str, b: str) -> bool:
    """Whether one letter lost, added, changed or swapped with the next makes one of the other.

    The optimal string alignment distance of one (Damerau 1964).
    """
    if abs(len(a) - len(b)) > 1 or a == b:
        return False
    start = next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(min(a, b, key=len))
    )
    a, b = a[start:], b[start:]
    swapped = len(a) > 1 and a[1::-1] + a[2:] == b
    return swapped or a[1:] == b[1:] or a[1:] == b or a == b[1:]


@cache
def captions_words() -> tuple[str, ...]:
    """The words that captions are made of (``python -m training.text.lexicon``)."""
    return tuple(Path(__file__).with_name("lexicon.txt").read_text("utf-8").split())


def normalise(text: str) -> str:
    """`text` in lower case, without accents, the accidentals of notes spelled."""
    text = _ACCIDENTAL.sub(_spell, text)
    text = unicodedata.normalize("NFKD", text)
    return "".join(c for c in text if not unicodedata.combining(c)).casefold()


def _spell(match: re.Match[str]) -> str:
    accidental = "sharp" if match["sharp"] else "flat"
    return f"{match['note']} {accidental}{_QUALITY[match['quality']]}"


def vocabulary_to_tensor(pieces: Sequence[str]) -> Tensor:
    """The pieces in UTF-8, joined by newlines, uint8 (bytes,): to lie beside weights."""
    return torch.tensor(list("\n".join(pieces).encode()), dtype=torch.uint8)


def vocabulary_from_tensor(tensor: Tensor) -> list[str]:
    """The pieces that `vocabulary_to_tensor` stored."""
    return bytes(tensor.tolist()).decode().split("\n")


def load_words(path: str | Path) -> tuple[WordPieces, Tensor]:
    """The vocabulary and the word vectors (V, D) float16 of a file that `training.text` wrote."""
    tensors = load_file(path)
    return WordPieces(vocabulary_from_tensor(tensors["vocabulary"])), tensors["vectors"]
