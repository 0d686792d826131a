"""Mesh: a surface of triangles with its place in the patient. How surfaces are made and changed lives in ``ops``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError
from isocenter.kernels import kernel
from isocenter.reasons import Reason, merge
from isocenter.shown import Shown
from isocenter.volume import Array, read_only


@dataclass(frozen=True, eq=False)
class Mesh(Shown):
    """A surface of triangles.

    Parameters
    ----------
    vertices
        (n, 3) float32: LPS (x, y, z) in millimetres.
    faces
        (m, 3) int32: the three vertices of each triangle, counter-clockwise seen from outside.
    name
        Name to have it by, as of a segment.
    title
        Name for people; the name, if empty.
    color
        sRGB from 0 to 255.
    frame_of_reference_uid
        Frame of reference of the image it was made of; None if unknown.
    reasons
        Those of that image, and what making the surface changed.

    Raises
    ------
    ValueError
        If the arrays have another shape, a coordinate is not finite or a triangle names a vertex that is not there.
    """

    vertices: npt.NDArray[np.float32] = field(repr=False)
    faces: npt.NDArray[np.int32] = field(repr=False)
    name: str = "surface"
    title: str = ""
    color: tuple[int, int, int] = (230, 120, 60)
    frame_of_reference_uid: str | None = None
    reasons: tuple[Reason, ...] = ()

    def __post_init__(self) -> None:
        vertices, faces = (np.ascontiguousarray(part) for part in (self.vertices, self.faces))
        if vertices.shape[1:] != (3,) or vertices.dtype != np.float32 or not np.isfinite(vertices).all():
            raise ValueError("The vertices of a mesh are finite float32 numbers of shape (n, 3).")
        if faces.shape[1:] != (3,) or faces.dtype != np.int32:
            raise ValueError("The faces of a mesh are int32 numbers of shape (m, 3).")
        if faces.size and not 0 <= faces.min() <= faces.max() < len(vertices):
            raise ValueError("A face names a vertex that is not there.")
        object.__setattr__(self, "vertices", read_only(vertices))
        object.__setattr__(self, "faces", read_only(faces))
        object.__setattr__(self, "title", self.title or self.name.replace("_", " ").capitalize())

    def __repr__(self) -> str:
        return f"Mesh({self.name!r}, {len(self.vertices)} vertices, {len(self.faces)} faces)"

    @cached_property
    def rings(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """For each vertex those that come after it in its triangles: where each begins (n + 1), and all of them.

        Around a vertex of a closed surface each neighbour stands once.
        """
        return _rings(self.faces, len(self.vertices))

    @cached_property
    def is_closed(self) -> bool:
        """Whether each side of a triangle is met by as many triangles from either side: nothing leaks out."""
        return bool(_is_closed(*self.rings))

    @cached_property
    def volume_ml(self) -> float:
        """Volume within the surface, by the divergence theorem; negative if the triangles are turned inside out.

        Raises
        ------
        UsageError
            If the surface has holes, so that nothing is within.
        """
        if not self.is_closed:
            raise UsageError("The surface has holes, so it holds no volume.")
        return float(_measures(self.vertices, self.faces)[0]) / 1000.0

    @cached_property
    def area_cm2(self) -> float:
        """Area of all triangles."""
        return float(_measures(self.vertices, self.faces)[1]) / 100.0

    @cached_property
    def normals(self) -> npt.NDArray[np.float32]:
        """(n, 3) unit vectors that point outward at each vertex, of the triangles around it weighted by their area."""
        return read_only(_normals(self.vertices, self.faces))

    def with_reasons(self, reasons: Iterable[Reason]) -> Mesh:
        """This mesh with further reasons, each once."""
        return replace(self, reasons=merge(self.reasons, reasons))


@kernel
def _rings(faces: Array, count: int) -> tuple[Array, Array]:
    begins = np.zeros(count + 1, np.int64)
    for face in range(len(faces)):
        for place in range(3):
            begins[faces[face, place] + 1] += 1
    for vertex in range(count):
        begins[vertex + 1] += begins[vertex]
    others, filled = np.empty(begins[count], np.int32), begins[:-1].copy()
    for face in range(len(faces)):
        for place in range(3):
            vertex = faces[face, place]
            others[filled[vertex]] = faces[face, (place + 1) % 3]
            filled[vertex] += 1
    return begins, others


@kernel
def _is_closed(begins: Array, others: Array) -> bool:
    for vertex in range(len(begins) - 1):
        for place in range(begins[vertex], begins[vertex + 1]):
            other, balance = others[place], 0
            for ahead in range(begins[vertex], begins[vertex + 1]):
                balance += others[ahead] == other
            for back in range(begins[other], begins[other + 1]):
                balance -= others[back] == vertex
            if balance != 0:
                return False
    return True


@kernel
def _across(a: Array, b: Array, c: Array) -> tuple[float, float, float]:
    """Vector along the normal of a triangle, twice as long as its area."""
    p, q, r = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    u, v, w = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    return q * w - r * v, r * u - p * w, p * v - q * u


@kernel
def _measures(vertices: Array, faces: Array) -> tuple[float, float]:
    """Volume and area, in cubic and square millimetres, with the first vertex as origin, near which nothing is lost."""
    volume = area = 0.0
    a, b, c = np.zeros(3), np.zeros(3), np.zeros(3)
    for face in range(len(faces)):
        for axis in range(3):
            origin = np.float64(vertices[0, axis])
            a[axis] = vertices[faces[face, 0], axis] - origin
            b[axis] = vertices[faces[face, 1], axis] - origin
            c[axis] = vertices[faces[face, 2], axis] - origin
        x, y, z = _across(a, b, c)
        area += np.sqrt(x * x + y * y + z * z) / 2
        volume += (a[0] * x + a[1] * y + a[2] * z) / 6
    return volume, area


@kernel
def _normals(vertices: Array, faces: Array) -> Array:
    summed = np.zeros(vertices.shape, np.float64)
    for face in range(len(faces)):
        a, b, c = vertices[faces[face, 0]], vertices[faces[face, 1]], vertices[faces[face, 2]]
        x, y, z = _across(a, b, c)
        for place in range(3):
            summed[faces[face, place], 0] += x
            summed[faces[face, place], 1] += y
            summed[faces[face, place], 2] += z
    normals = np.zeros(vertices.shape, np.float32)
    for vertex in range(len(vertices)):
        length = np.sqrt(summed[vertex, 0] ** 2 + summed[vertex, 1] ** 2 + summed[vertex, 2] ** 2)
        if length > 0:
            for axis in range(3):
                normals[vertex, axis] = summed[vertex, axis] / length
    return normals
