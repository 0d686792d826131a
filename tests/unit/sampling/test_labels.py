import numpy as np
import pytest
from scipy import ndimage

from isocenter.sampling import affine_labels, affine_nearest
from isocenter.sampling.labels import labels_in
from isocenter.sampling.weighted import affine_weighted

RNG = np.random.default_rng(2)
LABELS = ndimage.zoom(RNG.integers(0, 5, (3, 4, 4)), 3, order=0).astype(np.uint8)
LABELS[LABELS == 3] = 200
SHAPE = (10, 12, 14)


def _matrix(linear, offset=(0, 0, 0)):
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = linear, offset
    return matrix


_TURN = np.linalg.qr(np.array([[5.0, 1, 0.5], [-1, 5, 1.2], [0.2, -1, 5]]))[0] * [-1, -1, 1]
MATRICES = {
    "finer": _matrix(np.diag([0.7, 0.6, 0.45]), (0.31, -0.17, 1.13)),
    "coarser": _matrix(np.diag([1.7, 2.6, -1.45]), (0.31, -0.17, 11.13)),
    "oblique": _matrix(_TURN * 0.93, (0.71, -0.33, 0.57)),
}


@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES.keys())
@pytest.mark.parametrize("stretched", [False, True])
def test_the_label_is_the_one_whose_interpolated_mask_is_largest(matrix, stretched):
    values = np.unique(LABELS)
    masks = [
        affine_weighted(
            (value == LABELS).astype(np.float32), matrix, SHAPE, kind="linear", stretched=stretched, outside=value == 0
        )
        for value in values
    ]
    ordered = np.sort(masks, axis=0)
    sure = ordered[-1] - ordered[-2] > 1e-3
    ours = affine_labels(LABELS, matrix, SHAPE, stretched=stretched)
    assert sure.mean() > 0.9
    np.testing.assert_array_equal(ours[sure], values[np.argmax(masks, axis=0)][sure])
    assert set(np.unique(ours)) <= set(values)


def test_a_tie_keeps_the_nearest_label():
    line = np.array([[[0, 0, 7, 7, 0, 3]]], np.int16)
    halves = _matrix(np.eye(3), (0, 0, 0.5))
    assert affine_labels(line, halves, (1, 1, 5), stretched=False).tolist() == [[[0, 7, 7, 0, 3]]]
    assert affine_nearest(line, halves, (1, 1, 5), outside=0).tolist() == [[[0, 7, 7, 0, 3]]]


def test_a_ball_keeps_its_volume_and_becomes_rounder_than_by_the_nearest_voxel():
    k, r, c = np.indices((20, 20, 20)) - 9.5
    ball = (k**2 + r**2 + c**2 <= 49).astype(np.uint8)
    fine = _matrix(np.eye(3) / 4, (-0.375, -0.375, -0.375))
    smooth = affine_labels(ball, fine, (80, 80, 80), stretched=False)
    blocks = affine_nearest(ball, fine, (80, 80, 80), outside=0)
    k, r, c = (np.indices((80, 80, 80)) - 39.5) / 4
    truth = k**2 + r**2 + c**2 <= 49
    assert smooth.sum() == pytest.approx(truth.sum(), rel=0.03)
    assert (smooth != truth).sum() < 0.75 * (blocks != truth).sum()


def test_negative_labels_and_read_only_input_are_taken():
    array = np.array([[[-3, -3, 5, 5]]], np.int16)
    array.flags.writeable = False
    assert affine_labels(array, _matrix(np.eye(3), (0, 0, 0.25)), (1, 1, 3), stretched=False).tolist() == [
        [[-3, -3, 5]]
    ]
    with pytest.raises(ValueError, match="3D array"):
        affine_labels(np.zeros((2, 2), np.uint8), np.eye(4), (2, 2, 2), stretched=False)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32])
def test_labels_that_occur_are_found(dtype):
    array = RNG.choice([0, 3, 90], (30, 60, 70)).astype(dtype)
    array[29, 59, 69] = 101 if dtype == np.uint8 else -7
    assert labels_in(array) == {0, 3, 90, 101 if dtype == np.uint8 else -7}
