"""Bad input of each kind: a clear message, the right exit status, nothing half-written, no traceback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from isocenter import cli
from isocenter.geometry import Grid
from isocenter.testing.dicom import Style, write_series
from isocenter.testing.phantom import chest_grid, chest_phantom

HEADER = {"PatientName": "Secret^Patient", "PatientID": "SECRET-ID"}
GRID = Grid.from_vectors((8, 32, 32), spacing_mm=(5, 10, 10))
FLAT = np.zeros(GRID.shape, np.int16)


@dataclass(frozen=True)
class Outcome:
    """What the command line gave back."""

    status: int
    text: str

    def codes(self, out: Path) -> set[str]:
        """Codes of the reasons in the records written."""
        records = [json.loads(path.read_text()) for path in out.rglob("run.json")]
        return {reason["code"] for record in records for reason in record["reasons"]}


Run = Callable[..., Outcome]


@pytest.fixture
def isocenter(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["isocenter", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        text = " ".join((captured.out + captured.err).split())
        assert "Traceback" not in text
        assert "Secret" not in text
        assert "SECRET" not in text
        return Outcome(int(stopped.value.code or 0), text)

    return call


def nothing_half_written(out: Path) -> None:
    """No temporary file or folder is left."""
    assert not [path for path in out.rglob("*") if path.name.startswith(".") or path.suffix == ".part"]


def test_a_path_that_is_not_there_is_wrong_use(isocenter: Run, tmp_path: Path) -> None:
    outcome = isocenter("run", "lungs", tmp_path / "nowhere", "-o", tmp_path / "out")
    assert outcome.status == 2
    assert "no file or folder" in outcome.text


def test_an_empty_folder_is_wrong_use(isocenter: Run, tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    outcome = isocenter("run", "lungs", tmp_path / "study", "-o", tmp_path / "out")
    assert outcome.status == 2
    assert "It holds no files" in outcome.text
    assert not (tmp_path / "out").exists()


def test_a_folder_of_text_files_is_wrong_use(isocenter: Run, tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    for number in range(3):
        (tmp_path / "study" / f"{number}.txt").write_text("no image")
    outcome = isocenter("run", "lungs", tmp_path / "study", "-o", tmp_path / "out")
    assert outcome.status == 2
    assert "3 files were left out (3 NOT_DICOM)" in outcome.text
    assert not (tmp_path / "out").exists()


def test_an_unknown_pipeline_is_wrong_use_and_the_known_ones_are_named(isocenter: Run, tmp_path: Path) -> None:
    outcome = isocenter("run", "lung", tmp_path, "-o", tmp_path / "out")
    assert outcome.status == 2
    assert "there is: lungs" in outcome.text


def test_an_unknown_series_is_wrong_use(isocenter: Run, tmp_path: Path) -> None:
    write_series(FLAT, GRID, tmp_path / "study")
    outcome = isocenter("run", "lungs", tmp_path / "study", "-o", tmp_path / "out", "--series", "77")
    assert outcome.status == 2
    assert "There are: 1 (CT 1 Synthetic CT)" in outcome.text


def test_a_truncated_slice_is_refused_and_named(isocenter: Run, tmp_path: Path) -> None:
    path = write_series(FLAT, GRID, tmp_path / "study", style=Style(attributes=HEADER))[3]
    path.write_bytes(path.read_bytes()[:-700])
    outcome = isocenter("run", "lungs", tmp_path / "study", "-o", tmp_path / "out")
    assert outcome.status == 1
    assert "PIXELS_TRUNCATED" in outcome.codes(tmp_path / "out")
    nothing_half_written(tmp_path / "out")


def test_a_missing_slice_holds_the_case(isocenter: Run, tmp_path: Path) -> None:
    write_series(FLAT, GRID, tmp_path / "study", style=Style(attributes=HEADER))[3].unlink()
    outcome = isocenter("run", "lungs", tmp_path / "study", "-o", tmp_path / "out")
    assert outcome.status == 1
    assert "held" in outcome.text
    assert "SLICE_GAP" in outcome.codes(tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.dcm"))


def test_a_series_without_positions_is_held(isocenter: Run, tmp_path: Path) -> None:
    style = Style(attributes={**HEADER, "ImagePositionPatient": None, "ImageOrientationPatient": None})
    write_series(FLAT, GRID, tmp_path / "study", style=style)
    outcome = isocenter("run", "lungs", tmp_path / "study", "-o", tmp_path / "out")
    assert outcome.status == 1
    assert "POSITION_MISSING" in outcome.codes(tmp_path / "out")


def test_an_mr_study_is_of_the_wrong_modality(isocenter: Run, tmp_path: Path) -> None:
    write_series(FLAT, GRID, tmp_path / "study", style=Style(modality="MR", rescale=None, attributes=HEADER))
    outcome = isocenter("run", "lungs", tmp_path / "study", "-o", tmp_path / "out")
    assert outcome.status == 1
    assert {"NO_SERIES_FITS", "WRONG_MODALITY"} <= outcome.codes(tmp_path / "out")


def test_an_mr_series_asked_for_by_number_is_refused(isocenter: Run, tmp_path: Path) -> None:
    attributes = {**HEADER, "SeriesNumber": 5}
    write_series(FLAT, GRID, tmp_path / "study", style=Style(modality="MR", rescale=None, attributes=attributes))
    outcome = isocenter("run", "lungs", tmp_path / "study", "-o", tmp_path / "out", "--series", "5")
    assert outcome.status == 1
    assert "WRONG_MODALITY" in outcome.codes(tmp_path / "out")


def test_a_ct_without_lungs_calls_nothing_lung(isocenter: Run, tmp_path: Path) -> None:
    write_series(FLAT + 40, GRID, tmp_path / "study", style=Style(attributes=HEADER))
    outcome = isocenter("run", "lungs", tmp_path / "study", "-o", tmp_path / "out")
    assert outcome.status == 1
    assert "LUNGS_NOT_FOUND" in outcome.codes(tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.dcm"))


def test_two_patients_in_one_folder_are_processed_apart(isocenter: Run, tmp_path: Path) -> None:
    phantom = chest_phantom(chest_grid((48, 96, 96), (6.0, 3.8, 3.8)))
    for number in (1, 2):
        attributes = {"PatientName": f"Secret^{number}", "PatientID": f"SECRET{number}"}
        style = Style(seed=f"patient {number}", attributes=attributes)
        write_series(phantom.volume.array, phantom.volume.grid, tmp_path / "study" / str(number), style=style)
    outcome = isocenter("run", "lungs", tmp_path / "study", "-o", tmp_path / "out")
    assert outcome.status == 0
    assert "SEVERAL_PATIENTS" in outcome.codes(tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_a_file_that_is_no_nifti_is_refused(isocenter: Run, tmp_path: Path) -> None:
    (tmp_path / "chest.nii.gz").write_bytes(b"no image at all")
    outcome = isocenter("run", "lungs", tmp_path / "chest.nii.gz", "-o", tmp_path / "out")
    assert outcome.status == 1
    assert "INPUT_DAMAGED" in outcome.codes(tmp_path / "out")


def test_an_out_that_is_a_file_is_wrong_use(isocenter: Run, tmp_path: Path) -> None:
    write_series(FLAT, GRID, tmp_path / "study")
    (tmp_path / "out").write_text("in the way")
    outcome = isocenter("run", "lungs", tmp_path / "study", "-o", tmp_path / "out")
    assert outcome.status == 2
    assert "cannot be written" in outcome.text
    assert (tmp_path / "out").read_text() == "in the way"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere; /proc stands in for it below")
def test_an_out_without_permission_is_wrong_use(isocenter: Run, tmp_path: Path) -> None:
    write_series(FLAT, GRID, tmp_path / "study")
    (tmp_path / "locked").mkdir(mode=0o500)
    outcome = isocenter("run", "lungs", tmp_path / "study", "-o", tmp_path / "locked" / "out")
    assert outcome.status == 2


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc, which nobody can write to")
def test_an_out_that_cannot_be_made_is_wrong_use(isocenter: Run, tmp_path: Path) -> None:
    write_series(FLAT, GRID, tmp_path / "study")
    outcome = isocenter("run", "lungs", tmp_path / "study", "-o", "/proc/out")
    assert outcome.status == 2
    assert "choose another place" in outcome.text


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 2 MiB."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    disk = tmp_path / "disk"
    disk.mkdir()
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if not (mount and umount) or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small disk can be mounted by root on Linux only")
    yield disk
    subprocess.run([str(umount), str(disk)], check=True)


def test_a_full_disk_asks_to_try_later_and_leaves_nothing(isocenter: Run, tmp_path: Path, small_disk: Path) -> None:
    phantom = chest_phantom(chest_grid((48, 96, 96), (6.0, 3.8, 3.8)))
    write_series(phantom.volume.array, phantom.volume.grid, tmp_path / "study", style=Style(attributes=HEADER))
    outcome = isocenter("run", "lungs", tmp_path / "study", "-o", small_disk / "out")
    assert outcome.status == 3
    assert "disk is full" in outcome.text
    assert list((small_disk / "out").iterdir()) == []


def test_pictures_that_do_not_fit_ask_to_try_later(isocenter: Run, tmp_path: Path, small_disk: Path) -> None:
    write_series(FLAT, GRID, tmp_path / "study", style=Style(attributes=HEADER))
    (small_disk / "filler").write_bytes(bytes(2 * 1024 * 1024 - 8192))
    outcome = isocenter("show", tmp_path / "study", "-o", small_disk / "out")
    assert outcome.status == 3
    assert "disk is full" in outcome.text
    assert list((small_disk / "out").iterdir()) == []


def test_errors_are_json_when_json_is_asked_for(isocenter: Run, tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    outcome = isocenter("run", "lungs", tmp_path / "study", "-o", tmp_path / "out", "--json")
    start, end = outcome.text.index("{"), outcome.text.rindex("}") + 1
    assert json.loads(outcome.text[start:end])["error"]["exit_status"] == 2


def test_a_header_of_nonsense_values_gets_reasons(isocenter: Run, tmp_path: Path) -> None:
    def spoil(index: int, data_set: Dataset) -> None:
        data_set.PixelSpacing = [0, 0] if index == 2 else data_set.PixelSpacing

    write_series(FLAT, GRID, tmp_path / "study", style=Style(attributes=HEADER, edit=spoil))
    outcome = isocenter("run", "lungs", tmp_path / "study", "-o", tmp_path / "out")
    assert outcome.status == 1
    nothing_half_written(tmp_path / "out")


def coarse_chest(folder: Path, **attributes: object) -> tuple[Path, ...]:
    phantom = chest_phantom(chest_grid((48, 96, 96), (6.0, 3.8, 3.8)))
    seed = str(attributes.get("PatientID", "one"))
    style = Style(seed=seed, attributes={**HEADER, **attributes})
    return write_series(phantom.volume.array, phantom.volume.grid, folder, style=style)


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.parametrize("uid", ["../../evil", "/evil", "..", "."])
def test_a_header_cannot_lead_results_out_of_their_folder(isocenter: Run, tmp_path: Path, uid: str) -> None:
    write_series(FLAT, GRID, tmp_path / "study", style=Style(attributes={**HEADER, "StudyInstanceUID": uid}))
    isocenter("run", "lungs", tmp_path / "study", "-o", tmp_path / "a" / "b" / "out")
    assert [path.name for path in tmp_path.rglob("report.html")] == ["report.html"]
    assert len(list((tmp_path / "a" / "b" / "out").glob("*/*/report.html"))) == 1


@pytest.mark.parametrize("uid", [None, "1.2.3"])
def test_two_patients_of_one_study_uid_are_processed_apart(isocenter: Run, tmp_path: Path, uid: str | None) -> None:
    for number in (1, 2):
        attributes = {"PatientID": f"SECRET{number}", "StudyInstanceUID": uid}
        write_series(FLAT, GRID, tmp_path / "in" / str(number), style=Style(seed=str(number), attributes=attributes))
    isocenter("run", "lungs", tmp_path / "in", "-o", tmp_path / "out")
    assert len(list((tmp_path / "out").glob("*/*/run.json"))) == 2


def test_files_whose_names_share_a_beginning_keep_their_results_apart(isocenter: Run, tmp_path: Path) -> None:
    for name in ("chest.one.nii.gz", "chest.two.nii.gz"):
        (tmp_path / name).write_bytes(b"no image at all")
        isocenter("run", "lungs", tmp_path / name, "-o", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["chest.one", "chest.two"]


def test_names_of_files_that_are_no_text_break_nothing(isocenter: Run, tmp_path: Path) -> None:
    path = coarse_chest(tmp_path / "study")[3]
    os.rename(path, os.fsencode(path.parent) + b"/IM\xff.dcm")  # noqa: PTH104
    outcome = isocenter("run", "lungs", tmp_path / "study", "-o", tmp_path / "out")
    assert outcome.status == 0
    (record,) = (tmp_path / "out").rglob("run.json")
    assert len(json.loads(record.read_text())["input"]["files"]) == 48


@pytest.mark.parametrize("text", ["chest [/red] 2.0", "[bold]chest", "[/]"])
def test_brackets_in_a_description_are_printed_as_they_are(isocenter: Run, tmp_path: Path, text: str) -> None:
    style = Style(attributes={**HEADER, "SeriesDescription": text})
    write_series(FLAT, GRID, tmp_path / "study", style=style)
    assert text in isocenter("index", tmp_path / "study").text
    assert text in isocenter("run", "lungs", tmp_path / "study", "-o", tmp_path / "out").text


def test_an_archive_within_an_archive_is_named_as_such(isocenter: Run, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as outer:
        outer.writestr("inner.zip", b"PK\x03\x04" + bytes(50))
    outcome = isocenter("run", "lungs", tmp_path / "outer.zip", "-o", tmp_path / "out")
    assert outcome.status == 2
    assert "1 ARCHIVE_UNREADABLE" in outcome.text


def test_a_file_that_vanishes_meanwhile_refuses_its_case_alone(
    isocenter: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from isocenter.pipeline import case

    paths = write_series(FLAT, GRID, tmp_path / "study", style=Style(attributes=HEADER))
    scan = case.scan

    def scan_then_lose(path: Path, **_: object) -> object:
        found = scan(path)
        paths[0].unlink()
        return found

    monkeypatch.setattr(case, "scan", scan_then_lose)
    outcome = isocenter("run", "lungs", tmp_path / "study", "-o", tmp_path / "out")
    assert outcome.status == 1
    assert outcome.codes(tmp_path / "out") == {"COVERAGE_SHORT", "FILE_CHANGED"}
