"""Bands of our own, for styles the groove library serves poorly: each family is a short recipe
of layers (`training.data.layers`) over the same chords.
"""

from collections.abc import Callable

import numpy as np

from training.data import layers
from training.data.layers import CLAP, HAT, KICK, OPEN_HAT, RIDE, RIM, SHAKER, SNARE, Chords, Rhythm
from training.data.score import Part

Engine = Callable[[Chords, int, np.random.Generator], list[Part]]

EIGHTHS: Rhythm = [(i / 2, 0.4) for i in range(8)]
OFFBEATS: Rhythm = [(i + 0.5, 0.35) for i in range(4)]


def _pick(rng: np.random.Generator, *programs: int) -> int:
    return int(rng.choice(programs))


def _drums(
    chords: Chords, beats: int, rng: np.random.Generator, kit: int, *patterns: dict[int, str]
) -> Part:
    pattern = patterns[rng.integers(len(patterns))]
    notes = layers.drums(len(chords), beats, pattern, rng, fills=rng.random() < 0.6)
    return Part("drums", kit, notes)


def _sparse_bells(chords: Chords, beats: int, rng: np.random.Generator) -> Part:
    notes = layers.arpeggio(chords, beats, rng, low=72, step=1.0, ring=3)
    kept = [n for n in notes if rng.random() < 0.35]
    return Part("arpeggio", _pick(rng, 8, 11, 14, 98, 108, 46), kept or notes[:1], 90)


def ambient(chords: Chords, beats: int, rng: np.random.Generator) -> list[Part]:
    """Slow pads over a drone, with bells or a far arpeggio."""
    chords = [chords[i - i % 2] for i in range(len(chords))]
    pad = _pick(rng, 88, 89, 91, 92, 94, 95, 97, 99, 52, 49)
    parts = [Part("pad", pad, layers.pad(chords, beats, int(rng.integers(50, 60))))]
    if rng.random() < 0.6:
        drone = layers.bass(chords, beats, [(0, beats)], low=int(rng.integers(28, 38)), velocity=80)
        parts.append(Part("bass", _pick(rng, 38, 43, 89, 95), drone, 90))
    if rng.random() < 0.5:
        parts.append(_sparse_bells(chords, beats, rng))
    if rng.random() < 0.45:
        notes = layers.arpeggio(chords, beats, rng, low=64, step=_pick(rng, 1, 2) / 2, ring=2.5)
        parts.append(Part("arpeggio", _pick(rng, 4, 46, 11, 24, 88, 98), notes, 70))
    return parts


def new_age(chords: Chords, beats: int, rng: np.random.Generator) -> list[Part]:
    """Ringing arpeggios of harp, piano or guitar on soft strings."""
    lead = _pick(rng, 0, 24, 25, 46, 4, 108, 15, 107)
    notes = layers.arpeggio(chords, beats, rng, low=52, step=0.5, ring=_pick(rng, 2, 3, 4))
    parts = [Part("arpeggio", lead, notes)]
    if rng.random() < 0.7:
        pad = Part("pad", _pick(rng, 48, 49, 50, 52, 89, 91), layers.pad(chords, beats, 55, 64), 80)
        parts.append(pad)
    if rng.random() < 0.3:
        parts.append(_sparse_bells(chords, beats, rng))
    return parts


def cinematic(chords: Chords, beats: int, rng: np.random.Generator) -> list[Part]:
    """String ostinato, low brass, choir and big drums, entering in turn."""
    step = 0.25 if rng.random() < 0.35 else 0.5
    ostinato = layers.arpeggio(chords, beats, rng, low=55, step=step, ring=0.7)
    parts = [Part("arpeggio", _pick(rng, 48, 45, 44, 0), ostinato, 100)]
    parts.append(Part("pad", _pick(rng, 48, 49, 52, 60), layers.pad(chords, beats, 52, 80), 95))
    low = layers.bass(chords, beats, [(0, beats / 2), (beats / 2, beats / 2)], low=31)
    parts.append(Part("bass", _pick(rng, 43, 42, 57, 58, 61), low))
    if rng.random() < 0.55:
        hits = [(0, 1.0), (1.5, 0.5), (2, 1.0)] if rng.random() < 0.5 else [(0, 1), (2.5, 0.5)]
        drum = layers.bass(chords, beats, hits, low=36, velocity=104)
        parts.append(Part("percussion", _pick(rng, 47, 47, 116, 117), drum, 110))
    if rng.random() < 0.35:
        parts.append(Part("chords", 52, layers.pad(chords, beats, 60, 84)))
    return parts


