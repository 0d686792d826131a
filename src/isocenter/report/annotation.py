"""Annotation: what is written on a picture of one section, and the colour bar beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from isocenter.geometry import Space
from isocenter.report import canvas
from isocenter.report.figure import Picture
from isocenter.report.planes import Stack

_TEXT_PX = 30  # 9 points where the picture is printed 8 cm wide
_LEAST_PX = 200
_BAR_PX = (26, 150)  # width of a colour bar, and of the strip that it stands in

Colors = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Notes:
    """What is written on a section.

    Parameters
    ----------
    head, foot
        Lines in the upper and the lower left corner; empty ones are left out.
    names
        Legend in the upper right corner.
    """

    head: tuple[str, ...] = ()
    foot: tuple[str, ...] = ()
    names: tuple[tuple[str, canvas.Color], ...] = ()


def annotated(
    picture: Picture, seen: Stack, px_per_mm: float, notes: Notes, *, size: int = _TEXT_PX, least_px: int = _LEAST_PX
) -> Picture:
    """A section with its notes, the letters of its edges and a scale bar where its size is known.

    Parameters
    ----------
    picture
        (rows, columns, 3).
    seen
        The stack that it is a section of.
    px_per_mm
        Its scale.
    notes
        What is written on it.
    size
        Height of the text in pixels.
    least_px
        Rows and columns of the result, at least, for the text to have room.
    """
    drawn = canvas.framed(picture, (_LEAST_PX, least_px))
    rows, columns = drawn.shape[:2]
    image = Image.fromarray(drawn)
    draw = ImageDraw.Draw(image)
    margin, letters = size * 0.6, round(size * 1.13)
    head, foot = ([(line, canvas.INK) for line in lines if line] for lines in (notes.head, notes.foot))
    room_px = columns / 2 - letters - margin  # beside the letter in the middle; longer lines begin beyond it
    above, below = (margin + letters * any(_width(one, size) > room_px for one, _ in lines) for lines in (head, foot))
    canvas.corner(draw, (margin, above), head, size=size)
    canvas.corner(draw, (margin, rows - below), foot, size=size, anchor="ld")
    canvas.legend(draw, (columns - margin, margin), notes.names, room_px=rows / 2 - margin - letters, size=size)
    canvas.edge_letters(draw, seen.edges, (rows, columns), size=letters)
    if seen.grid.space is not Space.PIXEL:
        canvas.scale_bar(draw, (columns - margin, rows - margin), px_per_mm, room_px=columns * 0.3, size=size)
    return np.asarray(image)


def _width(text: str, size: int) -> float:
    return canvas.font(size).getlength(text)


def with_bar(picture: Picture, colors: Colors, limits: tuple[float, float], unit: str) -> Picture:
    """A picture with a colour bar on its right.

    Parameters
    ----------
    picture
        (rows, columns, 3).
    colors
        (n, 3) from the lower limit to the upper one.
    limits
        The values at both ends.
    unit
        Their unit for people.
    """
    rows = picture.shape[0]
    strip = np.zeros((rows, _BAR_PX[1], 3), np.uint8)
    top, bottom = round(rows * 0.2), round(rows * 0.8)
    levels = np.linspace(len(colors) - 1, 0, bottom - top).round().astype(int)
    strip[top:bottom, 12 : 12 + _BAR_PX[0]] = colors[levels][:, None]
    image = Image.fromarray(np.concatenate([picture, strip], axis=1))
    draw = ImageDraw.Draw(image)
    left = picture.shape[1] + 12
    draw.rectangle([(left - 1, top - 1), (left + _BAR_PX[0], bottom)], outline=canvas.SOFT_INK)
    for place in (0.0, 0.5, 1.0):
        value = limits[0] + place * (limits[1] - limits[0])
        text = f"{round(value, 10):.4g}".replace("-", "−")
        canvas.write(draw, (left + _BAR_PX[0] + 8, bottom + place * (top - bottom)), text, size=26, anchor="lm")
    canvas.write(draw, (left, top - 22), unit, size=26, anchor="ld")
    return np.asarray(image)
