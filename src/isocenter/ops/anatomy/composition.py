"""Body composition at a level: the area of each segment in a cross-section of the body. What is muscle or fat comes in.

With ``iso.segment(ct, "muscle")``, or with any other segmentation of tissues.
"""

from __future__ import annotations

import numpy as np

from isocenter import codes
from isocenter.errors import UsageError, expect
from isocenter.findings import Measurement, Segmentation
from isocenter.geometry import Space
from isocenter.ops.lattice import expect_one_grid
from isocenter.volume import Volume


def areas_at(
    volume: Volume, segmentation: Segmentation, level_mm: float, *, thickness_mm: float = 10.0
) -> tuple[Measurement, ...]:
    """Area and mean value of every segment in a slab across the body.

    Parameters
    ----------
    volume
        The image.
    segmentation
        Segments on its grid, such as muscle, outer and inner fat.
    level_mm
        Height of the middle of the slab in the patient: z in LPS millimetres, growing towards the head. That of the
        middle of the third lumbar vertebra is the custom.
    thickness_mm
        Of the slab: the area is the volume in it over its thickness.

    Returns
    -------
    For each segment its area in cm2, and its mean where it has any voxel in the slab.

    Raises
    ------
    UsageError
        If the grids differ, the image has no place in a patient, the slab is thinner than its voxels, or the image does
        not reach over all of it.
    """
    expect(volume, Volume)
    if volume.grid.space is not Space.PATIENT or volume.axes:
        raise UsageError("A level of the body needs one image with a place in the patient.")
    expect_one_grid(volume, segmentation)
    steps = volume.grid.affine[2, :3]
    if thickness_mm < np.abs(steps).sum():
        raise UsageError(f"A slab of {thickness_mm:g} mm is thinner than the voxels: {np.abs(steps).sum():.3g} mm.")
    axis = int(np.argmax(np.abs(steps)))
    if np.abs(np.delete(steps * volume.grid.shape, axis)).sum() > thickness_mm:
        raise UsageError("The slices are turned against the body: bring the image onto an axial grid first.")
    inside = _share(volume, axis, (level_mm - thickness_mm / 2, level_mm + thickness_mm / 2))
    taken = [slice(None)] * 3
    taken[axis] = slice(*(np.flatnonzero(inside)[[0, -1]] + (0, 1)))
    weights = np.expand_dims(inside[inside > 0], tuple({0, 1, 2} - {axis}))
    values = volume.array[tuple(taken)].astype(np.float64)
    found: list[Measurement] = []
    for segment in segmentation.segments:
        part = (segmentation.layers[segment.layer][tuple(taken)] == segment.label) * weights
        total = float(part.sum())
        how = f"In a slab of {thickness_mm:g} mm around z = {level_mm:.1f} mm"
        area = total * volume.grid.voxel_volume_mm3 / thickness_mm / 100
        found.append(Measurement("area", "Area", area, codes.CM2, codes.AREA, (segment.name,), method=how))
        if total:
            mean = float((values[part > 0] * part[part > 0]).sum() / total)  # NaN elsewhere is none of its
            concept = codes.ATTENUATION if volume.unit == codes.HU else codes.MEAN
            found.append(
                Measurement("mean", "Mean", mean, volume.unit, concept, (segment.name,), codes.MEAN, method=how)
            )
    return tuple(found)


def _share(volume: Volume, axis: int, slab: tuple[float, float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """How much of each layer of voxels along an axis lies in a slab of heights, from 0 to 1."""
    middle = [(n - 1) / 2 for n in volume.grid.shape]
    index = np.tile(middle, (volume.grid.shape[axis], 1))
    index[:, axis] = np.arange(volume.grid.shape[axis])
    heights = volume.grid.to_world(index)[:, 2]
    half = abs(volume.grid.affine[2, axis]) / 2
    if heights.min() - half > slab[0] + 1e-6 or heights.max() + half < slab[1] - 1e-6:
        reach = f"{heights.min() - half:.1f} to {heights.max() + half:.1f} mm"
        raise UsageError(
            f"The slab from {slab[0]:.1f} to {slab[1]:.1f} mm leaves the image, which reaches from {reach}."
        )
    shares: np.ndarray[tuple[int], np.dtype[np.float64]] = np.clip(
        (np.minimum(heights + half, slab[1]) - np.maximum(heights - half, slab[0])) / (2 * half), 0, 1
    )
    return shares