def classical(chords: Chords, beats: int, rng: np.random.Generator) -> list[Part]:
    """Chamber music: strings in four voices, or keys and a bass line under them."""
    if rng.random() < 0.5:
        ring = _pick(rng, 1, 2)
        notes = layers.arpeggio(chords, beats, rng, low=57, step=0.5, ring=ring * 0.95)
        parts = [Part("arpeggio", _pick(rng, 0, 6, 40, 46, 45), notes)]
        walk = [(b, 0.95) for b in range(beats)]
        low = layers.bass(chords, beats, walk, low=38, fifths=True, velocity=80)
        return [*parts, Part("bass", _pick(rng, 42, 43, 70), low)]
    pulse = [[(b, 0.9) for b in range(beats)], [(0, beats * 0.97)], EIGHTHS[: 2 * beats]]
    rhythm = pulse[rng.integers(3)]
    winds = _pick(rng, 48, 40, 68, 71)
    parts = [Part("chords", winds, layers.comp(chords, beats, rhythm, low=60, velocity=74))]
    parts.append(Part("pad", _pick(rng, 41, 60, 48), layers.pad(chords, beats, 52, 68), 90))
    low = layers.bass(chords, beats, [(0, beats * 0.9)], low=38, velocity=82)
    return [*parts, Part("bass", _pick(rng, 42, 43, 70), low)]


def techno(chords: Chords, beats: int, rng: np.random.Generator) -> list[Part]:
    """Four on the floor, a driving synth bass and a tight arpeggio."""
    hats = rng.choice(["..x.", "x.x.", "oxxo"])
    four = {KICK: "x...", HAT: str(hats), OPEN_HAT: "..x." if rng.random() < 0.5 else "."}
    if rng.random() < 0.7:
        four[CLAP] = "....x..."
    kit = _drums(chords, beats, rng, _pick(rng, 24, 25), four)
    drive = [(i / 4, 0.2) for i in range(4 * beats) if i % 4] if rng.random() < 0.6 else OFFBEATS
    parts = [kit, Part("bass", _pick(rng, 38, 39, 81), layers.bass(chords, beats, drive))]
    if rng.random() < 0.75:
        notes = layers.arpeggio(chords, beats, rng, low=60, step=0.25, ring=0.8)
        parts.append(Part("arpeggio", _pick(rng, 80, 81, 82, 84, 87, 90), notes, 72))
    if rng.random() < 0.5:
        stabs = [(0.75, 0.2), (1.5, 0.2), (3.0, 0.2)]
        parts.append(
            Part("chords", _pick(rng, 81, 50, 62, 90), layers.comp(chords, beats, stabs, low=60))
        )
    if rng.random() < 0.4:
        parts.append(Part("pad", _pick(rng, 89, 90, 91, 95), layers.pad(chords, beats, 55), 75))
    return parts


def house(chords: Chords, beats: int, rng: np.random.Generator) -> list[Part]:
    """Four on the floor with off-beat hats, piano or organ stabs, a round bass."""
    kit = _drums(
        chords, beats, rng, _pick(rng, 24, 25, 0),
        {KICK: "x...", OPEN_HAT: "..x.", CLAP: "....x..."},
        {KICK: "x...", OPEN_HAT: "..x.", SNARE: "....x...", SHAKER: "oxox"},
    )  # fmt: skip
    stabs = [[(0, 0.3), (0.75, 0.3), (1.5, 0.3), (2.5, 0.3), (3.25, 0.3)], OFFBEATS][
        rng.integers(2)
    ]
    parts = [kit, Part("bass", _pick(rng, 38, 39, 33), layers.bass(chords, beats, OFFBEATS))]
    parts.append(
        Part("chords", _pick(rng, 0, 1, 16, 17, 4, 90), layers.comp(chords, beats, stabs, low=58))
    )
    if rng.random() < 0.4:
        parts.append(Part("pad", _pick(rng, 48, 50, 89), layers.pad(chords, beats, 60), 70))
    return parts


def trance(chords: Chords, beats: int, rng: np.random.Generator) -> list[Part]:
    """Rolling bass, wide arpeggios and pads."""
    parts = techno(chords, beats, rng)
    if not any(p.role == "pad" for p in parts):
        parts.append(Part("pad", _pick(rng, 50, 90, 91, 94), layers.pad(chords, beats, 57), 80))
    return parts


