from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import highdicom as hd
import pytest
from pydicom import Dataset, dcmread

from isocenter import codes
from isocenter.codes import Code
from isocenter.dicom.derived import seg, sr
from isocenter.dicom.derived.making import Making, encode
from isocenter.dicom.derived.writing import write
from isocenter.errors import Bug, UsageError
from isocenter.findings import Measurement, Segmentation
from isocenter.reasons import Reason

Measurements = tuple[Measurement, ...]


def made_of(
    measurements: Measurements, segmentation: Segmentation, sources: list[Dataset], making: Making
) -> tuple[Dataset, Dataset]:
    made = seg.make(segmentation, sources, making)
    return sr.make(measurements, sources, making, segmentation=segmentation, seg=made), made


def test_every_value_comes_back_exactly(
    measurements: Measurements, segmentation: Segmentation, sources: list[Dataset], making: Making, tmp_path: Path
) -> None:
    report, _ = made_of(measurements, segmentation, sources, making)
    write(report, tmp_path / "sr.dcm", check=partial(sr.check, measurements=measurements))
    found = sr.read_back(dcmread(tmp_path / "sr.dcm"))
    assert [value for _, value, _ in found] == [m.value for m in measurements]
    assert [concept.value for concept, _, _ in found] == [m.concept.value for m in measurements]
    assert [unit.value for _, _, unit in found] == [m.unit.value for m in measurements]


def test_another_reader_finds_each_group_with_its_segment(
    measurements: Measurements, segmentation: Segmentation, sources: list[Dataset], making: Making, tmp_path: Path
) -> None:
    report, segments = made_of(measurements, segmentation, sources, making)
    (tmp_path / "sr.dcm").write_bytes(encode(report))
    content = hd.sr.srread(tmp_path / "sr.dcm").content
    right, left = content.get_volumetric_roi_measurement_groups()
    for number, group in enumerate((right, left), start=1):
        segment = group.referenced_segment
        assert (segment.referenced_sop_instance_uid, segment[0].referenced_segment_numbers) == (
            segments.SOPInstanceUID,
            [number],
        )
        assert group.tracking_uid == segments.SegmentSequence[number - 1].TrackingUID
        assert group.finding_type.value == codes.LUNG.value
    mean = right.get_measurements()[1]
    assert (mean.value, mean.derivation.value) == (measurements[1].value, codes.MEAN.value)
    assert mean.unit.value == "[hnsf'U]"
    (both,) = content.get_image_measurement_groups()
    assert both.get_measurements()[0].value == 3912.5
    assert both.finding_sites[0].laterality.value == codes.BILATERAL.value
    reference = both.source_images[0].ReferencedSOPSequence[0]
    assert list(reference.ReferencedSegmentNumber) == [1, 2]


def test_validators_have_nothing_against_it(
    measurements: Measurements,
    segmentation: Segmentation,
    sources: list[Dataset],
    making: Making,
    tmp_path: Path,
    complaints: Callable[[Path], list[str]],
) -> None:
    warned = segmentation.with_reasons([Reason("LUNG_CUT", "The left lung reaches the border.")])
    report, _ = made_of(measurements, warned, sources, making)
    (tmp_path / "sr.dcm").write_bytes(encode(report))
    assert complaints(tmp_path / "sr.dcm") == []


@pytest.mark.parametrize("program", ["dsrdump", "dsr2html"])
def test_common_tools_print_it(
    measurements: Measurements,
    segmentation: Segmentation,
    sources: list[Dataset],
    making: Making,
    tmp_path: Path,
    program: str,
) -> None:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} (dcmtk) is not installed")
    report, _ = made_of(measurements, segmentation, sources, making)
    (tmp_path / "sr.dcm").write_bytes(encode(report))
    said = subprocess.run([path, str(tmp_path / "sr.dcm")], capture_output=True, text=True, check=True)
    assert "3912.5" in said.stdout
    assert not [line for line in said.stderr.splitlines() if line.startswith(("E:", "F:"))]


def test_the_same_arguments_give_the_same_bytes(
    measurements: Measurements, segmentation: Segmentation, sources: list[Dataset], making: Making
) -> None:
    once, again = (encode(made_of(measurements, segmentation, sources, making)[0]) for _ in range(2))
    assert once == again
    other = (replace(measurements[0], value=2.0), *measurements[1:])
    assert made_of(other, segmentation, sources, making)[0].SOPInstanceUID.encode() not in once


