"""Cases of the conformance suite: where slices lie. Orientations, orders, spacings, tilts, gaps, single slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from isocenter.geometry import Grid, Space
from isocenter.testing.dicom import Style, write_series
from isocenter.testing.truth import Case, Ramp, Truth

SHAPE = (6, 8, 10)
SPACING_MM = (2.5, 1.25, 1.5)
RESAMPLED = 1.02
"""Tolerance of values that were rounded twice."""
VALUE = Ramp(40.0)

Vector = Sequence[float]


def grid_along(
    columns: Vector, rows: Vector, *, shape: Sequence[int] = SHAPE, spacing_mm: Sequence[float] = SPACING_MM
) -> Grid:
    """Grid whose column index grows along one direction and whose row index along another; right-handed."""
    across, down = (np.asarray(v, float) / np.linalg.norm(v) for v in (columns, rows))
    direction = np.column_stack([np.cross(down, across), down, across])
    return Grid.from_vectors(shape, spacing_mm=spacing_mm, origin_mm=(-21.5, 13.25, 87.0), direction=direction)


AXIAL = grid_along((1, 0, 0), (0, 1, 0))


def sheared(grid: Grid, angle_degrees: float, axis: int = 1) -> Grid:
    """The grid with its slices shifted against each other along rows (1) or columns (2), as by a tilted gantry."""
    affine = grid.affine.copy()
    affine[:3, 0] += np.tan(np.radians(angle_degrees)) * grid.spacing_mm[0] * grid.direction[:, axis]
    return Grid(grid.shape, affine)


def moved(grid: Grid, by_mm: npt.ArrayLike) -> Grid:
    """The grid at another place."""
    affine = grid.affine.copy()
    affine[:3, 3] += np.asarray(by_mm, float)
    return Grid(grid.shape, affine)


def turned(*turns: tuple[int, float]) -> npt.NDArray[np.float64]:
    """Columns' and rows' direction of an axial image after turns about x, y or z (0, 1, 2) by degrees."""
    whole = np.eye(3)
    for axis, degrees in turns:
        a, b = (axis + 1) % 3, (axis + 2) % 3
        turn, angle = np.eye(3), np.radians(degrees)
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[b, a] = np.sin(angle)
        turn[a, b] = -turn[b, a]
        whole = turn @ whole
    return whole[:, :2].T


def plain(
    name: str, told: str, grid: Grid = AXIAL, *, style: Style | None = None, truth: dict[str, Any] | None = None
) -> Case:
    """A case of one CT series that has to be read."""
    written = style or Style(bits_stored=12, rescale=(1.0, -1024.0), is_signed=False)

    def writer(folder: Path) -> None:
        write_series(VALUE, grid, folder, style=written)

    return Case(name, "geometry", told, writer, (Truth(VALUE, grid, **(truth or {})),))


def edited(edit: Callable[[int, Dataset], None], **options: Any) -> Style:
    """The style of :func:`plain` with a change of each data set."""
    return Style(bits_stored=12, rescale=(1.0, -1024.0), is_signed=False, edit=edit, **options)


def geometry_cases() -> Iterator[Case]:
    """All cases of this module."""
    yield from _orientations()
    yield from _orders()
    yield from _spacings()
    yield from _tilts()
    yield from _uneven()
    yield from _few()
    yield from _damaged()


def _orientations() -> Iterator[Case]:
    words = {
        "axial": ((1, 0, 0), (0, 1, 0)),
        "coronal": ((1, 0, 0), (0, 0, -1)),
        "sagittal": ((0, 1, 0), (0, 0, -1)),
        "prone, head first": ((-1, 0, 0), (0, -1, 0)),
        "decubitus right, head first": ((0, 1, 0), (-1, 0, 0)),
        "decubitus left, head first": ((0, -1, 0), (1, 0, 0)),
        "supine, feet first": ((-1, 0, 0), (0, 1, 0)),
        "prone, feet first": ((1, 0, 0), (0, -1, 0)),
        "decubitus right, feet first": ((0, -1, 0), (-1, 0, 0)),
        "decubitus left, feet first": ((0, 1, 0), (1, 0, 0)),
    }
    for name, (columns, rows) in words.items():
        yield plain(name, f"Columns run along {columns}, rows along {rows}.", grid_along(columns, rows))
    yield plain("oblique", "Turned by 17 degrees about x.", grid_along(*turned((0, 17))))
    yield plain("double oblique", "Turned about all three axes.", grid_along(*turned((0, 17), (1, -23), (2, 38))))

    def rounded(_: int, ds: Dataset) -> None:
        ds.ImageOrientationPatient = [f"{x:.4f}" for x in ds.ImageOrientationPatient]

    yield plain(
        "orientation of four decimals",
        "Image Orientation (Patient) is rounded to four decimals.",
        grid_along(*turned((0, 17), (1, -23), (2, 38))),
        style=edited(rounded),
    )


def _orders() -> Iterator[Case]:
    count = SHAPE[0]
    numbers = {
        "InstanceNumber reversed": range(count, 0, -1),
        "InstanceNumber shuffled": (4, 1, 6, 2, 5, 3),
        "InstanceNumber interleaved": (1, 4, 2, 5, 3, 6),
        "InstanceNumber equal in all": (7,) * count,
        "InstanceNumber with holes": (3, 10, 11, 200, 4000, 4001),
    }
    for name, order in numbers.items():
        yield plain(name, "Instance Number does not follow the positions.", style=edited(_same, instance_numbers=order))
    yield plain(
        "InstanceNumber missing", "No Instance Number.", style=edited(_same, attributes={"InstanceNumber": None})
    )
    upward = AXIAL.flip(0)
    yield plain("slices from feet to head", "Files, numbers and positions run upwards.", upward)
    names = ("q", "a", "z.dcm", "b.IMA", "deep/er/1", "00")
    yield plain(
        "file names in no order",
        "File names without order or suffix, one in a folder of its own.",
        style=edited(_same, file_name=names.__getitem__),
    )
    yield plain("SliceLocation lies", "Slice Location runs the other way.", style=edited(_lying_location))


def _same(_: int, ds: Dataset) -> None:
    """Leaves the data set as it is."""


def _lying_location(index: int, ds: Dataset) -> None:
    ds.SliceLocation = f"{100 + 7 * index}"


def _spacings() -> Iterator[Case]:
    yield plain(
        "pixels not square",
        "Twice as high as wide.",
        grid_along((1, 0, 0), (0, 1, 0), spacing_mm=(3.0, 1.6, 0.8)),
    )
    yield plain(
        "pixels not square, sagittal",
        "Wider than high.",
        grid_along((0, 1, 0), (0, 0, -1), spacing_mm=(3.0, 0.7, 1.9)),
    )
    thick: dict[str, dict[str, Any]] = {
        "SliceThickness larger than the distance": {"SliceThickness": "5"},
        "SliceThickness missing": {"SliceThickness": None},
        "SpacingBetweenSlices lies": {"SpacingBetweenSlices": "6"},
        "SpacingBetweenSlices negative": {"SpacingBetweenSlices": "-2.5"},
    }
    for name, attributes in thick.items():
        yield plain(name, "The distance follows from the positions alone.", style=edited(_same, attributes=attributes))
    far = moved(AXIAL, (812.5, -733.25, -1650))
    value = Ramp(14100.0)
    yield Case(
        "far from the origin",
        "geometry",
        "Positions of more than a metre and a half.",
        lambda folder: write_series(value, far, folder),
        (Truth(value, far),),
    )

    def rough(_: int, ds: Dataset) -> None:
        ds.ImagePositionPatient = [f"{x:.2f}" for x in ds.ImagePositionPatient]

    uneven = grid_along(*turned((0, 17), (2, 11)), spacing_mm=(1.667, 1.25, 1.5))
    yield plain(
        "positions of two decimals", "Rounded to 0.01 mm.", uneven, style=edited(rough), truth={"tolerance": 0.7}
    )

    def exponents(_: int, ds: Dataset) -> None:
        ds.ImagePositionPatient = [f"{x:.6E}" for x in ds.ImagePositionPatient]

    yield plain("positions with exponents", "Written as -2.150000E+01.", style=edited(exponents))


def _tilts() -> Iterator[Case]:
    tilted = {"may_be_resampled": True, "tolerance": RESAMPLED}
    oblique = grid_along(*turned((0, 17), (1, -23), (2, 38)))
    for name, grid in {
        "gantry tilt, positive": sheared(AXIAL, 18.5),
        "gantry tilt, negative": sheared(AXIAL, -12),
        "gantry tilt, steep": sheared(AXIAL, 30),
        "gantry tilt about the other axis": sheared(AXIAL, 9, axis=2),
        "gantry tilt, real": _real_tilt(15),
        "gantry tilt, oblique slices": sheared(oblique, 14),
        "gantry tilt, feet to head": sheared(AXIAL, 18.5).flip(0),
    }.items():
        case = plain(name, "The positions run aslant to the slices.", grid, truth=tilted)
        yield replace(case, says=frozenset({"TILT"}))
    yield plain(
        "Gantry/Detector Tilt without shear",
        "The tilt is told by its attribute but taken out of the positions.",
        style=edited(_same, attributes={"GantryDetectorTilt": "15"}),
    )


def _real_tilt(degrees: float) -> Grid:
    """Slices turned about x whose positions run along z, as a CT's table moves."""
    upright = grid_along(*turned((0, degrees)))
    affine = upright.affine.copy()
    affine[:3, 0] = (0, 0, -SPACING_MM[0] / np.cos(np.radians(degrees)))
    return Grid(upright.shape, affine)


