"""Absurd values where sizes, places and kinds stand in a header; each element stays well formed but for its value."""

from __future__ import annotations

import random
import struct
from dataclasses import replace

from isocenter.testing.layout import Layout

_STRINGS = (
    b"", b"0", b"-0", b"1", b"-1", b"0.5", b"1e300", b"-1e300", b"1e-300", b"1e400", b"nan", b"inf", b"-inf", b"1_0",
    b"1,5", b"ten", b" 1 ", b"1 2", b"+1.5", b"1.", b".5", b"0x10", b"1e", b"\\", b"1\\2\\3\\4\\5\\6\\7", b"1\0",
    b"99999999999999999999", b"\0", b"1\r\n", b"\xb2", b"\xd9\xa1", b"1d2", b"1E+02", b"-.5e-3",
)  # fmt: skip
_NUMBERS = (
    0, 1, 2, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 63, 64, 127, 128, 255, 256, 511, 513, 1024, 32767, 32768, 65534,
    65535,
)  # fmt: skip
STRINGS = (
    0x00200032, 0x00200037, 0x00280030, 0x00180050, 0x00281052, 0x00281053, 0x00280008, 0x00200013, 0x00201041,
    0x00180088, 0x00281050, 0x00281051, 0x00200011, 0x00200012, 0x00200100, 0x00180081, 0x00181060, 0x00181120,
    0x00181164,
)  # fmt: skip
"""Tags of positions, spacings, rescale values and the like, written as decimal strings."""
SHORTS = (
    0x00280002, 0x00280006, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103, 0x00280120,
    0x00280121,
)  # fmt: skip
"""Tags of sizes, bits and padding, written as numbers of 16 bits."""
_CLASS = b"1.2.840.10008.5.1.4.1.1."
_KINDS = (
    (0x00280004, b"CS", (b"MONOCHROME1", b"MONOCHROME2", b"RGB", b"PALETTE COLOR", b"YBR_FULL", b"YBR_RCT", b"")),
    (0x00080060, b"CS", (b"CT", b"MR", b"PT", b"US", b"OT", b"", b"XX")),
    (0x00080016, b"UI", tuple(_CLASS + end for end in (b"2", b"4", b"128", b"2.1", b"7", b"88.11", b"4.1"))),
    (0x00080005, b"CS", (b"ISO_IR 192", b"ISO 2022 IR 87", b"\\ISO 2022 IR 149", b"nonsense", b"", b"GB18030")),
    (0x00080008, b"CS", (b"ORIGINAL\\PRIMARY\\LOCALIZER", b"DERIVED", b"", b"ORIGINAL\\PRIMARY\\M\\MOSAIC", b"\\\\")),
    (0x00281054, b"LO", (b"HU", b"US", b"OD", b"", b"hu", b"MGML")),
    (0x00541001, b"CS", (b"BQML", b"GML", b"CNTS", b"", b"PROPCPS")),
    (0x00282110, b"CS", (b"00", b"01", b"")),
    (0x0020000E, b"UI", (b"", b"1.2.3", b"x" * 200, b"\0")),
    (0x00080018, b"UI", (b"", b"1.2.3", b"x" * 200, b"../../a")),
    (0x00100010, b"PN", (b"", b"\x1b$B\x1b(B", b"\xff\xfe" * 40, b"=" * 9, b"^" * 99)),
)  # fmt: skip
"""Tag, value representation and values where a header names a kind."""
_MULTIPLE = {0x00200032: 3, 0x00200037: 6, 0x00280030: 2, 0x00181164: 2}


def number_string(layout: Layout, rng: random.Random) -> bytes:
    """An absurd number, or an odd number of them, where a position, a spacing or the like stands."""
    tag = rng.choice(STRINGS)
    old = layout.first(tag)
    parts = layout.data[old.start : old.end].split(b"\\") if old is not None else [b"1"] * _MULTIPLE.get(tag, 1)
    place = rng.randrange(len(parts))
    match rng.randrange(4):
        case 0:
            parts = [rng.choice(_STRINGS)]
        case 1:
            parts[place] = rng.choice(_STRINGS)
        case 2:
            parts = parts[:place] if rng.random() < 0.5 else [*parts, parts[-1]]
        case _:
            parts[place] = b"%g" % (rng.choice((1e-9, 1e-3, 1, 1e3, 1e5, 1e6, 1e9)) * rng.uniform(-1, 1))
    return layout.put(tag, b"IS" if tag in (0x00280008, 0x00200013) else b"DS", b"\\".join(parts))


def number(layout: Layout, rng: random.Random) -> bytes:
    """An absurd size, number of bits, padding; perhaps of the wrong width."""
    number = rng.choice(_NUMBERS)
    value = struct.pack(f"{layout.order}H", number)
    value = rng.choice((value, value, value, value, b"", value[:1], value * 2, struct.pack(f"{layout.order}I", number)))
    return layout.put(rng.choice(SHORTS), rng.choice((b"US", b"US", b"SS")), value)


def size(layout: Layout, rng: random.Random) -> bytes:
    """Rows and columns that are both absurd, or exchanged."""
    old = [layout.first(tag) for tag in (0x00280010, 0x00280011)]
    shorts = [struct.pack(f"{layout.order}H", rng.choice((0, 1, 512, 4096, 32768, 65535))) for _ in old]
    if old[0] is not None and old[1] is not None and rng.random() < 0.5:
        shorts = [layout.data[place.start : place.end] for place in reversed(old) if place is not None]
    for place, value in zip(old, shorts, strict=True):
        if place is not None and place.end - place.start == len(value):
            layout = replace(layout, data=layout.spliced(place.start, place.end, value))
    return layout.data


def word(layout: Layout, rng: random.Random) -> bytes:
    """Another word where the header names a kind: photometric interpretation, modality, class, character set, ..."""
    tag, vr, words = rng.choice(_KINDS)
    return layout.put(tag, vr, rng.choice(words))


def element_added(layout: Layout, rng: random.Random) -> bytes:
    """An element that changes what the pixels mean: overlay, Modality LUT, padding, a second set of pixel data."""
    short = struct.pack(f"{layout.order}H", rng.choice(_NUMBERS))
    lut = struct.pack(f"{layout.order}HHI", 0xFFFE, 0xE000, 0)
    tag, vr, value = rng.choice(
        (
            (0x60000102, b"US", short),
            (0x60000010, b"US", short),
            (0x00283000, b"SQ", lut),
            (0x00280120, b"US", short),
            (0x00280121, b"SS", short),
            (0x7FE00010, b"OW", rng.randbytes(16)),
            (0x7FE00008, b"OF", rng.randbytes(16)),
            (0x7FE00009, b"OD", rng.randbytes(16)),
            (0x00280000, b"UL", struct.pack(f"{layout.order}I", rng.getrandbits(32))),
            (0x00000002, b"UI", b"1.2"),
            (0xFFFCFFFC, b"OB", rng.randbytes(64)),
            (0x52009229, b"SQ", lut),
        )
    )
    at = rng.choice((layout.any_top(rng).at, len(layout.data)))
    return layout.spliced(at, at, layout.encoded(tag, vr, value))
