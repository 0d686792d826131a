"""Voxels that two label maps share, counted for all labels in one pass."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.evaluate.numbering import Numbers
from isocenter.kernels import kernel, over_slices

Counts = npt.NDArray[np.int64]


def counted_overlap(prediction: Numbers, truth: Numbers, count: int) -> Counts:
    """Voxels of each structure in two label maps with common numbers.

    Parameters
    ----------
    prediction, truth
        Label maps (slice, row, column) of one shape, uint8 or uint16, C order.
    count
        How many structures there are, numbered from 1.

    Returns
    -------
    (count, 3): voxels in the prediction, in the truth, in both.
    """
    found = np.zeros((prediction.shape[0], count + 1, 3), np.int64)
    over_slices(lambda start, stop: _count(prediction, truth, found[start], (start, stop)), prediction.shape)
    total: Counts = found.sum(axis=0)[1:]
    return total


@kernel
def _count(prediction: Numbers, truth: Numbers, found: Counts, span: tuple[int, int]) -> None:
    for k in range(span[0], span[1]):
        for r in range(prediction.shape[1]):
            for c in range(prediction.shape[2]):
                one, other = prediction[k, r, c], truth[k, r, c]
                if one != 0 or other != 0:
                    found[one, 0] += 1
                    found[other, 1] += 1
                    if one == other:
                        found[one, 2] += 1
