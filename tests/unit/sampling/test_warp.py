import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from scipy.spatial.transform import Rotation

from isocenter.bridges import to_simpleitk
from isocenter.geometry import Grid
from isocenter.sampling import Field, affine_linear, warped_linear, warped_nearest
from isocenter.volume import Volume

RNG = np.random.default_rng(3)


def _grid(shape, spacing_mm, degrees=0.0, origin_mm=(0, 0, 0)):
    turn = Rotation.from_rotvec([degrees, -degrees / 2, degrees / 3], degrees=True).as_matrix()
    straight = Grid.from_vectors(shape, spacing_mm=spacing_mm).affine[:3, :3]
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turn @ straight, origin_mm
    return Grid(shape, affine)


IMAGE = _grid((11, 13, 15), (2.0, 1.1, 0.9), 12, (3, -4, 5))
TARGET = _grid((10, 12, 14), (2.1, 1.0, 1.0), 12, (4, -3, 4))
VALUES = RNG.normal(0, 100, IMAGE.shape)
FIELDS = {
    "on the target": TARGET,
    "coarser, along the target": TARGET.with_shape((4, 5, 6)),
    "coarser, larger and askew": _grid((7, 6, 8), (8, 7, 6), -20, (10, -12, 14)),
    "smaller than the target": TARGET.crop((2, 3, 4), (8, 9, 9)),
}
each_field = pytest.mark.parametrize("grid", FIELDS.values(), ids=FIELDS.keys())


def _vectors(grid):
    points = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))
    return (1.5 * np.sin(points / 4 + [0, 1, 2])).astype(np.float32)


def _field(grid):
    to_index = np.linalg.inv(IMAGE.affine[:3, :3])
    return Field(_vectors(grid), TARGET.index_transform(grid), to_index)


def _by_simpleitk(values, grid, interpolator, outside):
    field = to_simpleitk(Volume(_vectors(grid)[..., 0], grid))
    vectors = sitk.GetImageFromArray(_vectors(grid).astype(np.float64), isVector=True)
    vectors.CopyInformation(field)
    transform = sitk.DisplacementFieldTransform(vectors)
    reference = to_simpleitk(Volume(np.zeros(TARGET.shape, np.float32), TARGET))
    image = to_simpleitk(Volume(values, IMAGE))
    return sitk.GetArrayFromImage(sitk.Resample(image, reference, transform, interpolator, outside))


@each_field
def test_a_warp_equals_that_of_simpleitk_up_to_the_border_of_image_and_field(grid):
    ours = warped_linear(VALUES, TARGET.index_transform(IMAGE), TARGET.shape, field=_field(grid), outside=-1000)
    theirs = _by_simpleitk(VALUES, grid, sitk.sitkLinear, -1000)
    assert (theirs != -1000).mean() > 0.5
    assert (np.abs(ours - theirs) > 1e-2).mean() < 1e-3  # float32 displacements: a point may cross the border


@each_field
def test_labels_are_warped_to_the_nearest_voxel(grid):
    labels = RNG.integers(0, 5, IMAGE.shape).astype(np.uint8)
    ours = warped_nearest(labels, TARGET.index_transform(IMAGE), TARGET.shape, field=_field(grid), outside=0)
    theirs = _by_simpleitk(labels, grid, sitk.sitkNearestNeighbor, 0)
    assert (ours != theirs).mean() < 1e-3


def test_a_field_of_zeros_changes_nothing():
    array = RNG.integers(-1000, 1000, IMAGE.shape).astype(np.int16)
    matrix = TARGET.index_transform(IMAGE)
    still = Field(np.zeros((2, 2, 2, 3), np.float32), np.eye(4), np.eye(3))
    expected = affine_linear(array, matrix, TARGET.shape, outside=-7)
    np.testing.assert_array_equal(warped_linear(array, matrix, TARGET.shape, field=still, outside=-7), expected)


def test_a_displacement_that_is_no_number_leads_outside():
    vectors = np.zeros((*IMAGE.shape, 3), np.float32)
    vectors[4, 5, 6] = np.nan
    field = Field(vectors, np.eye(4), np.eye(3))
    warped = warped_linear(VALUES, np.eye(4), IMAGE.shape, field=field, outside=-1)
    assert warped[4, 5, 6] == -1
    np.testing.assert_array_equal(warped[:4], VALUES[:4])
    labels = np.ones(IMAGE.shape, np.uint8)
    assert warped_nearest(labels, np.eye(4), IMAGE.shape, field=field, outside=0)[4, 5, 6] == 0


def test_what_is_no_field_is_refused():
    with pytest.raises(ValueError, match="three numbers"):
        Field(np.zeros((2, 2, 2)), np.eye(4), np.eye(3))
    with pytest.raises(ValueError, match=r"\(4, 4\) and \(3, 3\)"):
        Field(np.zeros((2, 2, 2, 3)), np.eye(3), np.eye(3))
    still = Field(np.zeros((2, 2, 2, 3)), np.eye(4), np.eye(3))
    with pytest.raises(ValueError, match="3D array"):
        warped_nearest(np.zeros((2, 2)), np.eye(4), (2, 2, 2), field=still, outside=0)
    with pytest.raises(ValueError, match="int64"):
        warped_linear(np.zeros((2, 2, 2), np.int64), np.eye(4), (2, 2, 2), field=still, outside=0)
