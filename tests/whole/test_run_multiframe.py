"""The main job on a phantom in one multi-frame file: all objects are made, and name the frames they come from."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pypdf import PdfReader

import isocenter as iso
from isocenter.dicom.annotations.segmentation import read_segmentation
from isocenter.testing.multiframe import Many, Stack, write_many
from isocenter.testing.phantom import ChestPhantom, chest_grid, chest_phantom
from isocenter.volume import Source

GRID = chest_grid((60, 128, 128), (5.0, 2.8, 2.8))
ORDER = tuple(int(k) for k in np.random.default_rng(7).permutation(GRID.shape[0]))
HEADER = {
    "PatientName": "Secret^Patient",
    "InstanceNumber": 3,
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
    def header(self) -> pydicom.Dataset:
        """Header of the source."""
        return pydicom.dcmread(self.study, stop_before_pixels=True)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("multi_frame")
    phantom = chest_phantom(GRID)

    def value(points: np.ndarray) -> np.ndarray:
        k, r, c = np.moveaxis(np.rint(GRID.to_index(points)).astype(int), -1, 0)
        return np.asarray(phantom.volume.array[k, r, c])

    study = write_many([Stack(value, GRID)], folder / "study.dcm", many=Many(order=ORDER, attributes=HEADER))
    (result,) = iso.run("lungs", study, folder / "out")
    return Done(phantom, study, result)


def test_all_objects_are_made_and_the_result_is_right(done: Done) -> None:
    assert done.result.verdict is iso.Verdict.OK, done.result.reasons
    assert {"seg", "sr", "pdf_dicom", "key_image_1"} <= set(done.result.outputs)
    assert done.result.value("volume", "lung_right") == pytest.approx(done.phantom.volumes_ml["lung_right"], rel=0.02)


def test_each_frame_of_the_seg_names_the_frame_at_its_place(done: Done) -> None:
    source = done.header
    places = [item.PlanePositionSequence[0].ImagePositionPatient for item in source.PerFrameFunctionalGroupsSequence]
    items = pydicom.dcmread(done.result.outputs["seg"]).PerFrameFunctionalGroupsSequence
    numbers = set()
    for item in items:
        (image,) = item.DerivationImageSequence[0].SourceImageSequence
        assert (image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID) == (
            source.SOPClassUID,
            source.SOPInstanceUID,
        )
        place = places[image.ReferencedFrameNumber - 1]
        np.testing.assert_allclose(item.PlanePositionSequence[0].ImagePositionPatient, place, atol=1e-6)
        numbers.add(int(image.ReferencedFrameNumber))
    assert len(numbers) > 30


def test_our_reader_gives_the_masks_back_with_their_frames(done: Done) -> None:
    back = read_segmentation(done.result.outputs["seg"], grid=GRID)
    found = iso.load(done.result.outputs["masks"])
    uid = str(done.header.SOPInstanceUID)
    drawn = [k for k, source in enumerate(back.sources) if source is not None]
    assert len(drawn) > 30
    assert all(back.sources[k] == Source(uid, ORDER.index(k) + 1) for k in drawn)
    values = np.asarray(found.array)
    assert np.array_equal(back.array > 0, values > 0)


def test_highdicom_finds_the_masks_by_the_frames_of_the_source(done: Done) -> None:
    uid = str(done.header.SOPInstanceUID)
    seg = hd.seg.segread(done.result.outputs["seg"])
    numbers = list(range(1, GRID.shape[0] + 1))
    pixels = seg.get_pixels_by_source_frame(
        uid, numbers, combine_segments=True, skip_overlap_checks=True, assert_missing_frames_are_empty=True
    )
    back = read_segmentation(done.result.outputs["seg"], grid=GRID)
    for number, frame in zip(numbers, pixels, strict=True):
        assert np.array_equal(frame > 0, back.array[ORDER[number - 1]] > 0)


def test_validators_have_nothing_against_them(done: Done) -> None:
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    for kind, path in done.result.outputs.items():
        if path.suffix == ".dcm":
            said = subprocess.run([program, "-new", str(path)], capture_output=True, text=True, check=False).stderr
            assert [line for line in said.splitlines() if line.startswith(("Error", "Warning", "Abort"))] == [], kind


def test_the_report_names_the_frames_it_shows(done: Done) -> None:
    text = " ".join(page.extract_text() for page in PdfReader(done.result.outputs["pdf"]).pages)
    assert "Instance Number 3, frame " in " ".join(text.split())


def test_a_replay_at_the_recorded_time_gives_the_same_bytes(done: Done, tmp_path: Path) -> None:
    time = datetime.fromisoformat(json.loads(done.result.outputs["record"].read_text())["time"])
    (again,) = iso.run("lungs", done.study, tmp_path, settings=iso.Settings(time=time))
    for kind, path in done.result.outputs.items():
        if kind != "record":  # holds the seconds of this very run
            assert again.outputs[kind].read_bytes() == path.read_bytes(), kind
