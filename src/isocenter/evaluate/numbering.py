"""Two segmentations as two label maps with common numbers, so that all structures are compared in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused, UsageError, expect
from isocenter.findings import Segment, Segmentation
from isocenter.ops.boxes import box_of
from isocenter.ops.copying import lattice_shift
from isocenter.ops.resample import onto
from isocenter.reasons import Reason
from isocenter.volume import read_only

Numbers = npt.NDArray[np.unsignedinteger]
Both = tuple[Segment | None, Segment | None]
"""The predicted and the true segment of a structure; None where a side does not have it."""


@dataclass(frozen=True, slots=True)
class Maps:
    """One label map of each side, in which a structure has the same number.

    Parameters
    ----------
    names
        The structures; the first has number 1.
    prediction, truth
        Label maps (slice, row, column), uint8 or uint16, read-only.
    """

    names: tuple[str, ...]
    prediction: Numbers
    truth: Numbers


def same_place(prediction: Segmentation, truth: Segmentation) -> Segmentation:
    """The prediction on the grid of the truth, with a reason if its voxels had to be sampled anew.

    Raises
    ------
    Refused
        If both lie apart, or in different frames of reference, so that comparing them voxel by voxel means nothing.
    """
    expect(prediction, Segmentation)
    expect(truth, Segmentation)
    if prediction.grid.coincides(truth.grid):
        return prediction
    try:
        moved = onto(prediction, truth.grid)
    except UsageError as error:
        raise Refused([Reason("GRIDS_APART", str(error))]) from error
    if not _meet(prediction, truth):
        raise Refused([Reason("GRIDS_APART", "The grids of prediction and truth share no place in the world.")])
    if lattice_shift(truth.grid.index_transform(prediction.grid), truth.grid.shape) is None:
        text = f"The prediction lies on {prediction.grid}, the truth on {truth.grid}."
        moved = moved.with_reasons([Reason("PREDICTION_RESAMPLED", text)])
    return moved.with_reasons(_about_uncovered(prediction, truth))


def _corners(segmentation: Segmentation) -> npt.NDArray[np.float64]:
    ends = [(-0.5, n - 0.5) for n in segmentation.grid.shape]
    return np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)


def _meet(one: Segmentation, other: Segmentation) -> bool:
    """Whether the box of one, along the axes of the other, meets the other."""
    index = other.grid.to_index(one.grid.to_world(_corners(one)))
    return bool((index.max(axis=0) > -0.5).all() and (index.min(axis=0) < np.asarray(other.grid.shape) - 0.5).all())


def _about_uncovered(prediction: Segmentation, truth: Segmentation) -> list[Reason]:
    """A reason where structures of the truth reach beyond the grid of the prediction, which could not find them."""
    mask = truth.mask()
    if not mask.any():
        return []
    ends = [(part.start, part.stop - 1) for part in box_of(mask)]
    box = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)
    index = prediction.grid.to_index(truth.grid.to_world(box))
    if (index >= -0.5 - 1e-4).all() and (index <= np.asarray(prediction.grid.shape) - 0.5 + 1e-4).all():
        return []
    return [Reason("TRUTH_UNCOVERED", "The truth reaches beyond the prediction's grid; nothing is predicted there.")]


def paired(prediction: Segmentation, truth: Segmentation) -> tuple[dict[str, Both], tuple[Reason, ...]]:
    """Every structure by name, with the predicted and the true segment: those of the truth first, then all others.

    Names decide. Where there is none in common, and a side has no names but those of its numbers (``label_1``), the
    numbers decide; where each side has one segment alone, under a name of its own, these two are one structure. Both
    are guesses, with a reason.
    """
    mine = {segment.name: segment for segment in prediction.segments}
    true = {segment.name: segment for segment in truth.segments}
    pairs: dict[str, Both] = {name: (mine.get(name), segment) for name, segment in true.items()}
    reasons: list[Reason] = []
    if mine and true and not set(mine) & set(true):
        is_numbered = [all(one.name == f"label_{one.label}" for one in side.values()) for side in (mine, true)]
        by_label = {one.label: one for one in mine.values() if one.layer == 0} if any(is_numbered) else {}
        guessed = {name: by_label[one.label] for name, one in true.items() if one.label in by_label and not one.layer}
        code = "PAIRED_BY_LABEL"
        if not any(is_numbered) and len(mine) == len(true) == 1:
            guessed, code = dict(zip(true, mine.values(), strict=True)), "PAIRED_ALONE"
        if guessed:
            said = ", ".join(f"{one.name} with {name}" for name, one in guessed.items())
            reasons.append(Reason(code, f"Prediction and truth have no name in common; compared were {said}."))
        pairs |= {name: (one, true[name]) for name, one in guessed.items()}
    taken = {one.name for one, _ in pairs.values() if one}
    return pairs | {name: (one, None) for name, one in mine.items() if name not in taken}, tuple(reasons)


def maps(prediction: Segmentation, truth: Segmentation, pairs: Mapping[str, Both]) -> Iterator[Maps]:
    """Label maps with common numbers, one for each pair of layers that holds structures.

    Both segmentations lie on one grid. A label map that already has these numbers is not copied.
    """
    by_layers: dict[tuple[int, int], list[str]] = {}
    for name, (mine, true) in pairs.items():
        layers = (mine.layer if mine else 0, true.layer if true else 0)
        by_layers.setdefault(layers, []).append(name)
    for (layer, true_layer), names in by_layers.items():
        labels = [[pairs[name][side] for name in names] for side in (0, 1)]
        yield Maps(
            tuple(names),
            _renumbered(prediction, layer, [segment.label if segment else 0 for segment in labels[0]]),
            _renumbered(truth, true_layer, [segment.label if segment else 0 for segment in labels[1]]),
        )


def _renumbered(segmentation: Segmentation, layer: int, labels: Sequence[int]) -> Numbers:
    """The label map with 1, 2, ... for the labels, in order, and 0 for all else; a label of 0 is of no segment."""
    array = segmentation.layers[layer] if segmentation.layers else np.zeros(segmentation.grid.shape, np.uint8)
    table = np.zeros(max(*labels, 0) + 2, np.uint8 if len(labels) < 256 else np.uint16)
    table[[label for label in labels if label]] = [number for number, label in enumerate(labels, 1) if label]
    highest = int(array.max(initial=0))
    if array.dtype == table.dtype and np.array_equal(table[: highest + 1], np.arange(highest + 1)):
        return read_only(np.ascontiguousarray(array))
    return read_only(np.take(table, array, mode="clip"))  # the last place of the table stands for all labels above
