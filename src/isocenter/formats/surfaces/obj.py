"""Wavefront OBJ: vertices with colors as text, one object a mesh. Materials, normals and textures are not read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from isocenter.formats.surfaces.space import in_lps
from isocenter.mesh import Mesh
from isocenter.volume import Array

_CHUNK = 1 << 16


def parts(meshes: Sequence[Mesh]) -> Iterator[bytes]:
    """The file of several meshes."""
    yield b"# isocenter SPACE=LPS UNIT=mm\n"
    first = 1
    for mesh in meshes:
        yield f"o {'_'.join(mesh.name.split())}\n".encode()
        color = " ".join(f"{part / 255:.4g}" for part in mesh.color)
        yield from _lines(f"v %.9g %.9g %.9g {color}\n", mesh.vertices)  # nine digits give every float32 back
        yield from _lines("f %d %d %d\n", mesh.faces.astype(np.int64) + first)
        first += len(mesh.vertices)


def _lines(form: str, rows: Array) -> Iterator[bytes]:
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        yield (form * len(part) % tuple(part.ravel().tolist())).encode()


def meshes(data: bytes, name: str) -> tuple[Mesh, ...]:
    """The meshes of a file; faces of more than three corners are refused."""
    lines = data.decode("utf-8").splitlines()
    points = [line.split()[1:] for line in lines if line.startswith("v ")]
    vertices = np.array([point[:3] for point in points], np.float32).reshape(-1, 3)
    vertices = in_lps(vertices, data[:200])
    found: list[tuple[str, list[list[int]]]] = []
    for line in lines:
        if line.startswith("o "):
            found.append((line[2:].strip(), []))
        elif line.startswith("f "):
            corners = [int(part.partition("/")[0]) for part in line.split()[1:]]
            if len(corners) != 3 or min(corners) < 1:
                raise ValueError("only faces of three corners, counted from 1, are read.")
            if not found:
                found.append((name, []))
            found[-1][1].append(corners)
    return tuple(_mesh(title, vertices, points, faces) for title, faces in found if faces)


def _mesh(name: str, vertices: Array, points: list[list[str]], faces: list[list[int]]) -> Mesh:
    used, inverse = np.unique(np.array(faces) - 1, return_inverse=True)
    color = points[used[0]][3:6]
    made = Mesh(vertices[used], inverse.reshape(-1, 3).astype(np.int32), name)
    if len(color) < 3:
        return made
    r, g, b = (round(float(part) * 255) for part in color)
    return Mesh(made.vertices, made.faces, name, color=(r, g, b))
