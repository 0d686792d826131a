import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from isocenter.geometry import Grid
from isocenter.reasons import CODES, Reason, merge

from .strategies import grids, indices, orientations, spacings

CLOSE_MM = 1e-6


@given(grids() | grids(sheared=True), st.tuples(*[st.floats(-50, 50)] * 3))
def test_index_to_world_and_back_is_the_same_index(grid, index):
    np.testing.assert_allclose(grid.to_index(grid.to_world(index)), index, atol=1e-6)


@given(grids() | grids(sheared=True), st.data())
def test_a_cropped_voxel_keeps_its_world_point(grid, data):
    start = data.draw(indices(grid))
    stop = tuple(data.draw(st.integers(a + 1, n)) for a, n in zip(start, grid.shape, strict=True))
    cropped = grid.crop(start, stop)
    index = np.array(data.draw(indices(cropped)))
    np.testing.assert_allclose(cropped.to_world(index), grid.to_world(index + start), atol=CLOSE_MM)


@given(grids() | grids(sheared=True), st.data())
def test_a_padded_voxel_keeps_its_world_point_and_cropping_undoes_it(grid, data):
    before, after = (data.draw(st.tuples(*[st.integers(0, 4)] * 3)) for _ in range(2))
    padded = grid.pad(before, after)
    index = np.array(data.draw(indices(grid)))
    np.testing.assert_allclose(padded.to_world(index + before), grid.to_world(index), atol=CLOSE_MM)
    back = padded.crop(before, [b + n for b, n in zip(before, grid.shape, strict=True)])
    assert back.coincides(grid, CLOSE_MM)


@given(grids() | grids(sheared=True), st.sets(st.integers(0, 2)), st.data())
def test_a_flipped_voxel_keeps_its_world_point(grid, axes, data):
    index = np.array(data.draw(indices(grid)))
    mirrored = [n - 1 - i if axis in axes else i for axis, (i, n) in enumerate(zip(index, grid.shape, strict=True))]
    np.testing.assert_allclose(grid.flip(*axes).to_world(mirrored), grid.to_world(index), atol=CLOSE_MM)


@given(grids() | grids(sheared=True), st.permutations([0, 1, 2]), st.data())
def test_a_permuted_voxel_keeps_its_world_point(grid, order, data):
    index = np.array(data.draw(indices(grid)))
    np.testing.assert_allclose(grid.permute(order).to_world(index[order]), grid.to_world(index), atol=CLOSE_MM)


@given(grids() | grids(sheared=True), orientations)
def test_reorienting_reaches_the_orientation_and_keeps_the_corners(grid, orientation):
    turned = grid.reorient(orientation)
    assert turned.orientation == orientation
    assert turned.reorient(grid.orientation).coincides(grid, CLOSE_MM)
    np.testing.assert_allclose(turned.center_mm, grid.center_mm, atol=CLOSE_MM)
    np.testing.assert_allclose(turned.voxel_volume_mm3, grid.voxel_volume_mm3)


@given(grids() | grids(sheared=True), spacings)
def test_another_spacing_keeps_the_center_and_the_field_of_view(grid, spacing):
    other = grid.with_spacing(spacing)
    np.testing.assert_allclose(other.spacing_mm, spacing)
    np.testing.assert_allclose(other.center_mm, grid.center_mm, atol=CLOSE_MM)
    for old, new, step in zip(grid.extent_mm, other.extent_mm, spacing, strict=True):
        assert abs(old - new) <= max(step / 2, step - old) + CLOSE_MM


@given(grids() | grids(sheared=True), st.tuples(*[st.integers(1, 20)] * 3))
def test_another_shape_keeps_the_field_of_view_exactly(grid, shape):
    other = grid.with_shape(shape)
    assert other.shape == shape
    np.testing.assert_allclose(other.extent_mm, grid.extent_mm)
    np.testing.assert_allclose(other.to_world([-0.5] * 3), grid.to_world([-0.5] * 3), atol=CLOSE_MM)


@given(grids() | grids(sheared=True))
def test_a_grid_survives_json_bit_for_bit(grid):
    again = Grid.from_dict(json.loads(json.dumps(grid.to_dict())))
    assert again == grid
    assert hash(again) == hash(grid)


@given(grids(), grids(), st.floats(-2e-3, 2e-3))
def test_coinciding_is_mutual(grid, other, shift):
    near = Grid(grid.shape, grid.affine + np.eye(4, 4, 3) * [[shift], [0], [0], [0]], grid.frame_of_reference_uid)
    assert grid.coincides(grid)
    assert (
        grid.coincides(near) == near.coincides(grid) == (abs(shift) <= 1e-3 or near == grid)
        or abs(abs(shift) - 1e-3) < 1e-9
    )
    assert grid.coincides(other) == other.coincides(grid)


@given(grids(), grids())
def test_an_index_transform_leads_to_the_same_world_point(grid, other):
    index = np.array([1.5, -2.0, 3.0, 1.0])
    there = grid.index_transform(other) @ index
    np.testing.assert_allclose(other.to_world(there[:3]), grid.to_world(index[:3]), atol=1e-5)


reasons = st.builds(Reason, st.sampled_from(sorted(CODES)), st.sampled_from("ab"), st.sampled_from([(), ("1",)]))


@given(st.lists(st.lists(reasons, max_size=4), max_size=4))
def test_merged_reasons_keep_their_order_and_come_once(groups):
    merged = merge(*groups)
    every = [reason for group in groups for reason in group]
    assert sorted(map(str, set(every))) == sorted(str(reason) for reason in set(merged))
    assert len(merged) == len(set(merged))
    first = [every.index(reason) for reason in merged]
    assert first == sorted(first)
