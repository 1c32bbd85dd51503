"""TensorFlow checkpoints without TensorFlow.

A checkpoint is two files: ``.index``, a LevelDB table of names, each with a BundleEntryProto
(dtype, shape, offset, size), and ``.data-00000-of-00001``, the numbers one after the other. The
formats are those of TensorFlow's tensor_bundle.proto and of LevelDB's doc/table_format.md.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

FLOAT = 1  # DT_FLOAT
FOOTER = 48  # bytes: two block handles, padding and the magic number
MAGIC = 0xDB4775248B80FB57
DTYPE, SHAPE, OFFSET, SIZE = 1, 2, 4, 5  # fields of BundleEntryProto


def read_checkpoint(index: bytes, data: bytes) -> dict[str, npt.NDArray[np.float32]]:
    """Every float tensor of a checkpoint by its name, float32 in the shape it was stored with.

    Raises
    ------
    ValueError
        If `index` is no table, or an entry does not fit the data.
    """
    tensors: dict[str, npt.NDArray[np.float32]] = {}
    for name, value in _table(index):
        entry = dict(_fields(value))
        if not name or entry.get(DTYPE) != FLOAT:
            continue  # the header, under the empty name
        offset, size = int(entry.get(OFFSET, 0)), int(entry[SIZE])
        numbers = np.frombuffer(data[offset : offset + size], "<f4")
        tensors[name.decode()] = numbers.reshape(_sizes(entry.get(SHAPE, b"")))
    return tensors


def _sizes(shape: int | bytes) -> list[int]:
    """Of a TensorShapeProto: its dimensions, each a message whose first field is the size."""
    dimensions = [dict(_fields(bytes(dimension))) for _, dimension in _fields(bytes(shape))]
    return [int(dimension[1]) for dimension in dimensions]


def _table(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a LevelDB table, through its index of blocks."""
    footer = table[-FOOTER:]
    if len(footer) < FOOTER or struct.unpack("<Q", footer[-8:])[0] != MAGIC:
        raise ValueError("not a TensorFlow checkpoint: the index has no table footer")
    at = 0
    handle: list[int] = []
    for _ in range(4):  # offset and size of the meta index, then of the index
        value, at = _varint(footer, at)
        handle.append(value)
    for _, where in _block(table, *handle[2:]):
        offset, at = _varint(where, 0)
        yield from _block(table, offset, _varint(where, at)[0])


def _block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of one block; each key shares its beginning with the one before."""
    if table[offset + size] != 0:
        raise ValueError("compressed table blocks are not supported")
    block = table[offset : offset + size]
    restarts = struct.unpack("<I", block[-4:])[0]
    at, key = 0, b""
    while at < size - 4 * (restarts + 1):
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + own]
        at += own
        yield key, block[at : at + length]
        at += length


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Numbers and values of a protocol buffer's fields."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        match tag & 7:
            case 0:
                value, at = _varint(message, at)
            case 2:
                size, at = _varint(message, at)
                value, at = message[at : at + size], at + size
            case 5:
                value, at = message[at : at + 4], at + 4
            case kind:
                raise ValueError(f"a protocol buffer field of the unknown kind {kind}")
        yield tag >> 3, value


def _varint(buffer: bytes, at: int) -> tuple[int, int]:
    """A little-endian base-128 number and the place after it."""
    value = shift = 0
    while True:
        byte = buffer[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
