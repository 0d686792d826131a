"""Grouping: one series value per volume, or a reason why not."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from isocenter.dicom.pixels import read
from isocenter.dicom.scan import scan
from isocenter.geometry import Grid, Space
from isocenter.reasons import Verdict
from isocenter.testing.dicom import Style, uid_of, write_series

GRID = Grid.from_vectors((5, 4, 3), spacing_mm=(2, 0.5, 0.75), origin_mm=(1, 2, 50))


def write(folder, name="a", grid=GRID, value=0.0, **style):
    """A series of one constant value; several of one seed go into one DICOM series."""
    style = {"file_name": lambda k: f"{name}{k}.dcm", **style}
    user_edit = style.pop("edit", None)

    def edit(index, data_set):
        data_set.SOPInstanceUID = uid_of(name, index)
        if user_edit is not None:
            user_edit(index, data_set)

    return write_series(np.full(grid.shape, value), grid, folder, style=Style(edit=edit, **style))


def reasons(series):
    return [reason.code for reason in series.reasons]


def the(folder):
    (series,) = scan(folder)
    return series


@pytest.mark.parametrize(
    ("attributes", "label"),
    [
        ([{"EchoNumbers": 1}, {"EchoNumbers": 2}], ["echo 1", "echo 2"]),
        ([{"TemporalPositionIdentifier": 1}, {"TemporalPositionIdentifier": 2}], ["time 1 of 2", "time 2 of 2"]),
        ([{"AcquisitionNumber": 3}, {"AcquisitionNumber": 4}], ["acquisition 3", "acquisition 4"]),
        ([{"DiffusionBValue": 0.0}, {"DiffusionBValue": 800.0}], ["b 0", "b 800"]),
        ([{"EchoTime": "2.3"}, {"EchoTime": "4.6"}], ["echo time 2.3 ms", "echo time 4.6 ms"]),
    ],
)
def test_volumes_at_the_same_positions_are_split_by_what_tells_them_apart(tmp_path: Path, attributes, label):
    for number, extra in enumerate(attributes):
        write(tmp_path, f"v{number}", value=100.0 * number, modality="MR", rescale=None, attributes=extra)
    found = scan(tmp_path)
    assert [series.part for series in found] == label
    assert len({series.series_uid for series in found}) == 1
    for number, series in enumerate(found):
        assert reasons(series) == ["SPLIT"]
        assert (read(series).array == 100 * number).all()
        assert series.name.endswith(f"({label[number]})")


def test_two_marks_together_may_tell_volumes_apart(tmp_path: Path):
    for time in (1, 2):
        for echo in (1, 2):
            extra = {"TemporalPositionIdentifier": time, "EchoNumbers": echo}
            write(tmp_path, f"{time}{echo}", value=10.0 * time + echo, modality="MR", rescale=None, attributes=extra)
    found = scan(tmp_path)
    assert [series.part for series in found] == [f"time {t} of 2, echo {e}" for t in (1, 2) for e in (1, 2)]
    assert [int(read(series).array[0, 0, 0]) for series in found] == [11, 12, 21, 22]


def test_volumes_that_nothing_tells_apart_are_held(tmp_path: Path):
    write(tmp_path, "a")
    write(tmp_path, "b", value=5.0)
    series = the(tmp_path)
    assert series.verdict is Verdict.HELD
    assert reasons(series) == ["DUPLICATE_POSITION"]
    assert len(series.reasons[0].instances) == 10


def test_an_incomplete_second_volume_is_held_and_the_whole_one_is_not(tmp_path: Path):
    write(tmp_path, "a", attributes={"EchoNumbers": 1})
    for path in write(tmp_path, "b", attributes={"EchoNumbers": 2})[3:]:
        path.unlink()
    whole, cut = scan(tmp_path)
    assert (len(whole), whole.part, reasons(whole)) == (5, "echo 1", ["SPLIT"])
    assert (len(cut), cut.part, reasons(cut)) == (3, "echo 2", ["SPLIT", "PART_INCOMPLETE"])
    assert cut.verdict is Verdict.HELD
    assert set(cut.reasons[1].instances) == {uid_of("b", index) for index in range(3)}


def test_one_more_slice_of_another_acquisition_is_held(tmp_path: Path):
    """An acquisition number says too little of a slice to take it out."""
    write(tmp_path, "a")
    for path in write(tmp_path, "b", attributes={"AcquisitionNumber": 99})[1:]:
        path.unlink()
    assert reasons(the(tmp_path)) == ["DUPLICATE_POSITION"]


def test_volumes_that_lie_between_each_other_are_not_woven_into_one(tmp_path: Path):
    shifted = Grid(GRID.shape, GRID.affine @ [[1, 0, 0, 0.5], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    write(tmp_path, "a", attributes={"TemporalPositionIdentifier": 1})
    write(tmp_path, "b", grid=shifted, attributes={"TemporalPositionIdentifier": 2})
    assert [(len(series), series.part) for series in scan(tmp_path)] == [(5, "time 1 of 2"), (5, "time 2 of 2")]


def test_acquisitions_that_follow_each_other_are_one_volume(tmp_path: Path):
    def number(index, data_set):
        data_set.AcquisitionNumber = 1 + index // 3

    write(tmp_path, edit=number)
    series = the(tmp_path)
    assert len(series) == 5
    assert reasons(series) == []


def test_a_localizer_in_the_series_is_split_off(tmp_path: Path):
    write(tmp_path, "a")
    scout = Grid.from_vectors((1, 7, 7), direction=np.eye(3)[:, [1, 2, 0]], spacing_mm=(5, 1, 1))
    write(tmp_path, "s", grid=scout, attributes={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]})
    found = {series.part: series for series in scan(tmp_path)}
    assert set(found) == {"localizer", "volume"}
    assert "LOCALIZER" in reasons(found["localizer"])
    assert found["localizer"].is_localizer
    assert len(found["volume"]) == 5
    assert reasons(found["volume"]) == ["SPLIT"]


def test_slices_of_another_size_spacing_orientation_or_kernel_are_split_off(tmp_path: Path):
    write(tmp_path, "a")
    write(tmp_path, "size", grid=Grid.from_vectors((2, 9, 9), spacing_mm=(2, 0.5, 0.75)))
    write(tmp_path, "spacing", grid=Grid.from_vectors((3, 4, 3), spacing_mm=(2, 0.5, 0.9)))
    turned = Grid.from_vectors((4, 4, 3), direction=np.eye(3)[:, [1, 2, 0]], spacing_mm=(2, 0.5, 0.75))
    write(tmp_path, "turned", grid=turned)
    write(tmp_path, "kernel", grid=GRID.crop((0, 0, 0), (2, 4, 3)), attributes={"ConvolutionKernel": "B70f"})
    assert sorted(len(series) for series in scan(tmp_path)) == [2, 2, 3, 4, 5]


def test_a_copy_of_a_file_is_taken_once(tmp_path: Path):
    paths = write(tmp_path)
    shutil.copy(paths[2], tmp_path / "copy.dcm")
    series = the(tmp_path)
    assert len(series) == 5
    assert reasons(series) == ["DUPLICATE_INSTANCE"]
    assert series.verdict is Verdict.OK


def test_one_uid_with_two_contents_is_held(tmp_path: Path):
    paths = write(tmp_path)
    data = bytearray(paths[2].read_bytes())
    data[-1] ^= 1
    (tmp_path / "other.dcm").write_bytes(data)
    series = the(tmp_path)
    assert series.verdict is Verdict.HELD
    assert series.reasons[0].code == "INSTANCE_CONFLICT"
    assert series.reasons[0].instances == (uid_of("a", 2),)


@pytest.mark.parametrize(
    ("keyword", "value"), [("PatientID", "other"), ("StudyInstanceUID", "1.2.3"), ("Modality", "MR")]
)
def test_instances_that_contradict_each_other_are_held(tmp_path: Path, keyword, value):
    def change(index, data_set):
        if index == 3:
            setattr(data_set, keyword, value)

    write(tmp_path, edit=change)
    assert any(series.verdict is not Verdict.OK for series in scan(tmp_path))
    (odd, *others) = {r.instances for s in scan(tmp_path) for r in s.reasons if r.code == "SERIES_INCONSISTENT"}
    assert all("SERIES_INCONSISTENT" in reasons(series) for series in scan(tmp_path))
    assert (len(odd), others) == (1, [])


def test_a_gap_is_held_and_its_neighbours_are_named(tmp_path: Path):
    paths = write(tmp_path)
    paths[2].unlink()
    series = the(tmp_path)
    assert series.verdict is Verdict.HELD
    assert series.grid is None
    (reason,) = series.reasons
    assert reason.code == "SLICE_GAP"
    assert reason.instances == (uid_of("a", 1), uid_of("a", 3))
    assert "2 mm apart: 4 mm" in reason.message


def test_varying_spacing_is_held(tmp_path: Path):
    def move(index, data_set):
        data_set.ImagePositionPatient[2] = 50 - index**1.2

    write(tmp_path, edit=move)
    assert reasons(the(tmp_path)) == ["SPACING_VARIES"]


def test_positions_rounded_to_a_tenth_of_a_millimetre_are_even(tmp_path: Path):
    def round_(index, data_set):
        data_set.ImagePositionPatient[2] = round(50 - index * 0.625, 1)

    write(tmp_path, grid=Grid.from_vectors((9, 4, 3), spacing_mm=(0.625, 1, 1)), edit=round_)
    series = the(tmp_path)
    assert series.verdict is Verdict.OK
    assert series.grid.spacing_mm[0] == pytest.approx(0.625, abs=0.01)


def test_one_slice_shifted_within_its_plane_is_held(tmp_path: Path):
    def move(index, data_set):
        if index == 2:
            data_set.ImagePositionPatient[0] = 9

    write(tmp_path, edit=move)
    assert reasons(the(tmp_path)) == ["SPACING_VARIES"]


@pytest.mark.parametrize(
    ("keyword", "code"),
    [
        ("ImagePositionPatient", "POSITION_MISSING"),
        ("ImageOrientationPatient", "POSITION_MISSING"),
        ("PixelSpacing", "SPACING_MISSING"),
    ],
)
@pytest.mark.parametrize("where", [[2], [0, 1, 2, 3, 4]])
def test_a_missing_place_is_held_and_never_made_up(tmp_path: Path, keyword, code, where):
    def remove(index, data_set):
        if index in where:
            delattr(data_set, keyword)

    write(tmp_path, edit=remove)
    series = the(tmp_path)
    assert series.verdict is Verdict.HELD
    assert series.grid is None
    assert reasons(series) == [code]
    assert set(series.reasons[0].instances) == {uid_of("a", index) for index in where}


def test_a_skew_orientation_is_refused(tmp_path: Path):
    write(tmp_path, attributes={"ImageOrientationPatient": [1, 0, 0, 0.1, 1, 0]})
    assert the(tmp_path).verdict is Verdict.REJECTED


def test_a_single_slice_without_thickness_is_a_picture_without_depth(tmp_path: Path):
    write(tmp_path, grid=GRID.crop((0, 0, 0), (1, 4, 3)), value=7.0, attributes={"SliceThickness": None})
    series = the(tmp_path)
    assert reasons(series) == ["DEPTH_UNKNOWN"]
    assert series.grid.space is Space.PLANE
    assert series.grid.spacing_mm[1:] == (0.5, 0.75)
    assert (read(series).array == 7).all()


@pytest.mark.parametrize(
    "attributes",
    [
        {"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]},
        {"NumberOfFrames": 2},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.77.1.6"},
        {"PhotometricInterpretation": "PALETTE COLOR"},
        {"SamplesPerPixel": 3},
        {"BitsAllocated": 32},
        {"BitsStored": 17},
        {"Rows": 0},
    ],
)
def test_images_of_other_kinds_are_refused_as_unsupported(tmp_path: Path, attributes):
    write(tmp_path, attributes=attributes)
    for series in scan(tmp_path):
        assert series.verdict is Verdict.REJECTED
        assert "UNSUPPORTED" in reasons(series)


def test_slices_run_so_that_the_grid_is_right_handed(tmp_path: Path):
    """Head to feet for a common axial stack, whatever the instance numbers say."""
    write(tmp_path, instance_numbers=[5, 4, 3, 2, 1])
    series = the(tmp_path)
    assert series.grid.orientation == "IPL"
    assert series.grid.is_right_handed
    assert [instance.instance_number for instance in series.instances] == [5, 4, 3, 2, 1]


def test_the_order_of_files_does_not_matter(tmp_path: Path):
    order = [3, 0, 4, 1, 2]
    write(tmp_path / "plain")
    write(tmp_path / "mixed", file_name=lambda k: f"{order[k]}.dcm")
    plain, mixed = the(tmp_path / "plain"), the(tmp_path / "mixed")
    assert plain.grid == mixed.grid
    assert [i.sop_instance_uid for i in plain.instances] == [i.sop_instance_uid for i in mixed.instances]


def test_two_series_in_a_folder_stay_two(tmp_path: Path):
    write(tmp_path, "a", seed="one", attributes={"SeriesNumber": 7})
    write(tmp_path, "b", seed="two", attributes={"SeriesNumber": 3, "StudyInstanceUID": uid_of("one", "study")})
    assert [series.number for series in scan(tmp_path)] == [3, 7]


def test_a_tilt_that_no_gantry_has_is_held(tmp_path: Path):
    affine = GRID.affine.copy()
    affine[:3, 0] += (0, 4, 0)  # 4 mm along the rows for each 2 mm along the normal: 63 degrees
    write(tmp_path, grid=Grid(GRID.shape, affine))
    series = the(tmp_path)
    assert series.grid is None
    assert reasons(series) == ["SERIES_INCONSISTENT"]
    assert "63" in series.reasons[0].message


def test_volumes_that_lie_between_each_other_are_held_for_their_instance_numbers(tmp_path: Path):
    """Each slice of one volume lies half way between two of the other; nothing else tells them apart."""
    half = GRID.affine.copy()
    half[:3, 3] += half[:3, 0] / 2
    write(tmp_path, "a")
    write(tmp_path, "b", grid=Grid(GRID.shape, half))
    assert reasons(the(tmp_path)) == ["SERIES_INCONSISTENT"]
    assert the(tmp_path).verdict is Verdict.HELD


def test_equal_instance_numbers_alone_say_nothing(tmp_path: Path):
    write(tmp_path, instance_numbers=[1] * 5)
    assert reasons(the(tmp_path)) == []


@pytest.mark.parametrize(("thickness", "codes"), [("1", ["SLICES_APART"]), ("1.5", []), ("5", []), (None, [])])
def test_slices_farther_apart_than_they_are_thick_are_doubted(tmp_path: Path, thickness, codes):
    """Every second slice of a stack makes an even stack too."""
    write(tmp_path, attributes={"SliceThickness": thickness})
    series = the(tmp_path)
    assert series.verdict is Verdict.OK
    assert reasons(series) == codes


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("ConvolutionKernel", "B60s"),
        ("FrameOfReferenceUID", "1.2.3"),
        ("PhotometricInterpretation", "MONOCHROME1"),
        ("PixelSpacing", [0.6, 0.75]),
    ],
)
@pytest.mark.parametrize("where", [{4}, {0, 1}])
def test_a_stack_of_which_slices_are_split_off_is_doubted(tmp_path: Path, keyword, value, where):
    def change(index, data_set):
        if index in where:
            setattr(data_set, keyword, value)

    write(tmp_path, edit=change)
    larger, smaller = sorted(scan(tmp_path), key=len, reverse=True)
    assert len(larger) == 5 - len(where)
    assert "STACK_DIVIDED" in reasons(larger)
    assert "STACK_DIVIDED" in reasons(smaller)


def test_volumes_with_positions_of_their_own_are_no_divided_stack(tmp_path: Path):
    """Two kernels at the same positions, a third volume half a slice beside them, a fourth far away."""
    half, far = GRID.affine.copy(), GRID.affine.copy()
    half[:3, 3] += half[:3, 0] / 2
    far[:3, 3] += half[:3, 0] * 20
    for number, affine in enumerate((GRID.affine, GRID.affine, half, far)):
        attributes = {"ConvolutionKernel": f"B{number}0"}
        write(tmp_path, f"v{number}", grid=Grid(GRID.shape, affine), attributes=attributes)
    found = scan(tmp_path)
    assert len(found) == 4
    assert all(reasons(series) == ["SPLIT"] for series in found)


def test_directions_that_are_not_perpendicular_are_refused(tmp_path):
    grid = Grid.from_vectors((3, 4, 4))
    style = Style(attributes={"ImageOrientationPatient": [1, 0, 0, 0.5, 1, 0]})
    write_series(np.zeros(grid.shape, np.int16), grid, tmp_path, style=style)
    (series,) = scan(tmp_path)
    assert series.verdict is Verdict.REJECTED
    assert "ORIENTATION_INVALID" in [reason.code for reason in series.reasons]
