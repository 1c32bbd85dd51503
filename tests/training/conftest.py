"""The labels of a piece of training music."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def piece() -> dict[str, Any]:
    return {
        "family": "jazz waltz", "mood": "calm", "ensemble": "band", "mode": "minor",
        "density": "sparse", "key": "Bb", "bpm": 120, "bar_seconds": 2.0, "beats_per_bar": 4,
        "instruments": ["piano"],
        "playing": {"piano": [[0.0, 13.0]]}, "lead": None, "melody": [], "dynamics": [],
        "loudness": [-20.0] * 26, "sample_rate": 24_000, "samples": 312_320,
    }  # fmt: skip
