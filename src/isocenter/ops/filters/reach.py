"""How far a filter reaches: millimetres to voxels along each axis, and what is to be said of it.

Beyond its faces an image goes on as its mirror image (c b a | a b c | c b a; ``reflect`` in SciPy, ``symmetric`` in
NumPy). Along an axis of a single voxel, as in a picture, nothing is filtered.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isocenter.errors import UsageError
from isocenter.geometry import Triple
from isocenter.ops.lattice import Spacing, spacing_of
from isocenter.reasons import Reason
from isocenter.volume import Volume

Lengths = float | Sequence[float]

AXES = ("slices", "rows", "columns")
_ON_CENTER = 1e-6  # voxels; rounding of lengths
_TRIVIAL = 0.2  # voxels; the neighbours' weight in a Gaussian of this sigma is below 1e-5


def lengths_of(value: Lengths, name: str) -> Spacing:
    """A length for each of (slice, row, column) from one for all or one for each.

    Raises
    ------
    UsageError
        If these are not one or three finite lengths of at least 0.
    """
    try:
        k, r, c = np.broadcast_to(np.asarray(value, np.float64), 3).tolist()
    except (ValueError, TypeError) as error:
        raise UsageError(f"{name} is one length or three (slice, row, column) in mm, not {value!r}.") from error
    if not (np.isfinite((k, r, c)).all() and min(k, r, c) >= 0):
        raise UsageError(f"{name} is a length of at least 0 mm, not {value!r}.")
    return k, r, c


def in_voxels(volume: Volume, lengths_mm: Spacing) -> Spacing:
    """Lengths in voxels along each axis; 0 along an axis of a single voxel.

    Raises
    ------
    UsageError
        If the volume has no spacing, or a length is longer than the image.
    """
    spacing = spacing_of(volume.grid)
    for axis, n, length, step in zip(AXES, volume.grid.shape, lengths_mm, spacing, strict=True):
        if n > 1 and length > n * step:
            raise UsageError(
                f"A filter of {length:g} mm is longer than the image along its {axis} ({n * step:.4g} mm)."
            )
    found = [
        length / step if n > 1 else 0.0 for n, length, step in zip(volume.grid.shape, lengths_mm, spacing, strict=True)
    ]
    return found[0], found[1], found[2]


def whole_voxels(volume: Volume, lengths_mm: Spacing) -> Triple:
    """How many whole voxels a box reaches to each side along each axis; raises what :func:`in_voxels` raises."""
    k, r, c = (int(reach + _ON_CENTER) for reach in in_voxels(volume, lengths_mm))
    return k, r, c


def about_box(volume: Volume, lengths_mm: Spacing, what: str) -> tuple[Reason, ...]:
    """What is to be said of a box: where it reaches no neighbour though it was told to reach somewhere."""
    long = zip(AXES, volume.grid.shape, lengths_mm, whole_voxels(volume, lengths_mm), strict=True)
    idle = [axis for axis, n, length, reach in long if n > 1 and length > 0 and not reach]
    text = f"The {what} reaches no neighbour along {', '.join(idle)}."
    return (Reason("FILTER_FINER_THAN_VOXELS", text),) if idle else ()


def about_gaussian(volume: Volume, sigma: Spacing) -> tuple[Reason, ...]:
    """What is to be said of a Gaussian of a standard deviation in voxels: where it does nothing, or sees too little."""
    long = list(zip(AXES, volume.grid.shape, sigma, strict=True))
    idle = [axis for axis, n, s in long if n > 1 and 0 < s < _TRIVIAL]
    cut = [axis for axis, n, s in long if n > 1 and 2 * s > n]
    reasons = []
    if idle:
        text = f"The Gaussian is narrower than {_TRIVIAL:g} voxels along {', '.join(idle)}: nothing changed there."
        reasons.append(Reason("FILTER_FINER_THAN_VOXELS", text))
    if cut:
        text = f"Two standard deviations of the Gaussian are longer than the image along {', '.join(cut)}."
        reasons.append(Reason("FILTER_BEYOND_IMAGE", text))
    return tuple(reasons)
