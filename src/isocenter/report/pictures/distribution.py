"""Histograms of an image, or of each segment of it."""

from __future__ import annotations

import numpy as np

from isocenter.errors import InputError, expect
from isocenter.findings import Segmentation
from isocenter.ops.lattice import expect_one_grid
from isocenter.report import histogram as charts
from isocenter.report.figure import Figure
from isocenter.volume import Volume


def histogram(volume: Volume, segmentation: Segmentation | None = None) -> Figure:
    """Histogram of the values of all voxels, or of each segment as percent of its voxels.

    Parameters
    ----------
    volume
        The image; of further axes the middle place is counted, of colours each.
    segmentation
        Segments on its grid. Those of lung tissue are shown alone if there are any.

    Raises
    ------
    UsageError
        If the segmentation lies on another grid.
    InputError
        If no voxel has a finite value.
    """
    expect(volume, Volume)
    if volume.array.dtype.kind == "f" and not np.isfinite(volume.array).any():
        raise InputError("No voxel of the image has a finite value: there is nothing to count.")
    if segmentation is None:
        return charts.volume_histogram(volume)
    expect_one_grid(volume, segmentation)
    return charts.histogram(volume, segmentation)
