"""Do the word vectors know music? Nearest neighbours, and paraphrases found again.

`paraphrases.tsv` holds pairs of short prompts that mean the same in other words. Each prompt looks
for its partner among the partners of all pairs, in both directions, by cosine similarity; chance is
1 / pairs. The encoder that the vectors come from sets the mark.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ditto_music.models.small.words import WordPieces
from training.text.minilm import MiniLM

PROBES = [
    "calm",
    "gloomy",
    "peppy",
    "energetic",
    "dreamy",
    "aggressive",
    "sinister",
    "triumphant",
    "nostalgic",
    "romantic",
    "playful",
    "saxophone",
    "fiddle",
    "piano",
    "banjo",
    "sitar",
    "tuba",
    "marimba",
    "choir",
    "synth",
    "drums",
    "flute",
    "techno",
    "lullaby",
    "jazz",
    "metal",
    "reggae",
    "waltz",
    "ambient",
    "dubstep",
    "bluegrass",
    "fast",
    "quiet",
]


def mean_vectors(words: WordPieces, vectors: Tensor, texts: Sequence[str]) -> Tensor:
    """The mean word vector (B, D) float32 of B texts."""
    ids, _ = words.batch(texts)
    return vectors.float()[ids].sum(1) / (ids != 0).sum(1, keepdim=True).clamp(min=1)


def neighbours(words: WordPieces, vectors: Tensor, among: list[str], count: int = 5) -> str:
    """One line per probe: its `count` nearest words."""
    unit = F.normalize(mean_vectors(words, vectors, among), dim=-1)
    probes = F.normalize(mean_vectors(words, vectors, PROBES), dim=-1)
    lines = []
    for probe, similarity in zip(PROBES, probes @ unit.T, strict=True):
        order = [among[i] for i in similarity.argsort(descending=True).tolist()]
        lines.append(f"{probe:>12}: {', '.join([w for w in order if w != probe][:count])}")
    return "\n".join(lines)


def retrieval(embed: Callable[[Sequence[str]], Tensor]) -> dict[str, float]:
    """How well `embed`, N texts to (N, D), finds each partner: top 1, top 5, mean 1/rank."""
    table = Path(__file__).with_name("paraphrases.tsv").read_text()
    left, right = zip(*(line.split("\t") for line in table.splitlines()), strict=True)
    similarity = F.normalize(embed(left), dim=-1) @ F.normalize(embed(right), dim=-1).T
    both = torch.cat([similarity, similarity.T])
    truth = similarity.diagonal().repeat(2)[:, None]
    rank = (both >= truth).sum(1).float()
    return {
        "top 1": (rank <= 1).float().mean().item(),
        "top 5": (rank <= 5).float().mean().item(),
        "mean 1/rank": (1 / rank).mean().item(),
    }


def report(words: WordPieces, vectors: Tensor, encoder: MiniLM) -> str:
    """Neighbours of some probes, then retrieval by static vectors and by the encoder itself."""
    music = Path(__file__).with_name("music_words.txt").read_text().split()
    scores = {
        "mean of word vectors": retrieval(lambda texts: mean_vectors(words, vectors, texts)),
        "sentence encoder": retrieval(encoder.encode),
    }
    lines = [
        f"{name:>21}: " + ", ".join(f"{key} {value:.3f}" for key, value in score.items())
        for name, score in scores.items()
    ]
    return "\n".join([neighbours(words, vectors, sorted(set(music))), *lines])
