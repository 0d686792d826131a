"""Scores of a predicted segmentation against the truth: overlap, surface distance and volume of each structure.

Empty and missing structures are handled as Metrics Reloaded (Maier-Hein 2024) asks: they are named, counted, and never
dropped in silence.

=================  ==============================================================================================
``found``          both sides have it: every score is defined
``missed``         only the truth has it: overlaps are 0, distances the diagonal of the image (the worst there can be)
``extra``          only the prediction has it: the same
``absent``         neither has it: right, but no score is defined (NaN); it is counted beside the means
``not predicted``  there is no prediction at all: as missed
=================  ==============================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

import numpy as np

from isocenter.errors import UsageError, expect
from isocenter.evaluate.numbering import Maps, maps, paired, same_place
from isocenter.evaluate.overlap import counted_overlap
from isocenter.evaluate.surfaces import Distances, surface_distances
from isocenter.findings import Segmentation
from isocenter.geometry import Grid, Space
from isocenter.reasons import Reason, merge

NAN = float("nan")


class Outcome(StrEnum):
    """Whether a structure is there, and was found."""

    FOUND = "found"
    MISSED = "missed"
    EXTRA = "extra"
    ABSENT = "absent"
    NOT_PREDICTED = "not predicted"


@dataclass(frozen=True, slots=True)
class Score:
    """How well one structure of one case was found.

    Parameters
    ----------
    structure
        Its name.
    outcome
        Whether it is there, and was found.
    dice, iou
        Overlap: twice the shared voxels over the sum, and shared over united voxels.
    sensitivity, precision
        Shared voxels over those of the truth, and over those of the prediction.
    hd_mm, hd95_mm
        Hausdorff distance of the surfaces, and its 95th percentile.
    assd_mm
        Average symmetric surface distance.
    surface_dice
        Share of both surfaces within the tolerance of the other.
    truth_ml, prediction_ml
        Volumes.
    volume_error_ml, volume_error_percent
        Volume of the prediction less that of the truth, and as percent of the truth.
    """

    structure: str
    outcome: Outcome
    dice: float = NAN
    iou: float = NAN
    sensitivity: float = NAN
    precision: float = NAN
    hd_mm: float = NAN
    hd95_mm: float = NAN
    assd_mm: float = NAN
    surface_dice: float = NAN
    truth_ml: float = NAN
    prediction_ml: float = NAN
    volume_error_ml: float = NAN
    volume_error_percent: float = NAN

    @property
    def is_true(self) -> bool:
        """Whether the truth has the structure."""
        # where nothing was predicted, overlaps are 0 if there was something to find, and NaN if there was not
        return self.outcome in (Outcome.FOUND, Outcome.MISSED) or self.sensitivity == 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and tables; what is not defined is None."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        plain = {name: None if isinstance(v, float) and not np.isfinite(v) else v for name, v in values.items()}
        return {**plain, "outcome": str(self.outcome)}


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of all structures of one case.

    Parameters
    ----------
    of
        One for each structure, in the order of the truth.
    tolerance_mm
        Of the surface Dice, by structure.
    reasons
        Those of both segmentations, and what was to be said of comparing them.
    """

    of: tuple[Score, ...]
    tolerance_mm: Mapping[str, float]
    reasons: tuple[Reason, ...] = ()

    def __getitem__(self, structure: str) -> Score:
        for score in self.of:
            if score.structure == structure:
                return score
        raise KeyError(structure)


Tolerance = float | Mapping[str, float]


def scores(
    prediction: Segmentation | None,
    truth: Segmentation,
    *,
    names: Sequence[str] | None = None,
    tolerance_mm: Tolerance = 1.0,
) -> Scores:
    """Compare a predicted segmentation with the truth.

    Parameters
    ----------
    prediction
        What was found; brought onto the grid of the truth where it lies on another one. None if there is none.
    truth
        What is true.
    names
        Structures to compare; by default those of the truth.
    tolerance_mm
        Of the surface Dice: one for all structures, or one for each by name; a structure that is not named has none.

    Raises
    ------
    Refused
        If both share no place in the world (``GRIDS_APART``).
    UsageError
        If no structure bears a name asked for, or a tolerance is no positive length.
    """
    expect(truth, Segmentation)
    expect(prediction, Segmentation, type(None))
    known = {*truth.names, *(prediction.names if prediction is not None else ())}
    if names is not None and not set(names) & known:
        there = ", ".join(sorted(known)) or "nothing"
        raise UsageError(f"Neither side has a structure {', '.join(names)}; there is {there}.")
    expect_tolerances(tolerance_mm, known)
    found = scored(prediction, truth, names=names, tolerance_mm=tolerance_mm)
    asked = truth.names if names is None else tuple(names)
    kept = tuple(one for one in found.of if one.structure in asked)
    spare = [one.structure for one in found.of if one.structure not in asked and one.outcome is not Outcome.ABSENT]
    if not spare:
        return Scores(kept, found.tolerance_mm, found.reasons)
    return Scores(kept, found.tolerance_mm, merge(found.reasons, [not_in_truth(spare)]))


def expect_tolerances(tolerance_mm: Tolerance, known: Collection[str]) -> None:
    """Tell a caller who gives a tolerance to a structure that is not there.

    Raises
    ------
    UsageError
        If there is none of a name.
    """
    strange = sorted(set(tolerance_mm) - set(known)) if isinstance(tolerance_mm, Mapping) else []
    if strange:
        raise UsageError(f"There is no structure {', '.join(strange)} to have a tolerance.")


