"""Augmentation of volumes and segmentations: the same steps, with what their grid and modality say about them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.augment.chain import Drawn
from isocenter.augment.scale import Scale
from isocenter.augment.space import Flip, is_spatial, places, pull
from isocenter.augment.strangers import Stranger
from isocenter.augment.warping import moved
from isocenter.errors import Refused, UsageError
from isocenter.findings import Segmentation
from isocenter.geometry import Floats, Space
from isocenter.ops.lattice import expect_one_grid, expect_real, spacing_of
from isocenter.ops.masks.layers import telling_lost
from isocenter.reasons import Reason
from isocenter.volume import Array, Volume


class AugmentedImage(NamedTuple):
    """What came out: the image, its segmentation and points (n, 3) in world millimetres, where they came in."""

    volume: Volume
    segmentation: Segmentation | None
    points_mm: Floats | None


def augmented(
    volume: Volume,
    drawn: Drawn,
    segmentation: Segmentation | None = None,
    *,
    points_mm: npt.ArrayLike | None = None,
) -> AugmentedImage:
    """Do a drawing to an image, what was found on it, and points.

    Parameters
    ----------
    volume
        The image. Further axes (time, colour) are all moved alike.
    drawn
        What :meth:`Augmentation.sample` gave.
    segmentation
        On the same grid.
    points_mm
        (n, 3), LPS.

    Returns
    -------
    The image as float32 on the same grid, with the reason ``AUGMENTED``. Sizes of steps are in HU for CT; else in
    standard deviations of this image, with no signal at 0 (or at its least value below). For a picture whose pixel size
    is unknown, lengths are in pixels.

    Raises
    ------
    UsageError
        If it is no volume of real numbers, the grids differ, or the image's axes are not perpendicular.
    InputError
        If a value is NaN or infinite.
    Refused
        With ``SIDES_MIRRORED`` if an image is flipped whose segments are called left or right.
    """
    expect_real(volume, "An augmentation")
    spacing = volume.grid.spacing_mm if volume.grid.space is Space.PIXEL else spacing_of(volume.grid)
    if (
        any(isinstance(one, Stranger) for one in drawn.steps)
        and segmentation is not None
        and len(segmentation.layers) != 1
    ):
        raise UsageError("Transforms of other libraries take one layer of labels: segmentation.only(...) chooses.")
    _expect_no_sides(drawn, segmentation)
    scale = _scale_of(volume, spacing)
    channels = np.moveaxis(volume.array.reshape(*volume.grid.shape, -1), -1, 0)
    points = None if points_mm is None else volume.grid.to_index(places(points_mm))
    labels = None
    if segmentation is not None:
        expect_one_grid(volume, segmentation)
        labels = segmentation.layers[0]
    out = drawn.apply(channels, labels, points=points, scale=scale)
    array = np.ascontiguousarray(np.moveaxis(out.images, 0, -1)).reshape(volume.shape)
    stays = not any(is_spatial(one) or isinstance(one, Stranger) for one in drawn.steps)
    image = volume.with_array(array, sources=volume.sources if stays else ()).with_reasons(_reasons(volume, drawn))
    there = None if out.points is None else volume.grid.to_world(out.points)
    if segmentation is None:
        return AugmentedImage(image, None, there)
    return AugmentedImage(image, _moved(segmentation, drawn, out.labels, image), there)


def _moved(segmentation: Segmentation, drawn: Drawn, first: Any, image: Volume) -> Segmentation:
    grid = segmentation.grid
    by, nothing = pull(drawn.steps, grid.shape, grid.spacing_mm), np.empty((0, *grid.shape), np.float32)
    further = [
        moved(nothing, np.ascontiguousarray(layer), by, grid.shape, drawn.labels)[1]
        for layer in segmentation.layers[1:]
    ]
    layers: tuple[Array, ...] = (first, *further)
    new = Segmentation(layers, grid, segmentation.segments, segmentation.algorithm, image.sources, segmentation.reasons)
    said = [one for one in image.reasons if one.code == "AUGMENTED"]
    return telling_lost(new, segmentation).with_reasons(said)


def _scale_of(volume: Volume, spacing: tuple[float, float, float]) -> Scale:
    if volume.unit == codes.HU:
        return Scale(spacing, zero=0.0, one=1.0)
    deviation = float(volume.array.std(dtype=np.float64))
    return Scale(spacing, zero=min(0.0, float(volume.array.min())), one=deviation if deviation > 0 else 1.0)


def _expect_no_sides(drawn: Drawn, segmentation: Segmentation | None) -> None:
    if segmentation is None or not any(isinstance(one, Flip) for one in drawn.steps):
        return
    sides = [name for name in segmentation.names if {"left", "right"} & set(name.split("_"))]
    if sides:
        text = f"Flipped, {', '.join(sides)} would lie on the other side with the old name."
        raise Refused([Reason("SIDES_MIRRORED", text)])


def _reasons(volume: Volume, drawn: Drawn) -> list[Reason]:
    names = ", ".join(dict.fromkeys(type(one).__name__ for one in drawn.steps)) or "nothing"
    unit = "; lengths are in pixels, as their size is unknown" if volume.grid.space is Space.PIXEL else ""
    found = [Reason("AUGMENTED", f"Done to the image: {names}{unit}.")]
    odd = [type(one).__name__ for one in drawn.steps if one.modalities and volume.modality not in ("", *one.modalities)]
    if odd:
        found.append(Reason("AUGMENTATION_UNUSUAL", f"{', '.join(odd)}: not met in images of {volume.modality}."))
    return found
