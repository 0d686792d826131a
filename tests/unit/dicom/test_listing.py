"""Listing: the parts of one DICOM series in one row."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from isocenter.dicom.scan import scan
from isocenter.dicom.sorting.listing import rows
from isocenter.geometry import Grid
from isocenter.reasons import Verdict
from isocenter.testing.dicom import Style, uid_of, write_series

GRID = Grid.from_vectors((4, 3, 3))


def write(folder, name, grid=GRID, **attributes):
    def edit(index, data_set):
        data_set.SOPInstanceUID = uid_of(name, index)

    style = Style(
        modality="MR", rescale=None, edit=edit, attributes=attributes, file_name=lambda index: f"{name}{index}.dcm"
    )
    return write_series(np.zeros(grid.shape), grid, folder, style=style)


def test_time_points_make_one_row(tmp_path: Path):
    for time in range(1, 13):
        write(tmp_path, f"t{time}-", TemporalPositionIdentifier=time)
    (row,) = rows(scan(tmp_path))
    assert len(row.series) == 12
    assert row.name == "MR 1 Synthetic MR"
    assert row.parts == "12 volumes: time 1 to 12"
    assert row.verdict is Verdict.OK
    assert [reason.code for reason in row.reasons] == ["SPLIT"]
    assert [series.part for series in row.series][9:11] == ["time 10 of 12", "time 11 of 12"]


def test_few_parts_are_named_and_many_are_not(tmp_path: Path):
    for echo in (1, 2):
        write(tmp_path, f"e{echo}-", EchoNumbers=echo)
    assert [row.parts for row in rows(scan(tmp_path))] == ["2 volumes: echo 1; echo 2"]
    for echo in range(3, 10):
        write(tmp_path, f"e{echo}-", EchoNumbers=echo)
    assert [row.parts for row in rows(scan(tmp_path))] == ["9 volumes: echo 1; echo 2; echo 3; echo 4; ..."]


def test_parts_of_another_verdict_or_size_have_a_row_of_their_own(tmp_path: Path):
    for time in (1, 2, 3):
        write(tmp_path, f"t{time}-", TemporalPositionIdentifier=time)
    (tmp_path / "t2-3.dcm").unlink()
    write(tmp_path, "scout", Grid.from_vectors((1, 9, 9)), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    found = [(row.name, row.parts, row.verdict) for row in rows(scan(tmp_path))]
    assert found == [
        ("MR 1 Synthetic MR (time 1 of 3)", "", Verdict.OK),
        ("MR 1 Synthetic MR (time 2 of 3)", "", Verdict.HELD),
        ("MR 1 Synthetic MR (time 3 of 3)", "", Verdict.OK),
        ("MR 1 Synthetic MR (localizer)", "", Verdict.OK),
    ]


def test_pictures_are_called_images(tmp_path: Path):
    write(
        tmp_path,
        "p",
        SOPClassUID="1.2.840.10008.5.1.4.1.1.7",
        **dict.fromkeys(("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")),
    )
    assert [row.parts for row in rows(scan(tmp_path))] == ["4 images: image 1 to 4"]


def test_a_series_in_one_piece_keeps_its_name(tmp_path: Path):
    write(tmp_path, "a")
    (row,) = rows(scan(tmp_path))
    assert (row.name, row.parts, len(row.series)) == ("MR 1 Synthetic MR", "", 1)
