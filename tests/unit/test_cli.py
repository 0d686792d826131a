"""The command line: each command, for people and for machines."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset

import isocenter as iso
from isocenter import cli, codes
from isocenter.cli import commands, words
from isocenter.dicom.derived import seg
from isocenter.dicom.derived.making import Making
from isocenter.findings import Algorithm, Segment
from isocenter.pipeline import look
from isocenter.reasons import CODES
from isocenter.testing.dicom import Style, write_series

GRID = iso.Grid.from_vectors((6, 12, 16), spacing_mm=(5, 2, 1.5), origin_mm=(-10, 20, 30))
VALUES = np.arange(np.prod(GRID.shape), dtype=np.int16).reshape(GRID.shape) - 500

Call = Callable[..., str]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    for number in (1, 2):
        style = Style(
            seed=f"series {number}", attributes={"SeriesNumber": number, "SeriesDescription": f"part {number}"}
        )
        write_series(VALUES + number, GRID, folder / str(number), style=style)
    (folder / "notes.txt").write_text("no image")
    return folder


@pytest.fixture
def isocenter(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*arguments: object, status: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["isocenter", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        assert int(stopped.value.code or 0) == status, captured.err
        return captured.out

    return call


def test_index_lists_series_and_what_was_no_image(isocenter: Call, study: Path) -> None:
    text = isocenter("index", study)
    assert "part 1" in text
    assert "part 2" in text
    assert "NOT_DICOM" in text


def test_index_as_json_holds_the_grid_and_the_reasons(isocenter: Call, study: Path) -> None:
    listing = json.loads(isocenter("index", study, "--json"))
    assert sorted(series["number"] for series in listing["series"]) == [1, 2]
    assert iso.Grid.from_dict(listing["series"][0]["grid"]).coincides(GRID)
    assert listing["ignored"][0]["code"] == "NOT_DICOM"


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".npz"])
def test_convert_keeps_every_voxel_and_its_place(isocenter: Call, study: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"volume{suffix}"
    told = json.loads(isocenter("convert", study, path, "--series", 2, "--json"))
    back = iso.load(path)
    order = iso.to_orientation(back, GRID.orientation)
    assert told["output"] == str(path)
    assert order.grid.coincides(GRID, 1e-3)
    assert np.array_equal(order.array, VALUES + 2)


@pytest.fixture
def findings(study: Path, tmp_path: Path) -> Path:
    """A Segmentation and an RT Structure Set of one series, in folders of their own."""
    headers = [instance.dataset() for instance in iso.scan(study / "1")[0].instances]
    labels = np.zeros(GRID.shape, np.uint8)
    labels[2:4, 3:9, 5:11] = 1
    segments = (Segment("box", 1, "Box", codes.BODY),)
    found = iso.Segmentation((labels,), iso.scan(study / "1")[0].grid, segments, Algorithm("box", "1"))
    made = seg.make(found, headers, Making(datetime(2026, 11, 21, tzinfo=UTC), ("seed",)))
    roi, drawn, structures = Dataset(), Dataset(), Dataset()
    roi.ROINumber = drawn.ReferencedROINumber = 1
    roi.ROIName, drawn.ContourSequence = "Box", []
    for k in (2, 3):
        contour = Dataset()
        contour.ContourGeometricType = "CLOSED_PLANAR"
        corners = [(k, r, c) for r, c in ((2.5, 4.5), (2.5, 10.5), (8.5, 10.5), (8.5, 4.5))]
        contour.ContourData = [f"{x:.6g}" for x in found.grid.to_world(corners).ravel()]
        drawn.ContourSequence.append(contour)
    structures.StructureSetROISequence, structures.ROIContourSequence = [roi], [drawn]
    structures.SOPClassUID, structures.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.481.3", "1.2.9"
    structures.file_meta = made.file_meta
    structures.SeriesDescription = "Contours"
    for name, dataset in {"seg": made, "rt": structures}.items():
        (tmp_path / name).mkdir()
        dataset.save_as(tmp_path / name / "object.dcm", implicit_vr=False, little_endian=True)
    return tmp_path


def test_index_lists_segmentations_and_structure_sets(isocenter: Call, findings: Path) -> None:
    text = isocenter("index", findings)
    assert "Found segmentation" in text
    assert "Found RT Structure Set Contours" in text
    listing = json.loads(isocenter("index", findings, "--json"))
    assert sorted(found["kind"] for found in listing["findings"]) == ["RT Structure Set", "segmentation"]
    assert listing["ignored"] == []


@pytest.mark.parametrize("kind", ["seg", "rt"])
def test_convert_brings_stored_findings_onto_an_image(
    isocenter: Call, findings: Path, study: Path, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "found.nii.gz"
    told = json.loads(isocenter("convert", findings / kind, path, "--on", study / "1", "--json"))
    assert told["segments"][0]["title"] == "Box"
    assert told["segments"][0]["volume_ml"] == pytest.approx(72 * GRID.voxel_volume_ml)
    back = iso.load_segmentation(path)
    expected = np.zeros(GRID.shape, bool)
    expected[2:4, 3:9, 5:11] = True
    order = iso.to_orientation(back, GRID.orientation)
    assert order.grid.coincides(GRID, 1e-3)
    assert np.array_equal(order.array > 0, expected)


def test_convert_of_a_segmentation_alone_takes_its_own_grid(isocenter: Call, findings: Path, tmp_path: Path) -> None:
    text = isocenter("convert", findings / "seg", tmp_path / "found.nii.gz")
    assert "2x12x16" in text
    assert "1 Box" in text


def test_a_path_of_findings_alone_names_what_reads_them(isocenter: Call, findings: Path) -> None:
    with pytest.raises(iso.UsageError, match="2 segmentations or RT Structure Sets are there: `isocenter convert`"):
        look.volume(findings)
    isocenter("info", findings, status=2)


def test_convert_says_what_contours_need_and_which_of_several_is_meant(
    isocenter: Call, findings: Path, tmp_path: Path
) -> None:
    isocenter("convert", findings / "rt", tmp_path / "found.nii.gz", status=2)
    isocenter("convert", findings, tmp_path / "found.nii.gz", status=2)
    assert not (tmp_path / "found.nii.gz").exists()


def test_findings_beside_the_voxels_of_an_image_are_resampled(
    isocenter: Call, findings: Path, study: Path, tmp_path: Path
) -> None:
    fine = GRID.with_spacing((2.5, 1, 0.75))
    same = Style(attributes={"FrameOfReferenceUID": iso.scan(study / "1")[0].grid.frame_of_reference_uid})
    write_series(np.zeros(fine.shape), fine, tmp_path / "fine", style=same)
    told = json.loads(
        isocenter("convert", findings / "seg", tmp_path / "found.nii.gz", "--on", tmp_path / "fine", "--json")
    )
    assert told["shape"] == list(fine.shape)
    assert told["segments"][0]["volume_ml"] == pytest.approx(72 * GRID.voxel_volume_ml)


def test_convert_to_an_unknown_kind_of_file_is_wrong_use(isocenter: Call, study: Path, tmp_path: Path) -> None:
    isocenter("convert", study, tmp_path / "volume.xyz", status=2)
    assert list(tmp_path.iterdir()) == []


def test_info_of_a_volume_tells_its_place_and_unit(isocenter: Call, study: Path) -> None:
    facts = json.loads(isocenter("info", study, "--series", 1, "--json"))
    assert facts["shape"] == list(GRID.shape)
    assert facts["unit"] == "[hnsf'U]"
    assert facts["range"] == [float(VALUES.min() + 1), float(VALUES.max() + 1)]


def test_info_of_the_installation_names_the_versions(isocenter: Call) -> None:
    assert iso.__version__ in isocenter("info")
    assert json.loads(isocenter("info", "--json"))["numpy"] == np.__version__


def test_show_writes_pictures(isocenter: Call, study: Path, tmp_path: Path) -> None:
    paths = json.loads(isocenter("show", study, "-o", tmp_path, "--series", 1, "--json"))["pictures"]
    assert len(paths) >= 2
    assert all(Path(path).read_bytes().startswith(b"\x89PNG") for path in paths)


def test_show_draws_the_bones_of_a_ct_in_3d(isocenter: Call, tmp_path: Path) -> None:
    grid = iso.Grid.from_vectors((30, 40, 40), spacing_mm=(4, 4, 4))
    k, r, c = np.ogrid[:30, :40, :40]
    body = ((r - 20) ** 2 + (c - 20) ** 2 < 18**2) & (k >= 0)
    bone = ((r - 20) ** 2 + (c - 20) ** 2 < 6**2) & (k > 4) & (k < 26)
    write_series(np.where(bone, 700, np.where(body, 40, -1000)).astype(np.int16), grid, tmp_path / "study")
    told = json.loads(isocenter("show", tmp_path / "study", "-o", tmp_path / "out", "--json"))
    assert {Path(path).stem for path in told["pictures"]} == {"contact_sheet", "histogram", "surface"}


def test_show_draws_through_the_named_window(isocenter: Call, study: Path, tmp_path: Path) -> None:
    for window in ("lung", "bone"):
        isocenter("show", study, "-o", tmp_path / window, "--series", 1, "--window", window)
    sheets = [(tmp_path / window / "contact_sheet.png").read_bytes() for window in ("lung", "bone")]
    assert sheets[0] != sheets[1]
    isocenter("show", study, "-o", tmp_path, "--window", "lng", status=2)


def test_segmenters_are_listed_by_name(isocenter: Call) -> None:
    assert "lungs" in isocenter("segmenters")
    found: list[dict[str, Any]] = json.loads(isocenter("segmenters", "--json"))
    assert {"lungs", "airways", "body", "bone"} <= {info["name"] for info in found}


def test_explain_tells_what_a_code_means_and_what_is_near_it(isocenter: Call) -> None:
    assert "gantry tilt" in isocenter("explain", "tilt")
    assert json.loads(isocenter("explain", "SLICE_GAP", "--json"))["SLICE_GAP"]["severity"] == "held"
    assert isocenter("explain").count("\n") >= len(CODES)
    isocenter("explain", "SLICE_GAPS", status=2)


def test_demo_does_not_touch_a_study_that_is_not_its_own(isocenter: Call, tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "mine.dcm").write_bytes(b"mine")
    isocenter("demo", "-o", tmp_path, status=2)
    assert [path.name for path in tmp_path.rglob("*")] == ["study", "mine.dcm"]


def test_demo_where_nothing_can_be_written_is_wrong_use(isocenter: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    isocenter("demo", "-o", tmp_path / "file", status=2)


def test_a_wrong_time_is_wrong_use(isocenter: Call, study: Path, tmp_path: Path) -> None:
    isocenter("run", "lungs", study, "-o", tmp_path, "--time", "yesterday", status=2)


def test_nothing_but_the_result_is_written_where_no_person_looks(study: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "isocenter", "index", str(study), "--json"], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["series"]
    assert done.stderr == ""


@pytest.mark.parametrize("command", ["convert", "info", "show"])
def test_each_command_says_which_series_it_took(isocenter: Call, study: Path, tmp_path: Path, command: str) -> None:
    rest = {"convert": [tmp_path / "v.nii"], "info": [], "show": ["-o", tmp_path]}[command]
    assert "part 2 of 2 volumes" in isocenter(command, study, *rest, "--series", 2)
    told = json.loads(isocenter(command, study, *rest, "--series", 2, "--json"))
    series = iso.scan(study / "2")[0]
    uids = {"series_uid": series.series_uid, "study_uid": series.study_uid}
    assert told["series"] == {"name": series.name, "number": 2, **uids, "others": 1, "others_held": 0}
    assert isinstance(told["reasons"], list)


@pytest.mark.parametrize("option", ["--series=1", "--values=suvbw", "--gaps=regrid", "--on=volume.npz"])
def test_an_option_that_cannot_apply_is_wrong_use(
    isocenter: Call, study: Path, findings: Path, tmp_path: Path, option: str
) -> None:
    isocenter("convert", study / "1", tmp_path / "volume.npz")
    out = tmp_path / "out.nii"
    isocenter("convert", tmp_path / "volume.npz", out, option, status=2)
    if not option.startswith("--on"):
        isocenter("convert", findings / "seg", out, option, status=2)
        isocenter("info", option, status=2)
    if option.startswith(("--on", "--values")):
        isocenter("convert", study / "1", out, option, status=2)
    assert not out.exists()


def test_nobody_reading_on_ends_in_silence(study: Path) -> None:
    for arguments in (["explain"], ["index", str(study), "--json"]):
        command = [sys.executable, "-m", "isocenter", *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            assert running.stdout is not None
            assert running.stderr is not None
            running.stdout.close()
            assert running.stderr.read() == b""
            assert running.wait() == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_no_room_for_what_is_printed_is_to_be_tried_later() -> None:
    with Path("/dev/full").open("w") as full:
        for arguments in (["explain"], ["explain", "--json"]):
            command = [sys.executable, "-m", "isocenter", *arguments]
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
            assert done.returncode == 3
            assert done.stderr.startswith("Try later: There is no room left")
            assert done.stderr.count("\n") == 1


def test_a_closed_folder_is_wrong_use(isocenter: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "/closed/x.nii")

    monkeypatch.setattr(Path, "is_file", closed)
    isocenter("info", "/closed/x.nii", status=2)


def test_a_picture_has_no_orientation_and_without_its_size_no_spacing() -> None:
    for space in iso.geometry.Space:
        grid = iso.Grid((1, 4, 4), np.eye(4), space=space)
        facts = words.volume_facts(iso.Volume(np.zeros((1, 4, 4)), grid, codes.ONE))
        assert facts["space"] == space.value
        assert (facts["orientation"] is None) == (space.value != "patient")
        assert (facts["spacing_mm"] is None) == (space.value == "pixel")


def test_a_bug_is_one_sentence_and_no_traceback(
    isocenter: Call, study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.delenv("ISOCENTER_DEBUG", raising=False)
    monkeypatch.setattr(commands, "scanned", broken)
    isocenter("index", study, status=1)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["seg", "rt"])
def test_a_mask_brought_onto_made_slices_says_so(
    isocenter: Call, findings: Path, study: Path, tmp_path: Path, kind: str
) -> None:
    gap = shutil.copytree(study / "1", tmp_path / "gap")
    Path(iso.scan(gap)[0].instances[-2].path).unlink()
    options = ("--on", gap, "--gaps", "regrid", "--json")
    told = json.loads(isocenter("convert", findings / kind, tmp_path / "found.nii.gz", *options))
    assert "SLICES_MADE" in [reason["code"] for reason in told["reasons"]]
