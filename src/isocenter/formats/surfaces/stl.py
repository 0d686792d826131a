"""STL, binary: triangles one by one. A text STL is not read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from isocenter.formats.surfaces.space import in_lps
from isocenter.mesh import Mesh

_HEADER = b"isocenter SPACE=LPS UNIT=mm"
_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attributes", "<u2")])


def parts(meshes: Sequence[Mesh]) -> Iterator[bytes]:
    """The file of one mesh."""
    (mesh,) = meshes
    triangles = np.zeros(len(mesh.faces), _TRIANGLE)
    corners = mesh.vertices[mesh.faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(across, axis=1, keepdims=True)
    triangles["normal"] = across / np.where(length > 0, length, 1)
    triangles["corners"] = corners
    yield _HEADER.ljust(80, b" ")
    yield np.uint32(len(triangles)).tobytes()
    yield triangles.tobytes()


def meshes(data: bytes, name: str) -> tuple[Mesh, ...]:
    """The mesh of a file; corners at the very same place become one vertex."""
    count = int(np.frombuffer(data, "<u4", 1, 80)[0])
    if len(data) != 84 + count * _TRIANGLE.itemsize:
        raise ValueError(f"{count} triangles do not fit into {len(data)} bytes; only binary STL is read.")
    corners = np.frombuffer(data, _TRIANGLE, count, 84)["corners"].reshape(-1, 3)
    keys = np.ascontiguousarray(corners + np.float32(0)).view(np.dtype((np.void, 12))).ravel()  # + 0: no minus zero
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)  # vertices in the order they are first met
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    vertices = in_lps(corners[first[order]], data[:80])
    return (Mesh(vertices, rank[inverse].reshape(-1, 3), name),)
