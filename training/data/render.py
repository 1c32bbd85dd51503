"""MIDI to sound: `libfluidsynth` in this process, its soundfont kept loaded."""

import ctypes
import ctypes.util
from typing import Any

import mido
import numpy as np
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from scipy.signal import fftconvolve, lfilter

SAMPLE_RATE = 24000
BLOCK = 64  # samples; the synthesiser's own step
GAIN = 0.8

#: Soundfont name -> where Debian puts it, and the package it comes from. Both are MIT-licensed.
SOUNDFONTS: dict[str, tuple[str, str]] = {
    "fluid": ("/usr/share/sounds/sf2/FluidR3_GM.sf2", "fluid-soundfont-gm"),
    "musescore": (
        "/usr/share/sounds/sf3/MuseScore_General_Lite.sf3",
        "musescore-general-soundfont-small",
    ),
}


class Synth:
    """One soundfont, loaded once. `play` gives the same samples for the same MIDI, always: each
    piece has a synthesiser of its own, as voices left from an earlier one would change the order
    of sums.
    """

    def __init__(self, soundfont: str) -> None:
        self._lib = lib = ctypes.CDLL(ctypes.util.find_library("fluidsynth"))
        for name in ("new_fluid_settings", "new_fluid_synth", "fluid_synth_get_sfont"):
            getattr(lib, name).restype = ctypes.c_void_p
        lib.fluid_set_log_function(2, None, None)  # no warnings about odd banks
        self._settings = settings = ctypes.c_void_p(lib.new_fluid_settings())
        for key, value in {"synth.sample-rate": SAMPLE_RATE, "synth.gain": GAIN}.items():
            lib.fluid_settings_setnum(settings, key.encode(), ctypes.c_double(value))
        for key, value in {
            "synth.chorus.active": 0,
            "synth.reverb.active": 0,
            "synth.dynamic-sample-loading": 0,
            "synth.polyphony": 256,
        }.items():
            lib.fluid_settings_setint(settings, key.encode(), value)
        self._keeper = ctypes.c_void_p(lib.new_fluid_synth(settings))
        path = SOUNDFONTS[soundfont][0]
        if lib.fluid_synth_sfload(self._keeper, path.encode(), 1) < 0:
            raise RuntimeError(f"fluidsynth cannot load {path}")
        self._font = ctypes.c_void_p(lib.fluid_synth_get_sfont(self._keeper, 0))
        lib.fluid_synth_remove_sfont(self._keeper, self._font)

    def play(self, midi: mido.MidiFile, seconds: float) -> np.ndarray:
        """(seconds * 24000,) float32, mono, the mean of left and right."""
        lib = self._lib
        synth = ctypes.c_void_p(lib.new_fluid_synth(self._settings))
        lib.fluid_synth_add_sfont(synth, self._font)
        samples = round(seconds * SAMPLE_RATE)
        blocks = -(-samples // BLOCK)
        left, right = (np.zeros(blocks * BLOCK, np.float32) for _ in range(2))
        done, now = 0, 0.0
        for message in midi:
            now += message.time
            until = min(round(now * SAMPLE_RATE / BLOCK), blocks)
            if until > done:
                self._write(synth, left, right, done, until)
                done = until
            self._send(synth, message)
        self._write(synth, left, right, done, blocks)
        lib.fluid_synth_remove_sfont(synth, self._font)
        lib.delete_fluid_synth(synth)
        return (0.5 * (left + right))[:samples]

    def _write(
        self, synth: ctypes.c_void_p, left: np.ndarray, right: np.ndarray, start: int, stop: int
    ) -> None:
        out = [a[start * BLOCK :].ctypes.data_as(ctypes.c_void_p) for a in (left, right)]
        count = (stop - start) * BLOCK
        if count:
            self._lib.fluid_synth_write_float(synth, count, out[0], 0, 1, out[1], 0, 1)

    def _send(self, synth: ctypes.c_void_p, message: Any) -> None:  # fields differ by type
        lib = self._lib
        if message.type == "note_on":
            lib.fluid_synth_noteon(synth, message.channel, message.note, message.velocity)
        elif message.type == "note_off":
            lib.fluid_synth_noteoff(synth, message.channel, message.note)
        elif message.type == "control_change":
            lib.fluid_synth_cc(synth, message.channel, message.control, message.value)
        elif message.type == "program_change":
            lib.fluid_synth_program_change(synth, message.channel, message.program)


def shelf(audio: np.ndarray, hertz: float, decibels: float, *, high: bool) -> np.ndarray:
    """A first-order shelf: `decibels` above (`high`) or below `hertz`."""
    pole = np.exp(-2 * np.pi * hertz / SAMPLE_RATE)
    low = np.asarray(lfilter([1 - pole], [1, -pole], audio))
    gain = 10 ** (decibels / 20)
    return low + gain * (audio - low) if high else gain * low + (audio - low)


def reverb(audio: np.ndarray, seconds: float, wet: float) -> np.ndarray:
    """Convolve with a room: noise that dies away by 60 dB in `seconds`, mixed in at `wet` (0-1)."""
    rng = np.random.default_rng(0)
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    room = rng.standard_normal(len(time)) * 10 ** (-3 * time / seconds)
    room = np.asarray(lfilter([0.4], [1, -0.6], room))
    room /= np.sqrt(np.sum(room**2))
    return audio + wet * fftconvolve(audio, room)[: len(audio)]


def saturate(audio: np.ndarray, drive: float) -> np.ndarray:
    """Soft clipping by tanh, `drive` dB over the point where four times the RMS bends; what is
    faint passes as it is.
    """
    bend = 4 * np.sqrt(np.mean(audio**2)) * 10 ** (-drive / 20)
    return bend * np.tanh(audio / bend) if bend > 0 else audio


def limit(audio: np.ndarray, knee: float = 0.7, window: int = 1201) -> np.ndarray:
    """Turn down, smoothly over `window` samples, what peaks over `knee`; nothing passes 1."""
    peak = maximum_filter1d(np.abs(audio), window)
    over = np.maximum(peak - knee, 0) / (1 - knee)
    target = np.where(peak > knee, knee + (1 - knee) * np.tanh(over), peak)
    gain = target / np.maximum(peak, 1e-9)
    gain[peak <= knee] = 1
    return audio * uniform_filter1d(gain, window)


def to_int16(audio: np.ndarray) -> np.ndarray:
    """Float samples in [-1, 1] as int16."""
    return np.round(np.clip(audio, -1, 1) * 32767).astype(np.int16)
