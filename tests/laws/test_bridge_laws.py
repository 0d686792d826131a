from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter import bridges
from isocenter.errors import UsageError

from .strategies import examples, grids, indices, segmentations, volumes

CLOSE_MM = 1e-3
few = examples(0.5)


def _same(back, volume):
    np.testing.assert_array_equal(back.array, volume.array)
    assert back.array.dtype == volume.array.dtype
    assert back.grid.shape == volume.grid.shape
    np.testing.assert_allclose(back.grid.affine, volume.grid.affine, atol=1e-4, rtol=1e-6)
    assert not np.shares_memory(back.array, volume.array)


@few
@given(volumes(), st.data())
def test_simpleitk_keeps_voxel_and_place(volume, data):
    k, r, c = data.draw(indices(volume.grid))
    image = bridges.to_simpleitk(volume)
    assert image.GetPixel(c, r, k) == volume.array[k, r, c]
    there = image.TransformContinuousIndexToPhysicalPoint((float(c), float(r), float(k)))
    np.testing.assert_allclose(there, volume.grid.to_world((k, r, c)), atol=CLOSE_MM)
    _same(bridges.from_simpleitk(image), volume)


@few
@given(volumes() | volumes(sheared=True), st.data())
def test_nibabel_keeps_voxel_and_place(volume, data):
    from nibabel.affines import apply_affine

    k, r, c = data.draw(indices(volume.grid))
    image = bridges.to_nibabel(volume)
    assert np.asanyarray(image.dataobj)[c, r, k] == volume.array[k, r, c]
    ras = apply_affine(image.affine, (c, r, k))
    np.testing.assert_allclose(ras * (-1, -1, 1), volume.grid.to_world((k, r, c)), atol=CLOSE_MM)
    _same(bridges.from_nibabel(image), volume)


@few
@given(volumes() | volumes(sheared=True), st.data())
def test_a_metatensor_keeps_voxel_and_place(volume, data):
    pytest.importorskip("monai")
    index = data.draw(indices(volume.grid))
    tensor = bridges.to_metatensor(volume)
    assert tensor.shape == (1, *volume.shape)
    assert float(tensor[(0, *index)]) == volume.array[index]
    ras = (tensor.affine.numpy() @ (*index, 1))[:3]
    np.testing.assert_allclose(ras * (-1, -1, 1), volume.grid.to_world(index), atol=CLOSE_MM)
    _same(bridges.from_metatensor(tensor), volume)


@few
@given(volumes(), st.data())
def test_torchio_keeps_voxel_and_place(volume, data):
    pytest.importorskip("torchio")
    from nibabel.affines import apply_affine

    k, r, c = data.draw(indices(volume.grid))
    image = bridges.to_torchio(volume)
    assert float(image.data[0, c, r, k]) == volume.array[k, r, c]
    ras = apply_affine(image.affine, (c, r, k))
    np.testing.assert_allclose(ras * (-1, -1, 1), volume.grid.to_world((k, r, c)), atol=CLOSE_MM)
    _same(bridges.from_torchio(image), volume)


@few
@given(volumes(), st.data())
def test_highdicom_keeps_voxel_place_and_frame_of_reference(volume, data):
    index = data.draw(indices(volume.grid))
    other = bridges.to_highdicom(volume)
    assert other.array[index] == volume.array[index]
    there = other.map_indices_to_reference(np.array([index]))[0]
    np.testing.assert_allclose(there, volume.grid.to_world(index), atol=CLOSE_MM)
    back = bridges.from_highdicom(other)
    _same(back, volume)
    assert back.grid.frame_of_reference_uid == volume.grid.frame_of_reference_uid


@few
@given(segmentations())
def test_a_segmentation_comes_back_over_every_bridge(segmentation):
    for there, back in (
        (bridges.to_simpleitk, bridges.from_simpleitk),
        (bridges.to_nibabel, bridges.from_nibabel),
        (bridges.to_highdicom, bridges.from_highdicom),
    ):
        again = bridges.as_segmentation(back(there(segmentation)), segmentation.segments, segmentation.algorithm)
        np.testing.assert_array_equal(again.array, segmentation.array)


@few
@given(volumes(sheared=True))
def test_a_sheared_grid_is_refused_where_it_would_be_misplaced(volume):
    for bridge in (bridges.to_simpleitk, bridges.to_torchio, bridges.to_highdicom):
        if bridge is bridges.to_torchio and find_spec("torchio") is None:
            continue  # comes with the extra nets, which not every Python has
        with pytest.raises(UsageError, match="sheared"):
            bridge(volume)


@few
@given(grids(sheared=True) | grids())
def test_both_affines_of_a_grid_lead_back_to_it(grid):
    size = grid.shape[::-1]
    np.testing.assert_allclose(bridges.grid_from_ras(bridges.ras_affine(grid), size).affine, grid.affine, atol=1e-9)
    np.testing.assert_allclose(bridges.grid_from_lps(bridges.lps_affine(grid), size).affine, grid.affine, atol=1e-9)
