from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from pydicom import Dataset, dcmread

from isocenter import codes
from isocenter.dicom.derived import seg
from isocenter.dicom.derived.making import Making, encode
from isocenter.dicom.derived.writing import write
from isocenter.errors import Bug, Refused, UsageError
from isocenter.findings import Segmentation
from isocenter.geometry import Grid


def lungs_of(segmentation: Segmentation) -> Segmentation:
    return segmentation.only("lung_right", "lung_left", "trachea")


def saved(dataset: Dataset, path: Path) -> Path:
    path.write_bytes(encode(dataset))
    return path


def test_every_voxel_of_every_segment_comes_back(
    segmentation: Segmentation, sources: list[Dataset], making: Making, tmp_path: Path
) -> None:
    path = saved(seg.make(segmentation, sources, making), tmp_path / "seg.dcm")
    masks = seg.read_back(dcmread(path), segmentation.grid)
    assert len(masks) == 4
    for mask, name in zip(masks, segmentation.names, strict=True):
        assert np.array_equal(mask, segmentation.mask(name))


def test_pixels_that_were_left_on_disk_are_compared_too(
    segmentation: Segmentation, sources: list[Dataset], making: Making, tmp_path: Path
) -> None:
    made = seg.make(segmentation, sources, making)
    seg.check(dcmread(saved(made, tmp_path / "seg.dcm"), defer_size=1024), segmentation)
    made.PixelData = made.PixelData[:-2] + bytes([made.PixelData[-2] ^ 1]) + made.PixelData[-1:]
    with pytest.raises(Bug, match="read back"):
        seg.check(dcmread(saved(made, tmp_path / "seg.dcm"), defer_size=1024), segmentation)


def test_headers_of_frames_that_cannot_be_followed_are_noticed(
    segmentation: Segmentation, sources: list[Dataset], making: Making
) -> None:
    made = seg.make(segmentation, sources, making)
    del made.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence
    with pytest.raises(Bug, match="the headers of its frames"):
        seg.check(made, segmentation)


def test_another_reader_finds_the_same_masks_in_the_same_place(
    segmentation: Segmentation, sources: list[Dataset], making: Making, tmp_path: Path
) -> None:
    path = saved(seg.make(segmentation, sources, making), tmp_path / "seg.dcm")
    volume = hd.seg.segread(path).get_volume(rescale_fractional=False)
    first = round(float(segmentation.grid.to_index(volume.affine[:3, 3])[0]))
    assert np.allclose(volume.affine[:3, :3], segmentation.grid.affine[:3, :3])
    for i, name in enumerate(segmentation.names):
        mask = segmentation.mask(name)
        assert np.array_equal(volume.array[..., i].astype(bool), mask[first : first + volume.shape[0]])
        assert mask.sum() == volume.array[..., i].sum()


def test_validators_have_nothing_against_it(
    segmentation: Segmentation,
    sources: list[Dataset],
    making: Making,
    tmp_path: Path,
    complaints: Callable[[Path], list[str]],
) -> None:
    for name, what in {"overlap": segmentation, "one": segmentation.only("lung_left")}.items():
        assert complaints(saved(seg.make(what, sources, making), tmp_path / f"{name}.dcm")) == []


def test_the_same_arguments_give_the_same_bytes(
    segmentation: Segmentation, sources: list[Dataset], making: Making
) -> None:
    for encoding, what in ((seg.Encoding.BINARY, segmentation), (seg.Encoding.LABELMAP, lungs_of(segmentation))):
        once, again = (encode(seg.make(what, sources, making, encoding=encoding)) for _ in range(2))
        assert once == again


