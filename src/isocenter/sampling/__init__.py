"""Interpolation on arrays, through any affine. Arrays and matrices only.

Which grid to sample on, what lies outside and what becomes of reasons and sources is decided in
:mod:`isocenter.ops.resample`; nothing here knows a ``Volume``.

An index coordinate is whole at a voxel's centre. A sample point up to half a voxel beyond the first or last centre
still lies in the outermost voxel and takes its value; farther out lies ``outside``. That is the rule of ITK, so
results equal SimpleITK's up to the border.

The kernels release the GIL and are run on slabs of output slices side by side.
"""

from isocenter.sampling.labels import affine_labels
from isocenter.sampling.layout import contiguous
from isocenter.sampling.linear import affine_linear
from isocenter.sampling.nearest import affine_nearest
from isocenter.sampling.warp import Field, warped_linear, warped_nearest
from isocenter.sampling.weighted import affine_weighted

__all__ = [
    "Field",
    "affine_labels",
    "affine_linear",
    "affine_nearest",
    "affine_weighted",
    "contiguous",
    "warped_linear",
    "warped_nearest",
]
