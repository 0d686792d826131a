"""Filters and noise, in millimetres.

======================================================== ==============================================================
:func:`gaussian`, :func:`unsharp`                        smoothing by a Gaussian, sharpening
:func:`median`                                           median in a box
:func:`bilateral`, :func:`non_local_means`               averages over what looks alike
:func:`anisotropic_diffusion`, :func:`total_variation`   smoothing between edges, step by step
:func:`gradient`, :func:`gradient_magnitude`             first derivatives
:func:`sobel`, :func:`laplacian_of_gaussian`             first derivatives smoothed across; second derivatives
:func:`canny`                                            edges, as a segmentation
:func:`frangi`                                           vesselness
:func:`gaussian_noise`, :func:`rician_noise`,            noise added on purpose
:func:`poisson_noise`
:func:`measure_noise`                                    the noise that an image has
======================================================== ==============================================================

A filter keeps the grid, the unit (but for derivatives), the sources and the reasons of its volume and works on each
time point and colour sample by itself. It calculates in float32 and returns it; the median alone keeps the dtype. Edges
are mirrored. Along an axis of a single voxel, as in a picture, nothing is filtered. Values that are NaN or infinite are
refused, as they would spread.
"""

from isocenter.ops.filters.averaging import bilateral, non_local_means
from isocenter.ops.filters.derivatives import gradient, gradient_magnitude, laplacian_of_gaussian, sobel
from isocenter.ops.filters.edges import canny
from isocenter.ops.filters.iterating import anisotropic_diffusion, total_variation
from isocenter.ops.filters.medians import median
from isocenter.ops.filters.noise import gaussian_noise, poisson_noise, rician_noise
from isocenter.ops.filters.noise_level import measure_noise
from isocenter.ops.filters.smoothing import gaussian, unsharp
from isocenter.ops.filters.vessels import frangi

__all__ = [
    "anisotropic_diffusion",
    "bilateral",
    "canny",
    "frangi",
    "gaussian",
    "gaussian_noise",
    "gradient",
    "gradient_magnitude",
    "laplacian_of_gaussian",
    "measure_noise",
    "median",
    "non_local_means",
    "poisson_noise",
    "rician_noise",
    "sobel",
    "total_variation",
    "unsharp",
]
