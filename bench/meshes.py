"""Surfaces of both lungs of a chest CT of 512 x 512, against scikit-image, VTK and fast-simplification in one run.

Run it by ``python -m bench.meshes [FOLDER]``: of a CT in a folder, or of a phantom of 300 slices. Peers that are not
installed are left out. The best of a few rounds counts; compiling is done before. Every peer gets the mask cropped to
the lungs with a rim of one voxel, and makes vertices, triangles and, where it can, nothing else.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from bench.timing import best_of

ROUNDS = 5
SHARE = 0.1


def lungs(folder: str | None) -> Any:
    """The segmentation of a CT's lungs, or of the phantom's."""
    import isocenter as iso

    if folder:
        return iso.segment(iso.read(iso.scan(folder)[0]), "lungs")
    from isocenter.testing.phantom import chest_grid, chest_phantom

    return chest_phantom(chest_grid((300, 512, 512), (1.0, 0.7, 0.7))).truth


def sides(faces: Any) -> str:
    """How many sides of triangles are not met by just one triangle from either side."""
    ahead = np.concatenate([faces[:, pair] for pair in ([0, 1], [1, 2], [2, 0])]).astype(np.int64)
    keys, counts = np.unique(ahead[:, 0] << 32 | ahead[:, 1], return_counts=True)
    back = np.isin((keys & 0xFFFFFFFF) << 32 | keys >> 32, keys)
    return f"{np.count_nonzero((counts > 1) | ~back)} bad sides"


def extraction(box: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    from skimage import measure

    from isocenter.ops.surfaces.cubes import extracted

    yield "isocenter", lambda: extracted(box)
    yield "scikit-image", lambda: measure.marching_cubes(box, 0.5)[:2]
    with suppress(ImportError):
        import vtk
        from vtk.util import numpy_support

        image = vtk.vtkImageData()
        image.SetDimensions(box.shape[::-1])
        image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(box.ravel(), deep=True))

        def flying_edges() -> Any:
            made = vtk.vtkFlyingEdges3D()
            made.SetInputData(image)
            made.SetValue(0, 0.5)
            made.ComputeNormalsOff()
            made.ComputeGradientsOff()
            made.ComputeScalarsOff()
            made.Update()
            data = made.GetOutput()
            points = numpy_support.vtk_to_numpy(data.GetPoints().GetData())
            return points, numpy_support.vtk_to_numpy(data.GetPolys().GetConnectivityArray()).reshape(-1, 3)

        yield "VTK FlyingEdges", flying_edges


def decimation(mesh: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    from isocenter.ops.surfaces import decimated

    def ours() -> Any:
        made = decimated(mesh, SHARE)
        return made.vertices, made.faces

    yield "isocenter", ours
    with suppress(ImportError):
        import fast_simplification

        points, faces = mesh.vertices.copy(), mesh.faces.copy()
        yield "fast-simplification", lambda: fast_simplification.simplify(points, faces, 1 - SHARE)


def table(title: str, runs: Iterator[tuple[str, Callable[[], Any]]]) -> None:
    print(f"\n{title}")
    own = 0.0
    for name, run in runs:
        first, _ = best_of(run, 1)
        took, (vertices, faces) = best_of(run, ROUNDS)
        own = own or took
        print(f"  {name:22} {took:7.3f} s ({first:6.3f} first) {took / own:5.1f} x", end="  ")
        print(f"{len(vertices):8d} vertices {len(faces):8d} triangles, {sides(np.asarray(faces))}")


def main() -> None:
    from isocenter.ops.boxes import box_of
    from isocenter.ops.surfaces import mesh, smoothed
    from isocenter.report.pictures import planes, solid

    for name in ("numpy", "numba", "scikit-image", "vtk", "fast-simplification"):
        with suppress(importlib.metadata.PackageNotFoundError):
            print(f"{name} {importlib.metadata.version(name)}", end=", ")
    print(f"{len(os.sched_getaffinity(0))} cores, best of {ROUNDS}")
    found = lungs(sys.argv[1] if len(sys.argv) > 1 else None).only("lung_right", "lung_left")
    mask = found.mask()
    box = np.pad(mask[box_of(mask)], 1).astype(np.uint8)
    print(f"mask {mask.shape}, cropped {box.shape}")
    table("surface of the cropped mask", extraction(box))
    whole, rough = best_of(lambda: mesh(found), ROUNDS)
    print(f"  whole operation, from the label map to millimetres: {whole:.3f} s; {mask.nbytes / whole / 1e9:.2f} GB/s")
    table(f"decimation to {SHARE:.0%}", decimation(rough))
    smooth, soft = best_of(lambda: smoothed(rough), ROUNDS)
    print(f"\nsmoothing, 20 rounds: {smooth:.3f} s; {soft.reasons[-1].message}")
    drawn, _ = best_of(lambda: solid([soft], views=["anterior"]), ROUNDS)
    print(f"one view of {len(soft.faces)} triangles, 640 pixels, oversampled twice: {drawn:.3f} s")
    three, _ = best_of(lambda: planes(found).png, ROUNDS)
    print(f"three planes of the segmentation as PNG: {three:.3f} s")


if __name__ == "__main__":
    main()
