"""Registration of planted moves and warps, against SimpleITK and elastix on the same images in one run: error and time.

Run it by ``python -m bench.registration [image]`` with any CT (a DICOM folder, NIfTI or NRRD), which is brought to
256^3; by default a phantom. elastix is taken if ``itk-elastix`` is installed. The tutorial recipe (Mattes with 50 bins
on every voxel at full resolution, gradient descent) is stopped after ``LIMIT_S`` seconds; its error there is shown.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

LIMIT_S = 60
NOISE = 20
SHIFT_MM = np.array([10, -6, 8])


def fixed_image() -> Any:
    """The CT named on the command line, or a chest phantom, on 256^3 voxels."""
    import isocenter as iso

    if len(sys.argv) > 1:
        from pathlib import Path

        from isocenter.pipeline import look

        found = look.volume(Path(sys.argv[1]))[0]
        return iso.onto(found, found.grid.with_shape((256, 256, 256)))
    from isocenter.testing.phantom import chest_grid, chest_phantom

    return chest_phantom(chest_grid((256, 256, 256), (1.2, 1.4, 1.4))).volume


def planted(image: Any, kind: str) -> tuple[Any, np.ndarray]:
    """The image moved by a known affine onto a smaller, turned grid: cubic splines, and noise of its own."""
    from scipy.ndimage import affine_transform
    from scipy.spatial.transform import Rotation

    from isocenter.geometry import Grid

    center = np.array(image.grid.center_mm)
    linear = np.eye(3) if kind == "rigid" else np.array([[1.04, 0.03, 0], [0, 0.97, -0.02], [0.02, 0, 1.03]])
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", (4, -3, 6), degrees=True).as_matrix() @ linear
    affine[:3, 3] = center + SHIFT_MM - affine[:3, :3] @ center
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xyz", (7, -5, 9), degrees=True).as_matrix()
    turn[:3, 3] = center + SHIFT_MM - turn[:3, :3] @ center
    cut = image.grid.crop((26, 26, 26), (230, 230, 230)).with_shape((200, 200, 200))
    target = Grid(cut.shape, turn @ cut.affine)
    through = np.linalg.inv(image.grid.affine) @ np.linalg.inv(affine) @ target.affine
    array = affine_transform(image.array.astype(np.float32), through[:3, :3], through[:3, 3], target.shape, cval=-1000)
    array += np.random.default_rng(0).normal(0, NOISE, array.shape)
    return image.on(target, np.rint(array).astype(np.int16)), affine


def warped(image: Any) -> tuple[Any, Callable[[np.ndarray], np.ndarray]]:
    """The image bent smoothly by up to 20 mm, and the true map of points."""
    from scipy.ndimage import gaussian_filter, map_coordinates, spline_filter

    lattice = image.grid.with_spacing((6, 6, 6)).pad((4, 4, 4), (4, 4, 4))
    rng = np.random.default_rng(3)
    waves = np.stack([gaussian_filter(rng.normal(size=lattice.shape), 40 / 6) for _ in range(3)], -1)
    waves *= 20 / np.linalg.norm(waves, axis=-1).max()

    def move(points: np.ndarray) -> np.ndarray:
        index = lattice.to_index(points).T
        return np.stack([map_coordinates(waves[..., i], index, order=1, mode="nearest") for i in range(3)], -1)

    def truth(points: np.ndarray) -> np.ndarray:
        there = points.copy()
        for _ in range(50):
            there = points - move(there)
        return there

    smooth = spline_filter(image.array.astype(np.float32), 3)
    out = np.empty(image.shape, np.int16)
    for k in range(image.shape[0]):
        index = np.indices((1, *image.shape[1:])).reshape(3, -1).T + np.array([k, 0, 0])
        places = image.grid.to_world(index)
        at = image.grid.to_index(places + move(places)).T
        values = map_coordinates(smooth, at, order=3, mode="nearest", prefilter=False)
        out[k] = np.rint(values + rng.normal(0, NOISE, values.size)).reshape(image.shape[1:])
    return image.with_array(out), truth


def body_points(image: Any) -> np.ndarray:
    index = np.argwhere(image.array[::8, ::8, ::8] > -300) * 8
    inner = ((index > 4) & (index < np.array(image.shape) - 5)).all(axis=1)
    return image.grid.to_world(index[inner])


def by_isocenter(fixed: Any, moving: Any, kind: str, metric: str = "auto") -> Callable[[np.ndarray], np.ndarray]:
    from isocenter.ops.registration import register

    return register(fixed, moving, kind=kind, metric=metric).transform.points


def by_simpleitk(fixed: Any, moving: Any, kind: str, recipe: str) -> Callable[[np.ndarray], np.ndarray]:
    import SimpleITK as sitk  # noqa: N813

    from isocenter.bridges import to_simpleitk

    one, other = (sitk.Cast(to_simpleitk(image), sitk.sitkFloat32) for image in (fixed, moving))
    shape = sitk.Euler3DTransform() if kind == "rigid" else sitk.AffineTransform(3)
    begin = sitk.CenteredTransformInitializer(one, other, shape, sitk.CenteredTransformInitializerFilter.GEOMETRY)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(50)
    method.SetInterpolator(sitk.sitkLinear)
    if recipe == "tutorial":
        method.SetOptimizerAsGradientDescent(1.0, 200, 1e-6, 10)
    else:
        method.SetMetricSamplingStrategy(method.RANDOM)
        method.SetMetricSamplingPercentage(0.01, 1)
        method.SetOptimizerAsGradientDescent(1.0, 200, 1e-6, 10)
        method.SetShrinkFactorsPerLevel([4, 2, 1])
        method.SetSmoothingSigmasPerLevel([2, 1, 0])
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(begin, inPlace=True)
    until = time.perf_counter() + LIMIT_S
    method.AddCommand(
        sitk.sitkIterationEvent, lambda: method.StopRegistration() if time.perf_counter() > until else None
    )
    method.Execute(one, other)
    return lambda points: np.array([begin.TransformPoint(point.tolist()) for point in points])


def by_elastix(fixed: Any, moving: Any, kind: str) -> Callable[[np.ndarray], np.ndarray] | None:
    try:
        import itk
    except ModuleNotFoundError:
        return None

    def image_of(volume: Any) -> Any:
        made = itk.image_from_array(volume.array.astype(np.float32))
        made.SetSpacing(volume.grid.spacing_mm[::-1])
        made.SetOrigin(volume.grid.origin_mm)
        made.SetDirection(itk.matrix_from_array(np.ascontiguousarray(volume.grid.direction[:, ::-1])))
        return made

    settings = itk.ParameterObject.New()
    for stage in ("rigid",) if kind == "rigid" else ("affine",) if kind == "affine" else ("affine", "bspline"):
        settings.AddParameterMap(itk.ParameterObject.GetDefaultParameterMap(stage))
    one, other = image_of(fixed), image_of(moving)
    _, found = itk.elastix_registration_method(one, other, parameter_object=settings, log_to_console=False)
    return lambda points: _by_transformix(other, found, points)


def _by_transformix(moving: Any, found: Any, points: np.ndarray) -> np.ndarray:
    import tempfile
    from pathlib import Path

    import itk

    with tempfile.TemporaryDirectory() as folder:
        rows = "\n".join(" ".join(f"{part:.6f}" for part in point) for point in points)
        (Path(folder) / "points.txt").write_text(f"point\n{len(points)}\n{rows}\n")
        itk.transformix_filter(
            moving,
            found,
            fixed_point_set_file_name=f"{folder}/points.txt",
            output_directory=folder,
            log_to_console=False,
        )
        lines = (Path(folder) / "outputpoints.txt").read_text().splitlines()
    return np.array([[float(x) for x in line.split("OutputPoint = [")[1].split("]")[0].split()] for line in lines])


def show(case: str, name: str, run: Callable[[], Any], points: np.ndarray, truth: np.ndarray) -> None:
    start = time.perf_counter()
    found = run()
    took = time.perf_counter() - start
    if found is None:
        print(f"{case:14} {name:34} not installed")
        return
    missed = np.linalg.norm(found(points) - truth, axis=1)
    print(
        f"{case:14} {name:34} {took:7.1f} s  {missed.mean():8.3f} mm  {np.percentile(missed, 95):8.3f} mm", flush=True
    )


def linear_case(fixed: Any, points: np.ndarray, kind: str) -> None:
    moving, affine = planted(fixed, kind)
    truth = points @ affine[:3, :3].T + affine[:3, 3]
    print(f"{kind:14} {'(before)':34} {'':9}  {np.linalg.norm(truth - points, axis=1).mean():8.3f} mm")
    runs: dict[str, Callable[[], Any]] = {
        "isocenter, mattes": lambda: by_isocenter(fixed, moving, kind),
        "isocenter, ncc": lambda: by_isocenter(fixed, moving, kind, "ncc"),
        "elastix": lambda: by_elastix(fixed, moving, kind),
        "SimpleITK, 3 levels, 1 % samples": lambda: by_simpleitk(fixed, moving, kind, "levels"),
        f"SimpleITK, tutorial, {LIMIT_S} s": lambda: by_simpleitk(fixed, moving, kind, "tutorial"),
    }
    for name, run in runs.items():
        show(kind, name, run, points, truth)


def warp_case(fixed: Any, points: np.ndarray) -> None:
    moving, move = warped(fixed)
    truth = move(points)
    print(f"{'warp':14} {'(before)':34} {'':9}  {np.linalg.norm(truth - points, axis=1).mean():8.3f} mm")
    for kind in ("diffeomorphic", "bspline"):
        show("warp", f"isocenter, {kind}", lambda kind=kind: by_isocenter(fixed, moving, kind), points, truth)
    show("warp", "elastix, affine and B-spline", lambda: by_elastix(fixed, moving, "bspline"), points, truth)


def main() -> None:
    import numba
    import SimpleITK as sitk  # noqa: N813

    fixed = fixed_image()
    points = body_points(fixed)
    print(f"numpy {np.__version__}, numba {numba.__version__}, SimpleITK {sitk.Version.VersionString()}, {fixed.grid}")
    print(f"{'case':14} {'by':34} {'time':>9}  {'mean':>11}  {'95 %':>11}")
    for kind in ("bspline", "diffeomorphic"):  # compiled beforehand
        by_isocenter(*[fixed.on(fixed.grid.crop((0, 0, 0), (48,) * 3), fixed.array[:48, :48, :48])] * 2, kind)
    for kind in ("rigid", "affine"):
        linear_case(fixed, points, kind)
    warp_case(fixed, points)


if __name__ == "__main__":
    main()
