"""Every reference value of IBSI 2 on its CT image, and the reference response map, within the consensus tolerance."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

import isocenter as iso
from isocenter.ops import radiomics
from isocenter.ops.responses import Filter, Gabor, LaplacianOfGaussian, Laws, Mean, SeparableWavelet, Simoncelli

pytestmark = pytest.mark.real

PROCESSING = {
    "A": radiomics.Processing(intensity_range=(-1000, 400)),
    "B": radiomics.Processing(
        spacing_mm=(1.0, 1.0, 1.0), interpolation="cubic", rounded_to=1, intensity_range=(-1000, 400)
    ),
}
FILTERS: dict[str, Filter | None] = {
    "1.A": None,
    "1.B": None,
    "2.A": Mean(5, "2D"),
    "2.B": Mean(5),
    "3.A": LaplacianOfGaussian(1.5, dimension="2D"),
    "3.B": LaplacianOfGaussian(1.5),
    "4.A": Laws("L5E5", pooling="max", energy=7),
    "4.B": Laws("L5E5E5", pooling="max", energy=7),
    "5.A": Gabor(5.0, 2.0, 1.5, step=math.pi / 8),
    "5.B": Gabor(5.0, 2.0, 1.5, step=math.pi / 8, dimension="3D"),
    "6.A": SeparableWavelet("db3", "LH", pooling="mean"),
    "6.B": SeparableWavelet("db3", "LLH", pooling="mean"),
    "7.A": SeparableWavelet("db3", "HH", 2, pooling="mean"),
    "7.B": SeparableWavelet("db3", "HHH", 2, pooling="mean"),
    "8.A": Simoncelli(1, "2D"),
    "8.B": Simoncelli(1),
    "9.A": Simoncelli(2, "2D"),
    "9.B": Simoncelli(2),
}
TAGS = tuple(
    f"stat_{tag}"
    for tag in (
        *("mean", "var", "skew", "kurt", "median", "min", "p10", "p90", "max"),
        *("iqr", "range", "mad", "rmad", "medad", "cov", "qcod", "energy", "rms"),
    )
)
"""The reference's words for the statistics, in the order of the manual."""


@pytest.fixture(scope="module")
def reference(shared_data: Path) -> dict[str, list[tuple[str, float, float]]]:
    """The values of each filter: feature, value, tolerance. One of the 324 has no value."""
    rows: dict[str, list[tuple[str, float, float]]] = {}
    path = shared_data / "ibsi_2_reference" / "reference_feature_values" / "reference_values.csv"
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter=";"):
            if row["consensus_value"]:
                one = (row["feature_tag"], float(row["consensus_value"]), float(row["tolerance"]))
                rows.setdefault(row["filter_id"], []).append(one)
    assert sum(map(len, rows.values())) == 323
    return rows


@pytest.fixture(scope="module")
def ct_regions(shared_data: Path) -> dict[str, radiomics.Region]:
    folder = shared_data / "ibsi_1_ct_phantom" / "nifti"
    volume = iso.load(next((folder / "image").iterdir()))
    mask = iso.load_segmentation(next((folder / "mask").iterdir()))
    return {
        name: radiomics.regions(volume, mask, processing=how, margin_mm=math.inf)[0] for name, how in PROCESSING.items()
    }


@pytest.mark.parametrize("name", FILTERS)
def test_the_ct_has_every_value_of_the_reference(name, reference, ct_regions) -> None:
    one, region = FILTERS[name], ct_regions[name[-1]]
    if one is not None:
        region = region.with_map(one.response(region.image))
    found = radiomics.of_region(region, processing=PROCESSING[name[-1]], families=["statistics"])
    values = dict(zip(TAGS, (item.value for item in found), strict=True))
    missed = [
        (tag, values[tag], value, tolerance)
        for tag, value, tolerance in reference[name]
        if values[tag] is None or abs(_rounded(values[tag]) - value) > tolerance + 1e-9 * abs(value)
    ]
    assert missed == []


def _rounded(value: float) -> float:
    """Three significant digits, as the reference has them."""
    return float(f"{value:.3g}")


def test_the_response_map_of_laws_kernels_is_the_reference(shared_data: Path) -> None:
    image = iso.load(shared_data / "ibsi_2_digital_phantom/nifti/impulse/image/impulse.nii.gz")
    expected = iso.load(shared_data / "ibsi_2_reference/reference_response_maps/3_a_1-ValidCRM.nii")
    found = Laws("E5L5S5", boundary="zero").response(image)
    assert found.grid.coincides(expected.grid)
    assert np.abs(found.array - expected.array).max() <= 1e-6 * np.ptp(expected.array)
