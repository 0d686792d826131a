import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from isocenter.ops.resample import AIR_HU, onto, to_orientation, to_spacing
from isocenter.ops.shape import to_shape

from .strategies import grids, indices, orientations, segmentations, shapes, spacings, volumes

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
