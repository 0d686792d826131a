"""GLB, the binary file of glTF 2.0: each mesh a node with its material and normals, in metres with y up."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from isocenter import __version__
from isocenter.bridges import points_in_gltf
from isocenter.mesh import Mesh
from isocenter.volume import Array

_FLOAT, _UINT = 5126, 5125
_VERTICES, _INDICES = 34962, 34963  # what a buffer view is for


def parts(meshes: Sequence[Mesh]) -> Iterator[bytes]:
    """The file of several meshes."""
    views: list[tuple[bytes, int]] = []
    accessors: list[dict[str, Any]] = []
    nodes, bodies, materials = [], [], []
    for number, mesh in enumerate(meshes):
        points = (points_in_gltf(mesh.vertices) / np.float32(1000)).astype("<f4")
        normals = points_in_gltf(_unit(mesh.normals)).astype("<f4")
        ends = {"min": points.min(axis=0).tolist(), "max": points.max(axis=0).tolist()}
        first = len(accessors)
        accessors += [
            _accessor(first, _FLOAT, "VEC3", len(points)) | ends,
            _accessor(first + 1, _FLOAT, "VEC3", len(points)),
            _accessor(first + 2, _UINT, "SCALAR", mesh.faces.size),
        ]
        indices = mesh.faces.astype("<u4").tobytes()
        views += [(points.tobytes(), _VERTICES), (normals.tobytes(), _VERTICES), (indices, _INDICES)]
        drawn = {"attributes": {"POSITION": first, "NORMAL": first + 1}, "indices": first + 2, "material": number}
        bodies.append({"name": mesh.name, "primitives": [drawn]})
        nodes.append({"name": mesh.title, "mesh": number})
        materials.append(_material(mesh))
    content = {
        "asset": {"version": "2.0", "generator": f"isocenter {__version__}"},
        "scene": 0,
        "scenes": [{"nodes": list(range(len(nodes)))}],
        "nodes": nodes,
        "meshes": bodies,
        "materials": materials,
        "accessors": accessors,
        **_buffer(views),
    }
    return _chunks(json.dumps(content, separators=(",", ":")).encode(), [data for data, _ in views])


def _unit(normals: Array) -> Array:
    """Normals of length 1, which glTF asks for; along x where the triangles around a vertex have no area."""
    return np.where(np.any(normals, axis=1, keepdims=True), normals, np.array([1, 0, 0], np.float32))


def _accessor(view: int, kind: int, shape: str, count: int) -> dict[str, Any]:
    return {"bufferView": view, "componentType": kind, "type": shape, "count": count}


def _material(mesh: Mesh) -> dict[str, Any]:
    """A dull surface of the mesh's color, which glTF wants in linear light."""
    sRGB = [part / 255 for part in mesh.color]  # noqa: N806 - the name of the color space
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in sRGB]
    shine = {"baseColorFactor": [*(round(part, 6) for part in linear), 1], "metallicFactor": 0, "roughnessFactor": 0.7}
    return {"name": mesh.name, "pbrMetallicRoughness": shine, "doubleSided": not mesh.is_closed}


def _buffer(views: Sequence[tuple[bytes, int]]) -> dict[str, Any]:
    """Where each part lies in the one buffer; all of them are whole words of four bytes."""
    described, offset = [], 0
    for data, target in views:
        described.append({"buffer": 0, "byteOffset": offset, "byteLength": len(data), "target": target})
        offset += len(data)
    return {"bufferViews": described, "buffers": [{"byteLength": offset}]}


def _chunks(content: bytes, data: Sequence[bytes]) -> Iterator[bytes]:
    content += b" " * (-len(content) % 4)
    length = sum(len(part) for part in data)
    yield struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(content) + 8 + length)
    yield struct.pack("<I4s", len(content), b"JSON") + content
    yield struct.pack("<I4s", length, b"BIN\0")
    yield from data
