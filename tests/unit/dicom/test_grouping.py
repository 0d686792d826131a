"""Grouping: one series value per volume, or a reason why not."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import scan
from isocenter.dicom.sorting.grouping import together
from isocenter.errors import UsageError
from isocenter.geometry import Grid, Space
from isocenter.reasons import Verdict
from isocenter.testing.dicom import Style, uid_of, write_series
from isocenter.testing.multiframe import Many, Stack, write_many

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
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.77.1.6"},
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


def test_a_tilt_that_would_swell_the_volume_is_held(tmp_path: Path):
    """Two slices a metre apart, aslant, of very small pixels: upright they would need millions of rows."""
    affine = GRID.affine.copy()
    affine[:3, 0] = (0, 400, -900)
    affine[:3, 1] *= 1e-4
    write(tmp_path, grid=Grid((2, 4, 3), affine))
    series = the(tmp_path)
    assert series.verdict is Verdict.HELD
    assert reasons(series) == ["SERIES_INCONSISTENT"]


@pytest.mark.parametrize("spacing", [["1e300", "1"], ["1e-300", "1"], ["1e-9", "1e-9"]])
def test_an_absurd_pixel_spacing_is_none(tmp_path: Path, spacing):
    write(tmp_path, attributes={"PixelSpacing": spacing})
    assert reasons(the(tmp_path)) == ["SPACING_MISSING"]


@pytest.mark.parametrize("thickness", ["1e300", "1e-300"])
def test_an_absurd_thickness_is_no_depth(tmp_path: Path, thickness):
    write(tmp_path, grid=GRID.crop((0, 0, 0), (1, 4, 3)), attributes={"SliceThickness": thickness})
    assert reasons(the(tmp_path)) == ["DEPTH_UNKNOWN"]


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


# --- what tells volumes apart -----------------------------------------------------------------------------------------


def private(group, creator, element, vr, value):
    """An edit that puts a private attribute."""

    def put(data_set):
        data_set.private_block(group, creator, create=True).add_new(element, vr, value)

    return put


def write_volumes(folder, edits, **style):
    """A volume for each edit of data sets, of the value 100 times its number; all slices numbered alike."""
    for number, edit in enumerate(edits):

        def change(index, data_set, edit=edit):
            edit(data_set) if edit.__code__.co_argcount == 1 else edit(index, data_set)

        write(folder, f"v{number}-", value=100.0 * number, modality="MR", rescale=None, edit=change, **style)
    return scan(folder)


def attribute(keyword, value):
    return lambda data_set: setattr(data_set, keyword, value)


MARKS = {
    "inversion time": ([attribute("InversionTime", t) for t in (100, 900)], "inversion time {} ms", (100, 900)),
    "flip angle": ([attribute("FlipAngle", a) for a in (5, 26)], "flip angle {}", (5, 26)),
    "component": (
        [attribute("ComplexImageComponent", c) for c in ("MAGNITUDE", "PHASE")],
        "{}",
        ("magnitude", "phase"),
    ),
    "image type": (
        [attribute("ImageType", ["ORIGINAL", "PRIMARY", c]) for c in ("M", "P")],
        "{}",
        ("magnitude", "phase"),
    ),
    "dual energy": ([attribute("KVP", kv) for kv in (80, 140)], "{} kV", (80, 140)),
    "frame of PET": ([attribute("FrameReferenceTime", t) for t in (500, 2000)], "time {} of 2", (1, 2)),
    "one time each": ([attribute("AcquisitionTime", t) for t in ("235959.5", "101010")], "time {} of 2", (2, 1)),
    "GE b": ([private(0x43, "GEMS_PARM_01", 0x39, "IS", [b, 1, 0, 0]) for b in (0, 1000000800)], "b {}", (0, 800)),
    "Siemens b": ([private(0x19, "SIEMENS MR HEADER", 0x0C, "IS", b) for b in (0, 1000)], "b {}", (0, 1000)),
    "Siemens b, unknown": (
        [private(0x19, "SIEMENS MR HEADER", 0x0C, "UN", b) for b in (b"0 ", b"50")],
        "b {}",
        (0, 50),
    ),
    "Philips b": ([private(0x2001, "Philips Imaging DD 001", 0x03, "FL", b) for b in (0.0, 700.0)], "b {}", (0, 700)),
    "filter": ([attribute("FilterType", f) for f in ("A", "B")], "reconstruction {}", ("A", "B")),
    "Philips reconstruction": (
        [private(0x2001, "Philips Imaging DD 001", 0x1D, "IS", n) for n in (1, 2)],
        "reconstruction {}",
        (1, 2),
    ),
    "UIH b": ([private(0x65, "Image Private Header", 0x09, "FD", b) for b in (0.0, 600.0)], "b {}", (0, 600)),
    "GE component": ([private(0x43, "GEMS_PARM_01", 0x2F, "SS", c) for c in (2, 3)], "{}", ("real", "imaginary")),
}


@pytest.mark.parametrize("name", MARKS)
def test_rare_attributes_tell_volumes_apart_as_well(tmp_path: Path, name):
    edits, label, values = MARKS[name]
    found = write_volumes(tmp_path, edits)
    expected = {label.format(value): 100.0 * number for number, value in enumerate(values)}
    assert {series.part for series in found} == set(expected)
    for series in found:
        assert reasons(series) == ["SPLIT"]
        assert (read(series).array == expected[series.part]).all()


def test_directions_of_diffusion_are_numbered(tmp_path: Path):
    def diffusion(b, direction):
        def edit(data_set):
            data_set.DiffusionBValue = float(b)
            if direction is not None:
                data_set.DiffusionGradientOrientation = direction

        return edit

    edits = [diffusion(0, None), *(diffusion(1000, list(np.eye(3)[axis])) for axis in range(3))]
    found = write_volumes(tmp_path, edits)
    assert [series.part for series in found] == [
        "b 0",
        "b 1000, direction 1 of 3",
        "b 1000, direction 2 of 3",
        "b 1000, direction 3 of 3",
    ]


DIRECTIONS = {
    "Siemens": lambda v: private(0x19, "SIEMENS MR HEADER", 0x0E, "FD", v),
    "UIH": lambda v: private(0x65, "Image Private Header", 0x37, "FD", v),
    "GE": lambda v: three(0x19, "GEMS_ACQU_01", (0xBB, 0xBC, 0xBD), "DS", v),
    "Philips": lambda v: three(0x2005, "Philips MR Imaging DD 001", (0xB0, 0xB1, 0xB2), "FL", v),
}


def three(group, creator, elements, vr, values):
    def put(data_set):
        block = data_set.private_block(group, creator, create=True)
        for element, value in zip(elements, values, strict=True):
            block.add_new(element, vr, value)

    return put


@pytest.mark.parametrize("vendor", DIRECTIONS)
def test_directions_of_diffusion_are_known_by_vendor(tmp_path: Path, vendor):
    found = write_volumes(tmp_path, [DIRECTIONS[vendor](list(np.eye(3)[axis])) for axis in (2, 1, 0)])
    assert [(series.part, int(read(series).array[0, 0, 0])) for series in found] == [
        ("direction 1 of 3", 0),
        ("direction 2 of 3", 100),
        ("direction 3 of 3", 200),
    ]


def test_a_malformed_private_attribute_says_nothing(tmp_path: Path):
    edits = [private(0x19, "SIEMENS MR HEADER", 0x0E, "UN", value) for value in (b"12", b"abc")]
    assert reasons(write_volumes(tmp_path, edits)[0]) == ["DUPLICATE_POSITION"]


def test_twelve_time_points_are_in_order(tmp_path: Path):
    found = write_volumes(tmp_path, [attribute("TemporalPositionIdentifier", time) for time in range(1, 13)])
    assert [series.part for series in found] == [f"time {time} of 12" for time in range(1, 13)]
    assert [int(read(series).array[0, 0, 0]) for series in found] == list(range(0, 1200, 100))


@pytest.mark.parametrize(
    ("slices", "told"),
    [([5, 5], "2 volumes of 5 slices each"), ([2, 3, 4, 5, 6, 7, 8], "7 volumes of 8, 7, 6, 5, 4, 3, ... slices")],
)
def test_a_split_says_what_there_is(tmp_path: Path, slices, told):
    for number, count in enumerate(slices):
        write(tmp_path, f"v{number}", grid=other_grid(0, 2, count), attributes={"ConvolutionKernel": f"B{number}"})
    assert told in scan(tmp_path)[0].reasons[0].message


def clock(seconds):
    return f"10{int(seconds) // 60:02d}{seconds % 60:05.2f}"


@pytest.mark.parametrize("keyword", ["AcquisitionTime", "ContentTime"])
def test_volumes_that_follow_each_other_slice_by_slice_are_told_by_their_times(tmp_path: Path, keyword):
    """As of a 2D dynamic scan: each slice has a time of its own."""

    def taken(volume):
        return lambda index, data_set: setattr(data_set, keyword, clock(10 * volume + (index * 3) % 5))

    found = write_volumes(tmp_path, [taken(volume) for volume in range(3)])
    assert [series.part for series in found] == ["time 1 of 3", "time 2 of 3", "time 3 of 3"]
    assert [int(read(series).array[0, 0, 0]) for series in found] == [0, 100, 200]
    assert all(reasons(series) == ["SPLIT", "PARTED_BY_TIME"] for series in found)
    assert all(series.verdict is Verdict.OK for series in found)


def test_times_that_overlap_tell_nothing(tmp_path: Path):
    def taken(volume):
        return lambda index, data_set: setattr(data_set, "AcquisitionTime", clock(volume + 3 * index))

    assert reasons(write_volumes(tmp_path, [taken(0), taken(1)])[0]) == ["DUPLICATE_POSITION"]


def test_phases_of_the_heart_are_told_by_their_trigger_times(tmp_path: Path):
    """Each slice was taken in other heart beats: the times of a phase differ from slice to slice."""

    def phase(number):
        return lambda index, data_set: setattr(data_set, "TriggerTime", f"{number * (40 + 3 * index)}")

    found = write_volumes(tmp_path, [phase(number) for number in range(4)])
    assert [series.part for series in found] == [f"time {number} of 4" for number in (1, 2, 3, 4)]
    assert [int(read(series).array[4, 0, 0]) for series in found] == [0, 100, 200, 300]
    assert all(reasons(series) == ["SPLIT", "PARTED_BY_ORDER"] for series in found)


def numbered(volume, number):
    return lambda index, data_set: setattr(data_set, "InstanceNumber", number(volume, index))


@pytest.mark.parametrize(
    "number",
    [
        lambda volume, index: 5 * volume + index + 1,
        lambda volume, index: 40 * volume + 5 - index,
        lambda volume, index: 3 * index + volume + 1,
    ],
    ids=["volume by volume", "volume by volume, upwards, with gaps", "slice by slice"],
)
def test_the_order_of_instance_numbers_tells_volumes_apart_as_a_guess(tmp_path: Path, number):
    found = write_volumes(tmp_path, [numbered(volume, number) for volume in range(3)])
    assert [series.part for series in found] == ["volume 1 of 3", "volume 2 of 3", "volume 3 of 3"]
    assert [int(read(series).array[0, 0, 0]) for series in found] == [0, 100, 200]
    assert all(series.verdict is Verdict.REPAIRED for series in found)
    assert all(reasons(series) == ["SPLIT", "PARTED_BY_ORDER"] for series in found)


def test_instance_numbers_in_disorder_tell_nothing(tmp_path: Path):
    shuffled = [3, 9, 1, 10, 5, 2, 8, 4, 7, 6]
    edits = [numbered(volume, lambda volume, index: shuffled[5 * volume + index]) for volume in (0, 1)]
    assert reasons(write_volumes(tmp_path, edits)[0]) == ["DUPLICATE_POSITION"]


def test_echoes_of_several_times_are_told_by_mark_and_order(tmp_path: Path):
    def edit(time, echo):
        def change(index, data_set):
            data_set.EchoNumbers, data_set.AcquisitionTime = echo, clock(20 * time + index + 0.1 * echo)

        return change

    found = write_volumes(tmp_path, [edit(time, echo) for time in (0, 1) for echo in (1, 2)])
    assert [(series.part, int(read(series).array[0, 0, 0])) for series in found] == [
        ("echo 1, time 1 of 2", 0),
        ("echo 1, time 2 of 2", 200),
        ("echo 2, time 1 of 2", 100),
        ("echo 2, time 2 of 2", 300),
    ]


def test_attributes_that_divide_the_slices_otherwise_are_an_ambiguity(tmp_path: Path):
    """Echo number says one thing, inversion time another."""

    def edit(volume):
        def change(index, data_set):
            data_set.EchoNumbers = volume + 1
            data_set.TemporalPositionIdentifier = 1 + (volume + (index > 2)) % 2

        return change

    assert reasons(write_volumes(tmp_path, [edit(0), edit(1)])[0]) == ["DUPLICATE_POSITION"]


def test_whole_headers_are_parsed_only_where_nothing_else_tells(tmp_path: Path, monkeypatch):
    from isocenter.dicom.sorting import second_look

    monkeypatch.setattr(second_look, "facts_of", lambda source, header: pytest.fail("looked"))
    assert len(write_volumes(tmp_path, [attribute("EchoNumbers", echo) for echo in (1, 2)])) == 2


def test_the_names_of_parts_say_what_differs(tmp_path: Path):
    write(tmp_path, "a")
    write(tmp_path, "b", attributes={"ConvolutionKernel": "B70f"})
    turned = Grid.from_vectors((2, 4, 3), direction=np.eye(3)[:, [1, 2, 0]])
    write(tmp_path, "c", grid=turned, attributes={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]})
    wide = Grid.from_vectors((3, 4, 3), direction=np.eye(3)[:, [0, 1, 2]], spacing_mm=(2, 1, 1))
    write(tmp_path, "d", grid=wide)
    found = {series.part: len(series) for series in scan(tmp_path)}
    assert len(found) == 4
    assert any(part.startswith("localizer") for part in found)
    assert any("kernel B70f" in part for part in found)


def test_volumes_of_one_series_have_distinct_names(tmp_path: Path):
    for number, spacing in enumerate((0.5, 0.50001, 0.6)):
        grid = Grid.from_vectors(
            (2 + number, 4, 3), spacing_mm=(2, spacing, 0.75), frame_of_reference_uid=f"1.2.{number}"
        )
        write(tmp_path, f"v{number}", grid=grid)
    names = [series.name for series in scan(tmp_path)]
    assert len(set(names)) == len(names) == 3


def other_grid(first, spacing_mm, count):
    """A stack from one of GRID's slices on, with another distance between slices."""
    affine = GRID.affine.copy()
    affine[:3, 3] = GRID.to_world((first, 0, 0))
    affine[:3, 0] *= spacing_mm / GRID.spacing_mm[0]
    return Grid((count, *GRID.shape[1:]), affine)


