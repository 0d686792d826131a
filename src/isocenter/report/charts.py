"""Charts of numbers: values with their intervals in rows, values of cases in columns, points across and up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from isocenter.report import canvas
from isocenter.report.figure import Figure, Kind

_WIDTH, _ROW = 1400, 46
_SIZE = (1400, 760)
_PLOT = (150, 50, 1360, 660)  # left, top, right, bottom
_PAPER, _TEXT, _FAINT, _GREY = (255, 255, 255), (27, 33, 41), (223, 227, 232), (120, 130, 140)
_BLUE, _ORANGE = (31, 79, 134), (190, 90, 20)
_PX = 26


@dataclass(frozen=True, slots=True)
class Words:
    """Name, title and caption of a chart, as of :class:`~isocenter.report.figure.Figure`."""

    name: str
    title: str
    caption: str


@dataclass(frozen=True, slots=True)
class Line:
    """A row of :func:`rows_chart`.

    Parameters
    ----------
    title
        What it is of.
    value, low, high
        The value and the ends of its interval; NaN where there is none.
    mark
        A second value, drawn as a stroke; NaN without.
    note
        Text at the right.
    is_head
        Whether it is a heading without values.
    """

    title: str
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    mark: float = math.nan
    note: str = ""
    is_head: bool = False


def rows_chart(lines: Sequence[Line], words: Words, *, unit: str = "") -> Figure:
    """Values in rows: a dot, a line for its interval, a stroke for a second value."""
    left, right, top = 430, _WIDTH - 190, 30
    numbers = [n for line in lines for n in (line.value, line.low, line.high, line.mark) if math.isfinite(n)]
    low, high, step = _scale(numbers)
    bottom = top + _ROW * len(lines)
    image = Image.new("RGB", (_WIDTH, bottom + 90), _PAPER)
    draw = ImageDraw.Draw(image)

    def across(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    for value in _ticks(low, high, step):
        draw.line([(across(value), top), (across(value), bottom)], _FAINT, 1)
        _write(draw, (across(value), bottom + 10), _number(value), "ma")
    for row, line in enumerate(lines):
        y = top + (row + 0.5) * _ROW
        _write(draw, (14 if line.is_head else 40, y), _fitted(line.title, left - 60), "lm", is_strong=line.is_head)
        _write(draw, (right + 20, y), line.note, "lm", color=_GREY)
        if math.isfinite(line.low):
            draw.line([(across(line.low), y), (across(line.high), y)], _BLUE, 4)
        if math.isfinite(line.mark):
            draw.line([(across(line.mark), y - 10), (across(line.mark), y + 10)], _ORANGE, 4)
        if math.isfinite(line.value):
            _dot(draw, (across(line.value), y), 9, _BLUE)
    draw.line([(left, bottom), (right, bottom)], _TEXT, 2)
    _write(draw, (right, bottom + 48), unit, "ra")
    return Figure(words.name, words.title, words.caption, np.asarray(image), Kind.CHART)


def columns_chart(columns: Sequence[tuple[str, Sequence[float]]], words: Words, *, unit: str = "") -> Figure:
    """The values of cases in columns, one dot each, spread sideways so that all are seen, with the median."""
    left, top, right, bottom = _PLOT
    numbers = [value for _, values in columns for value in values if math.isfinite(value)]
    low, high, step = _scale(numbers)
    image = Image.new("RGB", _SIZE, _PAPER)
    draw = ImageDraw.Draw(image)

    def up(value: float) -> float:
        return bottom - (value - low) / (high - low) * (bottom - top)

    for value in _ticks(low, high, step):
        draw.line([(left, up(value)), (right, up(value))], _FAINT, 1)
        _write(draw, (left - 12, up(value)), _number(value), "rm")
    wide = (right - left) / max(1, len(columns))
    for place, (label, values) in enumerate(columns):
        middle = left + (place + 0.5) * wide
        known = sorted(value for value in values if math.isfinite(value))
        for order, value in enumerate(known):
            side = ((order * 0.618034) % 1 - 0.5) * 0.6 * wide
            _dot(draw, (middle + side, up(value)), 5, _BLUE)
        if known:
            median = float(np.median(known))
            draw.line([(middle - 0.35 * wide, up(median)), (middle + 0.35 * wide, up(median))], _ORANGE, 4)
        _write(draw, (middle, bottom + 14), _fitted(label, wide - 8), "ma")
    draw.line([(left, bottom), (right, bottom)], _TEXT, 2)
    _write(draw, (14, 12), unit, "la")
    return Figure(words.name, words.title, words.caption, np.asarray(image), Kind.CHART)


def points_chart(
    points: Sequence[tuple[float, float]], *, levels: Sequence[tuple[float, str]], names: tuple[str, str], words: Words
) -> Figure:
    """Points across and up, with named levels as dashed lines and the names of both axes."""
    across, up = ([point[side] for point in points] for side in (0, 1))
    left, top, right, bottom = _PLOT
    x_low, x_high, x_step = _scale(across)
    y_low, y_high, y_step = _scale([*up, *(level for level, _ in levels)])
    image = Image.new("RGB", _SIZE, _PAPER)
    draw = ImageDraw.Draw(image)

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            left + (x - x_low) / (x_high - x_low) * (right - left),
            bottom - (y - y_low) / (y_high - y_low) * (bottom - top),
        )

    for value in _ticks(y_low, y_high, y_step):
        y = place(x_low, value)[1]
        draw.line([(left, y), (right, y)], _FAINT, 1)
        _write(draw, (left - 12, y), _number(value), "rm")
    for value in _ticks(x_low, x_high, x_step):
        _write(draw, (place(value, y_low)[0], bottom + 12), _number(value), "ma")
    for level, label in _together(levels):
        y = place(x_low, level)[1]
        for start in range(left, right, 16):
            draw.line([(start, y), (start + 8, y)], _ORANGE, 3)
        _write(draw, (right - 8, y - 4), label, "rd", color=_ORANGE)
    for x, y in zip(across, up, strict=True):
        _dot(draw, place(x, y), 6, _BLUE)
    draw.line([(left, bottom), (right, bottom)], _TEXT, 2)
    _write(draw, ((left + right) / 2, _SIZE[1] - 8), names[0], "md")
    _write(draw, (14, 8), names[1], "la")
    return Figure(words.name, words.title, words.caption, np.asarray(image), Kind.CHART)


def _together(levels: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Levels with the names of all that are equal, so that these are not written one over the other."""
    named: dict[float, list[str]] = {}
    for level, label in levels:
        named.setdefault(level, []).append(label)
    return [(level, ", ".join(labels)) for level, labels in named.items()]


