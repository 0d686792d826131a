"""Cropping and padding to a fixed shape, with spacing and values kept. Changing the spacing lives in ``resample``.

Every result lies on the lattice of its source, so ``invert(result, source)`` brings it back exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isocenter.errors import InputError, UsageError
from isocenter.findings import Segmentation
from isocenter.geometry import Triple
from isocenter.ops.boxes import box_of
from isocenter.ops.lattice import expect_length, expect_one_grid
from isocenter.ops.resample import Image, expect_shape, onto


def to_shape(
    image: Image,
    shape: Sequence[int],
    *,
    center_mm: Sequence[float] | None = None,
    outside: float | None = None,
) -> Image:
    """The image cropped and padded to a shape around a point; voxels stay where they are, and as large as they are.

    What lies beyond the shape is lost; :func:`isocenter.ops.resample.stretched_to_shape` keeps the field of view and
    changes the spacing instead. The way back is :func:`isocenter.ops.resample.invert`, exact for all that was kept.

    Parameters
    ----------
    image
        Volume or segmentation.
    shape
        Number of (slices, rows, columns) wanted.
    center_mm
        World point (x, y, z) that comes to the middle, to within half a voxel: by default the middle of the image.
        :func:`middle_mm` gives that of a structure, such as ``middle_mm(body, "body")``.
    outside
        Value of voxels outside the image, as in :func:`isocenter.ops.resample.onto`.
    """
    expect_shape(shape)
    center = np.asarray(image.grid.center_mm if center_mm is None else center_mm, float)
    if center.shape != (3,) or not np.isfinite(center).all():
        raise UsageError(f"A center is three finite numbers (x, y, z) in millimetres, not {center_mm!r}.")
    middle = image.grid.to_index(center)
    start = [int(np.floor(m - (n - 1) / 2 + 0.5 - 1e-6)) for m, n in zip(middle, shape, strict=True)]
    return onto(image, image.grid.window(start, shape), outside=outside)


def crop_to(image: Image, segmentation: Segmentation, *names: str, margin_mm: float = 0.0) -> Image:
    """The image cropped to the box around structures, with a margin, as far as the image reaches.

    The segmentation must lie on the image's grid; without names all of its segments count.
    """
    expect_one_grid(image, segmentation)
    if margin_mm != 0:
        expect_length(margin_mm, "The margin")
    first, last = box(segmentation, *names)
    margins = [int(np.ceil(margin_mm / spacing - 1e-6)) for spacing in image.grid.spacing_mm]
    start = [max(0, a - margin) for a, margin in zip(first, margins, strict=True)]
    stop = [min(n, b + margin) for b, margin, n in zip(last, margins, image.grid.shape, strict=True)]
    return onto(image, image.grid.crop(start, stop))


def box(segmentation: Segmentation, *names: str) -> tuple[Triple, Triple]:
    """Array index of the first voxel of structures along each axis, and of one past the last.

    Without names all segments count.

    Raises
    ------
    InputError
        If none of them has a voxel.
    """
    mask = segmentation.mask(*names)
    if not mask.any():
        raise InputError(f"The structures {', '.join(names or segmentation.names)} have no voxels.")
    k, r, c = box_of(mask)
    return (k.start, r.start, c.start), (k.stop, r.stop, c.stop)


def middle_mm(segmentation: Segmentation, *names: str) -> tuple[float, float, float]:
    """World (x, y, z) of the middle of the box around structures; without names, around all of them."""
    first, last = box(segmentation, *names)
    x, y, z = segmentation.grid.to_world([(a + b - 1) / 2 for a, b in zip(first, last, strict=True)])
    return float(x), float(y), float(z)
