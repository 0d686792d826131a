"""Sections: key slices with contours, and contact sheets, of a volume and what was found in it.

Volume and Segmentation in, figures out; only the sections shown are cut from the arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from isocenter.findings import Segment, Segmentation
from isocenter.geometry import Space
from isocenter.reasons import counted
from isocenter.report import canvas
from isocenter.report.annotation import Notes, annotated
from isocenter.report.figure import Figure, Picture
from isocenter.report.planes import (
    Plane,
    Stack,
    Window,
    resized,
    slice_of_section,
    stack,
    window_by_content,
    window_of,
)
from isocenter.report.stills import place_shown, still
from isocenter.volume import Volume

_KEY = {Plane.AXIAL: (0.12, 0.37, 0.63, 0.88), Plane.CORONAL: (0.35, 0.65), Plane.SAGITTAL: (0.25, 0.75)}
_KEY_PX = 720
_TILE_TEXT_PX = 27  # 9 points where five tiles are printed 18 cm wide
_TILE_PX = 300
_COLUMNS = 5
_TILES = 30
_SAMPLES = 96  # along each axis of a section, to see where the segments lie
_MARGIN_MM = 12.0


@dataclass(frozen=True, slots=True)
class Scene:
    """A volume and its label maps as stacks of one plane, with what is drawn on them.

    Parameters
    ----------
    image
        The volume.
    layers
        The label maps.
    segments
        What they hold.
    window
        What is black, what is white; None for colours, which are shown as they are.
    labels
        The Instance Number of each section that is an image of the series as it was stored, behind a comma the frame
        of a multi-frame image; else empty.
    fill
        How thick segments are filled with their colour, from 0 (an outline alone) to 1.
    """

    image: Stack
    layers: tuple[Stack, ...]
    segments: tuple[Segment, ...]
    window: Window | None
    labels: tuple[str, ...] = ()
    fill: float = 0.0

    def crop(self, start: tuple[int, int, int], stop: tuple[int, int, int]) -> Scene:
        """The scene within [start, stop) of (section, down, right)."""
        box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))

        def cut(whole: Stack) -> Stack:
            return replace(whole, array=whole.array[box], grid=whole.grid.crop(start, stop))

        layers = tuple(cut(layer) for layer in self.layers)
        return replace(self, image=cut(self.image), layers=layers, labels=self.labels[box[0]])

    def label(self, index: int) -> str:
        """The Instance Number and frame of a section, where it has them."""
        return self.labels[index] if self.labels else ""


def scene(
    volume: Volume,
    segmentation: Segmentation | None,
    plane: Plane,
    *,
    window: Window | None = None,
    labels: Sequence[str] = (),
) -> Scene:
    """A volume and a segmentation on its grid (or none) as seen in a plane, by default through the window it asks for.

    Raises
    ------
    ValueError
        If the volume has further axes than the spatial ones and colour, the segmentation lies on another grid, or there
        are labels but not one for each slice.
    """
    if labels and len(labels) != volume.grid.shape[0]:
        raise ValueError(f"{len(labels)} labels for {volume.grid.shape[0]} slices.")
    is_colour = volume.axes == ("color",)
    if volume.axes and not is_colour:
        raise ValueError(f"A picture is made of a volume with spatial axes alone; take one of {volume.axes} first.")
    layers: tuple[Stack, ...] = ()
    if segmentation is not None:
        if not segmentation.grid.coincides(volume.grid):
            raise ValueError("The segmentation lies on another grid than the volume: resample one onto the other.")
        layers = tuple(stack(layer, segmentation.grid, plane) for layer in segmentation.layers)
    segments = segmentation.segments if segmentation is not None else ()
    slices = slice_of_section(volume.grid, plane) if labels else None
    named = tuple(labels[k] for k in slices) if slices is not None else ()
    shown = None if is_colour else window or window_of(volume)
    return Scene(stack(volume.array, volume.grid, plane), layers, segments, shown, named)


def key_slices(
    volume: Volume, segmentation: Segmentation, *, window: Window | None = None, labels: Sequence[str] = ()
) -> tuple[Figure, ...]:
    """Four axial, two coronal and two sagittal sections through what was found, with its contours.

    The sections stand where a fixed share of all segments' voxels lies before them, so they follow the organ: the
    sagittal ones of two lungs go through the middle of each. Planes in which the volume has one section are left out.

    Parameters
    ----------
    volume
        The image.
    segmentation
        Segments on its grid; empty ones are left out of the legend.
    window
        What is black, what is white; by default what :func:`isocenter.report.planes.window_of` says.
    labels
        The Instance Number of each slice of the volume, behind a comma the frame of a multi-frame image: shown with the
        sections that are slices; or none at all.
    """
    figures = []
    place = occupancy(scene(volume, segmentation, Plane.AXIAL))
    for axis, (plane, shares) in enumerate(_KEY.items()):
        seen = scene(volume, segmentation, plane, window=window, labels=labels)
        if len(seen.image) == 1 and plane is not Plane.AXIAL:
            continue
        if min(seen.image.grid.shape[1:]) == 1:
            continue
        indices = place.indices_at(axis, shares)
        figures += [_key_figure(seen, index, number) for number, index in enumerate(indices, 1)]
    return tuple(figures)


def contact_sheet(
    volume: Volume, segmentation: Segmentation, *, window: Window | None = None, labels: Sequence[str] = ()
) -> Figure:
    """Axial sections evenly spread over what was found, cropped to it, with its contours.

    Parameters
    ----------
    volume
        The image.
    segmentation
        Segments on its grid. If all are empty, the whole volume is shown.
    window, labels
        As for :func:`key_slices`.
    """
    seen = scene(volume, segmentation, Plane.AXIAL, window=window, labels=labels)
    start, stop = occupancy(seen).box(seen.image.grid.spacing_mm)
    return sheet(seen.crop(start, stop), len(seen.image), "Contact sheet", offset=start[0])


def volume_sheet(volume: Volume, *, window: Window | None = None) -> Figure:
    """Axial sections evenly spread over a volume (of a cine: its pictures), without contours.

    Of a further axis the middle place is shown, which the caption names.
    """
    shown, place = still(volume), place_shown(volume)
    seen = scene(shown, None, Plane.AXIAL, window=window or window_by_content(shown))
    found = sheet(seen, len(seen.image), "Contact sheet")
    return replace(found, caption=f"{found.caption.rstrip()} Shown: {place}.") if place else found


@dataclass(frozen=True, slots=True)
class Occupancy:
    """Where any segment is, on samples of an axial stack.

    Parameters
    ----------
    found
        (section, down, right): every section, and a sample in so many rows and columns.
    steps
        Distance between samples, in voxels.
    shape
        Shape of the stack.
    """

    found: npt.NDArray[np.bool_] = field(repr=False)
    steps: tuple[int, int, int]
    shape: tuple[int, int, int]

    def along(self, axis: int) -> npt.NDArray[np.int64]:
        """Number of samples found along an axis; one everywhere if there are none."""
        counts = np.count_nonzero(self.found, axis=tuple(other for other in range(3) if other != axis))
        return np.asarray(counts if self.found.any() else np.ones_like(counts), np.int64)

    def indices_at(self, axis: int, shares: Sequence[float]) -> list[int]:
        """Indices along an axis before which a share of all samples lies."""
        running = np.cumsum(self.along(axis))
        step, n = self.steps[axis], self.shape[axis]
        places = {int(np.searchsorted(running, share * running[-1])) for share in shares}
        return sorted({min(n - 1, place * step + step // 2) for place in places})

    def box(self, spacing_mm: tuple[float, float, float]) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """First and one past the last index of what was found, with a margin in rows and columns."""
        start, stop = [0, 0, 0], list(self.shape)
        if self.found.any():
            for axis, (step, n) in enumerate(zip(self.steps, self.shape, strict=True)):
                where = np.flatnonzero(self.along(axis))
                margin = 0 if axis == 0 else step + round(_MARGIN_MM / spacing_mm[axis])
                start[axis] = max(0, int(where[0]) * step - margin)
                stop[axis] = min(n, int(where[-1]) * step + 1 + margin)
        return (start[0], start[1], start[2]), (stop[0], stop[1], stop[2])


def occupancy(seen: Scene) -> Occupancy:
    """Where any segment of an axial scene is."""
    _, rows, columns = seen.image.grid.shape
    steps = (1, max(1, rows // _SAMPLES), max(1, columns // _SAMPLES))
    thin = (slice(None), slice(steps[1] // 2, None, steps[1]), slice(steps[2] // 2, None, steps[2]))
    found = np.zeros(seen.image.array[thin].shape, bool)
    for number, layer in enumerate(seen.layers):
        labels = [segment.label for segment in seen.segments if segment.layer == number]
        found |= np.isin(layer.array[thin], labels)
    return Occupancy(found, steps, seen.image.grid.shape)


def _key_figure(seen: Scene, index: int, number: int) -> Figure:
    plane = str(seen.image.plane)
    from_where = f", counted from the {seen.image.counted_from}" if seen.image.counted_from else ""
    position = seen.image.position(index)
    label = f"Instance Number {seen.label(index)}; " if seen.label(index) else ""
    return Figure(
        name=f"{plane}_{number}",
        title=f"{seen.image.kind.capitalize()}, {seen.image.number(index)}",
        caption=f"{label}{position or 'place in the patient unknown'}{from_where}. {_window_words(seen.window)}"
        + _shear_words(seen.image),
        image=_key_picture(seen, index),
    )


def _window_words(window: Window | None) -> str:
    return "" if window is None else f"Window: {window}."


def _shear_words(seen: Stack) -> str:
    return " The slices are sheared against each other; they are drawn as they are." if seen.grid.is_sheared else ""


def _key_picture(seen: Scene, index: int) -> Picture:
    picture, px_per_mm = section(seen, index, (_KEY_PX, _KEY_PX), line_px=2.5)
    return annotated(picture, seen.image, px_per_mm, notes_of(seen, index))


def notes_of(seen: Scene, index: int) -> Notes:
    """What is written on a section: plane and number, place, window, the names of the segments on it."""
    label = f"Instance {seen.label(index)}".split(", ") if seen.label(index) else []
    return Notes(
        head=(
            f"{seen.image.kind.capitalize()} {index + 1}/{len(seen.image)}",
            seen.image.position(index),
            *label,
        ),
        foot=tuple(line for line in (seen.window.name, seen.window.levels) if line) if seen.window else (),
        names=tuple((segment.title, segment.color) for segment in _present(seen, index)),
    )


def section(seen: Scene, index: int, room: tuple[int, int], *, line_px: float) -> tuple[Picture, float]:
    """One section with contours, in square pixels as large as the room (rows, columns) allows.

    Returns
    -------
    The picture and its pixels per millimetre.
    """
    height_mm, width_mm = seen.image.size_mm
    px_per_mm = min(room[0] / height_mm, room[1] / width_mm)
    shape = (max(1, round(height_mm * px_per_mm)), max(1, round(width_mm * px_per_mm)))
    picture = _painted(seen.image.array[index], shape, seen.window)
    maps = [np.ascontiguousarray(layer.array[index]) for layer in seen.layers]
    lines, every = [], np.zeros(shape, np.float32)
    for segment in _present(seen, index):
        area = canvas.area(maps[segment.layer] == segment.label, shape)
        if seen.fill:
            canvas.blend(picture[area.part], area.cover * np.float32(seen.fill), segment.color)
        line = canvas.outline(area, line_px)
        np.maximum(every[line.part], line.cover, out=every[line.part])
        lines.append((line, segment.color))
    canvas.blend(picture, canvas.halo(every), canvas.BLACK)
    for line, color in lines:
        canvas.blend(picture[line.part], line.cover, color)
    return picture, px_per_mm


def _painted(values: npt.NDArray[Any], shape: tuple[int, int], window: Window | None) -> Picture:
    """A section at the size of its picture: grey through its window, or in its own colours."""
    if window is not None:
        return np.repeat(window.grey(resized(values, shape))[..., None], 3, axis=2)
    full = np.iinfo(values.dtype).max / 255
    samples = [resized(values[..., sample], shape) / full for sample in range(3)]
    painted: Picture = (np.clip(np.stack(samples, axis=-1), 0, 255) + 0.5).astype(np.uint8)
    return painted


def _present(seen: Scene, index: int) -> list[Segment]:
    """The segments on a section."""
    from isocenter.sampling.labels import labels_in

    found = [labels_in(layer.array[index : index + 1]) for layer in seen.layers]
    return [segment for segment in seen.segments if segment.label in found[segment.layer]]


def sheet(seen: Scene, total: int, title: str, *, offset: int = 0, count: int = _TILES) -> Figure:
    """So many sections of a scene, evenly spread, in rows; ``total`` sections are counted, from ``offset`` on."""
    count = min(len(seen.image), count)
    indices = np.unique(np.linspace(0, len(seen.image) - 1, count).round().astype(int))
    columns = min(_COLUMNS, len(indices))
    height_mm, width_mm = seen.image.size_mm
    tile = (max(80, min(2 * _TILE_PX, round(_TILE_PX * height_mm / width_mm))), _TILE_PX)
    rows = -(-len(indices) // columns)
    gap = 4
    whole = np.zeros((rows * (tile[0] + gap) - gap, columns * (tile[1] + gap) - gap, 3), np.uint8)
    px_per_mm = 1.0
    for place, index in enumerate(indices):
        picture, px_per_mm = section(seen, int(index), tile, line_px=1.5)
        top, left = place // columns * (tile[0] + gap), place % columns * (tile[1] + gap)
        whole[top : top + tile[0], left : left + tile[1]] = canvas.framed(picture, tile)
    image = Image.fromarray(whole)
    draw = ImageDraw.Draw(image)
    for place, index in enumerate(indices):
        top, left = place // columns * (tile[0] + gap), place % columns * (tile[1] + gap)
        _label_tile(draw, seen, (left, top), tile, (int(index), int(index) + offset + 1))
    if seen.image.grid.space is not Space.PIXEL:
        corner = (whole.shape[1] - 12, whole.shape[0] - 14)
        canvas.scale_bar(draw, corner, px_per_mm, room_px=tile[1] * 0.4, size=_TILE_TEXT_PX)
    return Figure(
        name="contact_sheet",
        title=title,
        caption=(
            f"{len(indices)} of {counted(total, *_nouns(seen.image))}, evenly spread from number "
            f"{indices[0] + offset + 1} to {indices[-1] + offset + 1}"
            f"{', counted from the ' + seen.image.counted_from if seen.image.is_placed else ''}. "
            f"{'“Im” is the Instance Number. ' if seen.labels else ''}{_window_words(seen.window)}"
        ),
        image=np.asarray(image),
    )


def _nouns(seen: Stack) -> tuple[str, str]:
    return (f"{seen.plane} section", f"{seen.plane} sections") if seen.is_placed else ("picture", "pictures")


def _label_tile(
    draw: ImageDraw.ImageDraw, seen: Scene, place: tuple[int, int], tile: tuple[int, int], numbers: tuple[int, int]
) -> None:
    left, top = place
    index, shown = numbers
    position = seen.image.position(index)
    size = _TILE_TEXT_PX
    canvas.write(draw, (left + 8, top + 6), str(shown), size=size, weight="Medium")
    canvas.write(draw, (left + 8, top + tile[0] - 6), position, size=size, anchor="ld")
    if seen.label(index):
        canvas.write(draw, (left + tile[1] - 8, top + 6), f"Im {seen.label(index)}", size=size, anchor="ra")
    at_left, at_right, _, _ = seen.image.edges
    canvas.write(draw, (left + 8, top + tile[0] / 2), at_left, size=size, anchor="lm")
    canvas.write(draw, (left + tile[1] - 8, top + tile[0] / 2), at_right, size=size, anchor="rm")
