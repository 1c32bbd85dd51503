"""What a score holds, in the words and numbers of its labels."""

from training.data.score import Note, Score


def tags(score: Score) -> list[str]:
    """The instruments, in plain words."""
    return sorted({part.tag for part in score.parts})


def lead(score: Score, tune: list[Note]) -> str | None:
    """The instrument that has the melody, where there is one."""
    if not tune:
        return None
    return next(p.tag for p in score.parts if any(note is tune[0] for note in p.notes))


def playing(score: Score) -> dict[str, list[list[float]]]:
    """Instrument -> [start, end] spans in seconds where it plays, gaps under a bar closed."""
    beat = 60 / score.bpm
    out: dict[str, list[list[float]]] = {}
    for tag in tags(score):
        notes = [n for p in score.parts if p.tag == tag for n in p.notes]
        spans: list[list[float]] = []
        for note in sorted(notes, key=lambda n: n.start):
            start, end = note.start * beat, min(note.end, score.length) * beat
            if spans and start - spans[-1][1] < score.beats * beat:
                spans[-1][1] = max(spans[-1][1], end)
            else:
                spans.append([start, end])
        out[tag] = [[round(a, 3), round(b, 3)] for a, b in spans]
    return out


def density(score: Score) -> str:
    """sparse, medium or dense, by how many moments a second have a note starting."""
    moments = {round(n.start * 8) for p in score.parts for n in p.notes}
    notes = sum(len(p.notes) for p in score.parts)
    rate = len(moments) / score.seconds + 0.25 * notes / score.seconds
    return "sparse" if rate < 5 else "medium" if rate < 12 else "dense"
