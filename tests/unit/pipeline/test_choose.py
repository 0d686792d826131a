"""Which series of a study a pipeline takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isocenter.dicom.scan import scan
from isocenter.dicom.sorting.series import Series
from isocenter.errors import UsageError
from isocenter.geometry import Grid
from isocenter.pipeline.choose import choose, kernel_kind, length_mm, only
from isocenter.pipeline.spec import pipeline
from isocenter.testing.dicom import Style, uid_of, write_series

RULE = pipeline("lungs").rule


def add(folder: Path, number: int, *, slices: int = 10, spacing_mm: float = 30.0, **style: object) -> None:
    """Write one series of a study."""
    attributes = {"SeriesNumber": number, "SeriesDescription": f"series {number}", "StudyInstanceUID": uid_of("study")}
    attributes |= dict(style.pop("attributes", {}))  # type: ignore[call-overload]
    grid = Grid.from_vectors((slices, 4, 4), spacing_mm=(spacing_mm, 90, 90))
    values = np.zeros(grid.shape, np.int16)
    made = Style(seed=f"series {number}", attributes=attributes, **style)  # type: ignore[arg-type]
    write_series(values, grid, folder / str(number), style=made)


def numbers(found: tuple[tuple[Series, object], ...]) -> list[int | None]:
    """Series numbers."""
    return [series.number for series, _ in found]


def test_the_thinnest_ct_that_covers_the_chest_is_taken(tmp_path: Path) -> None:
    add(tmp_path, 1, slices=10, spacing_mm=30)
    add(tmp_path, 2, slices=60, spacing_mm=5)
    add(tmp_path, 3, slices=20, spacing_mm=1)  # thinner, but 20 mm long
    add(tmp_path, 4, slices=90, spacing_mm=3, modality="MR", rescale=None)
    choice = choose(scan(tmp_path), RULE)
    assert numbers(choice.taken) == [2]
    assert sorted(numbers(choice.left)) == [1, 3, 4]  # type: ignore[type-var]
    assert {reason.code for _, reason in choice.left} == {"NOT_CHOSEN", "WRONG_MODALITY"}


def test_of_equal_spacing_the_soft_kernel_is_taken(tmp_path: Path) -> None:
    for number, kernel in ((1, "BONE"), (2, "LUNG"), (3, "STANDARD")):
        add(tmp_path, number, attributes={"ConvolutionKernel": kernel})
    assert numbers(choose(scan(tmp_path), RULE).taken) == [3]


def test_a_short_series_is_taken_if_there_is_no_other_and_says_so(tmp_path: Path) -> None:
    add(tmp_path, 1, slices=4, spacing_mm=10)
    ((series, reasons),) = choose(scan(tmp_path), RULE).taken
    assert series.number == 1
    assert [reason.code for reason in reasons] == ["COVERAGE_SHORT"]


def test_all_takes_every_usable_series_that_fits(tmp_path: Path) -> None:
    add(tmp_path, 1)
    add(tmp_path, 2)
    add(tmp_path, 3, modality="MR", rescale=None)
    assert sorted(numbers(choose(scan(tmp_path), RULE, "all").taken)) == [1, 2]  # type: ignore[type-var]


def test_a_series_is_had_by_number_or_uid(tmp_path: Path) -> None:
    add(tmp_path, 1)
    add(tmp_path, 2)
    found = scan(tmp_path)
    uid = next(series.series_uid for series in found if series.number == 2)
    assert numbers(choose(found, RULE, "1").taken) == [1]
    assert numbers(choose(found, RULE, uid).taken) == [2]
    assert only(found, uid).number == 2


def test_a_number_that_is_not_there_is_wrong_use_and_the_others_are_named(tmp_path: Path) -> None:
    add(tmp_path, 1)
    with pytest.raises(UsageError, match="series 1"):
        only(scan(tmp_path), "9")


def test_a_held_series_is_taken_only_if_no_usable_one_fits(tmp_path: Path) -> None:
    add(tmp_path, 1)
    (tmp_path / "1" / "IM00004.dcm").unlink()
    assert [series.verdict.usable for series, _ in choose(scan(tmp_path), RULE).taken] == [False]
    add(tmp_path, 2)
    choice = choose(scan(tmp_path), RULE)
    assert numbers(choice.taken) == [2]
    assert [reason.code for _, reason in choice.left] == ["SLICE_GAP"]
    assert [reason.code for reason in choice.taken[0][1]] == ["OTHER_SERIES_HELD"]


def test_a_localizer_is_never_taken(tmp_path: Path) -> None:
    add(tmp_path, 1, slices=1, attributes={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]})
    choice = choose(scan(tmp_path), RULE)
    assert choice.taken == ()
    assert [reason.code for _, reason in choice.left] == ["LOCALIZER"]


def test_the_choice_does_not_depend_on_the_order_of_the_series(tmp_path: Path) -> None:
    for number in range(1, 5):
        add(tmp_path, number)
    found = list(scan(tmp_path))
    assert numbers(choose(found, RULE).taken) == numbers(choose(found[::-1], RULE).taken)


@pytest.mark.parametrize(
    ("kernel", "kind"),
    [("B30f", "soft"), ("Br40d\\2", "soft"), ("STANDARD", "soft"), ("B70s", "lung"), ("LUNG", "lung"), ("Bl57", "lung"),
     ("BONEPLUS", "bone"), ("FC08", "soft"), ("FC51", "lung"), ("L", "lung"), ("B", "soft"),
     ("D40s", "unknown"), ("", "unknown")],
)  # fmt: skip
def test_kernels_of_the_vendors_are_known(kernel: str, kind: str) -> None:
    assert kernel_kind(kernel) == kind


def test_length_is_measured_head_to_feet_whatever_the_orientation() -> None:
    grid = Grid.from_vectors((10, 4, 4), spacing_mm=(3, 1, 1))
    assert length_mm(grid) == pytest.approx(30)
    assert length_mm(grid.reorient("RIA")) == pytest.approx(30)


def add_volume(folder: Path, name: str, **attributes: object) -> None:
    """Write a volume of the DICOM series 5."""
    shared = {"SeriesNumber": 5, "SeriesInstanceUID": uid_of("5"), "StudyInstanceUID": uid_of("study")}
    shared["FrameOfReferenceUID"] = uid_of("frame")
    style = Style(seed=name, attributes={**shared, **attributes})
    write_series(np.zeros((10, 4, 4), np.int16), Grid.from_vectors((10, 4, 4)), folder / name, style=style)


def two_echoes(folder: Path) -> None:
    add_volume(folder, "first", EchoNumbers=1)
    add_volume(folder, "second", EchoNumbers=2)


def test_a_part_of_a_series_is_had_by_its_name(tmp_path: Path) -> None:
    two_echoes(tmp_path)
    assert only(scan(tmp_path), "5:echo 2").part == "echo 2"
    assert [one.part for one, _ in choose(scan(tmp_path), RULE, "5:echo 1").taken] == ["echo 1"]


def test_volumes_along_one_axis_are_taken_together(tmp_path: Path) -> None:
    two_echoes(tmp_path)
    for wanted in ("5", "best"):
        series = only(scan(tmp_path), wanted)
        assert (series.axis, len(series.frames)) == ("echo", 2 * len(series))


def test_volumes_on_other_grids_are_not_taken_together_but_named(tmp_path: Path) -> None:
    two_echoes(tmp_path)
    add_volume(tmp_path, "coarse", PixelSpacing=[3, 3])
    with pytest.raises(UsageError, match="echo 1"):
        only(scan(tmp_path), "5")


def test_volumes_of_two_studies_with_one_series_number_are_never_taken_together(tmp_path: Path) -> None:
    add_volume(tmp_path, "first", EchoNumbers=1)
    other = {"StudyInstanceUID": uid_of("other study"), "SeriesInstanceUID": uid_of("other 5")}
    add_volume(tmp_path, "second", EchoNumbers=2, **other)
    found = scan(tmp_path)
    with pytest.raises(UsageError) as refused:
        only(found, "5")
    for uid in (uid_of("5"), uid_of("other 5"), uid_of("study"), uid_of("other study")):
        assert uid in str(refused.value)
    assert only(found, uid_of("other 5")).study_uid == uid_of("other study")
    assert not only(found, "best").axis


def test_parts_of_two_studies_with_one_series_number_are_never_taken_together(tmp_path: Path) -> None:
    two_echoes(tmp_path)
    other = {"StudyInstanceUID": uid_of("other study"), "SeriesInstanceUID": uid_of("other 5")}
    for number in (1, 2):
        add_volume(tmp_path, f"other {number}", EchoNumbers=number, **other)
    found = scan(tmp_path)
    for wanted in ("5", "5:echo 1"):
        with pytest.raises(UsageError, match="More than one series"):
            only(found, wanted)
    assert len(only(found, "best").frames) == 20
    assert {frame.instance.study_uid for frame in only(found, uid_of("5")).frames} == {uid_of("study")}


def times(folder: Path, count: int) -> None:
    for number in range(1, count + 1):
        add_volume(folder, str(number), AcquisitionNumber=number, TemporalPositionIdentifier=number)


@pytest.mark.parametrize("wanted", ["5:time 2", "5:time 2 of 3", "5: TIME 2 ", " 5 :time 2 of 3"])
def test_a_counted_part_is_had_without_its_count(tmp_path: Path, wanted: str) -> None:
    times(tmp_path, 3)
    assert only(scan(tmp_path), wanted).part == "time 2 of 3"


def test_a_part_that_is_not_there_is_answered_with_the_parts_of_that_series(tmp_path: Path) -> None:
    times(tmp_path, 10)
    add(tmp_path, 20)
    with pytest.raises(UsageError) as refused:
        only(scan(tmp_path), "5:time 11")
    text = str(refused.value)
    assert "5:time 8 of 10" in text
    assert "..." in text
    assert "time 9" not in text
    assert "series 20" not in text


def test_a_series_without_number_is_offered_by_its_uid(tmp_path: Path) -> None:
    add_volume(tmp_path, "first", SeriesNumber=None)
    for wanted in ("9", "None"):
        with pytest.raises(UsageError, match=uid_of("5")) as refused:
            only(scan(tmp_path), wanted)
        assert "None:" not in str(refused.value)


def test_a_picture_is_no_volume_even_if_it_is_named(tmp_path: Path) -> None:
    """A single slice whose depth nothing tells: no organ is measured in it."""
    add(tmp_path, 1, slices=1, attributes={"SliceThickness": None})
    for wanted in ("best", "all", "1"):
        choice = choose(scan(tmp_path), RULE, wanted)
        assert not choice.taken
        assert [reason.code for _, reason in choice.left] == ["NOT_A_VOLUME"]
