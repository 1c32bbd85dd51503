"""Labels to words: a caption in a different phrasing each time, true to the labels.

A caption draws a few facts (style, mood, instruments, tempo, key, density, dynamics, loudness),
words each with a synonym, and joins them as a list of tags, a phrase or sentences.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from training.data.words import (
    DENSITY_WORDS,
    DYNAMICS_WORDS,
    EDGE_WORDS,
    FAMILY_WORDS,
    HELD_OUT_SYNONYMS,
    INSTRUMENT_WORDS,
    LOUDNESS_WORDS,
    MOOD_WORDS,
    SCENES,
    TEMPO_WORDS,
)

__all__ = [
    "FAMILY_WORDS",
    "HELD_OUT_SYNONYMS",
    "INSTRUMENT_WORDS",
    "MOOD_WORDS",
    "caption",
]

SILENCE = ["silence", "no music, only silence", "complete silence"]
RINGING = ["a last sound dying away", "only the ring of the last note", "a fading echo"]


def caption(labels: dict[str, Any], rng: np.random.Generator) -> str:
    """A free-text caption for the labels of a piece or of a crop.

    Needs `family`, `mood`, `bpm`, `key`, `mode`, `instruments`, `ensemble`, `density` and
    `dynamics`; uses `lead`, `loudness`, `samples` and `sample_rate` where they are given. It
    never says what the labels do not.
    """
    if not labels["instruments"]:
        return _pick(rng, RINGING if max(labels.get("loudness") or [-90]) > -50 else SILENCE)
    facts = {
        name: say(labels, rng) for name, (chance, say) in FACTS.items() if rng.random() < chance
    }
    facts = {name: words for name, words in facts.items() if words}
    if labels["ensemble"] == "drums" or not {"style", "instruments", "mood"} & set(facts):
        facts["style"] = _style(labels, rng)
    join = [_tags, _phrase, _sentences][rng.choice(3, p=[0.36, 0.36, 0.28])]
    return _dress(join(facts, rng), rng)


def _pick(rng: np.random.Generator, words: list[str]) -> str:
    return words[rng.integers(len(words))]


# --- facts -------------------------------------------------------------------------------------


def _style(labels: dict[str, Any], rng: np.random.Generator) -> str:
    name = _pick(rng, FAMILY_WORDS[labels["family"]])
    if labels["ensemble"] == "drums":
        name = name.removesuffix(" beat")
        return _pick(rng, [f"{name} drum beat", f"{name} drums only", f"{name} drum pattern"])
    if labels["ensemble"] == "sparse":
        return _pick(rng, ["single notes", "a few lonely notes", "bare single tones"])
    return name


def _mood(labels: dict[str, Any], rng: np.random.Generator) -> str:
    return _pick(rng, MOOD_WORDS[labels["mood"]])


def _instrument(tag: str, rng: np.random.Generator) -> str:
    """The tag itself in half the captions, else a synonym."""
    return tag if rng.random() < 0.5 else _pick(rng, INSTRUMENT_WORDS.get(tag, [tag]))


def _instruments(labels: dict[str, Any], rng: np.random.Generator) -> str:
    tags = labels["instruments"]
    if labels["ensemble"] == "drums":
        return ""  # the style says it
    if len(tags) == 1 and labels["ensemble"] in ("solo", "sparse"):
        return f"solo {tags[0]}" if rng.random() < 0.6 else _instrument(tags[0], rng)
    lead: str | None = labels.get("lead")
    if lead is not None and lead in tags and rng.random() < 0.4:
        name = _instrument(lead, rng)
        return _pick(rng, [f"{name} melody", f"{name} lead", f"{name} playing the tune"])
    count = min(len(tags), int(rng.choice([1, 2, 3, 4], p=[0.25, 0.4, 0.25, 0.1])))
    names = [_instrument(tags[i], rng) for i in rng.choice(len(tags), count, replace=False)]
    names = list(dict.fromkeys(names))
    if len(names) == 1:
        return names[0]
    return ", ".join(names[:-1]) + _pick(rng, [" and ", ", ", " & "]) + names[-1]


def _absent(labels: dict[str, Any], rng: np.random.Generator) -> str:
    if {"drums", "percussion", "toms", "taiko"} & set(labels["instruments"]):
        return ""
    return _pick(rng, ["no drums", "without drums"])


def _tempo(labels: dict[str, Any], rng: np.random.Generator) -> str:
    bpm = labels["bpm"]
    if rng.random() < 0.6:
        return _pick(rng, [f"{bpm} bpm", f"{bpm} BPM", f"at {bpm} bpm", f"tempo {bpm}"])
    return _pick(rng, next(words for limit, words in TEMPO_WORDS if bpm < limit))


def _key(labels: dict[str, Any], rng: np.random.Generator) -> str:
    key, mode = labels["key"], labels["mode"]
    if key is None:
        return ""
    if mode == "harmonic minor" and rng.random() < 0.7:
        mode = "minor"
    names = [f"{key} {mode}"] * 3
    if mode in ("major", "minor"):
        names += [f"a {mode} key", f"the key of {key} {mode}"]
    return f"in {_pick(rng, names)}"


def _density(labels: dict[str, Any], rng: np.random.Generator) -> str:
    return _pick(rng, DENSITY_WORDS[labels["density"]]) if labels["density"] else ""


def _loudness(labels: dict[str, Any], rng: np.random.Generator) -> str:
    level = _mean_level(labels)
    if level is None:
        return ""
    words = next(words for limit, words in LOUDNESS_WORDS if level <= limit)
    return _pick(rng, words) if words else ""


def _mean_level(labels: dict[str, Any]) -> float | None:
    """The RMS of the whole in dBFS, from the levels of its half seconds."""
    levels = np.array(labels.get("loudness") or [])
    return float(10 * np.log10(np.mean(10 ** (levels / 10)))) if len(levels) else None


def _dynamics(labels: dict[str, Any], rng: np.random.Generator) -> str:
    events = labels["dynamics"]
    if not events:
        return _edges(labels, rng)
    count = min(len(events), 1 if rng.random() < 0.65 else 2)
    chosen = sorted(rng.choice(len(events), count, replace=False))
    said = [_pick(rng, DYNAMICS_WORDS[events[i]["kind"]]) + _when(events[i], labels, rng)
            for i in chosen]  # fmt: skip
    return _pick(rng, [", then ", " and "]).join(said) if len(said) == 2 else said[0]


def _when(event: dict[str, Any], labels: dict[str, Any], rng: np.random.Generator) -> str:
    """Sometimes where in the clip a sudden change or a break comes."""
    if event["kind"] not in ("break", "step up", "step down") or "samples" not in labels:
        return ""
    if rng.random() < 0.6:
        return ""
    place = event["start"] / (labels["samples"] / labels["sample_rate"])
    if place < 0.33:
        return " near the start"
    return " in the middle" if place < 0.62 else " towards the end"


def _edges(labels: dict[str, Any], rng: np.random.Generator) -> str:
    """A start or an end well softer than the whole, measured."""
    mean, levels = _mean_level(labels), labels.get("loudness") or []
    if mean is None or len(levels) < 6:
        return ""
    found = [
        f"{'quiet' if edge < mean else 'loud'} {name}"
        for name, edge in (("start", np.mean(levels[:2])), ("end", np.mean(levels[-2:])))
        if edge < mean - 9 or edge > mean + 5
    ]
    return _pick(rng, EDGE_WORDS[_pick(rng, found)]) if found else ""


def _scene(labels: dict[str, Any], rng: np.random.Generator) -> str:
    return _pick(rng, SCENES[labels["mood"]])


#: Fact -> (chance that a caption has it, how it is said).
FACTS: dict[str, tuple[float, Callable[[dict[str, Any], np.random.Generator], str]]] = {
    "style": (0.88, _style),
    "mood": (0.6, _mood),
    "instruments": (0.55, _instruments),
    "tempo": (0.5, _tempo),
    "key": (0.3, _key),
    "density": (0.12, _density),
    "loudness": (0.25, _loudness),
    "dynamics": (0.5, _dynamics),
    "absent": (0.06, _absent),
    "scene": (0.07, _scene),
}


# --- joining -----------------------------------------------------------------------------------


def _tags(facts: dict[str, str], rng: np.random.Generator) -> str:
    """`bossa nova, calm, guitar and drums, 120 bpm`"""
    words = list(facts.values())
    if rng.random() < 0.6:
        words = _shuffled(words, rng)
    return _pick(rng, [", ", ", ", ", ", " ", "; ", " - ", " / "]).join(words)


def _phrase(facts: dict[str, str], rng: np.random.Generator) -> str:
    """`slow sad waltz in D minor with piano, fades out`"""
    front = [facts[name] for name in ("density", "loudness", "mood") if name in facts]
    tail = [facts[name] for name in ("absent", "dynamics") if name in facts]
    if "tempo" in facts:
        (tail if _is_number(facts["tempo"]) else front).append(facts["tempo"])
    noun = facts.get("style") or _pick(rng, ["music", "piece", "instrumental", "track"])
    text = " ".join([*_shuffled(front, rng), noun])
    if "key" in facts:
        text += " " + facts["key"]
    if "instruments" in facts:
        text += _pick(rng, [" with ", " with ", " featuring ", " on ", ", "]) + facts["instruments"]
    if "scene" in facts:
        text += " " + facts["scene"]
    return ", ".join([text, *_shuffled(tail, rng)])


def _sentences(facts: dict[str, str], rng: np.random.Generator) -> str:
    """`A sad waltz played by piano. The tempo is slow. It fades out.`"""
    noun = _countable(facts.get("style", ""), rng)
    first = _article(" ".join([facts["mood"], noun]) if "mood" in facts else noun)
    first = _pick(rng, ["", "", "this is ", "here is ", "we hear "]) + first
    if "instruments" in facts:
        links = [" with ", " featuring ", " built around ", " played on "]
        named = facts["instruments"].endswith((" melody", " lead", " tune"))
        first += (" with " if named else _pick(rng, links)) + facts["instruments"]
    if "scene" in facts:
        first += " " + facts["scene"]
    rest = []
    if "tempo" in facts:
        words = facts["tempo"].removeprefix("at ").removeprefix("tempo ")
        subjects = ["the tempo is ", "tempo: "] if _is_number(words) else ["it is ", "the pace is "]
        rest.append(_pick(rng, subjects) + words)
    if "key" in facts:
        rest.append(_pick(rng, ["it is ", "it is written ", "the music is "]) + facts["key"])
    if "loudness" in facts:
        rest.append(_pick(rng, ["it is ", "all of it is "]) + facts["loudness"])
    if "density" in facts:
        rest.append(_pick(rng, ["the texture is ", "the arrangement is "]) + facts["density"])
    if "absent" in facts:
        rest.append(facts["absent"])
    rest = _shuffled(rest, rng)
    if "dynamics" in facts:
        rest.append(_verb_sentence(facts["dynamics"], rng))
    return _pick(rng, [". ", ". ", ", ", "; "]).join([first, *rest])


#: Style names ending so can follow an article as they are.
_COUNTABLE = (
    "anthem", "ballad", "band", "beat", "drone", "groove", "hymn", "instrumental", "jam", "lullaby",
    "march", "notes", "pattern", "piece", "polka", "riffs", "rumba", "samba", "score", "shuffle",
    "song", "soundscape", "soundtrack", "spiritual", "tango", "tones", "track", "waltz", "only",
)  # fmt: skip


def _countable(style: str, rng: np.random.Generator) -> str:
    """The style as a thing one can hear: `a gospel hymn`, `funk track`."""
    if not style:
        return _pick(rng, ["piece of music", "instrumental", "track"])
    if style.endswith(_COUNTABLE):
        return style
    return f"{style.removesuffix(' music')} {_pick(rng, ['piece', 'track', 'tune'])}"


def _shuffled(words: list[str], rng: np.random.Generator) -> list[str]:
    return [words[i] for i in rng.permutation(len(words))]


def _is_number(tempo: str) -> bool:
    return any(letter.isdigit() for letter in tempo)


def _article(words: str) -> str:
    if words.startswith("a ") or words.endswith(("s", "only")):
        return words
    return ("an " if words[0].lower() in "aeiou" else "a ") + words


def _verb_sentence(words: str, rng: np.random.Generator) -> str:
    """A sentence on dynamics: verbs get a subject, the rest stands alone."""
    first = words.split()[0]
    verb = first == "slowly" or (first.endswith("s") and first != "instruments")
    return _pick(rng, ["it ", "the music ", "the piece "]) + words if verb else words


def _dress(text: str, rng: np.random.Generator) -> str:
    """Vary capitals and the full stop."""
    draw = rng.random()
    if draw < 0.25:
        text = ". ".join(part[:1].upper() + part[1:] for part in text.split(". "))
    elif draw < 0.28:
        text = text.title()
    elif draw < 0.3:
        text = text.upper()
    return text + "." if rng.random() < (0.6 if ". " in text else 0.12) else text
