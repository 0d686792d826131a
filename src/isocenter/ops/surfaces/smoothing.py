"""Smoothing of meshes by two steps that together do not shrink them.

Taubin, Curve and surface smoothing without shrinkage, ICCV 1995.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isocenter.errors import UsageError, expect
from isocenter.kernels import kernel, over_slices
from isocenter.mesh import Mesh
from isocenter.reasons import Reason
from isocenter.volume import Array

_INWARD = 0.5  # Taubin's lambda
_PASS_BAND = 0.1  # Taubin's k: waves longer than about 1 / k sides of triangles stay


def smoothed(mesh: Mesh, iterations: int = 20) -> Mesh:
    """The mesh with the steps of voxels and other short waves taken away.

    Each round moves every vertex half way to the mean of its neighbours, and then outward again by a little more
    (Taubin's lambda 0.5, pass band 0.1), so that long waves, and the volume, stay. All neighbours weigh the same.

    Parameters
    ----------
    mesh
        A mesh; the rim of an open one is smoothed too.
    iterations
        How many rounds, 0 or more.

    Returns
    -------
    The mesh with as many vertices and the same triangles. The reason ``SURFACE_SMOOTHED`` states the change of volume.

    Raises
    ------
    UsageError
        If the number of rounds is negative or no whole number.
    """
    expect(mesh, Mesh)
    if not isinstance(iterations, int) or iterations < 0:
        raise UsageError(f"The rounds of smoothing are a whole number of 0 or more, not {iterations!r}.")
    if not iterations or not len(mesh.faces):
        return mesh
    begins, others = mesh.rings
    here = mesh.vertices.astype(np.float64)
    moved = np.empty_like(here)
    outward = 1 / (_PASS_BAND - 1 / _INWARD)
    for _ in range(iterations):
        for step in (_INWARD, outward):
            _step_all(here, moved, (begins, others), step)
            here, moved = moved, here
    made = replace(mesh, vertices=here.astype(np.float32))
    words = f"{iterations} rounds of smoothing of {mesh.name}{change(mesh, made)}."
    return made.with_reasons([Reason("SURFACE_SMOOTHED", words)])


def change(before: Mesh, after: Mesh) -> str:
    """Words on how a surface's volume changed."""
    if not (before.is_closed and after.is_closed) or before.volume_ml == 0:
        return " changed the surface, which has holes and so no volume"
    percent = 100 * (after.volume_ml / before.volume_ml - 1)
    return f" changed the volume by {percent:+.2f} %, from {before.volume_ml:.4g} to {after.volume_ml:.4g} ml"


def _step_all(here, moved, rings, step) -> None:  # type: ignore[no-untyped-def]
    over_slices(lambda start, stop: _step(here, moved, rings, (start, stop), step), (len(here), 3))


@kernel
def _step(here: Array, moved: Array, rings: tuple[Array, ...], span: tuple[int, int], step: float) -> None:
    begins, others = rings
    for vertex in range(span[0], span[1]):
        x = y = z = 0.0
        for place in range(begins[vertex], begins[vertex + 1]):
            other = others[place]
            x += here[other, 0]
            y += here[other, 1]
            z += here[other, 2]
        share = step / max(begins[vertex + 1] - begins[vertex], 1)
        keep = 1 - share * (begins[vertex + 1] - begins[vertex])
        moved[vertex, 0] = keep * here[vertex, 0] + share * x
        moved[vertex, 1] = keep * here[vertex, 1] + share * y
        moved[vertex, 2] = keep * here[vertex, 2] + share * z
