"""Rasterisation: triangles onto pixels, the nearest in front. Arrays in, arrays out; no light, no colour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels import kernel

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Buffer:
    """What is met first behind each pixel; it fills as surfaces are drawn into it.

    Parameters
    ----------
    depth
        (rows, columns) away from the viewer; infinite where nothing is met.
    normal
        (rows, columns, 3) right, down, away; not of unit length.
    owner
        (rows, columns) number of the surface that is met.
    """

    depth: Array = field(repr=False)
    normal: Array = field(repr=False)
    owner: Array = field(repr=False)

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> Buffer:
        """A buffer of (rows, columns) with nothing in it."""
        return cls(np.full(shape, np.inf, np.float32), np.zeros((*shape, 3), np.float32), np.zeros(shape, np.int32))

    def draw(self, points: Array, normals: Array, faces: Array, number: int) -> None:
        """Draw a surface.

        Parameters
        ----------
        points
            (n, 3): right, down and away from the viewer, in pixels; pixel [0, 0] has its middle at (0.5, 0.5).
        normals
            (n, 3): at each point.
        faces
            (m, 3): the points of each triangle, whichever way round.
        number
            Its number.
        """
        _paint((points, normals, faces), number, self.depth, self.normal, self.owner)


def turned(vectors: Array, turn: Array, middle: Array, scale: float) -> Array:
    """(n, 3) float32 of vectors less a middle, along the rows of a (3, 3) matrix, times a scale."""
    out = np.empty(vectors.shape, np.float32)
    _turn(vectors, np.ascontiguousarray(turn * scale), np.asarray(middle, np.float64), out)
    return out


@kernel
def _turn(vectors: Array, turn: Array, middle: Array, out: Array) -> None:
    for number in range(len(vectors)):
        x = vectors[number, 0] - middle[0]
        y = vectors[number, 1] - middle[1]
        z = vectors[number, 2] - middle[2]
        for axis in range(3):
            out[number, axis] = turn[axis, 0] * x + turn[axis, 1] * y + turn[axis, 2] * z


@kernel
def _paint(surface: tuple[Array, Array, Array], number: int, depth: Array, found: Array, owner: Array) -> None:
    points, normals, faces = surface
    rows, columns = depth.shape
    for face in range(len(faces)):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        ax, ay, bx, by, cx, cy = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0:
            continue
        first_row = max(0, int(np.ceil(min(ay, by, cy) - 0.5)))
        first_column = max(0, int(np.ceil(min(ax, bx, cx) - 0.5)))
        last_row = min(rows - 1, int(np.floor(max(ay, by, cy) - 0.5)))
        last_column = min(columns - 1, int(np.floor(max(ax, bx, cx) - 0.5)))
        for row in range(first_row, last_row + 1):
            for column in range(first_column, last_column + 1):
                x, y = column + 0.5, row + 0.5
                u = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
                v = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
                w = 1.0 - u - v
                if u < 0 or v < 0 or w < 0:
                    continue
                away = np.float32(u * points[a, 2] + v * points[b, 2] + w * points[c, 2])
                if away < depth[row, column]:
                    depth[row, column] = away
                    owner[row, column] = number
                    for axis in range(3):
                        found[row, column, axis] = u * normals[a, axis] + v * normals[b, axis] + w * normals[c, axis]
