"""Audio files in and out, resampling and plots."""

from ditto_music.audio.files import (
    Recording,
    check_held,
    check_output,
    held_subtype,
    holds_exactly,
    is_silent,
    names_file,
    read_audio,
    read_recording,
    resample,
    write_audio,
    write_recording,
)

__all__ = [
    "Recording",
    "check_held",
    "check_output",
    "held_subtype",
    "holds_exactly",
    "is_silent",
    "names_file",
    "read_audio",
    "read_recording",
    "resample",
    "write_audio",
    "write_recording",
]
