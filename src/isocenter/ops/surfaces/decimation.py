"""Decimation of meshes by quadric error metrics (Garland and Heckbert, SIGGRAPH 1997), which keeps closed ones closed.

Edges are collapsed in rounds, the cheapest first. A round takes only edges whose surroundings it has not changed yet,
so each is judged by what is there. An edge stays where its collapse would fold a triangle over, or join the surface
with itself (the link condition: its ends share the two neighbours that its two triangles have, and no others).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isocenter.errors import UsageError, expect
from isocenter.kernels import kernel
from isocenter.mesh import Mesh
from isocenter.ops.surfaces.smoothing import change
from isocenter.reasons import Reason
from isocenter.volume import Array

_SHARE = 0.35  # of the edges that are looked at in a round; fewer follow the costs more closely, and take longer
_LEAST_GAIN = 0.002  # of the triangles; a round that removes fewer was the last
_FOLD = 0.2  # least cosine between a triangle's normals before and after a collapse
_LEAST_COST = 1e-12  # mm^4; what is cheaper costs nothing
_RANKS_PER_DOUBLING = 64
_RANKS = 128 * _RANKS_PER_DOUBLING
_STAY = 1e-3  # weight of a vertex's own place beside that of its planes: on flat ground nothing else holds it


def decimated(mesh: Mesh, share: float) -> Mesh:
    """The mesh with a share of its triangles, placed so that the surface moves as little as possible.

    Parameters
    ----------
    mesh
        A mesh; where it is open its rim stays as it is.
    share
        Of the triangles, above 0 to 1. More are kept where fewer would fold the surface or join it with itself.

    Returns
    -------
    The mesh with fewer vertices. The reason ``SURFACE_DECIMATED`` states the change of volume.

    Raises
    ------
    UsageError
        If the share is not above 0 and at most 1.
    """
    expect(mesh, Mesh)
    if not 0 < share <= 1:
        raise UsageError(f"The share of triangles to keep lies above 0 and is at most 1, not {share!r}.")
    target = round(share * len(mesh.faces))
    if target == len(mesh.faces):
        return mesh
    middle = mesh.vertices.mean(axis=0, dtype=np.float64)
    points, faces = mesh.vertices - middle, mesh.faces.copy()
    quadrics, locked = _quadrics(points, faces), _rim(*mesh.rings)
    while len(faces) > target:
        fewer = _round(points, faces, quadrics, locked, target)
        if len(faces) - len(fewer) < _LEAST_GAIN * len(faces):
            break
        faces = fewer
    used, corners = np.unique(faces, return_inverse=True)
    vertices = (points[used] + middle).astype(np.float32)
    made = replace(mesh, vertices=vertices, faces=corners.reshape(-1, 3).astype(np.int32))
    words = f"Merging {len(mesh.faces)} triangles of {mesh.name} to {len(made.faces)}{change(mesh, made)}."
    return made.with_reasons([Reason("SURFACE_DECIMATED", words)])


def _round(points: Array, faces: Array, quadrics: Array, locked: Array, target: int) -> Array:
    """The triangles that are left when each place was looked at once; ``points`` and ``quadrics`` follow."""
    edges, places, costs = _candidates(faces, quadrics, locked)
    if not len(costs):
        return faces
    most = max(min(int(_SHARE * len(costs)), 2 * (len(faces) - target)), 1)
    order = _cheapest(costs, most)
    begins, around = _around(faces, len(points))
    goes_to = _collapsed(points, faces, quadrics, (begins, around), (order, edges, places), len(faces) - target)
    return _without_collapsed(faces, goes_to)


@kernel
def _rim(begins: Array, others: Array) -> Array:
    """Vertices at a side that not exactly two triangles share; all others have one fan of triangles around them."""
    locked = np.zeros(len(begins) - 1, np.bool_)
    for vertex in range(len(begins) - 1):
        for place in range(begins[vertex], begins[vertex + 1]):
            other, ahead, back = others[place], 0, 0
            for also in range(begins[vertex], begins[vertex + 1]):
                ahead += others[also] == other
            for also in range(begins[other], begins[other + 1]):
                back += others[also] == vertex
            if ahead != 1 or back != 1:
                locked[vertex] = locked[other] = True
    return locked


@kernel
def _normal(points: Array, one: int, other: int, tip: Array) -> tuple[float, float, float]:
    x, y, z = points[one]
    p, q, r = points[other, 0] - x, points[other, 1] - y, points[other, 2] - z
    u, v, w = tip[0] - x, tip[1] - y, tip[2] - z
    return q * w - r * v, r * u - p * w, p * v - q * u


@kernel
def _quadrics(points: Array, faces: Array) -> Array:
    """For each vertex the squared distance to its planes, weighted by area: xx xy xz yy yz zz x y z 1."""
    quadrics = np.zeros((len(points), 10))
    for face in range(len(faces)):
        n = _normal(points, faces[face, 0], faces[face, 1], points[faces[face, 2]])
        a = points[faces[face, 0]]
        area = np.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2])
        if area == 0:
            continue
        n = n[0] / area, n[1] / area, n[2] / area
        d = -(n[0] * a[0] + n[1] * a[1] + n[2] * a[2])
        for place in range(3):
            own, at = quadrics[faces[face, place]], points[faces[face, place]]
            w = area * _STAY
            own[0] += area * n[0] * n[0] + w
            own[1] += area * n[0] * n[1]
            own[2] += area * n[0] * n[2]
            own[3] += area * n[1] * n[1] + w
            own[4] += area * n[1] * n[2]
            own[5] += area * n[2] * n[2] + w
            own[6] += area * n[0] * d - w * at[0]
            own[7] += area * n[1] * d - w * at[1]
            own[8] += area * n[2] * d - w * at[2]
            own[9] += area * d * d + w * (at[0] * at[0] + at[1] * at[1] + at[2] * at[2])
    return quadrics


@kernel
def _candidates(faces: Array, quadrics: Array, locked: Array) -> tuple[Array, Array, Array]:
    """The edges that may go, where their ends would meet, and what that costs."""
    most = (3 * len(faces)) // 2 + 3
    edges, places, costs = np.empty((most, 2), np.int32), np.empty((most, 3)), np.empty(most)
    count = 0
    q = np.empty(10)
    for face in range(len(faces)):
        for place in range(3):
            a, b = faces[face, place], faces[face, (place + 1) % 3]
            if a > b or locked[a] or locked[b]:  # the other triangle has this edge the other way round
                continue
            for part in range(10):
                q[part] = quadrics[a, part] + quadrics[b, part]
            cost = _meeting(q, places[count])
            if np.isfinite(cost):
                edges[count, 0], edges[count, 1], costs[count] = a, b, cost
                count += 1
    return edges[:count], places[:count], costs[:count]


@kernel
def _meeting(q: Array, place: Array) -> float:
    """Put the place of least cost into ``place``, by Cramer's rule; its cost, or infinity where there is none."""
    u, v, w = q[3] * q[5] - q[4] * q[4], q[2] * q[4] - q[1] * q[5], q[1] * q[4] - q[2] * q[3]
    size = q[0] * u + q[1] * v + q[2] * w
    if not abs(size) > 1e-12 * (q[0] + q[3] + q[5]) ** 3:
        return np.inf
    x, y, z = q[0] * q[5] - q[2] * q[2], q[1] * q[2] - q[0] * q[4], q[0] * q[3] - q[1] * q[1]
    place[0] = -(u * q[6] + v * q[7] + w * q[8]) / size
    place[1] = -(v * q[6] + x * q[7] + y * q[8]) / size
    place[2] = -(w * q[6] + y * q[7] + z * q[8]) / size
    cost: float = q[6] * place[0] + q[7] * place[1] + q[8] * place[2] + q[9]
    return cost


