"""A mask drawn to the borders of an image: the two-density model of Chan and Vese (2001), near the outline alone.

The energy is that of the piecewise constant model: the squared differences of the values to the mean inside and to
that outside, and the area of the outline. It is lowered by threshold dynamics (Esedoglu and Tsai 2006): the mask is
smoothed by a Gaussian, each voxel is drawn to the side that its value fits, and the half of it is taken. This is the
level-set method without a level-set function; lengths are millimetres on any spacing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.findings import Mask, Segmentation
from isocenter.ops.lattice import Spacing, expect_one_grid, spacing_of
from isocenter.ops.masks.layers import Names, length, reshaped, then, values_of
from isocenter.ops.masks.morphology import distance_mm
from isocenter.ops.masks.shaping import smooth_share
from isocenter.reasons import Reason, merge
from isocenter.volume import Array, Volume

_MOST_STEPS = 60
_FAR = 0.5
"""Share of its volume by which a segment changes at most before a person is asked to look."""


def refined(
    volume: Volume,
    segmentation: Segmentation,
    *,
    reach_mm: float = 5.0,
    smoothing_mm: float = 2.0,
    pull: float = 1.0,
    names: Names = None,
) -> Segmentation:
    """The segments with their outlines drawn to the borders of the image.

    Each segment by itself: the mean of the values within ``reach_mm`` of its outline, inside and outside, says what it
    looks like and what its surroundings do; the outline moves until it parts both best and is smooth.

    Parameters
    ----------
    volume
        (slice, row, column), in any unit. Voxels without a finite value pull nowhere.
    segmentation
        Segments near the true outline, on the grid of the volume.
    reach_mm
        How far the outline may move from where it is; also what is looked at.
    smoothing_mm
        Standard deviation of the Gaussian: details smaller than it vanish. Well below a voxel it smooths nothing.
    pull
        Strength of the image against the smoothness: 0 smooths alone, large values make a threshold half-way between
        both means.
    names
        Segments to refine; all by default. The others stay and are not grown over.

    Returns
    -------
    The segmentation; with the reason ``OUTLINE_MOVED_FAR`` if a segment changed by more than half of its volume.

    Raises
    ------
    UsageError
        If the grids differ, a length is negative, or the grid has no sizes in millimetres or is sheared.
    """
    values = values_of(volume)
    expect_one_grid(volume, segmentation)
    spacing = spacing_of(segmentation.grid)
    reach, sigma = length(reach_mm, "The reach"), length(smoothing_mm, "The smoothing")
    strength = length(pull, "The pull")
    settings = {"reach_mm": reach, "smoothing_mm": sigma, "pull": strength}
    algorithm = then(segmentation.algorithm, "refined", **settings)
    made = reshaped(
        segmentation,
        names,
        lambda mask, box: settled(values[box], mask, spacing, (reach, sigma, strength)),
        reach_mm=reach,
        algorithm=algorithm,
    )
    return made.with_reasons(merge(volume.reasons, _about_moves(segmentation, made)))


def settled(values: Array, mask: Mask, spacing_mm: Spacing, numbers: tuple[float, float, float]) -> Mask:
    """The mask where the energy does not fall any more.

    Parameters
    ----------
    values, mask
        (slice, row, column).
    spacing_mm
        Along (slice, row, column).
    numbers
        Reach and smoothing in millimetres, and the pull.
    """
    reach_mm, sigma_mm, pull = numbers
    band = np.where(mask, distance_mm(mask, spacing_mm), distance_mm(~mask, spacing_mm)) <= reach_mm
    if not band.any():
        return mask
    k, r, c = (sigma_mm / size for size in spacing_mm)
    usable = band & np.isfinite(values)
    now = mask.copy()
    for _ in range(_MOST_STEPS):
        fit = _fit(values, usable & now, usable & ~now, band)
        share = smooth_share(now, (k, r, c))[band]
        new = share + 0.5 * pull * fit > 0.5
        if np.array_equal(new, now[band]):
            break
        now[band] = new
    return now


def _fit(values: Array, within: Mask, beyond: Mask, band: Mask) -> npt.NDArray[np.float32]:
    """How much better each value of the band fits the mean inside than that outside, from -1 to 1."""
    if not (within.any() and beyond.any()):
        return np.zeros(np.count_nonzero(band), np.float32)
    inner, outer = float(values[within].mean(dtype=np.float64)), float(values[beyond].mean(dtype=np.float64))
    if inner == outer:
        return np.zeros(np.count_nonzero(band), np.float32)
    fit = (2 * values[band].astype(np.float64) - inner - outer) / (inner - outer)
    return np.clip(np.where(np.isfinite(fit), fit, 0.0), -1, 1).astype(np.float32)


def _about_moves(before: Segmentation, after: Segmentation) -> tuple[Reason, ...]:
    far = []
    for segment in before.segments:
        old, new = before.volume_ml(segment.name), after.volume_ml(segment.name)
        if abs(new - old) > _FAR * old:
            far.append(f"{segment.title} ({old:.3g} to {new:.3g} ml)")
    return (Reason("OUTLINE_MOVED_FAR", f"Refining changed much of: {', '.join(far)}."),) if far else ()
