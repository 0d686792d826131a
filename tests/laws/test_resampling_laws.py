import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from isocenter.bridges import to_simpleitk
from isocenter.geometry import Grid
from isocenter.ops.resample import AIR_HU, invert, onto, stretched_to_shape, to_orientation, to_spacing
from isocenter.ops.shape import to_shape
from isocenter.volume import Volume

from .strategies import examples, grids, indices, orientations, segmentations, shapes, spacings, volumes

signed_volumes = volumes(dtypes=(np.int16, np.float32)) | volumes(sheared=True, dtypes=(np.int16,))


@given(volumes(sheared=True) | volumes(), orientations, st.data())
def test_reorienting_moves_no_voxel_and_comes_back_exactly(volume, orientation, data):
    turned = to_orientation(volume, orientation)
    assert turned.grid.orientation == orientation
    index = data.draw(indices(turned.grid))
    there = np.rint(volume.grid.to_index(turned.grid.to_world(index))).astype(int)
    assert turned.array[index] == volume.array[tuple(there)]
    assert turned.array.flags.c_contiguous
    np.testing.assert_array_equal(onto(turned, volume.grid).array, volume.array)


@given(signed_volumes, shapes, st.data())
def test_cropping_and_padding_keep_every_voxel_at_its_place(volume, shape, data):
    fitted = to_shape(volume, shape)
    assert fitted.shape == shape
    index = data.draw(indices(fitted.grid))
    there = np.rint(volume.grid.to_index(fitted.grid.to_world(index))).astype(int)
    inside = all(0 <= i < n for i, n in zip(there, volume.shape, strict=True))
    assert fitted.array[index] == (volume.array[tuple(there)] if inside else AIR_HU)


@given(signed_volumes, st.tuples(*[st.integers(0, 4)] * 3), orientations)
def test_padding_and_turning_come_back_exactly(volume, more, orientation):
    grid = volume.grid.pad(more, more[::-1]).reorient(orientation)
    np.testing.assert_array_equal(onto(onto(volume, grid), volume.grid).array, volume.array)


@given(segmentations() | segmentations(sheared=True), grids())
def test_a_moved_segmentation_never_invents_a_label(segmentation, grid):
    from dataclasses import replace

    grid = replace(grid, frame_of_reference_uid=segmentation.grid.frame_of_reference_uid)
    moved = onto(segmentation, grid)
    assert set(np.unique(moved.array)) <= {0, *np.unique(segmentation.array)}
    assert moved.array.dtype == segmentation.array.dtype


@given(signed_volumes, spacings)
def test_resampling_never_leaves_the_range_of_values_and_needs_no_outside_value(volume, spacing):
    resampled = to_spacing(volume, spacing, outside=9999)
    assert volume.array.min() <= resampled.array.min()
    assert resampled.array.max() <= volume.array.max()
    tolerance_mm = 2e-3 * max(volume.spacing_mm)  # on one lattice to a thousandth of a voxel
    assert resampled.sources == () or resampled.grid.coincides(volume.grid, tolerance_mm)


@given(grids() | grids(sheared=True), grids(), st.tuples(*[st.floats(-3, 3)] * 3))
def test_a_linear_image_stays_the_same_function_of_place(grid, target, slope):
    from dataclasses import replace

    from isocenter.codes import HU
    from isocenter.volume import Volume

    target = replace(target, frame_of_reference_uid=None)
    points = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))
    volume = Volume(points @ np.array(slope), grid, HU)
    moved = onto(volume, target, outside=np.nan)
    places = target.to_world(np.moveaxis(np.indices(target.shape), 0, -1))
    index = grid.to_index(places)
    within = ((index >= 0) & (index <= np.array(grid.shape) - 1)).all(axis=-1)
    np.testing.assert_allclose(moved.array[within], (places @ np.array(slope))[within], atol=0.05)
    far = ((index < -0.51) | (index > np.array(grid.shape) - 0.49)).any(axis=-1)
    assert np.isnan(moved.array[far]).all()


def _near(grid, affine, shape, share):
    """A grid of another direction and spacing whose middle lies in another one."""
    linear = affine[:3, :3] * (np.mean(grid.extent_mm) / np.mean(np.linalg.norm(affine[:3, :3], axis=0) * shape))
    whole = np.eye(4)
    whole[:3, :3] = linear
    middle = grid.to_world((np.array(grid.shape) - 1) * share)
    whole[:3, 3] = middle - linear @ ((np.array(shape) - 1) / 2)
    return Grid(shape, whole, grid.frame_of_reference_uid)


