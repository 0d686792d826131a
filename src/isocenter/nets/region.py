"""Where to look: a coarse network finds the part of an image that a fine one then sees, which saves time on large ones.

The coarse model lies in the folder ``coarse`` of the fine one. It decides nothing but where: the image is prepared
whole, so that values are scaled as ever, and what the fine network finds up to the edge of the part makes it see all.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from isocenter.disk import replacing
from isocenter.errors import UsageError
from isocenter.findings import Algorithm, Segmentation
from isocenter.geometry import Grid
from isocenter.nets.models.model import COARSE, Model, copied, load_model
from isocenter.nets.plan import Plan
from isocenter.nets.prepare import Prepared
from isocenter.nets.structures import segments_of
from isocenter.nets.windows.accumulating import Singles
from isocenter.ops.boxes import Box, box_of
from isocenter.ops.resample import onto
from isocenter.reasons import Reason
from isocenter.volume import Array

_MARGIN = 4
"""The part of a window's length that is seen around what was found."""


def coarse_of(model: Model) -> Model | None:
    """The model that finds where another one is to look; None without one.

    Raises
    ------
    InputError
        If it is damaged.
    """
    folder = model.folder / COARSE
    return load_model(folder, code=model.code) if (folder / "model.json").is_file() else None


def with_coarse(model: Model, coarse: Model) -> Model:
    """A model that looks where another one, of which it keeps a copy, finds something.

    Raises
    ------
    UsageError
        If the other one does not segment, or does not take as many images.
    """
    plan = coarse.plan
    if plan.task != "segmentation" or len(plan.channels) != len(model.plan.channels):
        text = f"{coarse.name} is for {plan.task} of {', '.join(plan.channels)}, so it cannot find where {model.name}"
        raise UsageError(f"{text} is to look, which takes {', '.join(model.plan.channels)}.")
    with replacing(model.folder / COARSE) as place:
        copied(coarse, place)
    return model


def box_around(labels: Array, case: Prepared, grid: Grid, *, plan: Plan) -> Box | None:
    """The box, on a fine network's grid, around all that a coarse one found; None if that is nothing, or all of it.

    Parameters
    ----------
    labels, case
        What the coarse network found on its own grid.
    grid
        Of the fine network.
    plan
        Of the fine network: a quarter of its window is added on each side, and the box holds a window at least.
    """
    whole = Segmentation((np.minimum(labels, 1),), case.grid, segments_of(("any",)), Algorithm("coarse", "1"))
    mask = onto(whole, grid).mask()
    if not mask.any():
        return None
    near = box_of(mask, [n // _MARGIN if n > 1 else 1 for n in plan.patch])
    box = tuple(_widened(side, n, length) for side, n, length in zip(near, plan.patch, grid.shape, strict=True))
    is_all = all(side == slice(0, length) for side, length in zip(box, grid.shape, strict=True))
    return None if is_all else (box[0], box[1], box[2])


def labels_within(array: Singles, box: Box, run: Callable[[Singles], Array]) -> Array | None:
    """The labels (slice, row, column) of an input of which only a box is seen; None if they reach its inner edge."""
    part = run(np.ascontiguousarray(array[:, *box]))
    for axis, side in enumerate(box):
        if side.start > 0 and part.take(0, axis).any():
            return None
        if side.stop < array.shape[1 + axis] and part.take(-1, axis).any():
            return None
    labels = np.zeros(array.shape[1:], part.dtype)
    labels[box] = part
    return labels


def part_seen(box: Box, shape: tuple[int, ...]) -> Reason:
    """That of an image (slice, row, column) only a box was seen: what the coarse network missed elsewhere is missed."""
    share = math.prod(side.stop - side.start for side in box) / math.prod(shape)
    text = f"The network saw the {100 * share:.0f} % of the image around what its coarse network found, nothing else."
    return Reason("PART_SEEN", text)


def _widened(side: slice, least: int, length: int) -> slice:
    """A side of a box that is as long as a window where there is room."""
    missing = max(0, min(least, length) - (side.stop - side.start))
    start = min(max(0, side.start - missing // 2), length - (side.stop - side.start) - missing)
    return slice(max(0, start), max(0, start) + (side.stop - side.start) + missing)
