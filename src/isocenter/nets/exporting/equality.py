"""How alike two networks' outputs are: in numbers, and in the labels that follow from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from isocenter.volume import Array

_LEAST = 1e-30  # of outputs that are all 0


@dataclass(frozen=True, slots=True)
class Equality:
    """How alike outputs are.

    Parameters
    ----------
    difference
        The largest difference of two outputs, over the largest output.
    dice
        The least Dice of a label, of those that cover a thousandth of the voxels; 1 where there is but one output.
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


def least_dice(first: Array, second: Array, *, share: float = 1e-3) -> float:
    """The least Dice of the labels of two label maps that cover this share of the voxels in one of them."""
    dices = [1.0]
    for label in np.union1d(first, second):
        one, other = first == label, second == label
        sizes = int(one.sum()), int(other.sum())
        if max(sizes) >= share * first.size:
            dices.append(2 * int((one & other).sum()) / sum(sizes))
    return min(dices)
