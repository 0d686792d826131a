"""Grammar: mutations that know the format. Lengths that lie, sequences without end, absurd sizes and places, bombs.

Each takes a layout and a source of choices and gives changed bytes (inflated ones, of a deflated file).
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from types import MappingProxyType

from isocenter.testing import absurd, codestreams
from isocenter.testing.absurd import SHORTS, STRINGS
from isocenter.testing.layout import PIXEL_DATA, PREAMBLE_BYTES, UNDEFINED, Layout

Grammatical = Callable[[Layout, random.Random], bytes]

_VRS = b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
_SYNTAX = "1.2.840.10008.1.2"
_SYNTAXES = tuple(
    (_SYNTAX + end).encode()
    for end in (
        "", ".1", ".1.98", ".1.99", ".2", ".5", ".4.50", ".4.51", ".4.53", ".4.55", ".4.57", ".4.70", ".4.80", ".4.81",
        ".4.90", ".4.91", ".4.92", ".4.100", ".4.201", ".4.202", ".4.203", ".8.1", ".4.110", ".999",
    )
)  # fmt: skip
_NESTING = 5000


# --- lengths and structure -------------------------------------------------------------------------------------------


def _length(layout: Layout, rng: random.Random) -> bytes:
    """A declared length that lies, a little or beyond the file."""
    place = layout.any(rng)
    true, left = place.end - place.start, len(layout.data) - place.start
    lies = (0, 1, true + 1, true - 1, true + 2, true - 2, true + 8, true * 2, left, left + 1, left - 1, left - 8)
    absurd = (0xFFFFFFFE, 0x7FFFFFFF, 0x80000000, UNDEFINED, 0xFFFF, 0xFFFE, 0x10000)
    length = rng.choice(lies if rng.random() < 0.6 else absurd)
    order = layout.order if place.at >= layout.data_set_at else "<"
    code = "I" if place.length_width == 4 else "H"
    new = struct.pack(order + code, max(0, length) % (1 << 8 * place.length_width))
    return layout.spliced(place.length_at, place.start, new)


def _representation(layout: Layout, rng: random.Random) -> bytes:
    """Another value representation, or one that does not exist."""
    written = [place for place in layout.places if place.vr]
    if not written:
        return _length(layout, rng)
    place = rng.choice(written)
    vr = rng.choice((*_VRS, b"\0\0", b"XX", b"us", b"  ", b"U\x91", rng.randbytes(2)))
    return layout.spliced(place.at + 4, place.at + 6, vr)


def _undefined_everywhere(layout: Layout, rng: random.Random) -> bytes:
    """Undefined lengths in many elements, with or without what should end them."""
    data = bytearray(layout.data)
    for place in layout.places:
        if place.length_width == 4 and rng.random() < 0.3:
            data[place.length_at : place.start] = b"\xff\xff\xff\xff"
    return bytes(data)


def _tag(layout: Layout, rng: random.Random) -> bytes:
    """Another tag: elements out of order, twice there, or of no known kind."""
    place = layout.any(rng)
    other = rng.choice((layout.any(rng).tag, rng.choice(STRINGS), rng.choice(SHORTS), rng.getrandbits(32), 0xFFFEE00D))
    return layout.spliced(place.at, place.at + 4, struct.pack(f"{layout.order}HH", other >> 16, other & 0xFFFF))


def _twice(layout: Layout, rng: random.Random) -> bytes:
    """An element once more, in another place, and perhaps with another value."""
    place, other = layout.any_top(rng), layout.any_top(rng)
    copy = bytearray(layout.data[place.at : place.end])
    if rng.random() < 0.5 and len(copy) > place.start - place.at:
        copy[rng.randrange(place.start - place.at, len(copy))] = rng.choice((0x31, 0x32, 0, rng.randrange(256)))
    return layout.spliced(other.at, other.at, bytes(copy))


def _gone(layout: Layout, rng: random.Random) -> bytes:
    place = layout.any(rng)
    return layout.spliced(place.at, place.end, b"")


def _moved(layout: Layout, rng: random.Random) -> bytes:
    """An element in a place that is not its own."""
    place, other = layout.any_top(rng), layout.any_top(rng)
    element = layout.data[place.at : place.end]
    if other.at < place.at:
        return layout.data[: other.at] + element + layout.data[other.at : place.at] + layout.data[place.end :]
    return layout.data[: place.at] + layout.data[place.end : other.at] + element + layout.data[other.at :]


def _nested(layout: Layout, rng: random.Random) -> bytes:
    """Elements of the data set hidden in a private sequence before them: they count for nothing there."""
    chosen = [p for p in layout.top if p.tag in STRINGS or p.tag in SHORTS] or list(layout.top)
    item = b"".join(layout.data[p.at : p.end] for p in rng.sample(chosen, min(len(chosen), 3)))
    order = layout.order
    has_ends = rng.random() < 0.8
    inner = struct.pack(f"{order}HHI", 0xFFFE, 0xE000, UNDEFINED if has_ends else len(item)) + item
    if has_ends:
        inner += struct.pack(f"{order}HHI", 0xFFFE, 0xE00D, 0) + struct.pack(f"{order}HHI", 0xFFFE, 0xE0DD, 0)
    vr = rng.choice((b"SQ", b"UN"))
    whole = layout.encoded(rng.choice((0x00091010, 0x00081140, 0x00400275, 0x00281199)), vr, inner)
    if has_ends:
        at = 8 if layout.is_explicit else 4
        whole = whole[:at] + b"\xff\xff\xff\xff" + whole[at + 4 :]
    at = layout.any_top(rng).at
    return layout.spliced(at, at, whole)


def _sequence_bomb(layout: Layout, rng: random.Random) -> bytes:
    """Sequences in sequences, thousands deep; or one of thousands of items; or thousands of elements."""
    order, at, kind = layout.order, layout.any_top(rng).at, rng.randrange(4)
    count = rng.choice((33, 100, 1000, _NESTING))
    head = struct.pack(f"{order}HH", 0x0008, 0x1140) + (b"SQ\0\0" if layout.is_explicit else b"") + b"\xff\xff\xff\xff"
    item, item_end, end = (
        struct.pack(f"{order}HHI", 0xFFFE, e, n) for e, n in ((0xE000, UNDEFINED), (0xE00D, 0), (0xE0DD, 0))
    )
    if kind == 0:
        new = (head + item) * count
    elif kind == 1:
        new = (head + item) * count + (item_end + end) * count
    elif kind == 2:
        new = head + struct.pack(f"{order}HHI", 0xFFFE, 0xE000, 0) * count * 10 + end
    else:
        new = b"".join(layout.encoded(0x00090000 + (n << 17) + n % 65536, b"UN", b"") for n in range(count))
    return layout.spliced(at, at, new)


def _ended(layout: Layout, rng: random.Random) -> bytes:
    """A stray end of an item or a sequence, or an item, between two elements."""
    at = layout.any(rng).at
    mark = struct.pack(
        f"{layout.order}HHI", 0xFFFE, rng.choice((0xE00D, 0xE0DD, 0xE000)), rng.choice((0, 0, 8, UNDEFINED))
    )
    return layout.spliced(at, at, mark)


# --- meta header and pixels ------------------------------------------------------------------------------------------


def _syntax(layout: Layout, rng: random.Random) -> bytes:
    """Another transfer syntax than that of the file."""
    old = layout.first(0x00020010)
    if old is None:
        return layout.data
    uid = rng.choice(_SYNTAXES)
    uid += b"\0" * (len(uid) % 2)
    new = b"\x02\x00\x10\x00UI" + struct.pack("<H", len(uid)) + uid
    return layout.spliced(old.at, old.end, new)


def _meta(layout: Layout, rng: random.Random) -> bytes:
    """A meta header that lacks a part, or is not there."""
    data = layout.data
    match rng.randrange(5):
        case 0:
            return data[PREAMBLE_BYTES:]
        case 1:
            return data[layout.data_set_at :]
        case 2:
            return data[:PREAMBLE_BYTES] + data[layout.data_set_at :]
        case 3:
            return data[:128] + rng.choice((b"DICX", b"dicm", b"\0\0\0\0")) + data[PREAMBLE_BYTES:]
        case _:
            meta = [place for place in layout.places if place.at < layout.data_set_at and place.tag >> 16 == 2]
            place = rng.choice(meta)
            return layout.spliced(place.at, place.end, b"")


def _fragments(layout: Layout, rng: random.Random) -> bytes:
    """Fragments of pixel data that are gone, twice there, exchanged, empty or cut in two; offset tables that lie."""
    pixels = layout.first(PIXEL_DATA)
    fragments = [p for p in layout.places if p.depth == 1 and pixels is not None and pixels.at < p.at < pixels.end]
    if not fragments:
        return _length(layout, rng)
    one, other = rng.choice(fragments), rng.choice(fragments)
    head, data, size = b"\xfe\xff\x00\xe0", layout.data, min(one.end, len(layout.data)) - one.start
    new = {
        "gone": b"",
        "empty": head + b"\0\0\0\0",
        "noise": head + struct.pack("<I", size) + rng.randbytes(size),
        "foreign": data[other.at : other.end],
        "twice": data[one.at : one.end] * 2,
    }
    match rng.choice((*new, "cut", "table")):
        case "cut":
            middle = one.start + rng.randrange(size + 1)
            parts = (data[one.start : middle], data[middle : one.end])
            return layout.spliced(one.at, one.end, b"".join(head + struct.pack("<I", len(p)) + p for p in parts))
        case "table":
            table = struct.pack("<I", rng.choice((0, 1, 8, 0x7FFFFFFF, UNDEFINED))) * rng.choice((1, 2, 1000))
            return layout.spliced(fragments[0].at, fragments[0].end, head + struct.pack("<I", len(table)) + table)
        case kind:
            return layout.spliced(one.at, one.end, new[kind])


def _codestream(layout: Layout, rng: random.Random) -> bytes:
    """A codestream that states another size, other bits or other segments than it has; a cut or a foreign one."""
    pixels = layout.first(PIXEL_DATA)
    if pixels is None:
        return _gone(layout, rng)
    inner = [p for p in layout.places if p.depth == 1 and pixels.at < p.at < pixels.end and p.end - p.start > 8]
    place = rng.choice(inner or [pixels])
    new = codestreams.spoiled(layout.data[place.start : place.end], rng)
    if place is pixels:
        return layout.spliced(place.start, place.end, new)
    return layout.spliced(place.length_at, place.end, struct.pack("<I", len(new)) + new)


def _bomb(layout: Layout, rng: random.Random) -> bytes:
    """Far more data than the picture: a gigantic header, zeros behind the pixels (which deflate to nothing)."""
    zeros = bytes(rng.choice((1 << 16, 1 << 20, 1 << 23)))
    if rng.random() < 0.5:
        return layout.data + zeros
    at = layout.any_top(rng).at
    return layout.spliced(at, at, layout.encoded(0x00091001, b"UN", zeros))


GRAMMAR: MappingProxyType[str, Grammatical] = MappingProxyType(
    {
        "length": _length,
        "value representation": _representation,
        "undefined lengths": _undefined_everywhere,
        "tag": _tag,
        "element twice": _twice,
        "element gone": _gone,
        "element moved": _moved,
        "elements nested": _nested,
        "sequence bomb": _sequence_bomb,
        "stray end": _ended,
        "number string": absurd.number_string,
        "number": absurd.number,
        "size": absurd.size,
        "word": absurd.word,
        "element added": absurd.element_added,
        "transfer syntax": _syntax,
        "meta header": _meta,
        "fragments": _fragments,
        "codestream": _codestream,
        "bomb": _bomb,
    }
)
"""Mutations by the grammar of the format."""
