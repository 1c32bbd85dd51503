"""A score: parts of notes in beats, and its way to and from MIDI."""

from dataclasses import dataclass, field

import mido

from training.data.instruments import TAGS, percussion_tag

TICKS = 960  # per quarter note
DRUM_CHANNEL = 9


@dataclass
class Note:
    """One note: start and duration in beats (quarter notes), MIDI pitch, velocity 1-127."""

    start: float
    duration: float
    pitch: int
    velocity: int

    @property
    def end(self) -> float:
        """The beat it ends on."""
        return self.start + self.duration


@dataclass
class Part:
    """One player: a role (melody, bass, chords, arpeggio, pad or drums), a program, its notes.

    `program` is a General-MIDI program, or a drum kit for the drums; `volume` is CC7.
    """

    role: str
    program: int
    notes: list[Note]
    volume: int = 100

    @property
    def tag(self) -> str:
        """The instrument in plain words."""
        if self.role == "drums":
            return percussion_tag([n.pitch for n in self.notes])
        return TAGS[self.program]


@dataclass
class Score:
    """A piece: tempo (quarters a minute), meter, length in bars, parts.

    `expression` holds (beat, CC11 value) pairs that hold for every part.
    """

    bpm: int
    beats: int
    bars: int
    parts: list[Part]
    expression: list[tuple[float, int]] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Length in beats."""
        return self.bars * self.beats

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.length * 60 / self.bpm

    def midi(self) -> mido.MidiFile:
        """The score as a one-track MIDI file: drums on channel 10, other parts from channel 1 up.

        At most 15 pitched parts sound; a note starting past the end is left out.
        """
        channels = [c for c in range(16) if c != DRUM_CHANNEL]
        events: list[tuple[int, int, mido.Message]] = []
        used = []
        for part in self.parts:
            if part.role == "drums":
                channel = DRUM_CHANNEL
            elif channels:
                channel = channels.pop(0)
            else:
                continue
            used.append(channel)
            program = mido.Message("program_change", channel=channel, program=part.program)
            volume = mido.Message("control_change", channel=channel, control=7, value=part.volume)
            events += [(0, 0, program), (0, 1, volume)]
            for note in part.notes:
                if note.start >= self.length:
                    continue
                on, off = round(note.start * TICKS), round(min(note.end, self.length) * TICKS)
                start = mido.Message(
                    "note_on", channel=channel, note=note.pitch, velocity=note.velocity
                )
                stop = mido.Message("note_off", channel=channel, note=note.pitch)
                events += [(on, 4, start), (max(off, on + 1), 3, stop)]
        for beat, value in self.expression:
            for channel in sorted(set(used)):
                control = mido.Message("control_change", channel=channel, control=11, value=value)
                events.append((round(beat * TICKS), 2, control))
        events.sort(key=lambda event: event[:2])
        track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(self.bpm))])
        now = 0
        for tick, _, message in events:
            track.append(message.copy(time=tick - now))
            now = tick
        track.append(mido.MetaMessage("end_of_track", time=max(0, self.length * TICKS - now)))
        return mido.MidiFile(type=0, ticks_per_beat=TICKS, tracks=[track])


def read_parts(midi: mido.MidiFile, limit: float) -> list[Part]:
    """The parts of a MIDI file, one for each channel and program; notes that start before `limit`
    (beats). Roles come from the track names MMA gives (`Bass-...`, `Walk`, `Arpeggio`, ...).
    """
    parts: dict[tuple[int, int], Part] = {}
    for track in midi.tracks:
        role = _role(track.name)
        beat, program, volume = 0.0, {}, {}
        sounding: dict[tuple[int, int], Note] = {}
        for message in track:
            beat += message.time / midi.ticks_per_beat
            if message.type == "program_change":
                program[message.channel] = message.program
            elif message.type == "control_change" and message.control == 7:
                volume.setdefault(message.channel, message.value)
            elif message.type == "note_on" and message.velocity and beat < limit:
                channel = message.channel
                key = (channel, program.get(channel, 0))
                if key not in parts:
                    part_role = "drums" if channel == DRUM_CHANNEL else role
                    parts[key] = Part(part_role, key[1], [], volume.get(channel, 100))
                note = Note(beat, 0.05, message.note, message.velocity)
                parts[key].notes.append(note)
                sounding[channel, message.note] = note
            elif message.type in ("note_on", "note_off"):
                note = sounding.pop((message.channel, message.note), None)
                if note:
                    note.duration = max(beat - note.start, 0.05)
    return [part for part in parts.values() if part.notes]


def _role(track_name: str) -> str:
    name = track_name.lower()
    for role, words in {
        "drums": ("drum",),
        "bass": ("bass", "walk"),
        "arpeggio": ("arpeggio", "arp"),
        "melody": ("solo", "melody"),
    }.items():
        if name.startswith(words):
            return role
    return "chords"
