"""Tables: how a header says that stored values become others: modality tables, palettes, real-world value maps.

From a data set without pixels to frozen values that know how to be applied. Slope and intercept live in
:mod:`isocenter.dicom.frames.frame`, the writing of the results into a volume in :mod:`isocenter.dicom.values.realize`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.codes import Code
from isocenter.dicom.values import units

if TYPE_CHECKING:
    from pydicom import Dataset

Pixels = npt.NDArray[Any]
_MOST_ENTRIES = 1 << 16
_SMALLEST, _LARGEST = 1e-25, 1e25
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2


class TableError(Exception):
    """A table of the header is damaged or contradicts itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """What stored values become, one by one.

    Parameters
    ----------
    first
        The stored value that the first entry is for; lower ones become the first entry too, those beyond the last
        entry the last.
    entries
        (entry,) of values or (entry, 3) of red, green and blue.
    unit
        Modality LUT Type, such as ``"OD"``; empty of a palette.
    """

    first: int
    entries: Pixels = field(repr=False)
    unit: str = ""

    def of(self, values: Pixels) -> Pixels:
        """The entries of stored values, in their shape (and a last axis of colours)."""
        last = self.first + len(self.entries) - 1
        places = np.clip(values, *_within(values.dtype, self.first, last)).astype(np.int64) - self.first
        return self.entries.take(places, axis=0, mode="clip")


def _within(dtype: np.dtype[Any], low: int, high: int) -> tuple[int, int]:
    """The bounds, or the nearest that the type can hold."""
    info = np.iinfo(dtype)
    return min(max(low, info.min), info.max), min(max(high, info.min), info.max)


# --- modality tables and palettes ------------------------------------------------------------------------------------


def modality_table(header: Dataset) -> Table | None:
    """The table that turns stored values into real ones (Modality LUT Sequence, PS3.3 C.11.1); None without one.

    Raises
    ------
    TableError
        If it is damaged.
    """
    items = header.get("ModalityLUTSequence")
    if not items:
        return None
    item = items[0]
    if "LUTDescriptor" not in item or "LUTData" not in item:
        raise TableError("The Modality LUT has no descriptor or no data.")
    count, first, bits = _descriptor(item.LUTDescriptor, header)
    entries = _entries(item.LUTData, count, bits, _order(header))
    return Table(first, entries, str(item.get("ModalityLUTType", "") or "").strip().upper())


def display_tables(holder: Dataset, header: Dataset) -> tuple[tuple[Table, int, str], ...]:
    """The tables that turn real values into grey (VOI LUT Sequence, PS3.3 C.11.2.1.1): each with its bits and its name.

    Parameters
    ----------
    holder
        The data set or item that holds the sequence.
    header
        The whole header: it says how the first value is to be read.

    Raises
    ------
    TableError
        If one is damaged.
    """
    found = []
    for item in holder.get("VOILUTSequence") or ():
        if "LUTDescriptor" not in item or "LUTData" not in item:
            raise TableError("A VOI LUT has no descriptor or no data.")
        count, first, bits = _descriptor(item.LUTDescriptor, header)
        table = Table(first, _entries(item.LUTData, count, bits, _order(header)))
        found.append((table, bits, str(item.get("LUTExplanation", "") or "").strip()))
    return tuple(found)


def palette(header: Dataset) -> Table:
    """The palette of an image of PALETTE COLOR, plain or segmented (PS3.3 C.7.6.3.1.5, C.7.9).

    Raises
    ------
    TableError
        If there is none, or it is damaged.
    """
    columns, firsts = [], set()
    for colour in ("Red", "Green", "Blue"):
        name = f"{colour}PaletteColorLookupTable"
        if f"{name}Descriptor" not in header:
            raise TableError("The image has no palette.")
        count, first, bits = _descriptor(header[f"{name}Descriptor"].value, header)
        firsts.add(first)
        if f"{name}Data" in header:
            columns.append(_entries(header[f"{name}Data"].value, count, bits, _order(header)))
        elif f"Segmented{name}Data" in header:
            data = header[f"Segmented{name}Data"].value
            columns.append(_expanded(bytes(data), count, bits, _order(header)))
        else:
            raise TableError("The image has no palette.")
    if len(firsts) > 1 or len({len(column) for column in columns}) > 1:
        raise TableError("The palettes of red, green and blue differ in length or first value.")
    return Table(firsts.pop(), np.stack(columns, axis=-1))


def _order(header: Dataset) -> str:
    """Byte order of words, as NumPy and struct write it."""
    _, is_little = header.original_encoding
    return ">" if is_little is False else "<"


def _descriptor(raw: Any, header: Dataset) -> tuple[int, int, int]:
    """Number of entries, first value mapped and bits of an entry; what a wrong sign did to them is undone."""
    try:
        count, first, bits = (int(number) for number in raw)
    except (TypeError, ValueError) as error:
        raise TableError("The descriptor of a table is not three numbers.") from error
    if bits not in (8, 10, 12, 16):
        raise TableError(f"The entries of a table are said to have {bits} bits.")
    is_signed = header.get("PixelRepresentation") == 1
    first %= 1 << 16
    return count % (1 << 16) or 1 << 16, first - (1 << 16) if is_signed and first >= 1 << 15 else first, bits


