"""Planes: sections of a volume as a radiologist expects them, on any grid, without copying the volume.

Axial sections are seen from the feet and coronal ones from the front, so the patient's right is on the left of the
picture; sagittal ones are seen from the patient's left, so that anterior is on the left of the picture. What is drawn
on a section (contours, letters, scale bar) lives in :mod:`isocenter.report.canvas`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter import codes, windows
from isocenter.geometry import Grid, Space
from isocenter.ops import intensity
from isocenter.volume import Array, Volume

Floats = npt.NDArray[np.float32]

_LETTERS = (("L", "R"), ("P", "A"), ("H", "F"))  # LPS axis -> its letter towards +, its letter towards -
_LETTER_COSINE = 0.17  # an axis 10 degrees or more off its main direction gets a second letter


class Plane(StrEnum):
    """The three planes of a body."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"


_TOWARDS = {Plane.AXIAL: "IPL", Plane.CORONAL: "PIL", Plane.SAGITTAL: "LIP"}  # where (section, down, right) go
_UNPLACED = {Plane.AXIAL: (0, 1, 2), Plane.CORONAL: (1, 0, 2), Plane.SAGITTAL: (2, 0, 1)}
_KINDS = {Plane.AXIAL: "picture", Plane.CORONAL: "row", Plane.SAGITTAL: "column"}  # of the same axes
_COUNTED_FROM = {Plane.AXIAL: "head", Plane.CORONAL: "front", Plane.SAGITTAL: "right"}
NORMAL_AXIS = {Plane.AXIAL: 2, Plane.CORONAL: 1, Plane.SAGITTAL: 0}
"""The world axis (x, y, z) across each plane."""


@dataclass(frozen=True, slots=True)
class Stack:
    """An array seen as a stack of sections of one plane.

    Parameters
    ----------
    plane
        The plane.
    array
        (section, down, right[, color]): a view of the array, not a copy. Sections run from head to feet, from front to
        back or from right to left.
    grid
        The grid of that view.
    """

    plane: Plane
    array: Array = field(repr=False)
    grid: Grid

    def __len__(self) -> int:
        return self.grid.shape[0]

    @property
    def is_placed(self) -> bool:
        """Whether it is known how the sections lie in the patient."""
        return self.grid.space is Space.PATIENT

    @property
    def kind(self) -> str:
        """What a section is called: its plane, or ``"picture"``, ``"row"``, ``"column"`` where that is unknown."""
        return str(self.plane) if self.is_placed else _KINDS[self.plane]

    @property
    def size_mm(self) -> tuple[float, float]:
        """Height and width of a section; in pixels where no size is known."""
        _, down, right = self.grid.extent_mm
        return down, right

    @property
    def edges(self) -> tuple[str, str, str, str]:
        """Letters at the left, right, upper and lower edge; empty where the place in the patient is unknown."""
        if not self.is_placed:
            return "", "", "", ""
        down, right = self.grid.direction[:, 1], self.grid.direction[:, 2]
        return letters(-right), letters(right), letters(-down), letters(down)

    def position(self, index: int) -> str:
        """Where a section lies: the LPS coordinate of its middle across the plane, as ``"z −123.4 mm"``."""
        if not self.is_placed:
            return ""
        _, rows, columns = self.grid.shape
        point = self.grid.to_world((index, (rows - 1) / 2, (columns - 1) / 2))
        axis = NORMAL_AXIS[self.plane]
        return f"{'xyz'[axis]} {round(point[axis], 1) + 0.0:.1f} mm".replace("-", "−")  # + 0.0: no minus zero

    def number(self, index: int) -> str:
        """Its number and how many there are, as ``"57 of 148"``."""
        return f"{index + 1} of {len(self)}"

    @property
    def counted_from(self) -> str:
        """Where the first section lies: ``"head"``, ``"front"`` or ``"right"``; empty where that is unknown."""
        return _COUNTED_FROM[self.plane] if self.is_placed else ""


def stack(array: Array, grid: Grid, plane: Plane) -> Stack:
    """The array as a stack of sections of a plane, the one of its own axes that is nearest to it.

    Parameters
    ----------
    array
        (slice, row, column[, color]) on the grid.
    grid
        Any grid. Where the place in the patient is unknown the array's own axes are taken.
    plane
        The plane.
    """
    order, flips = _axes(grid, plane)
    turned = array.transpose((*order, *range(3, array.ndim)))
    return Stack(plane, np.flip(turned, flips), grid.permute(order).flip(*flips))


def slice_of_section(grid: Grid, plane: Plane) -> range | None:
    """For each section of a plane the slice of the array that it is; None where sections run across the slices."""
    order, flips = _axes(grid, plane)
    if order[0] != 0:
        return None
    slices = range(grid.shape[0])
    return slices[::-1] if 0 in flips else slices


def _axes(grid: Grid, plane: Plane) -> tuple[tuple[int, int, int], tuple[int, ...]]:
    return (_UNPLACED[plane], ()) if grid.space is not Space.PATIENT else grid.axes_towards(_TOWARDS[plane])


