"""What an image itself says of its case, for subgroups where nothing else is known of it."""

from __future__ import annotations

import numpy as np

from isocenter.findings import Segmentation
from isocenter.geometry import Space
from isocenter.ops.boxes import box_of
from isocenter.ops.lattice import expect_one_grid
from isocenter.volume import Volume

_WHOLE_BODY_MM = 200.0
"""Width from which on an image shows both sides of a body, so that its middle is the body's."""
_SAMPLES = 500_000


def properties(image: Volume, truth: Segmentation) -> dict[str, str]:
    """Properties of an image and its truth, as attributes: subgroups put their values into thirds.

    ===================  =====================================================================================
    ``side``             left or right, where all structures lie on one side of an image at least 200 mm wide
    ``volume_ml``        of all structures together
    ``intensity_range``  from the 1st to the 99th percentile of the values
    ``spacing_mm``       the greatest distance between neighbouring voxels
    ===================  =====================================================================================

    What cannot be told is left out or ``"unknown"``.
    """
    expect_one_grid(image, truth)
    mask = truth.mask()
    found = {"intensity_range": f"{_range(image):.5g}"}
    if image.grid.space is not Space.PIXEL:
        steps = [n for n, count in zip(image.spacing_mm, image.grid.shape, strict=True) if count > 1]
        found["spacing_mm"] = f"{max(steps, default=image.spacing_mm[0]):.4g}"
    if image.grid.space is Space.PATIENT:
        found["volume_ml"] = f"{np.count_nonzero(mask) * image.grid.voxel_volume_ml:.5g}"
        found["side"] = _side(truth, mask)
    return found


def _range(image: Volume) -> float:
    values = image.array.reshape(-1)
    low, high = np.nanpercentile(values[:: max(1, values.size // _SAMPLES)], [1, 99])
    return float(high - low)


def _side(truth: Segmentation, mask: np.ndarray) -> str:
    """The side of the patient that all structures lie on; unknown if they lie on both, or it cannot be told."""
    corners = np.stack(np.meshgrid(*[(-0.5, n - 0.5) for n in mask.shape], indexing="ij"), axis=-1).reshape(-1, 3)
    edges = truth.grid.to_world(corners)[:, 0]
    if not mask.any() or np.ptp(edges) < _WHOLE_BODY_MM:
        return "unknown"
    ends = [(part.start - 0.5, part.stop - 0.5) for part in box_of(mask)]
    box = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)
    places = truth.grid.to_world(box)[:, 0] - (edges.min() + edges.max()) / 2
    return "left" if places.min() >= 0 else "right" if places.max() <= 0 else "unknown"