@kernel
def _cheapest(costs: Array, most: int) -> Array:
    """The numbers of the cheapest edges, cheapest first; costs that are equal to within 1 % stay in their order."""
    rank = np.empty(len(costs), np.int32)
    filled = np.zeros(_RANKS + 1, np.int64)
    for number in range(len(costs)):
        scaled = np.log2(max(costs[number], _LEAST_COST) / _LEAST_COST) * _RANKS_PER_DOUBLING
        rank[number] = min(int(scaled), _RANKS - 1)
        filled[rank[number] + 1] += 1
    for place in range(_RANKS):
        filled[place + 1] += filled[place]
    order = np.empty(len(costs), np.int32)
    for number in range(len(costs)):
        order[filled[rank[number]]] = number
        filled[rank[number]] += 1
    return order[:most]


@kernel
def _around(faces: Array, count: int) -> tuple[Array, Array]:
    """The triangles around each vertex: where each begins, and all of them."""
    begins = np.zeros(count + 1, np.int64)
    for face in range(len(faces)):
        for place in range(3):
            begins[faces[face, place] + 1] += 1
    for vertex in range(count):
        begins[vertex + 1] += begins[vertex]
    around, filled = np.empty(begins[count], np.int32), begins[:-1].copy()
    for face in range(len(faces)):
        for place in range(3):
            around[filled[faces[face, place]]] = face
            filled[faces[face, place]] += 1
    return begins, around


