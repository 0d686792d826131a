"""Masks on a CT of 300 slices of 512 x 512: components, distances, balls, thresholds, growing, watersheds.

Run it by ``python -m bench.masks [WORD ...]``, each word the beginning of a job. All work on the same input in one
run; ``limit`` is the fastest library underneath on a bare array, without any of what makes a Segmentation.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import numpy as np
from bench.timing import best_of

ROUNDS = 3
SPACING = (1.27, 0.703125, 0.703125)
Run = Callable[[], Any]


def chest_like() -> Any:
    """A body with two hollows, round spots and noise in HU: int16 on 1.27 x 0.703125 x 0.703125 mm voxels."""
    from scipy.ndimage import gaussian_filter

    from isocenter import codes
    from isocenter.geometry import Grid
    from isocenter.volume import Volume

    grid = Grid.from_vectors((300, 512, 512), spacing_mm=SPACING)
    k, r, c = (np.linspace(-1, 1, n, dtype=np.float32) for n in grid.shape)
    k, r, c = k[:, None, None], r[None, :, None], c[None, None, :]
    array = np.where((r / 0.7) ** 2 + (c / 0.9) ** 2 + 0 * k < 1, np.float32(40), np.float32(-1000))
    for side in (-0.42, 0.42):
        array[(k / 0.8) ** 2 + (r / 0.5) ** 2 + ((c - side) / 0.3) ** 2 < 1] = -850
    random = np.random.default_rng(0)
    rough = gaussian_filter(random.standard_normal((75, 128, 128), np.float32), 2)
    array += np.kron(rough / rough.std() * 120, np.ones((4, 4, 4), np.float32))
    return Volume((array + random.normal(0, 20, (1, 512, 512))).astype(np.int16), grid, codes.HU, modality="CT")


def jobs(ct: Any) -> Iterator[tuple[str, dict[str, Run]]]:
    """Name of each job, and who does it how."""
    import cc3d
    import edt
    import SimpleITK as sitk  # noqa: N813
    from scipy import ndimage
    from skimage import filters, measure, morphology, segmentation

    from isocenter.ops import masks

    tissue = masks.of(ct.array > -300, ct, name="tissue")
    mask = tissue.mask("tissue")
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(SPACING[::-1])
    values = sitk.GetImageFromArray(ct.array)
    full = ndimage.generate_binary_structure(3, 3)
    yield (
        "components, 6 neighbours",
        {
            "isocenter": lambda: masks.largest(tissue, connectivity=6),
            "cc3d (limit)": lambda: cc3d.connected_components(mask, connectivity=6),
            "SimpleITK": lambda: sitk.ConnectedComponent(image, False),  # noqa: FBT003 - SimpleITK's own
            "scipy": lambda: ndimage.label(mask),
            "scikit-image": lambda: measure.label(mask, connectivity=1),
        },
    )
    yield (
        "components, 26 neighbours",
        {
            "isocenter": lambda: masks.largest(tissue, connectivity=26),
            "cc3d (limit)": lambda: cc3d.connected_components(mask, connectivity=26),
            "SimpleITK": lambda: sitk.ConnectedComponent(image, True),  # noqa: FBT003
            "scipy": lambda: ndimage.label(mask, full),
            "scikit-image": lambda: measure.label(mask, connectivity=3),
        },
    )
    yield (
        "distance",
        {
            "isocenter": lambda: masks.distance(tissue),
            "edt (limit)": lambda: edt.edt(~mask, anisotropy=SPACING, parallel=2),
            "SimpleITK": lambda: sitk.SignedMaurerDistanceMap(image, False, False, True),  # noqa: FBT003
            "scipy": lambda: ndimage.distance_transform_edt(~mask, SPACING),
        },
    )
    yield (
        "dilated by 3 mm",
        {
            "isocenter": lambda: masks.dilated(tissue, 3),
            "edt (limit)": lambda: edt.edt(~mask, anisotropy=SPACING, parallel=2) <= 3,
            "SimpleITK (voxels)": lambda: sitk.BinaryDilate(image, (4, 4, 2)),
        },
    )
    yield (
        "closed by 3 mm",
        {
            "isocenter": lambda: masks.closed(tissue, 3),
            "SimpleITK (voxels)": lambda: sitk.BinaryMorphologicalClosing(image, (4, 4, 2)),
            "scikit-image (voxels)": lambda: morphology.closing(mask, morphology.ball(2)),
        },
    )
    yield (
        "filled",
        {
            "isocenter": lambda: masks.filled(tissue),
            "SimpleITK": lambda: sitk.BinaryFillhole(image),
            "scipy": lambda: ndimage.binary_fill_holes(mask),
        },
    )
    yield (
        "smoothed by 1.5 mm",
        {
            "isocenter": lambda: masks.smoothed(tissue, 1.5),
            "scipy": lambda: ndimage.gaussian_filter(mask.astype(np.float32), np.divide(1.5, SPACING)) > 0.5,
        },
    )
    yield (
        "otsu",
        {
            "isocenter": lambda: masks.otsu(ct),
            "SimpleITK": lambda: sitk.OtsuThreshold(values, 0, 1, 65536),
            "scikit-image": lambda: ct.array > filters.threshold_otsu(ct.array),
        },
    )
    yield (
        "multi-otsu, 4 classes",
        {
            "isocenter": lambda: masks.multi_otsu(ct, 4),
            "SimpleITK (128 bins)": lambda: sitk.OtsuMultipleThresholds(values, 3, 0, 128),
        },
    )
    seed = tuple(ct.grid.to_world((150, 256, 256)))
    yield (
        "grown from a seed",
        {
            "isocenter": lambda: masks.connected_threshold(ct, seed, low=-300, high=400),
            "SimpleITK": lambda: sitk.ConnectedThreshold(values, [(256, 256, 150)], -300, 400),
            "scikit-image": lambda: segmentation.flood(ct.array, (150, 256, 256), tolerance=350),
        },
    )
    yield from with_relief(ct)


def with_relief(ct: Any) -> Iterator[tuple[str, dict[str, Run]]]:
    """Watersheds, on the middle 100 slices of 256 x 256 since the peers are slow."""
    import SimpleITK as sitk  # noqa: N813
    from scipy import ndimage
    from skimage import segmentation

    from isocenter.ops import masks

    grid = ct.grid.crop((100, 128, 128), (200, 384, 384))
    part = ct.on(grid, np.ascontiguousarray(ct.array[100:200, 128:384, 128:384]))
    relief = part.with_array(ndimage.gaussian_gradient_magnitude(part.array.astype(np.float32), 1).astype(np.int16))
    places = np.zeros(grid.shape, np.int32)
    places[10::25, 10::25, 10::25] = np.arange(4 * 10 * 10).reshape(4, 10, 10) + 1
    markers = masks.of(places, part, name={f"m{n}": n for n in range(1, 401)})
    itk, seeds = sitk.GetImageFromArray(relief.array), sitk.GetImageFromArray(places)
    yield (
        "watershed, 256x256x100",
        {
            "isocenter": lambda: masks.watershed(relief, markers),
            "scikit-image": lambda: segmentation.watershed(relief.array, places),
            "SimpleITK": lambda: sitk.MorphologicalWatershedFromMarkers(itk, seeds, False, False),  # noqa: FBT003
        },
    )
    air = masks.largest(masks.threshold(part, high=-500, name="air"))
    rough = masks.eroded(air, 3)
    start = rough.mask("air").astype(np.int8)
    yield (
        "refined, 256x256x100",
        {
            "isocenter": lambda: masks.refined(part, rough),
            "scikit-image (10 steps)": lambda: segmentation.morphological_chan_vese(
                part.array, 10, init_level_set=start
            ),
        },
    )


def main(words: list[str]) -> None:
    peers = ("numpy", "scipy", "scikit-image", "SimpleITK", "connected-components-3d", "edt", "numba")
    print(", ".join(f"{name} {version(name)}" for name in peers), end="")
    print(f"; {len(os.sched_getaffinity(0))} cores, int16 512x512x300, seconds, best of {ROUNDS}")
    for name, runs in jobs(chest_like()):
        if words and not name.startswith(tuple(words)):
            continue
        first, _ = best_of(runs["isocenter"], 1)
        took = {who: best_of(run, ROUNDS)[0] for who, run in runs.items()}
        others = "  ".join(f"{who} {seconds:.2f}" for who, seconds in took.items() if who != "isocenter")
        print(f"{name:26} isocenter {took['isocenter']:.2f} (first {first:.2f})  {others}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
