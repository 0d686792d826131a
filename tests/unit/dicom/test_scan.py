"""Scanning: what is found under a path, and what is said of the rest."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset

from isocenter.dicom.reading.pixels import read, read_with_digests
from isocenter.dicom.scan import scan
from isocenter.errors import InputError, Refused, UsageError
from isocenter.geometry import Grid
from isocenter.reasons import Verdict
from isocenter.testing.dicom import Style, bare, uid_of, write_series

GRID = Grid.from_vectors((4, 6, 5), spacing_mm=(2, 0.5, 0.5))
VALUES = np.arange(120).reshape(4, 6, 5) - 1000.0


def write(folder, **style):
    return write_series(VALUES, GRID, folder, style=Style(**style))


def listed(found):
    return {Path(ignored.path).name: ignored.reason.code for ignored in found.ignored}


def test_a_path_that_does_not_exist_is_wrong_use(tmp_path: Path):
    with pytest.raises(UsageError, match="no file or folder"):
        scan(tmp_path / "nowhere")


def test_an_empty_folder_holds_nothing(tmp_path: Path):
    found = scan(tmp_path)
    assert len(found) == 0
    assert found.ignored == ()


def test_a_single_file_is_a_series_of_one(tmp_path: Path):
    path, *_ = write(tmp_path)
    (series,) = scan(path)
    assert len(series) == 1
    assert series.instances[0].path == str(path)
    assert [reason.code for reason in series.reasons] == ["SINGLE_SLICE"]


def test_nested_folders_and_names_without_extension_are_found(tmp_path: Path):
    write(tmp_path, file_name=lambda k: f"a/{k % 2}/IM{k}")
    (series,) = scan(tmp_path)
    assert len(series) == 4
    assert np.array_equal(read(series).array, VALUES)


def test_what_is_no_image_is_listed_with_its_reason(tmp_path: Path):
    write(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty.dcm").touch()
    (tmp_path / "junk.dcm").write_bytes(os.urandom(5000))
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04" + bytes(50))
    document = Dataset()
    document.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.33"
    document.Modality = "SR"
    document.file_meta = FileMetaDataset()
    document.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    document.file_meta.MediaStorageSOPClassUID = document.SOPClassUID
    document.file_meta.MediaStorageSOPInstanceUID = uid_of("document")
    document.save_as(tmp_path / "report.dcm", enforce_file_format=True)
    found = scan(tmp_path)
    assert len(found) == 1
    assert listed(found) == {
        "notes.txt": "NOT_DICOM",
        "empty.dcm": "EMPTY_FILE",
        "junk.dcm": "NOT_DICOM",
        "broken.zip": "ARCHIVE_UNREADABLE",
        "report.dcm": "NOT_IMAGE",
    }


def test_a_dicomdir_is_left_out_and_its_files_are_found(tmp_path: Path):
    write(tmp_path, file_name=lambda k: f"IMAGES/IM{k}")
    directory = Dataset()
    directory.FileSetID = "TEST"
    directory.DirectoryRecordSequence = [Dataset()]
    directory.DirectoryRecordSequence[0].DirectoryRecordType = "PATIENT"
    directory.file_meta = FileMetaDataset()
    directory.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    directory.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    directory.file_meta.MediaStorageSOPInstanceUID = uid_of("directory")
    directory.save_as(tmp_path / "DICOMDIR", enforce_file_format=True)
    found = scan(tmp_path)
    assert [len(series) for series in found] == [4]
    assert listed(found) == {"DICOMDIR": "NOT_IMAGE"}


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("syntax", ["explicit", "JPEG-LS"])
def test_a_zip_archive_is_read_in_place(tmp_path: Path, packing, syntax):
    paths = write(tmp_path / "files", syntax=syntax)
    archive = tmp_path / "study.zip"
    with zipfile.ZipFile(archive, "w", packing) as target:
        for path in paths:
            target.write(path, f"study/{path.name}")
        target.writestr("readme.txt", "hello")
    found = scan(archive)
    (series,) = found
    volume, digests = read_with_digests(series)
    assert np.array_equal(volume.array, VALUES)
    assert np.array_equal(read(series).array, VALUES)
    _, expected = read_with_digests(scan(tmp_path / "files")[0])
    assert sorted(digests.values()) == sorted(expected.values())
    assert series.instances[0].path == f"{archive}/study/{paths[0].name}"
    assert series.instances[0].dataset().Modality == "CT"
    assert listed(found) == {"readme.txt": "NOT_DICOM"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["files", "study.zip"]


def test_files_without_preamble_are_read_and_noted(tmp_path: Path):
    for syntax in ("implicit", "explicit"):
        for path in write(tmp_path / syntax, syntax=syntax):
            path.write_bytes(bare(path.read_bytes()))
        (series,) = scan(tmp_path / syntax)
        assert [reason.code for reason in series.reasons] == ["NO_PREAMBLE"]
        assert np.array_equal(read(series).array, VALUES)


def test_a_header_larger_than_the_first_read_is_followed(tmp_path: Path):
    def enlarge(index, data_set):
        data_set.add_new(0x00091010, "OB", bytes(50_001))
        item, inner = Dataset(), Dataset()
        inner.add_new(0x00091011, "OB", bytes(20_000))
        item.ReferencedSOPInstanceUID = uid_of("other")
        item.ReferencedImageSequence = [inner, inner]
        data_set.ReferencedImageSequence = [item] * 3
        data_set["ReferencedImageSequence"].is_undefined_length = index % 2 == 0
        for child in data_set.ReferencedImageSequence:
            child.is_undefined_length_sequence_item = index % 2 == 0

    for syntax in ("implicit", "explicit"):
        write(tmp_path / syntax, syntax=syntax, edit=enlarge)
        (series,) = scan(tmp_path / syntax)
        assert series.verdict is Verdict.OK
        assert np.array_equal(read(series).array, VALUES)


def test_a_header_cut_before_its_pixels_spoils_the_series(tmp_path: Path):
    paths = write(tmp_path)
    data = paths[3].read_bytes()
    paths[3].write_bytes(data[: data.rindex(b"\xe0\x7f\x10\x00")])
    (series,) = scan(tmp_path)
    assert series.verdict is Verdict.REJECTED
    assert [reason.code for reason in series.reasons] == ["PIXELS_MISSING"]


def test_missing_uids_are_stood_in_for(tmp_path: Path):
    def blank(_, data_set):
        data_set.SeriesInstanceUID = data_set.StudyInstanceUID = ""

    write(tmp_path, edit=blank)
    (series,) = scan(tmp_path)
    assert series.verdict is Verdict.REPAIRED
    assert [reason.code for reason in series.reasons] == ["SERIES_UID_MISSING"]
    assert series.instances[0].dataset().SOPInstanceUID == uid_of("isocenter", "instance", 0)


def test_text_in_any_character_set_is_read(tmp_path: Path):
    write(tmp_path / "utf", attributes={"SeriesDescription": "Schädel über Ω"})
    write(tmp_path / "latin", attributes={"SpecificCharacterSet": "ISO_IR 100", "SeriesDescription": "Schädel"})
    assert scan(tmp_path / "utf")[0].description == "Schädel über Ω"
    assert scan(tmp_path / "latin")[0].name == "CT 1 Schädel"


def test_no_patient_data_stand_in_reasons_or_names(tmp_path: Path):
    write(tmp_path, attributes={"PatientName": "Secret^Name", "PatientID": "S-12345", "PixelSpacing": None})
    (series,) = scan(tmp_path)
    assert repr(scan(tmp_path)) == "Scan(1 series, 1 held or rejected; 0 findings; 0 ignored)"
    said = " ".join([series.name, repr(series), repr(series.reasons), repr(series.instances[0])])
    assert "Secret" not in said
    assert "12345" not in said


def test_progress_counts_files(tmp_path: Path):
    write(tmp_path)
    calls = []
    scan(tmp_path, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, None), (2, None), (3, None), (4, None)]


def test_a_folder_that_links_to_itself_is_walked_once(tmp_path: Path):
    write(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    assert [len(series) for series in scan(tmp_path)] == [4]


def codes_of(thing):
    return [reason.code for reason in thing.reasons]


@pytest.mark.parametrize("kept_bytes", [0, 300, 700])
def test_a_damaged_slice_at_the_end_of_a_stack_is_not_missed_in_silence(tmp_path: Path, kept_bytes):
    """Without it the stack looks whole."""
    path = write(tmp_path)[3]
    path.write_bytes(path.read_bytes()[:kept_bytes])
    (series,) = scan(tmp_path)
    assert len(series) == 3
    assert codes_of(series) == ["FILES_LEFT_OUT"]
    assert series.reasons[0].instances == (str(path),)


def test_a_link_that_leads_nowhere_is_a_missing_file(tmp_path: Path):
    path = write(tmp_path)[3]
    path.unlink()
    path.symlink_to(tmp_path / "annex" / "object")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (series,) = found = scan(tmp_path)
    assert codes_of(series) == ["FILES_LEFT_OUT"]
    assert listed(found) == {path.name: "HEADER_UNREADABLE", "loop": "HEADER_UNREADABLE"}


def test_files_that_are_no_slices_raise_no_doubt(tmp_path: Path):
    write(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / ".nomedia").touch()
    assert codes_of(scan(tmp_path)[0]) == []


def test_a_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    assert listed(scan(tmp_path / "pipe")) == {"pipe": "HEADER_UNREADABLE"}
    assert scan(tmp_path).ignored == ()


def test_an_archive_that_cannot_be_read_is_named_as_such(tmp_path: Path):
    paths = write(tmp_path / "files")
    (tmp_path / "inner.zip").write_bytes(b"PK\x03\x04" + bytes(50))
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as target:
        for path in paths[:2]:
            target.write(path, path.name)
        target.write(tmp_path / "inner.zip", "inner.zip")
    (series,) = found = scan(tmp_path / "outer.zip")
    assert listed(found) == {"inner.zip": "ARCHIVE_UNREADABLE"}
    assert codes_of(series) == ["FILES_LEFT_OUT"]


def test_an_archive_that_was_cut_is_an_error_where_it_is_all_that_was_given(tmp_path: Path):
    (tmp_path / "cut").mkdir()
    with zipfile.ZipFile(tmp_path / "whole.zip", "w") as target:
        for path in write(tmp_path / "files"):
            target.write(path, path.name)
    cut = tmp_path / "cut" / "cut.zip"
    cut.write_bytes((tmp_path / "whole.zip").read_bytes()[:1000])
    with pytest.raises(InputError, match="damaged"):
        scan(cut)
    assert listed(scan(cut.parent)) == {"cut.zip": "ARCHIVE_UNREADABLE"}


def test_a_file_that_changes_after_the_scan_is_refused(tmp_path: Path):
    paths = write(tmp_path / "a")
    (series,) = scan(tmp_path / "a")
    write(tmp_path / "b", seed="someone else")
    paths[1].write_bytes((tmp_path / "b" / paths[1].name).read_bytes())
    with pytest.raises(Refused) as caught:
        read(series)
    assert [reason.code for reason in caught.value.reasons] == ["FILE_CHANGED"]
    with pytest.raises(InputError, match="run again"):
        series.instances[1].dataset()


def test_a_file_that_vanishes_after_the_scan_is_refused(tmp_path: Path):
    paths = write(tmp_path)
    (series,) = scan(tmp_path)
    paths[1].unlink()
    with pytest.raises(Refused, match="FILE_CHANGED"):
        read_with_digests(series)
    with pytest.raises(InputError, match="run again"):
        series.instances[1].dataset()