@pytest.mark.parametrize("shift", [0, 0.3])
def test_thick_and_thin_slices_of_one_range_are_two_volumes(tmp_path: Path, shift):
    write(tmp_path, "thin", grid=other_grid(0, 1, 17), value=1.0)
    write(tmp_path, "thick", grid=other_grid(shift, 4, 4), value=2.0)
    found = {series.part: series for series in scan(tmp_path)}
    assert {part: len(series) for part, series in found.items()} == {"thickness 1 mm": 17, "thickness 4 mm": 4}
    assert all(series.verdict is Verdict.OK for series in found.values())
    assert (read(found["thickness 4 mm"]).array == 2).all()


def test_thick_and_thin_slices_one_after_the_other_are_no_volumes(tmp_path: Path):
    write(tmp_path, "thin", grid=other_grid(0, 1, 5))
    write(tmp_path, "thick", grid=other_grid(4, 4, 5))
    assert [reasons(series) for series in scan(tmp_path)] == [["SPACING_VARIES"]]


def test_acquisitions_that_overlap_in_part_are_two_volumes(tmp_path: Path):
    write(tmp_path, "upper", attributes={"AcquisitionNumber": 1})
    write(tmp_path, "lower", grid=other_grid(3, 2, 6), attributes={"AcquisitionNumber": 2})
    assert [(series.part, len(series), reasons(series)) for series in scan(tmp_path)] == [
        ("acquisition 1", 5, ["SPLIT"]),
        ("acquisition 2", 6, ["SPLIT"]),
    ]


