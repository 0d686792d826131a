"""What the user may choose of an export."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from isocenter.errors import UsageError, expect_word
from isocenter.ops.resample import Interpolation, Labels, Smoothing
from isocenter.windows import preset

Fit = Literal["crop", "stretch"]
Center = Literal["middle", "body", "mask"]
Format = Literal["zarr", "npy", "npz"]
Dtype = Literal["float32", "float16", "int16", "uint16", "uint8"]


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """How cases are made alike.

    Parameters
    ----------
    shape
        Number of (slices, rows, columns) of every case; needed but for ``"npz"``.
    spacing_mm
        Distance of voxels along (slice, row, column) of every case; by default each keeps its own.
    fit
        How a case comes to the shape. ``"crop"``: cropped and padded around ``center``; voxels stay as large as they
        are. ``"stretch"``: the whole field of view, of whatever size, so that voxels differ from case to case.
    center
        What comes to the middle when cropping: ``"middle"`` of the image, ``"body"`` (of a CT), or ``"mask"``.
    window
        Name of a CT window; values become 0 to 1, of ``dtype`` ``"uint8"`` 0 to 255. By default values are kept.
    segment
        Name of a segmenter, whose label map goes beside each image.
    series
        ``"best"`` of each study, ``"all"`` that fit, or a series number or UID.
    modality
        Only series of this DICOM modality.
    outside
        Value where a case does not reach; by default air (-1024) of a CT. For other units it must be stated if it is
        needed.
    interpolation, smoothing, labels
        How values come onto another spacing, as of :func:`isocenter.ops.resample.onto`. By default images that shrink
        are smoothed to match, so that nothing finer than the new voxels is folded into them.
    dtype
        Type of the values. A case whose values it cannot hold fails and says so.
    format
        ``"zarr"`` or ``"npy"``: one array of all cases. ``"npz"``: one file for each, of any shape.

    Raises
    ------
    UsageError
        If a choice is unknown, or two do not go together.
    """

    shape: tuple[int, int, int] | None = None
    spacing_mm: tuple[float, float, float] | None = None
    fit: Fit = "crop"
    center: Center = "middle"
    window: str = ""
    segment: str = ""
    series: str = "best"
    modality: str = ""
    outside: float | None = None
    interpolation: Interpolation = "linear"
    smoothing: Smoothing = "matched"
    labels: Labels = "nearest"
    dtype: Dtype = "float32"
    format: Format = "zarr"

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            expect_word(getattr(self, name), known, f"The {name}")
        if self.shape is not None and (len(self.shape) != 3 or not all(int(n) == n >= 1 for n in self.shape)):
            raise UsageError(f"A shape is three positive numbers of slices, rows and columns, not {self.shape}.")
        if self.spacing_mm is not None and (
            len(self.spacing_mm) != 3 or not all(math.isfinite(mm) and mm > 0 for mm in self.spacing_mm)
        ):
            raise UsageError(f"A spacing is three positive lengths in millimetres, not {self.spacing_mm}.")
        if self.shape is None and (self.format != "npz" or self.fit == "stretch"):
            raise UsageError("One array has one shape: give shape, or take the format npz, one file per case.")
        if self.fit == "stretch" and (self.spacing_mm is not None or self.center != "middle"):
            raise UsageError("Stretching to a shape takes the whole image: spacing and center do not go with it.")
        if self.window:
            preset(self.window)
        if self.segment:
            from isocenter.nets.by_name import expect_segmenter

            expect_segmenter(self.segment)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


_CHOICES: dict[str, Any] = {
    "fit": Fit,
    "center": Center,
    "interpolation": Interpolation,
    "smoothing": Smoothing,
    "labels": Labels,
    "dtype": Dtype,
    "format": Format,
}
