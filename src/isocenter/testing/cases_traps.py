"""Cases of the conformance suite: what looks regular and is not. Drifts, mixtures within a series, lying attributes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.tag import Tag

from isocenter.geometry import Grid
from isocenter.testing.cases_encoding import encoded, rewritten
from isocenter.testing.cases_geometry import AXIAL, RESAMPLED, SHAPE, SPACING_MM, grid_along, moved, sheared, turned
from isocenter.testing.cases_grouping import CT, FIRST, LATER, MR, SECOND, write_part
from isocenter.testing.cases_multiframe import enhanced
from isocenter.testing.cases_values import BODY, UNSIGNED, refused, value_case
from isocenter.testing.dicom import Style, uid_of, write_series
from isocenter.testing.multiframe import Many
from isocenter.testing.tiled import write_dose, write_nm
from isocenter.testing.truth import Case, Ramp, Truth

UNEVEN = frozenset({"SPACING_VARIES", "SLICE_GAP", "SERIES_INCONSISTENT"})
AMBIGUOUS = frozenset({"DUPLICATE_POSITION", "SERIES_INCONSISTENT", "PART_INCOMPLETE"})
LONG = grid_along((1, 0, 0), (0, 1, 0), shape=(30, 8, 10), spacing_mm=(5.0, 1.25, 1.5))
HIGH = Ramp(300.0, (3.1, 5.3, 2.9))


def trap_cases() -> Iterator[Case]:
    """All cases of this module."""
    yield from _drifts()
    yield from _mixtures()
    yield from _numbers()
    yield from _ranges()
    yield from _lies()
    yield from _frames()
    yield from _vectors()


# --- drifts ----------------------------------------------------------------------------------------------------------


def _drifts() -> Iterator[Case]:
    for degrees in (0.2, 1.0):
        grid = sheared(LONG, degrees)
        truth = Truth(HIGH, grid, may_be_resampled=True, tolerance=RESAMPLED)
        told = "Too small to be seen between two slices, but not over 30."
        yield Case(f"gantry tilt of {degrees} degrees", "geometry", told, _series(HIGH, grid), (truth,))
    even = grid_along((1, 0, 0), (0, 1, 0), shape=LONG.shape, spacing_mm=(5.3, 1.25, 1.5))
    hull = Truth(HIGH, even, may_be_resampled=True, tolerance=RESAMPLED)
    kinds: tuple[tuple[str, str, Callable[[int, Dataset], None]], ...] = (
        ("distance grows slowly", "From 5 to 5.6 mm, by 0.02 mm from slice to slice.", _growing),
        ("slices shifted sideways", "Each by another 0 to 2 mm within its plane.", _jittered),
        ("one slice out of line", "Two millimetres towards its neighbour.", _displaced),
    )
    for name, told, edit in kinds:
        writer = _moved_series(edit)
        truths = (hull,) if edit is _growing else ()
        yield Case(name, "geometry", told, writer, truths, UNEVEN)

    told = "By a tenth of a degree from slice to slice: each is right alone, together they are no lattice."
    slices = tuple(Truth(HIGH, _turned_slice(index), name=f"slice {index + 1}") for index in range(LONG.shape[0]))
    yield Case("orientation turns slowly", "geometry", told, _moved_series(_turning), slices, UNEVEN)

    def noisy(index: int, ds: Dataset) -> None:
        ds.ImageOrientationPatient = [f"{float(x) + (index - 3) * 2e-7:.9f}" for x in ds.ImageOrientationPatient]

    def nearly_nought(_: int, ds: Dataset) -> None:
        ds.ImageOrientationPatient = ["1", "6.123234E-17", "-1.2E-16", "-6.123234E-17", "1", "0"]

    for name, edit in (("orientation jitters in its last digits", noisy), ("orientation with 6E-17", nearly_nought)):
        yield replace(encoded(name, "As rounding leaves it.", replace(CT, edit=edit)), group="geometry")


def _series(value: Ramp, grid: Grid, style: Style = CT) -> Callable[[Path], object]:
    return lambda folder: write_series(value, grid, folder, style=style)


def _moved_series(edit: Callable[[int, Dataset], None]) -> Callable[[Path], object]:
    """A long series whose slices are moved and whose values follow them."""

    def follow(index: int, ds: Dataset) -> None:
        edit(index, ds)
        across, down = (np.array(ds.ImageOrientationPatient[part], float) for part in (slice(0, 3), slice(3, 6)))
        rows, columns = np.meshgrid(np.arange(8) * 1.25, np.arange(10) * 1.5, indexing="ij")
        points = np.array(ds.ImagePositionPatient, float) + rows[..., None] * down + columns[..., None] * across
        ds.PixelData = np.rint(HIGH(points) + 1024).astype("<u2").tobytes()

    return _series(HIGH, LONG, replace(CT, edit=follow))


def _shift(ds: Dataset, *by_mm: float) -> None:
    ds.ImagePositionPatient = [f"{float(x) + y:.6f}" for x, y in zip(ds.ImagePositionPatient, by_mm, strict=True)]


def _growing(index: int, ds: Dataset) -> None:
    _shift(ds, 0, 0, -0.01 * index * (index + 1))


def _jittered(index: int, ds: Dataset) -> None:
    _shift(ds, (index * 7 % 5) / 2, 0, 0)


def _displaced(index: int, ds: Dataset) -> None:
    _shift(ds, 0, 0, 2.0 if index == 14 else 0.0)


def _turned_slice(index: int) -> Grid:
    slice_grid = grid_along(*turned((0, 0.1 * index)), shape=(1, *LONG.shape[1:]), spacing_mm=LONG.spacing_mm)
    return moved(slice_grid, LONG.to_world((index, 0, 0)) - slice_grid.to_world((0, 0, 0)))


def _turning(index: int, ds: Dataset) -> None:
    across, down = turned((0, 0.1 * index))
    ds.ImageOrientationPatient = [f"{x:.9f}" for x in (*across, *down)]


# --- mixtures within one series --------------------------------------------------------------------------------------


def _mixtures() -> Iterator[Case]:
    def mixed(*styles: Style) -> Callable[[Path], None]:
        def writer(folder: Path) -> None:
            for turn, style in enumerate(styles):
                for index, path in enumerate(write_series(BODY, AXIAL, folder / str(turn), style=style)):
                    if index % len(styles) != turn:
                        path.unlink()

        return writer

    truth = (Truth(BODY, AXIAL),)
    kinds: tuple[tuple[str, str, tuple[Style, ...]], ...] = (
        ("signed and unsigned slices", "In turn.", (UNSIGNED, Style(rescale=(1.0, 0.0)))),
        ("slices of 12 and 16 bits", "In turn.", (CT, UNSIGNED)),
        ("slices of several transfer syntaxes", "In turn.", tuple(replace(CT, syntax=s) for s in _SYNTAXES)),
        ("slices with slopes of 1 and a half", "In turn.", (UNSIGNED, replace(UNSIGNED, rescale=(0.5, -1000.0)))),
    )
    for name, told, styles in kinds:
        yield Case(name, "values", told, mixed(*styles), truth)


_SYNTAXES = ("implicit", "big endian", "deflated", "RLE", "JPEG-LS", "explicit")


# --- what numbers tell -----------------------------------------------------------------------------------------------


def _numbers() -> Iterator[Case]:
    def by_order(folder: Path) -> None:
        write_part(folder, "a", FIRST)
        write_part(folder, "b", SECOND, style=replace(CT, instance_numbers=LATER))

    def corrected(folder: Path) -> None:
        write_part(folder, "a", FIRST)
        for path in write_part(folder, "b", SECOND)[1:]:
            path.unlink()

    half = moved(AXIAL, (0, 0, -SPACING_MM[0] / 2))

    def woven(folder: Path) -> None:
        write_part(folder, "a", FIRST)
        write_part(folder, "b", SECOND, half)

    over = moved(AXIAL, (0, 0, -3.4 * SPACING_MM[0]))

    def overlapping(folder: Path) -> None:
        write_part(folder, "a", FIRST, attributes={"AcquisitionNumber": 1})
        write_part(
            folder, "b", SECOND, over, style=replace(CT, instance_numbers=LATER), attributes={"AcquisitionNumber": 2}
        )

    pair = Truth(FIRST, AXIAL, name="first"), Truth(SECOND, AXIAL, name="second")
    kinds: tuple[tuple[str, str, Callable[[Path], None], tuple[Truth, ...]], ...] = (
        ("two volumes, one after the other", "Their numbers alone tell them apart.", by_order, pair),
        ("one slice twice, other contents", "Nothing says which of the two is right.", corrected, ()),
        ("two volumes between each other", "Both count from 1.", woven, (pair[0], Truth(SECOND, half))),
        (
            "two acquisitions that overlap",
            "The second begins within the first.",
            overlapping,
            (pair[0], Truth(SECOND, over)),
        ),
    )
    for name, told, writer, truths in kinds:
        yield Case(name, "grouping", told, writer, truths, AMBIGUOUS | UNEVEN)

    def second_scanner(folder: Path) -> None:
        write_part(folder, "a", FIRST, style=MR)
        style = replace(MR, instance_numbers=LATER)
        write_part(
            folder, "b", SECOND, style=style, attributes={"SeriesInstanceUID": uid_of("isocenter", "series") + ".1"}
        )

    told = "One UID is the beginning of the other."
    yield Case("two series of similar UIDs", "grouping", told, second_scanner, pair)


# --- ranges ----------------------------------------------------------------------------------------------------------


def _ranges() -> Iterator[Case]:
    wide = Ramp(-45_000.0, (310.0, 530.0, 790.0))
    yield value_case("CT, values beyond 16 bits signed", "Up to 60,000 HU, as beside metal.", UNSIGNED, wide)
    style = Style(bits_stored=16, is_signed=True, rescale=(1.0, -20_000.0))
    yield value_case(
        "MR, stored values and intercept at their ends",
        "Below -32,768.",
        replace(style, modality="MR"),
        Ramp(-40_000.0),
    )
    many = Style(modality="PT", rescale=(0.000_012_3, 0.0))
    fine = Ramp(0.03, (3.1e-4, 5.3e-4, 7.9e-4))
    yield value_case("PET, tiny values", "A slope of 0.0000123.", many, fine, tolerance=7e-6)


# --- attributes that lie ---------------------------------------------------------------------------------------------


FORM = frozenset({"UNSUPPORTED", "SIGN_UNKNOWN", "PIXELS_SURPLUS", "PIXELS_TRUNCATED", "BITS_BEYOND_STORED"})


def _lies() -> Iterator[Case]:
    below = Style(rescale=(1.0, 0.0))
    negative = encoded(
        "PixelRepresentation missing, values below zero",
        "",
        replace(below, edit=_lost("PixelRepresentation")),
        Ramp(-800.0),
    )
    yield replace(negative, told="A required attribute is not there.", refusals=frozenset({"SIGN_UNKNOWN"}))
    for keyword in (
        "PixelRepresentation",
        "BitsStored",
        "BitsAllocated",
        "Rows",
        "SamplesPerPixel",
        "PhotometricInterpretation",
    ):
        case = encoded(f"{keyword} missing", "A required attribute is not there.", replace(CT, edit=_lost(keyword)))
        yield replace(case, refusals=FORM)
    for name, values in (
        ("BitsAllocated of 8 for 16", {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}),
        ("BitsStored larger than BitsAllocated", {"BitsStored": 20, "HighBit": 19}),
        ("SamplesPerPixel of 3 for 1", {"SamplesPerPixel": 3}),
    ):
        told = "The pixel format contradicts itself or the pixels."
        yield refused(encoded(name, told, replace(CT, edit=_set_to(**values))), *FORM)
    high = encoded("HighBit below BitsStored", "It can be guessed, or not.", replace(CT, edit=_set_to(HighBit=5)))
    yield replace(high, refusals=FORM)
    told = "Out of order: a reader that stops at the pixels misses it."
    late = rewritten("intercept behind the pixels", told, _with_late_intercept)
    yield replace(late, refusals=frozenset({"RESCALE_UNKNOWN", "PIXELS_SURPLUS", "HEADER_UNREADABLE"}))


def _lost(keyword: str) -> Callable[[int, Dataset], None]:
    return lambda _, ds: delattr(ds, keyword)


def _set_to(**values: int) -> Callable[[int, Dataset], None]:
    def edit(_: int, ds: Dataset) -> None:
        for keyword, value in values.items():
            setattr(ds, keyword, value)

    return edit


def _with_late_intercept(data: bytes) -> bytes:
    """The Rescale Intercept moved behind the pixel data."""
    at = data.index(b"\x28\x00\x52\x10DS")
    end = at + 8 + int.from_bytes(data[at + 6 : at + 8], "little")
    return data[:at] + data[end:] + data[at:end]


# --- frames ----------------------------------------------------------------------------------------------------------


def _frames() -> Iterator[Case]:
    ls = Many(syntax="JPEG-LS")

    def streams(ds: Dataset) -> list[bytes]:
        return list(generate_frames(ds.PixelData, number_of_frames=SHAPE[0]))

    def garbled(ds: Dataset) -> None:
        items = encapsulate(streams(ds), has_bot=False)[8:]
        table = struct.pack(f"<HHL{SHAPE[0]}L", 0xFFFE, 0xE000, 4 * SHAPE[0], *(7 * k for k in range(SHAPE[0])))
        ds.PixelData = table + items

    def fewer(ds: Dataset) -> None:
        ds.PixelData = encapsulate(streams(ds)[:-1])

    def more(ds: Dataset) -> None:
        ds.PixelData = encapsulate([*streams(ds), streams(ds)[0]])

    def more_bytes(ds: Dataset) -> None:
        ds.PixelData += bytes(2 * SHAPE[1] * SHAPE[2])

    def lying_positions(ds: Dataset) -> None:
        for number, groups in enumerate(ds.PerFrameFunctionalGroupsSequence):
            groups.FrameContentSequence[0].InStackPositionNumber = SHAPE[0] - number

    cut, surplus = (
        frozenset({"PIXELS_TRUNCATED", "PIXELS_UNDECODABLE"}),
        frozenset({"PIXELS_SURPLUS", "FRAMES_CONTRADICT"}),
    )
    kinds: tuple[tuple[str, Many, Callable[[Dataset], None], frozenset[str], bool], ...] = (
        ("offset table wrong", ls, garbled, cut, True),
        ("one codestream fewer", ls, fewer, cut, False),
        ("one codestream more", ls, more, cut | surplus, True),
        ("one frame more in the pixel data", Many(), more_bytes, surplus, True),
        ("positions in the stack lie", Many(), lying_positions, frozenset(), True),
    )
    for name, many, edit, codes, may_read in kinds:
        case = enhanced(
            f"Enhanced CT, {name}",
            "Headers and pixels contradict each other.",
            many=replace(many, edit=edit),
            codes=codes,
        )
        yield case if may_read else replace(case, truths=())


def _vectors() -> Iterator[Case]:
    """Objects whose frames are placed by vectors of numbers."""

    def shuffled(ds: Dataset) -> None:
        order = (3, 0, 5, 1, 4, 2)
        frames = np.frombuffer(ds.PixelData, np.uint16).reshape(SHAPE)
        ds.PixelData, ds.SliceVector = frames[list(order)].tobytes(), [k + 1 for k in order]

    def gated(ds: Dataset) -> None:
        frames = np.frombuffer(ds.PixelData, np.uint16).reshape(SHAPE)
        ds.PixelData = frames.tobytes() + np.rint(frames * 2.0 + 7).astype("<u2").tobytes()
        ds.ImageType = ["ORIGINAL", "PRIMARY", "RECON GATED TOMO", "EMISSION"]
        ds.NumberOfFrames = 2 * SHAPE[0]
        ds.FrameIncrementPointer = [Tag("TimeSlotVector"), Tag("SliceVector")]
        ds.TimeSlotVector = [1] * SHAPE[0] + [2] * SHAPE[0]
        ds.SliceVector, ds.NumberOfTimeSlots = [*range(1, SHAPE[0] + 1)] * 2, 2

    first, second = Truth(FIRST, AXIAL), Truth(lambda points: 2 * FIRST.rounded(points) + 7, AXIAL)
    kinds: tuple[tuple[str, Callable[[Dataset], None], tuple[Truth, ...]], ...] = (
        ("frames shuffled", shuffled, (first,)),
        ("gated", gated, (first, second)),
    )
    for name, edit, truths in kinds:
        told = "The Slice Vector says which frame is which slice."
        yield Case(f"NM tomogram, {name}", "multi-frame", told, _nuclear(edit), truths)

    def uneven(ds: Dataset) -> None:
        ds.GridFrameOffsetVector = ["0", "-2.5", "-5", "-8.5", "-11", "-12.5"]

    def short(ds: Dataset) -> None:
        ds.GridFrameOffsetVector = ds.GridFrameOffsetVector[:-1]

    def without(ds: Dataset) -> None:
        del ds.GridFrameOffsetVector

    lost = frozenset({"POSITION_MISSING", "FRAMES_CONTRADICT"})
    for name, edit, codes in (
        ("offsets uneven", uneven, UNEVEN),
        ("one offset fewer", short, lost | {"SLICE_GAP"}),
        ("no offsets", without, lost),
    ):
        yield Case(f"RT Dose, {name}", "multi-frame", "No even lattice follows.", _dose(edit), (), codes)


def _nuclear(edit: Callable[[Dataset], None]) -> Callable[[Path], object]:
    return lambda folder: write_nm(FIRST, AXIAL, folder / "nm.dcm", edit=edit)


def _dose(edit: Callable[[Dataset], None]) -> Callable[[Path], object]:
    return lambda folder: write_dose(FIRST, AXIAL, folder / "dose.dcm", edit=edit)