def _scale(numbers: Sequence[float]) -> tuple[float, float, float]:
    """Ends and step of an axis that holds all numbers, all round."""
    known = [number for number in numbers if math.isfinite(number)]
    if not known:
        return 0.0, 1.0, 0.2
    low, high = min(known), max(known)
    if low == high:  # in the middle of an axis that shows how far from one another they could have been
        room = 0.05 * abs(low) or 1.0
        low, high = low - room, high + room
    span = max(high - low, 1e-3 * max(abs(low), abs(high)), 1e-9)
    power = 10.0 ** math.floor(math.log10(span / 6))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= span / 6)
    start, stop = math.floor(low / step) * step, math.ceil(high / step) * step
    return start, stop if stop > start else start + step, step


def _ticks(low: float, high: float, step: float) -> Sequence[float]:
    ticks: list[float] = (low + np.arange(round((high - low) / step) + 1) * step).tolist()
    return ticks


def _number(value: float) -> str:
    return f"{round(value, 10):g}".replace("-", "−")


def _dot(draw: ImageDraw.ImageDraw, place: tuple[float, float], radius: float, color: canvas.Color) -> None:
    x, y = place
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color, outline=_PAPER)


def _fitted(text: str, room: float) -> str:
    """The text, cut to the room."""
    font = canvas.font(_PX)
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(f"{text}…") > room:
        text = text[:-1]
    return f"{text}…"


def _write(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    anchor: str,
    *,
    color: canvas.Color = _TEXT,
    is_strong: bool = False,
) -> None:
    font = canvas.font(_PX, "Medium" if is_strong else "Regular")
    draw.text(place, text, fill=color, font=font, anchor=anchor)
