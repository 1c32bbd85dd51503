"""What a page may ask, and the command line it is told as."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ditto_music.cli.app import app
from ditto_music.cli.manifest import WORDS
from ditto_music.controls import Melody
from ditto_music.controls.notes import parse_notes
from ditto_music.errors import InputError
from ditto_music.studio.limits import Limits
from ditto_music.studio.request import Request, command_line, note_text, read_request

MODELS = ["ditto-small", "debug"]
EVERYTHING = {
    "prompt": "-calm 'piano'",
    "duration": 4,
    "seed": 7,
    "intensity": [[0, -36.5], [4, -16]],
    "notes": [[0.5, 1, 60], [1, 2.25, 66]],
    "form": "A:1.5 B",
    "brightness": [[0, 800], [4, 3000]],
    "tempo": 120,
    "style": "sad piano",
    "negative": "drums",
    "guidance": 2.5,
    "iterations": 30,
}


def read(**sent: Any) -> Request:
    return read_request({"prompt": "piano", **sent}, MODELS, Limits())


def test_a_request_is_told_as_a_command_line_that_means_it() -> None:
    request = read(**EVERYTHING)
    fields = request.fields()
    line = command_line(fields, WORDS[request.command], "music.wav")
    words = shlex.split(line)
    assert words[0] == "ditto-music"
    command, bound, _ = app.parse_args(words[1:], print_error=False, exit_on_error=False)
    asked, shared = bound.arguments["asked"], bound.arguments["shared"]
    assert command.__name__ == "control"
    assert bound.arguments["prompt"] == "-calm 'piano'"
    assert (shared.duration, shared.seed, shared.guidance, shared.iterations) == (4, 7, 2.5, 30)
    assert shared.negative == "drums"
    assert asked.intensity.intensity == "0=-36.5,4=-16"
    assert asked.melody.melody == ".:0.5 C4:0.5 F#4:1.25"
    assert asked.structure.structure == "A:1.5 B"
    assert asked.tempo.tempo == 120
    assert asked.style.style == "sad piano"
    assert asked.any_control() is not None


def test_an_edit_names_the_recording_as_the_user_does() -> None:
    request = read(task="redo", prompt="", recording="id", regions=[[1.5, 2], [3, 3.25]])
    line = command_line(request.fields("my take.wav"), WORDS["inpaint"], "music.wav")
    assert shlex.split(line) == [
        *("ditto-music", "inpaint", "--from=1.5", "--from=3", "--to=2", "--to=3.25"),
        *("--model=ditto-small", "--seed=0", "-o", "music.wav", "--", "my take.wav"),
    ]


def test_without_wishes_it_is_plain_music() -> None:
    assert read().command == "generate"
    assert read(tempo=100).command == "control"
    assert read(**EVERYTHING).plain(7).fields() == {
        "command": "generate",
        "prompt": "-calm 'piano'",
        "duration": "4",
        "model": "ditto-small",
        "seed": 7,
        "guidance": "2.5",
        "negative": "drums",
    }


@given(
    st.lists(
        st.tuples(st.floats(0, 10), st.floats(0.05, 3), st.integers(0, 127)), min_size=1, max_size=8
    )
)
def test_notes_come_back_from_their_text(rows: list[tuple[float, float, int]]) -> None:
    notes = [(start, start + length, pitch) for start, length, pitch in rows]
    text = note_text(notes)
    tune = parse_notes(text)
    for note in tune.notes:
        assert any(abs(note.start - one[0]) < 1.1e-3 and note.pitch == one[2] for one in notes)
    assert tune.seconds <= max(stop for _, stop, _ in notes) + 1e-3
    Melody(text)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"prompt": ""}, "no prompt"),
        ({"prompt": 3}, "prompt"),
        ({"prompt": "x" * 501}, "500"),
        ({"prompt": "two\nlines"}, "one line"),
        ({"model": "/etc"}, "not offered"),
        ({"task": "delete"}, "unknown"),
        ({"duration": 1e9}, "duration"),
        ({"duration": float("nan")}, "not a number"),
        ({"duration": "long"}, "not a number"),
        ({"seed": -2}, "seed"),
        ({"iterations": 10_000}, "iterations"),
        ({"iterations": 2.5}, "whole"),
        ({"intensity": [[0, -20], [1]]}, "2 numbers"),
        ({"intensity": [[0, True]]}, "2 numbers"),
        ({"intensity": "/etc/passwd"}, "list"),
        ({"intensity": [[0, -20]] * 201}, "too many"),
        ({"notes": [[1, 0.5, 60]]}, "notes"),
        ({"notes": [[0, 1, 200]]}, "notes"),
        ({"form": "../../x.wav"}, "form"),
        ({"form": "A1B"}, "form"),
        ({"style": "/etc/passwd"}, "style"),
        ({"style": "song.mp3"}, "style"),
        ({"tempo": 1}, "tempo"),
        ({"task": "redo", "recording": "x"}, "no part"),
        ({"task": "redo", "recording": "x", "regions": [[0, 40], [50, 71]]}, "last 61 s in all"),
        ({"task": "continue", "recording": "x"}, "how many seconds"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(sent: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as refused:
        read(**sent)
    assert "\n" not in str(refused.value)


def test_without_a_length_it_is_the_usual_one_or_the_longest_there_is() -> None:
    assert read().duration == 6
    assert read_request({"prompt": "piano"}, MODELS, Limits(duration=4)).duration == 4


@pytest.mark.parametrize("sent", [None, [], "settings", 3])
def test_what_are_no_settings_is_refused(sent: object) -> None:
    with pytest.raises(InputError, match="settings"):
        read_request(sent, MODELS, Limits())


def test_the_name_of_a_file_is_no_style(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jazz").write_bytes(b"")
    with pytest.raises(InputError, match="style"):
        read(style="jazz")
