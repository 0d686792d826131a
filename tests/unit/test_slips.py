"""Common slips of a caller are told in a sentence."""

import numpy as np
import pytest

import isocenter as iso
from isocenter import bridges, codes
from isocenter.errors import UsageError
from isocenter.findings import Algorithm
from isocenter.geometry import Grid

GRID = Grid.from_vectors((2, 3, 4))
CT = iso.Volume(np.zeros(GRID.shape, np.int16), GRID, codes.HU, modality="CT")
FOUND = iso.Segmentation(
    (np.ones(GRID.shape, np.uint8),), GRID, (iso.Segment("lung", 1, "Lung", codes.LUNG),), Algorithm("test", "1")
)
SERIES = iso.Series((), GRID)


@pytest.mark.parametrize(
    "slip",
    [
        lambda: iso.save(SERIES, "x.nii"),
        lambda: iso.segment(SERIES, "lungs"),
        lambda: iso.onto(SERIES, GRID),
        lambda: bridges.to_simpleitk(SERIES),
        lambda: bridges.to_nibabel(SERIES),
        lambda: bridges.to_metatensor(SERIES),
        lambda: bridges.to_torchio(SERIES),
        lambda: bridges.to_highdicom(SERIES),
    ],
)
def test_a_series_in_place_of_a_volume_is_to_be_read_first(slip):
    with pytest.raises(UsageError, match="read it first"):
        slip()


@pytest.mark.parametrize(
    ("slip", "told"),
    [
        (lambda: iso.measure(FOUND, CT), "Expected a Volume, not a Segmentation"),
        (lambda: iso.onto(CT, CT), "Expected a Grid, not a Volume"),
        (lambda: iso.to_spacing(CT, 0), "positive lengths"),
        (lambda: iso.to_spacing(CT, (1, 1)), "positive lengths"),
        (lambda: iso.to_orientation(CT, "XYZ"), "XYZ"),
        (lambda: FOUND.volume_ml("x"), "there are lung"),
        (lambda: iso.read_segmentation("x", grid=CT), "grid=volume.grid"),
        (lambda: iso.together(SERIES, "time"), "two or more"),
    ],
)
def test_a_wrong_argument_is_told(slip, told):
    with pytest.raises(UsageError, match=told):
        slip()
