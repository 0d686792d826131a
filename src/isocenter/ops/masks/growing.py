"""Region growing: the voxels that are connected to seeds and alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError
from isocenter.findings import Algorithm, Mask, Segmentation
from isocenter.geometry import Grid
from isocenter.ops.lattice import expect_one_grid
from isocenter.ops.masks.layers import VERSION, found, mask_of, values_of
from isocenter.ops.masks.thresholds import between
from isocenter.reasons import Reason, counted
from isocenter.volume import Array, Volume


def connected_threshold(
    volume: Volume,
    seeds_mm: npt.ArrayLike,
    *,
    low: float = -np.inf,
    high: float = np.inf,
    inside: Segmentation | None = None,
    name: str = "region",
) -> Segmentation:
    """The voxels from ``low`` to ``high`` that are connected to a seed through faces of such voxels.

    Parameters
    ----------
    volume
        (slice, row, column), in any unit.
    seeds_mm
        World points (x, y, z), one or several; each means the voxel that it lies in.
    low, high
        In the unit of the volume, both included; left out, that side is open, but not to infinite values. A seed whose
        value is outside grows nothing, and a reason says so (``SEED_OUTSIDE_LIMITS``).
    inside
        Where to grow; everywhere by default.
    name
        Name of the segment.

    Raises
    ------
    UsageError
        If a seed lies outside the image, or the volume has further axes.
    """
    values = values_of(volume)
    if not low <= high:
        raise UsageError(f"The lower limit {low} is above the upper limit {high}, or one is no number.")
    seeds = voxels_of(seeds_mm, volume.grid)
    mask = _grown(values, seeds, (float(low), float(high)), _room(volume, inside))
    settings = (("low", float(low)), ("high", float(high)), ("seeds_mm", _plain(seeds_mm)))
    made = found(mask, volume, (name,), Algorithm("Connected threshold", VERSION, settings))
    return made.with_reasons(_about_seeds(mask, seeds))


def confidence_connected(
    volume: Volume,
    seeds_mm: npt.ArrayLike,
    *,
    deviations: float = 2.5,
    iterations: int = 4,
    inside: Segmentation | None = None,
    name: str = "region",
) -> Segmentation:
    """The voxels connected to the seeds whose value lies within some standard deviations of the region's mean.

    Mean and deviation are first those of the seeds and their 26 neighbours, then those of the region just found, as
    often as ``iterations`` says; the values of the seeds are always let in. As ITK's ConfidenceConnected filter.

    Parameters
    ----------
    volume, seeds_mm, inside, name
        As for :func:`connected_threshold`.
    deviations
        Half the width of the range, in standard deviations.
    iterations
        How often the range is taken from the region and the region grown anew.
    """
    values = values_of(volume)
    if not (np.isfinite(deviations) and deviations > 0 and iterations >= 0):
        raise UsageError(f"Give deviations above 0 and iterations from 0, not {deviations!r} and {iterations!r}.")
    seeds, room = voxels_of(seeds_mm, volume.grid), _room(volume, inside)
    at_seeds = values[tuple(seeds.T)].astype(np.float64)
    if not np.isfinite(at_seeds).all():
        raise UsageError("A seed lies on a voxel without a finite value: choose another place.")
    limits = _limits(*_around(values, seeds), deviations, at_seeds)
    mask = _grown(values, seeds, limits, room)
    for _ in range(iterations):
        region = values[mask].astype(np.float64)
        if len(region) < 2 or region.var() == 0:
            break
        limits = _limits(float(region.mean()), float(region.var(ddof=1)), deviations, at_seeds)
        mask = _grown(values, seeds, limits, room)
    settings = (("deviations", deviations), ("iterations", iterations), ("low", limits[0]), ("high", limits[1]))
    algorithm = Algorithm("Confidence connected", VERSION, (*settings, ("seeds_mm", _plain(seeds_mm))))
    return found(mask, volume, (name,), algorithm).with_reasons(_about_seeds(mask, seeds))


def voxels_of(points_mm: npt.ArrayLike, grid: Grid) -> npt.NDArray[np.int64]:
    """(n, 3) index of the voxel that each world point lies in.

    Raises
    ------
    UsageError
        If there is no point, or one lies outside the grid.
    """
    points = np.asarray(points_mm, float)
    if points.size == 0 or points.ndim > 2 or points.shape[-1] != 3:
        raise UsageError(f"Seeds are one or more points (x, y, z) in millimetres, not an array of {points.shape}.")
    index = np.rint(grid.to_index(points.reshape(-1, 3)))
    outside = ~((index >= 0) & (index < grid.shape)).all(axis=1)
    if outside.any():
        raise UsageError(f"{np.count_nonzero(outside)} of {len(index)} seeds lie outside the image.")
    return index.astype(np.int64)


def _plain(points_mm: Any) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(point) for point in np.asarray(points_mm, float).reshape(-1, 3).tolist())


def _room(volume: Volume, inside: Segmentation | None) -> Mask | None:
    """Where to grow; None for everywhere."""
    if inside is None:
        return None
    expect_one_grid(volume, inside)
    return mask_of(inside)


def _about_seeds(mask: Mask, seeds: npt.NDArray[np.int64]) -> tuple[Reason, ...]:
    barren = int(np.count_nonzero(~mask[tuple(seeds.T)]))
    text = f"Nothing grew from {barren} of {counted(len(seeds), 'seed', 'seeds')}."
    return (Reason("SEED_OUTSIDE_LIMITS", text),) if barren else ()


def _around(values: Array, seeds: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Mean and variance of the seeds and their neighbours, each seed's neighbourhood counted by itself."""
    parts = [values[tuple(slice(max(0, i - 1), i + 2) for i in seed)].reshape(-1) for seed in seeds]
    around = np.concatenate(parts).astype(np.float64)
    around = around[np.isfinite(around)]
    return float(around.mean()), float(around.var(ddof=1)) if len(around) > 1 else 0.0


def _limits(mean: float, variance: float, deviations: float, seeds: Array) -> tuple[float, float]:
    reach = deviations * float(np.sqrt(variance))
    return min(mean - reach, float(seeds.min())), max(mean + reach, float(seeds.max()))


def _grown(values: Array, seeds: npt.NDArray[np.int64], limits: tuple[float, float], room: Mask | None) -> Mask:
    from isocenter.ops.masks.floods import connected_to

    free = between(values, *limits)
    if values.dtype.kind == "f":
        free &= np.isfinite(values)
    if room is not None:
        free &= room
    return connected_to(free, seeds)
