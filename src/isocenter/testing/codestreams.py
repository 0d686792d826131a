"""Codestreams spoiled: JPEG, JPEG-LS, JPEG 2000 and RLE frames that state what they do not hold."""

from __future__ import annotations

import random
import struct

_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
_SIZES = (0, 1, 2, 16, 511, 513, 4096, 32767, 65500, 65535)


def spoiled(data: bytes, rng: random.Random) -> bytes:
    """A copy of a codestream with one thing wrong; of a kind that is not known, with blind damage."""
    if data[:2] == b"\xff\xd8" and rng.random() < 0.6:
        return _jpeg(data, rng)
    if data[:4] == b"\xff\x4f\xff\x51" and rng.random() < 0.6:
        return _jpeg2000(data, rng)
    if len(data) > 64 and data[1:4] == b"\0\0\0" and rng.random() < 0.6:
        return _rle(data, rng)
    return _blind(data, rng)


def _blind(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    match rng.randrange(4):
        case 0:
            del changed[rng.randrange(len(data)) :]
        case 1:
            for _ in range(rng.choice((1, 2, 16))):
                changed[rng.randrange(len(data))] = rng.randrange(256)
        case 2:
            start = rng.randrange(len(data))
            del changed[start : start + rng.choice((1, 2, 100))]
        case _:
            changed += rng.choice((b"\0", bytes(1000), b"\xff\xd9", data))
    return bytes(changed)


def _jpeg(data: bytes, rng: random.Random) -> bytes:
    """Another size, precision, number or sampling of components in the frame header; another marker; other tables."""
    changed, position = bytearray(data), 2
    segments = []
    while position + 10 <= len(data) and data[position] == 0xFF and data[position + 1] != 0xDA:
        segments.append(position)
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    frames = [at for at in segments if data[at + 1] in _FRAME_HEADERS]
    if not frames or rng.random() < 0.3:
        at = rng.choice([*segments, min(position, len(data) - 8)])
        changed[at + rng.randrange(1, 8)] = rng.randrange(256)
        return bytes(changed)
    at = frames[0]
    match rng.randrange(5):
        case 0:
            struct.pack_into(">H", changed, at + 5, rng.choice(_SIZES))
        case 1:
            struct.pack_into(">HH", changed, at + 5, rng.choice(_SIZES), rng.choice(_SIZES))
        case 2:
            changed[at + 4] = rng.choice((1, 2, 7, 8, 9, 12, 15, 16, 17, 255))
        case 3:
            changed[at + 9] = rng.choice((0, 2, 3, 4, 255))
        case _:
            changed[at + 1] = rng.choice(sorted(_FRAME_HEADERS))
    return bytes(changed)


def _jpeg2000(data: bytes, rng: random.Random) -> bytes:
    """Another size, tile size, number of components or precision in SIZ, or a byte of the other headers changed."""
    changed = bytearray(data)
    match rng.randrange(4):
        case 0:
            place = rng.choice((8, 12, 16, 20, 24, 28, 32, 36))
            struct.pack_into(">I", changed, place, rng.choice((0, 1, 64, 513, 65535, 1 << 20, 0x7FFFFFFF, 0xFFFFFFFF)))
        case 1:
            struct.pack_into(">H", changed, 40, rng.choice((0, 2, 3, 4, 16384, 65535)))
        case 2:
            changed[42] = rng.choice((0, 7, 11, 15, 31, 37, 38, 0x8F, 255))
        case _:
            changed[rng.randrange(4, min(len(data), 160))] = rng.randrange(256)
    return bytes(changed)


def _rle(data: bytes, rng: random.Random) -> bytes:
    """Another number of segments, other offsets; runs as long as runs can be."""
    changed = bytearray(data)
    match rng.randrange(4):
        case 0:
            struct.pack_into("<I", changed, 0, rng.choice((0, 1, 2, 3, 15, 16, 255, 0xFFFFFFFF)))
        case 1:
            struct.pack_into("<I", changed, 4 * rng.randrange(1, 16), rng.choice((0, 1, 63, 64, len(data), 0xFFFFFFFF)))
        case 2:
            return data[:64] + b"\x81\x00" * rng.choice((10, 10000, 1 << 20))
        case _:
            changed[rng.randrange(64, len(data))] = rng.choice((0x80, 0x81, 0x7F))
    return bytes(changed)
