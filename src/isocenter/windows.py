"""Windows and lookup tables: how values become grey on a screen (VOI LUT, PS3.3 C.11.2). Arrays in, arrays out.

Where an image's own windows are read lives in :mod:`isocenter.dicom.reading.display`, what is done with them to a
volume in :mod:`isocenter.ops.intensity`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError, expect_word

Array = npt.NDArray[Any]
Function = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]
"""VOI LUT Function (PS3.3 C.11.2.1.3)."""
_CHUNK = 1 << 17


@dataclass(frozen=True, slots=True)
class Window:
    """Window center and width (PS3.3 C.11.2.1.2), in the unit of the image.

    Parameters
    ----------
    center, width
        The width is 1 or more for ``LINEAR``, above 0 for the others.
    function
        What lies between black and white: see :meth:`unit_range`.
    name
        What it is for, as the file or the table of presets says.
    """

    center: float
    width: float
    function: Function = "LINEAR"
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        expect_word(self.function, Function, "The function of a window")
        least = 1.0 if self.function == "LINEAR" else np.nextafter(0.0, 1.0)
        if not (np.isfinite(self.center) and np.isfinite(self.width) and self.width >= least):
            limit = "of at least 1" if self.function == "LINEAR" else "above 0"
            raise UsageError(f"A window has a finite center and a width {limit}, not {self.center}/{self.width}.")

    def unit_range(self, values: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Values through the window, from 0 to 1; NaN becomes 0.

        With center c and width w:

        - ``LINEAR`` (C.11.2.1.2.1): 0 up to ``c - 0.5 - (w - 1) / 2``, 1 above ``c - 0.5 + (w - 1) / 2``, and
          ``(x - (c - 0.5)) / (w - 1) + 0.5`` between;
        - ``LINEAR_EXACT`` (C.11.2.1.3.2): the same without the halves, ``(x - c) / w + 0.5``;
        - ``SIGMOID`` (C.11.2.1.3.1): ``1 / (1 + exp(-4 (x - c) / w))``.
        """
        return mapped(np.asarray(values), self._curve)

    def _curve(self, x: Array) -> Array:
        """Grey of floating values, which may be overwritten."""
        if self.function == "SIGMOID":
            return np.nan_to_num(1 / (1 + np.exp(np.clip(-4 * (x - self.center) / self.width, -80, 80))))
        half = 0.5 if self.function == "LINEAR" else 0.0
        if self.width == 2 * half:
            return np.greater(x, self.center - half)
        x -= self.center - half
        x /= self.width - 2 * half
        x += 0.5
        return np.fmin(np.fmax(x, 0, out=x), 1, out=x)  # NaN becomes 0


@dataclass(frozen=True, slots=True, eq=False)
class LookupTable:
    """A VOI LUT that a file brings along (PS3.3 C.11.2.1.1).

    Parameters
    ----------
    first
        Value that the first entry is for; lower ones take it too, those beyond the last entry the last.
    entries
        (entry,) whole numbers from 0 to ``2**bits - 1``.
    bits
        Bits of an entry.
    name
        What it is for, as the file says.
    """

    first: int
    entries: Array = field(repr=False)
    bits: int
    name: str = ""

    def unit_range(self, values: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Values through the table, from 0 to 1; values between two whole numbers take the nearer, NaN becomes 0."""
        return mapped(np.asarray(values), self._curve)

    def _curve(self, x: Array) -> Array:
        """Grey of floating values."""
        places = np.clip(np.rint(np.nan_to_num(x - self.first)), 0, len(self.entries) - 1).astype(np.int64)
        grey: Array = (self.entries / np.float32(2**self.bits - 1)).astype(np.float32).take(places)
        grey[np.isnan(x)] = 0
        return grey


Display = Window | LookupTable
"""What turns values into grey."""


def mapped(values: Array, curve: Callable[[Array], Array], dtype: npt.DTypeLike = np.float32) -> npt.NDArray[Any]:
    """Values through a curve, in an array of another dtype.

    Integers of up to 16 bits go through a table of the curve, others through the curve itself, a part at a time that
    stays in the processor's cache.
    """
    flat = np.ascontiguousarray(values).reshape(-1)
    out = np.empty(flat.size, dtype)
    bits = np.dtype(f"u{flat.dtype.itemsize}") if flat.dtype.kind in "iu" and flat.dtype.itemsize <= 2 else None
    if bits is not None and flat.size > 2 ** (8 * bits.itemsize):
        every = np.arange(2 ** (8 * bits.itemsize), dtype=bits).view(flat.dtype)
        table = curve(every.astype(np.float32)).astype(dtype)
        for start in range(0, flat.size, _CHUNK):
            part = slice(start, start + _CHUNK)
            np.take(table, flat[part].view(bits), out=out[part], mode="clip")
        return out.reshape(values.shape)
    wide = np.float64 if flat.dtype.itemsize > 4 or flat.dtype in (np.int32, np.uint32) else np.float32
    for start in range(0, flat.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        out[part] = curve(flat[part].astype(wide))
    return out.reshape(values.shape)


def _named(**windows: tuple[float, float]) -> MappingProxyType[str, Window]:
    names = {name.replace("_", " "): window for name, window in windows.items()}
    return MappingProxyType({name: Window(*window, name=name) for name, window in names.items()})


PRESETS: MappingProxyType[str, Window] = _named(
    lung=(-600, 1500),
    mediastinum=(50, 350),
    soft_tissue=(40, 400),
    liver=(90, 150),
    brain=(40, 80),
    stroke=(35, 40),
    subdural=(75, 215),
    bone=(400, 1800),
    angiography=(300, 600),
)
"""Windows for CT in HU, by name."""


def preset(name: str) -> Window:
    """The CT window of that name.

    Raises
    ------
    UsageError
        If there is none.
    """
    if name not in PRESETS:
        raise UsageError(f"No window {name!r}; there are {', '.join(PRESETS)}.")
    return PRESETS[name]