@kernel
def _collapsed(
    points: Array,
    faces: Array,
    quadrics: Array,
    rings: tuple[Array, Array],
    work: tuple[Array, Array, Array],
    surplus: int,
) -> Array:
    """Collapse edges in order, until so many triangles are gone; for each vertex the one it became."""
    begins, around = rings
    order, edges, places = work
    goes_to = np.arange(len(points), dtype=np.int32)
    touched, marked = np.zeros(len(points), np.bool_), np.full(len(points), -1, np.int32)
    for number in order:
        if surplus <= 0:
            break
        a, b = edges[number]
        if touched[a] or touched[b] or not _is_simple(faces, begins, around, marked, (a, b, number)):
            continue
        if _folds(points, faces, begins, around, (a, b), places[number]) or _folds(
            points, faces, begins, around, (b, a), places[number]
        ):
            continue
        for end in (a, b):
            for place in range(begins[end], begins[end + 1]):
                for corner in range(3):
                    touched[faces[around[place], corner]] = True
        goes_to[b] = a
        points[a] = places[number]
        quadrics[a] += quadrics[b]
        surplus -= 2
    return goes_to


@kernel
def _is_simple(faces: Array, begins: Array, around: Array, marked: Array, edge: tuple[int, int, int]) -> bool:
    """Whether the ends of an edge share two neighbours and no more, of which each keeps three triangles at least."""
    a, b, number = edge
    for place in range(begins[a], begins[a + 1]):
        for corner in range(3):
            marked[faces[around[place], corner]] = number
    shared = 0
    for place in range(begins[b], begins[b + 1]):
        face = faces[around[place]]
        for corner in range(3):
            if face[corner] == b:  # its next one: around a closed fan each neighbour comes next once
                other = face[(corner + 1) % 3]
                if other != a and marked[other] == number:
                    shared += 1
                    if begins[other + 1] - begins[other] <= 3:
                        return False
    return shared == 2


@kernel
def _folds(points: Array, faces: Array, begins: Array, around: Array, ends: tuple[int, int], target: Array) -> bool:
    """Whether a triangle around the first end that the edge does not belong to would turn too far, or vanish."""
    mine, partner = ends
    for place in range(begins[mine], begins[mine + 1]):
        face = faces[around[place]]
        corner = 0 if face[0] == mine else 1 if face[1] == mine else 2
        one, other = face[(corner + 1) % 3], face[(corner + 2) % 3]
        if partner in (one, other):
            continue
        before = _normal(points, one, other, points[mine])
        after = _normal(points, one, other, target)
        dot = before[0] * after[0] + before[1] * after[1] + before[2] * after[2]
        lengths = (before[0] ** 2 + before[1] ** 2 + before[2] ** 2) * (after[0] ** 2 + after[1] ** 2 + after[2] ** 2)
        if not dot > _FOLD * np.sqrt(lengths):
            return True
    return False


@kernel
def _without_collapsed(faces: Array, goes_to: Array) -> Array:
    kept, count = np.empty(faces.shape, np.int32), 0
    for face in range(len(faces)):
        a, b, c = goes_to[faces[face, 0]], goes_to[faces[face, 1]], goes_to[faces[face, 2]]
        if a != b and b != c and c != a:  # noqa: PLR1714 - a tuple would be built for each
            kept[count, 0], kept[count, 1], kept[count, 2] = a, b, c
            count += 1
    return kept[:count]
