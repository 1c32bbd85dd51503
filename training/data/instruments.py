"""General-MIDI programs: the plain word for each, and which may stand in for which."""

#: GM program (0-127) -> plain-word instrument tag.
TAGS: list[str] = (
    ["piano"] * 4 + ["electric piano"] * 2 + ["harpsichord", "clavinet"]
    + ["celesta", "glockenspiel", "music box", "vibraphone", "marimba", "xylophone", "bells",
       "dulcimer"]
    + ["organ"] * 3 + ["church organ", "organ", "accordion", "harmonica", "accordion"]
    + ["acoustic guitar"] * 2 + ["jazz guitar", "electric guitar", "muted guitar"]
    + ["distorted guitar"] * 2 + ["electric guitar"]
    + ["upright bass", "electric bass", "electric bass", "fretless bass", "slap bass", "slap bass",
       "synth bass", "synth bass"]
    + ["violin", "viola", "cello", "double bass", "strings", "pizzicato strings", "harp", "timpani"]
    + ["strings"] * 2 + ["synth strings"] * 2 + ["choir"] * 3 + ["orchestra hit"]
    + ["trumpet", "trombone", "tuba", "muted trumpet", "french horn", "brass", "synth brass",
       "synth brass"]
    + ["saxophone"] * 4 + ["oboe", "english horn", "bassoon", "clarinet"]
    + ["piccolo", "flute", "recorder", "pan flute", "bottle blow", "shakuhachi", "whistle",
       "ocarina"]
    + ["synth lead"] * 8 + ["synth pad"] * 8 + ["synth"] * 8
    + ["sitar", "banjo", "shamisen", "koto", "kalimba", "bagpipe", "fiddle", "shanai"]
    + ["bells", "percussion", "steel drums", "percussion", "taiko", "toms", "percussion",
       "percussion"]
    + ["sound effects"] * 8
)  # fmt: skip

#: Programs that may take each other's place without changing the style of a piece.
SWAPS: list[list[int]] = [
    [0, 1, 2, 3],
    [0, 4, 5],
    [4, 5, 7],
    [11, 12, 108],
    [16, 17, 18],
    [21, 23, 22],
    [24, 25],
    [25, 26, 27, 28],
    [29, 30],
    [32, 33, 35],
    [33, 34, 36, 39],
    [48, 49, 50, 51],
    [52, 53, 54],
    [56, 57, 60, 61],
    [59, 56, 65],
    [64, 65, 66, 67, 71],
    [68, 69, 70, 71],
    [72, 73, 74, 79],
    [80, 81, 82, 84],
    [88, 89, 90, 91, 94, 95],
    [105, 25, 15],
    [110, 40],
]


def percussion_tag(pitches: list[int]) -> str:
    """`drums` for a kit (kick and snare), `percussion` for hand drums, shakers and the like."""
    kit = sum(p in (35, 36, 37, 38, 40) for p in pitches)
    return "drums" if kit >= 0.15 * len(pitches) else "percussion"
