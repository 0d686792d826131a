import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from scipy import ndimage

from isocenter.sampling import affine_linear, affine_weighted
from isocenter.sampling.spline import coefficients

RNG = np.random.default_rng(11)
ARRAY = RNG.normal(0, 500, (9, 11, 13)).astype(np.float32)
SHAPE = (10, 12, 14)


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
    "oblique": _matrix(_TURN * 0.93, (0.71, -0.33, 0.57)),
}
each_matrix = pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES.keys())


def _by_simpleitk(array, matrix, interpolator):
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3][::-1, ::-1].ravel())
    transform.SetTranslation(matrix[:3, 3][::-1])
    image = sitk.GetImageFromArray(array.astype(np.float64))
    grid = sitk.Image(SHAPE[::-1], sitk.sitkUInt8)
    return sitk.GetArrayFromImage(sitk.Resample(image, grid, transform, interpolator, -7000, sitk.sitkFloat64))


def _sampled(array, matrix, kind, *, stretched=False, shape=SHAPE, outside=-7000):
    return affine_weighted(array, matrix, shape, kind=kind, stretched=stretched, outside=outside)


@each_matrix
@pytest.mark.parametrize(("dtype", "apart"), [(np.float32, 2e-3), (np.float64, 1e-3), (np.int16, 0.502)])
def test_cubic_equals_the_b_spline_of_simpleitk_up_to_the_border(matrix, dtype, apart):
    array = ARRAY.astype(dtype)
    ours = _sampled(array, matrix, "cubic")
    assert ours.dtype == dtype
    assert np.abs(ours - _by_simpleitk(array, matrix, sitk.sitkBSpline)).max() < apart


@each_matrix
def test_lanczos_equals_that_of_simpleitk_once_its_weights_sum_to_one(matrix):
    theirs = _by_simpleitk(ARRAY, matrix, sitk.sitkLanczosWindowedSinc)
    weights = _by_simpleitk(np.ones_like(ARRAY), matrix, sitk.sitkLanczosWindowedSinc)
    inside = weights != -7000
    ours = _sampled(ARRAY, matrix, "lanczos")
    assert np.abs(ours[inside] - theirs[inside] / weights[inside]).max() < 2e-3
    assert (ours[~inside] == -7000).all()


@each_matrix
def test_linear_as_a_sum_of_weights_is_linear(matrix):
    expected = affine_linear(ARRAY, matrix, SHAPE, outside=-7000)
    np.testing.assert_allclose(_sampled(ARRAY, matrix, "linear"), expected, atol=2e-3)


def test_cubic_equals_scipy_with_mirrored_borders():
    matrix = MATRICES["oblique"]
    theirs = ndimage.affine_transform(ARRAY.astype(float), matrix[:3, :3], matrix[:3, 3], SHAPE, order=3, mode="mirror")
    ours = _sampled(ARRAY, matrix, "cubic")
    assert np.abs(ours - theirs)[ours != -7000].max() < 2e-3


@pytest.mark.parametrize("shape", [(1, 1, 40), (2, 3, 5), (40, 17, 33)])
def test_coefficients_are_those_of_scipy(shape):
    array = RNG.normal(0, 1, shape)
    theirs = ndimage.spline_filter(array, order=3, mode="mirror")
    np.testing.assert_allclose(coefficients(array, np.float64), theirs, atol=1e-12)


def test_slices_summed_in_chunks_equal_those_of_one_spline():
    array = RNG.normal(0, 100, (90, 6, 7)).astype(np.float32)
    matrix = _matrix(np.diag([-0.61, 0.9, 1.1]), (88.7, 0.2, 0.1))
    ours = _sampled(array, matrix, "cubic", shape=(146, 5, 6))
    theirs = ndimage.affine_transform(
        array.astype(float), np.diag([-0.61, 0.9, 1.1]), [88.7, 0.2, 0.1], (146, 5, 6), order=3, mode="mirror"
    )
    assert np.abs(ours - theirs)[ours != -7000].max() < 2e-3


@pytest.mark.parametrize("kind", ["linear", "cubic", "lanczos"])
@pytest.mark.parametrize("stretched", [False, True])
def test_a_constant_stays_and_the_middle_of_a_slope_too(kind, stretched):
    ramp = np.broadcast_to(np.arange(60.0, dtype=np.float32), (8, 9, 60))
    matrix = _matrix(np.diag([1.3, 1.7, 2.6]), (0.2, 0.3, 0.1))
    constant = _sampled(np.full((8, 9, 60), 7, np.float32), matrix, kind, stretched=stretched, shape=(5, 5, 23))
    np.testing.assert_allclose(constant, 7, rtol=1e-6)
    sloping = _sampled(ramp, matrix, kind, stretched=stretched, shape=(5, 5, 23))
    inner = slice(9, 14)
    np.testing.assert_allclose(sloping[2, 2, inner], 2.6 * np.arange(23)[inner] + 0.1, atol=0.06)


@pytest.mark.parametrize("kind", ["linear", "cubic", "lanczos"])
@pytest.mark.parametrize(
    "matrix", [_matrix(np.diag([1, 1, 4.0])), _matrix([[1, 0, 0], [0, 0.9, 0.43], [0, -1.74, 3.6]])]
)
def test_stripes_too_fine_for_the_new_voxels_are_smoothed_away(kind, matrix):
    stripes = np.broadcast_to(100 * np.sin(np.arange(120) * 2 * np.pi / 3.7), (6, 40, 120)).astype(np.float32)
    inner = (slice(2, 4), slice(6, 10), slice(14, 20))
    rough = _sampled(stripes, matrix, kind, shape=(6, 12, 30), outside=0)[inner]
    smooth = _sampled(stripes, matrix, kind, stretched=True, shape=(6, 12, 30), outside=0)[inner]
    assert np.abs(rough).max() > 50
    assert np.abs(smooth).max() < 5


def test_swinging_over_is_cut_to_what_the_type_holds():
    edge = np.zeros((1, 1, 20), np.uint8)
    edge[..., 10:] = 255
    for kind in ("cubic", "lanczos"):
        between = _sampled(edge, _matrix(np.diag([1, 1, 0.25])), kind, shape=(1, 1, 77), outside=0).ravel()
        assert set(between[:30]) <= set(range(20))
        assert set(between[50:]) <= set(range(235, 256))
        assert between.max() == 255


def test_nothing_inside_gives_outside_only():
    for matrix in (_matrix(np.eye(3) * 0.9, (0, 0, 100)), _matrix(_TURN, (100, 0, 0))):
        assert (_sampled(ARRAY, matrix, "cubic") == -7000).all()


def test_wrong_shapes_and_types_are_refused():
    with pytest.raises(ValueError, match="3D array"):
        _sampled(np.zeros((2, 2), np.float32), np.eye(4), "cubic")
    with pytest.raises(ValueError, match="int64"):
        _sampled(np.zeros((2, 2, 2), np.int64), np.eye(4), "cubic")
    with pytest.raises(ValueError, match="cannot hold"):
        _sampled(np.zeros((2, 2, 2), np.uint8), np.eye(4), "cubic")
