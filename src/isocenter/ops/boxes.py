"""Boxes: where in an array a mask lies, so that work is done there alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Box = tuple[slice, slice, slice]


def box_of(mask: npt.NDArray[np.bool_], margin: Sequence[int] = (0, 0, 0)) -> Box:
    """Slices of the bounding box of a mask that is not empty, with a margin in voxels as far as the array reaches."""
    found = []
    for axis, extra in enumerate(margin):
        places = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        found.append(slice(max(0, int(places[0]) - extra), min(mask.shape[axis], int(places[-1]) + 1 + extra)))
    return found[0], found[1], found[2]
