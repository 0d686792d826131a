import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from scipy import ndimage

from isocenter.sampling import affine_linear, affine_nearest

RNG = np.random.default_rng(5)
ARRAY = RNG.integers(-1000, 1000, (9, 11, 13)).astype(np.int16)


def _matrix(linear, offset=(0, 0, 0)):
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = linear, offset
    return matrix


_TURN = np.linalg.qr(np.array([[5.0, 1, 0.5], [-1, 5, 1.2], [0.2, -1, 5]]))[0] * [-1, -1, 1]
MATRICES = {
    "scaled with a phase of its own on each axis": _matrix(np.diag([0.7, 1.3, 0.45]), (0.31, -0.17, 1.13)),
    "flipped": _matrix(np.diag([-0.9, 1.1, -0.7]), (8.1, 0.2, 11.7)),
    "columns along slices": _matrix([[0, 0, 0.61], [0, 1.07, 0], [1.1, 0, 0]], (0.13, 0.4, 1.7)),
    "sheared as a tilted gantry": _matrix([[1, 0, 0], [0.33, 1, 0], [0, 0, 1]], (0.013, -1.2, 0.017)),
    "sheared along columns": _matrix([[1, 0, 0], [0, 1, 0], [0.29, 0, 1]], (0.013, 0.021, -1.2)),
    "oblique": _matrix(_TURN * 0.93, (0.71, -0.33, 0.57)),
}
each_matrix = pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES.keys())


def _by_simpleitk(array, matrix, shape, interpolator):
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3][::-1, ::-1].ravel())
    transform.SetTranslation(matrix[:3, 3][::-1])
    grid = sitk.Image(shape[::-1], sitk.sitkUInt8)
    image = sitk.GetImageFromArray(array)
    return sitk.GetArrayFromImage(sitk.Resample(image, grid, transform, interpolator, -1024, image.GetPixelID()))


@each_matrix
def test_linear_equals_simpleitk_up_to_the_border(matrix):
    ours = affine_linear(ARRAY, matrix, (10, 12, 14), outside=-1024)
    theirs = _by_simpleitk(ARRAY.astype(np.float64), matrix, (10, 12, 14), sitk.sitkLinear)
    assert np.abs(ours - theirs).max() <= 0.501


@each_matrix
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_linear_of_fractions_equals_simpleitk(matrix, dtype):
    array = (ARRAY / 7).astype(dtype)
    ours = affine_linear(array, matrix, (10, 12, 14), outside=-1024)
    theirs = _by_simpleitk(array.astype(np.float64), matrix, (10, 12, 14), sitk.sitkLinear)
    assert ours.dtype == dtype
    np.testing.assert_allclose(ours, theirs, atol=1e-3 if dtype == np.float32 else 1e-9)


@each_matrix
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32, np.float64])
def test_nearest_equals_simpleitk_exactly(matrix, dtype):
    array = (ARRAY % 200).astype(dtype)
    theirs = _by_simpleitk(array.astype(np.int16), matrix, (10, 12, 14), sitk.sitkNearestNeighbor)
    ours = affine_nearest(array, matrix, (10, 12, 14), outside=255)
    np.testing.assert_array_equal(ours, np.where(theirs == -1024, 255, theirs))


@each_matrix
def test_linear_equals_scipy_in_the_interior(matrix):
    ours = affine_linear(ARRAY, matrix, (10, 12, 14), outside=0)
    theirs = ndimage.affine_transform(
        ARRAY.astype(float), matrix[:3, :3], matrix[:3, 3], (10, 12, 14), order=1, cval=np.nan
    )
    inner = np.isfinite(theirs)
    assert inner.sum() > 100
    assert np.abs(ours - theirs)[inner].max() <= 0.501


def test_integers_are_rounded_half_up_and_never_truncated_towards_zero():
    array = np.array([[[-3, -2, 0, 1, 3]]], np.int16)
    between = affine_linear(array, _matrix(np.eye(3), (0, 0, 0.5)), (1, 1, 4), outside=0)
    assert between.ravel().tolist() == [-2, -1, 1, 2]  # -2.5, -1, 0.5, 2
    assert affine_linear(array, _matrix(np.eye(3), (0, 0, 0.75)), (1, 1, 1), outside=0).item() == -2  # -2.25


