"""``isocenter radiomics``: an image and its mask from files, features as a table, CSV or JSON."""

from __future__ import annotations

import csv
import json
import sys
from datetime import UTC, datetime

import numpy as np
import pytest

import isocenter as iso
from isocenter import cli, codes
from isocenter.dicom.derived import seg, sr
from isocenter.dicom.derived.making import Making
from isocenter.findings import Algorithm, Segment
from isocenter.testing.dicom import write_series

GRID = iso.Grid.from_vectors((8, 20, 24), spacing_mm=(3, 1, 1), origin_mm=(-10, 20, 30))
VALUES = np.random.default_rng(0).integers(-100, 100, GRID.shape).astype(np.int16)
HELD = VALUES[2:6, 4:15, 5:17]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A series, its DICOM Segmentation, and both as NIfTI."""
    folder = tmp_path_factory.mktemp("study")
    write_series(VALUES, GRID, folder / "series")
    series = iso.scan(folder / "series")[0]
    labels = np.zeros(GRID.shape, np.uint8)
    labels[2:6, 4:15, 5:17] = 1
    volume = iso.read(series)
    found = iso.Segmentation.of(labels, volume, [Segment("lesion", 1, "Lesion", codes.BODY)], Algorithm("box", "1"))
    headers = [instance.dataset() for instance in series.instances]
    made = seg.make(found, headers, Making(datetime(2026, 11, 21, tzinfo=UTC), ("seed",)))
    (folder / "objects").mkdir()
    made.save_as(folder / "objects" / "seg.dcm", implicit_vr=False, little_endian=True)
    iso.save(volume, folder / "image.nii.gz")
    iso.save(found, folder / "mask.nii.gz")
    coarse = iso.onto(found, GRID.with_spacing((3, 1.1, 1.1)))
    iso.save(coarse, folder / "coarse.nii.gz")
    return folder


@pytest.fixture
def isocenter(monkeypatch, capsys):
    def call(*arguments, status=0):
        monkeypatch.setattr(sys, "argv", ["isocenter", "radiomics", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        assert int(stopped.value.code or 0) == status, captured.err
        return captured.out + captured.err

    return call


@pytest.mark.parametrize("image", ["series", "image.nii.gz"])
@pytest.mark.parametrize("mask", ["objects", "mask.nii.gz"])
def test_image_and_mask_may_come_in_any_format(isocenter, study, image, mask):
    facts = json.loads(isocenter(study / image, study / mask, "--family", "statistics", "--json"))
    values = {row["feature"]: row["value"] for row in facts["features"]}
    assert values["mean"] == pytest.approx(HELD.mean())
    assert {row["segment"] for row in facts["features"]} == {"lesion"}
    assert {row["unit"] for row in facts["features"] if row["feature"] == "mean"} == {codes.HU.value}
    assert "MASK_MOVED" not in {reason["code"] for reason in facts["reasons"]}


def test_a_mask_of_other_voxels_is_moved_and_that_is_said(isocenter, study):
    facts = json.loads(isocenter(study / "series", study / "coarse.nii.gz", "--family", "statistics", "--json"))
    assert "MASK_MOVED" in {reason["code"] for reason in facts["reasons"]}


def test_features_are_written_as_csv(isocenter, study, tmp_path):
    text = isocenter(study / "series", study / "objects", "--out", tmp_path / "features.csv", "--bins", 16)
    assert "features.csv: 210 features" in text
    with (tmp_path / "features.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 210
    mean = next(row for row in rows if (row["family"], row["feature"]) == ("statistics", "mean"))
    assert float(mean["value"]) == pytest.approx(HELD.mean())
    assert (mean["ibsi_feature"], mean["absent"]) == ("Q4LE", "")


def test_features_are_written_as_json_with_what_was_done(isocenter, study, tmp_path):
    path = tmp_path / "features.json"
    isocenter(
        study / "series", study / "objects", "-o", path, "--preset", "ibsi-c", "--range", -80, 90, "--bin-size", 10
    )
    facts = json.loads(path.read_text(encoding="utf-8"))
    assert facts["processing"]["spacing_mm"] == [2.0, 2.0, 2.0]
    assert facts["processing"]["intensity_range"] == [-80, 90]
    assert facts["processing"]["bins"] == {"kind": "FixedBinSize", "width": 10, "start": None}
    assert len(facts["features"]) == 210


def test_options_change_what_is_done(isocenter, study):
    arguments = ("--spacing", "3x2x2", "--outliers", 2.5, "--dimension", "2D", "--dimension", "2.5D", "--json")
    facts = json.loads(isocenter(study / "series", study / "objects", *arguments))
    assert facts["processing"]["spacing_mm"] == [3, 2, 2]
    assert facts["processing"]["outliers_sd"] == 2.5
    assert {row["aggregation"].split(",")[0] for row in facts["features"]} == {"", "2D", "2.5D"}


def test_a_narrow_page_breaks_words_and_cuts_no_number(isocenter, study):
    told = isocenter(study / "image.nii.gz", study / "mask.nii.gz", "--family", "ngldm", "--family", "statistics")
    assert "…" not in told
    assert f"{HELD.mean():.6g} " in told


def test_people_get_a_table(isocenter, study):
    text = isocenter(study / "series", study / "objects", "--segment", "lesion", "--family", "ngtdm")
    assert "coarseness" in text
    assert "3D" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["series", "series"], "0 segmentations"),
        (["series", "objects", "--segment", "liver"], "No segment 'liver'"),
        (["series", "objects", "--family", "glcn"], "no family 'glcn'"),
        (["series", "objects", "--bins", "8", "--bin-size", "5"], "not both"),
        (["series", "objects", "--bins", "0"], "1 or more"),
        (["series", "objects", "--spacing", "wide"], "one number or three"),
        (["series", "objects", "--spacing", "2x2"], "one number or three"),
        (["series", "objects", "--dimension", "4D"], "'2D', '2.5D' or '3D'"),
        (["series", "objects", "--out", "features.txt"], ".csv or .json"),
        (["series", "objects", "--values", "suvbw"], "PET"),
        (["nowhere", "objects"], "nowhere"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(isocenter, study, monkeypatch, arguments, words):
    monkeypatch.chdir(study)
    text = " ".join(isocenter(*arguments, status=2).split())
    assert words in text


def test_features_go_into_a_structured_report_with_their_codes(study):
    series = iso.scan(study / "series")[0]
    volume = iso.read(series)
    found = iso.read_segmentation(study / "objects" / "seg.dcm", grid=volume.grid)
    measured = [item.to_measurement() for item in iso.radiomics.features(volume, found).present()]
    headers = [instance.dataset() for instance in series.instances]
    making = Making(datetime(2026, 11, 21, tzinfo=UTC), ("seed",))
    report = sr.make(measured, headers, making, segmentation=found, seg=seg.make(found, headers, making))
    coded = {}

    def walk(item):
        if item.get("ValueType") == "NUM":
            concept, number = item.ConceptNameCodeSequence[0], item.MeasuredValueSequence[0]
            unit = number.MeasurementUnitsCodeSequence[0]
            name = (concept.CodingSchemeDesignator, concept.CodeValue)
            coded.setdefault(name, []).append((float(number.NumericValue), unit.CodeValue))
        for child in item.get("ContentSequence", ()):
            walk(child)

    walk(report)
    assert coded["IBSI", "Q4LE"] == [(pytest.approx(HELD.mean()), codes.HU.value)]
    assert coded["IBSI", "ECT3"] == [(pytest.approx(HELD.var()), "[hnsf'U]2")]
    assert len(coded["IBSI", "TU9B"]) == 2  # joint entropy, averaged and merged
    assert sum(len(values) for (scheme, _), values in coded.items() if scheme == "IBSI") == len(measured)


def test_a_region_of_which_nothing_is_left_is_a_failed_case(isocenter, study):
    assert "REGION_EMPTIED" in isocenter(study / "series", study / "objects", "--range", 3000, 4000, status=1)
