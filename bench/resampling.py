"""Resampling a CT of 300 slices of 512 x 512 to 1 mm, beside every peer at hand, on the same input in one run.

Run it by ``python -m bench resampling``, or ``python -m bench.resampling --slices 60`` for a short look. The best of a
few rounds counts; compiling is stated apart. Peers that are not installed are left out; those marked * choose another
output grid than asked for (corners on corners, or other rounding), so their values are not compared.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from bench.timing import best_and_peak, versions_of

ROUNDS = 3
PEERS = ("numpy", "numba", "SimpleITK", "scipy", "torch", "monai", "torchio", "scikit-image", "opencv-python-headless",
         "nnunetv2")  # fmt: skip

Run = Callable[[], Any]


def chest_like(slices: int = 300) -> Any:
    """Smooth structures and noise in HU on 0.703125 x 0.703125 x 1.27 mm voxels."""
    from isocenter import codes
    from isocenter.geometry import Grid
    from isocenter.volume import Volume

    spacing, origin = (1.27, 0.703125, 0.703125), (-179, -179, 0)
    grid = Grid.from_vectors((slices, 512, 512), spacing_mm=spacing, origin_mm=origin)
    k, r, c = np.ogrid[:slices, :512, :512]
    array = (600 * np.sin(k / 19) * np.sin(r / 31 + c / 47)).astype(np.int16)
    array += np.random.default_rng(0).integers(-50, 50, array.shape, np.int16)
    return Volume(array, grid, codes.HU, modality="CT")


def bands(volume: Any) -> Any:
    """A label map of six structures with smooth borders, on the same grid."""
    k, r, c = np.ogrid[: volume.shape[0], :512, :512]
    return volume.with_array((3 + 2.9 * np.sin(k / 19) * np.sin(r / 31 + c / 47)).astype(np.uint8))


def targets(grid: Any) -> dict[str, Any]:
    """The grids to resample onto."""
    turn = np.array([[np.cos(0.2), -np.sin(0.2), 0], [np.sin(0.2), np.cos(0.2), 0], [0, 0, 1]])
    oblique = grid.with_spacing((1, 1, 1))
    affine = oblique.affine.copy()
    affine[:3, :3] = turn @ affine[:3, :3]
    affine[:3, 3] = np.asarray(oblique.center_mm) - affine[:3, :3] @ ((np.asarray(oblique.shape) - 1) / 2)
    made = {
        "1 mm": grid.with_spacing((1, 1, 1)),
        "1 mm in plane": grid.with_spacing((1.27, 1, 1)),
        "1 mm, sagittal stack": grid.with_spacing((1, 1, 1)).reorient("LPS"),
    }
    return {**made, "1 mm, turned by 11 degrees": type(grid)(oblique.shape, affine)}


# --- the runs: (volume, grid, kind) to a function, or None where a peer cannot ---------------------------------------


def by_isocenter(volume: Any, grid: Any, kind: str) -> Run:
    from isocenter.findings import Algorithm, Segmentation
    from isocenter.ops.resample import onto

    if kind in ("labels", "smooth labels"):
        labels = Segmentation((volume.array,), volume.grid, (), Algorithm("bench", ""))
        return lambda: onto(labels, grid, labels="smooth" if kind == "smooth labels" else "nearest").array
    words = kind.split()
    smoothing = "matched" if len(words) > 1 else "none"
    return lambda: onto(volume, grid, interpolation=words[0], smoothing=smoothing).array


def by_simpleitk(volume: Any, grid: Any, kind: str) -> Run | None:
    import SimpleITK as sitk  # noqa: N813

    from isocenter.bridges import to_simpleitk

    kinds = {
        "linear": sitk.sitkLinear,
        "cubic": sitk.sitkBSpline,
        "labels": sitk.sitkNearestNeighbor,
        "smooth labels": getattr(sitk, "sitkLabelLinear", None),
    }  # fmt: skip; its Lanczos takes a thousand voxels for each, which is many minutes
    if kinds.get(kind) is None:
        return None
    image = to_simpleitk(volume)
    frame = sitk.ResampleImageFilter()
    frame.SetSize(grid.shape[::-1])
    frame.SetOutputSpacing(grid.spacing_mm[::-1])
    frame.SetOutputOrigin(grid.origin_mm)
    frame.SetOutputDirection(grid.direction[:, ::-1].ravel().tolist())
    frame.SetInterpolator(kinds[kind])
    frame.SetDefaultPixelValue(0 if "labels" in kind else -1024)
    return lambda: sitk.GetArrayFromImage(frame.Execute(image))


def by_scipy(volume: Any, grid: Any, kind: str) -> Run | None:
    from scipy import ndimage

    orders = {"linear": 1, "cubic": 3, "labels": 0}
    if kind not in orders:
        return None
    matrix = grid.index_transform(volume.grid)
    linear = matrix[:3, :3]
    is_plain = np.allclose(linear, np.diag(np.diag(linear)), atol=1e-9)
    options = {"order": orders[kind], "mode": "constant", "cval": 0 if kind == "labels" else -1024}
    return lambda: ndimage.affine_transform(
        volume.array, np.diag(linear) if is_plain else linear, matrix[:3, 3], grid.shape, **options
    )


def by_monai(volume: Any, grid: Any, kind: str) -> Run | None:
    import torch
    from monai.transforms import SpatialResample

    modes = {"linear": "bilinear", "labels": "nearest", "cubic": 3}
    if kind not in modes:
        return None
    image = torch.from_numpy(volume.array.astype(np.float32))[None]
    matrix = grid.index_transform(volume.grid)
    resample = SpatialResample(mode=modes[kind], padding_mode="nearest" if kind == "cubic" else "border")

    def run() -> Any:
        from monai.data import MetaTensor

        there = MetaTensor(image, affine=torch.eye(4, dtype=torch.float64))
        return resample(there, dst_affine=torch.from_numpy(matrix), spatial_size=grid.shape).numpy()[0]

    return run


def by_torchio(volume: Any, grid: Any, kind: str) -> Run | None:
    import torchio

    from isocenter.bridges import to_torchio

    names = {"linear": "linear", "cubic": "bspline", "labels": "nearest"}
    if kind not in names or not _is_upright(volume, grid):
        return None
    image = to_torchio(volume)
    resample = torchio.Resample(grid.spacing_mm[::-1], image_interpolation=names[kind])
    return lambda: resample(image).numpy()


def by_skimage(volume: Any, grid: Any, kind: str) -> Run | None:
    from skimage.transform import resize

    orders = {"linear": 1, "cubic": 3, "labels": 0, "linear smoothed": 1, "cubic smoothed": 3}
    if kind not in orders or not _is_upright(volume, grid):
        return None
    smoothed = kind.endswith("smoothed")
    return lambda: resize(
        volume.array, grid.shape, order=orders[kind], preserve_range=True, anti_aliasing=smoothed, mode="edge"
    )


def by_opencv(volume: Any, grid: Any, kind: str) -> Run | None:
    import cv2

    ways = {
        "linear": cv2.INTER_LINEAR, "labels": cv2.INTER_NEAREST, "lanczos": cv2.INTER_LANCZOS4,
        "linear smoothed": cv2.INTER_AREA,
    }  # fmt: skip
    if kind not in ways or grid.shape[0] != volume.shape[0] or not _is_upright(volume, grid):
        return None
    size = grid.shape[:0:-1]
    return lambda: np.stack([cv2.resize(one, size, interpolation=ways[kind]) for one in volume.array])


def by_torch(volume: Any, grid: Any, kind: str) -> Run | None:
    import torch

    if kind != "linear" or not _is_upright(volume, grid):
        return None
    image = torch.from_numpy(volume.array.astype(np.float32))[None, None]
    return lambda: torch.nn.functional.interpolate(image, grid.shape, mode="trilinear").numpy()[0, 0]


def by_nnunet(volume: Any, grid: Any, kind: str) -> Run | None:
    from nnunetv2.preprocessing.resampling.default_resampling import resample_data_or_seg_to_shape

    orders = {"linear": 1, "cubic": 3, "labels": 1}
    if kind not in orders or not _is_upright(volume, grid):
        return None
    array = volume.array[None].astype(np.int16)
    spacings = volume.spacing_mm, grid.spacing_mm
    return lambda: resample_data_or_seg_to_shape(
        array.astype(np.float32) if kind != "labels" else array, grid.shape, *spacings, is_seg=kind == "labels",
        order=orders[kind], order_z=0, force_separate_z=False,
    )[0]  # fmt: skip


def _is_upright(volume: Any, grid: Any) -> bool:
    return bool(np.allclose(volume.grid.direction, grid.direction))


RUNS = {
    "SimpleITK": by_simpleitk, "SciPy": by_scipy, "MONAI": by_monai, "TorchIO *": by_torchio, "torch *": by_torch,
    "scikit-image *": by_skimage, "OpenCV *": by_opencv, "nnU-Net *": by_nnunet,
}  # fmt: skip


# --- the table -------------------------------------------------------------------------------------------------------


def jobs(names: list[str]) -> Iterator[tuple[str, str]]:
    """Kinds and targets, the slow ones on two targets alone."""
    for kind in ("linear", "labels"):
        yield from ((kind, name) for name in names)
    for kind in ("cubic", "lanczos", "linear smoothed", "cubic smoothed", "smooth labels"):
        yield from ((kind, name) for name in (names[0], names[-1]))


def peers_on(volume: Any, grid: Any, kind: str, ours: tuple[float, Any]) -> Iterator[str]:
    """What each peer took, as a multiple of our time, and how far it is from ours where the grids are one."""
    seconds, mine = ours
    for name, way in RUNS.items():
        try:
            run = way(volume, grid, kind)
            if run is None:
                continue
            theirs, peak, result = best_and_peak(run, ROUNDS)
        except ImportError:
            continue
        share = peak / (volume.array.nbytes + mine.nbytes)
        said = f"    {name:15} {theirs:8.3f} s {theirs / seconds:7.1f} x {share:6.2f}"
        if not name.endswith("*") and result.shape == mine.shape:
            apart = np.abs(mine.astype(np.float32) - result)[4:-4, 4:-4, 4:-4]
            said += f"   apart {apart.max():.3g}, {np.mean(apart > 1):.1e} of voxels by more than 1"
        yield said


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--slices", type=int, default=300)
    volume = chest_like(options.parse_args().slices)
    print(f"{versions_of(PEERS)}; {len(os.sched_getaffinity(0))} cores, int16 {volume.shape}, best of {ROUNDS}")
    print("seconds; times of ours; peak memory above what was held, as a share of input + output\n")
    grids = targets(volume.grid)
    image, labels = volume, bands(volume)
    for kind, name in jobs(list(grids)):
        volume = labels if "labels" in kind else image
        run = by_isocenter(volume, grids[name], kind)
        first, _, _ = best_and_peak(run, 1)
        seconds, peak, mine = best_and_peak(run, ROUNDS)
        share = peak / (volume.array.nbytes + mine.nbytes)
        print(f"{kind}, {name}: {seconds:.3f} s (first {first:.2f}), memory {share:.2f}", flush=True)
        for line in peers_on(volume, grids[name], kind, (seconds, mine)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
