"""What a benchmark has made, as JSON with the settings and the weights it was made with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ditto_music.whole import whole

Settings = Mapping[str, Any]


def kept(path: Path, settings: Settings) -> Any:
    """What `keep` wrote; None where there is nothing, or what was made with other settings."""
    if not path.exists():
        return None
    known = json.loads(path.read_text(encoding="utf-8"))
    same = isinstance(known, dict) and known.get("settings") == settings
    return known["made"] if same else None


def keep(path: Path, settings: Settings, made: Any) -> None:
    """Write what was made, as plain values, with its settings; nothing is left half-written."""
    with whole(path) as file:
        text = json.dumps({"settings": settings, "made": made}, indent=1)
        Path(file).write_text(text, encoding="utf-8")
