"""Filters on a real CT and a real MR: noise falls, edges stay."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import scan
from isocenter.ops import filters
from isocenter.ops.resample import onto
from isocenter.volume import Volume

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def chest(shared_data) -> Volume:
    """Twelve slices of a chest, 512 x 512."""
    volume = read(next(s for s in scan(shared_data / "chest_ct_covid_P001") if s.modality == "CT"))
    return onto(volume, volume.grid.crop((70, 100, 40), (82, 420, 480)))


@pytest.fixture(scope="module")
def head(shared_data) -> Volume:
    """Eighteen slices, 256 x 256, far apart."""
    return read(scan(shared_data / "dcm_qa_decubitus_hfdr")[0])


def smoothed(image: Volume, noise: float) -> dict[str, Volume]:
    sharp = min(image.spacing_mm)
    return {
        "gaussian": filters.gaussian(image, 1.2 * sharp),
        "median": filters.median(image, 1.2 * sharp),
        "bilateral": filters.bilateral(image, 1.2 * sharp, 3 * noise),
        "non_local_means": filters.non_local_means(
            image, noise, patch_mm=(0, 1.2 * sharp, 1.2 * sharp), search_mm=(0, 5 * sharp, 5 * sharp)
        ),
        "anisotropic_diffusion": filters.anisotropic_diffusion(image, 1.2 * sharp, 2.5 * noise / sharp),
        "total_variation": filters.total_variation(image, 1.0 * noise * sharp),
    }


@pytest.mark.parametrize("name", ["chest", "head"])
def test_noise_falls_and_edges_stay(name: str, request: pytest.FixtureRequest) -> None:
    image = request.getfixturevalue(name)
    noise = filters.measure_noise(image).value
    assert noise > 0
    steep = filters.gradient_magnitude(image).array
    edge = steep > np.percentile(steep, 99.5)
    results = smoothed(image, noise)
    rest, kept = {}, {}
    for kind, result in results.items():
        assert result.grid == image.grid
        assert result.sources == image.sources
        assert abs(float(result.array.mean()) - float(image.array.mean())) < 0.2 * noise
        rest[kind] = filters.measure_noise(result, method="white").value
        kept[kind] = filters.gradient_magnitude(result).array[edge].mean() / steep[edge].mean()
    before = filters.measure_noise(image, method="white").value
    assert max(rest.values()) < 0.8 * before, rest
    for kind in ("bilateral", "non_local_means", "anisotropic_diffusion", "total_variation"):
        assert kept[kind] > kept["gaussian"], kept


def test_planted_noise_is_found_on_top_of_that_of_a_real_ct(chest: Volume) -> None:
    own = filters.measure_noise(chest).value
    more = filters.measure_noise(filters.gaussian_noise(chest, 40, seed=1)).value
    assert more == pytest.approx(np.hypot(own, 40), rel=0.06)


def test_vessels_of_a_lung_are_found_in_the_lung(chest: Volume) -> None:
    vessels = filters.frangi(chest, [1.0, 2.0], gamma=100).array
    lung = filters.gaussian(chest, 4.0).array < -600
    found = vessels[lung] > 0.5
    assert 0.001 < found.mean() < 0.2
    assert chest.array[lung][found].mean() > chest.array[lung].mean() + 100


def test_edges_run_along_steep_places(chest: Volume) -> None:
    edges = filters.canny(chest, 40, 80, sigma_mm=1.0).mask("edge")
    slope = filters.gradient_magnitude(chest, sigma_mm=1.0).array
    assert 0.005 < edges.mean() < 0.2
    assert slope[edges].min() >= 40
