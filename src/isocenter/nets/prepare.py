"""From images to what a network sees: the one function that learning, evaluation and serving share, and its way back.

Nothing else in the tree may bring an image to a network's grid or scale its values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.errors import Refused, UsageError
from isocenter.findings import Algorithm, Segmentation
from isocenter.geometry import Grid, Space
from isocenter.nets.plan import Normalisation, Plan
from isocenter.ops import intensity
from isocenter.ops.counts import Counts, is_countable
from isocenter.ops.lattice import expect_real
from isocenter.ops.resample import Image, onto, stretched_to_shape, to_orientation, to_spacing
from isocenter.reasons import Reason, merge
from isocenter.volume import Array, Volume

COLOR = "color"
Scale = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a network sees of a case.

    Parameters
    ----------
    array
        float32 (channel, slice, row, column).
    grid
        Where its voxels lie.
    source
        The first image as it was: its grid is where results go back to.
    scales
        For each channel (offset, factor): a value of the array, times the factor plus the offset, is one of the image.
    reasons
        Those of the images and of the way here.
    """

    array: npt.NDArray[np.float32] = field(repr=False)
    grid: Grid
    source: Volume = field(repr=False)
    scales: tuple[Scale, ...] = ()
    reasons: tuple[Reason, ...] = ()


def prepared(images: Sequence[Volume], plan: Plan) -> Prepared:
    """Bring the images of a case to a plan's grid and scale.

    Parameters
    ----------
    images
        One volume for each channel of the plan, on one grid; or one of colour samples for three channels.
    plan
        The plan.

    Returns
    -------
    The array and its grid; the same for the same images and plan, whoever asks.

    Raises
    ------
    UsageError
        If there are not as many images as channels, or their values are no real numbers.
    Refused
        With ``NOT_A_NUMBER`` if a value is no finite number, or none once scaled; ``CHANNELS_APART`` if the images lie
        on several grids; ``NO_CONTRAST`` if all values of an image are equal; ``PIXELS_WITHOUT_SIZE`` if the plan's
        grid is in millimetres and the size of a pixel is unknown.
    """
    channels = _channels(images)
    if len(channels) != len(plan.channels):
        wanted = ", ".join(plan.channels)
        raise UsageError(f"The network takes {len(plan.channels)} images ({wanted}), and there are {len(channels)}.")
    if any(not one.grid.coincides(channels[0].grid) for one in channels):
        text = "The images of the case lie on different grids: bring them onto one by isocenter.onto first."
        raise Refused([Reason("CHANNELS_APART", text)])
    if plan.spacing_mm is not None and channels[0].grid.space is Space.PIXEL:
        text = "The network's grid is in millimetres, and the size of this image's pixels is unknown."
        raise Refused([Reason("PIXELS_WITHOUT_SIZE", text)])
    for one in channels:
        expect_real(one, "A network")
        _expect_finite(one)
    moved = [on_grid(one, plan) for one in channels]
    array = np.empty((len(moved), *moved[0].grid.shape), np.float32)
    scales = []
    for one, how, out in zip(moved, plan.normalisation, array, strict=True):
        scale = _scale_of(one, how)
        with np.errstate(over="ignore", invalid="ignore"):
            _scaled(one.array, how, scale, out)
        if one.array.dtype.kind == "f":
            _expect_in_range(out)
        scales.append(scale)
    return Prepared(array, moved[0].grid, images[0], tuple(scales), merge(*(one.reasons for one in moved)))


def on_grid(image: Image, plan: Plan) -> Image:
    """An image, or its labels, on the grid that a plan brings it to; values stay as they are.

    A picture whose place in the patient is unknown is not turned: the directions of its axes are made up, and differ
    between formats. Labels are taken smoothly, so that a coarser grid gets the label that fills most of its voxel.
    """
    turned = to_orientation(image, plan.orientation) if image.grid.space is Space.PATIENT else image
    if plan.shape is not None:
        return stretched_to_shape(turned, plan.shape, smoothing="matched", labels="smooth")
    if plan.spacing_mm is None:
        return turned
    outside = None if isinstance(turned, Segmentation) else _outside(turned)
    return to_spacing(turned, plan.spacing_mm, outside=outside, smoothing="matched", labels="smooth")


def back(labels: Array, case: Prepared) -> Array:
    """Labels (slice, row, column) on the network's grid, brought onto the grid of the source, as labels all the way."""
    if case.grid.coincides(case.source.grid):
        return labels
    whole = Segmentation((labels,), case.grid, (), Algorithm("back", "1"))
    return onto(whole, case.source.grid, labels="smooth").array


def _channels(images: Sequence[Volume]) -> list[Volume]:
    """One volume for each channel; a picture's colour samples are three."""
    found: list[Volume] = []
    for image in images:
        if image.axes == (COLOR,):
            found += [image.with_array(image.array[..., n], axes=()) for n in range(image.array.shape[3])]
        elif image.axes:
            raise UsageError(f"A network sees one image at a time: choose one along {', '.join(image.axes)}.")
        else:
            found.append(image)
    return found


def _expect_finite(volume: Volume) -> None:
    if volume.array.dtype.kind != "f":
        return
    strange = volume.array.size - int(np.count_nonzero(np.isfinite(volume.array)))
    if strange:
        text = f"{strange} of {volume.array.size} values are not finite numbers, so a network's answer means nothing."
        raise Refused([Reason("NOT_A_NUMBER", text)])


def _expect_in_range(scaled: npt.NDArray[np.float32]) -> None:
    if not all(np.isfinite(plane).all() for plane in scaled):
        text = "The image holds values so large that scaled for the network they are no numbers of float32."
        raise Refused([Reason("NOT_A_NUMBER", text)])


def _outside(volume: Volume) -> float | None:
    """Air for CT; for other images their least value, which only half a voxel at a rounded edge can need."""
    return None if volume.unit == codes.HU else float(volume.array.min())


def _scale_of(volume: Volume, how: Normalisation) -> Scale:
    """Offset and factor that lead from what a network sees back to the image's values."""
    offset, end = how.low, how.high
    match how.scale:
        case "none":
            return 0.0, 1.0
        case "ct":
            offset, end = how.mean, how.mean + how.deviation
        case "percentile":
            offset, end = intensity.percentiles(volume, (how.low, how.high))
        case "zscore":
            offset, deviation = _mean_and_deviation(volume.array)
            end = offset + deviation
    if not end > offset:
        text = "The values that the image would be scaled by are all equal, so that nothing in it stands out."
        raise Refused([Reason("NO_CONTRAST", text)])
    return offset, end - offset


def _mean_and_deviation(array: Array) -> Scale:
    if is_countable(array):
        found = Counts.of(array.ravel())
        return found.mean, found.standard_deviation
    return float(array.mean(dtype=np.float64)), float(array.std(dtype=np.float64))


def _scaled(array: Array, how: Normalisation, scale: Scale, out: npt.NDArray[np.float32]) -> None:
    """Into ``out``: the values cut where the plan says so, less the offset, over the factor."""
    offset, factor = np.float32(scale[0]), np.float32(scale[1])
    if how.scale == "ct":
        np.clip(array, how.low, how.high, out=out, casting="unsafe")
    else:
        np.copyto(out, array, casting="unsafe")
    out -= offset
    out /= factor
    if how.scale in ("percentile", "range"):
        np.clip(out, 0, 1, out=out)
