"""Distances between the surfaces of two label maps, for all labels at once, in millimetres on any grid.

The definition. A voxel belongs to the **surface** of a structure if one of its face neighbours does not, or if it lies
at the border of the image. Each surface voxel counts once, and its distance is that of its centre to the nearest centre
of a surface voxel on the other side. It is MONAI's (1.6, without sub-voxel surfaces) and that of scipy's distance
transform; DeepMind's ``surface-distance`` weighs each piece of surface by its area instead, and gives slightly other
values. Along an axis with one voxel alone there is no surface: a picture has outlines.

How. Most surface voxels lie near the other surface, so the nearest offsets are tried in the order of their length; the
few voxels left over ask a k-d tree. Both are exact. Beside both label maps, 3 bytes per voxel are in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from isocenter.evaluate.numbering import Numbers
from isocenter.kernels import kernel, over_slices, threads
from isocenter.volume import Array

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

_NEAREST = 600
"""Offsets tried before the tree is asked: about as long as one question to it takes."""
_SLACK = 1e-9  # a distance that is the tolerance lies within it, whatever the rounding


@dataclass(frozen=True, slots=True, eq=False)
class Distances:
    """Distances between two surfaces, in millimetres.

    Parameters
    ----------
    to_truth
        Of each surface voxel of the prediction to the nearest one of the truth.
    to_prediction
        Of each surface voxel of the truth to the nearest one of the prediction.
    """

    to_truth: Floats = field(repr=False)
    to_prediction: Floats = field(repr=False)

    def hausdorff_mm(self, percentile: float = 100.0) -> float:
        """The greater of both sides' percentiles of distance: the Hausdorff distance, or HD95 at 95."""
        sides = (self.to_truth, self.to_prediction)
        return max(float(np.percentile(side, percentile)) for side in sides)

    @property
    def mean_mm(self) -> float:
        """Average symmetric surface distance (ASSD): the mean over the surface voxels of both sides."""
        return float((self.to_truth.sum() + self.to_prediction.sum()) / (self.to_truth.size + self.to_prediction.size))

    def within(self, tolerance_mm: float) -> float:
        """Surface Dice (Nikolov 2021): the share of both surfaces that lies within a tolerance of the other."""
        most = tolerance_mm * (1 + _SLACK)
        hits = np.count_nonzero(self.to_truth <= most) + np.count_nonzero(self.to_prediction <= most)
        return float(hits) / (self.to_truth.size + self.to_prediction.size)


@dataclass(frozen=True, slots=True)
class _Surface:
    """The surface voxels of all structures of a label map.

    Parameters
    ----------
    edges
        The label map, flat, with a margin around it and 0 in all but surface voxels.
    places
        Places of the surface voxels in ``edges``, growing.
    labels
        Their numbers.
    shape
        Of the label map with its margin.
    """

    edges: Numbers
    places: Places
    labels: Numbers
    shape: tuple[int, ...]

    def of(self, number: int) -> Array:
        """Array indices of the surface voxels of one structure, counted from the margin's corner."""
        return np.stack(np.unravel_index(self.places[self.labels == number], self.shape), axis=1)


def surface_distances(
    prediction: Numbers, truth: Numbers, step_mm: Floats, numbers: Sequence[int]
) -> dict[int, Distances]:
    """Distances between the surfaces of structures that both label maps hold.

    Parameters
    ----------
    prediction, truth
        Label maps (slice, row, column) of one shape, uint8 or uint16, C order.
    step_mm
        (3, 3): its columns are the steps along (slice, row, column) in the world, of a sheared grid too.
    numbers
        The structures; each is in both label maps.
    """
    offsets, lengths = _offsets(step_mm, prediction.shape)
    k, r, c = (int(n) for n in np.abs(offsets).max(axis=0))
    sides = [_surface(labels, (k, r, c)) for labels in (prediction, truth)]
    strides = np.array([sides[0].shape[1] * sides[0].shape[2], sides[0].shape[2], 1])
    near = (offsets @ strides, lengths)
    ways = [_nearest(one, other, near, step_mm) for one, other in (sides, sides[::-1])]
    labels = [side.labels for side in sides]
    return {n: Distances(ways[0][labels[0] == n], ways[1][labels[1] == n]) for n in numbers}


