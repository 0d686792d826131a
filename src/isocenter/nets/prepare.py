"""From images to what a network sees: the one function that learning, evaluation and serving share, and its way back.

Nothing else in the tree may bring an image to a network's grid or scale its values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.errors import InputError, Refused, UsageError
from isocenter.findings import Segmentation
from isocenter.geometry import Grid
from isocenter.nets.plan import Normalisation, Plan
from isocenter.ops import intensity
from isocenter.ops.resample import Image, onto, stretched_to_shape, to_orientation, to_spacing
from isocenter.reasons import Reason, merge
from isocenter.volume import Array, Volume

COLOR = "color"


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
    reasons
        Those of the images and of the way here.
    """

    array: npt.NDArray[np.float32] = field(repr=False)
    grid: Grid
    source: Volume = field(repr=False)
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
        If there are not as many images as channels.
    Refused
        With ``NOT_A_NUMBER`` if a value is no finite number; ``CHANNELS_APART`` if the images lie on several grids;
        ``NO_CONTRAST`` if all values of an image are equal.
    """
    channels = _channels(images)
    if len(channels) != len(plan.channels):
        wanted = ", ".join(plan.channels)
        raise UsageError(f"The network takes {len(plan.channels)} images ({wanted}), and there are {len(channels)}.")
    if any(not one.grid.coincides(channels[0].grid) for one in channels):
        text = "The images of the case lie on different grids: bring them onto one by isocenter.onto first."
        raise Refused([Reason("CHANNELS_APART", text)])
    for one in channels:
        _expect_finite(one)
    moved = [on_grid(one, plan) for one in channels]
    scaled = [_scaled(one, how) for one, how in zip(moved, plan.normalisation, strict=True)]
    array = np.stack([one.astype(np.float32, copy=False) for one in scaled])
    reasons = merge(*(one.reasons for one in moved))
    return Prepared(array, moved[0].grid, images[0], reasons)


def on_grid(image: Image, plan: Plan) -> Image:
    """An image, or its labels, on the grid that a plan brings it to; values stay as they are.

    Labels are taken smoothly, so that a coarser grid gets the label that fills most of its voxel.
    """
    turned = to_orientation(image, plan.orientation)
    if plan.shape is not None:
        return stretched_to_shape(turned, plan.shape, smoothing="matched", labels="smooth")
    if plan.spacing_mm is None:
        return turned
    outside = None if isinstance(turned, Segmentation) else _outside(turned)
    return to_spacing(turned, plan.spacing_mm, outside=outside, smoothing="matched", labels="smooth")


def back(labels: Array, case: Prepared) -> Array:
    """Labels (slice, row, column) on the network's grid, brought onto the grid of the source, as labels all the way."""
    from isocenter.findings import Algorithm, Segment

    source = case.source.grid
    if case.grid.coincides(source):
        return labels
    whole = Segmentation((labels,), case.grid, (Segment.named("any"),), Algorithm("back", "1"))
    return onto(whole, source, labels="smooth").array


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


def _outside(volume: Volume) -> float | None:
    """Air for CT; for other images their least value, which only half a voxel at a rounded edge can need."""
    return None if volume.unit == codes.HU else float(volume.array.min())


def _scaled(volume: Volume, how: Normalisation) -> Array:
    array = volume.array
    if how.scale == "none":
        return array
    try:
        if how.scale == "zscore":
            return intensity.zscored(volume).array
        if how.scale == "percentile":
            return intensity.percentile_rescaled(volume, how.low, how.high).array
    except InputError as error:
        raise Refused([Reason("NO_CONTRAST", f"The image cannot be scaled for a network: {error}")]) from error
    if how.scale == "range":
        return intensity.rescaled(volume, how.low, how.high).array
    cut: Array = np.clip(array, how.low, how.high, dtype=np.float32, casting="unsafe")
    cut -= np.float32(how.mean)
    cut /= np.float32(how.deviation)
    return cut
