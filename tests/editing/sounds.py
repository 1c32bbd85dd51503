"""Sounds whose truth is known."""

import numpy as np

from ditto_music.audio import Recording


def music(seconds: float, rate: int, channels: int, subtype: str = "PCM_16") -> Recording:
    """Two decaying tones a beat and a little noise, the right channel at half the level."""
    rng = np.random.default_rng(0)
    t = np.arange(round(seconds * rate)) / rate
    beat = np.exp(-4 * (t % 0.5))
    sound = 0.3 * beat * (np.sin(2 * np.pi * 220 * t) + np.sin(2 * np.pi * 660 * t)) / 2
    sound += 0.002 * rng.standard_normal(len(t))
    audio = np.stack([sound, 0.5 * sound][:channels])
    kind = {"PCM_16": np.int32, "PCM_24": np.int32, "FLOAT": np.float32}[subtype]
    blank = Recording(np.zeros((len(t), channels), kind), rate, "WAV", subtype)
    return blank.with_region(0, audio)


def clicks(seconds: float, bpm: float, rate: int = 24_000) -> Recording:
    """A short burst of noise on every beat, the first of four louder, over a soft hiss."""
    rng = np.random.default_rng(1)
    sound = 0.001 * rng.standard_normal(round(seconds * rate))
    for number in range(int(seconds * bpm / 60)):
        start = round(number * 60 / bpm * rate)
        burst = rng.standard_normal(900)[: len(sound) - start]
        level = 0.3 if number % 4 == 0 else 0.15
        sound[start : start + 900] += level * burst * np.exp(-np.arange(len(burst)) / 200)
    return Recording.of(sound[None], rate, "PCM_16")
