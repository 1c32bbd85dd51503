"""The tagger as a judge: its form, and a plain case it must know."""

from pathlib import Path

import numpy as np
import pytest

from ditto_music.audio import read_audio
from ditto_music.evaluation.judges.tags import tags

RECORDINGS = Path(__file__).parents[1] / "recordings"


@pytest.mark.parametrize(
    ("name", "there", "other"),
    [
        ("guit_em9", "guitar", "drums"),
        ("loop_compus", "beat", "guitar"),
        ("loop_safari", "drums", "guitar"),
    ],
)
def test_instruments_are_heard(name: str, there: str, other: str) -> None:
    heard = tags(read_audio(RECORDINGS / f"{name}.flac", 24_000), 24_000)
    assert len(heard) == 50
    assert list(heard.values()) == sorted(heard.values(), reverse=True)
    assert all(0 <= value <= 1 for value in heard.values())
    assert there in list(heard)[:5]
    assert heard[there] > 3 * heard[other]


def test_a_gain_changes_nothing() -> None:
    audio = read_audio(RECORDINGS / "loop_compus.flac", 24_000)
    quiet = tags(0.03 * audio, 24_000)
    for tag, probability in tags(audio, 24_000).items():
        assert quiet[tag] == pytest.approx(probability, abs=2e-3)


@pytest.mark.parametrize("which", ["mtt", "msd", "msd-vgg"])
def test_silence_is_finite(which: str) -> None:
    assert np.isfinite(list(tags(np.zeros(48_000), 24_000, which).values())).all()
