"""A sketch of a piece: what is settled before anyone plays a note."""

from dataclasses import dataclass

import numpy as np

from training.data.casting import LEAD_GROUP, SOLO_FAMILIES
from training.data.engines import ENGINES
from training.data.harmony import Key, progression
from training.data.layers import Chords
from training.data.moods import LEANINGS, MOODS, Mood
from training.data.styles import FAMILIES, GROOVES, TEMPO, Groove, grooves_of

#: Ensemble -> share of the pieces. A band, a soloist, a few single notes, drums alone.
ENSEMBLES = {"band": 0.775, "solo": 0.155, "sparse": 0.03, "drums": 0.04}


@dataclass(frozen=True)
class Sketch:
    """Ensemble, style, mood, tempo (quarters a minute), meter, length in bars, key and chords.

    `groove` is `None` where a band of our own or a soloist without one plays.
    """

    ensemble: str
    family: str
    groove: Groove | None
    mood_name: str
    bpm: int
    beats: int
    bars: int
    key: Key
    chords: Chords

    @property
    def mood(self) -> Mood:
        """What the mood does."""
        return MOODS[self.mood_name]


def draw_sketch(rng: np.random.Generator) -> Sketch:
    """A random sketch."""
    ensemble = str(rng.choice(list(ENSEMBLES), p=list(ENSEMBLES.values())))
    family, groove = _style(ensemble, rng)
    mood_name = _mood(family, rng)
    mood = MOODS[mood_name]
    slow, fast = TEMPO[family]
    place = float(np.clip(rng.normal(mood.tempo, 0.18), 0, 1))
    bpm = round(slow + place * (fast - slow))
    beats = groove.beats if groove else 3 if family == "waltz" else 4
    bars = _bars(beats * 60 / bpm, rng)
    weights = np.array(list(mood.modes.values()))
    tonic = int(rng.integers(12))
    key = Key(tonic, str(rng.choice(list(mood.modes), p=weights / weights.sum())))
    chords = _chords(key, family, beats, bars, rng)
    return Sketch(ensemble, family, groove, mood_name, bpm, beats, bars, key, chords)


def _style(ensemble: str, rng: np.random.Generator) -> tuple[str, Groove | None]:
    """A family, and a groove of it; `None` where a band of our own or a soloist plays."""
    if ensemble == "drums":
        beds = [g for g in GROOVES if g.drums_only]
        groove = beds[rng.integers(len(beds))]
        return groove.family, groove
    if ensemble == "sparse":
        return str(rng.choice(["ambient", "classical", "new age", "cinematic"])), None
    if ensemble == "solo" and rng.random() < 0.75:
        return str(rng.choice(SOLO_FAMILIES)), None
    family = str(rng.choice(FAMILIES))
    full, beds = grooves_of(family, drums_only=False), grooves_of(family, drums_only=True)
    own = 0.0 if family not in ENGINES else 0.5 if len(full) >= 3 else 0.75
    if ensemble == "solo":
        return (family, full[rng.integers(len(full))]) if full else (family, None)
    if rng.random() < own or not (full or beds):
        return family, None
    if beds and (not full or rng.random() < 0.35):
        return family, beds[rng.integers(len(beds))]
    return family, full[rng.integers(len(full))]


def _mood(family: str, rng: np.random.Generator) -> str:
    leaning = LEANINGS.get(family, "").split()
    weights = np.array([3.0 if name in leaning else 1.0 for name in MOODS])
    return str(rng.choice(list(MOODS), p=weights / weights.sum()))


def _bars(bar_seconds: float, rng: np.random.Generator) -> int:
    """A whole number of bars that lasts 12 to 20 s, even where it can be."""
    fitting = [n for n in range(2, 40) if 12 <= n * bar_seconds <= 20]
    even = [n for n in fitting if n % 2 == 0] or fitting
    fours = [n for n in even if n % 4 == 0]
    pool = fours if fours and rng.random() < 0.6 else even
    return int(rng.choice(pool))


def _chords(key: Key, family: str, beats: int, bars: int, rng: np.random.Generator) -> Chords:
    jazz = LEAD_GROUP.get(family) == "jazz" or family in ("bossa nova", "soul", "gypsy jazz")
    blues = family in ("blues", "rock and roll") and rng.random() < 0.6
    chords = progression(key, bars, rng, sevenths=0.85 if jazz else 0.25, blues=blues)
    return [bar[:1] for bar in chords] if beats == 3 else chords
