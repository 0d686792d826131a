"""Multi-frame images: what functional groups and frame increments say of each frame, and what they leave unsaid."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom import Sequence as Items

from isocenter.dicom.file import nested
from isocenter.dicom.file.files import FileRef, Opener
from isocenter.dicom.file.header import read_header
from isocenter.dicom.frames.groups import WANTED_GROUPS
from isocenter.dicom.frames.multiframe import MOST_FRAMES
from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import scan
from isocenter.geometry import Grid
from isocenter.testing.cases_geometry import AXIAL
from isocenter.testing.cases_multiframe import OBLIQUE
from isocenter.testing.multiframe import Many, Stack, write_many
from isocenter.testing.tiled import US_CINE, write_cine
from isocenter.testing.truth import Ramp

FIRST, SECOND = Ramp(40.0), Ramp(260.0, (2.3, -4.1, 6.7))
MR = Many(kind="MR", rescale=None)
ONE_STACK = (Stack(FIRST, OBLIQUE),)


def frames_of(path):
    return sorted((frame for series in scan(path) for frame in series.frames), key=lambda frame: frame.number)


def codes_of(path):
    return {reason.code for series in scan(path) for reason in series.reasons}


def enhanced(tmp_path, edit=lambda ds: None, *, many=MR, stacks=ONE_STACK):
    return write_many(stacks, tmp_path / "many.dcm", many=replace(many, edit=edit))


def test_each_frame_lies_where_its_own_group_says(tmp_path):
    frames = frames_of(enhanced(tmp_path))
    assert [frame.number for frame in frames] == list(range(1, len(frames) + 1))
    for index, frame in enumerate(frames):
        np.testing.assert_allclose(frame.position_mm, OBLIQUE.to_world((index, 0, 0)), atol=1e-6)


def test_the_group_of_a_frame_wins_over_the_shared_one(tmp_path):
    def edit(ds):
        item = Dataset()
        item.PixelSpacing, item.SliceThickness = [9.0, 8.0], 7.0
        ds.PerFrameFunctionalGroupsSequence[2].PixelMeasuresSequence = Items([item])

    frames = frames_of(enhanced(tmp_path, edit))
    assert (frames[2].pixel_spacing_mm, frames[2].slice_thickness_mm) == ((9.0, 8.0), 7.0)
    assert frames[1].pixel_spacing_mm == pytest.approx(tuple(OBLIQUE.spacing_mm[1:]))


def test_marks_come_from_the_groups(tmp_path):
    def edit(ds):
        for group in ds.PerFrameFunctionalGroupsSequence:
            content = group.FrameContentSequence[0]
            content.FrameAcquisitionNumber, content.FrameAcquisitionDateTime = 5, "20240102101112.5"
            heart, kind, direction = Dataset(), group.MRImageFrameTypeSequence[0], Dataset()
            heart.NominalCardiacTriggerDelayTime, kind.ComplexImageComponent = 123.5, "PHASE"
            direction.DiffusionGradientOrientation = [0.0, 0.6, 0.8]
            group.CardiacSynchronizationSequence = Items([heart])
            group.MRDiffusionSequence[0].DiffusionGradientDirectionSequence = Items([direction])

    stack = Stack(FIRST, AXIAL, stack_id="1", time=3, echo_time_ms=12.5, b_value=800.0)
    mark = frames_of(enhanced(tmp_path, edit, stacks=[stack]))[0].mark
    assert (mark.temporal_position, mark.echo_time_ms, mark.b_value, mark.stack_id) == (3, 12.5, 800.0, "1")
    assert (mark.trigger_time_ms, mark.component, mark.acquisition_number) == (123.5, "PHASE", 5)
    assert mark.direction == (0.0, 0.6, 0.8)
    assert mark.acquisition_time_s == 36672.5
    assert mark.image_type == ("ORIGINAL", "PRIMARY", "VOLUME", "NONE")
    assert [name for name, _ in mark.dimensions] == [
        "temporal position index",
        "effective echo time",
        "diffusion bvalue",
    ]


def test_two_stacks_in_one_file_become_two_series(tmp_path):
    other = Stack(SECOND, OBLIQUE, stack_id="2")
    found = scan(enhanced(tmp_path, stacks=[Stack(FIRST, OBLIQUE, stack_id="1"), other]))
    assert [len(series) for series in found] == [OBLIQUE.shape[0]] * 2
    assert len({series.part for series in found}) == 2
    assert all(series.verdict.usable for series in found)


def test_a_position_at_the_top_level_is_none_of_many_frames(tmp_path):
    def edit(ds):
        ds.ImagePositionPatient = [1, 2, 3]
        del ds.PerFrameFunctionalGroupsSequence[3].PlanePositionSequence

    path = enhanced(tmp_path, edit)
    assert frames_of(path)[3].position_mm is None
    assert "POSITION_MISSING" in codes_of(path)


@pytest.mark.parametrize("kept", [0, 2, 5])
def test_frames_without_a_group_have_no_place(tmp_path, kept):
    def edit(ds):
        ds.PerFrameFunctionalGroupsSequence = ds.PerFrameFunctionalGroupsSequence[:kept]

    path = enhanced(tmp_path, edit)
    assert [frame.position_mm is not None for frame in frames_of(path)] == [number < kept for number in range(6)]
    assert "FRAMES_CONTRADICT" in codes_of(path)
    assert not any(series.verdict.usable for series in scan(path))


def test_more_groups_than_frames_place_none(tmp_path):
    def edit(ds):
        ds.NumberOfFrames = 4
        ds.PixelData = ds.PixelData[: len(ds.PixelData) // 6 * 4]

    path = enhanced(tmp_path, edit)
    assert all(frame.position_mm is None for frame in frames_of(path))
    assert "FRAMES_CONTRADICT" in codes_of(path)


@pytest.mark.parametrize("claimed", [7, MOST_FRAMES + 1, 2**31 - 1])
@pytest.mark.parametrize("syntax", ["explicit", "RLE"])
def test_an_absurd_number_of_frames_is_held_and_fills_no_memory(tmp_path, claimed, syntax):
    path = enhanced(tmp_path, lambda ds: setattr(ds, "NumberOfFrames", claimed), many=replace(MR, syntax=syntax))
    assert len(frames_of(path)) <= path.stat().st_size
    assert "FRAMES_CONTRADICT" in codes_of(path)
    assert not any(series.verdict.usable for series in scan(path))


@pytest.mark.parametrize("claimed", [0, -3])
def test_a_number_of_frames_below_one_is_held(tmp_path, claimed):
    path = enhanced(tmp_path, lambda ds: setattr(ds, "NumberOfFrames", claimed))
    assert not any(series.verdict.usable for series in scan(path))


def test_an_object_of_one_frame_is_placed_by_its_group(tmp_path):
    grid = Grid((1, *OBLIQUE.shape[1:]), OBLIQUE.affine)
    (series,) = scan(enhanced(tmp_path, stacks=[Stack(FIRST, grid)]))
    assert series.verdict.usable
    np.testing.assert_allclose(series.frames[0].position_mm, grid.origin_mm, atol=1e-6)


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big endian", "deflated"])
def test_the_groups_are_the_same_in_every_encoding_of_the_header(tmp_path, syntax):
    path = enhanced(tmp_path, many=replace(MR, syntax=syntax, rescale=(2.0, 1.0)))
    plain = enhanced(tmp_path / "plain", many=replace(MR, rescale=(2.0, 1.0)))
    told = [(f.position_mm, f.orientation, f.pixel_spacing_mm, f.mark, f.rescale) for f in frames_of(path)]
    assert told == [(f.position_mm, f.orientation, f.pixel_spacing_mm, f.mark, f.rescale) for f in frames_of(plain)]


def test_the_walk_through_sequences_finds_what_pydicom_finds(tmp_path):
    path = enhanced(tmp_path, stacks=[Stack(FIRST, OBLIQUE, time=1), Stack(SECOND, OBLIQUE, time=2)])
    with Opener() as opener:
        source = opener.open(FileRef(str(path)))
        walked = nested.read(source, read_header(source), WANTED_GROUPS)
        source.close()
    assert walked == nested.item_of(dcmread(path, stop_before_pixels=True), WANTED_GROUPS)
    assert len(walked) == 3


def test_positions_in_the_volume_of_a_transducer_are_said_to_be_that(tmp_path):
    def edit(ds):
        ds.SOPClassUID, ds.Modality = "1.2.840.10008.5.1.4.1.1.6.2", "US"
        shared = ds.SharedFunctionalGroupsSequence[0]
        orientation = Dataset()
        orientation.ImageOrientationVolume = [
            float(x) for x in shared.PlaneOrientationSequence[0].ImageOrientationPatient
        ]
        del shared.PlaneOrientationSequence
        shared.PlaneOrientationVolumeSequence = Items([orientation])
        for group in ds.PerFrameFunctionalGroupsSequence:
            position = Dataset()
            position.ImagePositionVolume = [float(x) for x in group.PlanePositionSequence[0].ImagePositionPatient]
            del group.PlanePositionSequence
            group.PlanePositionVolumeSequence = Items([position])

    path = enhanced(tmp_path, edit)
    np.testing.assert_allclose(frames_of(path)[0].position_mm, OBLIQUE.origin_mm, atol=1e-6)
    assert "PLACE_IN_VOLUME" in codes_of(path)
    assert [series.verdict.usable for series in scan(path)] == [True]


def test_a_cine_runs_along_time_and_has_no_place(tmp_path):
    cells = np.arange(5 * 6 * 7, dtype=np.uint8).reshape(5, 6, 7)
    (series,) = scan(write_cine(cells, tmp_path / "cine.dcm", class_uid=US_CINE))
    assert (series.axis, len(series), len(series.frames)) == ("time", 1, 5)
    assert {frame.position_mm for frame in series.frames} == {None}
    np.testing.assert_array_equal(read(series).array[0], np.moveaxis(cells, 0, -1))


def test_a_position_of_the_first_frame_alone_is_none_of_the_others(tmp_path):
    def edit(ds):
        del ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
        ds.PixelSpacing = [1, 1]

    path = enhanced(tmp_path, edit)
    assert [frame.position_mm is None for frame in frames_of(path)] == [False] + [True] * 5
    assert "POSITION_MISSING" in codes_of(path)


def test_hundreds_of_frames_are_told_in_a_moment(tmp_path):
    grid = Grid((500, 2, 2), np.diag([1.0, 1, -1, 1])[:, [2, 1, 0, 3]])
    path = enhanced(tmp_path, stacks=[Stack(Ramp(5000.0), grid, time=1)])
    frames_of(path)
    start = time.perf_counter()
    assert len(frames_of(path)) == 500
    assert time.perf_counter() - start < 2.0  # some 30 ms; the bound is for machines under load
