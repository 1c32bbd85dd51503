"""MIDI files: the right part, its tempo, and one clear line for every bad file."""

from pathlib import Path

import mido
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ditto_music import InputError, Melody
from ditto_music.controls.midi import read_midi, read_parts
from ditto_music.protocols import Form

FORM = Form(6.0, 24_000, (8, 282), torch.device("cpu"))


def track(
    notes: list[tuple[float, float, int]], channel: int = 0, name: str | None = None
) -> mido.MidiTrack:
    """Notes by their beats: start, end, pitch."""
    events = [(start, "note_on", pitch) for start, _, pitch in notes]
    events += [(end, "note_off", pitch) for _, end, pitch in notes]
    events.sort(key=lambda event: event[:2])
    made = mido.MidiTrack([mido.MetaMessage("track_name", name=name)] if name else [])
    last = 0
    for beat, kind, pitch in events:
        tick = round(beat * 480)
        made.append(mido.Message(kind, note=pitch, velocity=64, channel=channel, time=tick - last))
        last = tick
    return made


def save(path: Path, *tracks: mido.MidiTrack, kind: int = 1) -> Path:
    file = mido.MidiFile(type=kind, ticks_per_beat=480)
    file.tracks.extend(tracks)
    file.save(path)
    return path


TUNE = [(0, 1, 72), (1, 2, 74), (2, 4, 76)]
CHORDS = [(beat, beat + 2, pitch) for beat in (0, 2) for pitch in (60, 64, 67, 79)]
BASS = [(0, 2, 36), (2, 4, 43)]
BEATS = [(beat / 2, beat / 2 + 0.2, 42) for beat in range(8)]


def pitches(path: Path, part: int | None = None) -> list[int]:
    return [note.pitch for note in read_midi(path, part).notes]


def test_the_highest_single_line_is_the_melody(tmp_path: Path) -> None:
    parts = [track(BASS, 0), track(CHORDS, 1), track(TUNE, 2), track(BEATS, 9)]
    path = save(tmp_path / "song.mid", *parts)
    assert pitches(path) == [72, 74, 76]
    assert [pitches(path, part) for part in (1, 3)] == [[36, 43], [72, 74, 76]]


def test_channels_of_one_track_are_parts(tmp_path: Path) -> None:
    one = mido.merge_tracks([track(BASS, 3), track(TUNE, 5), track(BEATS, 9)])
    path = save(tmp_path / "song.mid", one, kind=0)
    assert [part.name for part in read_parts(path)] == ["track 1, channel 4", "track 1, channel 6"]
    assert pitches(path) == [72, 74, 76]


def test_a_part_named_as_the_melody_is_it(tmp_path: Path) -> None:
    low = [(start, end, pitch - 24) for start, end, pitch in TUNE]
    path = save(tmp_path / "song.mid", track(CHORDS, 0, "Piano"), track(low, 1, "Lead Vocal"))
    assert pitches(path) == [48, 50, 52]


@pytest.mark.parametrize("name", ["Melody", "lead_synth", "VOICE 2", "Solo (vocals)", "1Sing"])
def test_names_of_melodies(tmp_path: Path, name: str) -> None:
    low = [(start, end, pitch - 24) for start, end, pitch in TUNE]
    assert pitches(save(tmp_path / "song.mid", track(CHORDS), track(low, 1, name))) == [48, 50, 52]


@pytest.mark.parametrize("name", ["Bass (Rising)", "Leader's bass", "Missing", "Using 808"])
def test_parts_of_other_words_are_no_names(tmp_path: Path, name: str) -> None:
    path = save(tmp_path / "song.mid", track(BASS, 0, name), track(TUNE, 1, "Flute"))
    assert pitches(path) == [72, 74, 76]


def test_a_name_that_all_parts_have_is_the_song_s(tmp_path: Path) -> None:
    """Of type 0, where the highest part is a bell's."""
    one = mido.merge_tracks([track([(3, 3.5, 100)], 3, "Sing a song"), track(TUNE, 5)])
    assert pitches(save(tmp_path / "song.mid", one, kind=0)) == [72, 74, 76]


def test_a_few_high_notes_are_no_melody(tmp_path: Path) -> None:
    path = save(tmp_path / "song.mid", track([(3, 3.5, 100)], 0, "bell"), track(TUNE, 1, "flute"))
    assert pitches(path) == [72, 74, 76]


def test_of_chords_the_highest_notes_are_the_melody(tmp_path: Path) -> None:
    path = save(tmp_path / "song.mid", track([*CHORDS, *BASS]))
    assert set(Melody(path).target(FORM).tolist()) == {79 % 12, -1}


def test_every_change_of_tempo_counts(tmp_path: Path) -> None:
    tempo = mido.MidiTrack(
        [
            mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(60)),
            mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(240), time=480),
        ]
    )
    path = save(tmp_path / "song.mid", tempo, track(TUNE))
    notes = read_midi(path).notes
    assert [note.start for note in notes] == pytest.approx([0, 1, 1.25])
    assert [note.end for note in notes] == pytest.approx([1, 1.25, 1.75])
    assert mido.MidiFile(path).length == pytest.approx(1.75)


