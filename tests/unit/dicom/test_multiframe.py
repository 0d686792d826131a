"""Frames of multi-frame images: what is told of them, and what is not told and so not made up."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from isocenter.dicom.grouping import together
from isocenter.dicom.pixels import read
from isocenter.dicom.scan import scan
from isocenter.dicom.series import Series
from isocenter.geometry import Grid, Space
from isocenter.reasons import Verdict
from isocenter.testing.multiframe import Many, Stack, write_many
from isocenter.testing.tiled import US_CINE, write_cine, write_dose, write_mosaic, write_nm

GRID = Grid.from_vectors((5, 4, 6), spacing_mm=(2.5, 0.5, 0.75), origin_mm=(-3, 4, 50))
UPWARD = GRID.flip(0)


def ramp(points: np.ndarray) -> np.ndarray:
    return np.rint(100 + 2 * points[..., 0] + 3 * points[..., 1] + 4 * points[..., 2])


def doubled(points: np.ndarray) -> np.ndarray:
    return 2 * ramp(points)


def the(folder: Path) -> Series:
    (series,) = scan(folder)
    return series


def codes(series: Series) -> set[str]:
    return {reason.code for reason in series.reasons}


def enhanced(folder: Path, **how: object) -> Series:
    write_many([Stack(ramp, GRID)], folder / "enhanced.dcm", many=Many(**how))  # type: ignore[arg-type]
    return the(folder)


def without_group(number: int):
    def edit(ds: Dataset) -> None:
        del ds.PerFrameFunctionalGroupsSequence[number]

    return edit


# --- functional groups ----------------------------------------------------------------------------------------------


def test_each_slice_knows_the_frame_it_was_read_from(tmp_path: Path):
    series = enhanced(tmp_path, order=(3, 1, 4, 0, 2))
    volume = read(series)
    assert series.verdict is Verdict.OK
    assert [source.frame for source in volume.sources if source] == [4, 2, 5, 1, 3]
    assert len(series.instances) == 1


@pytest.mark.parametrize("number", [0, 4])
def test_fewer_groups_than_frames_are_held(tmp_path: Path, number: int):
    series = enhanced(tmp_path, edit=without_group(number))
    assert series.verdict in (Verdict.HELD, Verdict.REJECTED)
    assert "FRAMES_CONTRADICT" in codes(series)


@pytest.mark.parametrize("claimed", [6, 2_000_000_000])
def test_more_frames_than_the_file_can_hold_are_never_believed(tmp_path: Path, claimed: int):
    series = enhanced(tmp_path, attributes={"NumberOfFrames": claimed})
    assert not series.verdict.usable
    assert len(series.frames) <= 6


def test_without_positions_no_place_is_made_up(tmp_path: Path):
    assert "POSITION_MISSING" in codes(enhanced(tmp_path, left_out=frozenset({"PlanePositionSequence"})))


def test_each_time_is_a_volume_with_its_name(tmp_path: Path):
    stacks = [Stack(ramp, GRID, time=1), Stack(doubled, GRID, time=2)]
    write_many(stacks, tmp_path / "times.dcm", many=Many())
    parts = list(scan(tmp_path))
    assert [part.part for part in parts] == ["time 1 of 2", "time 2 of 2"]
    both = read(together(parts, "time"))
    assert both.axes == ("time",)
    np.testing.assert_array_equal(both.array[..., 1], read(parts[1]).array)


def test_positions_in_a_transducers_volume_are_told(tmp_path: Path):
    def edit(ds: Dataset) -> None:
        for group in ds.PerFrameFunctionalGroupsSequence:
            place = Dataset()
            place.ImagePositionVolume = [float(x) for x in group.PlanePositionSequence[0].ImagePositionPatient]
            group.PlanePositionVolumeSequence = [place]
            del group.PlanePositionSequence
        (shared,) = ds.SharedFunctionalGroupsSequence
        place = Dataset()
        place.ImageOrientationVolume = [float(x) for x in shared.PlaneOrientationSequence[0].ImageOrientationPatient]
        shared.PlaneOrientationVolumeSequence = [place]
        del shared.PlaneOrientationSequence

    series = enhanced(tmp_path, edit=edit)
    assert "PLACE_IN_VOLUME" in codes(series)
    np.testing.assert_allclose(series.grid.affine, GRID.affine)


# --- mosaics --------------------------------------------------------------------------------------------------------


def test_the_tiles_of_a_mosaic_are_slices(tmp_path: Path):
    write_mosaic(ramp, GRID, tmp_path / "mosaic.dcm")
    series = the(tmp_path)
    np.testing.assert_allclose(series.grid.affine, GRID.affine, atol=1e-6)
    np.testing.assert_array_equal(read(series).array, ramp(GRID.to_world(np.moveaxis(np.indices(GRID.shape), 0, -1))))


def drop_csa(ds: Dataset) -> None:
    del ds[0x0029, 0x1010]


def lie_of_count(ds: Dataset) -> None:
    ds[0x0029, 0x1010].value = ds[0x0029, 0x1010].value.replace(b"5\0", b"7\0").replace(b"NumberOf", b"Numberof")


def cut_csa(ds: Dataset) -> None:
    ds[0x0029, 0x1010].value = ds[0x0029, 0x1010].value[:40]


def claim_many_elements(ds: Dataset) -> None:
    raw = ds[0x0029, 0x1010].value
    ds[0x0029, 0x1010].value = raw[:8] + struct.pack("<I", 1 << 31) + raw[12:]


def turn_normal(ds: Dataset) -> None:
    ds.ImageOrientationPatient = [0, 1, 0, 0, 0, 1]


def drop_spacing(ds: Dataset) -> None:
    ds.SpacingBetweenSlices = None


@pytest.mark.parametrize("edit", [drop_csa, lie_of_count, cut_csa, claim_many_elements, turn_normal, drop_spacing])
def test_a_mosaic_that_does_not_say_what_lies_where_is_held(tmp_path: Path, edit):
    write_mosaic(ramp, GRID, tmp_path / "mosaic.dcm", edit=edit)
    series = the(tmp_path)
    assert series.verdict is Verdict.HELD
    assert "MOSAIC_UNCLEAR" in codes(series)


# --- nuclear medicine -----------------------------------------------------------------------------------------------


def test_reconstructed_nuclear_slices_are_a_volume(tmp_path: Path):
    write_nm(ramp, UPWARD, tmp_path / "nm.dcm")
    series = the(tmp_path)
    np.testing.assert_allclose(series.grid.affine, GRID.affine, atol=1e-6)


def test_a_vector_without_an_index_for_each_frame_is_told(tmp_path: Path):
    write_nm(ramp, GRID, tmp_path / "nm.dcm", edit=lambda ds: setattr(ds, "SliceVector", [1, 2, 3]))
    (series, *_) = scan(tmp_path)
    assert "FRAMES_CONTRADICT" in codes(series)
    assert not series.verdict.usable


# --- dose -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offsets", [None, [0, 2.5], [7, 9.5, 12, 14.5, 17]])
def test_offsets_that_do_not_tell_the_planes_of_a_dose_are_held(tmp_path: Path, offsets):
    write_dose(ramp, UPWARD, tmp_path / "dose.dcm", edit=lambda ds: setattr(ds, "GridFrameOffsetVector", offsets))
    series = the(tmp_path)
    assert series.verdict is Verdict.HELD
    assert "FRAMES_CONTRADICT" in codes(series)


def test_a_dose_is_in_gray(tmp_path: Path):
    write_dose(ramp, UPWARD, tmp_path / "dose.dcm")
    volume = read(the(tmp_path))
    assert volume.unit.value == "Gy"
    expected = ramp(volume.grid.to_world(np.moveaxis(np.indices(volume.grid.shape), 0, -1)))
    np.testing.assert_allclose(volume.array, expected, atol=0.007)


# --- cines ----------------------------------------------------------------------------------------------------------


def test_a_cine_runs_along_time_and_has_no_place(tmp_path: Path):
    frames = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
    write_cine(frames, tmp_path / "cine.dcm", class_uid=US_CINE)
    series = the(tmp_path)
    assert (series.axis, series.grid.space, len(series)) == ("time", Space.PIXEL, 1)
    np.testing.assert_array_equal(read(series).array, np.moveaxis(frames, 0, -1)[None])
