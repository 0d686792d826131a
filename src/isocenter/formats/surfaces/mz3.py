"""MZ3, the mesh format of Surfice and NiiVue: a header of 16 bytes, faces, vertices in RAS, a color each; gzip."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator, Sequence

import numpy as np

from isocenter.bridges import points_between_ras_and_lps
from isocenter.formats.writing import gzipped
from isocenter.mesh import Mesh

_MAGIC = 23117  # "MZ"
_FACES, _VERTICES, _COLORS = 1, 2, 4
_HEADER = "<HHIII"


def parts(meshes: Sequence[Mesh]) -> Iterator[bytes]:
    """The file of one mesh."""
    (mesh,) = meshes
    header = struct.pack(_HEADER, _MAGIC, _FACES | _VERTICES | _COLORS, len(mesh.faces), len(mesh.vertices), 0)
    points = points_between_ras_and_lps(mesh.vertices).astype("<f4")
    colors = np.broadcast_to(np.array([*mesh.color, 255], np.uint8), (len(points), 4))
    return gzipped([header, mesh.faces.astype("<i4").tobytes(), points.tobytes(), colors.tobytes()])


def meshes(data: bytes, name: str) -> tuple[Mesh, ...]:
    """The mesh of a file, which has to hold faces and vertices; the first vertex's color is taken for all."""
    raw = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    magic, holds, faces, vertices, skip = struct.unpack_from(_HEADER, raw)
    if magic != _MAGIC or holds & 3 != 3:
        raise ValueError("it begins otherwise, or holds no faces and vertices.")
    place = 16 + skip
    corners = np.frombuffer(raw, "<i4", 3 * faces, place).reshape(-1, 3)
    points = np.frombuffer(raw, "<f4", 3 * vertices, place + corners.nbytes).reshape(-1, 3)
    lps = points_between_ras_and_lps(points).astype(np.float32)
    if not holds & _COLORS or not vertices:
        return (Mesh(lps, corners.astype(np.int32), name),)
    r, g, b = np.frombuffer(raw, np.uint8, 3, place + corners.nbytes + points.nbytes).tolist()
    return (Mesh(lps, corners.astype(np.int32), name, color=(r, g, b)),)