def synth_pop(chords: Chords, beats: int, rng: np.random.Generator) -> list[Part]:
    """Eighth-note synth bass, gated drums, saw chords: the eighties."""
    kit = _drums(
        chords, beats, rng, _pick(rng, 16, 24),
        {KICK: "x.......x.......", SNARE: "....x...", HAT: "x.x."},
        {KICK: "x.....x.x.......", SNARE: "....x...", HAT: "xoxo"},
    )  # fmt: skip
    parts = [kit, Part("bass", _pick(rng, 38, 39, 81), layers.bass(chords, beats, EIGHTHS))]
    parts.append(Part("pad", _pick(rng, 50, 51, 62, 90), layers.pad(chords, beats, 57), 80))
    notes = layers.arpeggio(chords, beats, rng, low=64, step=_pick(rng, 1, 2) / 4, ring=0.9)
    return [*parts, Part("arpeggio", _pick(rng, 80, 81, 88, 98, 5), notes, 70)]


def hip_hop(chords: Chords, beats: int, rng: np.random.Generator) -> list[Part]:
    """A lazy beat under electric piano or plucked loops, deep bass."""
    kit = _drums(
        chords, beats, rng, _pick(rng, 25, 24, 0),
        {KICK: "x......x..x.....", SNARE: "....x...", HAT: "x.x."},
        {KICK: "x..x......x..x..", CLAP: "....x...", HAT: "xoxx"},
        {KICK: "x.........xo....", SNARE: "....x...", HAT: "x.xox.x."},
    )  # fmt: skip
    deep = layers.bass(chords, beats, [(0, 1.4), (1.75, 0.6), (2.5, 1.2)], low=26)
    parts = [kit, Part("bass", _pick(rng, 33, 38, 39), deep)]
    if rng.random() < 0.6:
        rhythm = [(0, 1.4), (1.5, 2.2)]
        keys = layers.comp(chords, beats, rhythm, low=57, velocity=72, strum=0.02)
        return [*parts, Part("chords", _pick(rng, 4, 5, 0, 11), keys)]
    notes = layers.arpeggio(chords, beats, rng, low=60, step=0.5, ring=1)
    return [*parts, Part("arpeggio", _pick(rng, 0, 4, 11, 24, 45, 46, 107), notes)]


def drum_and_bass(chords: Chords, beats: int, rng: np.random.Generator) -> list[Part]:
    """Fast broken beats, long deep bass, slow pads."""
    slow = [chords[i - i % 2] for i in range(len(chords))]
    kit = _drums(
        chords, beats, rng, _pick(rng, 24, 25, 16),
        {KICK: "x.........x.....", SNARE: "....x..o.o..x...", HAT: "x.x."},
        {KICK: "x..x......xx....", SNARE: "....x....o..x.o.", HAT: "xoxo"},
        {KICK: "x.....x...x.....", SNARE: "....x.......x..o", RIDE: "x.x."},
    )  # fmt: skip
    rhythm = [[(0, 1.9), (2.5, 1.4)], [(0, 0.7), (0.75, 0.5), (2.5, 0.4), (3.25, 0.6)]]
    low = layers.bass(slow, beats, rhythm[rng.integers(2)], low=26)
    parts = [kit, Part("bass", _pick(rng, 38, 39, 87), low)]
    if rng.random() < 0.7:
        parts.append(Part("pad", _pick(rng, 89, 91, 94, 95, 50), layers.pad(slow, beats, 57), 80))
    if rng.random() < 0.6:
        notes = layers.arpeggio(slow, beats, rng, low=60, step=0.5, ring=1.5)
        parts.append(Part("arpeggio", _pick(rng, 4, 11, 81, 98), notes, 75))
    return parts


def metal(chords: Chords, beats: int, rng: np.random.Generator) -> list[Part]:
    """Palm-muted power chords, bass in unison, double kick; some bars left open."""
    chugs = [
        [(i / 4, 0.15) for i in (0, 1, 2, 4, 6, 8, 9, 10, 12, 14)],
        [(0, 0.4), (0.75, 0.2), (1, 0.4), (2, 0.4), (2.75, 0.2), (3, 0.9)],
        [(0, 1.9), (2, 1.9)],
        EIGHTHS,
    ]
    rhythm = chugs[rng.integers(4)]
    kit = _drums(
        chords, beats, rng, 16,
        {KICK: "xx.xx.x.", SNARE: "....x...", RIDE: "x..."},
        {KICK: "xxxx", SNARE: "....x...", RIDE: "x..."},
        {KICK: "x.......x.x.....", SNARE: "........x.......", OPEN_HAT: "x..."},
    )  # fmt: skip
    low = int(rng.integers(38, 42))
    guitar = layers.comp(chords, beats, rhythm, low=low, velocity=100, power=True)
    parts = [kit, Part("chords", _pick(rng, 30, 30, 29), guitar, 95)]
    return [*parts, Part("bass", 34, layers.bass(chords, beats, rhythm, low=26), 105)]


