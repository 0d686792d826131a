"""Cases of the conformance suite: what stored numbers mean. Bits, signs, rescales, padding, overlays, tables, units."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import DataElement, Dataset, Sequence
from pydicom.tag import Tag

from isocenter.testing.cases_geometry import AXIAL, SHAPE
from isocenter.testing.dicom import Style, write_series
from isocenter.testing.truth import HALF, Case, Points, Ramp, Truth, Value

Edit = Callable[[int, Dataset], None]

BODY = Ramp(40.0)
"""About 200 to 900 on the axial grid."""
SMALL = Ramp(-160.0, (0.9, 1.7, 3.9))
"""About 85 to 180: fits 8 bits."""
UNSIGNED = Style(is_signed=False)
EIGHT = Style(modality="MR", bits_allocated=8, bits_stored=8, is_signed=False, rescale=None)
NO_CODES: frozenset[str] = frozenset()


def unchanged(_: int, ds: Dataset) -> None:
    """Leaves the data set as it is."""


def value_case(
    name: str, told: str, style: Style, value: Value = BODY, *, codes: frozenset[str] = NO_CODES, **truth: Any
) -> Case:
    """A case of one series on the axial grid; reason codes allow it to be refused."""

    def writer(folder: Path) -> None:
        write_series(value, AXIAL, folder, style=style)

    return Case(name, "values", told, writer, (Truth(value, AXIAL, **truth),), refusals=codes)


def refused(case: Case, *codes: str) -> Case:
    """The same files, for which only refusing is right."""
    return Case(case.name, case.group, case.told, case.writer, refusals=frozenset(codes))


def value_cases() -> Iterator[Case]:
    """All cases of this module."""
    yield from _cells()
    yield from _rescales()
    yield from _without_rescale()
    yield from _units()
    yield from _padding()
    yield from _unused_bits()
    yield from _tables()


# --- pixel cells -----------------------------------------------------------------------------------------------------


def _cells() -> Iterator[Case]:
    signed, unsigned = {"is_signed": True}, {"is_signed": False}
    kinds: tuple[tuple[str, dict[str, Any]], ...] = (
        ("CT, 16 bits signed", {**signed, "rescale": (1.0, 0.0)}),
        ("CT, 16 bits unsigned", {**unsigned, "rescale": (1.0, -1024.0)}),
        ("CT, 12 bits unsigned", {**unsigned, "bits_stored": 12}),
        ("CT, 12 bits signed", {**signed, "bits_stored": 12, "rescale": (1.0, 0.0)}),
        ("CT, 13 bits signed", {**signed, "bits_stored": 13}),
        ("CT, 12 bits, highest bit 15", {**unsigned, "bits_stored": 12, "high_bit": 15}),
        ("CT, 12 bits signed, highest bit 13", {**signed, "bits_stored": 12, "high_bit": 13, "rescale": (1.0, 0.0)}),
        ("MR, 10 bits", {**unsigned, "bits_stored": 10, "modality": "MR", "rescale": None}),
        ("MR, 12 bits in 32", {**unsigned, "bits_allocated": 32, "bits_stored": 12, "modality": "MR", "rescale": None}),
        ("CT, 32 bits signed", {**signed, "bits_allocated": 32, "bits_stored": 32}),
    )
    for name, options in kinds:
        value = Ramp(-300.0) if "signed" in name and "un" not in name else BODY
        yield value_case(name, "Pixel cells of this kind.", Style(**options), value)
    wide = Ramp(100_000.0, (3100.0, 5300.0, 7900.0))
    for name, is_signed in (("PET, 32 bits unsigned", False), ("PET, 32 bits signed", True)):
        style = Style(modality="PT", bits_allocated=32, bits_stored=32, is_signed=is_signed, rescale=(0.5, 0.0))
        yield value_case(name, "Values beyond 16 bits.", style, wide, tolerance=0.5)
    yield value_case("MR, 8 bits", "One byte a pixel.", EIGHT, SMALL)
    signed_eight = replace(EIGHT, is_signed=True)
    yield value_case(
        "MR, 8 bits signed", "One byte a pixel, below zero too.", signed_eight, Ramp(-290.0, (0.9, 1.7, 3.9))
    )
    style = Style(bits_stored=16, is_signed=True, rescale=(1.0, 0.0))
    yield value_case("CT, first slice all positive", "Air comes only below.", style, Ramp(-3900.0, (3.1, 5.3, 47.0)))
    odd = Style(modality="MR", rescale=None, attributes=_wrong_representation())
    yield value_case("smallest and largest value of wrong VR", "Signed pixels, but US attributes.", odd)


def _wrong_representation() -> dict[str, Any]:
    return {"SmallestImagePixelValue": 0, "LargestImagePixelValue": 4095}


# --- rescale ---------------------------------------------------------------------------------------------------------


def _rescales() -> Iterator[Case]:
    half = replace(UNSIGNED, rescale=(0.5, -1000.0))
    yield value_case("CT, slope of a half", "Values are not whole.", half, tolerance=0.26)
    double = replace(UNSIGNED, rescale=(2.0, -1024.0))
    yield value_case("CT, slope of two", "Every second value.", double, tolerance=1.01)
    varies = [(1.0, -1024.0 + 8 * k) for k in range(SHAPE[0])]
    own = value_case("CT, intercept of each slice", "Rescale Intercept differs.", replace(UNSIGNED, rescale=varies))
    yield replace(own, says=frozenset({"RESCALE_VARIES"}))
    philips = replace(UNSIGNED, modality="MR", rescale=(1.7936, -200.0))
    stored = Ramp(240 / 1.7936, (3.1 / 1.7936, 5.3 / 1.7936, 7.9 / 1.7936))
    yield value_case("MR, rescaled", "As Philips writes it.", philips, tolerance=0.9, others=(stored,))
    slopes = [(0.3 + 0.37 * k, 0.0) for k in range(SHAPE[0])]
    pet = Style(modality="PT", rescale=slopes, is_signed=True)
    yield value_case("PET, slope of each slice", "Bq/ml.", pet, tolerance=1.1)
    grams = Style(modality="PT", rescale=[(s * 2e-3, 0.0) for s, _ in slopes], attributes={"Units": "GML"})
    small = Ramp(4.0, (0.031, 0.053, 0.079))
    yield value_case("PET, in SUV", "Units GML, small slopes.", grams, small, tolerance=3e-3)
    blank = [*slopes[:3], (1.0, 0.0), *slopes[4:]]

    def emptied(points: Points) -> npt.NDArray[np.float64]:
        return np.where(_slice_of(points) == 3, 0.0, BODY(points))

    yield value_case(
        "PET, one slice blank", "All noughts, slope 1.", Style(modality="PT", rescale=blank), emptied, tolerance=1.1
    )
    negative = replace(UNSIGNED, rescale=(-1.0, 3000.0))
    yield value_case("CT, slope below zero", "Stored values run the other way.", negative)


def _slice_of(points: Points) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = np.rint(AXIAL.to_index(points)[..., 0])
    return found


def _without_rescale() -> Iterator[Case]:
    air = Ramp(-1250.0)
    guessed = value_case(
        "CT without rescale, in HU",
        "Signed, from -1000 to tissue.",
        Style(rescale=None),
        _with_air(air),
        codes=frozenset({"RESCALE_UNKNOWN", "RESCALE_MISSING"}),
    )
    yield Case(*_parts(guessed), guessed.truths, guessed.refusals, frozenset({"RESCALE_MISSING"}))
    shifted = value_case(
        "CT without rescale, shifted", "Unsigned values from 0.", Style(rescale=None, is_signed=False), Ramp(1064.0)
    )
    yield refused(shifted, "RESCALE_UNKNOWN")

    def half_lost(index: int, ds: Dataset) -> None:
        if index == 3:
            del ds.RescaleSlope, ds.RescaleIntercept

    broken = value_case("rescale missing in one slice", "The others have one.", Style(is_signed=False, edit=half_lost))
    yield refused(broken, "RESCALE_UNKNOWN", "SERIES_INCONSISTENT")

    def slope_lost(_: int, ds: Dataset) -> None:
        del ds.RescaleSlope

    yield refused(
        value_case("slope missing, intercept there", "Half a rescale.", Style(edit=slope_lost)), "RESCALE_UNKNOWN"
    )

    def nought(_: int, ds: Dataset) -> None:
        ds.RescaleSlope = "0"

    yield refused(value_case("slope of nought", "All values would be one.", Style(edit=nought)), "RESCALE_UNKNOWN")
    plain = Style(modality="MR", rescale=None)
    yield value_case("MR without rescale", "As most MR.", plain)


def _parts(case: Case) -> tuple[str, str, str, Callable[[Path], object]]:
    return case.name, case.group, case.told, case.writer


def _with_air(value: Ramp) -> Value:
    """Air on one side, a ramp through tissue on the other: it looks like a CT."""

    def found(points: Points) -> npt.NDArray[np.float64]:
        return np.where(AXIAL.to_index(points)[..., 2] < 3.5, -1000.0, np.clip(value(points) + 600, -150, 900))

    return found


def _units() -> Iterator[Case]:
    electron = Style(attributes={"RescaleType": "ED"})
    yield value_case("CT in electron density", "Rescale Type says so.", electron, codes=frozenset({"UNIT_NOT_HU"}))
    unspecified = Style(attributes={"RescaleType": "US"})
    yield value_case("CT of unspecified unit", "Rescale Type US.", unspecified, codes=frozenset({"UNIT_NOT_HU"}))
    yield value_case("CT without Rescale Type", "HU, as the standard says.", Style(attributes={"RescaleType": None}))


# --- padding and unused bits -----------------------------------------------------------------------------------------


def _padding() -> Iterator[Case]:
    """Pixels outside a circle hold padding."""

    def judged(points: Points) -> npt.NDArray[np.bool_]:
        index = AXIAL.to_index(points)
        return np.hypot((index[..., 1] - 3.5) / 4, (index[..., 2] - 4.5) / 5) < 1

    def padded(outside: float) -> Value:
        return lambda points: np.where(judged(points), BODY(points), outside)

    below = Style(rescale=(1.0, 0.0), attributes={"PixelPaddingValue": -2000})
    yield _as(value_case("padding of -2000", "As GE writes it.", below, padded(-2000)), judged)
    unsigned = Style(is_signed=False, attributes={"PixelPaddingValue": 63536}, rescale=(1.0, -1024.0))
    yield _as(value_case("padding of 63536, unsigned", "A huge value.", unsigned, padded(63536 - 1024)), judged)
    silent = Style(rescale=(1.0, 0.0))
    yield _as(value_case("padding that is not declared", "-3024 without an attribute.", silent, padded(-3024)), judged)


def _as(case: Case, judged: Value) -> Case:
    return Case(*_parts(case), (Truth(BODY, AXIAL, is_judged=judged),))


def _unused_bits() -> Iterator[Case]:
    twelve = replace(UNSIGNED, bits_stored=12)

    def cells(ds: Dataset) -> npt.NDArray[np.uint16]:
        return np.frombuffer(ds.PixelData, np.uint16).copy()

    def overlaid(_: int, ds: Dataset) -> None:
        ds.PixelData = (cells(ds) | (np.arange(SHAPE[1] * SHAPE[2]) % 3 == 0).astype(np.uint16) << 12).tobytes()
        group = 0x6000
        for element, vr, value in (
            (0x0010, "US", SHAPE[1]),
            (0x0011, "US", SHAPE[2]),
            (0x0040, "CS", "G"),
            (0x0050, "SS", [1, 1]),
            (0x0100, "US", 16),
            (0x0102, "US", 12),
        ):
            ds.add(DataElement(Tag(group, element), vr, value))

    def stray(_: int, ds: Dataset) -> None:
        values = cells(ds)
        values[5] |= 0xF000
        ds.PixelData = values.tobytes()

    yield value_case("overlay in bit 12", "Retired, but met.", replace(twelve, edit=overlaid))
    strays = value_case("bits beyond the stored ones", "One pixel, no overlay.", replace(twelve, edit=stray))
    either = frozenset({"BITS_BEYOND_STORED"})
    yield Case(*_parts(strays), strays.truths, either)


# --- tables and photometric interpretation ---------------------------------------------------------------------------


def _tables() -> Iterator[Case]:
    stored = Ramp(-160.0, (0.9, 1.7, 3.9))

    def with_table(_: int, ds: Dataset) -> None:
        table = Dataset()
        table.LUTDescriptor = [256, 0, 16]
        table["LUTDescriptor"].VR = "US"
        table.ModalityLUTType = "US"
        table.LUTData = (np.arange(256, dtype=np.uint16) * 3 + 100).astype("<u2").tobytes()
        table["LUTData"].VR = "OW"
        ds.ModalityLUTSequence = Sequence([table])

    def looked_up(points: Points) -> npt.NDArray[np.float64]:
        return np.rint(stored(points)) * 3 + 100

    table = value_case("Modality LUT", "A table in place of a slope.", replace(EIGHT, edit=with_table), stored)
    yield Case(*_parts(table), (Truth(looked_up, AXIAL, tolerance=3.01),))

    def inverted(_: int, ds: Dataset) -> None:
        ds.PhotometricInterpretation = "MONOCHROME1"

    style = Style(modality="MR", rescale=None, edit=inverted)
    yield value_case("MONOCHROME1", "It is for display; the values stay.", style)

    def mapped(_: int, ds: Dataset) -> None:
        ds.RealWorldValueMappingSequence = Sequence([_real_world_map(0.25, 10.0)])

    def real(points: Points) -> npt.NDArray[np.float64]:
        return BODY(points) * 0.25 + 10

    yield value_case(
        "real-world value map",
        "Stored values and mapped ones are both right; no mixture is.",
        Style(modality="MR", rescale=None, edit=mapped),
        tolerance=HALF,
        others=(real,),
    )


def _real_world_map(slope: float, intercept: float) -> Dataset:
    unit = Dataset()
    unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "um2/s", "UCUM", "um2/s"
    item = Dataset()
    item.RealWorldValueFirstValueMapped, item.RealWorldValueLastValueMapped = -4096, 4095
    for keyword in ("RealWorldValueFirstValueMapped", "RealWorldValueLastValueMapped"):
        item[keyword].VR = "SS"
    item.RealWorldValueSlope, item.RealWorldValueIntercept = slope, intercept
    item.LUTExplanation, item.LUTLabel = "ADC", "ADC"
    item.MeasurementUnitsCodeSequence = Sequence([unit])
    return item
