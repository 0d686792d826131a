"""Bias field correction: the slow shading of MR receive coils, estimated by N4 on a coarse grid and divided out.

Tustison et al., "N4ITK: improved N3 bias correction", IEEE Trans Med Imaging 29 (2010) 1310.
By SimpleITK (extra ``sitk``).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from isocenter.errors import InputError, UsageError
from isocenter.extras import needed
from isocenter.findings import Segmentation
from isocenter.ops.lattice import expect_one_grid, expect_three_axes
from isocenter.volume import Array, Volume

_COARSE_MM = 4.0
"""The field is estimated on voxels of about this size: it is smooth over centimetres."""


def bias_corrected(
    volume: Volume,
    inside: Segmentation | None = None,
    *,
    iterations: tuple[int, ...] = (50, 50, 50, 50),
    spans_mm: float = 200.0,
) -> Volume:
    """The volume divided by its bias field, as float32 in its own unit.

    Parameters
    ----------
    volume
        An MR image of values above or equal to 0.
    inside
        Where the field is estimated, such as the head; by default Otsu's foreground. All voxels are corrected.
    iterations
        Most iterations on each level; each level halves the distance of the field's control points.
    spans_mm
        Distance of the control points on the first level.

    Raises
    ------
    InputError
        If values are negative, NaN, or too few, or the mean would change by a factor of 2 or more.
    MissingExtra
        If SimpleITK is not installed.
    """
    expect_three_axes(volume, "A bias field is estimated")
    if not iterations or min(iterations) < 1 or not spans_mm > 0:
        raise UsageError("N4 takes one or more numbers of iterations, and a distance of its control points above 0.")
    array = volume.array.astype(np.float32)
    if not np.isfinite(array).all() or array.min() < 0:
        raise InputError("A bias field is a factor: the values must be 0 or more, without NaN.")
    mask = _mask(volume, inside)
    if not (array.any() if mask is None else array[mask > 0].any()):
        raise InputError("A bias field needs values above 0 where it is estimated: there are none.")
    field = _log_field(array, mask, volume, (iterations, spans_mm))
    np.exp(field, out=field)
    where = array > 0 if mask is None else mask > 0
    before = np.mean(array, where=where, dtype=np.float64)
    np.divide(array, field, out=array)
    if not 0.5 < np.mean(array, where=where, dtype=np.float64) / before < 2:
        raise InputError("N4 took the values of the image for shading: they are all but equal where it looked.")
    return volume.with_array(array)


def _mask(volume: Volume, inside: Segmentation | None) -> Array | None:
    if inside is None:
        return None
    expect_one_grid(volume, inside)
    return inside.mask().astype(np.uint8)


def _log_field(array: Array, mask: Array | None, volume: Volume, settings: tuple[tuple[int, ...], float]) -> Array:
    """The logarithm of the field at every voxel; SimpleITK's image lies on the axes of the array."""
    sitk = needed("SimpleITK", "sitk")
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(volume.grid.spacing_mm[::-1])
    if mask is None:
        found = sitk.OtsuThreshold(image, 0, 1)
    else:
        found = sitk.GetImageFromArray(mask)
        found.CopyInformation(image)
    factors = [
        max(1, min(round(_COARSE_MM / spacing), n // 4))
        for spacing, n in zip(image.GetSpacing(), image.GetSize(), strict=True)
    ]
    iterations, spans_mm = settings
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.SetMaximumNumberOfIterations(list(iterations))
    n4.SetNumberOfControlPoints([_control_points(n * s, spans_mm) for n, s in _extents(image)])
    try:
        n4.Execute(sitk.Shrink(image, factors), sitk.Shrink(found, factors))
    except RuntimeError as error:
        raise InputError("N4 found no bias field: the image has too few voxels above 0 where it looked.") from error
    result: Array = sitk.GetArrayFromImage(n4.GetLogBiasFieldAsImage(image)).astype(np.float32, copy=False)
    return result


def _extents(image: Any) -> list[tuple[int, float]]:
    return list(zip(image.GetSize(), image.GetSpacing(), strict=True))


def _control_points(length_mm: float, spans_mm: float) -> int:
    """Control points of a cubic B-spline over a length: its order and one more for each span."""
    return 3 + max(1, round(length_mm / spans_mm))
