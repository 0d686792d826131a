"""Detection: heat maps of a detector to places in the patient, and what a heat map should be where the truth is known.

How outputs lie on the coarse grid is said in :mod:`isocenter.nets.networks.heatmap`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.findings import Box, Mask
from isocenter.geometry import Floats, Grid
from isocenter.nets.networks.strides import stride_of
from isocenter.nets.plan import Plan
from isocenter.nets.prepare import Prepared
from isocenter.nets.runtimes import Runtime
from isocenter.nets.windows.heads import numbers
from isocenter.nets.windows.heads import outputs_of as of_features
from isocenter.ops.boxes import box_of
from isocenter.volume import Array

Point = tuple[float, float, float]

LEAST = 0.05
"""Score from which a peak is a candidate."""
MOST = 100
"""Candidates of an image."""

_NEAREST_MM = 4.0  # two candidates nearer than this are one
_HALO = 4  # coarse voxels at the edge of a tile that another tile sees better


@dataclass(frozen=True, slots=True)
class Detection:
    """Something found at a place.

    Parameters
    ----------
    name
        What it looks most like.
    center_mm
        Its middle in the patient (LPS).
    size_mm
        Its length along the (slice, row, column) axes of the network's grid.
    score
        How sure it is, from 0 to 1; not calibrated.
    shares
        Score of each label at this place, by the order of the plan's labels.
    """

    name: str
    center_mm: Point
    size_mm: Point
    score: float
    shares: tuple[float, ...]

    @property
    def diameter_mm(self) -> float:
        """Of the ball of the same volume as the ellipsoid of its lengths."""
        k, r, c = self.size_mm
        return float((k * r * c) ** (1 / 3))

    def box(self, grid: Grid, within: Grid) -> Box:
        """Its box of voxels on a grid, at least one voxel, cut at the border.

        Parameters
        ----------
        grid
            The grid of the image.
        within
            The grid of the network, whose axes its size lies along.
        """
        middle = within.to_index(self.center_mm)
        half = np.array(self.size_mm) / 2 / np.array(within.spacing_mm)
        corners = [middle + half * np.array(sign) for sign in product((-1, 1), repeat=3)]
        index = grid.to_index(within.to_world(corners))
        last = np.array(grid.shape) - 1
        first = np.clip(np.ceil(index.min(axis=0) - 1e-6), 0, last).astype(int)
        stop = np.maximum(np.clip(np.floor(index.max(axis=0) + 1e-6), 0, last).astype(int), first) + 1
        a, b, c = first.tolist()
        d, e, f = stop.tolist()
        return Box(self.name, (a, b, c), (d, e, f), self.score)


# --- what is found ---------------------------------------------------------------------------------------------------


def detections(case: Prepared, plan: Plan, runtime: Runtime, *, least: float = LEAST) -> tuple[Detection, ...]:
    """What a detector finds in a prepared case, the surest first.

    Parameters
    ----------
    case, plan, runtime
        As of :func:`isocenter.nets.predict.segmentation_of`.
    least
        Score from which a peak counts.

    Returns
    -------
    100 at most. Of candidates whose middles lie nearer to each other than half the size of the surer one, or 4 mm, the
    surer one stays.
    """
    maps = outputs_of(case.array, plan, runtime)
    count, dimensions = len(plan.labels), plan.dimensions
    heat = 1 / (1 + np.exp(-maps[:count].astype(np.float64)))
    best = heat.max(axis=0)
    steps = np.array((1,) * (3 - dimensions) + stride_of(plan))
    found: list[Detection] = []
    for place in peaks(best, least):
        if len(found) == MOST:
            break
        at = (slice(None), *place)
        sizes, offsets = np.ones(3), np.zeros(3)
        sizes[3 - dimensions :] = np.exp(np.clip(maps[at][count : count + dimensions], -2.0, 6.0))
        offsets[3 - dimensions :] = np.clip(maps[at][count + dimensions :], -1.0, 1.0)
        index = (np.array(place) + offsets) * steps + (steps - 1) / 2
        x, y, z = case.grid.to_world(index).tolist()
        k, r, c = (sizes * np.array(case.grid.spacing_mm)).tolist()
        shares = tuple(float(one) for one in heat[at])
        name = plan.labels[int(np.argmax(shares))]
        one = Detection(name, (x, y, z), (k, r, c), float(best[place]), shares)
        if not any(_same(one, other) for other in found):
            found.append(one)
    return tuple(found)


def peaks(heat: Floats, least: float) -> list[tuple[int, int, int]]:
    """Places whose value is at least so large and no less than that of any neighbour, by falling value."""
    from scipy import ndimage

    high = np.argwhere((heat >= least) & (heat == ndimage.maximum_filter(heat, 3, mode="nearest")))
    order = np.argsort(-heat[tuple(high.T)], kind="stable")
    return [(k, r, c) for k, r, c in high[order].tolist()]


def outputs_of(array: Array, plan: Plan, runtime: Runtime) -> Array:
    """Outputs of a whole image (output, *coarse), tile by tile; each voxel is of a tile that sees around it."""
    steps = (1,) * (3 - plan.dimensions) + stride_of(plan)
    coarse = tuple(-(-n // s) for n, s in zip(array.shape[1:], steps, strict=True))
    out: Array | None = None
    for start, kept in tiles(coarse, tuple(-(-n // s) for n, s in zip(plan.patch, steps, strict=True))):
        given = _run(runtime, _patch(array, [a * s for a, s in zip(start, steps, strict=True)], plan))
        tile = given if plan.dimensions == 3 else given[:, None]
        if out is None:
            out = np.zeros((tile.shape[0], *coarse), np.float32)
        inside = (slice(a - b, z - b) for (a, z), b in zip(kept, start, strict=True))
        out[:, *(slice(a, z) for a, z in kept)] = tile[:, *inside]
    assert out is not None  # an image has one voxel at least  # noqa: S101
    return out


def tiles(shape: Sequence[int], tile: Sequence[int]) -> Iterator[tuple[tuple[int, ...], tuple[tuple[int, int], ...]]]:
    """Starts of tiles that cover a shape, and the voxels that are taken from each: every voxel once."""
    along = []
    for size, length in zip(shape, tile, strict=True):
        halo = min(_HALO, (length - 1) // 2)
        count = 1 if size <= length else -(-(size - 2 * halo) // (length - 2 * halo))
        starts = [round(n * (size - length) / max(count - 1, 1)) for n in range(count)] if size > length else [0]
        cuts = [0, *((a + length + b) // 2 for a, b in pairwise(starts)), size]
        along.append(list(zip(starts, cuts[:-1], cuts[1:], strict=True)))
    for parts in product(*along):
        yield tuple(start for start, _, _ in parts), tuple((a, z) for _, a, z in parts)


def _same(one: Detection, other: Detection) -> bool:
    apart = np.linalg.norm(np.subtract(one.center_mm, other.center_mm))
    return bool(apart < max(_NEAREST_MM, other.diameter_mm / 2))


def _patch(array: Array, start: Sequence[int], plan: Plan) -> Array:
    """A batch of one patch, 0 beyond the image."""
    stop = [min(a + n, size) for a, n, size in zip(start, plan.patch, array.shape[1:], strict=True)]
    part = array[:, *(slice(a, z) for a, z in zip(start, stop, strict=True))]
    missing = [(0, n - size) for n, size in zip(plan.patch, part.shape[1:], strict=True)]
    patch = np.ascontiguousarray(np.pad(part, [(0, 0), *missing]), np.float32)[None]
    return patch if plan.dimensions == 3 else patch[:, :, 0]


def _run(runtime: Runtime, batch: Array) -> Array:
    """Outputs of a batch of one, float32 (output, *space), on the CPU."""
    given: Any = batch
    if runtime.device != "cpu":
        import torch

        given = torch.from_numpy(batch).to(runtime.device)
    outputs = runtime(given)
    if runtime.head is not None:
        outputs = of_features(outputs, runtime.head)
    found: Array = numbers(outputs if isinstance(outputs, np.ndarray) else outputs.float().cpu().numpy())[0]
    return found


# --- what is true ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Thing:
    """One connected piece of a label map.

    Parameters
    ----------
    label
        Its label, from 1.
    middle
        Mean index (slice, row, column) of its voxels.
    size
        Edges of the box whose ellipsoid has its volume and the box's proportions, in voxels.
    is_whole
        Whether it touches no border of the array.
    box
        First voxel and one past the last.
    """

    label: int
    middle: Point
    size: Point
    is_whole: bool
    box: tuple[slice, slice, slice]


def things(labels: Array, count: int) -> list[Thing]:
    """The connected pieces (26 neighbours) of each of ``count`` labels, in the order of labels and places."""
    from scipy import ndimage

    found = []
    for label in range(1, count + 1):
        mask = labels == label
        if not mask.any():
            continue
        around = box_of(mask)
        pieces, number = ndimage.label(mask[around], np.ones((3, 3, 3)))
        for piece, within in zip(range(1, number + 1), ndimage.find_objects(pieces), strict=True):
            k, r, c = (slice(a.start + b.start, a.start + b.stop) for a, b in zip(around, within, strict=True))
            found.append(_thing(label, pieces[within] == piece, (k, r, c), labels.shape))
    return found


def _thing(label: int, mask: Mask, box: tuple[slice, slice, slice], shape: tuple[int, ...]) -> Thing:
    first = np.array([one.start for one in box])
    edges = np.array(mask.shape, float)
    scale = (np.count_nonzero(mask) / (np.pi / 6 * edges.prod())) ** (1 / 3)
    k, r, c = (np.argwhere(mask).mean(axis=0) + first).tolist()
    a, b, d = (edges * scale).tolist()
    deep = [n for n in range(3) if shape[n] > 1]
    whole = all(box[n].start > 0 and box[n].stop < shape[n] for n in deep)
    return Thing(label, (k, r, c), (a, b, d), whole, box)


def aims(labels: Array, plan: Plan) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """What a detector should give for a patch of labels (slice, row, column).

    Returns
    -------
    Values (label + 2 * axes, *coarse): heat maps, a Gaussian around each middle that is 1 in its coarse voxel; and at
    the middles logarithms of sizes, and places. Weights (label + 1, *coarse): 0 on the heat maps where a thing leaves
    the patch, so that its middle is unknown; and 1 at the middles.
    """
    count, first = len(plan.labels), 3 - plan.dimensions
    steps = np.array((1,) * first + stride_of(plan))
    coarse = tuple(-(-np.array(labels.shape) // steps))
    values = np.zeros((count + 2 * plan.dimensions, *coarse), np.float32)
    weights = np.concatenate([np.ones((count, *coarse), np.float32), np.zeros((1, *coarse), np.float32)])
    for thing in things(labels, count):
        if not thing.is_whole:
            around = (slice(one.start // s, -(-one.stop // s)) for one, s in zip(thing.box, steps, strict=True))
            weights[:count, *around] = 0
    for thing in things(labels, count):
        if thing.is_whole:
            _aim(thing, steps, (values, weights), count)
    return (values, weights) if first == 0 else (values[:, 0], weights[:, 0])


def _aim(thing: Thing, steps: Array, out: tuple[Array, Array], count: int) -> None:
    values, weights = out
    dimensions = (values.shape[0] - count) // 2
    middle = (np.array(thing.middle) - (steps - 1) / 2) / steps
    place = np.clip(np.rint(middle).astype(int), 0, np.array(values.shape[1:]) - 1)
    spread = np.maximum(np.array(thing.size) / steps / 6, 0.7)
    axes = [np.arange(n) - p for n, p in zip(values.shape[1:], place, strict=True)]
    bells = [np.exp(-0.5 * (axis / s) ** 2) for axis, s in zip(axes, spread, strict=True)]
    heat = bells[0][:, None, None] * bells[1][:, None] * bells[2]
    np.maximum(values[thing.label - 1], heat, out=values[thing.label - 1])
    at = (slice(None), *place)
    values[at][count : count + dimensions] = np.log(thing.size)[3 - dimensions :]
    values[at][count + dimensions :] = (middle - place)[3 - dimensions :]
    weights[count, *place] = 1
    weights[thing.label - 1, *place] = 1
