"""What `benchmarks.controls` asks of the music, and which independent ear judges the answer.

A task is a set of targets for one or several controls, the prompts they are asked with, and the
figures of its table: the controls' own and the judges', who hear the written file and are never
optimised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ditto_music import (
    Brightness,
    Intensity,
    MatchSpectrum,
    Melody,
    Rhythm,
    Structure,
    Style,
    Tempo,
)
from ditto_music.audio import read_recording
from ditto_music.controls.base import Term
from ditto_music.evaluation.judges.beats import onset_f_measure, pulse, same_tempo
from ditto_music.evaluation.judges.spectrum import balance_error, brightness_agreement
from ditto_music.evaluation.judges.tags import tags
from ditto_music.evaluation.targets import (
    CURVES,
    FORMS,
    PROMPTS,
    SECONDS,
    TUNES,
    Curve,
    Judge,
    Samples,
    loudness_judge,
    notes_judge,
    timbre_judge,
)


@dataclass(frozen=True)
class Ask:
    """One target: the control that asks for it, and who judges a clip (N,) at a rate in Hz."""

    control: Callable[[], Term]
    judge: Judge


@dataclass(frozen=True)
class Figure:
    """A column of the table: a value of each item, and how the items are summed up."""

    label: str
    source: Literal["own", "judge"]
    key: str
    by: Literal["median", "mean"] = "median"
    digits: int = 2


@dataclass(frozen=True)
class Task:
    """Targets by name, the prompts they are asked with, and the figures shown.

    `good` is a loss worth timing: how soon it is reached is told below the table.
    """

    asks: Mapping[str, Ask]
    prompts: Sequence[str]
    figures: Sequence[Figure]
    good: float | None = None


#: With a pulse, and none that says how fast.
PULSING = (
    "rock band",
    "disco with strings",
    "techno beat",
    "funky bass and drums",
    "reggae band",
    "bossa nova with drums",
    "country band",
    "salsa with brass",
    "house music",
    "pop song with drums",
    "swing jazz trio",
    "blues band",
    "samba percussion",
    "polka with accordion",
    "soul band",
    "hip hop beat",
)

TEMPI = (80, 100, 120, 140)

#: Whose rhythm and balance are to be had; CC0, see the README there.
RECORDINGS = {
    name: Path(__file__).parents[1] / "tests" / "recordings" / f"{name}.flac"
    for name in ("loop_compus", "loop_safari", "guit_em9")
}

#: Seconds and Hz.
LIGHTS: dict[str, Curve] = {
    "opens": [(0, 500), (6, 2500)],
    "closes": [(0, 2500), (6, 500)],
    "arch": [(0, 600), (3, 2500), (6, 600)],
}

#: Tags that both networks have: one is optimised, the other judges.
STYLES = ("rock", "electronic", "ambient", "guitar")


# --- judges ------------------------------------------------------------------------------------


def beats_judge(bpm: float) -> Judge:
    """The beat tracker of librosa."""

    def judge(clip: Samples, rate: int) -> dict[str, float]:
        heard = pulse(clip, rate)
        return {
            "bpm": heard.bpm,
            "within": float(same_tempo(heard.bpm, bpm)),
            "octave": float(same_tempo(heard.bpm, bpm, octaves=True)),
        }

    return judge


def tags_judge(tag: str) -> Judge:
    """MusiCNN of the other training set."""
    return lambda clip, rate: {"tag": tags(clip, rate)[tag]}


def rhythm_judge(path: Path) -> Judge:
    """Onsets as librosa picks them, against those of the recording's beginning."""
    recording = read_recording(path)
    rate = recording.sample_rate
    reference = recording.audio(0, round(SECONDS * rate))
    return lambda clip, clip_rate: {"onsets": onset_f_measure(clip, clip_rate, reference, rate)}


def brightness_judge(curve: Curve) -> Judge:
    """Spectral roll-off."""
    seconds, hertz = zip(*curve, strict=True)
    return lambda clip, rate: {"rolloff": brightness_agreement(clip, rate, seconds, hertz)}


def balance_judge(path: Path) -> Judge:
    """Third octaves of Welch's spectrum."""
    recording = read_recording(path)
    reference, rate = recording.audio(), recording.sample_rate
    return lambda clip, clip_rate: {"error_db": balance_error(clip, clip_rate, reference, rate)}


# --- tasks -------------------------------------------------------------------------------------

