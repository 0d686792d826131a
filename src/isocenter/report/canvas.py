"""Canvas: what is drawn on a section so that it can be judged: contours, letters, scale bar, legend.

Arrays in, pictures out. Which sections are shown lives in :mod:`isocenter.report.figures`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from isocenter.report.figure import Picture
from isocenter.report.planes import Floats

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

Color = tuple[int, int, int]

INK: Color = (238, 240, 242)
SOFT_INK: Color = (166, 174, 182)
BLACK: Color = (0, 0, 0)

_HALO = 0.45  # opacity of the dark rim around contours
_BAR_MM = (1, 2, 5, 10, 20, 50, 100, 200, 500)


@lru_cache(maxsize=32)
def font(size: int, weight: str = "Regular") -> FreeTypeFont:
    """The font of all pictures, in pixels, in ``"Regular"`` or ``"Medium"``."""
    return ImageFont.truetype(str(files("isocenter.report") / "fonts" / f"Roboto-{weight}.ttf"), size)


def write(  # noqa: PLR0913 - a text has a place, a look and an anchor
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    *,
    size: int,
    anchor: str = "la",
    color: Color = INK,
    weight: str = "Regular",
) -> None:
    """Text with a dark rim, readable on any tissue; ``anchor`` as in Pillow (``"la"``: left, ascender)."""
    draw.text(
        place,
        text,
        fill=color,
        font=font(size, weight),
        anchor=anchor,
        stroke_width=max(1, round(size / 11)),
        stroke_fill=BLACK,
    )


@dataclass(frozen=True, slots=True)
class Patch:
    """How much of each pixel something covers, in the part of a picture where it lies: nothing is drawn elsewhere.

    Parameters
    ----------
    part
        Rows and columns of the picture.
    cover
        (rows, columns) of that part, from 0 to 1.
    """

    part: tuple[slice, slice]
    cover: Floats = field(repr=False)


def area(mask: npt.NDArray[np.bool_], shape: tuple[int, int]) -> Patch:
    """What a mask that is not empty covers of a picture: from 0 outside to 1 inside, 0.5 along its voxels' border.

    Parameters
    ----------
    mask
        (rows, columns).
    shape
        (rows, columns) of the picture over the same field.

    Returns
    -------
    The part with all that is covered and a rim of two pixels, as if cut out of the whole mask brought to that shape.
    """
    (rows, near_rows, (top, bottom)), (columns, near_columns, (left, right)) = (
        _side(np.flatnonzero(mask.any(axis=1 - axis)), mask.shape[axis], shape[axis]) for axis in (0, 1)
    )
    image = Image.fromarray(np.ascontiguousarray(mask[near_rows, near_columns], dtype=np.float32))
    size = columns.stop - columns.start, rows.stop - rows.start
    cover = image.resize(size, Image.Resampling.BILINEAR, (left, top, right, bottom))
    return Patch((rows, columns), np.asarray(cover, np.float32))


def _side(found: npt.NDArray[np.intp], count: int, size: int) -> tuple[slice, slice, tuple[float, float]]:
    """Along one axis of so many voxels and pixels: the pixels wanted, the voxels that tell of them, and their place."""
    scale = size / count
    reach = max(scale, 1.0) + 2  # in pixels: how far a voxel is seen, and the rim
    start = max(0, math.floor((found[0] + 0.5) * scale - 0.5 - reach))
    stop = min(size, math.ceil((found[-1] + 0.5) * scale + 0.5 + reach))
    first, last = start * count / size, stop * count / size
    near = slice(max(0, math.floor(first - reach / scale)), min(count, math.ceil(last + reach / scale)))
    return slice(start, stop), near, (first - near.start, last - near.start)


def outline(of: Patch, width_px: float) -> Patch:
    """The line of a width along the border of an area.

    It runs midway between the centres of voxels inside and outside, as marching squares does: where the interpolated
    mask is 0.5. Its distance from a pixel is the difference to 0.5 over the slope.
    """
    if min(of.cover.shape) < 2:  # too little to have a slope
        return Patch(of.part, np.zeros_like(of.cover))
    down, right = np.gradient(of.cover)
    slope = np.sqrt(down * down + right * right)
    distance = np.abs(of.cover - np.float32(0.5)) / np.maximum(slope, np.float32(1e-3))
    near = np.clip(np.float32(width_px / 2 + 0.5) - distance, 0, 1)
    return Patch(of.part, np.where(slope > 1e-3, near, np.float32(0)))


def halo(line: Floats) -> Floats:
    """A rim around a line (rows, columns), two pixels wide, that sets it off from what is bright."""
    wide = line.copy()
    for _ in range(2):
        grown = wide.copy()
        for target, origin in ((np.s_[1:], np.s_[:-1]), (np.s_[:-1], np.s_[1:])):
            np.maximum(grown[target], wide[origin], out=grown[target])
            np.maximum(grown[:, target], wide[:, origin], out=grown[:, target])
        wide = grown
    return wide * np.float32(_HALO)


def blend(picture: Picture, alpha: Floats, color: Color) -> None:
    """Paint a colour onto a picture (rows, columns, 3) in place, as thick as ``alpha`` (rows, columns) says."""
    where = np.nonzero(alpha != 0)
    cover = alpha[where][:, None]
    picture[where] = (picture[where] * (1 - cover) + np.array(color, np.float32) * cover + 0.5).astype(np.uint8)


def bar_mm(room_mm: float) -> float:
    """The longest round length that fits into the room."""
    return max((length for length in _BAR_MM if length <= room_mm), default=_BAR_MM[0])


def bar_label(length_mm: float) -> str:
    """A length for people: ``"5 cm"``, ``"5 mm"``."""
    return f"{length_mm / 10:g} cm" if length_mm >= 10 else f"{length_mm:g} mm"


def scale_bar(
    draw: ImageDraw.ImageDraw, right_bottom: tuple[float, float], px_per_mm: float, *, room_px: float, size: int
) -> None:
    """A bar of round length with its label above, its right end at the given pixel."""
    length_mm = bar_mm(room_px / px_per_mm)
    right, bottom = right_bottom
    left = right - length_mm * px_per_mm
    tick, thick = size * 0.35, max(1, round(size / 9))
    for color, rim in ((BLACK, 2 * max(1, size // 14)), (INK, 0)):
        draw.line([(left, bottom), (right, bottom)], color, thick + rim)
        for end in (left, right):
            draw.line([(end, bottom - tick - rim / 2), (end, bottom + tick + rim / 2)], color, thick + rim)
    write(draw, ((left + right) / 2, bottom - tick - size * 0.2), bar_label(length_mm), size=size, anchor="ms")


def edge_letters(draw: ImageDraw.ImageDraw, edges: Sequence[str], shape: tuple[int, int], *, size: int) -> None:
    """Letters in the middle of the left, right, upper and lower edge of a picture of (rows, columns)."""
    rows, columns = shape
    margin = size * 0.4
    places = (
        ((margin, rows / 2), "lm"),
        ((columns - margin, rows / 2), "rm"),
        ((columns / 2, margin), "ma"),
        ((columns / 2, rows - margin), "md"),
    )
    for text, (place, anchor) in zip(edges, places, strict=True):
        write(draw, place, text, size=size, anchor=anchor, weight="Medium")


def corner(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    lines: Sequence[tuple[str, Color]],
    *,
    size: int,
    anchor: str = "la",
) -> None:
    """Lines of text from a corner on; with an anchor at the bottom (``"ld"``) the last line stands there."""
    x, y = place
    step = size * 1.3
    top = y if anchor.endswith("a") else y - step * (len(lines) - 1)
    for row, (text, color) in enumerate(lines):
        write(draw, (x, top + row * step), text, size=size, anchor=anchor, color=color)


def legend(
    draw: ImageDraw.ImageDraw,
    right_top: tuple[float, float],
    entries: Sequence[tuple[str, Color]],
    *,
    room_px: float,
    size: int,
) -> None:
    """Names with a dot in their colour, line by line from the given right upper corner; those without room counted."""
    right, top = right_top
    radius, step = size * 0.3, size * 1.3
    shown = entries if len(entries) * step <= room_px else entries[: max(int(room_px / step) - 1, 0)]
    if len(shown) < len(entries):
        place = (right, top + size * 0.6 + step * len(shown))
        write(draw, place, f"and {len(entries) - len(shown)} more", size=size, anchor="rm", color=SOFT_INK)
    for row, (text, color) in enumerate(shown):
        middle = top + size * 0.6 + step * row
        write(draw, (right - size * 0.9, middle), text, size=size, anchor="rm")
        box = (right - 2 * radius, middle - radius, right, middle + radius)
        draw.ellipse(box, fill=color, outline=BLACK, width=max(1, size // 14))


def with_names_below(picture: Picture, entries: Sequence[tuple[str, Color]], *, size: int) -> Picture:
    """The picture with names below it, each after a dot in its colour, in as many lines as they need."""
    lines, x = [[]], 14.0  # type: list[list[tuple[float, str, Color]]], float
    for text, color in entries:
        width = 2.3 * size + font(size).getlength(text)
        if x + width > picture.shape[1] and lines[-1]:
            lines, x = [*lines, []], 14.0
        lines[-1].append((x, text, color))
        x += width
    high, radius = round(1.8 * size), size / 3
    image = Image.fromarray(np.pad(picture, ((0, high * len(lines)), (0, 0), (0, 0))))
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        y = picture.shape[0] + high * (number + 0.5)
        for left, text, color in line:
            draw.ellipse([(left, y - radius), (left + 2 * radius, y + radius)], fill=color)
            write(draw, (left + size, y), text, size=size, anchor="lm")
    return np.asarray(image)


def framed(picture: npt.NDArray[Any], shape: tuple[int, int]) -> Picture:
    """A picture in the middle of a black one of at least (rows, columns)."""
    rows, columns = (max(have, least) for have, least in zip(picture.shape[:2], shape, strict=True))
    out = np.zeros((rows, columns, 3), np.uint8)
    top, left = (rows - picture.shape[0]) // 2, (columns - picture.shape[1]) // 2
    out[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return out
