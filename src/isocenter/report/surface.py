"""Surface: a shaded picture of segments in three dimensions, seen from four sides.

Parallel rays along the axes of the patient meet a smoothed, coarse copy of each segment; the first crossing gives
depth and normal, as in volume rendering (Levoy 1988). No mesh is made; a mesh to keep is another matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from isocenter.findings import Segment, Segmentation
from isocenter.geometry import Grid, Space
from isocenter.ops.boxes import box_of
from isocenter.report import canvas
from isocenter.report.figure import Figure
from isocenter.report.planes import Floats, Plane, letters, resized, stack

_STEP_MM = 2.0
_MOST_SAMPLES = 224  # along each axis
_ROOM_PX = (440, 440)
_BAR_PX = 130
_TEXT_PX = 30  # 9 points where the four views are printed 18 cm wide
_GAP = 6
_MOST_SEGMENTS = 24  # more cannot be told apart
_MOST_SMOOTHED = 2**24  # samples of all segments' boxes together; beyond it the cubes grow
_RIM = 6  # samples around a segment, for its smooth fields to fade out
_GLASS = 0.45  # opacity of a surface met face on, where a small segment lies behind it
_SMALL = 0.1  # of the size of the segment in front
_VIEWS = (("From the front", 1, 1), ("From the right", 2, 1), ("From behind", 1, -1), ("From the left", 2, -1))


@dataclass(frozen=True, slots=True)
class Block:
    """Masks of the largest segments found on a coarse grid of cubes, head to feet, front to back, right to left."""

    masks: tuple[npt.NDArray[np.bool_], ...] = field(repr=False)
    grid: Grid
    segments: tuple[Segment, ...]
    found: int


@dataclass(frozen=True, slots=True)
class Part:
    """One segment cut out of a block as smooth fields, 0.5 at its surface.

    Parameters
    ----------
    start
        Place of its first sample in the block.
    sharp
        Field that the rays meet.
    soft
        Field whose slope is the normal.
    size
        Number of samples in the segment.
    color
        sRGB.
    """

    start: tuple[int, int, int]
    sharp: Floats = field(repr=False)
    soft: Floats = field(repr=False)
    size: int
    color: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Hit:
    """Where rays meet one segment: (rows, columns) maps of the picture."""

    cover: Floats = field(repr=False)
    depth: Floats = field(repr=False)
    facing: Floats = field(repr=False)
    light: Floats = field(repr=False)
    size: int
    color: tuple[int, int, int]


def surface(segmentation: Segmentation) -> Figure | None:
    """The segments in three dimensions, seen from the front, the right, behind and the left.

    A segment that lies inside another (airways in lungs) shines through it.

    Parameters
    ----------
    segmentation
        Segments on any grid.

    Returns
    -------
    The picture; None if every segment is empty or less than two voxels thick. Of many segments it shows the largest,
    and its caption says so.
    """
    block = coarse(segmentation)
    if block is None:
        return None
    parts = [_part(mask, segment.color) for mask, segment in zip(block.masks, block.segments, strict=True)]
    high, deep, wide = block.grid.shape
    scale = min(_ROOM_PX[0] / high, _ROOM_PX[1] / max(deep, wide))
    pictures = [_view(block, parts, view, scale) for view in _VIEWS]
    rows = pictures[0].shape[0]
    gap = np.zeros((rows, _GAP, 3), np.uint8)
    strip = np.concatenate([part for picture in pictures for part in (picture, gap)][:-1], axis=1)
    return Figure(
        name="surface",
        title="Surface",
        caption=(
            "Surface of the segments, seen from the front, the right, behind and the left, without perspective; "
            f"drawn from the label map at {block.grid.spacing_mm[0]:.1f} mm.{_left_out(block)}"
        ),
        image=canvas.with_names_below(strip, [(s.title, s.color) for s in block.segments], size=_TEXT_PX),
    )


def _left_out(block: Block) -> str:
    shown = len(block.segments)
    return "" if block.found == shown else f" Shown are the {shown} largest of {block.found} segments."


def coarse(segmentation: Segmentation) -> Block | None:
    """The largest segments on cubes of about two millimetres, cropped to all; None where there is nothing to see.

    Voxels are picked, not averaged: smoothing comes afterwards. Where the segments' boxes overlap so much that this
    would take long, the cubes are larger.
    """
    block = _picked(segmentation, _STEP_MM)
    if block is None:
        return None
    smoothed = sum(np.prod([side.stop - side.start for side in box_of(mask)]) for mask in block.masks)
    if smoothed <= _MOST_SMOOTHED:
        return block
    return _picked(segmentation, float(block.grid.spacing_mm[0] * np.cbrt(smoothed / _MOST_SMOOTHED)))


def _picked(segmentation: Segmentation, least_mm: float) -> Block | None:
    seen = [stack(layer, segmentation.grid, Plane.AXIAL) for layer in segmentation.layers]
    grid = seen[0].grid
    box = _box([layer.array for layer in seen], segmentation.segments)
    if box is None:
        return None
    lengths = [(stop - start) * spacing for (start, stop), spacing in zip(box, grid.spacing_mm, strict=True)]
    step = max(least_mm, max(lengths) / _MOST_SAMPLES)
    picks = [
        np.clip(((np.arange(max(2, round(length / step))) + 0.5) * step / spacing + start).astype(int), 0, stop - 1)
        for (start, stop), length, spacing in zip(box, lengths, grid.spacing_mm, strict=True)
    ]
    maps = [np.pad(layer.array[np.ix_(*picks)], _RIM) for layer in seen]
    sizes = [np.bincount(one.ravel()) for one in maps]
    found = [s for s in segmentation.segments if s.label < sizes[s.layer].size and sizes[s.layer][s.label]]
    if not found:
        return None
    least = sorted((sizes[s.layer][s.label] for s in found), reverse=True)[:_MOST_SEGMENTS][-1]
    shown = [s for s in found if sizes[s.layer][s.label] >= least][:_MOST_SEGMENTS]
    affine = np.eye(4)
    affine[:3, :3] = grid.direction * step
    face = [
        start - 0.5 + (0.5 - _RIM) * step / spacing for (start, _), spacing in zip(box, grid.spacing_mm, strict=True)
    ]
    affine[:3, 3] = grid.to_world(face)
    shape = maps[0].shape
    coarse_grid = replace(grid, shape=(shape[0], shape[1], shape[2]), affine=affine)
    return Block(tuple(maps[s.layer] == s.label for s in shown), coarse_grid, tuple(shown), len(found))


def _box(layers: Sequence[npt.NDArray[np.integer]], segments: Sequence[Segment]) -> list[tuple[int, int]] | None:
    steps = [max(1, n // 128) for n in layers[0].shape]
    found = np.zeros(layers[0][tuple(slice(None, None, step) for step in steps)].shape, bool)
    for number, layer in enumerate(layers):
        thin = layer[tuple(slice(None, None, step) for step in steps)]
        found |= np.isin(thin, [segment.label for segment in segments if segment.layer == number])
    if not found.any():
        return None
    sides = zip(box_of(found), steps, layers[0].shape, strict=True)
    return [(max(0, (side.start - 1) * step), min(n, side.stop * step + 1)) for side, step, n in sides]


def _part(mask: npt.NDArray[np.bool_], color: tuple[int, int, int]) -> Part:
    k, r, c = box_of(mask, (_RIM, _RIM, _RIM))
    own = mask[k, r, c]
    sharp = _smooth(own.astype(np.float32), 2)
    return Part((k.start, r.start, c.start), sharp, _smooth(sharp, 3), int(own.sum()), color)


def _smooth(values: Floats, passes: int) -> Floats:
    """Passes of a (1, 2, 1) / 4 filter along each axis."""
    for axis in range(3):
        middle, before, after = ([slice(None)] * 3 for _ in range(3))
        middle[axis], before[axis], after[axis] = slice(1, -1), slice(None, -2), slice(2, None)
        for _ in range(passes):
            out = values.copy()
            inner = out[tuple(middle)]
            inner *= np.float32(2)
            inner += values[tuple(before)]
            inner += values[tuple(after)]
            inner *= np.float32(0.25)
            values = out
    return values


def _view(block: Block, parts: Sequence[Part], view: tuple[str, int, int], scale: float) -> npt.NDArray[np.uint8]:
    title, axis, sign = view
    size = (block.grid.shape[0], block.grid.shape[3 - axis])
    shape = (round(size[0] * scale), round(size[1] * scale))
    hits = [_hit(part, block.grid.shape, (axis, sign), shape) for part in parts]
    framed = canvas.framed(_composite(hits, shape), (shape[0] + 64, max(shape[1] + 44, 240)))
    image = Image.fromarray(framed)
    draw = ImageDraw.Draw(image)
    canvas.write(draw, (12, 10), title, size=_TEXT_PX)
    right = block.grid.direction[:, 3 - axis] * (1 if axis == 1 else -1) * sign
    at_left, at_right = (letters(-right), letters(right)) if block.grid.space is Space.PATIENT else ("", "")
    canvas.edge_letters(draw, (at_left, at_right, "", ""), framed.shape[:2], size=_TEXT_PX)
    px_per_mm = scale / block.grid.spacing_mm[0]
    place = (framed.shape[1] - 12, framed.shape[0] - 12)
    canvas.scale_bar(draw, place, px_per_mm, room_px=_BAR_PX, size=_TEXT_PX)
    return np.asarray(image)


def _towards_viewer(values: Floats, axis: int, sign: int) -> Floats:
    """The field as (depth from the viewer, rows from the head down, columns from the viewer's left to right)."""
    if axis == 1:
        moved = np.moveaxis(values, 1, 0)  # (back, feet, left)
        return moved if sign > 0 else moved[::-1, :, ::-1]
    moved = np.moveaxis(values, 2, 0)  # (left, feet, back)
    return moved[:, :, ::-1] if sign > 0 else moved[::-1]


def _hit(part: Part, whole: tuple[int, ...], view: tuple[int, int], shape: tuple[int, int]) -> Hit:
    """First crossing of 0.5 along the rays of a view: cover, depth, cosine to the viewer and light."""
    values, soft = _towards_viewer(part.sharp, *view), _towards_viewer(part.soft, *view)
    met, first = (values >= 0.5).max(axis=0), (values >= 0.5).argmax(axis=0)
    most = values.max(axis=0)
    first = np.clip(np.where(met, first, values.argmax(axis=0)), 1, values.shape[0] - 2)
    rows, columns = np.indices(first.shape)
    here, before = values[first, rows, columns], values[first - 1, rows, columns]
    back = np.clip((here - 0.5) / np.maximum(here - before, 1e-4), 0, 1)
    near, top, left = _corner_of(part, whole, view)
    room = (whole[0], whole[3 - view[0]])

    def placed(low: npt.NDArray[np.floating]) -> Floats:
        out = np.zeros(room, np.float32)
        out[top : top + low.shape[0], left : left + low.shape[1]] = low
        return resized(out, shape)

    normal = [placed(-slope) for slope in _slopes(soft, first, rows, columns)]
    length = np.maximum(np.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2), 1e-4)
    facing = np.clip(-normal[0] / length, 0, 1)
    key = np.clip((-0.72 * normal[0] - 0.55 * normal[1] - 0.42 * normal[2]) / length, 0, 1)
    cover = np.clip((placed(most) - 0.5) * 6 + 0.5, 0, 1)
    light = 0.28 + 0.30 * facing + 0.50 * key
    return Hit(cover, placed(first - back + near), facing, light, part.size, part.color)


