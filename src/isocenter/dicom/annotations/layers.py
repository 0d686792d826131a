"""Layers: segments that may overlap, into as few label maps as the first that fits gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isocenter.dicom.annotations.contours import Patch
from isocenter.geometry import Triple
from isocenter.volume import Array


class Layers:
    """Label maps being filled.

    Parameters
    ----------
    shape
        Number of (slices, rows, columns).
    highest
        The highest label that will be added.
    """

    def __init__(self, shape: Triple, highest: int) -> None:
        self._shape = shape
        self._dtype = np.min_scalar_type(max(highest, 1))
        self._layers = [np.zeros(shape, self._dtype)]

    def add(self, label: int, patches: Sequence[Patch]) -> int:
        """Put a segment into the first label map where all its voxels are free; the index of that label map.

        Patches of one segment may overlap: a voxel is its own where any of them has it.
        """
        index = next((i for i, layer in enumerate(self._layers) if _is_free(layer, patches)), len(self._layers))
        if index == len(self._layers):
            self._layers.append(np.zeros(self._shape, self._dtype))
        for patch in patches:
            self._layers[index][patch.place] |= patch.mask * self._dtype.type(label)  # only 0 or the label is there
        return index

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The label maps (slice, row, column)."""
        return tuple(self._layers)


def _is_free(layer: Array, patches: Sequence[Patch]) -> bool:
    return not any(np.logical_and(layer[patch.place], patch.mask).any() for patch in patches)