@examples(0.25)
@given(volumes(dtypes=(np.int16, np.float32)), grids(), st.tuples(*[st.floats(0.2, 0.8)] * 3), st.booleans())
def test_each_interpolation_equals_that_of_simpleitk_up_to_the_border(volume, other, share, is_upright):
    target = _near(volume.grid, volume.grid.affine if is_upright else other.affine, other.shape, share)
    values = volume.array.astype(np.float64)
    image = to_simpleitk(Volume(values, volume.grid))
    reference = to_simpleitk(Volume(np.zeros(target.shape, np.float32), target))

    def theirs(interpolator, moving=image):
        return sitk.GetArrayFromImage(sitk.Resample(moving, reference, sitk.Transform(), interpolator, -9000.0))

    index = volume.grid.to_index(target.to_world(np.moveaxis(np.indices(target.shape), 0, -1)))
    from_border = np.abs(np.concatenate([index + 0.5, index + 0.5 - volume.shape], axis=-1)).min(axis=-1)
    from_tie = np.abs(index + 0.5 - np.rint(index + 0.5)).min(axis=-1)
    sure = from_border > 2e-3
    rounding = 0.51 if volume.array.dtype == np.int16 else 0.02
    kinds = {"linear": sitk.sitkLinear, "cubic": sitk.sitkBSpline, "nearest": sitk.sitkNearestNeighbor}
    if 2 in volume.shape:
        del kinds["cubic"]  # ITK does not mirror an axis of two voxels as it mirrors others; SciPy does, below
    for kind, interpolator in kinds.items():
        ours = onto(volume, target, interpolation=kind, outside=-9000).array
        compared = sure & (from_tie > 2e-3) if kind == "nearest" else sure
        np.testing.assert_allclose(ours[compared], theirs(interpolator)[compared], atol=rounding)
    weights = theirs(sitk.sitkLanczosWindowedSinc, to_simpleitk(Volume(np.ones_like(values), volume.grid)))
    ours = onto(volume, target, interpolation="lanczos", outside=-9000).array
    inside = sure & (weights != -9000)
    expected = theirs(sitk.sitkLanczosWindowedSinc)[inside] / weights[inside]
    np.testing.assert_allclose(ours[inside], expected, atol=rounding)


@examples(0.25)
@given(volumes(sheared=True, dtypes=(np.float32,)), grids(), st.tuples(*[st.floats(0.2, 0.8)] * 3))
def test_cubic_equals_scipy_on_sheared_and_oblique_grids(volume, other, share):
    target = _near(volume.grid, other.affine, other.shape, share)
    matrix = target.index_transform(volume.grid)
    theirs = ndimage.affine_transform(
        volume.array.astype(float), matrix[:3, :3], matrix[:3, 3], target.shape, order=3, mode="mirror"
    )
    ours = onto(volume, target, interpolation="cubic", outside=np.nan).array
    inside = np.isfinite(ours)
    np.testing.assert_allclose(ours[inside], theirs[inside], atol=0.02)


@pytest.mark.parametrize("kind", ["linear", "cubic", "lanczos"])
@examples(0.1)
@given(volumes(dtypes=(np.uint8, np.float32)), grids(), st.tuples(*[st.floats(0.2, 0.8)] * 3))
def test_smoothing_keeps_a_constant_and_leaves_finer_grids_alone(kind, volume, other, share):
    target = _near(volume.grid, other.affine, other.shape, share)
    seven = volume.with_array(np.full(volume.shape, 7, volume.array.dtype))
    smooth = onto(seven, target, interpolation=kind, smoothing="matched", outside=7)
    np.testing.assert_allclose(smooth.array, 7, atol=1e-4)
    finer = volume.grid.with_shape([2 * n for n in volume.shape])
    rough, smooth = (onto(volume, finer, interpolation=kind, smoothing=word).array for word in ("none", "matched"))
    np.testing.assert_allclose(smooth, rough, atol=1 if smooth.dtype == np.uint8 else 0.01)


@examples(0.5)
@given(segmentations() | segmentations(sheared=True), grids(), st.tuples(*[st.floats(0.2, 0.8)] * 3))
def test_smooth_labels_are_never_made_up_and_stay_where_all_around_agree(segmentation, other, share):
    target = _near(segmentation.grid, other.affine, other.shape, share)
    for smoothing in ("none", "matched"):
        moved = onto(segmentation, target, labels="smooth", smoothing=smoothing)
        assert set(np.unique(moved.array)) <= {0, *np.unique(segmentation.array)}
        assert moved.array.dtype == segmentation.array.dtype
    ones = type(segmentation)(
        (np.ones_like(segmentation.array),), segmentation.grid, segmentation.segments, segmentation.algorithm
    )
    nearest, smooth = (onto(ones, target, labels=word).array for word in ("nearest", "smooth"))
    np.testing.assert_array_equal(nearest, smooth)


@given(segmentations() | segmentations(sheared=True), shapes, st.tuples(*[st.floats(0, 1)] * 3))
def test_a_shape_about_any_point_is_brought_back_exactly_as_far_as_it_reached(segmentation, shape, share):
    grid = segmentation.grid
    work = to_shape(segmentation, shape, center_mm=grid.to_world((np.array(grid.shape) - 1) * share))
    if work.grid.coincides(grid):
        return
    back = invert(work, segmentation)
    index = work.grid.to_index(grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1)))
    kept = ((index > -0.5) & (index < np.array(shape) - 0.5)).all(axis=-1)
    np.testing.assert_array_equal(back.array, np.where(kept, segmentation.array, 0))
    codes = {reason.code for reason in back.reasons}
    if not np.array_equal(back.array, segmentation.array):
        assert "SEGMENT_CUT" in codes


@given(volumes(), shapes)
def test_stretching_to_a_shape_needs_no_outside_value_and_keeps_the_field_of_view(volume, shape):
    stretched = stretched_to_shape(volume, shape, smoothing="matched")
    assert stretched.shape == shape
    np.testing.assert_allclose(stretched.grid.extent_mm, volume.grid.extent_mm)
    assert volume.array.min() - 1e-3 <= stretched.array.min()
    assert stretched.array.max() <= volume.array.max() + 1e-3
