"""Without the extra, importing the judges is one clear line."""

import importlib
import importlib.util

import pytest

import ditto_music.evaluation.judges as judges
from ditto_music import InputError


def test_a_missing_package_is_named_with_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "onnxruntime" else find(name, *rest),
    )
    with pytest.raises(InputError, match=r"onnxruntime.*pip install 'ditto-music\[evaluate\]'"):
        importlib.reload(judges)
    monkeypatch.undo()
    importlib.reload(judges)
