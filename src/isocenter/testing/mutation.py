"""Mutation: damaged copies of sound DICOM files, blind or by the grammar of the format; all follows from a seed."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from isocenter.testing.grammar import GRAMMAR
from isocenter.testing.layout import layout_of

Blind = Callable[[bytearray, random.Random], None]

_BLIND_SHARE = 0.35
_MORE_SHARE = 0.2
"""How often a copy that was mutated is mutated again."""
_MOST_STEPS = 4
_MARKS = tuple(
    bytes.fromhex(mark)
    for mark in (
        "ffffffff",
        "00000080",
        "ffffff7f",
        "feffdde0",
        "feff00e0",
        "feff0de0",
        "e07f1000",
        "00000000",
        "ffd8ffd9",
    )
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A damaged copy.

    Parameters
    ----------
    data
        Its bytes.
    steps
        Names of the mutations, in order.
    """

    data: bytes
    steps: tuple[str, ...]


def mutate(data: bytes, rng: random.Random) -> Mutant:
    """A damaged copy of a file.

    Parameters
    ----------
    data
        A sound DICOM file.
    rng
        Source of all choices: copies from equal states are equal.
    """
    steps: list[str] = []
    while not steps or (len(steps) < _MOST_STEPS and rng.random() < _MORE_SHARE):
        if rng.random() < _BLIND_SHARE:
            name = rng.choice(list(BLIND))
            spoiled = bytearray(data)
            if len(spoiled) > 8:
                BLIND[name](spoiled, rng)
            data = bytes(spoiled)
        else:
            name, data = _by_grammar(data, rng)
        steps.append(name)
    return Mutant(data, tuple(steps))


def _by_grammar(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    name = rng.choice(list(GRAMMAR))
    try:
        layout = layout_of(data)
        return name, layout.packed(GRAMMAR[name](layout, rng))
    except (struct.error, ValueError, IndexError, zlib.error):  # an earlier step left nothing to follow
        return f"{name} failed", data


# --- blind -----------------------------------------------------------------------------------------------------------


def _place(data: bytearray, rng: random.Random) -> int:
    """A place in the file; in its first part, where the header lies, as often as elsewhere."""
    end = len(data) if rng.random() < 0.5 else min(len(data), 4096)
    return rng.randrange(end)


def _flip_bits(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _flip_bytes(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        data[_place(data, rng)] = rng.randrange(256)


def _cut(data: bytearray, rng: random.Random) -> None:
    del data[_place(data, rng) :]


def _delete(data: bytearray, rng: random.Random) -> None:
    start = _place(data, rng)
    del data[start : start + rng.choice((1, 2, 4, 8, 40, 512, 8192))]


def _insert(data: bytearray, rng: random.Random) -> None:
    start = _place(data, rng)
    data[start:start] = rng.randbytes(rng.choice((1, 2, 4, 8, 40, 512, 8192)))


def _duplicate(data: bytearray, rng: random.Random) -> None:
    start = _place(data, rng)
    data[start:start] = data[start : start + rng.choice((2, 8, 40, 512, 8192))]


def _swap_ranges(data: bytearray, rng: random.Random) -> None:
    count = rng.choice((1, 2, 8, 40, 512))
    one, other = sorted((_place(data, rng), _place(data, rng)))
    if one + count <= other and other + count <= len(data):
        data[one : one + count], data[other : other + count] = data[other : other + count], data[one : one + count]


def _fill(data: bytearray, rng: random.Random) -> None:
    start, count = _place(data, rng), rng.choice((2, 16, 512, 8192))
    kept = min(count, len(data) - start)
    data[start : start + kept] = bytes([rng.choice((0, 255, 32, rng.randrange(256)))]) * kept


def _mark(data: bytearray, rng: random.Random) -> None:
    start = _place(data, rng)
    mark = rng.choice(_MARKS)[: len(data) - start]
    data[start : start + len(mark)] = mark


BLIND: MappingProxyType[str, Blind] = MappingProxyType(
    {
        "flip bits": _flip_bits,
        "flip bytes": _flip_bytes,
        "cut": _cut,
        "delete": _delete,
        "insert": _insert,
        "duplicate": _duplicate,
        "swap ranges": _swap_ranges,
        "fill": _fill,
        "mark": _mark,
    }
)
"""Mutations that know nothing of the format; each changes a buffer in place."""