def smf(*tracks: bytes) -> bytes:
    """A file of type 1, 480 ticks a beat, of tracks as they are written."""
    chunks = [b"MTrk" + len(track).to_bytes(4) + track for track in tracks]
    return b"MThd" + bytes([0, 0, 0, 6, 0, 1, 0, len(tracks), 1, 0xE0]) + b"".join(chunks)


ON, OFF = bytes([0x90, 60, 64]), bytes([0x80, 60, 64])
BEAT = b"\x83\x60"  # 480
LEAD = b"\xff\x08\x04Lead"  # the name of a program


@pytest.mark.parametrize(
    "written",
    [
        b"\0" + ON + BEAT + LEAD + b"\0" + OFF,
        b"\0" + ON + BEAT + LEAD + b"\0" + bytes([60, 0]),  # running status
        b"\0\xf0\x03\xff\x08\xf7\0" + ON + BEAT + LEAD + b"\0" + OFF,  # that is no meta event
        b"\0\xc0\x05" + BEAT + LEAD + b"\0" + ON + BEAT + OFF,
        b"\0\xff\x59\x02\x09\x00\0" + ON + BEAT + OFF,  # nine sharps
        b"\0\xff\x58\x00\0" + ON + BEAT + OFF,  # a time signature of nothing
    ],
)
def test_other_meta_events_only_take_their_time(tmp_path: Path, written: bytes) -> None:
    (tmp_path / "song.mid").write_bytes(smf(b"\0\xff\x03\x04Oboe" + written))
    (part,) = read_parts(tmp_path / "song.mid")
    assert part.name == "Oboe"
    assert read_midi(tmp_path / "song.mid").notes == [(0.0, 0.5, 60)]


def test_other_meta_events_do_not_move_changes_of_tempo(tmp_path: Path) -> None:
    slower = b"\0\xff\x51\x03\x0f\x42\x40"  # 60 beats a minute
    held = b"\0" + ON + b"\x87\x40" + OFF  # two beats
    (tmp_path / "song.mid").write_bytes(smf(BEAT + LEAD + slower, held))
    assert read_midi(tmp_path / "song.mid").notes == [(0.0, 1.5, 60)]


def test_time_begins_with_the_first_note_and_unended_notes_end_with_the_track(
    tmp_path: Path,
) -> None:
    late = mido.MidiTrack(
        [
            mido.Message("note_on", note=60, velocity=64, time=4800),
            mido.Message("note_on", note=60, velocity=0, time=480),
            mido.Message("note_on", note=62, velocity=64),
            mido.MetaMessage("end_of_track", time=960),
        ]
    )
    tune = read_midi(save(tmp_path / "late.mid", late))
    assert [note.pitch for note in tune.notes] == [60, 62]
    assert [note.end for note in tune.notes] == pytest.approx([0.5, 1.5])
    assert tune.seconds == pytest.approx(1.5)


def test_the_command_of_a_part_that_is_not_there_lists_them(tmp_path: Path) -> None:
    path = save(tmp_path / "song.mid", track(BASS, 0, "Bass"), track(TUNE, 1, "Flute"))
    for part in (0, 3):
        with pytest.raises(InputError, match=f"no part {part}: choose from 1 Bass, 2 Flute"):
            Melody(path, part=part)


@pytest.mark.parametrize(
    ("tracks", "says"),
    [
        ([], "holds no notes"),
        ([track([])], "holds no notes"),
        ([track(BEATS, 9)], "drums do not count"),
        ([track([(1, 1, 60)])], "holds no notes"),
    ],
    ids=["no tracks", "no notes", "drums only", "no length"],
)
def test_files_without_notes(tmp_path: Path, tracks: list[mido.MidiTrack], says: str) -> None:
    path = save(tmp_path / "empty.mid", *tracks)
    with pytest.raises(InputError, match=says):
        Melody(path)


def test_other_and_damaged_files_are_one_clear_line(tmp_path: Path) -> None:
    good = save(tmp_path / "good.mid", track(TUNE)).read_bytes()
    header = good[:8] + b"\x00\x01\x00\x01\x00\x00" + good[14:]  # no ticks in a beat
    frames = good[:8] + b"\x00\x01\x00\x01\xe7\x28" + good[14:]  # 25 frames a second
    for content in (b"", b"la la la", good[:30], good[:-5], header, frames):
        (tmp_path / "bad.mid").write_bytes(content)
        with pytest.raises(InputError, match=r"bad\.mid: (not a MIDI|holds no)") as caught:
            Melody(tmp_path / "bad.mid")
        assert "\n" not in str(caught.value)
    songs = save(tmp_path / "songs.mid", track(TUNE), track(BASS), kind=2)
    with pytest.raises(InputError, match="type 0 or 1"):
        Melody(songs)
    with pytest.raises(InputError, match="no such file"):
        Melody(tmp_path / "gone.mid")


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(min_size=1, max_size=3), st.integers(0, 80))
def test_any_bytes_are_a_tune_or_one_clear_line(tmp_path: Path, junk: bytes, place: int) -> None:
    good = save(tmp_path / "good.mid", track(TUNE, name="flute")).read_bytes()
    (tmp_path / "junk.mid").write_bytes(good[:place] + junk + good[place + len(junk) :])
    try:
        tune = read_midi(tmp_path / "junk.mid")
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert tune.notes
        assert tune.seconds > 0