def letters(direction: npt.ArrayLike) -> str:
    """Letters of a direction in the patient, nearest first (PS3.3 C.7.6.1.1.1): ``"L"``, ``"LP"``.

    A second or third letter is given from 10 degrees on.
    """
    vector = [float(part) for part in np.asarray(direction, float)]
    nearest = sorted(range(3), key=lambda axis: -round(abs(vector[axis]), 6))
    return "".join(_LETTERS[axis][int(vector[axis] < 0)] for axis in nearest if abs(vector[axis]) > _LETTER_COSINE)


@dataclass(frozen=True, slots=True)
class Window:
    """Window of grey levels: what is black, what is white.

    Parameters
    ----------
    center, width
        Window Center and Window Width (PS3.3 C.11.2.1.2).
    name
        Name for people.
    unit
        Unit for people: ``"HU"``.
    function
        What lies between black and white (PS3.3 C.11.2.1.3).
    """

    center: float
    width: float
    name: str = ""
    unit: str = ""
    function: windows.Function = "LINEAR"

    def grey(self, values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Grey levels 0 to 255 by the window's function, LINEAR_EXACT where LINEAR has none.

        LINEAR is defined for widths from 1 on, which images of small real values fall below.
        """
        function = "LINEAR_EXACT" if self.function == "LINEAR" and self.width < 1 else self.function
        return intensity.to_grey(values, windows.Window(self.center, self.width, function))

    @property
    def levels(self) -> str:
        """Width and level, as ``"W 1500 / L −600 HU"``."""
        shape = "sigmoid" if self.function == "SIGMOID" else ""
        return " ".join(f"W {self.width:.4g} / L {self.center:.4g} {self.unit} {shape}".replace("-", "−").split())

    def __str__(self) -> str:
        return f"{self.name} {self.levels}".strip()


def preset(name: str) -> Window:
    """The CT window of a name (:data:`isocenter.ops.intensity.PRESETS`).

    Raises
    ------
    UsageError
        If there is none.
    """
    found = intensity.preset(name)
    return Window(found.center, found.width, name.capitalize(), "HU")


LUNG_WINDOW = preset("lung")

_BODY_HU = -300
_LUNG_HU = (-950, -600)
_PET_PERCENTS = (0.0, 99.9)  # what takes up most is what is looked for
_SUV_SHOWN = 10.0
_LEAST_LUNG = 0.05  # of the voxels in the middle of the body: chests hold 0.14 and more, slabs of the liver 0.02


def window_of(volume: Volume) -> Window:
    """The window of an image of which nothing else is known.

    The lung window for an image in HU; 0 to 10 for PET in SUV; else from the 1st to the 99th percentile of the values,
    for other PET from the least to the 99.9th.
    """
    if volume.unit == codes.HU:
        return LUNG_WINDOW
    unit = unit_of(volume)
    if "SUV" in unit.upper():
        return Window(_SUV_SHOWN / 2, _SUV_SHOWN, f"SUV 0 to {_SUV_SHOWN:g}", unit, "LINEAR_EXACT")
    sample = _sample(volume)
    finite = sample[np.isfinite(sample)]
    percents, name = (1.0, 99.0), "1st–99th percentile"
    if volume.modality == "PT":
        percents, name = _PET_PERCENTS, "Least to 99.9th percentile"
    low, high = (float(v) for v in np.percentile(finite, percents)) if finite.size else (0.0, 1.0)
    return Window((low + high) / 2, max(high - low, 1e-6), name, unit)


def unit_of(volume: Volume) -> str:
    """The unit of an image for people: ``"HU"``, ``"SUVbw"``, or as UCUM has it; empty for values without one."""
    if volume.unit == codes.HU:
        return "HU"
    _, _, note = volume.unit.value.partition("{")
    return "" if volume.unit == codes.ONE else note.rstrip("}") or volume.unit.value


def window_by_content(volume: Volume) -> Window:
    """As :func:`window_of`, but the soft tissue window for an image in HU that holds next to no lung."""
    return preset("soft tissue") if volume.unit == codes.HU and not _holds_lung(_sample(volume)) else window_of(volume)


def _sample(volume: Volume) -> Array:
    return volume.array[tuple(slice(None, None, max(1, n // 64)) for n in volume.grid.shape)]


def _holds_lung(values_hu: Array) -> bool:
    """Whether enough voxels in the box around the middle of the body are as dense as lung."""
    body = np.nonzero(values_hu > _BODY_HU)
    if not body[0].size:
        return False
    ends = [np.percentile(where, (10, 90)).astype(int) for where in body]  # headrest and hair lie beyond them
    boxed = values_hu[tuple(slice(low, high + 1) for low, high in ends)]
    return bool(np.mean((boxed >= _LUNG_HU[0]) & (boxed <= _LUNG_HU[1])) >= _LEAST_LUNG)


def resized(section: npt.NDArray[Any], shape: tuple[int, int]) -> Floats:
    """A section with other numbers of rows and columns over the same field, by bicubic interpolation.

    Parameters
    ----------
    section
        (rows, columns).
    shape
        New (rows, columns); where there are fewer than before, neighbours are averaged.
    """
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(section, dtype=np.float32))
    return np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BICUBIC), np.float32)
