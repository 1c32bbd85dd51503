"""Keys, modes, chords and chord progressions."""

from dataclasses import dataclass

import numpy as np

PITCH_NAMES = ["C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"]

#: Mode -> its seven steps in semitones above the tonic.
MODES: dict[str, list[int]] = {
    "major": [0, 2, 4, 5, 7, 9, 11],
    "minor": [0, 2, 3, 5, 7, 8, 10],
    "harmonic minor": [0, 2, 3, 5, 7, 8, 11],
    "dorian": [0, 2, 3, 5, 7, 9, 10],
    "mixolydian": [0, 2, 4, 5, 7, 9, 10],
    "lydian": [0, 2, 4, 6, 7, 9, 11],
    "phrygian": [0, 1, 3, 5, 7, 8, 10],
}

#: Chord shape (semitones above the root) -> MMA suffix.
SUFFIX: dict[tuple[int, ...], str] = {
    (0, 4, 7): "", (0, 3, 7): "m", (0, 3, 6): "dim", (0, 4, 8): "aug",
    (0, 4, 7, 11): "M7", (0, 4, 7, 10): "7", (0, 3, 7, 10): "m7", (0, 3, 6, 10): "m7b5",
    (0, 3, 7, 11): "mM7", (0, 3, 6, 9): "dim7", (0, 5, 7): "sus4",
}  # fmt: skip

#: Four-bar progressions as scale degrees counted from 0.
PATTERNS: dict[str, list[str]] = {
    "major": ["0453", "0534", "0340", "1400", "0514", "3425", "0234", "0304", "5304", "0105",
              "0043", "0515"],
    "minor": ["0526", "0340", "0654", "0362", "0534", "0404", "0306", "0026", "5600", "0250"],
    "harmonic minor": ["0340", "0144", "0545", "0404", "0054", "0314"],
    "dorian": ["0303", "0630", "0230", "0103", "0006", "0363"],
    "mixolydian": ["0630", "0360", "0463", "0006", "0603", "0310"],
    "lydian": ["0101", "0140", "0410", "0015", "0151"],
    "phrygian": ["0101", "0121", "0651", "0010", "0161"],
}  # fmt: skip

BLUES = "000030004430"


@dataclass(frozen=True)
class Chord:
    """A chord: root pitch class 0-11 and semitones above it."""

    root: int
    shape: tuple[int, ...]

    @property
    def pitch_classes(self) -> list[int]:
        """Its tones, 0-11, from the root."""
        return [(self.root + step) % 12 for step in self.shape]

    @property
    def symbol(self) -> str:
        """The name MMA reads, like `Ebm7`."""
        return PITCH_NAMES[self.root] + SUFFIX[self.shape]


@dataclass(frozen=True)
class Key:
    """A tonic (pitch class 0-11) and a mode."""

    tonic: int
    mode: str

    @property
    def name(self) -> str:
        """The name of the tonic, like `Eb`."""
        return PITCH_NAMES[self.tonic]

    @property
    def scale(self) -> list[int]:
        """The seven pitch classes from the tonic up."""
        return [(self.tonic + step) % 12 for step in MODES[self.mode]]

    def chord(self, degree: int, *, seventh: bool) -> Chord:
        """The chord on a scale degree counted from 0; plain where a seventh has no usual name."""
        steps = MODES[self.mode]
        root = steps[degree % 7]
        tones = [(steps[(degree + third) % 7] - root) % 12 for third in (0, 2, 4, 6)]
        shape = tuple(tones[: 4 if seventh else 3])
        if shape not in SUFFIX:
            shape = tuple(tones[:3])
        return Chord((self.tonic + root) % 12, shape)


def progression(
    key: Key, bars: int, rng: np.random.Generator, *, sevenths: float, blues: bool = False
) -> list[list[Chord]]:
    """Chords for each bar (one or two a bar), in phrases of four bars, mostly repeating.

    `sevenths` is the chance that the piece speaks in seventh chords. A blues is twelve bars of
    dominant sevenths (minor sevenths in a minor mode).
    """
    rich = rng.random() < sevenths
    if blues:
        minor = MODES[key.mode][2] == 3
        shape = (0, 3, 7, 10) if minor else (0, 4, 7, 10)
        roots = [{"0": 0, "3": 5, "4": 7}[d] for d in BLUES]
        return [[Chord((key.tonic + roots[b % 12]) % 12, shape)] for b in range(bars)]
    phrase = _phrase(key, rng)
    other = _phrase(key, rng) if rng.random() < 0.4 else phrase
    hold = 2 if rng.random() < 0.2 else 1  # bars a chord lasts
    busy = rng.random() < 0.25
    out = []
    for bar in range(bars):
        step = bar // hold
        degrees = (other if (step // 4) % 4 == 2 else phrase)[step % 4]
        chords = [key.chord(degrees, seventh=rich)]
        if busy and bar % 2:
            chords.append(key.chord(degrees + int(rng.choice([1, 3, 4, 5])), seventh=rich))
        out.append(chords)
    return out


def _phrase(key: Key, rng: np.random.Generator) -> list[int]:
    """Four scale degrees: a common pattern or, in four of ten, a walk that starts at home."""
    if rng.random() < 0.6:
        return [int(d) for d in rng.choice(PATTERNS[key.mode])]
    degrees = [0]
    for _ in range(3):
        degrees.append((degrees[-1] + int(rng.choice([3, 4, 1, 5, 2, 6, 0]))) % 7)
    return degrees
