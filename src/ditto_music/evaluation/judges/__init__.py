"""Judges: what an ear other than a control's own hears in a finished clip.

None is ever optimised, and no control imports one. Each takes a clip, ``(N,)`` or
``(channels, N)``, numpy or torch, and its sample rate in Hz; times are in seconds.

Raises
------
InputError
    On import, where a package of the extra ``evaluate`` is not installed.
"""

from importlib.util import find_spec

from ditto_music.errors import InputError

for _package in ("librosa", "mir_eval", "onnxruntime", "pyloudnorm"):
    if find_spec(_package) is None:
        raise InputError(
            f"the judges need {_package}, not installed: pip install 'ditto-music[evaluate]'"
        )