def _entries(data: Any, count: int, bits: int, order: str) -> Pixels:
    """Entries of a plain table: words, or bytes where their number says so."""
    if isinstance(data, (bytes, bytearray)):
        if len(data) in (count, count + 1) and len(data) != 2 * count:
            raw = np.frombuffer(data, np.uint8)
            if order == ">":
                raw = raw[: len(raw) // 2 * 2].view(">u2").astype("<u2").view(np.uint8)
            words = raw[:count]
        else:
            words = np.frombuffer(data[: len(data) // 2 * 2], f"{order}u2")[:count]
    else:
        numbers = data if isinstance(data, Iterable) else [data]
        words = np.array([int(number) % (1 << 16) for number in numbers])
        if len(words) in (count // 2, (count + 1) // 2) and bits == 8 and len(words) < count:
            words = words.astype("<u2").view(np.uint8)[:count]
    if len(words) < count:
        raise TableError(f"A table has {len(words)} entries where its descriptor says {count}.")
    is_byte = bits == 8 and int(words[:count].max()) < 1 << 8
    return words[:count].astype(np.uint8 if is_byte else np.uint16)


def _expanded(data: bytes, count: int, bits: int, order: str) -> Pixels:
    """Entries of a segmented palette (PS3.3 C.7.9.2)."""
    size = 1 if bits == 8 else 2
    words = struct.unpack(f"{order}{len(data) // size}{'B' if size == 1 else 'H'}", data[: len(data) // size * size])
    entries: list[int] = []
    try:
        _expand(words, 0, None, entries, size)
    except IndexError as error:
        raise TableError("A segmented palette ends within a segment.") from error
    if len(entries) < count:
        raise TableError(f"A segmented palette has {len(entries)} entries where its descriptor says {count}.")
    return np.array(entries[:count]).astype(np.uint8 if size == 1 else np.uint16)


def _expand(words: tuple[int, ...], place: int, segments: int | None, entries: list[int], size: int) -> None:
    """Append what the segments from a place on stand for: so many, or all (None); only then may one repeat others."""
    done = 0
    while done != segments and place + 2 < len(words) and len(entries) < _MOST_ENTRIES:
        kind, length = words[place : place + 2]
        place += 2
        if kind == _DISCRETE:
            entries.extend(words[place : place + length])
            place += length
        elif kind == _LINEAR:
            start, end = entries[-1], words[place]
            rise, twice = end - start, 2 * length
            entries.extend(start + (2 * rise * step + length) // twice for step in range(1, length + 1))
            place += 1
        elif kind == _INDIRECT and segments is None:
            parts = words[place : place + 4 // size]
            offset = sum(part << (8 * size * step) for step, part in enumerate(parts))
            _expand(words, offset // size, length, entries, size)
            place += len(parts)
        else:
            raise TableError("A segmented palette has a segment of a kind that may not stand there.")
        done += 1


# --- real-world value maps -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RealWorldMap:
    """From stored values to real ones by a Real World Value Mapping Sequence item (PS3.3 C.7.6.16.2.11).

    Parameters
    ----------
    slope, intercept
        Of a linear map.
    table
        In their place; else None.
    limits
        First and last stored value mapped; None where they are not said, or not as the pixels are (floats).
    unit
        Of the real values.
    name
        LUT Label, else LUT Explanation.
    """

    slope: float
    intercept: float
    table: Table | None
    limits: tuple[float, float] | None
    unit: Code
    name: str = ""


def real_world_maps(holder: Dataset) -> tuple[RealWorldMap, ...]:
    """The real-world value maps of a data set, or of a functional group item, that holds their sequence.

    Raises
    ------
    TableError
        If one is damaged.
    """
    return tuple(map(_real_world_map, holder.get("RealWorldValueMappingSequence") or ()))


def _real_world_map(item: Dataset) -> RealWorldMap:
    names = ("DoubleFloatRealWorldValueFirstValueMapped", "DoubleFloatRealWorldValueLastValueMapped")
    if names[0] not in item:
        names = ("RealWorldValueFirstValueMapped", "RealWorldValueLastValueMapped")
    found = [item.get(name) for name in names]
    limits = None if None in found else (float(found[0]), float(found[1]))
    unit = next(map(units.unit_coded, item.get("MeasurementUnitsCodeSequence") or ()), codes.ONE)
    name = str(item.get("LUTLabel", "") or item.get("LUTExplanation", "") or "")
    if "RealWorldValueLUTData" in item:
        if limits is None:
            raise TableError("A real-world value table does not say which stored values it is for.")
        entries = np.atleast_1d(np.array(item.RealWorldValueLUTData, np.float64))
        if len(entries) != limits[1] - limits[0] + 1:
            raise TableError(f"A real-world value table has {len(entries)} entries for {limits[1] - limits[0] + 1:g}.")
        if (np.abs(entries) > _LARGEST).any():
            raise TableError("A real-world value table holds absurd values.")
        return RealWorldMap(1.0, 0.0, Table(int(limits[0]), entries), limits, unit, name)
    slope, intercept = item.get("RealWorldValueSlope"), item.get("RealWorldValueIntercept")
    if slope is None or intercept is None or not (_SMALLEST < abs(slope) < _LARGEST and abs(intercept) < _LARGEST):
        raise TableError("A real-world value map has no slope, no intercept or an absurd one.")
    return RealWorldMap(float(slope), float(intercept), None, limits, unit, name)


def of_frame(header: Dataset, number: int, keyword: str) -> Dataset | None:
    """What holds a sequence for a frame: its functional groups, the shared ones, or the header; None where none does.

    Parameters
    ----------
    header
        Of the instance.
    number
        Frame number, from 1.
    keyword
        Of the sequence.
    """
    own = (header.get("PerFrameFunctionalGroupsSequence") or ())[number - 1 : number]
    shared = header.get("SharedFunctionalGroupsSequence") or ()
    return next((holder for holder in (*own, *shared[:1], header) if holder.get(keyword)), None)