def _uneven() -> Iterator[Case]:
    long = grid_along((1, 0, 0), (0, 1, 0), shape=(10, 8, 10), spacing_mm=(1.25, 1.25, 1.5))
    for name, kept in {
        "one slice missing": (0, 1, 2, 3, 5, 6, 7, 8, 9),
        "three slices missing": (0, 1, 2, 6, 7, 8, 9),
        "slices missing in two places": (0, 1, 3, 4, 5, 7, 8, 9),
        "distance varies": (0, 1, 2, 4, 5, 7, 9),
        "distance doubles halfway": (0, 1, 2, 3, 4, 6, 8),
        "last slice far off": (0, 1, 2, 3, 9),
    }.items():
        yield Case(
            name,
            "geometry",
            f"Slices {kept} of ten, 1.25 mm apart.",
            _some_slices(long, kept),
            (Truth(VALUE, long.crop((0, 0, 0), (kept[-1] + 1, 8, 10)), may_be_resampled=True, tolerance=RESAMPLED),),
            refusals=frozenset({"SLICE_GAP", "SPACING_VARIES"}),
        )


def _some_slices(grid: Grid, kept: Sequence[int]) -> Callable[[Path], None]:
    def writer(folder: Path) -> None:
        for index, path in enumerate(write_series(VALUE, grid, folder, style=edited(_same))):
            if index not in kept:
                path.unlink()

    return writer


