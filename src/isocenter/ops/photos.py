"""Classical computer vision on pictures (photographs, radiographs), by OpenCV (extra ``photos``).

For two-dimensional pictures and cines; sizes are in pixels, since photographs know no millimetres. Filters and masks in
millimetres live in ``filters`` and ``masks`` and take pictures of known size too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.errors import InputError, UsageError, expect
from isocenter.extras import needed
from isocenter.findings import Algorithm, Box, Segment, Segmentation
from isocenter.geometry import Floats
from isocenter.reasons import Reason, counted
from isocenter.volume import Array, Volume

_SMALLEST_FACE = 0.05  # of the picture's shorter side; below it textures look like faces
_NEIGHBOURS = 5  # overlapping hits that make a face


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """The outline of one part of a segment in one slice.

    Parameters
    ----------
    name
        Of the segment.
    slice_index
        Array index of the slice.
    points
        (n, 3) world coordinates of the grid along the centres of the outermost pixels; the last joins the first.
    is_hole
        Whether it runs around a hole.
    """

    name: str
    slice_index: int
    points: Floats
    is_hole: bool


def faces(picture: Volume) -> tuple[Box, ...]:
    """Upright frontal faces in a photograph or cine, found by a cascade of Haar features (Viola and Jones, 2001).

    Parameters
    ----------
    picture
        (1, row, column[, time][, color]). 16-bit and real values are stretched over their range first.

    Returns
    -------
    Boxes named ``"face"``, the largest first; those of all frames of a cine together, one beside the other once.

    Raises
    ------
    UsageError
        If it has more than one slice.
    InputError
        If values are not finite.
    """
    cv2 = needed("cv2", "photos")
    boxes = set()
    for grey in _frames(picture):
        least = max(20, int(_SMALLEST_FACE * min(grey.shape)))
        hits = _cascade().detectMultiScale(
            cv2.equalizeHist(grey), scaleFactor=1.1, minNeighbors=_NEIGHBOURS, minSize=(least, least)
        )
        boxes |= {tuple(int(number) for number in hit) for hit in hits}
    largest_first = sorted(boxes, key=lambda hit: (-hit[2] * hit[3], hit))
    return tuple(Box("face", (0, y, x), (1, y + height, x + width)) for x, y, width, height in largest_first)


def face_checked(picture: Volume) -> Volume:
    """The picture, with the reason ``FACE_VISIBLE`` if a face is found in it: a face names its patient.

    That none is found does not prove that there is none: profiles, masks and small faces are missed.
    """
    found = len(faces(picture))
    text = f"{counted(found, 'place looks', 'places look')} like a face."
    return picture.with_reasons([Reason("FACE_VISIBLE", text)] if found else [])


def local_threshold(picture: Volume, *, width_px: int = 51, offset: float = 0.02, name: str = "bright") -> Segmentation:
    """Pixels brighter than their surroundings: than the Gaussian mean of a square, by a share of the picture's range.

    Parameters
    ----------
    picture
        (1, row, column[, color]).
    width_px
        Odd width of the square, 3 or more.
    offset
        How much brighter, as a share of the range of values; negative numbers let darker ones in.
    name
        Of the segment.
    """
    if width_px < 3 or width_px % 2 == 0 or not -1 <= offset <= 1:
        raise UsageError("The square has an odd width of 3 or more, and the offset is a share from -1 to 1.")
    cv2 = needed("cv2", "photos")
    grey = _only(picture)
    found = cv2.adaptiveThreshold(grey, 1, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY, width_px, -255 * offset)
    how = Algorithm("Local threshold", cv2.__version__, (("width_px", width_px), ("offset", offset)))
    return Segmentation.of(found[None], picture, [Segment.named(name)], how)


def edges(picture: Volume, *, low: float = 0.1, high: float = 0.3, name: str = "edges") -> Segmentation:
    """Edges one pixel wide (Canny, 1986); the thresholds are shares of the steepest possible gradient.

    Parameters
    ----------
    picture
        (1, row, column[, color]).
    low, high
        An edge starts where the gradient (Sobel, L2) is above ``high`` and goes on while it is above ``low``.
    name
        Of the segment.
    """
    if not 0 <= low < high <= 1:
        raise UsageError(f"The thresholds rise and lie from 0 to 1, not {low} and {high}.")
    cv2 = needed("cv2", "photos")
    steepest = 4 * 255 * np.sqrt(0.5)  # Sobel's largest response to a step across a corner
    found = cv2.Canny(_only(picture), low * steepest, high * steepest, L2gradient=True)
    how = Algorithm("Canny edges", cv2.__version__, (("low", low), ("high", high)))
    return Segmentation.of(found[None] > 0, picture, [Segment.named(name)], how)


def outlines(segmentation: Segmentation, *names: str) -> tuple[Outline, ...]:
    """Outlines of segments, slice by slice, outer ones and holes (Suzuki and Abe, 1985); without names, of all."""
    expect(segmentation, Segmentation)
    return tuple(
        outline
        for name in names or segmentation.names
        for index, plane in enumerate(segmentation.mask(name))
        if plane.any()
        for outline in _outlines(plane, segmentation, (name, index))
    )


def _outlines(plane: Array, segmentation: Segmentation, where: tuple[str, int]) -> Iterator[Outline]:
    cv2 = needed("cv2", "photos")
    rings, tree = cv2.findContours(plane.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    for ring, (*_, parent) in zip(rings, tree[0], strict=True):
        index = np.insert(ring.reshape(-1, 2)[:, ::-1], 0, where[1], axis=1)
        yield Outline(*where, segmentation.grid.to_world(index), bool(parent >= 0))


# --- pictures as OpenCV wants them -----------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _cascade() -> Any:
    cv2 = needed("cv2", "photos")
    return cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"))


def _only(picture: Volume) -> Array:
    """The one frame of a picture as grey bytes."""
    frames = list(_frames(picture))
    if len(frames) != 1:
        raise UsageError(f"This is a cine of {len(frames)} frames: take one of them.")
    return frames[0]


def _frames(picture: Volume) -> Iterator[Array]:
    """Each frame as (row, column) bytes, stretched over the range of the whole picture where they are not bytes yet."""
    expect(picture, Volume)
    if picture.grid.shape[0] != 1:
        raise UsageError(f"This is for pictures; the image has {picture.grid.shape[0]} slices: take one of them.")
    array = _bytes_of(picture.array[0])
    if picture.axes and picture.axes[-1] == "color":
        if array.shape[-1] != 3:
            raise UsageError(f"A colour is red, green and blue; this picture has {array.shape[-1]} samples a pixel.")
        array = np.rint(array @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)  # luma of ITU-R BT.601
    frames = np.moveaxis(array.reshape(*array.shape[:2], -1), -1, 0)
    yield from (np.ascontiguousarray(frame) for frame in frames)


def _bytes_of(array: Array) -> Array:
    if array.dtype == np.uint8:
        return array
    values = array.astype(np.float64)
    low, high = values.min(), values.max()
    if not np.isfinite((low, high)).all():
        raise InputError("The picture holds values that are no numbers: fill them first.")
    grey: Array = np.rint((values - low) * (255 / (high - low) if high > low else 0.0)).astype(np.uint8)
    return grey
