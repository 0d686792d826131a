"""How alike two networks' outputs are: in numbers, and in the labels that follow from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from isocenter.volume import Array

_LEAST = 1e-30  # of outputs that are all 0
_TIES = 2  # voxels


@dataclass(frozen=True, slots=True)
class Equality:
    """How alike outputs are.

    Parameters
    ----------
    difference
        The largest difference of two outputs, over the largest output.
    dice
        The least Dice of a label, as of :func:`least_dice`; 1 where there is but one output.
    voxels
        Voxels compared.
    """

    difference: float
    dice: float
    voxels: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def equality_of(pairs: Iterable[tuple[Array, Array]]) -> Equality:
    """The equality of pairs of outputs (batch, output, *space); shapes that differ are not equal at all."""
    difference, voxels = 0.0, 0
    labels: list[tuple[Array, Array]] = []
    for one, other in pairs:
        if one.shape != other.shape:
            return Equality(float("inf"), 0.0, 0)
        largest = max(float(np.abs(one).max()), _LEAST)
        difference = max(difference, float(np.abs(one - other).max()) / largest)
        voxels += one.size // one.shape[1]
        labels.append((one.argmax(1).ravel(), other.argmax(1).ravel()))
    first, second = (np.concatenate(some) for some in zip(*labels, strict=True))
    return Equality(difference, least_dice(first, second), voxels)


def least_dice(first: Array, second: Array) -> float:
    """The least Dice of a label of two label maps; one that differs in a voxel or two counts as equal.

    Where two outputs are equal but for rounding, rounding decides the label: of a small structure one such voxel
    would say more than all others.
    """
    dices = [1.0]
    for label in np.union1d(first, second):
        one, other = first == label, second == label
        if int((one ^ other).sum()) > _TIES:
            dices.append(2 * int((one & other).sum()) / int(one.sum() + other.sum()))
    return min(dices)
