"""How alike two images are, and the part of a held-out case that is looked at."""

from __future__ import annotations

import numpy as np

from isocenter.geometry import Triple
from isocenter.volume import Array

_MOST = (32, 192, 192)  # voxels of a held-out case that are looked at, around its middle


def quality(image: Array, clean: Array) -> tuple[float, float]:
    """Peak signal-to-noise ratio in decibels and structural similarity (Wang 2004), means over the channels.

    The peak is the range of the clean image. The similarity is that of the slices, each seen whole through a window of
    7 voxels (fewer in a narrow image).
    """
    from skimage.metrics import structural_similarity

    rows = []
    for one, true in zip(image, clean, strict=True):
        span = float(true.max() - true.min()) or 1.0
        error = float(np.mean((one.astype(np.float64) - true) ** 2))
        size = min(7, *true.shape[1:])
        size -= 1 - size % 2
        alike = [structural_similarity(a, b, data_range=span, win_size=size) for a, b in zip(one, true, strict=True)]
        rows.append((10 * np.log10(span**2 / max(error, 1e-30)), float(np.mean(alike))))
    psnr, ssim = np.mean(rows, axis=0).tolist()
    return psnr, ssim


def middle_of(space: Triple, *, multiple: Triple = (1, 1, 1)) -> tuple[Triple, Triple]:
    """Start and shape of the part of a case that is looked at: around its middle, of multiples along each axis."""
    k, r, c = (min(n, most) // step * step for n, most, step in zip(space, _MOST, multiple, strict=True))
    a, b, d = ((n - size) // 2 for n, size in zip(space, (k, r, c), strict=True))
    return (a, b, d), (k, r, c)
