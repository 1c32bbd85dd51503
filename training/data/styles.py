"""The styles: families of music, their tempi, and the MMA grooves that belong to each.

The table `grooves.csv` has a row for each file of the groove library: its family, beats per bar,
kind (`band`, or `drums` for files of drum patterns only: beds for parts of our own, or drum
solos) and the grooves in it. A groove is named `library/file:Name`, as names collide between
folders. All are in 3/4 or 4/4; intros, endings and fills are left out.
"""

import csv
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path


@dataclass(frozen=True)
class Groove:
    """One MMA groove: its full name, style family, beats per bar, and whether it is drums only."""

    name: str
    family: str
    beats: int
    drums_only: bool

    @property
    def held_out(self) -> bool:
        """Whether every piece on this groove is kept from training (about one groove in twenty)."""
        return sha256(self.name.encode()).digest()[0] % 20 == 0


#: Style family -> (slowest, fastest) tempo in quarter notes a minute.
TEMPO = {
    "ambient": (50, 95),
    "bebop": (160, 240),
    "big band": (120, 200),
    "bluegrass": (110, 160),
    "blues": (70, 140),
    "bossa nova": (105, 165),
    "calypso": (110, 170),
    "cha-cha": (105, 130),
    "cinematic": (60, 140),
    "classical": (60, 140),
    "country": (85, 160),
    "disco": (108, 130),
    "drum and bass": (150, 178),
    "folk": (75, 130),
    "funk": (88, 122),
    "gospel": (62, 125),
    "gypsy jazz": (130, 220),
    "hard rock": (105, 170),
    "hip hop": (70, 102),
    "house": (116, 130),
    "jazz fusion": (90, 150),
    "jazz waltz": (100, 180),
    "mambo": (150, 210),
    "march": (96, 126),
    "metal": (95, 185),
    "new age": (55, 95),
    "polka": (100, 140),
    "pop": (88, 132),
    "pop ballad": (56, 86),
    "ragtime": (120, 200),
    "reggae": (66, 92),
    "rock": (98, 150),
    "rock and roll": (130, 190),
    "rumba": (84, 132),
    "samba": (90, 130),
    "ska": (120, 170),
    "soul": (66, 120),
    "swing jazz": (80, 190),
    "synth pop": (100, 135),
    "tango": (96, 132),
    "techno": (120, 145),
    "trance": (126, 142),
    "waltz": (84, 170),
}

#: Families whose eighth notes swing.
SWINGING = {
    "bebop", "big band", "blues", "gypsy jazz", "jazz waltz", "ragtime", "rock and roll",
    "swing jazz",
}  # fmt: skip


def _read_table() -> list[Groove]:
    with Path(__file__).with_name("grooves.csv").open(newline="") as file:
        return [
            Groove(
                f"{row['file']}:{name}", row["family"], int(row["beats"]), row["kind"] == "drums"
            )
            for row in csv.DictReader(file)
            for name in row["names"].split()
        ]


GROOVES: list[Groove] = _read_table()

FAMILIES: list[str] = sorted(TEMPO)


def grooves_of(family: str, *, drums_only: bool) -> list[Groove]:
    """The grooves of one family, in table order."""
    return [g for g in GROOVES if g.family == family and g.drums_only == drums_only]
