"""How an image is prepared before features are computed: interpolation, re-segmentation, discretisation; as values.

The steps themselves live in ``regions`` and ``levels``. ``IBSI_A`` to ``IBSI_E`` are the five configurations of the
IBSI's CT phantom (reference manual, section 5), ``IBSI_DIGITAL`` that of its digital phantom.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from isocenter.errors import UsageError

Dimension = Literal["2D", "2.5D", "3D"]
"""What texture is counted in: each slice by itself, all slices together, or the volume."""

Interpolation = Literal["linear", "cubic"]


@dataclass(frozen=True, slots=True)
class FixedBinNumber:
    """A number of bins between the smallest and the largest intensity of the region (K15C)."""

    number: int

    def __post_init__(self) -> None:
        if not (isinstance(self.number, int) and self.number >= 1):
            raise UsageError(f"A fixed number of bins is a whole number of 1 or more, not {self.number!r}.")


@dataclass(frozen=True, slots=True)
class FixedBinSize:
    """Bins of one width (Q3RU).

    Parameters
    ----------
    width
        Width of a bin, in the unit of the image.
    start
        Lower edge of the first bin. By default the lower limit of the re-segmentation range, or, where there is none,
        the smallest intensity of the region; regions are comparable only if it is the same for all.
    """

    width: float
    start: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.width) and self.width > 0):
            raise UsageError(f"The width of a bin is positive, not {self.width!r}.")
        if self.start is not None and not math.isfinite(self.start):
            raise UsageError(f"Bins start at a finite intensity, not at {self.start!r}.")


@dataclass(frozen=True, slots=True)
class NoBins:
    """Intensities as they are: whole numbers, and for texture from 1 on."""


Bins = FixedBinNumber | FixedBinSize | NoBins


@dataclass(frozen=True, slots=True)
class Processing:
    """What is done before features are computed.

    Parameters
    ----------
    spacing_mm
        Spacing along (slice, row, column) that image and mask are interpolated to; None along the slices keeps them
        (in-plane interpolation). By default nothing is interpolated.
    interpolation
        How the image is interpolated. The mask is always interpolated linearly, and is where it is 0.5 or more.
    rounded_to
        What interpolated intensities are rounded to a multiple of: 1 for CT. By default they are not rounded.
    intensity_range
        Re-segmentation: intensities (low, high) that stay, both included; infinities leave a side open.
    outliers_sd
        Re-segmentation: intensities farther from the mean than this many standard deviations go. With a range, mean
        and standard deviation are those of what lies in the range.
    bins
        Discretisation for the intensity histogram and the textures.
    volume_bins
        Discretisation for the intensity-volume histogram. By default whole numbers stay as they are, and others are
        put into 1000 bins, as the manual advises for arbitrary units.
    dimensions
        What textures are counted in.

    Raises
    ------
    UsageError
        If a value makes no sense.
    """

    spacing_mm: tuple[float | None, float, float] | None = None
    interpolation: Interpolation = "linear"
    rounded_to: float | None = None
    intensity_range: tuple[float, float] = (-math.inf, math.inf)
    outliers_sd: float | None = None
    bins: Bins = FixedBinNumber(32)
    volume_bins: Bins | None = None
    dimensions: tuple[Dimension, ...] = ("3D",)

    def __post_init__(self) -> None:
        if self.spacing_mm is not None:
            known = [length for length in self.spacing_mm if length is not None]
            if len(self.spacing_mm) != 3 or None in self.spacing_mm[1:] or not all(0 < x < math.inf for x in known):
                raise UsageError(
                    f"Spacing is three positive lengths in millimetres, of which the first may be None, not "
                    f"{self.spacing_mm!r}."
                )
        if self.interpolation not in get_args(Interpolation):
            raise UsageError(f"Images are interpolated 'linear' or 'cubic', not {self.interpolation!r}.")
        if self.rounded_to is not None and not 0 < self.rounded_to < math.inf:
            raise UsageError(f"Intensities are rounded to a multiple of a positive number, not {self.rounded_to!r}.")
        if len(self.intensity_range) != 2 or not self.intensity_range[0] < self.intensity_range[1]:
            raise UsageError(f"A range goes from a low intensity to a higher one, not {self.intensity_range!r}.")
        if self.outliers_sd is not None and not 0 < self.outliers_sd < math.inf:
            raise UsageError(f"Outliers lie a positive number of deviations away, not {self.outliers_sd!r}.")
        if not isinstance(self.bins, Bins) or not isinstance(self.volume_bins, Bins | None):
            raise UsageError("Bins are a FixedBinNumber, a FixedBinSize or NoBins.")
        if not self.dimensions or not set(self.dimensions) <= set(get_args(Dimension)):
            raise UsageError(f"Textures are counted in '2D', '2.5D' or '3D', not {self.dimensions!r}.")


IBSI_DIGITAL = Processing(bins=NoBins(), dimensions=("2D", "2.5D", "3D"))
"""The digital phantom: nothing is done."""

IBSI_A = Processing(intensity_range=(-500, 400), bins=FixedBinSize(25), dimensions=("2D", "2.5D"))
"""Configuration A: by slice, not interpolated, from -500 to 400 HU, bins of 25 HU."""

IBSI_B = Processing(
    spacing_mm=(None, 2.0, 2.0),
    rounded_to=1,
    intensity_range=(-500, 400),
    bins=FixedBinNumber(32),
    dimensions=("2D", "2.5D"),
)
"""Configuration B: by slice, 2 mm in plane, from -500 to 400 HU, 32 bins."""

IBSI_C = Processing(
    spacing_mm=(2.0, 2.0, 2.0),
    rounded_to=1,
    intensity_range=(-1000, 400),
    bins=FixedBinSize(25),
    volume_bins=FixedBinSize(2.5),
)
"""Configuration C: 2 mm, from -1000 to 400 HU, bins of 25 HU."""

IBSI_D = Processing(spacing_mm=(2.0, 2.0, 2.0), rounded_to=1, outliers_sd=3, bins=FixedBinNumber(32))
"""Configuration D: 2 mm, within three standard deviations, 32 bins."""

IBSI_E = Processing(
    spacing_mm=(2.0, 2.0, 2.0),
    interpolation="cubic",
    rounded_to=1,
    intensity_range=(-1000, 400),
    outliers_sd=3,
    bins=FixedBinNumber(32),
    volume_bins=FixedBinNumber(1000),
)
"""Configuration E: 2 mm by cubic splines, from -1000 to 400 HU and within three standard deviations, 32 bins."""
