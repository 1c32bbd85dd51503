"""The queue and what is made, without a browser or a server."""

from __future__ import annotations

import json
import math
import shlex
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any
from weakref import ref

import numpy as np
import pytest
import soundfile

from ditto_music.audio import Recording, read_recording, write_recording
from ditto_music.cli.pieces import Pieces
from ditto_music.editing import extend
from ditto_music.errors import InputError
from ditto_music.runs import load_run
from ditto_music.studio.desk import ALIVE, Desk, Tab, Ticket
from ditto_music.studio.limits import Limits
from ditto_music.studio.outcome import Outcome
from ditto_music.studio.uploads import Upload, Uploads
from tests.editing.sounds import music

QUICK: dict[str, Any] = {"prompt": "piano", "duration": 1, "steps": 4, "iterations": 3}
RISE = QUICK | {"intensity": [[0, -40], [1, -15]]}
LONG = RISE | {"iterations": 300}


def wait(met: Callable[[], object], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < until
        time.sleep(0.02)


def over(ticket: Ticket) -> Ticket:
    wait(lambda: ticket.status not in ALIVE)
    return ticket


def brought(tab: Tab, name: str, recording: Recording) -> str:
    upload = tab.uploads.place(name)
    write_recording(upload.path, recording)
    tab.uploads.recording(upload)
    return upload.id


def test_a_piece_is_made_with_all_there_is_to_show(desk: Desk, tmp_path: Path) -> None:
    ticket = over(desk.ask(desk.open(), RISE | {"seed": 3}))
    assert ticket.status == "done", ticket.error
    result, outcome = ticket.result, ticket.outcome
    assert result
    assert outcome
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["seed"] == 3
    assert len(result["loss"]) == 3
    (panel,) = result["panels"]
    assert panel["kind"] == "curve"
    assert len(panel["times"]) == len(panel["target"]) == len(panel["achieved"])
    (figure,) = result["figures"]
    assert figure["name"] == "intensity"
    assert figure["before"].endswith("dB RMS error")
    audio, rate = soundfile.read(outcome.file("audio"))
    assert len(audio) == rate
    plain, _ = soundfile.read(outcome.file("plain"))
    assert len(plain) == len(audio)
    assert not np.array_equal(plain, audio)
    report = json.loads(outcome.file("report").read_text())
    assert report["prompt"] == "piano"
    assert report["command"] == "control"
    assert report["argv"] == shlex.split(ticket.command)[1:]
    assert report["out"] == "music.wav"
    assert report["clipped"] == result["clipped"] == 0
    with zipfile.ZipFile(outcome.file("run")) as archive:
        archive.extractall(tmp_path)
    run = load_run(tmp_path / "run")
    assert run.takes[0].seed == 3
    assert run.command == report["argv"]
    assert outcome.file("spectrogram").read_bytes().startswith(b"\x89PNG")
    assert outcome.file("plot").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(KeyError):
        outcome.file("../../etc/passwd")


def test_an_edit_that_breaks_off_shows_what_was_made_and_says_why(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill = extend.fill

    def once(*args: Any, seed: int, **kwargs: Any) -> Any:
        if seed == 1:
            raise FloatingPointError("the loss was never a finite number")
        return fill(*args, seed=seed, **kwargs)

    monkeypatch.setattr(extend, "fill", once)
    tab = desk.open()
    key = brought(tab, "take.wav", music(2.0, 8_000, 1))
    asked = {"task": "continue", "seconds": 12, "recording": key, "prompt": "", "seed": 0}
    ticket = over(desk.ask(tab, QUICK | asked))
    assert ticket.status == "done", ticket.error
    assert ticket.result
    assert ticket.result["regions"] == [[2.0, 8.0]]
    (piece,) = desk.state(tab)["pieces"]
    assert ticket.result["broken"] == piece["broken"] == "the loss was never a finite number"


def test_the_plain_version_is_that_of_the_same_seed(desk: Desk) -> None:
    tab = desk.open()
    asked = over(desk.ask(tab, RISE | {"seed": 5}))
    plain = over(desk.ask(tab, QUICK | {"seed": 5}))
    assert asked.outcome
    assert plain.outcome
    one, _ = soundfile.read(asked.outcome.file("plain"))
    other, _ = soundfile.read(plain.outcome.file("audio"))
    assert np.array_equal(one, other)
    assert plain.outcome.plain is None


def test_the_command_says_how_the_studio_computes(desk: Desk) -> None:
    desk.maker = Pieces(device="cuda", dtype="float32")
    ticket = desk.ask(desk.open(), QUICK)
    words = shlex.split(ticket.command)
    assert [word for word in words if word.startswith(("--device", "--dtype", "--offload"))] == [
        "--device=cuda",
        "--dtype=float32",
    ]


def test_what_was_warned_of_is_told_with_each_piece(desk: Desk) -> None:
    tab, long = desk.open(), "slow calm piano jazz, drums, fast techno, 120 bpm"
    for asked in (RISE, RISE | {"seed": 1}):
        ticket = over(desk.ask(tab, asked | {"prompt": long}))
        assert ticket.result
        (note,) = ticket.result["notes"]
        assert note.endswith("'bpm' and what follows are left out")


def test_a_drawn_seed_is_told(desk: Desk) -> None:
    ticket = over(desk.ask(desk.open(), QUICK | {"seed": -1}))
    assert ticket.result
    assert f"--seed={ticket.result['seed']}" in ticket.command


def test_stopped_it_keeps_the_best_and_there_was_something_to_hear(desk: Desk) -> None:
    tab = desk.open()
    ticket = desk.ask(tab, LONG)
    wait(lambda: ticket.told.get("iteration", 0) >= 2)
    assert ticket.draft
    draft, _ = soundfile.read(ticket.draft_audio(ticket.draft))
    assert len(draft) > 0
    (told,) = desk.state(tab)["pieces"]
    assert told["iteration"] >= 2
    assert told["loss"] > 0
    assert told["left"] > 0
    assert told["figures"]["intensity"]
    desk.stop(ticket)
    over(ticket)
    assert ticket.status == "done"
    assert ticket.result
    assert ticket.result["stopped"] == "interrupted"
    assert 2 <= ticket.result["iterations"] < 300


def test_who_leaves_frees_the_machine_and_leaves_nothing(desk: Desk) -> None:
    gone, stays = desk.open(), desk.open()
    running = desk.ask(gone, LONG)
    waiting = desk.ask(gone, LONG)
    other = desk.ask(stays, QUICK)
    wait(lambda: running.draft)
    desk.leave(gone)
    assert over(other).status == "done"
    assert running.status == "dropped"
    assert waiting.status == "waiting"  # never begun
    assert desk.tab(gone.id) is None
    wait(lambda: not gone.folder.exists())
    assert stays.folder.exists()


def test_memory_is_given_back_after_each_piece_and_by_who_leaves(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[bool] = []
    monkeypatch.setattr("ditto_music.studio.desk.give_back", lambda: given.append(True))
    tab = desk.open()
    ticket = over(desk.ask(tab, QUICK))
    wait(lambda: len(given) == 1)
    held = ref(ticket.outcome)
    del ticket
    desk.leave(tab)
    assert len(given) == 2
    over(desk.ask(desk.open(), QUICK))  # which the worker had in hand until now
    assert held() is None


def test_who_may_come_back_keeps_the_best(desk: Desk) -> None:
    tab = desk.open()
    running, waiting = desk.ask(tab, LONG), desk.ask(tab, LONG)
    wait(lambda: running.draft)
    desk.rest(tab)
    assert over(running).status == "done"
    assert running.result
    assert running.result["stopped"] == "interrupted"
    assert waiting.status == "dropped"
    assert desk.tab(tab.id) is tab
    assert not tab.empty


def test_a_full_studio_lets_go_of_who_left(desk: Desk) -> None:
    tabs = [desk.open() for _ in range(desk.limits.tabs)]
    with pytest.raises(InputError, match="full"):
        desk.open()
    desk.rest(tabs[3])
    desk.open()
    assert [tab.id for tab in tabs if not tab.open] == [tabs[3].id]


def test_who_leaves_while_the_request_is_read_is_no_fault(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab, get = desk.open(), Uploads.get
    key = brought(tab, "take.wav", music(1, 22_050, 1))

    def left(uploads: Uploads, key: str) -> Upload:
        desk.leave(tab)
        return get(uploads, key)

    monkeypatch.setattr(Uploads, "get", left)
    ticket = over(desk.ask(tab, QUICK | {"task": "loop", "recording": key}))
    assert ticket.status == "dropped"
    wait(lambda: not tab.folder.exists(), 10)


def test_pieces_are_asked_for_while_a_model_loads(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, done = Event(), Event()

    def slow(*_: object, **__: object) -> None:
        begun.set()
        done.wait(60)
        raise InputError("no such model")

    monkeypatch.setattr("ditto_music.cli.pieces.load_model", slow)
    desk.maker, tab = Pieces(), desk.open()
    first = desk.ask(tab, QUICK)
    assert begun.wait(60)
    with ThreadPoolExecutor() as pool:
        try:
            second = pool.submit(desk.ask, tab, QUICK).result(20)
        finally:
            done.set()
    assert over(first).error == over(second).error == "no such model"


@pytest.mark.parametrize("ends", ["well", "badly"])
def test_who_leaves_at_the_very_end_leaves_nothing_either(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    tab, write = desk.open(), Outcome.write

    def left(outcome: Outcome) -> None:
        write(outcome)
        desk.leave(tab)
        if ends == "badly":
            raise OSError("no space left")

    monkeypatch.setattr(Outcome, "write", left)
    over(desk.ask(tab, QUICK))
    wait(lambda: not tab.folder.exists(), 10)
    with pytest.raises(InputError, match="this page was closed"):
        desk.ask(tab, QUICK)


def test_tabs_take_turns(desk: Desk) -> None:
    first, second = desk.open(), desk.open()
    busy = desk.ask(first, LONG)
    wait(lambda: busy.status == "running")
    eager = [desk.ask(first, QUICK | {"seed": seed}) for seed in (1, 2)]
    guest = desk.ask(second, QUICK)
    assert desk.state(second)["pieces"][0]["ahead"] == 3
    desk.stop(busy)
    over(guest)
    over(eager[0])
    order = [ticket.outcome.audio.stat().st_mtime_ns for ticket in (guest, *map(over, eager))]  # type: ignore[union-attr]
    assert order[0] < order[2]
    assert order[1] < order[2]


def test_no_more_than_the_limits(desk: Desk) -> None:
    tab = desk.open()
    tickets = [desk.ask(tab, LONG) for _ in range(3)]
    with pytest.raises(InputError, match="3 of your pieces wait"):
        desk.ask(tab, QUICK)
    other, third = desk.open(), desk.open()
    tickets += [desk.ask(other, LONG) for _ in range(2)]
    with pytest.raises(InputError, match="too many pieces wait"):
        desk.ask(third, QUICK)
    for ticket in reversed(tickets):
        desk.stop(ticket)
    assert [ticket.status for ticket in tickets[1:]] == ["dropped"] * 4


def test_a_wish_that_cannot_be_met_is_told_in_one_line(desk: Desk) -> None:
    ticket = over(desk.ask(desk.open(), QUICK | {"tempo": 60}))
    assert ticket.status == "failed"
    assert ticket.error.startswith("tempo: 4 beats at 60 bpm last 4.0 s")
    with pytest.raises(InputError, match="recording is not here"):
        desk.ask(desk.open(), QUICK | {"task": "loop", "recording": "nothing"})


@pytest.mark.parametrize(
    ("asked", "command"),
    [
        ({"task": "redo", "regions": [[1, 1.5], [2, 2.4]]}, "inpaint"),
        ({"task": "continue", "seconds": 1}, "outpaint"),
        ({"task": "loop"}, "loop"),
    ],
)
def test_edits_keep_the_recording(desk: Desk, asked: dict[str, Any], command: str) -> None:
    tab = desk.open()
    source = music(3, 22_050, 1)
    key = brought(tab, "folder/my take.wav", source)
    ticket = over(desk.ask(tab, QUICK | {"prompt": ""} | asked | {"recording": key}))
    assert ticket.status == "done", ticket.error
    assert ticket.outcome
    assert ticket.result
    made = read_recording(ticket.outcome.file("audio"))
    kept = 22_050 if command == "inpaint" else source.frames
    assert np.array_equal(made.samples[:kept], source.samples[:kept])
    assert ticket.result["regions"]
    assert ticket.result["seams"]
    assert ticket.result["loops"] == (command == "loop")
    assert f"ditto-music {command}" in ticket.command
    assert ticket.command.endswith("-- 'my take.wav'")
    assert str(tab.folder) not in ticket.command
    with zipfile.ZipFile(ticket.outcome.file("run")) as archive:
        told = [archive.read("run/run.json"), ticket.outcome.file("report").read_bytes()]
    assert not any(str(tab.folder).encode() in one for one in told)
    before = read_recording(ticket.outcome.file("plain"))
    assert np.array_equal(before.samples, source.samples)


def test_errors_of_an_edit_name_the_file_as_the_user_does(desk: Desk) -> None:
    tab = desk.open()
    silent = Recording(np.zeros((22_050, 1), np.int32), 22_050, "WAV", "PCM_16")
    key = brought(tab, "quiet.wav", silent)
    ticket = over(desk.ask(tab, QUICK | {"task": "loop", "recording": key}))
    assert ticket.status == "failed"
    assert "silent" in ticket.error
    assert str(tab.folder) not in ticket.error


def test_a_recording_that_made_room_for_others_fails_its_piece_and_no_other(desk: Desk) -> None:
    tab, source = desk.open(), music(3, 22_050, 1)
    busy = desk.ask(tab, LONG)
    key = brought(tab, "first.wav", source)
    late = desk.ask(tab, QUICK | {"task": "loop", "recording": key})
    for number in range(desk.limits.uploads):
        brought(tab, f"{number}.wav", source)
    desk.stop(busy)
    assert over(late).status == "failed"
    assert "first.wav: there is no such file" in late.error
    assert over(desk.ask(tab, QUICK)).status == "done"


def test_a_search_that_breaks_is_still_told_to_the_page(desk: Desk) -> None:
    tab = desk.open()
    ticket = over(desk.ask(tab, QUICK))
    desk.tell(ticket, iteration=1, loss=math.nan)
    (told,) = json.loads(json.dumps(desk.state(tab), allow_nan=False))["pieces"]
    assert told["loss"] is None


def test_a_clip_is_as_long_as_the_model_makes_it_and_the_studio_lets_it(pieces: Pieces) -> None:
    for limit, longest in ((10, [10, 10]), (120, [24, 120])):
        desk = Desk(pieces, ["debug", "owner/public"], Limits(duration=limit))
        assert list(desk.longest().values()) == longest
        desk.close()


def test_history_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    tab = desk.open()
    object.__setattr__(desk.limits, "history", 2)
    try:
        tickets = [over(desk.ask(tab, QUICK | {"seed": seed})) for seed in range(4)]
    finally:
        object.__setattr__(desk.limits, "history", 20)
    assert list(tab.tickets.values()) == tickets[2:]
    assert not tickets[0].folder.exists()
