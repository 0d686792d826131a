"""Histogram: how the values of each segment, or of a whole volume, are distributed, drawn as a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from isocenter import codes
from isocenter.findings import Segmentation
from isocenter.report import canvas
from isocenter.report.figure import Figure, Kind
from isocenter.report.stills import still
from isocenter.volume import Volume

_LUNGS = frozenset({codes.LUNG, codes.LEFT_LUNG, codes.RIGHT_LUNG})
_SECTIONS = 48
_MOST_BINS = 120
_SIZE = (1400, 440)
_PLOT = (100, 60, 1368, 346)  # left, top, right, bottom
_PAPER: canvas.Color = (255, 255, 255)
_TEXT: canvas.Color = (38, 44, 52)
_FAINT: canvas.Color = (218, 222, 227)
_GREY: canvas.Color = (92, 102, 114)
_RGB: dict[str, canvas.Color] = {"Red": (200, 60, 60), "Green": (60, 150, 80), "Blue": (60, 100, 200)}
_TEXT_PX = 26  # 9 points where the chart is printed 18 cm wide
_EMPHYSEMA_HU = -950


@dataclass(frozen=True, slots=True)
class Curve:
    """Share of the voxels in each bin, in percent, over the middles of the bins."""

    title: str
    color: canvas.Color
    centers: npt.NDArray[np.float64] = field(repr=False)
    percent: npt.NDArray[np.float64] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Group:
    """Values to count.

    Parameters
    ----------
    title
        Whose values they are.
    color
        sRGB.
    values
        Any order; ascending where they have counts.
    counts
        How often each occurs; None if once.
    """

    title: str
    color: canvas.Color
    values: npt.NDArray[Any] = field(repr=False)
    counts: npt.NDArray[np.int64] | None = field(repr=False)

    def percent(self, bins: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Share of all values in each bin, in percent."""
        total = self.values.size if self.counts is None else self.counts.sum()
        return np.asarray(100.0 * np.histogram(self.values, bins, weights=self.counts)[0] / total, np.float64)

    def percentiles(self, percents: tuple[float, float]) -> npt.NDArray[np.float64]:
        """Values below which so many percent lie; of many values without counts from a part of them."""
        if self.counts is None:
            part = self.values[:: max(1, self.values.size // 200_000)]
            return np.asarray(np.percentile(part, percents), np.float64)
        running = np.cumsum(self.counts)
        return np.asarray(self.values[np.searchsorted(running, np.array(percents) / 100 * running[-1])], np.float64)


def histogram(volume: Volume, segmentation: Segmentation) -> Figure:
    """Histogram of the values in each segment, as percent of its voxels.

    Segments of lung tissue are shown alone if there are any: other structures have other ranges. Every voxel of an
    image of 16-bit whole numbers is counted, else at most 48 slices, evenly spread.

    Parameters
    ----------
    volume
        The image.
    segmentation
        Segments on its grid.
    """
    lungs = [segment for segment in segmentation.segments if segment.property_type in _LUNGS]
    every, groups = _groups(volume, replace(segmentation, segments=tuple(lungs)) if lungs else segmentation)
    in_hu = bool(lungs) and volume.unit == codes.HU
    marks = [(float(_EMPHYSEMA_HU), "−950 HU")] if in_hu else []
    found = _figure([group for group in groups if group.values.size], volume, every, marks)
    edge = dict(segmentation.algorithm.settings).get("air_hu") if in_hu else None
    return found if edge is None else replace(found, caption=f"{found.caption} {_edge_words(edge)}")


def volume_histogram(volume: Volume) -> Figure:
    """Histogram of all values of a volume, from at most 48 slices, evenly spread; of a cine from its pictures."""
    volume = still(volume)
    every, slices = _sample(volume)
    values = volume.array[slices]
    if volume.axes == ("color",):
        groups = [Group(name, color, values[..., k].ravel(), None) for k, (name, color) in enumerate(_RGB.items())]
        return _figure(groups, volume, every, [])
    return _figure([Group("All voxels", _GREY, values.ravel(), None)], volume, every, [])


def _groups(volume: Volume, segmentation: Segmentation) -> tuple[int, list[Group]]:
    """The values of each segment, from each so many slices."""
    if volume.array.dtype == np.int16:
        from isocenter.ops.measure import densities

        found = densities(volume, segmentation)
        counted = ((segment, found[segment.name]) for segment in segmentation.segments)
        return 1, [Group(s.title, s.color, d.values, d.counts) for s, d in counted if d is not None]
    every, slices = _sample(volume)
    picked = volume.array[slices]
    layers = [layer[slices] for layer in segmentation.layers]
    return every, [Group(s.title, s.color, picked[layers[s.layer] == s.label], None) for s in segmentation.segments]


def _edge_words(edge_hu: object) -> str:
    return (
        f"The masks of the lungs end at soft tissue where the density reaches about {edge_hu} HU: the step there is "
        "their border, and what lies above it are vessels, dense lung and voxels shared with the wall."
    ).replace("-", "−")


def _sample(volume: Volume) -> tuple[int, npt.NDArray[np.intp]]:
    every = -(-volume.grid.shape[0] // _SECTIONS)
    return every, np.arange((volume.grid.shape[0] - 1) % every // 2, volume.grid.shape[0], every)


def _figure(groups: Sequence[Group], volume: Volume, every: int, marks: Sequence[tuple[float, str]]) -> Figure:
    whole, unit = volume.array.dtype.kind in "ui", volume.unit
    low, high, step = _range(groups, 8.0 if whole else 1e-6)
    width = _bin_width((high - low) / _MOST_BINS, whole_numbers=whole)
    bins = low + np.arange(round((high - low) / width) + 1) * width
    centers = (bins[:-1] + bins[1:]) / 2
    curves = [Curve(group.title, group.color, centers, group.percent(bins)) for group in groups]
    name = "HU" if unit == codes.HU else ("" if unit == codes.ONE else unit.value)
    from_where = "every voxel" if every == 1 else f"the voxels of every {_ordinal(every)} slice"
    return Figure(
        name="histogram",
        title=f"Histogram of {name or 'values'}",
        caption=" ".join(f"Percent of voxels per {width:g} {name}".split()) + f", from {from_where}.",
        image=_chart(curves, (low, high, step), name, [mark for mark in marks if low < mark[0] < high]),
        kind=Kind.CHART,
    )


def _bin_width(least: float, *, whole_numbers: bool) -> float:
    """A round width of bins; whole for whole numbers, so that each bin takes as many values."""
    return _round_step(max(least, 1.0) if whole_numbers else least)


def _ordinal(number: int) -> str:
    tail = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{tail}"


def _range(groups: Sequence[Group], least: float) -> tuple[float, float, float]:
    """Lowest and highest value shown, at least so far apart, and the step between ticks, all round."""
    if not groups:
        return 0.0, 1.0, 0.5
    ends = np.array([group.percentiles((0.2, 99.0)) for group in groups])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    step = _round_step(max(high - low, least, 1e-3 * abs(low)) / 8)
    return np.floor(low / step) * step, (np.floor(high / step) + 1) * step, step


def _round_step(step: float) -> float:
    power = 10.0 ** np.floor(np.log10(step))
    return float(power * next(f for f in (1, 2, 5, 10) if f * power >= step * 0.999))


def _chart(
    curves: Sequence[Curve], scale: tuple[float, float, float], unit: str, marks: Sequence[tuple[float, str]]
) -> npt.NDArray[np.uint8]:
    left, top, right, bottom = _PLOT
    low, high, step = scale
    peak = max((float(curve.percent.max()) for curve in curves), default=1.0) * 1.2  # room for the names of marks
    image = Image.new("RGB", _SIZE, _PAPER)
    draw = ImageDraw.Draw(image, "RGBA")

    def across(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    def up(percent: float) -> float:
        return bottom - percent / peak * (bottom - top)

    rung = _round_step(peak / 6)
    for percent in np.arange(0, peak, rung):
        draw.line([(left, up(percent)), (right, up(percent))], _FAINT, 1)
        _text(draw, (left - 12, up(percent)), f"{percent:g}", "rm")
    for value in np.arange(low, high + step / 2, step):
        draw.line([(across(value), bottom), (across(value), bottom + 7)], _TEXT, 1)
        _text(draw, (across(value), bottom + 12), f"{value:g}".replace("-", "−"), "ma")
    for value, label in marks:
        for y in range(top, bottom, 12):
            draw.line([(across(value), y), (across(value), y + 6)], _GREY, 2)
        _text(draw, (across(value) + 10, top), label, "la", color=_GREY)
    for curve in curves:
        line = [(across(v), up(p)) for v, p in zip(curve.centers, curve.percent, strict=True)]
        _fill(image, [(line[0][0], bottom), *line, (line[-1][0], bottom)], curve.color)
    for curve in curves:
        line = [(across(v), up(p)) for v, p in zip(curve.centers, curve.percent, strict=True)]
        _line(image, line, _deep(curve.color))
    draw.line([(left, bottom), (right, bottom)], _TEXT, 2)
    _legend(draw, curves)
    _text(draw, ((left + right) / 2, _SIZE[1] - 12), f"Density in {unit}" if unit == "HU" else unit or "Value", "md")
    _text(draw, (14, 14), "% of voxels", "la")
    return np.asarray(image)


def _text(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, anchor: str, *, color: canvas.Color = _TEXT
) -> None:
    draw.text(place, text, fill=color, font=canvas.font(_TEXT_PX), anchor=anchor)


def _deep(color: canvas.Color) -> canvas.Color:
    """The colour, dark enough to stand as a line on white (relative luminance at most about 0.25)."""
    luminance = (0.2126 * color[0] + 0.7152 * color[1] + 0.0722 * color[2]) / 255
    factor = min(1.0, 0.52 / max(luminance, 1e-3))
    return int(color[0] * factor), int(color[1] * factor), int(color[2] * factor)


def _fill(image: Image.Image, outline: Sequence[tuple[float, float]], color: canvas.Color) -> None:
    mask = Image.new("L", image.size)
    ImageDraw.Draw(mask).polygon(list(outline), fill=46)
    image.paste(color, mask=mask)


def _line(image: Image.Image, points: Sequence[tuple[float, float]], color: canvas.Color) -> None:
    """A smooth line: drawn at twice the size and reduced."""
    mask = Image.new("L", (image.width * 2, image.height * 2))
    ImageDraw.Draw(mask).line([(2 * x, 2 * y) for x, y in points], fill=255, width=6, joint="curve")
    image.paste(color, mask=mask.resize(image.size, Image.Resampling.BOX))


def _legend(draw: ImageDraw.ImageDraw, curves: Sequence[Curve]) -> None:
    width = sum(62 + canvas.font(_TEXT_PX).getlength(curve.title) for curve in curves)
    x = _PLOT[2] - width
    for curve in curves:
        draw.rounded_rectangle([(x, 20), (x + 26, 32)], 3, fill=_deep(curve.color))
        _text(draw, (x + 36, 26), curve.title, "lm")
        x += 62 + canvas.font(_TEXT_PX).getlength(curve.title)