def hard_rock(chords: Chords, beats: int, rng: np.random.Generator) -> list[Part]:
    """Overdriven power chords on straight eighths, kick and snare, picked bass."""
    kit = _drums(
        chords, beats, rng, _pick(rng, 0, 16),
        {KICK: "x.......x.x.....", SNARE: "....x...", HAT: "x.x."},
        {KICK: "x.x.....x.......", SNARE: "....x...", RIDE: "x.x."},
    )  # fmt: skip
    riffs = [EIGHTHS, [(0, 0.9), (1.5, 0.4), (2, 0.9), (3.5, 0.4)], [(0, 3.8)]]
    guitar = layers.comp(chords, beats, riffs[rng.integers(3)], low=40, velocity=96, power=True)
    parts = [kit, Part("chords", _pick(rng, 29, 30), guitar, 95)]
    return [*parts, Part("bass", 34, layers.bass(chords, beats, EIGHTHS, low=28))]


def reggae(chords: Chords, beats: int, rng: np.random.Generator) -> list[Part]:
    """Off-beat guitar and organ, a melodic bass, one-drop drums."""
    kit = _drums(
        chords, beats, rng, 0,
        {KICK: "........x.......", RIM: "........x.......", HAT: "x.xo"},
        {KICK: "x.......x.......", SNARE: "....x...", HAT: "o.x."},
    )  # fmt: skip
    skank = [(i + 0.5, 0.18) for i in range(4)] if rng.random() < 0.5 else [(1, 0.25), (3, 0.25)]
    parts = [kit, Part("chords", _pick(rng, 27, 28, 26), layers.comp(chords, beats, skank, low=60))]
    line = [(0, 0.8), (1.5, 0.4), (2, 0.9), (3.0, 0.4), (3.5, 0.4)]
    parts.append(
        Part("bass", _pick(rng, 33, 35), layers.bass(chords, beats, line, fifths=True), 112)
    )
    if rng.random() < 0.6:
        bubble = [(0.5, 0.2), (1.5, 0.2), (2.5, 0.2), (3.5, 0.2)]
        parts.append(Part("chords", _pick(rng, 16, 17), layers.comp(chords, beats, bubble, low=64)))
    return parts


def folk(chords: Chords, beats: int, rng: np.random.Generator) -> list[Part]:
    """Picked or strummed guitar, perhaps a bass or a drone."""
    program = _pick(rng, 24, 25)
    if rng.random() < 0.6:
        notes = layers.arpeggio(chords, beats, rng, low=48, step=0.5, ring=2)
        parts = [Part("arpeggio", program, notes)]
    else:
        strums = [(0, 0.9), (1, 0.4), (1.5, 0.4), (2.5, 0.4), (3, 0.8)]
        notes = layers.comp(chords, beats, strums, low=50, velocity=78, strum=0.02)
        parts = [Part("chords", program, notes)]
    if rng.random() < 0.6:
        low = layers.bass(chords, beats, [(0, 1.8), (2, 1.8)], low=33, fifths=True, velocity=82)
        parts.append(Part("bass", 32, low))
    return parts


ENGINES: dict[str, Engine] = {
    "ambient": ambient,
    "cinematic": cinematic,
    "classical": classical,
    "drum and bass": drum_and_bass,
    "folk": folk,
    "hard rock": hard_rock,
    "hip hop": hip_hop,
    "house": house,
    "metal": metal,
    "new age": new_age,
    "reggae": reggae,
    "synth pop": synth_pop,
    "techno": techno,
    "trance": trance,
}


def rhythm_section(chords: Chords, beats: int, rng: np.random.Generator) -> list[Part]:
    """Bass and chords for a groove that is drums only."""
    line = [EIGHTHS, [(0, 1.4), (1.5, 0.4), (2, 1.8)], [(0, 0.9), (2, 0.9), (3, 0.9)]]
    rhythm = line[rng.integers(3)]
    low = layers.bass(chords, beats, rhythm, low=29, fifths=rng.random() < 0.3)
    parts = [Part("bass", _pick(rng, 33, 34, 38, 35), low)]
    if rng.random() < 0.6:
        hits = [[(0, 0.9), (1.5, 0.4), (2.5, 1.2)], OFFBEATS, [(0, 3.8)]][rng.integers(3)]
        keys = layers.comp(chords, beats, hits, low=57)
        return [*parts, Part("chords", _pick(rng, 0, 4, 16, 26, 27, 50), keys)]
    notes = layers.arpeggio(chords, beats, rng, low=60, step=0.5, ring=1)
    return [*parts, Part("arpeggio", _pick(rng, 0, 4, 11, 27, 81), notes)]
