import numpy as np
import pytest

from isocenter.geometry import Grid, Space

AXIAL = Grid.from_vectors((4, 5, 6), spacing_mm=(3, 0.5, 0.8), origin_mm=(-100, -120, 50))


def test_a_common_axial_stack_runs_head_to_feet_back_and_left():
    assert AXIAL.orientation == "IPL"
    assert AXIAL.is_right_handed
    assert AXIAL.flip(0).orientation == "SPL"
    assert not AXIAL.flip(0).is_right_handed


def test_the_affine_is_that_of_dicom_plane_by_plane():
    # PS3.3 C.7.6.2.1.1: position + column * row direction * column spacing + row * column direction * row spacing
    position, row_direction, column_direction = np.array([-100, -120, 50.0]), np.array([1, 0, 0]), np.array([0, 1, 0])
    for k, r, c in ((0, 0, 0), (3, 4, 5), (1, 2, 0)):
        by_hand = position + c * 0.8 * row_direction + r * 0.5 * column_direction + k * 3 * np.array([0, 0, -1])
        np.testing.assert_allclose(AXIAL.to_world((k, r, c)), by_hand)


def test_many_points_are_mapped_at_once():
    index = np.arange(24).reshape(2, 4, 3)
    world = AXIAL.to_world(index)
    assert world.shape == (2, 4, 3)
    np.testing.assert_allclose(AXIAL.to_index(world), index, atol=1e-12)


def test_lengths_and_volumes():
    assert AXIAL.spacing_mm == pytest.approx((3, 0.5, 0.8))
    assert AXIAL.extent_mm == pytest.approx((12, 2.5, 4.8))
    assert AXIAL.voxel_volume_mm3 == pytest.approx(1.2)
    assert AXIAL.voxel_volume_ml == pytest.approx(0.0012)
    assert AXIAL.center_mm == pytest.approx((-98, -119, 45.5))


def test_a_tilted_stack_is_sheared_and_its_voxels_are_smaller_than_the_product_of_spacings():
    affine = AXIAL.affine.copy()
    affine[1, 0] = 1.0
    tilted = Grid(AXIAL.shape, affine)
    assert tilted.is_sheared
    assert not AXIAL.is_sheared
    assert tilted.voxel_volume_mm3 == pytest.approx(1.2)
    assert tilted.spacing_mm[0] == pytest.approx(np.sqrt(10))


def test_an_oblique_grid_is_named_by_its_nearest_directions_each_once():
    turn = np.array([[1, 1, 0], [-1, 1, 0], [0, 0, np.sqrt(2)]]) / np.sqrt(2)
    worlds = {frozenset("LR"), frozenset("PA"), frozenset("SI")}
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        letters = Grid.from_vectors((2, 2, 2), direction=turn[:, order]).orientation
        assert {next(world for world in worlds if letter in world) for letter in letters} == worlds


@pytest.mark.parametrize(
    ("shape", "affine"),
    [
        ((0, 1, 1), np.eye(4)),
        ((1, 1), np.eye(4)),
        ((1, 1, 1), np.eye(3)),
        ((1, 1, 1), np.diag([1, 1, np.nan, 1])),
        ((1, 1, 1), np.diag([1, 1, np.inf, 1])),
        ((1, 1, 1), np.diag([1, 1, 0, 1])),
        ((1, 1, 1), np.diag([1, 1, 1, 2])),
        ((1, 1, 1), np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])),
    ],
)
def test_an_impossible_grid_is_refused(shape, affine):
    with pytest.raises(ValueError, match=r"grid|affine"):
        Grid(shape, affine)


def test_impossible_crops_pads_orders_orientations_and_spacings_are_refused():
    with pytest.raises(ValueError, match="crop"):
        AXIAL.crop((0, 0, 0), (5, 5, 6))
    with pytest.raises(ValueError, match="crop"):
        AXIAL.crop((1, 0, 0), (1, 5, 6))
    with pytest.raises(ValueError, match="negative"):
        AXIAL.pad((-1, 0, 0), (0, 0, 0))
    with pytest.raises(ValueError, match="permutation"):
        AXIAL.permute((0, 0, 1))
    for wrong in ("LRS", "XPS", "LP", "LPSA"):
        with pytest.raises(ValueError, match="orientation"):
            AXIAL.reorient(wrong)
    for wrong_spacing in ((0, 1, 1), (1, np.nan, 1), (1, np.inf, 1)):
        with pytest.raises(ValueError, match="Spacing"):
            AXIAL.with_spacing(wrong_spacing)


def test_what_the_rounding_of_another_spacing_leaves_over_is_shared_between_both_ends():
    coarse = AXIAL.with_spacing((5, 0.5, 0.8))
    assert coarse.shape == (2, 5, 6)
    assert coarse.to_world((-0.5, 0, 0))[2] == pytest.approx(51.5 - (12 - 10) / 2)


def test_grids_coincide_within_a_tolerance_and_only_in_one_frame_and_space():
    def shifted(mm, uid=None, space=Space.PATIENT):
        affine = AXIAL.affine.copy()
        affine[0, 3] += mm
        return Grid(AXIAL.shape, affine, uid, space)

    assert AXIAL.coincides(shifted(0.0009, "1.2"))
    assert not AXIAL.coincides(shifted(0.0011))
    assert AXIAL.coincides(shifted(0.4), tolerance_mm=0.5)
    assert not shifted(0, "1.2").coincides(shifted(0, "1.3"))
    assert not AXIAL.coincides(shifted(0, space=Space.PLANE))
    assert not AXIAL.coincides(AXIAL.flip(1))
    assert not AXIAL.coincides(AXIAL.pad((0, 0, 0), (0, 0, 1)))


def test_equal_grids_are_equal_whatever_the_sign_of_zero_and_locked():
    signed = AXIAL.affine * 1.0
    signed[signed == 0] = -0.0
    assert Grid(AXIAL.shape, signed) == AXIAL
    assert hash(Grid(AXIAL.shape, signed)) == hash(AXIAL)
    assert AXIAL.flip(0) != AXIAL
    assert AXIAL != "a grid"
    with pytest.raises(ValueError, match="read-only"):
        AXIAL.affine[0, 0] = 1


def test_the_caller_s_matrix_is_copied():
    matrix = np.eye(4)
    grid = Grid((1, 1, 1), matrix)
    matrix[0, 3] = 9
    assert grid.origin_mm == (0, 0, 0)
