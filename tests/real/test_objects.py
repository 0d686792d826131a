"""DICOM objects of real series: every voxel and value comes back, and validators have nothing against what is ours."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from pydicom import Dataset, dcmread

from isocenter import codes
from isocenter.dicom.derived import capture, pdf, seg, slice_headers, sr
from isocenter.dicom.derived.headers import repair
from isocenter.dicom.derived.making import Making
from isocenter.dicom.derived.writing import write
from isocenter.dicom.scan import scan
from isocenter.dicom.sorting.series import Series
from isocenter.errors import Refused
from isocenter.findings import Algorithm, Measurement, Segment, Segmentation
from isocenter.geometry import Grid

pytestmark = pytest.mark.real

MAKING = Making(datetime(2026, 11, 21, 2, 0, tzinfo=UTC), ("seed",))
DOCUMENT = b"%PDF-1.4\n%%EOF"
# Of the sources' own values, which a copy keeps: names without a comma's worth of parts, empty or overlong study IDs.
OF_THE_SOURCE = re.compile(
    r"(PatientName|ReferringPhysicianName).*Retired Person Name form"
    r"|(StudyID|StudyDate|StudyTime).*needed to build DICOMDIR"
    r"|StudyID.*Length invalid"
    r"|ProcedureCodeSequence.*Unrecognized defined term|ConceptCodeSequence.*Unrecognized defined term = <GEIIS>"
)


def found_in(series: Series) -> Segmentation:
    """Two lungs that are in every second slice, in a pattern of their own in each."""
    assert series.grid is not None
    return found_on(series.grid)


def found_on(grid: Grid) -> Segmentation:
    k, r, c = np.ogrid[: grid.shape[0], : grid.shape[1], : grid.shape[2]]
    labels = np.where((r + 2 * c + 3 * k) % 7 < 2, 1 + (c > grid.shape[2] // 2), 0).astype(np.uint8)
    labels[1::2] = 0
    segments = (
        Segment("lung_right", 1, "Right lung", codes.RIGHT_LUNG),
        Segment("lung_left", 2, "Left lung", codes.LEFT_LUNG),
    )
    return Segmentation((labels,), grid, segments, Algorithm("pattern", "1"))


def measured(segmentation: Segmentation) -> tuple[Measurement, ...]:
    volumes = [segmentation.volume_ml(name) for name in segmentation.names]
    groups = [*((name,) for name in segmentation.names), segmentation.names]
    return tuple(
        Measurement("volume", "Volume", value, codes.ML, codes.VOLUME, names)
        for value, names in zip([*volumes, sum(volumes)], groups, strict=True)
    )


def objects_of(sources: Sequence[Dataset], segmentation: Segmentation, folder: Path) -> list[Path]:
    headers, values = repair(sources), measured(segmentation)
    picture = capture.Capture(np.zeros((64, 48, 3), np.uint8), "Key image")
    made = seg.make(segmentation, headers, MAKING)
    report = sr.make(values, headers, MAKING, segmentation=segmentation, seg=made)
    written = [
        write(made, folder / "seg.dcm", check=partial(seg.check, segmentation=segmentation)),
        write(report, folder / "sr.dcm", check=partial(sr.check, measurements=values)),
        write(
            capture.make([picture], headers, MAKING)[0],
            folder / "sc.dcm",
            check=partial(capture.check, capture=picture),
        ),
        write(
            pdf.make(DOCUMENT, headers, MAKING, title="x"),
            folder / "pdf.dcm",
            check=partial(pdf.check, document=DOCUMENT),
        ),
    ]
    return [one.path for one in written]


def complaints(path: Path) -> list[str]:
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    said = subprocess.run([program, "-new", str(path)], capture_output=True, text=True, check=False).stderr
    return [line for line in said.splitlines() if line.startswith(("Error", "Warning", "Abort"))]


@pytest.mark.parametrize("name", ["chest_ct_covid_P001", "chest_ct_normal001_every3", "dcmqi/segmentations/ct-3slice"])
def test_objects_of_a_real_ct_are_without_fault(shared_data: Path, tmp_path: Path, name: str) -> None:
    series = next(s for s in scan(shared_data / name) if s.modality == "CT" and s.grid is not None)
    segmentation = found_in(series)
    paths = objects_of([instance.dataset() for instance in series.instances], segmentation, tmp_path)
    for path in paths:
        assert [line for line in complaints(path) if not OF_THE_SOURCE.search(line)] == []
    volume = hd.seg.segread(paths[0]).get_volume(combine_segments=True)
    first = round(float(series.grid.to_index(volume.affine[:3, 3])[0]))
    assert first == 0
    assert np.array_equal(volume.array, segmentation.array[: volume.shape[0]])
    assert not segmentation.array[volume.shape[0] :].any()


def test_objects_go_back_onto_the_frames_of_a_tilted_head(shared_data: Path, tmp_path: Path) -> None:
    files = [path for path in (shared_data / "dcm_qa_ct_ge_head_tilt").rglob("*") if path.is_file()]
    headers = [dcmread(path, stop_before_pixels=True) for path in files if path.suffix == ".dcm"]
    headers.sort(key=lambda header: -float(header.ImagePositionPatient[2]))
    even, grid = longest_even_run(headers)
    assert len(even) >= 5
    assert grid.is_sheared
    objects_of(even, found_on(grid), tmp_path)
    back = dcmread(tmp_path / "seg.dcm")
    positions = {str(header.SOPInstanceUID): header.ImagePositionPatient for header in even}
    for item in back.PerFrameFunctionalGroupsSequence:
        source = str(item.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID)
        assert item.PlanePositionSequence[0].ImagePositionPatient == positions[source]


def longest_even_run(headers: list[Dataset]) -> tuple[list[Dataset], Grid]:
    """The longest run of slices at one distance from each other, and its grid."""
    places = np.array([header.ImagePositionPatient for header in headers], float)
    steps = np.diff(places, axis=0)
    runs, start = [], 0
    for i in range(1, len(steps) + 1):
        if i == len(steps) or np.abs(steps[i] - steps[start]).max() > 0.05:
            runs.append((start, i))
            start = i
    first, last = max(runs, key=lambda run: run[1] - run[0])
    header = headers[first]
    along_row, along_column = np.array(header.ImageOrientationPatient, float).reshape(2, 3)
    affine = np.eye(4)
    affine[:3, 0] = (places[last] - places[first]) / (last - first)
    affine[:3, 1] = along_column * float(header.PixelSpacing[0])
    affine[:3, 2] = along_row * float(header.PixelSpacing[1])
    affine[:3, 3] = places[first]
    count = last - first + 1
    return headers[first : last + 1], Grid((count, header.Rows, header.Columns), affine)


def test_every_real_series_gives_sound_objects_or_a_reason(shared_data: Path, tmp_path: Path) -> None:
    done, refused = 0, set()
    folders = ("dicom2nifti_tests", "ibsi_1_ct_phantom", "torchio_dicom", "nibabel_tests", "totalsegmentator_example")
    for folder in folders:
        for series in scan(shared_data / folder):
            if series.grid is None or len(series) < 2 or not series.verdict.usable:
                continue
            try:
                paths = objects_of(slice_headers.of_series(series), found_in(series), tmp_path)
            except Refused as error:
                refused |= {reason.code for reason in error.reasons}
                continue
            done += 1
            for path in paths:
                assert [line for line in complaints(path) if not OF_THE_SOURCE.search(line)] == []
    assert done >= 10
    assert refused <= {"SOURCES_WITHOUT_UID"}


@pytest.mark.parametrize(("name", "volumes"), [("dcm_qa_enh", 6), ("dcmqi/segmentations", 1), ("dicom2nifti_tests", 5)])
def test_objects_of_real_multi_frame_images_name_their_frames(
    shared_data: Path, tmp_path: Path, name: str, volumes: int
) -> None:
    done = 0
    for series in scan(shared_data / name):
        if series.grid is None or not series.verdict.usable or series.instances[0].format.frames == 1:
            continue
        done += 1
        paths = objects_of(slice_headers.of_series(series), found_in(series), tmp_path)
        assert [line for path in paths for line in complaints(path) if not OF_THE_SOURCE.search(line)] == []
        items = series.instances[0].dataset().PerFrameFunctionalGroupsSequence
        for item in dcmread(paths[0]).PerFrameFunctionalGroupsSequence:
            (source,) = item.DerivationImageSequence[0].SourceImageSequence
            assert source.ReferencedSOPInstanceUID == series.instances[0].sop_instance_uid
            theirs = items[source.ReferencedFrameNumber - 1].PlanePositionSequence[0].ImagePositionPatient
            assert np.abs(np.subtract(item.PlanePositionSequence[0].ImagePositionPatient, theirs)).max() < 1e-6
    assert done >= volumes


@pytest.mark.parametrize("name", ["Arab", "Fren", "Germ", "H31", "Hbrw", "JapMulti", "KoreanMulti", "X1"])
def test_names_of_patients_go_round_in_their_own_script(shared_data: Path, tmp_path: Path, name: str) -> None:
    odd = dcmread(shared_data / "fodicom_tests" / "charset" / f"chr{name}.dcm", force=True)
    series = next(iter(scan(shared_data / "dcmqi" / "segmentations" / "ct-3slice")))
    headers = [instance.dataset() for instance in series.instances]
    for header in headers:
        header.SpecificCharacterSet, header.PatientName = odd.SpecificCharacterSet, odd.PatientName
    objects_of(headers, found_in(series), tmp_path)
    for path in tmp_path.glob("*.dcm"):
        back = dcmread(path)
        assert str(back.PatientName) == str(odd.PatientName)
        assert back.SpecificCharacterSet == odd.SpecificCharacterSet
