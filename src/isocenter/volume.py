"""Volume: voxel values with their place, unit, sources and reasons. How values are made or changed lives elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.codes import Code
from isocenter.geometry import Grid
from isocenter.reasons import Reason, merge
from isocenter.shown import Shown

Array = npt.NDArray[Any]


def read_only(array: Array) -> Array:
    """A view of the array that cannot be written through."""
    view = array.view()
    view.flags.writeable = False
    return view


def native(array: Array) -> Array:
    """The array in the byte order of this machine, which is the only one that compiled loops know; else a copy."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


@dataclass(frozen=True, slots=True)
class Source:
    """The DICOM frame that a slice was read from.

    Parameters
    ----------
    sop_instance_uid
        SOP Instance UID of the image.
    frame
        Frame number, from 1.
    """

    sop_instance_uid: str
    frame: int = 1


@dataclass(frozen=True, eq=False)
class Volume(Shown):
    """An image in real units on a grid.

    Parameters
    ----------
    array
        (slice, row, column) or (slice, row, column, *axes) in C order. Kept as a read-only view, not copied unless
        it is in the byte order of another machine.
    grid
        Where the voxels lie.
    unit
        Unit of the values (UCUM); :data:`isocenter.codes.HU` for CT.
    axes
        Names of the axes after the three spatial ones, such as ``("time",)`` or ``("color",)``.
    modality
        DICOM modality (``"CT"``, ``"MR"``, ...), or ``""`` if unknown.
    sources
        For each slice the DICOM frame it was read from; None where a slice was made by resampling. Empty when nothing
        came from DICOM.
    reasons
        What was repaired or guessed on the way here.
    time_step_s
        Seconds between neighbouring places of the axis ``"time"``, such as the repetition time of a functional MR; None
        if unknown, or if there is no such axis.

    Raises
    ------
    ValueError
        If the array does not fit the grid, the axes or the sources, or the time step is not positive.
    """

    array: Array = field(repr=False)
    grid: Grid
    unit: Code = codes.ONE
    axes: tuple[str, ...] = ()
    modality: str = ""
    sources: tuple[Source | None, ...] = field(default=(), repr=False)
    reasons: tuple[Reason, ...] = ()
    time_step_s: float | None = None

    def __post_init__(self) -> None:
        if self.array.ndim != 3 + len(self.axes) or self.array.shape[:3] != self.grid.shape:
            raise ValueError(
                f"An array of shape {self.array.shape} does not fit a grid of shape {self.grid.shape} "
                f"with the further axes {self.axes}."
            )
        if self.sources and len(self.sources) != self.grid.shape[0]:
            raise ValueError(f"{len(self.sources)} sources for {self.grid.shape[0]} slices.")
        if self.time_step_s is not None and not 0 < self.time_step_s < math.inf:
            raise ValueError(f"A time step is a positive number of seconds, not {self.time_step_s}.")
        object.__setattr__(self, "array", read_only(native(self.array)))

    def __repr__(self) -> str:
        facts = [self.modality, str(self.array.dtype), f"in {self.unit.value}"]
        facts += [f"{name} {count}" for name, count in zip(self.axes, self.array.shape[3:], strict=True)]
        facts += [str(self.grid), *(reason.code for reason in self.reasons)]
        return f"Volume({', '.join(fact for fact in facts if fact)})"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return tuple(self.array.shape)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along (slice, row, column)."""
        return self.grid.spacing_mm

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:  # noqa: FBT001 - NumPy's own protocol
        """The values, for NumPy functions; read-only unless copied."""
        return np.array(self.array, dtype=dtype, copy=copy)

    def with_array(self, array: Array, **changes: Any) -> Volume:
        """This volume with other values (and, by keyword, other fields)."""
        return replace(self, array=array, **changes)

    def with_reasons(self, reasons: Iterable[Reason]) -> Volume:
        """This volume with further reasons, each once."""
        return replace(self, reasons=merge(self.reasons, reasons))

    def on(self, grid: Grid, array: Array, *, sources: Sequence[Source | None] = ()) -> Volume:
        """This volume's unit, modality and reasons with values on another grid."""
        return replace(self, array=array, grid=grid, sources=tuple(sources))