def test_an_echo_of_every_second_slice_is_whole_by_itself(tmp_path: Path):
    write(tmp_path, "a", attributes={"EchoNumbers": 1, "SliceThickness": 2})
    write(tmp_path, "b", grid=other_grid(0, 4, 3), attributes={"EchoNumbers": 2, "SliceThickness": 2})
    found = scan(tmp_path)
    assert [(series.part, len(series), series.verdict) for series in found] == [
        ("echo 1", 5, Verdict.OK),
        ("echo 2", 3, Verdict.OK),
    ]


# --- together ---------------------------------------------------------------------------------------------------------


def test_time_points_together_make_one_series_with_an_axis(tmp_path: Path):
    parts = write_volumes(tmp_path, [attribute("TemporalPositionIdentifier", time) for time in (1, 2, 3)])
    whole = together(parts, "time")
    assert (whole.axis, len(whole), len(whole.frames), whole.part) == ("time", 5, 15, "")
    assert whole.grid == parts[0].grid
    volume = read(whole)
    assert volume.axes == ("time",)
    assert volume.shape == (5, 4, 3, 3)
    for time, part in enumerate(parts):
        assert np.array_equal(volume.array[..., time], read(part).array)


def test_what_the_parts_share_stays_in_the_name(tmp_path: Path):
    for time in (1, 2):
        for echo in (1, 2):
            extra = {"TemporalPositionIdentifier": time, "EchoNumbers": echo}
            write(tmp_path, f"{time}{echo}", modality="MR", rescale=None, attributes=extra)
    echo_2 = [series for series in scan(tmp_path) if "echo 2" in series.part]
    assert together(echo_2, "time").part == "echo 2"