def _offsets(step_mm: Floats, shape: Sequence[int]) -> tuple[Places, Floats]:
    """Every offset within some radius, the nearest first, with its length; none along an axis of one voxel."""
    axes = [axis for axis in range(3) if shape[axis] > 1] or [2]
    linear = step_mm[:, axes]
    size = np.sqrt(np.linalg.det(linear.T @ linear))  # of a voxel in these axes
    ball = {1: 2.0, 2: np.pi, 3: 4 / 3 * np.pi}[len(axes)]
    radius = float((_NEAREST / ball * size) ** (1 / len(axes)))
    inverse = np.linalg.pinv(linear)
    reach = [min(shape[a] - 1, int(radius * np.linalg.norm(row))) for a, row in zip(axes, inverse, strict=True)]
    found = np.stack(np.meshgrid(*[np.arange(-n, n + 1) for n in reach], indexing="ij"), axis=-1).reshape(-1, len(axes))
    lengths = np.linalg.norm(found @ linear.T, axis=1)
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] <= radius]
    offsets = np.zeros((len(order), 3), np.int64)
    offsets[:, axes] = found[order]
    return offsets, lengths[order]


def _surface(labels: Numbers, margin: tuple[int, int, int]) -> _Surface:
    edges = np.zeros([n + 2 * m for n, m in zip(labels.shape, margin, strict=True)], labels.dtype)
    over_slices(lambda start, stop: _mark(labels, edges, margin, (start, stop)), labels.shape)
    flat = edges.reshape(-1)
    places = np.flatnonzero(flat != 0)
    return _Surface(flat, places, flat[places], edges.shape)


@kernel
def _mark(labels: Numbers, edges: Numbers, margin: tuple[int, int, int], span: tuple[int, int]) -> None:
    """Write the numbers of surface voxels into ``edges``."""
    slices, rows, columns = labels.shape
    for k in range(span[0], span[1]):
        for r in range(rows):
            for c in range(columns):
                own = labels[k, r, c]
                if own == 0:
                    continue
                inside = labels.size > 1 and (
                    slices == 1 or (0 < k < slices - 1 and labels[k - 1, r, c] == own and labels[k + 1, r, c] == own)
                )
                inside = inside and (
                    rows == 1 or (0 < r < rows - 1 and labels[k, r - 1, c] == own and labels[k, r + 1, c] == own)
                )
                inside = inside and (
                    columns == 1 or (0 < c < columns - 1 and labels[k, r, c - 1] == own and labels[k, r, c + 1] == own)
                )
                if not inside:
                    edges[k + margin[0], r + margin[1], c + margin[2]] = own


def _nearest(one: _Surface, other: _Surface, near: tuple[Places, Floats], step_mm: Floats) -> Floats:
    """Distance of each surface voxel of one side to the nearest one of its structure on the other side.

    Infinite where the other side does not have the structure.
    """
    found = np.empty(one.places.size)
    over_slices(
        lambda start, stop: _try(other.edges, (one.places, one.labels), near, found, (start, stop)),
        (one.places.size, 8),
    )
    left = np.flatnonzero(np.isinf(found))
    for number in np.unique(one.labels[left]):
        asking = left[one.labels[left] == number]
        targets = other.of(number)
        if len(targets):
            from scipy.spatial import cKDTree

            tree = cKDTree(targets @ step_mm.T, balanced_tree=False, compact_nodes=False)
            points = np.stack(np.unravel_index(one.places[asking], one.shape), axis=1) @ step_mm.T
            found[asking] = tree.query(points, workers=threads())[0]
    return found


@kernel
def _try(
    edges: Numbers,
    asking: tuple[Places, Numbers],
    near: tuple[Places, Floats],
    found: Floats,
    span: tuple[int, int],
) -> None:
    places, labels = asking
    offsets, lengths = near
    for i in range(span[0], span[1]):
        found[i] = np.inf
        for j in range(len(offsets)):
            if edges[places[i] + offsets[j]] == labels[i]:
                found[i] = lengths[j]
                break
