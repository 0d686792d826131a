"""Surfaces and pictures of real images: closed, where the voxels are, and quick to look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import isocenter as iso

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def chest(shared_data: Path):
    ct = iso.read(max(iso.scan(shared_data / "chest_ct_covid_P001"), key=len))
    return ct, iso.segment(ct, "lungs")


def test_the_surfaces_of_lungs_are_closed_and_hold_their_voxels(chest):
    _, lungs = chest
    for name in ("lung_left", "lung_right"):
        surface = iso.surfaces.mesh(lungs, name)
        assert surface.is_closed
        assert surface.volume_ml == pytest.approx(lungs.volume_ml(name), rel=1e-3)
        smooth = iso.surfaces.smoothed(surface)
        assert smooth.volume_ml == pytest.approx(surface.volume_ml, rel=5e-3)
        few = iso.surfaces.decimated(smooth, 0.05)
        assert few.is_closed
        assert few.volume_ml == pytest.approx(smooth.volume_ml, rel=2e-3)
    left, right = (iso.surfaces.mesh(lungs, name).vertices[:, 0].mean() for name in ("lung_left", "lung_right"))
    assert left > right  # in LPS x grows to the left


def test_an_isosurface_of_bone_lies_at_the_level(chest):
    ct, _ = chest
    part = iso.crop_to(ct, iso.Segmentation.of(ct.array > 300, ct, [iso.Segment.named("bone")], _algorithm()))
    surface = iso.surfaces.isosurface(part, 300)
    assert surface.is_closed
    from scipy.ndimage import map_coordinates

    index = part.grid.to_index(surface.vertices[::97]).T
    inner = (index > 0).all(axis=0) & (np.array(part.shape) - 1 > index.T).all(axis=1)
    values = map_coordinates(part.array.astype(np.float32), index[:, inner], order=1)
    assert np.median(np.abs(values - 300)) < 1
    assert np.mean(np.abs(values - 300) < 5) > 0.99


def test_pet_over_ct_of_one_frame_of_reference_shows_the_uptake(shared_data: Path):
    found = {series.modality: iso.read(series) for series in iso.scan(shared_data / "ibsi_sts_008_petctmr")}
    pet, ct = found["PT"], found["CT"]
    hottest = pet.grid.to_world(np.unravel_index(int(pet.array.argmax()), pet.shape))
    figure = iso.pictures.fused(ct, pet, at_mm=float(hottest[2]), window="soft tissue", limits=(2, 6))
    picture = figure.image[:, :-150].astype(int)
    tinted = np.argwhere(picture[..., 0] - picture[..., 2] > 60).mean(axis=0) / picture.shape[:2]
    place = (ct.grid.to_index(hottest)[1:] + 0.5) / ct.shape[1:]
    np.testing.assert_allclose(tinted, place, atol=0.1)
    assert "SUVbw" in figure.caption


def test_every_real_image_shows_itself(shared_data: Path):
    for folder in ("chest_ct_covid_P001", "torchio_dicom", "ibsi_sts_008_petctmr", "dcm_qa_orientation"):
        for series in iso.scan(shared_data / folder):
            if series.verdict.usable:
                assert (iso.read(series)._repr_png_() or b"").startswith(b"\x89PNG"), series


def _algorithm():
    from isocenter.findings import Algorithm

    return Algorithm("threshold", "1")