def test_what_needs_review_stands_as_a_comment(
    measurements: Measurements, segmentation: Segmentation, sources: list[Dataset], making: Making
) -> None:
    reasons = [Reason("LUNG_CUT", "The left lung reaches the border."), Reason("TILT", "Sheared by 18 degrees.")]
    warned = segmentation.with_reasons(reasons)
    nothing = Measurement("mean", "Mean density", float("nan"), codes.HU, codes.ATTENUATION, ("trachea",))
    report, _ = made_of((*measurements, nothing), warned, sources, making)
    sr.check(report, (*measurements, nothing))
    last = report.ContentSequence[-1]
    assert last.ConceptNameCodeSequence[0].CodeMeaning == "Qualitative Evaluations"
    texts = [item.TextValue for item in last.ContentSequence]
    assert texts[0].startswith("The left lung reaches the border.")
    assert texts[1:] == ["Mean density of trachea has no value."]


def test_what_no_public_scheme_has_a_code_for_is_said_in_words(
    segmentation: Segmentation,
    sources: list[Dataset],
    making: Making,
    tmp_path: Path,
    complaints: Callable[[Path], list[str]],
) -> None:
    own = Code("LAA950", "99OWN", "Share of lung below -950 HU")
    rank = Code("PCT15", "99OWN", "Fifteenth percentile")
    values = (
        Measurement("laa_950", "Emphysema index", 3.25, codes.PERCENT, own, ("lung_left",)),
        Measurement("p15", "15th percentile", -921.0, codes.HU, codes.ATTENUATION, ("lung_left",), rank),
    )
    report, _ = made_of(values, segmentation, sources, making)
    write(report, tmp_path / "sr.dcm", check=partial(sr.check, measurements=values))
    (group,) = hd.sr.srread(tmp_path / "sr.dcm").content.get_volumetric_roi_measurement_groups()
    share, percentile = (measurement[0] for measurement in group.get_measurements())
    assert [item.name.meaning for item in (share, percentile)] == ["Ratio", "Attenuation Coefficient"]
    assert share.ContentSequence[0].value == "Share of lung below -950 HU"
    assert percentile.ContentSequence[0].value == "Attenuation Coefficient: Fifteenth percentile"
    assert complaints(tmp_path / "sr.dcm") == []


def test_a_changed_value_unit_or_count_is_noticed(
    measurements: Measurements, segmentation: Segmentation, sources: list[Dataset], making: Making
) -> None:
    report, _ = made_of(measurements, segmentation, sources, making)
    wrongs = (
        measurements[:-1],
        (replace(measurements[0], value=2100.1250000001), *measurements[1:]),
        (replace(measurements[0], unit=codes.MM), *measurements[1:]),
        (replace(measurements[0], concept=codes.MASS), *measurements[1:]),
    )
    for wrong in wrongs:
        with pytest.raises(Bug, match="read back"):
            sr.check(report, wrong)


def test_a_segment_that_is_not_there_is_refused(
    measurements: Measurements, segmentation: Segmentation, sources: list[Dataset], making: Making
) -> None:
    with pytest.raises(UsageError, match="spleen"):
        made_of((replace(measurements[0], segments=("spleen",)),), segmentation, sources, making)


def test_the_procedure_is_the_sources_own_or_follows_from_its_modality(
    measurements: Measurements, segmentation: Segmentation, sources: list[Dataset], making: Making
) -> None:
    def procedure() -> str:
        report, _ = made_of(measurements, segmentation, sources, making)
        items = [i for i in report.ContentSequence if i.ConceptNameCodeSequence[0].CodeMeaning == "Procedure reported"]
        return str(items[0].ConceptCodeSequence[0].CodeMeaning)

    assert procedure() == "CT Chest"
    del sources[0].BodyPartExamined
    assert procedure() == "CT unspecified body region"
    own = Dataset()
    own.CodeValue, own.CodingSchemeDesignator, own.CodeMeaning = "77", "99LOCAL", "Thorax"
    sources[0].ProcedureCodeSequence = [own]
    assert procedure() == "Thorax"
