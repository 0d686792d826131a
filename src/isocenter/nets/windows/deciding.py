"""What becomes of a network's averages: a label for each voxel, or the outputs as they are.

Both take one network or several (an ensemble, whose outputs are averaged), side by side and a part at a time, so that
no volume of scores is ever held for labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from isocenter.errors import UsageError
from isocenter.nets.runtimes import Runtime
from isocenter.nets.windows.accumulating import Singles
from isocenter.nets.windows.heads import label_type, largest, outputs_of
from isocenter.nets.windows.window import Part, Window, parts, whole
from isocenter.volume import Array

_VOXELS = 2**13  # that scores are made of at a time: as many as stay in a processor's cache


class Witness(Protocol):
    """What wants to see the scores as they go by."""

    def see(self, each: Sequence[Any], scores: Any, labels: Array) -> None:
        """Take note of some voxels: scores (output, voxel) of each network, their average, and the labels."""
        ...


def labels(array: Singles, runtimes: Sequence[Runtime], window: Window, *, witness: Witness | None = None) -> Array:
    """The label map that networks agree on by their averaged outputs.

    Parameters
    ----------
    array
        float32 (channel, slice, row, column), as ``prepare`` makes it.
    runtimes
        The networks, one at least.
    window
        How they see it.
    witness
        Sees all scores.

    Returns
    -------
    (slice, row, column): the output of the largest average; the first of equal ones. uint8 up to 256 outputs, else
    uint16.
    """
    found: Array | None = None
    for members in _together(array, runtimes, window):
        start, (count, *plane) = members[0].start, members[0].values.shape[1:]
        line = np.empty(int(np.prod([count, *plane])), np.uint16)
        outputs = 0
        for voxels, each in _scores(members):
            scores = _average(each)
            line[voxels] = largest(scores)
            outputs = scores.shape[0]
            if witness is not None:
                witness.see(each, scores, line[voxels])
        if found is None:
            found = np.empty(array.shape[1:], label_type(outputs))
        found[start : start + count] = line.reshape(count, *plane)
    if found is None:
        raise UsageError("An image without voxels has no labels.")
    return found


def outputs(array: Singles, runtimes: Sequence[Runtime], window: Window) -> Singles:
    """The averaged outputs (output, slice, row, column), float32; parameters as of :func:`labels`."""
    if len(runtimes) == 1 and (values := whole(array, runtimes[0], window)) is not None:
        return values
    found: Singles | None = None
    for members in _together(array, runtimes, window):
        start, count = members[0].start, members[0].values.shape[1]
        for voxels, each in _scores(members):
            scores = _average(each)
            if found is None:
                found = np.empty((scores.shape[0], *array.shape[1:]), np.float32)
            target = found[:, start : start + count].reshape(scores.shape[0], -1)
            target[:, voxels] = scores if isinstance(scores, np.ndarray) else scores.cpu().numpy()
    if found is None:
        raise UsageError("An image without voxels has no outputs.")
    return found


def _together(array: Singles, runtimes: Sequence[Runtime], window: Window) -> Iterator[tuple[Part, ...]]:
    """Parts of all networks, of the same slices."""
    if not runtimes:
        raise UsageError("A prediction needs one network at least.")
    for members in zip(*(parts(array, runtime, window) for runtime in runtimes), strict=True):
        if len({(one.start, *one.values.shape, one.head is None) for one in members}) > 1:
            raise UsageError("Networks of an ensemble differ in what they give: they must be of one plan.")
        yield members


def _scores(members: Sequence[Part]) -> Iterator[tuple[slice, list[Any]]]:
    """Scores (output, voxel) of each network, some voxels at a time on the CPU."""
    flat = [one.values.reshape(one.values.shape[0], -1) for one in members]
    voxels = flat[0].shape[1]
    at_once = _VOXELS if isinstance(flat[0], np.ndarray) else voxels
    for start in range(0, voxels, at_once):
        some = slice(start, min(start + at_once, voxels))
        yield (
            some,
            [
                values[:, some] if one.head is None else outputs_of(values[None, :, some], one.head)[0]
                for one, values in zip(members, flat, strict=True)
            ],
        )


def _average(each: Sequence[Any]) -> Any:
    return each[0] if len(each) == 1 else sum(each[1:], start=each[0]) / len(each)
