"""Moods: how each bends mode, tempo, loudness, tone and register."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mood:
    """What a mood does to a piece.

    modes: weights of the modes; tempo: mean place in the tempo range, 0 to 1;
    level: dB on the whole piece; treble, bass: dB of shelves above 2.5 kHz and below 200 Hz;
    register: semitones on the melody; activity: liveliness of the melody, 0 to 1; wet: chance of
    a large room.
    """

    modes: dict[str, float]
    tempo: float
    level: float
    treble: float
    bass: float
    register: int
    activity: float
    wet: float


def _mood(modes: str, tempo: float, *numbers: float) -> Mood:
    weights = {}
    for item in modes.split(","):
        name, weight = item.rsplit(" ", 1)
        weights[name.strip()] = float(weight)
    level, treble, bass, register, activity, wet = numbers
    return Mood(weights, tempo, level, treble, bass, int(register), activity, wet)


#: Mood -> modes, place in the tempo range, level, treble, bass, register, activity, wet.
MOODS: dict[str, Mood] = {
    "calm": _mood("major 5, lydian 2, dorian 2, minor 1", 0.2, -9, -5, 0, 0, 0.2, 0.6),
    "happy": _mood("major 6, mixolydian 3, lydian 1", 0.65, -1, 3, 0, 5, 0.6, 0.2),
    "sad": _mood("minor 6, harmonic minor 2, dorian 2", 0.15, -7, -6, 0, -2, 0.3, 0.5),
    "dark": _mood("minor 4, phrygian 3, harmonic minor 3", 0.35, -4, -10, 5, -8, 0.35, 0.5),
    "energetic": _mood("mixolydian 3, minor 3, dorian 2, major 2", 0.85, 3, 4, 2, 2, 0.75, 0.1),
    "dreamy": _mood("lydian 4, major 2, dorian 3, mixolydian 1", 0.3, -9, -7, 0, 4, 0.3, 0.95),
    "romantic": _mood("major 5, minor 3, harmonic minor 2", 0.3, -6, -2, 2, -1, 0.35, 0.5),
    "tense": _mood("phrygian 4, harmonic minor 4, minor 2", 0.7, -3, 1, -3, -3, 0.6, 0.2),
    "playful": _mood("mixolydian 4, major 4, lydian 2", 0.6, -4, 3, -4, 8, 0.7, 0.1),
    "epic": _mood("minor 4, dorian 3, harmonic minor 2, major 1", 0.55, 3, 1, 5, 0, 0.4, 0.8),
}

#: Families with a leaning: moods drawn three times as often as the rest.
LEANINGS: dict[str, str] = {
    "ambient": "calm dreamy dark",
    "blues": "sad dark energetic",
    "bossa nova": "calm romantic happy",
    "cinematic": "epic tense dark sad",
    "classical": "romantic calm sad playful",
    "disco": "happy energetic",
    "drum and bass": "energetic tense dark",
    "funk": "energetic playful happy",
    "hard rock": "energetic tense epic",
    "hip hop": "calm dark tense",
    "house": "energetic happy",
    "metal": "energetic dark tense epic",
    "new age": "calm dreamy",
    "polka": "happy playful",
    "pop ballad": "romantic sad calm",
    "ragtime": "playful happy",
    "samba": "happy energetic",
    "ska": "playful energetic",
    "tango": "tense romantic dark",
    "techno": "energetic tense dark",
    "trance": "energetic dreamy epic",
}
