"""How sure a network is of what it found: from its scores as they go by, so that no volume of them is ever kept.

Three things are told of each structure. Its **expected Dice**, were the network's probabilities true: twice the
probability inside its mask over the mask's voxels and all its probability (Sudre 2017's soft Dice with itself). Its
mean **certainty** inside the mask. And the **agreement** of several views (members of an ensemble, mirror images): the
mean Dice of each one's mask with that of all. What these are worth is known only where truth is: ``conformal``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels import kernel
from isocenter.nets.windows.heads import largest
from isocenter.reasons import Reason
from isocenter.volume import Array

Floats = npt.NDArray[np.float64]
FEATURES = ("expected_dice", "least_expected_dice", "agreement", "entropy")
"""What a calibration may predict a case's Dice from, by name; see :meth:`Certainty.features`."""

_UNSURE = 0.7  # of an expected Dice: below it Isensee's and others' readers redraw
_LISTED = 12


@dataclass(frozen=True, eq=False)
class Certainty:
    """How sure a network is of each structure; NaN where it found none.

    Parameters
    ----------
    names
        The structures.
    voxels
        Of each, on the network's grid.
    expected_dice, certainty, agreement
        Of each, from 0 to 1; agreement is 1 with one view alone.
    entropy
        Mean over all voxels that are or may well be of a structure, over its greatest possible value: 0 is sure.
    """

    names: tuple[str, ...]
    voxels: npt.NDArray[np.int64]
    expected_dice: Floats
    certainty: Floats
    agreement: Floats
    entropy: float

    def features(self, *names: str) -> tuple[float, ...]:
        """Numbers of the case by their names (:data:`FEATURES`, by default all), 0 where nothing was found."""
        found = self.voxels > 0
        every = {
            "expected_dice": float(self.expected_dice[found].mean()) if found.any() else 0.0,
            "least_expected_dice": float(self.expected_dice[found].min()) if found.any() else 0.0,
            "agreement": float(self.agreement[found].mean()) if found.any() else 0.0,
            "entropy": self.entropy,
        }
        return tuple(every[name] for name in names or FEATURES)

    def reasons(self) -> tuple[Reason, ...]:
        """What is to be looked at: structures that the network itself doubts."""
        doubted = [
            f"{name} ({value:.2f})"
            for name, value, count in zip(self.names, self.expected_dice, self.voxels, strict=True)
            if count and value < _UNSURE
        ]
        if not doubted:
            return ()
        more = f" and {len(doubted) - _LISTED} more" if len(doubted) > _LISTED else ""
        text = f"By its own probabilities the network expects a low Dice of {', '.join(doubted[:_LISTED])}{more}."
        return (Reason("NETWORK_UNSURE", text),)


class Watching:
    """A witness of scores that adds up what certainty is told from.

    Parameters
    ----------
    outputs
        Of the network, background among them.
    views
        Networks, or mirror images of one, that are asked one by one; 1 needs no agreement.
    """

    def __init__(self, outputs: int, views: int = 1) -> None:
        self._sums = np.zeros((4, outputs))  # voxels, probability anywhere, probability inside; entropy and its voxels
        self._common = np.zeros((views, 3, outputs))  # of each view: voxels, voxels of all, voxels in common

    def see(self, each: Sequence[Any], scores: Any, labels: Array) -> None:
        """As of :class:`isocenter.nets.windows.deciding.Witness`."""
        _add(np.ascontiguousarray(_on_cpu(scores), np.float32), labels, self._sums)
        if len(each) > 1:
            for one, common in zip(each, self._common, strict=True):
                _compare(largest(one), labels, common)

    def certainty(self, names: Sequence[str]) -> Certainty:
        """What was seen, of the outputs behind background."""
        voxels, anywhere, inside, entropy = self._sums
        with np.errstate(invalid="ignore", divide="ignore"):
            expected = 2 * inside / (voxels + anywhere)
            certainty = inside / voxels
            agreement = 2 * self._common[:, 2] / (self._common[:, 0] + self._common[:, 1])
        mean = np.nan_to_num(agreement, nan=1.0).mean(axis=0)
        missing = voxels == 0
        for values in (expected, certainty, mean):
            values[missing] = np.nan
        share = float(entropy[0] / entropy[1]) if entropy[1] else 0.0
        return Certainty(tuple(names), voxels[1:].astype(np.int64), expected[1:], certainty[1:], mean[1:], share)


def _on_cpu(scores: Any) -> Array:
    return scores if isinstance(scores, np.ndarray) else scores.cpu().numpy()


@kernel
def _add(scores: Array, labels: Array, sums: Array) -> None:
    """Add some voxels to the sums; probabilities are the scores' softmax."""
    outputs, voxels = scores.shape
    top, total, spread = np.empty(voxels, np.float32), np.zeros(voxels, np.float32), np.zeros(voxels, np.float32)
    shares = np.zeros((outputs, voxels), np.float32)
    for x in range(voxels):
        top[x] = scores[labels[x], x]
    for one in range(outputs):
        for x in range(voxels):
            less = scores[one, x] - top[x]
            if less > -20:  # e^-20 of a voxel counts for nothing
                share = np.exp(less)
                shares[one, x] = share
                total[x] += share
                spread[x] -= share * less
    for one in range(outputs):
        anywhere = 0.0
        for x in range(voxels):
            anywhere += shares[one, x] / total[x]
        sums[1, one] += anywhere
    most = np.log(outputs)
    for x in range(voxels):
        label = labels[x]
        certain = shares[label, x] / total[x]
        sums[0, label] += 1
        sums[2, label] += certain
        if label > 0 or shares[0, x] / total[x] < 0.99:
            sums[3, 0] += (np.log(total[x]) + spread[x] / total[x]) / most
            sums[3, 1] += 1


@kernel
def _compare(own: Array, labels: Array, common: Array) -> None:
    """Count the voxels of one view, of all, and in common."""
    for x in range(labels.size):
        common[0, own[x]] += 1
        common[1, labels[x]] += 1
        if own[x] == labels[x]:
            common[2, own[x]] += 1
