import numpy as np
import pytest

from isocenter import codes
from isocenter.errors import InputError, UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.ops.resample import onto
from isocenter.ops.shape import box, crop_to, middle_mm, to_shape
from isocenter.volume import Volume

GRID = Grid.from_vectors((6, 7, 8), spacing_mm=(3, 1, 1), origin_mm=(10, 20, 30))
CT = Volume(np.arange(336, dtype=np.int16).reshape(6, 7, 8), GRID, codes.HU)
_LABELS = np.zeros((6, 7, 8), np.uint8)
_LABELS[2:4, 1:3, 5:8] = 1
BLOCK = Segmentation(
    (_LABELS,),
    GRID,
    (Segment("block", 1, "Block", codes.LUNG), Segment("none", 2, "None", codes.LUNG)),
    Algorithm("test", "1"),
)


def test_a_smaller_shape_is_cut_from_the_middle_and_a_larger_one_padded_evenly():
    fitted = to_shape(CT, (4, 7, 10))
    np.testing.assert_array_equal(fitted.array[:, :, 1:9], CT.array[1:5])
    assert (fitted.array[:, :, [0, 9]] == -1024).all()
    assert fitted.spacing_mm == CT.spacing_mm


def test_padding_comes_back_exactly():
    np.testing.assert_array_equal(onto(to_shape(CT, (9, 9, 9)), GRID).array, CT.array)


def test_the_middle_of_a_structure_comes_to_the_middle():
    assert middle_mm(BLOCK, "block") == tuple(GRID.to_world((2.5, 1.5, 6)))
    fitted = to_shape(BLOCK, (2, 2, 3), center_mm=middle_mm(BLOCK, "block"))
    assert (fitted.array == 1).all()


def test_the_box_of_a_structure_is_found_and_cropped_to_with_a_margin_within_the_image():
    assert box(BLOCK, "block") == ((2, 1, 5), (4, 3, 8))
    assert box(BLOCK) == box(BLOCK, "block")
    cropped = crop_to(CT, BLOCK, "block", margin_mm=2)
    np.testing.assert_array_equal(cropped.array, CT.array[1:5, 0:5, 3:8])


def test_an_absent_structure_has_no_box():
    with pytest.raises(InputError, match="none"):
        box(BLOCK, "none")


def test_a_segmentation_of_another_grid_and_a_wrong_shape_are_refused():
    with pytest.raises(UsageError, match="different grids"):
        crop_to(CT, onto(BLOCK, GRID.flip(0)))
    for wrong in ((0, 1, 1), (1.5, 2, 2), (2, 2)):
        with pytest.raises(UsageError, match="three positive whole numbers"):
            to_shape(CT, wrong)
    for wrong in ((np.nan, 0, 0), (1, 2)):
        with pytest.raises(UsageError, match="center"):
            to_shape(CT, (2, 2, 2), center_mm=wrong)
    for wrong in (-1, np.nan):
        with pytest.raises(UsageError, match="margin"):
            crop_to(CT, BLOCK, margin_mm=wrong)


def test_a_segment_that_the_new_grid_cuts_says_so():
    grid = Grid.from_vectors((6, 8, 8))
    labels = np.zeros(grid.shape, np.uint8)
    labels[1:5, 2:6, 2:6] = 1
    found = Segmentation((labels,), grid, (Segment("a", 1, "A", codes.LUNG),), Algorithm("test", "1"))
    whole, cut = to_shape(found, (4, 4, 4)), to_shape(found, (4, 4, 2))
    assert "SEGMENT_CUT" not in [reason.code for reason in whole.reasons]
    assert [reason.code for reason in cut.reasons] == ["SEGMENT_CUT"]
