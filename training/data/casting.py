"""Who plays: lead instruments, soloists, drum kits, ranges, and stand-ins of the same kind."""

import numpy as np

from training.data.instruments import SWAPS
from training.data.score import Part

#: Lead instruments (GM programs) by family; `None` for the rest.
LEADS: dict[str | None, list[int]] = {
    None: [0, 4, 11, 24, 26, 40, 56, 64, 65, 66, 68, 71, 73, 75, 22, 79, 46, 27, 60, 105],
    "jazz": [56, 57, 59, 64, 65, 66, 67, 71, 11, 26, 0, 73],
    "synth": [80, 81, 82, 84, 85, 87, 54, 98, 5, 11],
    "rock": [29, 30, 27, 18, 81, 65],
    "folk": [22, 24, 40, 73, 74, 75, 78, 110, 105, 21, 15, 109],
    "latin": [56, 57, 73, 66, 24, 71, 0, 11],
    "classical": [40, 41, 42, 68, 70, 71, 73, 60, 6, 0, 46, 69],
    "soft": [0, 10, 11, 46, 73, 75, 77, 79, 108, 52, 68, 88, 107, 104, 9],
}
LEAD_GROUP: dict[str, str] = {
    **dict.fromkeys(["bebop", "big band", "jazz fusion", "jazz waltz", "swing jazz"], "jazz"),
    **dict.fromkeys(["drum and bass", "house", "synth pop", "techno", "trance"], "synth"),
    **dict.fromkeys(["hard rock", "metal", "rock"], "rock"),
    **dict.fromkeys(["bluegrass", "country", "folk", "polka"], "folk"),
    **dict.fromkeys(["bossa nova", "cha-cha", "mambo", "rumba", "samba", "calypso"], "latin"),
    **dict.fromkeys(["classical", "cinematic"], "classical"),
    **dict.fromkeys(["ambient", "new age"], "soft"),
}  # fmt: skip

#: Solo instruments: those that play chords, and those that play one line.
SOLO_CHORDS = [0, 0, 0, 1, 3, 4, 6, 8, 10, 11, 12, 15, 16, 19, 21, 24, 24, 25, 26, 27, 46, 46,
               105, 106, 107, 108, 88, 81]  # fmt: skip
SOLO_LINES = [22, 40, 40, 41, 42, 42, 56, 57, 58, 59, 60, 64, 65, 66, 68, 69, 70, 71, 71, 72, 73,
              73, 74, 75, 77, 78, 79, 80, 81, 85, 109, 110, 9, 13, 14, 54, 32, 33]  # fmt: skip
SOLO_FAMILIES = ["ambient", "blues", "classical", "classical", "folk", "folk", "new age",
                 "pop ballad", "swing jazz", "waltz", "ragtime", "tango"]  # fmt: skip

#: Drum kits (GM) by family.
KITS = {"swing jazz": 32, "bebop": 40, "jazz waltz": 40, "metal": 16, "house": 24, "techno": 25}

#: Lowest and highest comfortable melody pitch of low instruments; others sing from 57 to 84.
RANGES = {32: (28, 52), 33: (28, 52), 42: (38, 64), 57: (43, 66), 58: (31, 55), 70: (38, 62),
          67: (43, 66), 43: (28, 50), 66: (48, 72), 60: (46, 69), 72: (72, 98), 9: (72, 96),
          78: (67, 91), 79: (65, 89), 10: (65, 94), 8: (65, 94), 14: (60, 79)}  # fmt: skip


def swap_programs(parts: list[Part], rng: np.random.Generator) -> None:
    """Give each part another instrument of the same kind (in place)."""
    for part in parts:
        if part.role == "drums":
            part.program = int(rng.choice([part.program, 0, 8, 16, 24, 25, 32]))
            continue
        homes = [group for group in SWAPS if part.program in group]
        if homes and rng.random() < 0.75:
            part.program = int(rng.choice(homes[rng.integers(len(homes))]))
