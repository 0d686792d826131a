"""Solids: surfaces in three dimensions, seen from any side, drawn without a display.

Each surface is rasterised by itself, with normals that run smoothly over its triangles; at each pixel they are then
laid over each other from the farthest to the nearest, so that what is clear shows what lies behind it. Only the near
side of each surface is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from isocenter.errors import InputError, UsageError, expect
from isocenter.findings import Segmentation
from isocenter.geometry import Floats
from isocenter.mesh import Mesh
from isocenter.ops.surfaces import meshes, smoothed
from isocenter.report import canvas
from isocenter.report.figure import Figure, Picture
from isocenter.report.pictures.lighting import lit
from isocenter.report.pictures.raster import Buffer, turned
from isocenter.report.planes import letters

_WORDS = {
    "anterior": (0, -1, 0),
    "posterior": (0, 1, 0),
    "left": (1, 0, 0),
    "right": (-1, 0, 0),
    "superior": (0, 0, 1),
    "inferior": (0, 0, -1),
}
_ROOM_PX = 640
_OVERSAMPLED = 2
_MARGIN_PX = 56
_TEXT_PX = 30
_LEAST_PX = 380  # columns of a view, for its name


def solid(
    bodies: Segmentation | Mesh | Sequence[Mesh],
    *,
    views: Sequence[str] = ("anterior", "left"),
    opacity: Mapping[str, float] | None = None,
) -> Figure:
    """Surfaces of structures, without perspective, with orientation letters, a scale bar and a legend.

    Parameters
    ----------
    bodies
        Segments, whose smoothed surfaces are made; or meshes, drawn as they are.
    views
        Where the viewer stands, one picture each: ``"anterior"``, ``"posterior"``, ``"left"``, ``"right"``,
        ``"superior"``, ``"inferior"``, or several in one as ``"anterior-left"``. These are the patient's sides.
    opacity
        By name, above 0 (clear) to 1; structures that are not named are solid.

    Raises
    ------
    UsageError
        If there is no such view or name, an opacity is out of range, or meshes lie in different frames of reference.
    InputError
        If there is nothing to draw.
    """
    drawn = _drawn(bodies)
    thickness = _thickness(opacity or {}, drawn)
    if not views or isinstance(views, str):
        raise UsageError("Name the views as a list, as in views=['anterior', 'left'].")
    axes = [_axes(view) for view in views]
    middle, reach = _extent(drawn)
    scale = _ROOM_PX / (2 * reach)
    pictures = [_view(drawn, thickness, view, turn, (middle, scale)) for view, turn in zip(views, axes, strict=True)]
    strip = np.concatenate(pictures, axis=1)
    return Figure(
        name="solid",
        title="Surfaces in three dimensions",
        caption=f"Seen from {', '.join(views)}, without perspective. " + _words(drawn, thickness),
        image=canvas.with_names_below(strip, [(mesh.title, mesh.color) for mesh in drawn], size=_TEXT_PX),
    )


def _drawn(bodies: Segmentation | Mesh | Sequence[Mesh]) -> list[Mesh]:
    if isinstance(bodies, Segmentation):
        drawn = [smoothed(mesh) for mesh in meshes(bodies)]
    else:
        drawn = [bodies] if isinstance(bodies, Mesh) else list(bodies)
    for mesh in drawn:
        expect(mesh, Mesh)
    drawn = [mesh for mesh in drawn if len(mesh.faces)]
    if not drawn:
        raise InputError("There is no surface to draw: no segment has a voxel, no mesh a triangle.")
    if len({mesh.frame_of_reference_uid for mesh in drawn} - {None}) > 1:
        raise UsageError("The meshes lie in different frames of reference: register their images first.")
    return drawn


def _thickness(opacity: Mapping[str, float], drawn: Sequence[Mesh]) -> list[float]:
    unknown = set(opacity) - {mesh.name for mesh in drawn}
    if unknown:
        raise UsageError(f"No surface {', '.join(sorted(unknown))}; there are {', '.join(m.name for m in drawn)}.")
    if not all(0 < value <= 1 for value in opacity.values()):
        raise UsageError("An opacity is above 0 and at most 1.")
    return [float(opacity.get(mesh.name, 1.0)) for mesh in drawn]


def _axes(view: str) -> Floats:
    """(3, 3): the directions right, down and away in the patient, for a viewer who stands on a side of the patient."""
    words = view.split("-")
    if not all(word in _WORDS for word in words):
        raise UsageError(f"No view {view!r}; there are {', '.join(_WORDS)}, and several as in 'anterior-left'.")
    towards = np.sum([_WORDS[word] for word in words], axis=0, dtype=float)
    if not towards.any():
        raise UsageError(f"The view {view!r} is from two opposite sides.")
    towards /= np.linalg.norm(towards)
    up = np.array([0.0, 0.0, 1.0])
    if abs(towards[2]) > 0.99:  # seen from head or feet, anterior is up, as on axial slices
        up = np.array([0.0, -1.0, 0.0])
    up -= (up @ towards) * towards
    up /= np.linalg.norm(up)
    return np.stack([np.cross(up, towards), -up, -towards])


def _extent(drawn: Sequence[Mesh]) -> tuple[Floats, float]:
    """The middle of all surfaces, and the radius of a ball around it that holds them."""
    low = np.min([mesh.vertices.min(axis=0) for mesh in drawn], axis=0).astype(float)
    high = np.max([mesh.vertices.max(axis=0) for mesh in drawn], axis=0).astype(float)
    return (low + high) / 2, max(float(np.max(high - low)) / 2 * 1.04, 0.5)


def _view(
    drawn: Sequence[Mesh], thickness: Sequence[float], view: str, turn: Floats, placing: tuple[Floats, float]
) -> Picture:
    middle, scale = placing
    fine = _fine(drawn, thickness, turn, middle, scale * _OVERSAMPLED)
    size = (fine.shape[1] // _OVERSAMPLED, fine.shape[0] // _OVERSAMPLED)
    small = np.asarray(Image.fromarray(fine).resize(size, Image.Resampling.BOX))
    room = (_ROOM_PX + 2 * _MARGIN_PX, max(small.shape[1] + 2 * _MARGIN_PX, _LEAST_PX))
    image = Image.fromarray(canvas.framed(small, room))
    draw = ImageDraw.Draw(image)
    canvas.write(draw, (12, 10), view.replace("-", ", ").capitalize(), size=_TEXT_PX)
    edges = (letters(-turn[0]), letters(turn[0]), letters(-turn[1]), letters(turn[1]))
    canvas.edge_letters(draw, edges, (image.height, image.width), size=_TEXT_PX)
    canvas.scale_bar(draw, (image.width - 12, image.height - 12), scale, room_px=150, size=_TEXT_PX)
    return np.asarray(image)


def _fine(drawn: Sequence[Mesh], thickness: Sequence[float], turn: Floats, middle: Floats, px_per_mm: float) -> Picture:
    """All surfaces on black, at several pixels for each of the picture."""
    placed = [turned(mesh.vertices, turn, middle, px_per_mm) for mesh in drawn]
    shape = _shape(placed)
    solid_ones, clear_ones = Buffer.empty(shape), []
    for number, (mesh, points) in enumerate(zip(drawn, placed, strict=True)):
        points[:, :2] += np.array([shape[1] / 2, shape[0] / 2], np.float32)
        buffer = solid_ones if thickness[number] == 1 else Buffer.empty(shape)
        buffer.draw(points, turned(mesh.normals, turn, np.zeros(3), 1.0), mesh.faces, number)
        clear_ones += [] if buffer is solid_ones else [buffer]
    return lit(solid_ones, clear_ones, np.array([mesh.color for mesh in drawn]), np.array(thickness))


def _shape(placed: Sequence[npt.NDArray[np.float32]]) -> tuple[int, int]:
    """Rows and columns, whole pixels of the picture, that hold all points around the middle."""
    reach = np.max([[-points.min(axis=0), points.max(axis=0)] for points in placed], axis=(0, 1))
    columns, rows = (2 * _OVERSAMPLED * (int(np.ceil(reach[axis] / _OVERSAMPLED)) + 2) for axis in (0, 1))
    return rows, columns


def _words(drawn: Sequence[Mesh], thickness: Sequence[float]) -> str:
    count = sum(len(mesh.faces) for mesh in drawn)
    clear = [mesh.title for mesh, thick in zip(drawn, thickness, strict=True) if thick < 1]
    return f"{count} triangles." + (f" Clear: {', '.join(clear)}." if clear else "")
