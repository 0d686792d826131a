"""The main job on a phantom of known truth: from a folder of DICOM to everything that is left behind."""

from __future__ import annotations

import hashlib
import importlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from pypdf import PdfReader

import isocenter as iso
from isocenter.testing.dicom import Style, write_series
from isocenter.testing.phantom import ChestPhantom, chest_grid, chest_phantom

run_module = importlib.import_module("isocenter.pipeline.run")
TIME = datetime(2026, 1, 31, 12, 0, tzinfo=timezone(timedelta(hours=1)))
HEADER = {
    "PatientName": "Secret^Patient",
    "PatientID": "S1",
    "ReferringPhysicianName": "",
    "PositionReferenceIndicator": "",
}


@dataclass(frozen=True)
class Done:
    """A run and what it was run on."""

    phantom: ChestPhantom
    study: Path
    result: iso.Result

    @property
    def record(self) -> dict[str, object]:
        """The run's record."""
        found: dict[str, object] = json.loads(self.result.outputs["record"].read_text())
        return found


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("main_job")
    phantom = chest_phantom(chest_grid((96, 160, 160), (3.0, 2.25, 2.25)))
    write_series(phantom.volume.array, phantom.volume.grid, folder / "study", style=Style(attributes=HEADER))
    (result,) = iso.run("lungs", folder / "study", folder / "out", settings=iso.Settings(time=TIME))
    return Done(phantom, folder / "study", result)


def test_the_result_is_ok_and_says_so(done: Done) -> None:
    assert done.result.verdict is iso.Verdict.OK, done.result.reasons


def test_lung_volumes_are_within_one_percent_of_the_truth(done: Done) -> None:
    for name in ("lung_right", "lung_left"):
        assert done.result.value("volume", name) == pytest.approx(done.phantom.volumes_ml[name], rel=0.01)


