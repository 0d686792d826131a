"""Every reference value of IBSI 1, on its two phantoms, within the consensus tolerance.

``python tests/real/test_ibsi1.py FOLDER`` writes the page of all values anew, from the folder of the data sets.
"""

from __future__ import annotations

import csv
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import isocenter as iso
from isocenter.ops import radiomics
from isocenter.ops.radiomics import FAMILIES

pytestmark = pytest.mark.real

CT = "ibsi_1_ct_phantom"
DIGITAL = "ibsi_1_digital_phantom"
PAGE = Path(__file__).parents[2] / "docs" / "ibsi1.md"
CONFIGURATIONS = ("A", "B", "C", "D", "E")
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
    scan = iso.scan(shared_data / CT / "dicom")
    volume = iso.read(next(series for series in scan if series.modality == "CT"))
    stored = iso.read_segmentation(scan.findings[0], grid=volume.grid)
    nifti = iso.onto(ct[1], volume.grid)
    assert np.array_equal(stored.mask(*stored.names), nifti.mask(*nifti.names))
    expected = reference(shared_data / CT, "configuration E")
    assert outside(radiomics.features(volume, stored, processing=radiomics.IBSI_E), expected) == []


# --- the page --------------------------------------------------------------------------------------------------------


def all_values(data):
    """By (family, feature, aggregation, number): the cell of each phantom and configuration."""
    cells = {}
    runs = [("digital", DIGITAL, "digital phantom", radiomics.IBSI_DIGITAL)]
    runs += [(name, CT, f"configuration {name}", getattr(radiomics, f"IBSI_{name}")) for name in CONFIGURATIONS]
    for column, folder, rows, processing in runs:
        values = found_by_title(radiomics.features(*phantom(data / folder), processing=processing))
        for key, value, tolerance in reference(data / folder, rows):
            number = len(values[key])
            around = f"{value:.4g} ± {tolerance:.3g}" if tolerance else f"{value:.4g}"
            cells.setdefault((*key, number), {})[column] = f"{rounded(values[key].pop(0)):.4g} ({around})"
    return cells


HEAD = """# All values of IBSI 1

What is found, with the reference and its consensus tolerance in parentheses, to the three digits that the reference has. Where
no tolerance stands, it is 0. Each value lies within it. Written by `python tests/real/test_ibsi1.py FOLDER` from a run on the
phantoms of the initiative. References: IBSI reference manual, CC BY 4.0. The CT phantom itself (CC BY-NC 3.0) is no part
of the project. Compactness 1 of configuration C has no reference, as there was no consensus.
"""  # fmt: skip  # noqa: E501


def page_of(data):
    """All values beside their references, as a page."""
    lines, family = [HEAD], ""
    for (name, title, aggregation, _), row in all_values(data).items():
        if name != family:
            family = name
            lines.append(f"\n## {FAMILIES[name].title}\n")
            lines.append(
                "| feature | aggregation | digital phantom | A | B | C | D | E |\n|---|---|---|---|---|---|---|---|"
            )
        cells = " | ".join(row.get(column, "") for column in ("digital", *CONFIGURATIONS))
        lines.append(f"| {title} | {aggregation} | {cells} |")
    return "\n".join(lines) + "\n"


def test_the_page_lists_every_value_as_found(shared_data):
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_of(shared_data)
    cells = [cell for line in page.splitlines() for cell in line.split("|")[3:]]
    assert sum("(" in cell for cell in cells) == 1803


if __name__ == "__main__":
    PAGE.write_text(page_of(Path(sys.argv[1])), encoding="utf-8")
