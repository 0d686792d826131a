"""Resampling a CT of 300 slices of 512 x 512 to 1 mm, against SimpleITK and SciPy on the same input in one run.

Run it by ``python bench/resampling.py``. The best of a few rounds counts; compiling is stated apart.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

ROUNDS = 3


def best_of(run: Callable[[], Any], rounds: int = ROUNDS) -> tuple[float, Any]:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - start)
    return min(times), result


def chest_like() -> Any:
    """Smooth structures and noise in HU on 0.703125 x 0.703125 x 1.27 mm voxels."""
    from isocenter import codes
    from isocenter.geometry import Grid
    from isocenter.volume import Volume

    grid = Grid.from_vectors((300, 512, 512), spacing_mm=(1.27, 0.703125, 0.703125), origin_mm=(-179, -179, 0))
    k, r, c = np.ogrid[:300, :512, :512]
    array = (600 * np.sin(k / 19) * np.sin(r / 31 + c / 47)).astype(np.int16)
    array += np.random.default_rng(0).integers(-50, 50, array.shape, np.int16)
    return Volume(array, grid, codes.HU, modality="CT")


def targets(grid: Any) -> dict[str, Any]:
    """The grids to resample onto."""
    turn = np.array([[np.cos(0.2), -np.sin(0.2), 0], [np.sin(0.2), np.cos(0.2), 0], [0, 0, 1]])
    oblique = grid.with_spacing((1, 1, 1))
    affine = oblique.affine.copy()
    affine[:3, :3] = turn @ affine[:3, :3]
    affine[:3, 3] = np.asarray(oblique.center_mm) - affine[:3, :3] @ ((np.asarray(oblique.shape) - 1) / 2)
    made = {
        "1 mm in plane": grid.with_spacing((1.27, 1, 1)),
        "1 mm": grid.with_spacing((1, 1, 1)),
        "1 mm, sagittal stack": grid.with_spacing((1, 1, 1)).reorient("LPS"),
    }
    return {**made, "1 mm, turned by 11 degrees": type(grid)(oblique.shape, affine)}


def by_simpleitk(volume: Any, grid: Any, kind: str) -> Callable[[], Any]:
    import SimpleITK as sitk  # noqa: N813

    from isocenter.bridges import to_simpleitk

    image = to_simpleitk(volume)
    frame = sitk.ResampleImageFilter()
    frame.SetSize(grid.shape[::-1])
    frame.SetOutputSpacing(grid.spacing_mm[::-1])
    frame.SetOutputOrigin(grid.origin_mm)
    frame.SetOutputDirection(grid.direction[:, ::-1].ravel().tolist())
    frame.SetInterpolator(sitk.sitkLinear if kind == "linear" else sitk.sitkNearestNeighbor)
    frame.SetDefaultPixelValue(-1024 if kind == "linear" else 0)
    return lambda: sitk.GetArrayFromImage(frame.Execute(image))


def by_scipy(volume: Any, grid: Any, kind: str) -> Callable[[], Any]:
    from scipy import ndimage

    matrix = grid.index_transform(volume.grid)
    linear = matrix[:3, :3]
    plain = np.allclose(linear, np.diag(np.diag(linear)), atol=1e-9)
    options = {"order": 1 if kind == "linear" else 0, "mode": "constant", "cval": -1024 if kind == "linear" else 0}
    return lambda: ndimage.affine_transform(
        volume.array, np.diag(linear) if plain else linear, matrix[:3, 3], grid.shape, **options
    )


def by_isocenter(volume: Any, grid: Any, kind: str) -> Callable[[], Any]:
    from isocenter.findings import Algorithm, Segmentation
    from isocenter.ops.resample import onto

    if kind == "linear":
        return lambda: onto(volume, grid).array
    labels = Segmentation((volume.array,), volume.grid, (), Algorithm("bench", ""))
    return lambda: onto(labels, grid).array


def main() -> None:
    import numba
    import scipy
    import SimpleITK as sitk  # noqa: N813

    print(f"numpy {np.__version__}, numba {numba.__version__}, SimpleITK {sitk.Version.VersionString()}, ", end="")
    print(f"scipy {scipy.__version__}, {len(os.sched_getaffinity(0))} cores, int16 512x512x300, best of {ROUNDS}")
    print(
        f"{'kind':8} {'target':27} {'isocenter':>10} {'(first)':>8} {'SimpleITK':>10} {'scipy':>8} {'ratios':>12} apart"
    )
    volume = chest_like()
    for kind in ("linear", "nearest"):
        for name, grid in targets(volume.grid).items():
            run = by_isocenter(volume, grid, kind)
            first, _ = best_of(run, 1)
            ours, mine = best_of(run)
            itk, theirs = best_of(by_simpleitk(volume, grid, kind))
            slow, _ = best_of(by_scipy(volume, grid, kind), 1)
            apart = np.abs(mine.astype(np.int32) - theirs)
            differing = f"{apart.max()} ({np.mean(apart > (kind == 'linear')):.1e} of voxels by more)"
            ratios = f"{itk / ours:.1f} / {slow / ours:.1f}"
            print(f"{kind:8} {name:27} {ours:10.3f} {first:8.3f} {itk:10.3f} {slow:8.2f} {ratios:>12}  {differing}")


if __name__ == "__main__":
    main()