def test_every_output_is_there_with_the_digest_of_the_record(done: Done) -> None:
    outputs = done.record["outputs"]
    assert isinstance(outputs, list)
    assert {"html", "pdf", "masks", "seg", "sr", "pdf_dicom", "key_image_1"} <= {output["kind"] for output in outputs}
    for output in outputs:
        data = (done.result.folder / output["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == output["sha256"]
        assert len(data) == output["bytes"]


def test_the_folder_holds_the_outputs_and_nothing_else(done: Done) -> None:
    assert set(done.result.folder.iterdir()) == set(done.result.outputs.values())
    assert [path.name for path in done.result.folder.parent.iterdir()] == [done.result.folder.name]


def test_the_record_names_every_input_with_its_digest(done: Done) -> None:
    source = done.record["input"]
    assert isinstance(source, dict)
    digests = {Path(item["file"]).name: item["sha256"] for item in source["files"]}
    assert digests == {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in done.study.iterdir()}


def test_the_record_times_every_step(done: Done) -> None:
    steps = done.record["steps"]
    assert isinstance(steps, list)
    assert [step["step"] for step in steps] == [
        "read", "segment", "measure", "headers", "pictures", "page", "masks", "objects",
    ]  # fmt: skip
    assert all(step["seconds"] >= 0 and step["peak_mib"] > 50 for step in steps)


def test_the_seg_refers_to_the_source_images_of_the_patient(done: Done) -> None:
    seg = pydicom.dcmread(done.result.outputs["seg"])
    sources = {pydicom.dcmread(path).SOPInstanceUID for path in done.study.iterdir()}
    referenced = {item.ReferencedSOPInstanceUID for item in seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence}
    assert referenced == sources
    assert (seg.PatientName, seg.PatientID) == ("Secret^Patient", "S1")


def test_the_seg_masks_and_nifti_masks_are_the_same_place(done: Done) -> None:
    import highdicom as hd

    volume = hd.seg.segread(done.result.outputs["seg"]).get_volume(combine_segments=True, skip_overlap_checks=True)
    nifti = nibabel.load(done.result.outputs["masks"])
    index = np.argwhere(np.asarray(volume.array) == 1)[::997]
    world = np.c_[index, np.ones(len(index))] @ volume.affine.T
    ras = world * (-1, -1, 1, 1)
    back = np.rint(ras @ np.linalg.inv(nifti.affine).T)[:, :3].astype(int)
    assert len(index) > 20
    assert (np.asarray(nifti.dataobj)[tuple(back.T)] == 1).all()


def test_the_report_shows_the_measured_volume(done: Done) -> None:
    volume = f"{done.result.value('volume', 'lung_right'):.0f}"
    text = " ".join(page.extract_text() for page in PdfReader(done.result.outputs["pdf"]).pages)
    assert volume in text
    assert volume in done.result.outputs["html"].read_text(encoding="utf-8")


def test_a_replay_at_the_recorded_time_gives_the_same_bytes(done: Done, tmp_path: Path) -> None:
    time = datetime.fromisoformat(str(done.record["time"]))
    (again,) = iso.run("lungs", done.study, tmp_path, settings=iso.Settings(time=time))
    for kind, path in done.result.outputs.items():
        if kind != "record":  # holds the seconds of this very run
            assert again.outputs[kind].read_bytes() == path.read_bytes(), kind


def test_another_time_gives_other_uids(done: Done, tmp_path: Path) -> None:
    later = iso.Settings(time=TIME + timedelta(seconds=1))
    (again,) = iso.run("lungs", done.study, tmp_path, settings=later)
    uids = [pydicom.dcmread(result.outputs["seg"]).SOPInstanceUID for result in (done.result, again)]
    assert uids[0] != uids[1]


def test_nifti_gives_the_same_masks_and_says_that_there_are_no_dicom_objects(done: Done, tmp_path: Path) -> None:
    path = tmp_path / "chest.nii.gz"
    iso.save(done.phantom.volume, path)
    (result,) = iso.run("lungs", path, tmp_path / "out")
    assert "NO_DICOM_OBJECTS" in [reason.code for reason in result.reasons]
    assert not any(path.suffix == ".dcm" for path in result.outputs.values())
    assert result.value("volume", "lung_right") == pytest.approx(done.result.value("volume", "lung_right"), abs=1e-6)


def test_a_second_run_replaces_the_first(done: Done) -> None:
    before = done.result.outputs["record"].stat().st_ino
    (again,) = iso.run("lungs", done.study, done.result.folder.parents[1], settings=iso.Settings(time=TIME))
    assert again.folder == done.result.folder
    assert "RESULT_REPLACED" in [reason.code for reason in again.reasons]
    assert again.outputs["record"].stat().st_ino != before
    test_the_folder_holds_the_outputs_and_nothing_else(done)


def test_a_usable_result_is_kept_when_a_later_run_has_none(done: Done, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(done.study, study)
    (first,) = iso.run("lungs", study, tmp_path / "out", settings=iso.Settings(time=TIME))
    data = first.outputs["seg"].read_bytes()
    sorted(study.iterdir())[20].unlink()
    (second,) = iso.run("lungs", study, tmp_path / "out")
    kept = [path for path in first.folder.parent.iterdir() if path != first.folder]
    assert second.verdict is iso.Verdict.HELD
    assert "RESULT_KEPT_ASIDE" in [reason.code for reason in second.reasons]
    assert [(path / "seg.dcm").read_bytes() for path in kept] == [data]
    assert not (first.folder / "seg.dcm").exists()


def test_a_case_on_which_the_software_fails_does_not_cost_the_others(
    done: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        style = Style(seed=f"case {number}", attributes=HEADER)
        write_series(done.phantom.volume.array, done.phantom.volume.grid, tmp_path / "study" / str(number), style=style)
    steps, calls = run_module.find, []

    def broken_once(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 1:
            raise ZeroDivisionError("Secret^Patient")
        return steps(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(run_module, "find", broken_once)
    failed, fine = iso.run("lungs", tmp_path / "study", tmp_path / "out")
    assert [reason.code for reason in failed.reasons] == ["CASE_FAILED"]
    assert "Secret" not in failed.outputs["record"].read_text()
    assert fine.verdict is iso.Verdict.OK


def test_the_steps_are_told_to_an_observer(done: Done, tmp_path: Path) -> None:
    told: list[str] = []
    iso.run("lungs", done.study, tmp_path, observer=told.append)
    assert told[:3] == ["Reading headers", "Case 1 of 1: read", "Case 1 of 1: segment"]


def test_a_tilted_study_gets_a_seg_on_its_own_frames(tmp_path: Path) -> None:
    upright = chest_grid((60, 128, 128), (5.0, 2.8, 2.8))
    affine = upright.affine.copy()
    affine[1, 0] = 5.0 * np.tan(np.deg2rad(12))
    tilted = iso.Grid(upright.shape, affine)
    phantom = chest_phantom(tilted)
    write_series(phantom.volume.array, tilted, tmp_path / "study", style=Style(attributes=HEADER))
    (result,) = iso.run("lungs", tmp_path / "study", tmp_path / "out")
    seg = pydicom.dcmread(result.outputs["seg"])
    frames = seg.PerFrameFunctionalGroupsSequence
    positions = {tuple(f.PlanePositionSequence[0].ImagePositionPatient) for f in frames}
    sources = {tuple(pydicom.dcmread(path).ImagePositionPatient) for path in (tmp_path / "study").iterdir()}
    assert "TILT" in [reason.code for reason in result.reasons]
    assert len(positions) > 20
    assert positions <= sources
    assert _dice(seg, phantom, "lung_right", sorted(sources, key=lambda p: -p[2])) > 0.97


def _dice(seg: pydicom.Dataset, phantom: ChestPhantom, name: str, order: Sequence[object]) -> float:
    found = np.zeros(phantom.volume.shape, bool)
    frames = seg.pixel_array
    titles = {item.SegmentLabel: item.SegmentNumber for item in seg.SegmentSequence}
    number = titles[phantom.truth.segment(name).title]
    for frame, group in zip(frames, seg.PerFrameFunctionalGroupsSequence, strict=True):
        if group.SegmentIdentificationSequence[0].ReferencedSegmentNumber == number:
            found[order.index(tuple(group.PlanePositionSequence[0].ImagePositionPatient))] = frame
    truth = phantom.truth.mask(name)
    return float(2 * (found & truth).sum() / (found.sum() + truth.sum()))


def test_a_result_of_another_input_of_the_same_name_is_kept(done: Done, tmp_path: Path) -> None:
    volume = done.phantom.volume
    for number, name in enumerate(("a", "b", "c")):
        (tmp_path / name).mkdir()
        iso.save(
            volume.with_array(np.maximum(volume.array, -1000 - number).astype(np.int16)), tmp_path / name / "ct.nii.gz"
        )
        iso.run("lungs", tmp_path / name / "ct.nii.gz", tmp_path / "out", settings=iso.Settings(time=TIME))
    assert len(list((tmp_path / "out" / "ct").iterdir())) == 3