_PLANE = Grid(
    (1, 8, 10),
    np.array([[0, 0, SPACING_MM[2], 0], [0, SPACING_MM[1], 0, 0], [-1, 0, 0, 0], [0, 0, 0, 1]]),
    space=Space.PLANE,
)
"""A slice of :data:`SPACING_MM` as a picture: x along the columns, y along the rows."""


def _few() -> Iterator[Case]:
    single = grid_along(*turned((0, 17), (2, 11)), shape=(1, 8, 10))
    yield replace(plain("one slice", "With Slice Thickness.", single), says=frozenset({"SINGLE_SLICE"}))
    yield plain("two slices", "Two.", grid_along(*turned((0, 17), (2, 11)), shape=(2, 8, 10)))
    yield plain("one row", "Slices of 1 x 10.", grid_along((1, 0, 0), (0, 1, 0), shape=(4, 1, 10)))
    bare = plain("one slice without thickness", "No depth is known: a picture of known pixel size.", single)
    style = edited(_same, attributes={"SliceThickness": None})
    flat = Truth(lambda points: VALUE(single.to_world(_PLANE.to_index(points))), _PLANE)
    may_refuse = frozenset({"SPACING_MISSING"})
    writer = _writer(style, single)
    yield replace(bare, writer=writer, truths=(flat,), refusals=may_refuse, says=frozenset({"DEPTH_UNKNOWN"}))


def _damaged() -> Iterator[Case]:
    def lost(keyword: str, only: int | None = None) -> Callable[[int, Dataset], None]:
        def edit(index: int, ds: Dataset) -> None:
            if only in (None, index):
                delattr(ds, keyword)

        return edit

    def aslant(_: int, ds: Dataset) -> None:
        ds.ImageOrientationPatient = [1, 0, 0, 0.3, 0.954, 0]

    def empty(_: int, ds: Dataset) -> None:
        ds.ImageOrientationPatient = [0, 0, 0, 0, 0, 0]

    def negative(_: int, ds: Dataset) -> None:
        ds.PixelSpacing = ["0", "1.5"]

    position = frozenset({"POSITION_MISSING"})
    for name, edit, codes in (
        ("position missing in one slice", lost("ImagePositionPatient", 2), position),
        ("position missing in all slices", lost("ImagePositionPatient"), position),
        ("orientation missing in one slice", lost("ImageOrientationPatient", 3), position),
        ("orientation missing in all slices", lost("ImageOrientationPatient"), position),
        ("pixel spacing missing", lost("PixelSpacing"), frozenset({"SPACING_MISSING"})),
        ("pixel spacing of nought", negative, frozenset({"SPACING_MISSING"})),
        ("orientation not perpendicular", aslant, frozenset({"ORIENTATION_INVALID"})),
        ("orientation of noughts", empty, frozenset({"ORIENTATION_INVALID"})),
    ):
        style = edited(edit)
        yield Case(name, "geometry", "No right place can be told.", _writer(style), refusals=codes)


def _writer(style: Style, grid: Grid = AXIAL) -> Callable[[Path], object]:
    return lambda folder: write_series(VALUE, grid, folder, style=style)