def test_other_voxels_or_another_encoding_are_another_object(
    segmentation: Segmentation, sources: list[Dataset], making: Making
) -> None:
    lungs = lungs_of(segmentation)
    array = lungs.layers[0].copy()
    array[2, 3, 4] = (array[2, 3, 4] + 1) % 3
    moved = np.roll(lungs.layers[0], 1, axis=0)
    uids = {
        seg.make(lungs, sources, making).SOPInstanceUID,
        seg.make(replace(lungs, layers=(array, lungs.layers[1])), sources, making).SOPInstanceUID,
        seg.make(replace(lungs, layers=(moved, lungs.layers[1])), sources, making).SOPInstanceUID,
        seg.make(lungs, sources, making, encoding=seg.Encoding.LABELMAP).SOPInstanceUID,
        seg.make(lungs, sources, replace(making, seed=("other",))).SOPInstanceUID,
    }
    assert len(uids) == 5


def test_a_label_map_comes_back_too(
    segmentation: Segmentation, sources: list[Dataset], making: Making, tmp_path: Path
) -> None:
    lungs = lungs_of(segmentation)
    made = seg.make(lungs, sources, making, encoding=seg.Encoding.LABELMAP)
    write(made, tmp_path / "seg.dcm", check=partial(seg.check, segmentation=lungs))
    masks = seg.read_back(dcmread(tmp_path / "seg.dcm"), lungs.grid)
    assert [np.array_equal(mask, lungs.mask(name)) for mask, name in zip(masks, lungs.names, strict=True)] == [True] * 3
    combined = hd.seg.segread(tmp_path / "seg.dcm").get_volume(combine_segments=True)
    assert np.array_equal(combined.array, np.where(lungs.layers[0] < 3, lungs.layers[0], 0)[1:])


def test_another_decoder_unpacks_the_label_map(
    segmentation: Segmentation, sources: list[Dataset], making: Making, tmp_path: Path
) -> None:
    program = shutil.which("dcmdrle")
    if program is None:
        pytest.skip("dcmdrle (dcmtk) is not installed")
    lungs = lungs_of(segmentation)
    path = saved(seg.make(lungs, sources, making, encoding=seg.Encoding.LABELMAP), tmp_path / "seg.dcm")
    subprocess.run([program, str(path), str(tmp_path / "plain.dcm")], check=True)
    plain = dcmread(tmp_path / "plain.dcm").PixelData
    labels = np.frombuffer(plain, np.uint8)[: 5 * 90].reshape(5, 10, 9)
    assert np.array_equal(labels, np.where(lungs.layers[0] < 3, lungs.layers[0], 0)[1:])


def test_overlapping_segments_are_no_label_map(
    segmentation: Segmentation, sources: list[Dataset], making: Making
) -> None:
    with pytest.raises(Refused, match="overlap"):
        seg.make(segmentation, sources, making, encoding=seg.Encoding.LABELMAP)
    assert seg.make(segmentation, sources, making).SegmentsOverlap == "YES"
    assert seg.make(lungs_of(segmentation), sources, making).SegmentsOverlap == "NO"


def test_a_tilted_stack_is_written_onto_its_own_frames(
    segmentation: Segmentation, tilted: tuple[list[Dataset], Grid], making: Making, tmp_path: Path
) -> None:
    headers, grid = tilted
    sheared = replace(segmentation, grid=grid)
    write(seg.make(sheared, headers, making), tmp_path / "s.dcm", check=partial(seg.check, segmentation=sheared))
    back = dcmread(tmp_path / "s.dcm")
    by_uid = {str(h.SOPInstanceUID): list(map(float, h.ImagePositionPatient)) for h in headers}
    for item in back.PerFrameFunctionalGroupsSequence:
        source = item.DerivationImageSequence[0].SourceImageSequence[0]
        assert source.SpatialLocationsPreserved == "YES"
        assert item.PlanePositionSequence[0].ImagePositionPatient == by_uid[str(source.ReferencedSOPInstanceUID)]


def test_a_stack_that_runs_from_feet_to_head_is_written_too(
    segmentation: Segmentation, sources: list[Dataset], making: Making
) -> None:
    layers = tuple(layer[::-1] for layer in segmentation.layers)
    upward = replace(segmentation, layers=layers, grid=segmentation.grid.flip(0))
    made = seg.make(upward, sources[::-1], making)
    seg.check(made, upward)
    seg.check(made, replace(upward, layers=segmentation.layers, grid=segmentation.grid))