def not_in_truth(names: Sequence[str]) -> Reason:
    """The reason for predicted structures that are left out, since no truth has them."""
    return Reason("NOT_IN_TRUTH", f"Predicted, but no structure of the truth: {', '.join(names)}.")


def scored(
    prediction: Segmentation | None, truth: Segmentation, *, names: Sequence[str] | None, tolerance_mm: Tolerance
) -> Scores:
    """As :func:`scores`, but by default of all structures of both sides, and with names that neither side has."""
    expect(truth, Segmentation)
    if prediction is None:
        asked = tuple(names) if names is not None else truth.names
        found = [_not_predicted(truth, name) for name in asked]
        return Scores(tuple(found), _tolerances(tolerance_mm, asked), truth.reasons)
    moved = same_place(prediction, truth)
    pairs, reasons = paired(moved, truth)
    if names is not None:
        pairs = {name: pairs.get(name, (None, None)) for name in names}
    tolerances = _tolerances(tolerance_mm, tuple(pairs))
    by_name: dict[str, Score] = {}
    for both in maps(moved, truth, pairs):
        by_name.update(_compared(both, truth.grid, tolerances))
    about_size = (
        [Reason("NO_DISTANCES", "The size of the pixels is unknown.")] if truth.grid.space is Space.PIXEL else []
    )
    every = merge(truth.reasons, moved.reasons, reasons, about_size)
    return Scores(tuple(by_name[name] for name in pairs), tolerances, every)


def _tolerances(tolerance_mm: Tolerance, names: Sequence[str]) -> dict[str, float]:
    given = tolerance_mm if isinstance(tolerance_mm, Mapping) else dict.fromkeys(names, tolerance_mm)
    for name in given:
        if not (isinstance(given[name], int | float | np.number) and 0 < given[name] < np.inf):
            raise UsageError(f"The tolerance of {name} is a positive length in millimetres, not {given[name]!r}.")
    return {name: float(given.get(name, math.nan)) for name in names}


def _compared(both: Maps, grid: Grid, tolerances: Mapping[str, float]) -> dict[str, Score]:
    counts = counted_overlap(both.prediction, both.truth, len(both.names))
    in_both = [number for number, (mine, true, _) in enumerate(counts, 1) if mine and true]
    distances: dict[int, Distances] = {}
    if in_both and grid.space is not Space.PIXEL:
        distances = surface_distances(both.prediction, both.truth, grid.affine[:3, :3], in_both)
    found = {}
    for number, name in enumerate(both.names, 1):
        mine, true, shared = (int(n) for n in counts[number - 1])
        found[name] = _score(name, (mine, true, shared), (distances.get(number), tolerances[name]), grid)
    return found


def _score(name: str, counts: tuple[int, int, int], surface: tuple[Distances | None, float], grid: Grid) -> Score:
    mine, true, shared = counts
    volumes = _volumes(mine, true, grid)
    if not mine and not true:
        return Score(name, Outcome.ABSENT, **volumes)
    overlap = {
        "dice": 2 * shared / (mine + true),
        "iou": shared / (mine + true - shared),
        "sensitivity": shared / true if true else NAN,
        "precision": shared / mine if mine else NAN,
    }
    if not mine or not true:
        outcome = Outcome.MISSED if true else Outcome.EXTRA
        return Score(name, outcome, **overlap, **_worst(grid), **volumes)
    distances, tolerance = surface
    if distances is None:
        return Score(name, Outcome.FOUND, **overlap, **volumes)
    return Score(
        name,
        Outcome.FOUND,
        **overlap,
        hd_mm=distances.hausdorff_mm(),
        hd95_mm=distances.hausdorff_mm(95),
        assd_mm=distances.mean_mm,
        surface_dice=distances.within(tolerance) if tolerance > 0 else NAN,
        **volumes,
    )


def _worst(grid: Grid) -> dict[str, float]:
    """Scores of a structure that one side does not have: the diagonal stands for a distance that has no end."""
    if grid.space is Space.PIXEL:
        return {}
    corners = np.stack(np.meshgrid(*[(0, n - 1) for n in grid.shape], indexing="ij"), axis=-1).reshape(-1, 3)
    world = grid.to_world(corners)
    diagonal = float(np.linalg.norm(world[:, None] - world[None], axis=-1).max())
    return {"hd_mm": diagonal, "hd95_mm": diagonal, "assd_mm": diagonal, "surface_dice": 0.0}


def _volumes(mine: int, true: int, grid: Grid) -> dict[str, float]:
    if grid.space is not Space.PATIENT:  # a picture has no depth
        return {"volume_error_percent": 100 * (mine - true) / true if true else NAN}
    ml = grid.voxel_volume_ml
    return {
        "truth_ml": true * ml,
        "prediction_ml": mine * ml,
        "volume_error_ml": (mine - true) * ml,
        "volume_error_percent": 100 * (mine - true) / true if true else NAN,
    }


def _not_predicted(truth: Segmentation, name: str) -> Score:
    voxels = int(np.count_nonzero(truth.mask(name))) if name in truth.names else 0
    volumes = {**_volumes(0, voxels, truth.grid), "prediction_ml": NAN}
    if not voxels:
        return Score(name, Outcome.NOT_PREDICTED, **volumes)
    zeros = dict.fromkeys(("dice", "iou", "sensitivity"), 0.0)
    return Score(name, Outcome.NOT_PREDICTED, **zeros, **_worst(truth.grid), **volumes)
