"""Cases of the conformance suite: many frames in one file. Enhanced objects, mosaics, NM, RT Dose, maps, masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, dcmread
from pydicom import Sequence as Items
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import UID

from isocenter.geometry import Grid
from isocenter.testing.cases_geometry import AXIAL, RESAMPLED, SHAPE, grid_along, moved, sheared, turned
from isocenter.testing.multiframe import Many, Stack, write_many
from isocenter.testing.tiled import write_dose, write_mosaic, write_nm
from isocenter.testing.truth import Case, Points, Ramp, Truth

CT = Many()
MR = Many(kind="MR", rescale=None)
FIRST, SECOND, THIRD = Ramp(40.0), Ramp(260.0, (2.3, -4.1, 6.7)), Ramp(900.0, (-1.9, 3.7, 2.9))
OBLIQUE = grid_along(*turned((0, 17), (1, -23), (2, 38)))
SHUFFLED = (3, 0, 5, 1, 4, 2)
NO_CODES: frozenset[str] = frozenset()


def enhanced(
    name: str,
    told: str,
    stacks: Sequence[Stack] | Ramp = FIRST,
    *,
    many: Many = CT,
    codes: frozenset[str] = NO_CODES,
    **truth: Any,
) -> Case:
    """A case of one multi-frame file; a value stands for one axial stack."""
    written = [Stack(stacks, AXIAL)] if isinstance(stacks, Ramp) else stacks
    truths = tuple(Truth(one.value, one.grid, name=f"volume {n + 1}", **truth) for n, one in enumerate(written))
    return Case(name, "multi-frame", told, lambda f: write_many(written, f / "many.dcm", many=many), truths, codes)


def multiframe_cases() -> Iterator[Case]:
    """All cases of this module."""
    yield from _single_volumes()
    yield from _several_volumes()
    yield from _encoded()
    yield from _damaged()
    yield from _several_files()
    yield from _maps()
    yield from _masks()
    yield from _mosaics()
    yield from _nuclear()
    yield from _doses()


# --- enhanced objects ------------------------------------------------------------------------------------------------


def _single_volumes() -> Iterator[Case]:
    rescales = [(1.0, -1024.0 + 16 * k) for k in range(SHAPE[0])]
    yield enhanced("Enhanced CT, rescale shared", "One Pixel Value Transformation for all frames.")
    own = replace(CT, shared=frozenset({"orientation", "measures"}), rescale=rescales)
    yield enhanced("Enhanced CT, rescale per frame", "Each frame has its own intercept.", many=own)
    every = replace(CT, shared=frozenset())
    yield enhanced("Enhanced CT, all groups per frame", "Nothing is shared.", many=every)
    yield enhanced("Enhanced CT, frames shuffled", "Frames in no order.", many=replace(CT, order=SHUFFLED))
    both = replace(own, order=SHUFFLED)
    yield enhanced("Enhanced CT, shuffled, rescale per frame", "Both at once.", many=both)
    yield enhanced("Enhanced CT, double oblique", "Turned.", [Stack(FIRST, OBLIQUE)])
    yield enhanced("Enhanced CT, feet to head", "Frames upwards.", [Stack(FIRST, AXIAL.flip(0))])
    narrow = grid_along((0, 1, 0), (0, 0, -1), spacing_mm=(3.0, 0.7, 1.9))
    yield enhanced("Enhanced CT, pixels not square", "Sagittal.", [Stack(FIRST, narrow)])
    tilted = [Stack(FIRST, sheared(AXIAL, 15))]
    yield enhanced("Enhanced CT, gantry tilt", "Sheared.", tilted, may_be_resampled=True, tolerance=RESAMPLED)
    yield enhanced(
        "Enhanced CT, one frame", "A single slice.", [Stack(FIRST, grid_along((1, 0, 0), (0, 1, 0), shape=(1, 8, 10)))]
    )
    yield enhanced("Enhanced MR", "No rescale.", many=MR)
    yield enhanced("Enhanced MR, signed", "Below zero too.", Ramp(-800.0), many=replace(MR, dtype="<i2"))
    philips = replace(MR, rescale=(1.7936, -200.0))
    stored = Ramp(240 / 1.7936, (3.1 / 1.7936, 5.3 / 1.7936, 7.9 / 1.7936))
    yield enhanced("Enhanced MR, rescaled", "As Philips writes it.", many=philips, tolerance=0.9, others=(stored,))
    slopes = [(0.3 + 0.37 * k, 0.0) for k in range(SHAPE[0])]
    pet = Many(kind="PT", rescale=slopes, shared=frozenset({"orientation", "measures"}), attributes={"Units": "BQML"})
    yield enhanced("Enhanced PET, slope per frame", "Bq/ml.", many=pet, tolerance=1.1)
    yield enhanced("Legacy Converted CT", "Made of single-frame images.", many=replace(CT, kind="legacy CT"))
    yield enhanced("Legacy Converted MR", "Made of single-frame images.", many=replace(MR, kind="legacy MR"))
    gaps = [Stack(FIRST, AXIAL)]
    kept = replace(CT, order=(0, 1, 2, 4, 5))
    missing = enhanced(
        "Enhanced CT, frame missing", "One of six.", gaps, many=kept, may_be_resampled=True, tolerance=RESAMPLED
    )
    yield replace(missing, refusals=frozenset({"SLICE_GAP"}))


def _several_volumes() -> Iterator[Case]:
    below = moved(grid_along((0, 1, 0), (0, 0, -1)), (0, 0, -40))
    stacks = [Stack(FIRST, AXIAL, "1"), Stack(SECOND, below, "2")]
    mixed = replace(MR, shared=frozenset(), order=[k + n * SHAPE[0] for k in range(SHAPE[0]) for n in (0, 1)])
    yield enhanced(
        "Enhanced MR, two stacks", "An axial and a sagittal one.", stacks, many=replace(MR, shared=frozenset())
    )
    yield enhanced("Enhanced MR, two stacks, mixed", "Frames of both in turn.", stacks, many=mixed)
    further: tuple[tuple[str, str, dict[str, Sequence[float]]], ...] = (
        ("times", "Temporal Position Index.", {"time": (1, 2, 3)}),
        ("echoes", "Effective Echo Time.", {"echo_time_ms": (2.46, 4.92, 7.38)}),
        ("b-values", "Diffusion b-value.", {"b_value": (0.0, 500.0, 1000.0)}),
    )
    turns = [k + n * SHAPE[0] for k in range(SHAPE[0]) for n in range(3)]
    for name, told, ((keyword, numbers),) in ((a, b, tuple(c.items())) for a, b, c in further):
        volumes = [
            Stack(value, AXIAL, **{keyword: number})  # type: ignore[arg-type]
            for value, number in zip((FIRST, SECOND, THIRD), numbers, strict=True)
        ]
        yield enhanced(f"Enhanced MR, three {name}", told, volumes, many=MR)
        yield enhanced(f"Enhanced MR, three {name}, slice by slice", told, volumes, many=replace(MR, order=turns))
    times = [Stack(FIRST, AXIAL, time=1), Stack(SECOND, AXIAL, time=2)]
    yield enhanced("Enhanced CT, two times", "A dynamic scan.", times)
    unmarked = [Stack(FIRST, AXIAL), Stack(SECOND, AXIAL)]
    held = enhanced("Enhanced CT, two volumes that nothing tells apart", "True ambiguity.", unmarked)
    yield replace(held, truths=(), refusals=frozenset({"DUPLICATE_POSITION", "SERIES_INCONSISTENT"}))


def _encoded() -> Iterator[Case]:
    for syntax in (
        "implicit",
        "deflated",
        "RLE",
        "JPEG lossless SV1",
        "JPEG-LS",
        "JPEG 2000 lossless",
        "HTJ2K lossless",
    ):
        yield enhanced(f"Enhanced CT, {syntax}", "In this transfer syntax.", many=replace(CT, syntax=syntax))

    def in_pieces(ds: Dataset, **options: Any) -> None:
        frames = list(generate_frames(ds.PixelData, number_of_frames=SHAPE[0]))
        ds.PixelData = encapsulate(frames, **options)

    def fragmented(ds: Dataset) -> None:
        in_pieces(ds, fragments_per_frame=3)

    def bare(ds: Dataset) -> None:
        in_pieces(ds, has_bot=False)

    def both(ds: Dataset) -> None:
        in_pieces(ds, fragments_per_frame=3, has_bot=False)

    ls = replace(CT, syntax="JPEG-LS")
    yield enhanced("Enhanced CT, three fragments a frame", "With an offset table.", many=replace(ls, edit=fragmented))
    yield enhanced("Enhanced CT, no offset table", "One fragment a frame.", many=replace(ls, edit=bare))
    yield enhanced("Enhanced CT, fragments without offset table", "Three a frame.", many=replace(ls, edit=both))


def _damaged() -> Iterator[Case]:
    position, spacing = frozenset({"POSITION_MISSING"}), frozenset({"SPACING_MISSING"})
    for name, group, codes in (
        ("positions", "PlanePositionSequence", position),
        ("orientation", "PlaneOrientationSequence", position),
        ("pixel measures", "PixelMeasuresSequence", spacing),
    ):
        lost = enhanced(
            f"Enhanced CT without {name}", "The group is missing.", many=replace(CT, left_out=frozenset({group}))
        )
        yield replace(lost, truths=(), refusals=codes)

    def fewer(ds: Dataset) -> None:
        ds.PerFrameFunctionalGroupsSequence = Items(ds.PerFrameFunctionalGroupsSequence[:-1])

    def short(ds: Dataset) -> None:
        ds.PixelData = ds.PixelData[:-40]

    def no_rescale(ds: Dataset) -> None:
        del ds.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence

    truncated = frozenset({"PIXELS_TRUNCATED", "FRAMES_CONTRADICT"})
    odd = frozenset({"SERIES_INCONSISTENT", "UNSUPPORTED", "POSITION_MISSING", "FRAMES_CONTRADICT"})
    for name, told, edit, codes in (
        ("Enhanced CT, group of one frame missing", "Five groups for six frames.", fewer, odd),
        ("Enhanced CT, pixel data too short", "Twenty pixels fewer.", short, truncated),
        ("Enhanced CT without rescale", "Unsigned values from 0.", no_rescale, frozenset({"RESCALE_UNKNOWN"})),
    ):
        yield replace(enhanced(name, told, many=replace(CT, edit=edit)), truths=(), refusals=codes)


def _several_files() -> Iterator[Case]:
    def concatenated(folder: Path) -> None:
        """One volume in two files (PS3.3 C.7.6.16.2.2.4)."""
        for part, order in enumerate(((0, 1, 2), (3, 4, 5))):
            path = write_many([Stack(FIRST, AXIAL)], folder / f"{part}.dcm", many=replace(CT, order=order))
            ds = dcmread(path)
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(f"{ds.SOPInstanceUID}.{part + 1}")
            ds.ConcatenationUID, ds.InConcatenationNumber, ds.InConcatenationTotalNumber = "2.25.7", part + 1, 2
            ds.ConcatenationFrameOffsetNumber, ds.InstanceNumber = 3 * part, part + 1
            ds.save_as(path)

    def one_each(folder: Path) -> None:
        """Enhanced objects of one frame each, as some scanners write them."""
        for index in range(SHAPE[0]):
            path = write_many([Stack(FIRST, AXIAL)], folder / f"{index}.dcm", many=replace(CT, order=(index,)))
            ds = dcmread(path)
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(f"{ds.SOPInstanceUID}.{index + 1}")
            ds.InstanceNumber = index + 1
            ds.save_as(path)

    truth = (Truth(FIRST, AXIAL),)
    yield Case("Enhanced CT in two files", "multi-frame", "A concatenation of three frames each.", concatenated, truth)
    yield Case("Enhanced CT, one frame a file", "multi-frame", "Six files make the volume.", one_each, truth)


# --- maps and masks --------------------------------------------------------------------------------------------------


def _maps() -> Iterator[Case]:
    fine = Ramp(0.04, (0.0031, 0.0053, 0.0079))
    for name, dtype in (("float", "<f4"), ("double", "<f8")):
        many = Many(kind="parametric map", dtype=dtype, rescale=None, edit=_map_itself)
        told = "Values are stored as they are."
        yield enhanced(f"parametric map, {name}", told, fine, many=many, tolerance=1e-5)
    whole = Many(kind="parametric map", rescale=None, edit=_map_by_quarter)
    quarter = Ramp(10 + 40 / 4, (3.1 / 4, 5.3 / 4, 7.9 / 4))
    mapped = enhanced("parametric map, whole numbers", "Stored values are to be mapped.", many=whole)
    yield replace(mapped, truths=(Truth(quarter, AXIAL, tolerance=0.13, others=(FIRST.rounded,)),))


def _map_itself(ds: Dataset) -> None:
    _put_map(ds, 1.0, 0.0)


def _map_by_quarter(ds: Dataset) -> None:
    _put_map(ds, 0.25, 10.0)


def _put_map(ds: Dataset, slope: float, intercept: float) -> None:
    unit = Dataset()
    unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "um2/s", "UCUM", "um2/s"
    item = Dataset()
    item.RealWorldValueSlope, item.RealWorldValueIntercept = slope, intercept
    item.DoubleFloatRealWorldValueFirstValueMapped = -1e6
    item.DoubleFloatRealWorldValueLastValueMapped = 1e6
    item.LUTExplanation, item.LUTLabel = "ADC", "ADC"
    item.MeasurementUnitsCodeSequence = Items([unit])
    ds.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence = Items([item])


def _masks() -> Iterator[Case]:
    def inside(points: Points) -> npt.NDArray[np.float64]:
        return (FIRST(points) > 700).astype(float)

    def below(points: Points) -> npt.NDArray[np.float64]:
        return (SECOND(points) < 700).astype(float)

    mask = Many(kind="segmentation", dtype="bits", rescale=None, edit=_describe_segments)
    odd = grid_along((1, 0, 0), (0, 1, 0), shape=(5, 7, 9))
    for name, grid in (("", AXIAL), (", frames of odd size", odd)):
        stacks = [Stack(inside, grid, segment=1), Stack(below, grid, segment=2)]
        truths = tuple(Truth(stack.value, grid, name=f"segment {stack.segment}") for stack in stacks)
        writer = _writer(stacks, mask)
        yield Case(f"segmentation{name}", "multi-frame", "Two masks of one bit a pixel.", writer, truths)


def _writer(stacks: Sequence[Stack], many: Many) -> Callable[[Path], object]:
    return lambda folder: write_many(stacks, folder / "many.dcm", many=many)


def _describe_segments(ds: Dataset) -> None:
    ds.SegmentationType, ds.ContentLabel, ds.SegmentsOverlap = "BINARY", "MASKS", "YES"
    ds.ContentDescription, ds.ContentCreatorName, ds.LossyImageCompression = "", "", "00"
    segments = []
    for number, meaning in ((1, "Liver"), (2, "Spleen")):
        item = Dataset()
        item.SegmentNumber, item.SegmentLabel, item.SegmentAlgorithmType = number, meaning, "MANUAL"
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "10200004", "SCT", meaning
        item.SegmentedPropertyCategoryCodeSequence = item.SegmentedPropertyTypeCodeSequence = Items([code])
        segments.append(item)
    ds.SegmentSequence = Items(segments)


# --- without functional groups ---------------------------------------------------------------------------------------


def _mosaics() -> Iterator[Case]:
    grids = {
        "axial, feet to head": AXIAL.flip(0),
        "axial, head to feet": AXIAL,
        "sagittal": grid_along((0, 1, 0), (0, 0, -1)),
        "double oblique": OBLIQUE,
    }
    for name, grid in grids.items():
        told = "Six slices as tiles of one picture; their place is in the CSA header."
        yield Case(f"mosaic, {name}", "multi-frame", told, _mosaic((FIRST,), grid), (Truth(FIRST, grid),))
    truths = tuple(Truth(value, OBLIQUE, name=f"time {n}") for n, value in enumerate((FIRST, SECOND, THIRD), 1))
    yield Case(
        "mosaic, three times", "multi-frame", "Three pictures.", _mosaic((FIRST, SECOND, THIRD), OBLIQUE), truths
    )

    def without(ds: Dataset) -> None:
        for tag in [element.tag for element in ds if element.tag.is_private]:
            del ds[tag]

    truth = Truth(FIRST, OBLIQUE)
    bare = Case(
        "mosaic without CSA header", "multi-frame", "Anonymised.", _mosaic((FIRST,), OBLIQUE, without), (truth,)
    )
    yield replace(bare, refusals=frozenset({"UNSUPPORTED", "MOSAIC_UNCLEAR"}))


def _mosaic(
    values: Sequence[Ramp], grid: Grid, edit: Callable[[Dataset], None] | None = None
) -> Callable[[Path], None]:
    def writer(folder: Path) -> None:
        for number, value in enumerate(values, 1):
            write_mosaic(value, grid, folder / f"{number}.dcm", name=str(number), edit=edit)

    return writer


def _nuclear() -> Iterator[Case]:
    for name, grid in (("upwards", AXIAL.flip(0)), ("downwards", AXIAL), ("oblique", OBLIQUE)):
        told = "A reconstructed volume; the sign of Spacing Between Slices says where it goes."
        yield Case(
            f"NM tomogram, {name}",
            "multi-frame",
            told,
            lambda folder, grid=grid: write_nm(FIRST, grid, folder / "nm.dcm"),  # type: ignore[misc]
            (Truth(FIRST, grid),),
        )


def _doses() -> Iterator[Case]:
    dose, upward = Ramp(40.0), AXIAL.flip(0)
    z_mm = upward.origin_mm[2]

    def swapped(ds: Dataset) -> None:
        """Frames in the other order, with their offsets; the position is that of the first frame."""
        frames = np.frombuffer(ds.PixelData, np.uint32).reshape(SHAPE)[::-1]
        ds.PixelData = frames.tobytes()
        ds.GridFrameOffsetVector = ds.GridFrameOffsetVector[::-1]
        ds.ImagePositionPatient = [*ds.ImagePositionPatient[:2], ds.GridFrameOffsetVector[0]]

    kinds: tuple[tuple[str, str, Grid, float, Callable[[Dataset], None] | None], ...] = (
        ("offsets from the first plane", "They begin at 0.", upward, 0.0, None),
        ("offsets downwards", "They begin at 0 and fall.", AXIAL, 0.0, None),
        ("offsets are z coordinates", "They begin at the position's z.", upward, z_mm, None),
        ("offsets oblique", "Along the normal.", OBLIQUE, 0.0, None),
        ("z coordinates in falling order", "The first frame is the last plane.", upward, z_mm, swapped),
    )
    for name, told, grid, first, edit in kinds:
        writer = _dose(dose, grid, first, edit)
        yield Case(f"RT Dose, {name}", "multi-frame", told, writer, (Truth(dose, grid, tolerance=0.01),))


def _dose(value: Ramp, grid: Grid, first: float, edit: Callable[[Dataset], None] | None) -> Callable[[Path], object]:
    return lambda folder: write_dose(value, grid, folder / "dose.dcm", first_offset_mm=first, edit=edit)