INTENSITY = (
    Figure("RMS error, dB", "judge", "error_db"),
    Figure("momentary loudness, correlation", "judge", "momentary"),
    Figure("short-term loudness, correlation", "judge", "short_term"),
)
MELODY = (
    Figure("frames right", "own", "melody.accuracy"),
    Figure("Basic Pitch: strongest", "judge", "top"),
    Figure("its chance", "judge", "top_chance"),
    Figure("Basic Pitch: sounding", "judge", "heard"),
    Figure("CREPE", "judge", "crepe"),
)
STRUCTURE = (
    Figure("MSE", "own", "structure.mse", digits=3),
    Figure("contrast", "own", "structure.contrast"),
    Figure("spectral contrast, correlation", "judge", "correlation"),
)
TEMPO = (
    Figure("bpm, own", "own", "tempo.bpm", digits=0),
    Figure("beat tracker within 4%", "judge", "within", "mean"),
    Figure("octaves allowed", "judge", "octave", "mean"),
)
RHYTHM = (
    Figure("correlation", "own", "rhythm.correlation"),
    Figure("librosa's onsets, F-measure", "judge", "onsets"),
)
BRIGHTNESS = (
    Figure("RMS error, octaves", "own", "brightness.rms_error_octaves"),
    Figure("roll-off, correlation", "judge", "rolloff"),
)
BALANCE = (
    Figure("RMS error, dB", "own", "match-spectrum.rms_error_db"),
    Figure("third octaves, RMS error in dB", "judge", "error_db"),
)
STYLE = (
    Figure("probability, own", "own", "style.probability"),
    Figure("probability, other network", "judge", "tag", digits=3),
)


def _intensity(name: str) -> Ask:
    return Ask(lambda: Intensity(CURVES[name]), loudness_judge(CURVES[name]))


def _melody(name: str) -> Ask:
    return Ask(lambda: Melody(TUNES[name]), notes_judge(TUNES[name]))


def _structure(form: str) -> Ask:
    return Ask(lambda: Structure(form), timbre_judge(form))


def _tempo(bpm: int) -> Ask:
    return Ask(lambda: Tempo(bpm), beats_judge(bpm))


def _style(tag: str) -> Ask:
    return Ask(lambda: Style(tag), tags_judge(tag))


def _rhythm(name: str) -> Ask:
    return Ask(lambda: Rhythm(RECORDINGS[name]), rhythm_judge(RECORDINGS[name]))


def _brightness(name: str) -> Ask:
    return Ask(lambda: Brightness(LIGHTS[name]), brightness_judge(LIGHTS[name]))


def _balance(name: str) -> Ask:
    return Ask(lambda: MatchSpectrum(RECORDINGS[name]), balance_judge(RECORDINGS[name]))


def _both(one: Ask, other: Ask) -> Ask:
    return Ask(
        lambda: one.control() + other.control(),
        lambda clip, rate: one.judge(clip, rate) | other.judge(clip, rate),
    )


TASKS: dict[str, Task] = {
    "intensity": Task({name: _intensity(name) for name in CURVES}, PROMPTS, INTENSITY, good=2.0),
    "melody": Task({name: _melody(name) for name in TUNES}, PROMPTS[:16], MELODY),
    "structure": Task({form: _structure(form) for form in FORMS}, PROMPTS[:16], STRUCTURE),
    "tempo": Task({f"{bpm} bpm": _tempo(bpm) for bpm in TEMPI}, PULSING, TEMPO),
    "rhythm": Task({name: _rhythm(name) for name in RECORDINGS}, PULSING, RHYTHM),
    "brightness": Task({name: _brightness(name) for name in LIGHTS}, PROMPTS[:16], BRIGHTNESS),
    "match spectrum": Task({name: _balance(name) for name in RECORDINGS}, PROMPTS[:16], BALANCE),
    "style": Task({tag: _style(tag) for tag in STYLES}, PROMPTS[:16], STYLE),
    "intensity and melody": Task(
        {
            "rise, ode": _both(_intensity("rise"), _melody("ode")),
            "arch, long notes": _both(_intensity("arch"), _melody("long notes")),
        },
        PROMPTS[:16],
        (*INTENSITY[:2], *MELODY),
    ),
    "intensity and structure": Task(
        {
            "rise, ABA": _both(_intensity("rise"), _structure("ABA")),
            "arch, AB": _both(_intensity("arch"), _structure("AB")),
        },
        PROMPTS[:16],
        (*INTENSITY[:2], *STRUCTURE),
    ),
}
