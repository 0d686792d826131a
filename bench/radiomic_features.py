"""Radiomic features of the lesion of the IBSI's CT phantom, against pyradiomics on the same input in one run.

Run it by ``python -m bench.radiomic_features [FOLDER]`` with a Python that has both; the folder holds the data set
``ibsi_1_ct_phantom``, by default where the tests look for it. Without it a made lesion of that size is measured.
The best of a few rounds counts; compiling is stated apart.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bench.timing import best_of

ROUNDS = 5
CLASSES = ("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
SAME = ("morphology", "statistics", "histogram", "glcm", "glrlm", "glszm", "ngldm", "ngtdm")
"""Families here that hold what those classes compute."""


def lesion(folder: Path) -> tuple[Any, Any, str]:
    """The CT, its lesion, and what they are."""
    import isocenter as iso

    if (folder / "nifti").is_dir():
        image, mask = (next((folder / "nifti" / part).iterdir()) for part in ("image", "mask"))
        return iso.load(image), iso.load_segmentation(mask), "IBSI CT phantom"
    from isocenter import codes
    from isocenter.findings import Algorithm, Segment, Segmentation

    grid = iso.Grid.from_vectors((60, 201, 204), spacing_mm=(3.0, 0.977, 0.977))
    k, r, c = np.indices(grid.shape) - np.reshape(grid.shape, (3, 1, 1, 1)) / 2
    array = np.random.default_rng(0).normal(20, 120, grid.shape).astype(np.float32)
    volume = iso.Volume(array, grid, codes.HU, modality="CT")
    inside = (k * 3 / 38) ** 2 + (r / 48) ** 2 + (c / 48) ** 2 < 1
    return volume, Segmentation.of(inside, volume, [Segment.named("lesion")], Algorithm("ball", "1")), "made lesion"


def by_isocenter(volume: Any, segmentation: Any, processing: Any, families: Any = None) -> Callable[[], Any]:
    from isocenter.ops.radiomics import FAMILIES, features

    chosen = tuple(FAMILIES) if families is None else families
    return lambda: features(volume, segmentation, processing=processing, families=chosen)


def by_pyradiomics(volume: Any, segmentation: Any, spacing: Any = None) -> Callable[[], Any] | None:
    try:
        import SimpleITK as sitk  # noqa: N813
        from radiomics import featureextractor
    except ImportError:
        return None
    logging.getLogger("radiomics").setLevel(logging.ERROR)
    settings = {"binWidth": 25, "interpolator": sitk.sitkLinear, "resampledPixelSpacing": spacing}
    extractor = featureextractor.RadiomicsFeatureExtractor(**settings)
    extractor.disableAllFeatures()
    for name in CLASSES:
        extractor.enableFeatureClassByName(name)
    image = sitk.GetImageFromArray(np.asarray(volume.array))
    label = sitk.GetImageFromArray(segmentation.mask().astype(np.uint8))
    for one in (image, label):
        one.SetSpacing(volume.spacing_mm[::-1])
    return lambda: extractor.execute(image, label)


def jobs(volume: Any, segmentation: Any) -> Any:
    """Name, image, segmentation, processing here, spacing there."""
    from isocenter.findings import Algorithm, Segment, Segmentation
    from isocenter.ops.radiomics import IBSI_C, FixedBinSize, Processing, regions

    bins = Processing(bins=FixedBinSize(25, start=-1000))
    (at_2_mm,) = regions(volume, segmentation, processing=IBSI_C)
    coarse = Segmentation.of(at_2_mm.morphological, at_2_mm.image, [Segment.named("lesion")], Algorithm("bench", "1"))
    filled = at_2_mm.image.with_array(np.nan_to_num(at_2_mm.image.array, nan=-1000))
    yield "features at 2 mm", filled, coarse, bins, None
    yield "features at 3 x 0.98 mm", volume, segmentation, bins, None
    plain = Processing(spacing_mm=(2.0, 2.0, 2.0), bins=bins.bins)
    yield "interpolation to 2 mm, features", volume, segmentation, plain, [2, 2, 2]


def main() -> None:
    import numba
    import scipy

    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(os.environ.get("ISOCENTER_TEST_DATA", default))
    volume, segmentation, what = lesion(folder / "ibsi_1_ct_phantom")
    versions = [f"numpy {np.__version__}", f"numba {numba.__version__}", f"scipy {scipy.__version__}"]
    if by_pyradiomics(volume, segmentation) is not None:
        import radiomics

        versions.append(f"pyradiomics {radiomics.__version__}")
    print(f"{', '.join(versions)}; {len(os.sched_getaffinity(0))} cores; {what}; best of {ROUNDS}, seconds")
    print(f"{'job':32} {'voxels':>8} {'all':>7} {'(first)':>8} {'same':>7} {'pyradiomics':>12} {'ratios':>12}")
    for name, image, mask, processing, spacing in jobs(volume, segmentation):
        first, _ = best_of(by_isocenter(image, mask, processing), 1)
        every, found = best_of(by_isocenter(image, mask, processing), ROUNDS)
        same, _ = best_of(by_isocenter(image, mask, processing, SAME), ROUNDS)
        peer = by_pyradiomics(image, mask, spacing)
        theirs = best_of(peer, 2)[0] if peer else float("nan")
        volume_mm3 = found.of("morphology", "volume_voxels").value
        edges = processing.spacing_mm or image.spacing_mm
        voxels = round(volume_mm3 / np.prod(edges))
        ratios = f"{theirs / every:.0f} / {theirs / same:.0f}"
        print(f"{name:32} {voxels:8} {every:7.3f} {first:8.3f} {same:7.3f} {theirs:12.3f} {ratios:>12}")


if __name__ == "__main__":
    main()
