"""Cases of the conformance suite: which files make a volume. Phases, echoes, localizers, copies, studies, strangers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.fileset import FileSet
from pydicom.uid import ExplicitVRLittleEndian

from isocenter.geometry import Grid
from isocenter.testing.cases_geometry import AXIAL, SHAPE, SPACING_MM, grid_along, moved, turned
from isocenter.testing.dicom import Style, uid_of, write_series
from isocenter.testing.truth import Case, Ramp, Truth

CT = Style(bits_stored=12, is_signed=False)
MR = Style(modality="MR", rescale=None)
LATER = range(SHAPE[0] + 1, 2 * SHAPE[0] + 1)
"""Instance Numbers of a second volume in the series."""
FIRST, SECOND = Ramp(40.0), Ramp(260.0, (2.3, -4.1, 6.7))
"""Values of two volumes; no voxel has both."""

Attributes = Mapping[str, Any]
"""Keyword -> value; under :data:`_PRIVATE` group, creator, element and text of a private attribute."""
_PRIVATE = "private"


def write_part(
    folder: Path, name: str, value: Ramp, grid: Grid = AXIAL, *, style: Style = CT, attributes: Attributes | None = None
) -> tuple[Path, ...]:
    """Write one volume into a series that may hold others; its name makes its files and instances its own."""
    given = dict(attributes or {})
    private = given.pop(_PRIVATE, None)

    def edit(index: int, ds: Dataset) -> None:
        ds.SOPInstanceUID = uid_of(style.seed, name, index)
        if private is not None:
            group, creator, element, text = private
            ds.private_block(group, creator, create=True).add_new(element, "IS", text)
        style.edit(index, ds)

    merged = {**style.attributes, **given}
    named = replace(style, edit=edit, attributes=merged, file_name=lambda index: f"{name}{index:02d}.dcm")
    return write_series(value, grid, folder, style=named)


def grouping_cases() -> Iterator[Case]:
    """All cases of this module."""
    yield from _marked()
    yield from _several()
    yield from _unmarked()
    yield from _apart()
    yield from _copies()
    yield from _folders()
    yield from _identities()


# --- volumes at the same positions -----------------------------------------------------------------------------------


def _marked() -> Iterator[Case]:
    """Two volumes at the same positions in one series, told apart by one attribute."""
    kinds: dict[str, tuple[Style, Attributes, Attributes]] = {
        "acquisitions": (CT, {"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}),
        "temporal positions": (MR, {"TemporalPositionIdentifier": 1}, {"TemporalPositionIdentifier": 2}),
        "trigger times": (MR, {"TriggerTime": "0"}, {"TriggerTime": "412.5"}),
        "acquisition times": (CT, {"AcquisitionTime": "101010.5"}, {"AcquisitionTime": "101040.25"}),
        "content times": (MR, {"ContentTime": "101010.000000"}, {"ContentTime": "101013.000000"}),
        "echoes by number": (MR, {"EchoNumbers": 1}, {"EchoNumbers": 2}),
        "echoes by time": (MR, {"EchoTime": "2.46"}, {"EchoTime": "4.92"}),
        "b-values": (MR, {"DiffusionBValue": 0.0}, {"DiffusionBValue": 800.0}),
        "b-values, Siemens": (
            MR,
            _private(0x0019, "SIEMENS MR HEADER", 0x0C, "0"),
            _private(0x0019, "SIEMENS MR HEADER", 0x0C, "800"),
        ),
        "b-values, GE": (
            MR,
            _private(0x0043, "GEMS_PARM_01", 0x39, "0\\8\\0\\0"),
            _private(0x0043, "GEMS_PARM_01", 0x39, "800\\8\\0\\0"),
        ),
        "convolution kernels": (CT, {"ConvolutionKernel": "B30f"}, {"ConvolutionKernel": "B70f"}),
        "magnitude and phase": (MR, _type_of("M"), _type_of("P")),
        "real and imaginary part": (
            MR,
            {**_type_of("OTHER"), "ComplexImageComponent": "REAL"},
            {**_type_of("OTHER"), "ComplexImageComponent": "IMAGINARY"},
        ),
        "original and derived": (CT, {}, {"ImageType": ["DERIVED", "SECONDARY", "AXIAL"]}),
    }
    for name, (style, one, other) in kinds.items():
        yield _pair(f"two {name}", f"Told apart by {', '.join(other)}.", style, (one, other))
    yield _pair(
        "two acquisitions, numbers repeated",
        "Both volumes count from 1.",
        CT,
        ({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}),
        ({}, {}),
    )
    interleaved = {"instance_numbers": range(1, 2 * SHAPE[0], 2)}, {"instance_numbers": range(2, 2 * SHAPE[0] + 1, 2)}
    yield _pair(
        "two echoes, numbers interleaved",
        "Instance Number runs through both echoes of a slice, then to the next slice.",
        MR,
        ({"EchoTime": "2.46"}, {"EchoTime": "4.92"}),
        interleaved,
    )


def _private(group: int, creator: str, element: int, text: str) -> Attributes:
    """A private attribute of numbers as text, by its tags."""
    return {_PRIVATE: (group, creator, element, text)}


def _type_of(kind: str) -> Attributes:
    return {"ImageType": ["ORIGINAL", "PRIMARY", kind, "ND"]}


def _pair(
    name: str,
    told: str,
    style: Style,
    attributes: tuple[Attributes, Attributes],
    options: tuple[dict[str, Any], dict[str, Any]] = ({}, {"instance_numbers": LATER}),
) -> Case:
    def writer(folder: Path) -> None:
        for label, value, own, option in zip("ab", (FIRST, SECOND), attributes, options, strict=True):
            write_part(folder, label, value, style=replace(style, **option), attributes=own)

    return Case(
        name, "grouping", told, writer, (Truth(FIRST, AXIAL, name="first"), Truth(SECOND, AXIAL, name="second"))
    )


def _several() -> Iterator[Case]:
    """More than two volumes."""

    def numbered(place: int) -> Style:
        return replace(MR, instance_numbers=range(1 + place * SHAPE[0], 1 + (place + 1) * SHAPE[0]))

    values = {(t, e): Ramp(300.0 * t + 900 * e, (2.3 + t, -4.1, 6.7 - e)) for t in range(1, 4) for e in (1, 2)}

    def dynamic(folder: Path) -> None:
        for time in (1, 2, 3):
            extra = {"TemporalPositionIdentifier": time, "NumberOfTemporalPositions": 3}
            write_part(folder, f"t{time}", values[time, 1], style=numbered(time - 1), attributes=extra)

    def both(folder: Path) -> None:
        for place, ((time, echo), value) in enumerate(values.items()):
            extra = {"TemporalPositionIdentifier": time, "EchoNumbers": echo, "EchoTime": f"{echo * 2.3:g}"}
            write_part(folder, f"t{time}e{echo}", value, style=numbered(place), attributes=extra)

    told = tuple(Truth(value, AXIAL, name=f"time {t}") for (t, e), value in values.items() if e == 1)
    yield Case("three temporal positions", "grouping", "A dynamic series.", dynamic, told)
    every = tuple(Truth(value, AXIAL, name=f"time {t}, echo {e}") for (t, e), value in values.items())
    yield Case("three times with two echoes", "grouping", "Six volumes in one series.", both, every)
    half = moved(AXIAL, (0, 0, -SPACING_MM[0] / 2))

    def woven(folder: Path) -> None:
        write_part(folder, "a", FIRST, style=MR, attributes={"EchoNumbers": 1})
        write_part(folder, "b", SECOND, half, style=replace(MR, instance_numbers=LATER), attributes={"EchoNumbers": 2})

    pair = Truth(FIRST, AXIAL, name="echo 1"), Truth(SECOND, half, name="echo 2")
    yield Case(
        "echoes between each other", "grouping", "The slices of one lie between those of the other.", woven, pair
    )


def _unmarked() -> Iterator[Case]:
    """Several slices at one position and no attribute that divides them."""
    codes = frozenset({"DUPLICATE_POSITION", "SERIES_INCONSISTENT", "PART_INCOMPLETE"})

    def ambiguous(folder: Path) -> None:
        write_part(folder, "a", FIRST)
        write_part(folder, "b", SECOND)

    def shuffled(folder: Path) -> None:
        write_part(folder, "a", FIRST, style=replace(CT, instance_numbers=(1, 9, 3, 11, 5, 7)))
        write_part(folder, "b", SECOND, style=replace(CT, instance_numbers=(8, 2, 10, 4, 12, 6)))

    def incomplete(folder: Path) -> None:
        write_part(folder, "a", FIRST, style=MR, attributes={"EchoNumbers": 1})
        for path in write_part(folder, "b", SECOND, style=MR, attributes={"EchoNumbers": 2})[3:]:
            path.unlink()

    def copy_of_one(folder: Path) -> None:
        write_part(folder, "a", FIRST)
        for path in write_part(folder, "b", FIRST)[1:]:
            path.unlink()

    yield Case("two volumes that nothing tells apart", "grouping", "True ambiguity.", ambiguous, refusals=codes)
    yield Case("two volumes, numbers shuffled", "grouping", "Even their order says nothing.", shuffled, refusals=codes)
    halves = Truth(FIRST, AXIAL), Truth(SECOND, AXIAL.crop((0, 0, 0), (3, *SHAPE[1:])))
    yield Case("second echo incomplete", "grouping", "Three of six slices.", incomplete, halves, refusals=codes)
    yield Case(
        "one slice twice under another UID",
        "grouping",
        "The copy differs in its SOP Instance UID alone.",
        copy_of_one,
        (Truth(FIRST, AXIAL),),
        refusals=codes,
    )


# --- slices that do not belong ---------------------------------------------------------------------------------------


def _apart() -> Iterator[Case]:
    """A volume and other images in one series."""
    coronal = grid_along((1, 0, 0), (0, 0, -1), shape=(1, 12, 14), spacing_mm=(5, 2, 2))
    sagittal = grid_along((0, 1, 0), (0, 0, -1), shape=(1, *SHAPE[1:]))
    turned_grid = grid_along(*turned((0, 25)), shape=(2, *SHAPE[1:]))
    larger = grid_along((1, 0, 0), (0, 1, 0), shape=(3, 12, 10))
    coarser = moved(grid_along((1, 0, 0), (0, 1, 0), spacing_mm=(2.5, 2.0, 2.0)), (0, 0, -200))
    far = moved(AXIAL, (0, 0, -120))
    local = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
    whole = frozenset({"SLICE_GAP", "SPACING_VARIES"})
    kinds: tuple[tuple[str, str, Grid, Attributes, frozenset[str]], ...] = (
        ("localizer of other size", "A coronal scout in the series.", coronal, local, frozenset()),
        ("localizer of the same size", "A sagittal scout of as many rows and columns.", sagittal, local, frozenset()),
        ("localizer that does not say so", "A sagittal slice of the same size.", sagittal, {}, frozenset()),
        ("slices of another orientation", "Two slices are turned by 25 degrees.", turned_grid, {}, frozenset()),
        ("slices of another matrix", "Three slices have more rows.", larger, {}, frozenset()),
        ("slices of another pixel spacing", "A second volume has larger pixels.", coarser, {}, frozenset()),
        ("second stack far below", "Six more slices after 120 mm of nothing.", far, {}, whole),
    )
    for name, told, grid, attributes, codes in kinds:
        is_optional = grid.shape[0] < 3
        truths = Truth(FIRST, AXIAL, name="volume"), Truth(SECOND, grid, name="others", is_optional=is_optional)
        yield Case(name, "grouping", told, _with_others(grid, attributes), truths, refusals=codes)
    frames = _with_others(far, {"FrameOfReferenceUID": uid_of("another frame")})
    truths = Truth(FIRST, AXIAL), Truth(SECOND, far)
    yield Case("another frame of reference", "grouping", "Its coordinates are not comparable.", frames, truths)


def _with_others(grid: Grid, attributes: Attributes) -> Callable[[Path], None]:
    def writer(folder: Path) -> None:
        write_part(folder, "a", FIRST)
        write_part(folder, "s", SECOND, grid, style=replace(CT, instance_numbers=LATER), attributes=attributes)

    return writer


# --- copies ----------------------------------------------------------------------------------------------------------


def _copies() -> Iterator[Case]:
    def every_file_twice(folder: Path) -> None:
        for path in write_part(folder, "a", FIRST):
            shutil.copy(path, path.with_name(f"copy of {path.name}"))

    def in_a_folder(folder: Path) -> None:
        paths = write_part(folder, "a", FIRST)
        (folder / "backup").mkdir()
        for path in paths[:3]:
            shutil.copy(path, folder / "backup" / path.name)

    def other_pixels(folder: Path) -> None:
        paths = write_part(folder, "a", FIRST)
        ds = dcmread(paths[2])
        ds.PixelData = bytes(len(ds.PixelData))
        ds.save_as(folder / "other.dcm")

    def other_header(folder: Path) -> None:
        paths = write_part(folder, "a", FIRST)
        ds = dcmread(paths[2])
        ds.SeriesDescription = "Corrected"
        ds.save_as(folder / "other.dcm")

    truth = (Truth(FIRST, AXIAL),)
    clash = frozenset({"INSTANCE_CONFLICT"})
    said = frozenset({"DUPLICATE_INSTANCE"})
    yield Case("every file twice", "grouping", "Byte for byte, side by side.", every_file_twice, truth, says=said)
    yield Case("copies in a folder below", "grouping", "Three of six files.", in_a_folder, truth, says=said)
    yield Case("one UID, two contents", "grouping", "The pixels differ.", other_pixels, refusals=clash)
    yield Case("one UID, two headers", "grouping", "The pixels are the same.", other_header, truth, refusals=clash)


# --- folders and identities ------------------------------------------------------------------------------------------


def _folders() -> Iterator[Case]:
    def mixed(folder: Path) -> None:
        write_part(folder, "a", FIRST)
        write_part(folder, "b", SECOND, style=replace(CT, seed="other"))

    def same_number(folder: Path) -> None:
        write_part(folder, "a", FIRST)
        uid = {"SeriesInstanceUID": uid_of("second series"), "SeriesNumber": 1}
        write_part(folder, "b", SECOND, style=MR, attributes=uid)

    def strangers(folder: Path) -> None:
        write_part(folder, "a", FIRST)
        (folder / "README.txt").write_text("Nothing to see here.\n" * 30, encoding="utf-8")
        (folder / "empty.dcm").write_bytes(b"")
        (folder / "Thumbs.db").write_bytes(bytes(range(256)) * 8)
        (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")

    def with_directory(folder: Path) -> None:
        directory = FileSet()
        with TemporaryDirectory() as elsewhere:
            for path in write_part(Path(elsewhere), "a", FIRST):
                directory.add(path)
            directory.write(folder)

    def with_report(folder: Path) -> None:
        write_part(folder, "a", FIRST)
        _write_report(folder / "report.dcm", uid_of("isocenter", "series"))

    pair = Truth(FIRST, AXIAL, name="first"), Truth(SECOND, AXIAL, name="second")
    truth = (Truth(FIRST, AXIAL),)
    yield Case("two studies in one folder", "grouping", "Files side by side.", mixed, pair)
    yield Case("two series of one number", "grouping", "One study, one Series Number.", same_number, pair)
    yield Case("strangers in the folder", "grouping", "Text, an empty file, a database.", strangers, truth)
    yield Case("DICOMDIR in the folder", "grouping", "A file set as on a disc.", with_directory, truth)
    yield Case("report in the series", "grouping", "A structured report bears the series' UID.", with_report, truth)


def _write_report(path: Path, series_uid: str) -> None:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.11", uid_of("report")
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid_of("isocenter", "study"), series_uid
    ds.Modality, ds.PatientName, ds.PatientID, ds.InstanceNumber = "SR", "Phantom", "phantom", 99
    ds.PatientBirthDate, ds.ValueType, ds.ContinuityOfContent = "", "CONTAINER", "SEPARATE"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.save_as(path, enforce_file_format=True)


def _identities() -> Iterator[Case]:
    truth = (Truth(FIRST, AXIAL),)
    odd, clash = frozenset({"SERIES_INCONSISTENT"}), frozenset({"INSTANCE_CONFLICT"})
    for name, told, keyword, values, codes in (
        ("two patients in one series", "PatientID changes halfway.", "PatientID", ("phantom", "other"), odd),
        ("two studies in one series", "Study UID changes halfway.", "StudyInstanceUID", ("1.2.3", "1.2.4"), odd),
        ("two acquisitions after each other", "The number changes halfway.", "AcquisitionNumber", (1, 2), frozenset()),
        ("series UID missing", "No Series Instance UID.", "SeriesInstanceUID", ("", ""), odd | {"SERIES_UID_MISSING"}),
        (
            "SOP Instance UID missing",
            "Only the meta headers give one, the same to all.",
            "SOPInstanceUID",
            ("", ""),
            clash,
        ),
        ("frame of reference missing", "None stated.", "FrameOfReferenceUID", ("", ""), frozenset[str]()),
    ):
        yield Case(name, "grouping", told, _halves(keyword, values), truth, refusals=frozenset(codes))


def _halves(keyword: str, values: Sequence[object]) -> Callable[[Path], object]:
    def edit(index: int, ds: Dataset) -> None:
        setattr(ds, keyword, values[0 if index < SHAPE[0] // 2 else 1])

    return lambda folder: write_series(FIRST, AXIAL, folder, style=replace(CT, edit=edit))
