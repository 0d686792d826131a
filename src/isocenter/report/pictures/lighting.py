"""Light: from buffers of what is met behind each pixel to a picture. Which surfaces are drawn is decided in solids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels import kernel, over_slices
from isocenter.report.figure import Picture
from isocenter.report.pictures.raster import Buffer

Array = npt.NDArray[Any]

_KEY = (-0.42, -0.55, -0.72)  # where the light comes from: over the viewer's left shoulder (right, down, away)
_AMBIENT, _FRONT, _SIDE = 0.28, 0.30, 0.50  # how much comes from everywhere, from the viewer and from the light
_SHINE, _SHINES_FROM = 70.0, 0.85
_RIM = 0.35  # how much thicker a clear surface is where it is met at a slant


def lit(solid: Buffer, clear: Sequence[Buffer], colors: Array, thickness: Array) -> Picture:
    """The solid surfaces with the clear ones that lie before them, the farthest first.

    Parameters
    ----------
    solid
        The nearest of all solid surfaces.
    clear
        Each clear surface by itself.
    colors
        (n, 3) sRGB of all surfaces, by their number.
    thickness
        (n,) opacity of all surfaces.
    """
    shape = solid.depth.shape
    depths = np.stack([buffer.depth for buffer in clear]) if clear else np.zeros((0, *shape), np.float32)
    normals = np.stack([buffer.normal for buffer in clear]) if clear else np.zeros((0, *shape, 3), np.float32)
    numbers = np.array([buffer.owner.max() for buffer in clear], np.int64)
    picture = np.zeros((*shape, 3), np.uint8)
    base = solid.depth, solid.normal, solid.owner
    looks = np.asarray(colors, np.float64), np.asarray(thickness, np.float64), np.array(_KEY)
    over_slices(
        lambda start, stop: _light(base, (depths, normals, numbers), looks, (start, stop), picture), picture.shape
    )
    return picture


@kernel
def _light(
    base: tuple[Array, ...],
    clear: tuple[Array, ...],
    looks: tuple[Array, ...],
    span: tuple[int, int],
    picture: Array,
) -> None:
    solid_depth, solid_normal, owner = base
    depths, normals, numbers = clear
    colors, thickness, key = looks
    seen = np.empty(3)
    for row in range(span[0], span[1]):
        for column in range(picture.shape[1]):
            seen[:] = 0
            limit = solid_depth[row, column]
            if limit < np.inf:
                _lay(seen, solid_normal[row, column], key, colors[owner[row, column]], 1.0)
            before = np.inf
            for _ in range(len(numbers)):  # the farthest of those not laid yet
                place, far = -1, -np.inf
                for layer in range(len(numbers)):
                    away = depths[layer, row, column]
                    if far < away < before and away < limit:
                        place, far = layer, away
                if place < 0:
                    break
                before = far
                number = numbers[place]
                _lay(seen, normals[place, row, column], key, colors[number], thickness[number])
            for part in range(3):
                picture[row, column, part] = min(max(seen[part] + 0.5, 0.0), 255.0)


@kernel
def _lay(seen: Array, normal: Array, key: Array, color: Array, opacity: float) -> None:
    """Lay one surface over what is seen so far."""
    length = max(np.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2), 1e-6)
    side = -1.0 if normal[2] > 0 else 1.0  # the far side seen through a hole is lit as the near one
    facing = abs(normal[2]) / length
    slant = max(side * (normal[0] * key[0] + normal[1] * key[1] + normal[2] * key[2]) / length, 0.0)
    light = _AMBIENT + _FRONT * facing + _SIDE * slant
    shine = _SHINE * max(light - _SHINES_FROM, 0.0)
    cover = opacity if opacity == 1 else opacity + _RIM * (1 - opacity) * (1 - facing) ** 2
    for part in range(3):
        seen[part] += cover * (light * color[part] + shine - seen[part])
