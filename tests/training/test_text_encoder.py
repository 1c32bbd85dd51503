"""Reading captions: labels as numbers, misspelling, and an encoder that learns to tell."""

import numpy as np
import pytest
import torch
from torch import nn

from ditto_music.models.small.denoiser import DenoiserConfig, TextEncoder
from training.text.encoder import TEMPI, Facts, Heads, misspelt, statistics

PIECE = {
    "family": "jazz",
    "mood": "calm",
    "ensemble": "band",
    "mode": "minor",
    "density": "sparse",
    "key": "Bb",
    "bpm": 100,
    "instruments": ["piano"],
    "dynamics": [{"kind": "fade in"}],
}
OTHER = PIECE | {"family": "rock", "mood": "epic", "instruments": ["drums"], "dynamics": []}


def test_labels_become_numbers() -> None:
    facts = Facts([PIECE, OTHER])
    classes = dict(zip(facts.classes, facts.classes_of(PIECE), strict=True))
    assert classes["family"] == 0
    assert classes["key"] == 10
    low, high = TEMPI[classes["tempo"]], TEMPI[classes["tempo"] + 1]
    assert low <= PIECE["bpm"] < high
    assert facts.flags_of(PIECE) == [0.0, 1.0, 1.0]
    assert facts.flags_of(OTHER) == [1.0, 0.0, 0.0]
    unknown = facts.classes_of(PIECE | {"density": None, "key": None})
    assert unknown[list(facts.classes).index("density")] == -100


@pytest.mark.parametrize("seed", range(20))
def test_misspelling_stays_near(seed: int) -> None:
    text = "calm piano, in Bb at 92 bpm"
    wrong = misspelt(text, np.random.default_rng(seed))
    assert len(wrong.split()) == len(text.split())
    assert abs(len(wrong) - len(text)) <= 2
    assert "92" in wrong


def test_some_texts_are_misspelt() -> None:
    rng = np.random.default_rng(0)
    assert len({misspelt("saxophone melody", rng) for _ in range(30)}) > 8


def test_an_encoder_learns_to_tell_two_captions_apart() -> None:
    torch.manual_seed(0)
    config = DenoiserConfig(vocabulary=6, word_width=8, text_width=48, text_depth=1)
    encoder = TextEncoder(config)
    encoder.vectors.normal_()
    facts = Facts([PIECE, OTHER])
    latents = torch.randn(2, 4, 50)
    values = torch.stack([statistics(latent) for latent in latents])
    heads = Heads(config.text_width, facts, values.shape[1])
    both = nn.ModuleList([encoder, heads])
    optimizer = torch.optim.AdamW(both.parameters(), lr=3e-3)
    ids, numbers = torch.tensor([[2, 3], [4, 5]]), torch.zeros(2, 2)
    classes = torch.tensor([facts.classes_of(PIECE), facts.classes_of(OTHER)])
    flags = torch.tensor([facts.flags_of(PIECE), facts.flags_of(OTHER)])
    losses = []
    for _ in range(60):
        loss = heads.losses(encoder(ids, numbers).pooled, classes, flags, values).sum()
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.2 * losses[0]
    pooled = encoder(ids, numbers).pooled
    assert heads.classes[0](pooled).argmax(-1).tolist() == [0, 1]
