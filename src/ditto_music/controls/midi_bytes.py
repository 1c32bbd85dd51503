"""The bytes of a MIDI file as mido reads them without a loss.

mido 1.3 drops the time of meta events that it does not know, such as the name of a program, which
moves all that follows, and refuses a file for a key signature outside its table.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from mido.messages import SPEC_BY_STATUS

META, SYSTEM_EXCLUSIVE = 0xFF, (0xF0, 0xF7)
TEXT, NAME, END, TEMPO = 0x01, 0x03, 0x2F, 0x51  # types of meta events


def plain(content: bytes) -> bytes:
    """With every meta event but a track's name, its end and its tempi made a text.

    Damaged bytes stay as they are, for mido to tell.
    """
    made, start = bytearray(content), 0
    with suppress(LookupError):
        while start < len(content):
            begin = start + 8
            end = begin + int.from_bytes(content[start + 4 : begin])
            if content[start : start + 4] == b"MTrk":
                for kind in _meta_events(content, begin, end):
                    if content[kind] not in (NAME, END, TEMPO):
                        made[kind] = TEXT
            start = end
    return bytes(made)


def _meta_events(content: bytes, at: int, end: int) -> Iterator[int]:
    """Where in a track, which lasts from `at` to `end`, each meta event says its type."""
    running = 0
    while at < end:
        _, at = _number(content, at)  # time
        status = running
        if content[at] >= 0x80:
            status, at = content[at], at + 1
        if status == META:
            yield at
            at += 1
        else:
            running = status
        if status == META or status in SYSTEM_EXCLUSIVE:
            length, at = _number(content, at)
        else:
            length = SPEC_BY_STATUS[status]["length"] - 1
        at += length


def _number(content: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it is over."""
    number = content[at] & 0x7F
    while content[at] >= 0x80:
        at += 1
        number = number << 7 | content[at] & 0x7F
    return number, at + 1
