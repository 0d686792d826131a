"""Marching cubes (Lorensen and Cline 1987): the table of its 256 cases, and the kernels that run it over a mask.

The table is not written down but derived from one rule: on each face of a cube, each run of inside corners is cut off
by one line. Both cubes of a face draw the same line, so no surface has a hole; and no triangle has a side that lies
across a face, so exactly two triangles meet at each side, and the triangles around each vertex form one fan. Voxels
that touch along an edge or at a corner only are held apart.

Arrays of one cell more than the mask on each side come in; vertices in half steps of its lattice and triangles come
out. Where the lattice lies in the world is for :mod:`isocenter.ops.surfaces.extraction`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise, product

import numpy as np
import numpy.typing as npt

from isocenter.kernels import kernel, over_slices
from isocenter.volume import Array

Inside = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Corner = tuple[int, int, int]
Edge = tuple[Corner, int]  # its lower corner and its axis

_ACROSS = {0: (1, 2), 1: (2, 0), 2: (0, 1)}  # the axes of a face, right-handed with the axis across it
_EDGES: tuple[Edge, ...] = tuple(
    (corner, axis) for axis in range(3) for corner in product((0, 1), (0, 1), (0, 1)) if corner[axis] == 0
)
_MOST = 5  # triangles of one cube


def extracted(inside: Inside) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """The surface between inside and outside.

    Parameters
    ----------
    inside
        (slice, row, column) of 0 and 1; 0 on all six faces of the array.

    Returns
    -------
    Vertices (n, 3) as (slice, row, column) index, each midway between two neighbours; and triangles (m, 3), which are
    counter-clockwise seen from outside where (slice, row, column) is right-handed.
    """
    table, counts = _table()
    corners, axes = np.array([edge[0] for edge in _EDGES]), np.array([edge[1] for edge in _EDGES])
    found = np.zeros((2, inside.shape[0] + 1), np.int64)
    over_slices(
        lambda start, stop: _count(inside, counts, start, stop, found[:, 1:]),
        (inside.shape[0] - 1, *inside.shape[1:]),
    )
    begins = np.cumsum(found, axis=1)
    vertices = np.empty((begins[0, -1], 3), np.float32)
    faces = np.empty((begins[1, -1], 3), np.int32)

    def work(start: int, stop: int) -> None:
        numbers = np.empty((2, 3, *inside.shape[1:]), np.int32)
        _number(inside, start, begins[0, start], numbers[start % 2], vertices)
        for k in range(start, stop):
            _number(inside, k + 1, begins[0, k + 1], numbers[(k + 1) % 2], vertices)
            _connect(inside, k, numbers, (table, counts, corners, axes), faces[begins[1, k] : begins[1, k + 1]])

    over_slices(work, (inside.shape[0] - 1, *inside.shape[1:]))
    return vertices, faces


# --- the table -------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _table() -> tuple[npt.NDArray[np.int8], Ints]:
    """For each case the edges (triangle, 3) that its triangles have their corners on, and how many triangles it has.

    Bit ``4 * dc + 2 * dk + dr`` of a case is the corner (dk, dr, dc), so that a cube's case is that of its first four
    corners and 16 times that of the next four.
    """
    table, counts = np.zeros((256, _MOST, 3), np.int8), np.zeros(256, np.int64)
    for case in range(256):
        triangles = [three for loop in _loops(case) for three in _triangles(loop)]
        counts[case] = len(triangles)
        for place, three in enumerate(triangles):
            table[case, place] = three
    return table, counts


def _is_inside(case: int, corner: Corner) -> bool:
    k, r, c = corner
    return bool(case >> (4 * c + 2 * k + r) & 1)


def _face_corners(axis: int, side: int) -> list[Corner]:
    """The corners of a face, counter-clockwise seen from outside the cube."""
    first, second = _ACROSS[axis] if side else _ACROSS[axis][::-1]
    corners = []
    for a, b in ((0, 0), (1, 0), (1, 1), (0, 1)):
        corner = [0, 0, 0]
        corner[axis], corner[first], corner[second] = side, a, b
        corners.append((corner[0], corner[1], corner[2]))
    return corners


def _edge_between(one: Corner, other: Corner) -> int:
    axis = next(a for a in range(3) if one[a] != other[a])
    return _EDGES.index((min(one, other), axis))


def _loops(case: int) -> Iterator[list[int]]:
    """The edges that each closed line of a case runs through, in order."""
    following = {}
    for axis, side in product(range(3), (0, 1)):
        ring = _face_corners(axis, side)
        sides = list(pairwise([*ring, ring[0]]))
        crossed = [
            (_edge_between(*s), _is_inside(case, s[0]))
            for s in sides
            if _is_inside(case, s[0]) != _is_inside(case, s[1])
        ]
        for place, (edge, leaves) in enumerate(crossed):
            if leaves:  # the line runs from where the face was entered to here
                following[crossed[place - 1][0]] = edge
    while following:
        loop = [min(following)]
        while (after := following.pop(loop[-1])) != loop[0]:
            loop.append(after)
        yield loop


def _share_a_face(one: int, other: int) -> bool:
    ends = [
        [corner, tuple(np.add(corner, np.eye(3, dtype=int)[axis]))] for corner, axis in (_EDGES[one], _EDGES[other])
    ]
    return any(len({end[axis] for both in ends for end in both}) == 1 for axis in range(3))


def _triangles(loop: list[int]) -> list[tuple[int, int, int]]:
    """A loop cut into triangles whose inner sides lie on no face of the cube."""
    if len(loop) == 3:
        return [(loop[0], loop[1], loop[2])]
    for place in range(len(loop)):
        before, ear, after = loop[place - 1], loop[place], loop[(place + 1) % len(loop)]
        if not _share_a_face(before, after):
            rest = [edge for edge in loop if edge != ear]
            found = _triangles(rest)
            if found:
                return [(before, ear, after), *found]
    return []


# --- the kernels -----------------------------------------------------------------------------------------------------


@kernel
def _count(inside: Array, counts: Array, start: int, stop: int, found: Array) -> None:
    """Vertices that lie on edges from slice k on, and triangles between slice k and the next."""
    _, rows, columns = inside.shape
    for k in range(start, stop):
        vertices = triangles = 0
        for r in range(rows - 1):
            a, b, d, e = inside[k, r], inside[k, r + 1], inside[k + 1, r], inside[k + 1, r + 1]
            here = a[0] | b[0] << 1 | d[0] << 2 | e[0] << 3
            for c in range(columns - 1):
                after = a[c + 1] | b[c + 1] << 1 | d[c + 1] << 2 | e[c + 1] << 3
                case = here | after << 4
                here = after
                if 0 < case < 255:
                    triangles += counts[case]
                    vertices += (a[c] != a[c + 1]) + (a[c] != b[c]) + (a[c] != d[c])
        found[0, k] = vertices
        found[1, k] = triangles


@kernel
def _number(inside: Array, k: int, number: int, numbers: Array, vertices: Array) -> None:
    """Number the vertices on the edges from slice k on, and write them: twice the same where two slabs meet."""
    slices, rows, columns = inside.shape
    if k == slices - 1:
        return
    for r in range(rows - 1):
        a, b, d = inside[k, r], inside[k, r + 1], inside[k + 1, r]
        for c in range(columns - 1):
            here = a[c]
            if here == a[c + 1] and here == b[c] and here == d[c]:
                continue
            for axis in range(3):
                if here != (d[c] if axis == 0 else b[c] if axis == 1 else a[c + 1]):
                    vertices[number, 0], vertices[number, 1], vertices[number, 2] = k, r, c
                    vertices[number, axis] += np.float32(0.5)
                    numbers[axis, r, c] = number
                    number += 1


@kernel
def _connect(inside: Array, k: int, numbers: Array, tables: tuple[Array, ...], faces: Array) -> None:
    """Write the triangles between slice k and the next; ``numbers`` holds both slices' vertices, by k modulo 2."""
    table, counts, corners, axes = tables
    _, rows, columns = inside.shape
    face = 0
    for r in range(rows - 1):
        a, b, d, e = inside[k, r], inside[k, r + 1], inside[k + 1, r], inside[k + 1, r + 1]
        here = a[0] | b[0] << 1 | d[0] << 2 | e[0] << 3
        for c in range(columns - 1):
            after = a[c + 1] | b[c + 1] << 1 | d[c + 1] << 2 | e[c + 1] << 3
            case = here | after << 4
            here = after
            if case == 0 or case == 255:  # noqa: PLR1714 - a set would be built in each round
                continue
            for triangle in range(counts[case]):
                for place in range(3):
                    edge = table[case, triangle, place]
                    corner = corners[edge]
                    found = numbers[(k + corner[0]) % 2, axes[edge], r + corner[1], c + corner[2]]
                    faces[face, place] = found
                face += 1
