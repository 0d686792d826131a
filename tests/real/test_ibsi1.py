"""Every reference value of IBSI 1, on its two phantoms, within the consensus tolerance."""

from __future__ import annotations

import csv
import math
import re

import numpy as np
import pytest

import isocenter as iso
from isocenter.ops import radiomics
from isocenter.ops.radiomics import FAMILIES

pytestmark = pytest.mark.real

CT = "ibsi_1_ct_phantom"
DIGITAL = "ibsi_1_digital_phantom"
TITLES = {family.title: family for family in FAMILIES.values()}


def reference(folder, data):
    """The reference values: (family, feature, aggregation) to (value, tolerance), in the order of the manual."""
    with (folder / "ibsi1_reference_values.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["data"] == data and row["value"]]
    return [
        (
            (TITLES[row["family"]].name, row["feature"].replace("\\ :sup:`th`", "th"), row["aggregation"]),
            float(row["value"]),
            float(row["tolerance"] or 0),
        )
        for row in rows
    ]


def found_by_title(found):
    """Values as the reference names them; where two fractions share a name, the lower comes first."""
    values = {}
    for item in found:
        title = re.sub(r" \d+ %$", "", item.entry.title)
        values.setdefault((item.family, title, item.aggregation), []).append(item.value)
    return values


def rounded(value):
    """Three significant digits, as the reference has them."""
    return value if value == 0 else round(value, 2 - math.floor(math.log10(abs(value))))


def outside(found, expected):
    """The reference values that were missed."""
    values = found_by_title(found)
    missed = []
    for key, value, tolerance in expected:
        own = values[key].pop(0)
        if own is None or abs(rounded(own) - value) > tolerance + 1e-9 * abs(value):
            missed.append((key, own, value, tolerance))
    assert not any(values.values()), "the reference has no value for these"
    return missed


def phantom(folder):
    image = next((folder / "nifti" / "image").iterdir())
    mask = next((folder / "nifti" / "mask").iterdir())
    return iso.load(image), iso.load_segmentation(mask)


@pytest.fixture(scope="module")
def ct(shared_data):
    return phantom(shared_data / CT)


def test_the_digital_phantom_has_every_value_of_the_reference(shared_data):
    volume, mask = phantom(shared_data / DIGITAL)
    expected = reference(shared_data / DIGITAL, "digital phantom")
    assert len(expected) == 482
    assert outside(radiomics.features(volume, mask, processing=radiomics.IBSI_DIGITAL), expected) == []


@pytest.mark.parametrize(("name", "number"), [("A", 346), ("B", 346), ("C", 209), ("D", 210), ("E", 210)])
def test_the_ct_phantom_has_every_value_of_the_reference(shared_data, ct, name, number):
    expected = reference(shared_data / CT, f"configuration {name}")
    assert len(expected) == number
    found = radiomics.features(*ct, processing=getattr(radiomics, f"IBSI_{name}"))
    if name == "C":  # one feature was left without a value, since no consensus was reached
        left = found.of("morphology", "compactness_1")
        expected.append((("morphology", left.entry.title, ""), rounded(left.value), 0.0))
    assert outside(found, expected) == []


def test_the_structure_set_gives_the_same_region_as_the_mask(shared_data, ct):
    """The contours run through voxel centers, so that single voxels on them may fall to either side."""
    scan = iso.scan(shared_data / CT / "dicom")
    volume = iso.read(next(series for series in scan if series.modality == "CT"))
    stored = iso.read_segmentation(scan.findings[0], grid=volume.grid)
    (name,) = stored.names
    nifti = iso.onto(ct[1], volume.grid)
    one, other = stored.mask(name), nifti.mask(*nifti.names)
    assert np.count_nonzero(one ^ other) <= 0.001 * np.count_nonzero(other)
    expected = reference(shared_data / CT, "configuration D")
    assert outside(radiomics.features(volume, stored, processing=radiomics.IBSI_D), expected) == []