def _corner_of(part: Part, whole: tuple[int, ...], view: tuple[int, int]) -> tuple[int, int, int]:
    """Place (depth, row, column) of a part's first sample as seen in a view."""
    axis, sign = view
    other = 3 - axis
    low = {a: part.start[a] for a in (axis, other)}
    high = {a: whole[a] - part.start[a] - part.sharp.shape[a] for a in (axis, other)}
    depth = low[axis] if sign > 0 else high[axis]
    mirrored = (axis == 1) != (sign > 0)
    return depth, part.start[0], high[other] if mirrored else low[other]


def _slopes(
    values: Floats, first: npt.NDArray[np.intp], rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]
) -> list[Floats]:
    up, down = np.maximum(rows - 1, 0), np.minimum(rows + 1, values.shape[1] - 1)
    left, right = np.maximum(columns - 1, 0), np.minimum(columns + 1, values.shape[2] - 1)
    return [
        values[first + 1, rows, columns] - values[first - 1, rows, columns],
        values[first, down, columns] - values[first, up, columns],
        values[first, rows, right] - values[first, rows, left],
    ]


def _composite(hits: Sequence[Hit], shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Paint the farthest hit first; a surface is glass, clearer face on, where a far smaller segment lies behind it."""
    cover, facing, light = (np.stack([getattr(hit, name) for hit in hits]) for name in ("cover", "facing", "light"))
    order = np.argsort(-np.where(cover > 0, np.stack([hit.depth for hit in hits]), np.inf), axis=0, kind="stable")
    colors, sizes = np.array([hit.color for hit in hits], np.float32), np.array([hit.size for hit in hits])
    picture = np.zeros((*shape, 3), np.float32)
    painted = np.full(shape, np.inf, np.float32)  # size of the segment on top so far
    for turn in order:
        places = np.nonzero(np.take_along_axis(cover, turn[None], 0)[0])
        number = turn[places]
        here = (number, *places)
        behind = painted[places] < _SMALL * sizes[number]
        glass = np.where(behind, _GLASS + (1 - _GLASS) * (1 - facing[here]) ** 2, 1)
        shine = 70 * np.clip(light[here] - 0.85, 0, 1)
        lit = light[here][:, None] * colors[number] + shine[:, None]
        picture[places] += (cover[here] * glass)[:, None] * (lit - picture[places])
        painted[places] = sizes[number]
    return np.clip(picture, 0, 255).astype(np.uint8)
