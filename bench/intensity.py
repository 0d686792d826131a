"""Mapping the values of a CT of 300 slices of 512 x 512, against NumPy, SimpleITK, OpenCV and scikit-image.

Run it by ``python -m bench.intensity``. All work on the same input in one run; the best of a few rounds counts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import numpy as np
from bench.resampling import ROUNDS, chest_like
from bench.timing import best_of

Run = Callable[[], Any]
_PACKAGES = ("numpy", "SimpleITK", "opencv-python-headless", "scikit-image")


def jobs(ct: Any) -> Iterator[tuple[str, dict[str, Run]]]:
    """Name of each job, and who does it how."""
    import cv2
    import SimpleITK as sitk  # noqa: N813
    from skimage import exposure

    from isocenter.ops import intensity

    array = ct.array
    image = sitk.GetImageFromArray(array)
    yield (
        "window to 0 .. 1, float32",
        {
            "isocenter": lambda: intensity.windowed(ct, "lung"),
            "numpy": lambda: np.clip((array - np.float32(-1350)) / np.float32(1500), 0, 1),
            "SimpleITK": lambda: sitk.IntensityWindowing(sitk.Cast(image, sitk.sitkFloat32), -1350, 150, 0, 1),
        },
    )
    yield (
        "window to bytes",
        {
            "isocenter": lambda: intensity.to_grey(array, intensity.preset("lung")),
            "SimpleITK": lambda: sitk.Cast(sitk.IntensityWindowing(image, -1350, 150, 0, 255), sitk.sitkUInt8),
        },
    )
    yield (
        "z-score",
        {
            "isocenter": lambda: intensity.zscored(ct),
            "numpy": lambda: (array - array.mean(dtype=np.float32)) / array.std(dtype=np.float32),
            "SimpleITK": lambda: sitk.Normalize(sitk.Cast(image, sitk.sitkFloat32)),
        },
    )
    yield (
        "two percentiles",
        {
            "isocenter": lambda: intensity.percentiles(ct, (1, 99)),
            "numpy": lambda: np.percentile(array, (1, 99)),
        },
    )
    bytes_of = intensity.to_grey(array, intensity.preset("lung"))
    grey = ct.with_array(bytes_of)
    by_opencv = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(9, 9))
    yield (
        "CLAHE, slice by slice",
        {
            "isocenter": lambda: intensity.equalised(grey, 0, 255),
            "OpenCV (bytes)": lambda: [by_opencv.apply(plane) for plane in bytes_of],
            "scikit-image (10 slices times 30)": lambda: [exposure.equalize_adapthist(s) for s in bytes_of[:10]],
        },
    )


def main() -> None:
    print(", ".join(f"{name} {version(name)}" for name in _PACKAGES), f"- {len(os.sched_getaffinity(0))} cores")
    ct = chest_like()
    print(f"{'job':28} {'who':34} {'seconds':>8} {'times as long':>14}")
    for job, runs in jobs(ct):
        ours = None
        for who, run in runs.items():
            run()
            seconds = best_of(run, ROUNDS)[0] * (30 if "times 30" in who else 1)
            ours = seconds if ours is None else ours
            print(f"{job:28} {who:34} {seconds:8.3f} {seconds / ours:14.1f}", flush=True)


if __name__ == "__main__":
    main()