def test_a_tilted_dynamic_scan_is_read_upright(tmp_path: Path):
    affine = GRID.affine.copy()
    affine[:3, 0] += (0, 0.5, 0)
    edits = [attribute("TemporalPositionIdentifier", time) for time in (1, 2)]
    parts = write_volumes(tmp_path, edits, grid=Grid(GRID.shape, affine))
    volume = read(together(parts, "time"))
    assert not volume.grid.is_sheared
    for time, part in enumerate(parts):
        assert np.array_equal(volume.array[..., time], read(part).array)


def test_volumes_on_other_grids_are_not_put_together(tmp_path: Path):
    write(tmp_path, "a")
    write(tmp_path, "b", grid=Grid.from_vectors((2, 4, 3), spacing_mm=(2, 0.5, 0.9)))
    parts = scan(tmp_path)
    for wrong in (parts, parts[:1], ()):
        with pytest.raises(UsageError):
            together(wrong, "time")
    with pytest.raises(UsageError, match="axis"):
        together([parts[0], parts[0]], "")
    twice = together([parts[0], parts[0]], "time")
    with pytest.raises(UsageError, match="axis of their own"):
        together([twice, twice], "echo")


# --- multi-frame ------------------------------------------------------------------------------------------------------


def test_multi_frame_files_that_nothing_names_are_a_volume_each(tmp_path: Path):
    """As of a dynamic scan whose every time point is a file of its own."""
    for number in (2, 1, 3):
        many = Many(kind="MR", rescale=None, attributes={"InstanceNumber": number, "SOPInstanceUID": uid_of(number)})
        stack = Stack(lambda points, number=number: np.full(points.shape[:-1], 10 * number), GRID)
        write_many([stack], tmp_path / f"{number}.dcm", many=many)
    found = scan(tmp_path)
    assert [series.part for series in found] == ["volume 1 of 3", "volume 2 of 3", "volume 3 of 3"]
    assert [set(read(series).array.ravel()) for series in found] == [{10}, {20}, {30}]
    whole = read(together(found, "time"))
    assert whole.shape == (5, 4, 3, 3)


def test_volumes_of_one_multi_frame_file_are_told_by_its_dimensions(tmp_path: Path):
    stacks = [
        Stack(
            lambda points, value=10 * time + echo: np.full(points.shape[:-1], value), GRID, time=time, echo_time_ms=echo
        )
        for time in (1, 2)
        for echo in (3.0, 5.0)
    ]
    write_many(stacks, tmp_path / "many.dcm", many=Many(kind="MR", rescale=None))
    found = scan(tmp_path)
    assert [series.part for series in found] == [
        f"time {time} of 2, echo time {echo} ms" for time in (1, 2) for echo in (3, 5)
    ]
    assert [int(read(series).array[0, 0, 0]) for series in found] == [13, 15, 23, 25]
