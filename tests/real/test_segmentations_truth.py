"""Segmentations of other programs: against highdicom's reading, against each other, and on the images they are of."""

from __future__ import annotations

from pathlib import Path

import highdicom as hd
import numpy as np
import pytest

from isocenter.dicom.annotations.segmentation import read_fractions, read_segmentation
from isocenter.dicom.scan import scan
from isocenter.findings import Segmentation
from isocenter.formats import load

pytestmark = pytest.mark.real

BY_HIGHDICOM_TOO = (
    "dcmqi/sr-example/seg.dcm",
    "dcmqi/segmentations/liver.dcm",
    "dcmqi/segmentations/23x38x3/seg/label.seg",
    "highdicom_tests/seg_image_ct_binary.dcm",
    "highdicom_tests/seg_image_ct_binary_overlap.dcm",
    "highdicom_tests/seg_image_ct_binary_fractional.dcm",
    "highdicom_tests/seg_image_ct_binary_single_frame.dcm",
    "ibsi_1_digital_phantom/dicom_deprecated/mask/mask.deprecated",
    "pydicom_data/liver_nonbyte_aligned.dcm",
    "pydicom_data/liver_nonbyte_aligned_j2k.dcm",
)
SAME_LIVER = ("liver_expb", "liver_rle", "liver_j2k", "liver_deflate")
SAME_UNALIGNED = ("liver_nonbyte_aligned_rle", "liver_nonbyte_aligned_j2k", "liver_nonbyte_aligned_deflate")


def located(shared_data: Path, name: str) -> Path:
    path = shared_data / name
    return path if path.exists() else next(shared_data.rglob(Path(name).name))


@pytest.mark.parametrize("name", BY_HIGHDICOM_TOO)
def test_every_voxel_is_where_highdicom_finds_it(shared_data: Path, name: str) -> None:
    path = located(shared_data, name)
    found = read_segmentation(path)
    other = hd.seg.segread(path).get_volume(rescale_fractional=False)
    assert found.grid.shape == other.spatial_shape
    assert np.allclose(found.grid.affine, other.affine, atol=1e-3)
    for channel, segment in enumerate(found.segments):
        assert np.array_equal(found.mask(segment.name), other.array[..., channel] > 0)
    assert found.reasons == ()
    assert any(found.sources)


def test_fractions_are_those_that_highdicom_finds(shared_data: Path) -> None:
    path = shared_data / "highdicom_tests" / "seg_image_ct_true_fractional.dcm"
    other = hd.seg.segread(path).get_volume()
    assert np.allclose(read_fractions(path).array, other.array)
    found = read_segmentation(path)
    assert np.array_equal(found.mask("first_segment"), other.array[..., 0] >= 0.5)
    assert {reason.code for reason in found.reasons} == {"FRACTIONS_CUT"}


@pytest.mark.parametrize(
    ("name", "original"),
    [*((name, "liver") for name in SAME_LIVER), *((name, "liver_nonbyte_aligned") for name in SAME_UNALIGNED)],
)
def test_every_encoding_of_one_object_gives_the_same(shared_data: Path, name: str, original: str) -> None:
    """Bits in RLE, JPEG 2000 and deflated frames, and big endian: most readers refuse some of these."""
    one, other = (read_segmentation(located(shared_data, f"pydicom_data/{which}.dcm")) for which in (name, original))
    assert one.grid == other.grid
    assert np.array_equal(one.array, other.array)
    assert one.mask("liver").any()


def test_a_liver_lies_on_the_slices_that_it_was_drawn_on(shared_data: Path) -> None:
    folder = shared_data / "dcmqi" / "segmentations"
    (series,) = scan(folder / "ct-3slice")
    assert series.grid is not None
    found = read_segmentation(folder / "liver.dcm", grid=series.grid)
    assert found.grid == series.grid
    assert np.array_equal(found.mask("liver"), on_that_grid(folder / "liver_seg.nrrd", found))
    assert [source.sop_instance_uid for source in found.sources if source] == [
        i.sop_instance_uid for i in series.instances
    ]
    liver = found.segment("liver")
    assert (liver.title, liver.property_type.meaning, liver.color) == ("Liver", "Liver", (221, 130, 101))


def on_that_grid(path: Path, found: Segmentation) -> np.ndarray:
    """A mask of another file format, each voxel looked up by its place."""
    image = load(path)
    places = found.grid.to_index(image.grid.to_world(np.argwhere(image.array > 0)))
    assert np.abs(places - np.rint(places)).max() < 1e-2
    voxels = np.zeros(found.grid.shape, bool)
    voxels[tuple(np.rint(places).astype(int).T)] = True
    return voxels


def test_a_segmentation_of_a_radiograph_is_a_plane(shared_data: Path) -> None:
    found = read_segmentation(shared_data / "highdicom_tests" / "seg_image_cr_binary.dcm")
    assert found.grid.shape == (1, 16, 16)
    assert found.mask("first_segment").sum() == 151


def test_codes_colours_and_algorithms_of_other_programs_come_over(shared_data: Path) -> None:
    found = read_segmentation(shared_data / "dcmqi" / "sr-example" / "seg.dcm")
    (tumour,) = found.segments
    assert tumour.property_type.value == "M-80003"
    assert tumour.region is not None
    assert tumour.region.value == "T-C5300"
    assert tumour.color == (128, 174, 128)
    assert found.algorithm.name == "manual"


def test_every_segmentation_among_the_data_sets_is_found_and_read(shared_data: Path) -> None:
    count = 0
    for folder in ("dcmqi", "highdicom_tests", "pydicom_data", "ibsi_1_digital_phantom"):
        for stored in scan(shared_data / folder).findings:
            assert stored.kind == "segmentation"
            assert read_segmentation(stored).segments
            count += 1
    assert count == 19