def test_large_unsigned_values_keep_every_bit():
    array = np.full((2, 2, 2), 2**32 - 1, np.uint32)
    assert (affine_linear(array, _matrix(np.eye(3) * 0.5), (3, 3, 3), outside=0) == 2**32 - 1).all()
    full = np.full((2, 2, 2), 65535, np.uint16)
    assert (affine_linear(full, _matrix(np.eye(3) * 0.3), (3, 3, 3), outside=0) == 65535).all()


@pytest.mark.parametrize("sample", [affine_linear, affine_nearest])
def test_half_a_voxel_beyond_the_edge_is_edge_and_farther_is_outside(sample):
    array = np.array([[[5, 6, 7]]], np.int16)
    shifts = {-0.6: -1, -0.5: 5, -0.3: 5, 2.3: 7, 2.5: 7, 2.6: -1}
    for column, expected in shifts.items():
        assert sample(array, _matrix(np.eye(3), (0, 0, column)), (1, 1, 1), outside=-1).item() == expected


def test_nothing_inside_gives_outside_only():
    far = _matrix(np.eye(3), (0, 0, 100))
    assert (affine_linear(ARRAY, far, (4, 4, 4), outside=-7) == -7).all()
    assert (affine_nearest(ARRAY, _matrix(_TURN, (100, 0, 0)), (4, 4, 4), outside=-7) == -7).all()


def test_a_tie_takes_the_voxel_of_the_higher_index_whatever_the_rounding_noise():
    array = np.arange(40, dtype=np.int16).reshape(1, 1, 40)
    steps = _matrix(np.diag([1, 1, 0.1]), (0, 0, 0))
    taken = affine_nearest(array, steps, (1, 1, 395), outside=-1).ravel()
    assert taken.tolist() == [(i + 5) // 10 for i in range(395)]


def test_a_constant_image_stays_exactly_constant():
    array = np.full((4, 5, 6), np.float32(0.1))
    for matrix in MATRICES.values():
        out = affine_linear(array, matrix, (4, 5, 6), outside=np.float32(0.1))
        assert (out == np.float32(0.1)).all()


def test_identity_copies_even_beside_a_missing_value():
    array = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    array[1, 1, 1] = np.nan
    np.testing.assert_array_equal(affine_linear(array, np.eye(4), (2, 2, 2), outside=0), array)


def test_neither_the_layout_nor_writability_of_the_input_matters():
    matrix = MATRICES["oblique"]
    expected = affine_linear(ARRAY, matrix, (9, 9, 9), outside=0)
    locked = np.asfortranarray(ARRAY)
    locked.flags.writeable = False
    np.testing.assert_array_equal(affine_linear(locked, matrix, (9, 9, 9), outside=0), expected)
    np.testing.assert_array_equal(
        affine_linear(ARRAY.astype(">i2").astype("=i2"), matrix, (9, 9, 9), outside=0), expected
    )


def test_many_slabs_side_by_side_equal_one_after_another():
    array = RNG.integers(0, 255, (40, 60, 70)).astype(np.uint8)
    matrix = _matrix(np.diag([0.8, 0.9, 0.7]), (0.1, 0.2, 0.3))
    whole = affine_linear(array, matrix, (50, 66, 100), outside=0)
    first = affine_linear(array, matrix, (7, 66, 100), outside=0)
    np.testing.assert_array_equal(whole[:7], first)


def test_a_value_that_the_type_cannot_hold_is_refused():
    labels = np.zeros((2, 2, 2), np.uint8)
    for outside in (-1024, 0.5, 256, np.nan):
        with pytest.raises(ValueError, match="cannot hold"):
            affine_nearest(labels, np.eye(4), (2, 2, 2), outside=outside)


def test_wrong_shapes_and_types_are_refused():
    with pytest.raises(ValueError, match="3D array"):
        affine_linear(np.zeros((2, 2)), np.eye(4), (2, 2, 2), outside=0)
    with pytest.raises(ValueError, match="3D array"):
        affine_linear(np.zeros((2, 2, 2)), np.eye(3), (2, 2, 2), outside=0)
    with pytest.raises(ValueError, match="int64"):
        affine_linear(np.zeros((2, 2, 2), np.int64), np.eye(4), (2, 2, 2), outside=0)
    with pytest.raises(ValueError, match="complex"):
        affine_nearest(np.zeros((2, 2, 2), complex), np.eye(4), (2, 2, 2), outside=0)
