"""Filtering a CT of 300 slices of 512 x 512, against SciPy, SimpleITK, scikit-image and OpenCV on the same input.

Run it by ``python -m bench.filters``, or with names of filters behind it. The best of a few rounds counts; compiling is
stated apart. Slow filters and slow peers take the first slices alone (``of``) and are scaled up to 300.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from bench.resampling import chest_like
from bench.timing import best_and_peak, best_of

Runs = dict[str, Callable[[Any], Any]]


@dataclass(frozen=True)
class Race:
    """Ours takes a volume, peers an array; both of so many slices."""

    ours: Callable[[Any], Any]
    peers: Runs
    slices: int = 300
    theirs: int = 300


def by_itk(name: str, **settings: Any) -> Callable[[Any], Any]:
    import SimpleITK as sitk  # noqa: N813

    def run(array: Any) -> Any:
        frame = getattr(sitk, name + "ImageFilter")()
        for key, value in settings.items():
            getattr(frame, "Set" + key)(value)
        return frame.Execute(sitk.GetImageFromArray(array))

    return run


def races() -> dict[str, Race]:
    import cv2
    from scipy import ndimage
    from skimage import filters as skf
    from skimage import restoration

    from isocenter.ops import filters

    f32 = np.float32
    itk_mean = {"SimpleITK recursive": by_itk("SmoothingRecursiveGaussian", Sigma=1.0)}
    return {
        "gaussian": Race(
            lambda v: filters.gaussian(v, 1.0),
            {"scipy": lambda a: ndimage.gaussian_filter(a, 1.0, output=f32), **itk_mean},
        ),
        "gaussian 5 voxels": Race(
            lambda v: filters.gaussian(v, 5.0),
            {
                "scipy": lambda a: ndimage.gaussian_filter(a, 5.0, output=f32),
                "SimpleITK recursive": by_itk("SmoothingRecursiveGaussian", Sigma=5.0),
            },
        ),
        "gaussian in plane": Race(
            lambda v: filters.gaussian(v, (0, 1.0, 1.0)),
            {"OpenCV float32": lambda a: [cv2.GaussianBlur(s.astype(f32), (9, 9), 1.0) for s in a]},
        ),
        "median 3x3x3": Race(
            lambda v: filters.median(v, 1.0),
            {"scipy": lambda a: ndimage.median_filter(a, 3), "SimpleITK": by_itk("Median", Radius=[1] * 3)},
            theirs=16,
        ),
        "median 5x5x5": Race(
            lambda v: filters.median(v, 2.0), {"SimpleITK": by_itk("Median", Radius=[2] * 3)}, theirs=8
        ),
        "median in plane 3x3": Race(
            lambda v: filters.median(v, (0, 1, 1)), {"OpenCV": lambda a: [cv2.medianBlur(s, 3) for s in a]}
        ),
        "median in plane 5x5": Race(
            lambda v: filters.median(v, (0, 2, 2)), {"OpenCV": lambda a: [cv2.medianBlur(s, 5) for s in a]}
        ),
        "gradient magnitude": Race(filters.gradient_magnitude, {"SimpleITK": by_itk("GradientMagnitude")}),
        "sobel": Race(filters.sobel, {"skimage": lambda a: skf.sobel(a.astype(f32))}, theirs=60),
        "LoG": Race(
            lambda v: filters.laplacian_of_gaussian(v, 1.5),
            {"scipy": lambda a: ndimage.gaussian_laplace(a, 1.5, output=f32)},
            theirs=60,
        ),
        "canny": Race(
            lambda v: filters.canny(v, 40, 80, sigma_mm=1.5),
            {"SimpleITK": lambda a: by_itk("CannyEdgeDetection", Variance=[2.25] * 3)(a.astype(f32))},
            theirs=60,
        ),
        "frangi, one scale": Race(
            lambda v: filters.frangi(v, [1.5]),
            {"skimage": lambda a: skf.frangi(a.astype(f32), [1.5], black_ridges=False)},
            theirs=30,
        ),
        "bilateral": Race(
            lambda v: filters.bilateral(v, 1.0, 100.0),
            {"SimpleITK": lambda a: by_itk("Bilateral", DomainSigma=1.0, RangeSigma=100.0)(a.astype(f32))},
            slices=60,
            theirs=8,
        ),
        "non-local means": Race(
            lambda v: filters.non_local_means(v, 30.0, search_mm=3.0),
            {"skimage": lambda a: restoration.denoise_nl_means(a.astype(f32), 3, 3, 24, sigma=30, preserve_range=True)},
            slices=24,
            theirs=8,
        ),
        "anisotropic diffusion, 5 steps": Race(
            lambda v: filters.anisotropic_diffusion(v, 1.22, 50.0),
            {
                "SimpleITK": lambda a: by_itk("GradientAnisotropicDiffusion", TimeStep=0.0625, NumberOfIterations=5)(
                    a.astype(f32)
                )
            },
            theirs=60,
        ),
        "total variation": Race(
            lambda v: filters.total_variation(v, 30.0, tolerance=1e-9, iterations=20),
            {"skimage": lambda a: restoration.denoise_tv_chambolle(a.astype(f32), 30.0, eps=1e-9, max_num_iter=20)},
            slices=100,
            theirs=20,
        ),
    }


def part_of(volume: Any, slices: int) -> Any:
    return volume.with_array(volume.array[:slices], grid=volume.grid.window((0, 0, 0), (slices, 512, 512)))


def main() -> None:
    import cv2
    import numba
    import scipy
    import SimpleITK as sitk  # noqa: N813
    import skimage

    from isocenter.geometry import Grid

    print(f"numpy {np.__version__}, numba {numba.__version__}, SimpleITK {sitk.Version.VersionString()}, ", end="")
    print(f"scipy {scipy.__version__}, scikit-image {skimage.__version__}, OpenCV {cv2.__version__}, ", end="")
    print(f"{len(os.sched_getaffinity(0))} cores, int16 512x512x300 on voxels of 1 mm; seconds")
    print(f"{'filter':31} {'isocenter':>9} {'(first)':>8} {'MB more':>8}  peers (times as long)")
    whole = chest_like()
    whole = whole.with_array(whole.array, grid=Grid.from_vectors(whole.shape))
    for name, race in races().items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        volume, few = part_of(whole, race.slices), part_of(whole, race.theirs).array
        first, _ = best_of(lambda race=race, volume=volume: race.ours(volume), 1)
        ours, peak, _ = best_and_peak(lambda race=race, volume=volume: race.ours(volume), 3 if first < 10 else 1)
        ours *= 300 / race.slices
        told = []
        for peer, run in race.peers.items():
            seconds, _ = best_of(lambda run=run, few=few: run(few), 2)
            seconds *= 300 / race.theirs
            told.append(f"{peer} {seconds:.2f} ({seconds / ours:.1f})")
        print(f"{name:31} {ours:9.3f} {first:8.2f} {peak / 1e6:8.0f}  {', '.join(told)}", flush=True)


if __name__ == "__main__":
    main()
