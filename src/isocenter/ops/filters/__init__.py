"""Filters and noise, in millimetres.

======================================================== ==============================================================
:func:`gaussian`, :func:`unsharp`                        smoothing by a Gaussian, sharpening
:func:`median`                                           median in a box
======================================================== ==============================================================

A filter keeps the grid, the unit (but for derivatives), the sources and the reasons of its volume and works on each
time point and colour sample by itself. It calculates in float32 and returns it; the median alone keeps the dtype. Edges
are mirrored. Along an axis of a single voxel, as in a picture, nothing is filtered. Values that are NaN or infinite are
refused, as they would spread.
"""

from isocenter.ops.filters.smoothing import gaussian, unsharp
from isocenter.ops.filters.medians import median

__all__ = ["gaussian", "median", "unsharp"]