def test_sources_that_lie_elsewhere_are_refused(
    segmentation: Segmentation, sources: list[Dataset], tilted: tuple[list[Dataset], Grid], making: Making
) -> None:
    for wrong in (sources[::-1], sources[1:], tilted[0]):
        with pytest.raises(UsageError, match="does not lie on the frames"):
            seg.make(segmentation, wrong, making)


def test_an_empty_segment_is_described_without_frames(
    segmentation: Segmentation, sources: list[Dataset], making: Making
) -> None:
    made = seg.make(segmentation, sources, making)
    numbers = {
        int(item.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        for item in made.PerFrameFunctionalGroupsSequence
    }
    assert [str(item.SegmentLabel) for item in made.SegmentSequence] == ["Right lung", "Left lung", "Trachea", "Body"]
    assert numbers == {1, 2, 4}


def test_nothing_found_is_no_object(segmentation: Segmentation, sources: list[Dataset], making: Making) -> None:
    with pytest.raises(Refused, match="SEGMENT_EMPTY"):
        seg.make(segmentation.only("trachea"), sources, making)


def test_a_changed_voxel_a_lost_frame_and_a_moved_frame_are_noticed(
    segmentation: Segmentation, sources: list[Dataset], making: Making
) -> None:
    def made() -> Dataset:
        return seg.make(segmentation, sources, making)

    seg.check(made(), segmentation)
    changed = made()
    changed.PixelData = bytes([changed.PixelData[0] ^ 1]) + changed.PixelData[1:]
    moved = made()
    position = moved.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]
    position.ImagePositionPatient = (
        moved.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0]["ImagePositionPatient"].value
    )
    beside = made()
    beside.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0].ImagePositionPatient = [0, 0, 0]
    lost = made()
    lost.PerFrameFunctionalGroupsSequence = list(lost.PerFrameFunctionalGroupsSequence)[:-1]
    renamed = made()
    renamed.SegmentSequence[0].SegmentLabel = "Left lung"
    for wrong in (changed, moved, beside, lost, renamed):
        with pytest.raises(Bug, match="read back"):
            seg.check(wrong, segmentation)


def test_segments_say_what_they_are_and_what_made_them(
    segmentation: Segmentation, sources: list[Dataset], making: Making
) -> None:
    first, second = seg.make(segmentation, sources, making).SegmentSequence[:2]
    kind = first.SegmentedPropertyTypeCodeSequence[0]
    assert (kind.CodeValue, kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeValue) == (
        codes.LUNG.value,
        codes.RIGHT.value,
    )
    algorithm = first.SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("lungs", "0.1.0")
    assert algorithm.AlgorithmFamilyCodeSequence[0].CodeMeaning == "Morphological Operations"
    assert "threshold_hu" in algorithm.AlgorithmParameters
    assert first.TrackingUID != second.TrackingUID
    lab = hd.color.CIELabColor.from_dicom_value(first.RecommendedDisplayCIELabValue)
    assert np.allclose(lab.to_rgb(), (220, 90, 90), atol=2)


def test_sources_are_left_as_they_were(segmentation: Segmentation, sources: list[Dataset], making: Making) -> None:
    del sources[0].PatientBirthDate
    before = [encode(source) for source in sources]
    seg.make(segmentation, sources, making)
    assert [encode(source) for source in sources] == before


def test_headers_of_frames_put_together_are_those_that_highdicom_makes(
    segmentation: Segmentation, sources: list[Dataset], making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    for what in (segmentation, segmentation.only("lung_left"), lungs_of(segmentation)):
        put_together = encode(seg.make(what, sources, making))
        with monkeypatch.context() as patch:
            patch.setattr(seg, "few", lambda present: present)
            patch.setattr(seg, "spread", lambda _, order, __: order)
            assert encode(seg.make(what, sources, making)) == put_together
