from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from isocenter import formats

from .strategies import examples, segmentations, volumes

few = examples(0.4)
endings = st.sampled_from([".nii", ".nii.gz", ".nrrd", ".mha", ".npz", ".npy", ".tif"])


@few
@given(volumes() | volumes(sheared=True), endings)
def test_a_saved_volume_is_loaded_the_same(tmp_path_factory, volume, ending):
    path = tmp_path_factory.mktemp("law") / f"image{ending}"
    formats.save(volume, path)
    again = formats.load(path)
    np.testing.assert_array_equal(again.array, volume.array)
    assert again.array.dtype == volume.array.dtype
    assert again.grid.coincides(volume.grid)
    assert (again.unit, again.modality, again.reasons) == (volume.unit, "CT", ())
    if ending in (".npz", ".npy", ".tif"):
        assert again.grid == volume.grid
        assert again.sources == volume.sources


@few
@given(segmentations() | segmentations(sheared=True), endings)
def test_a_saved_segmentation_is_loaded_with_its_names(tmp_path_factory, segmentation, ending):
    path = tmp_path_factory.mktemp("law") / f"labels{ending}"
    formats.save(segmentation, path)
    again = formats.load_segmentation(path)
    np.testing.assert_array_equal(again.array, segmentation.array)
    assert again.grid.coincides(segmentation.grid)
    assert again.segments == segmentation.segments
    assert again.algorithm == segmentation.algorithm


@few
@given(segmentations(), st.sampled_from([".nii.gz", ".nrrd", ".mha", ".npz", ".npy"]))
def test_overlapping_layers_come_back_apart(tmp_path_factory, segmentation, ending):
    other = np.where(segmentation.array == 1, 2, 0).astype(np.uint8)
    first, second = segmentation.segments
    both = replace(
        segmentation, layers=(segmentation.array, other), segments=(first, replace(second, name="over", layer=1))
    )
    path = tmp_path_factory.mktemp("law") / f"labels{ending}"
    formats.save(both, path)
    again = formats.load_segmentation(path)
    for name in both.names:
        np.testing.assert_array_equal(again.mask(name), both.mask(name))


@few
@given(volumes() | volumes(sheared=True), endings)
def test_the_same_image_gives_the_same_bytes(tmp_path_factory, volume, ending):
    folder = tmp_path_factory.mktemp("law")
    for name in ("a", "b"):
        formats.save(volume, folder / f"{name}{ending}")
    assert (folder / f"a{ending}").read_bytes() == (folder / f"b{ending}").read_bytes()
