"""Lungs on phantoms whose truth is known: one set of settings for all of them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from isocenter.geometry import Grid
from isocenter.ops.anatomy import segment
from isocenter.testing.phantom import (
    CONSOLIDATION,
    GROUND_GLASS,
    PLEURAL_CONSOLIDATION,
    ChestOptions,
    chest_grid,
    chest_phantom,
)
from isocenter.volume import Volume

LUNGS = ("lung_right", "lung_left")
PLAIN = chest_grid((120, 180, 180), (2.5, 2.0, 2.0))


def turned() -> Grid:
    """A grid that lies askew in the patient by 10 to 15 degrees about each axis."""
    angles = np.radians([12.0, -15.0, 10.0])
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        a, b = (i for i in range(3) if i != axis)
        one = np.eye(3)
        one[[a, a, b, b], [a, b, a, b]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
        turn = one @ turn
    shape, spacing, direction = (150, 200, 200), (2.5, 2.0, 2.0), turn @ PLAIN.direction
    middle = np.array(Grid.from_vectors(shape, spacing_mm=spacing, direction=direction).center_mm)
    origin = np.array([0.0, 8.0, 0.0]) - middle
    return Grid.from_vectors(shape, spacing_mm=spacing, direction=direction, origin_mm=tuple(origin))


CASES = {
    "plain": (PLAIN, ChestOptions()),
    "dense parts": (PLAIN, ChestOptions(patches=(CONSOLIDATION, GROUND_GLASS, PLEURAL_CONSOLIDATION))),
    "thick slices": (chest_grid((50, 240, 240), (6.0, 1.5, 1.5)), ChestOptions()),
    "coarse voxels": (chest_grid((100, 120, 120), (3.0, 3.0, 3.0)), ChestOptions()),
    "thin voxels": (chest_grid((300, 360, 360), (1.0, 1.0, 1.0)), ChestOptions()),
    "noise": (PLAIN, ChestOptions(noise_hu=60)),
    "emphysema": (PLAIN, ChestOptions(lung_hu=-930)),
    "contrast": (PLAIN, ChestOptions(blood_hu=300)),
    "blanket and table": (PLAIN, ChestOptions(surroundings=("table", "blanket"))),
    "oblique": (turned(), ChestOptions()),
    "left-handed": (PLAIN.flip(0), ChestOptions()),
    "coronal slices": (PLAIN.reorient("ASL"), ChestOptions()),
    "sagittal slices": (PLAIN.reorient("LSP"), ChestOptions()),
}


@cache
def plain(options):
    """A phantom on the plain grid, made once; nobody can change it."""
    return chest_phantom(PLAIN, options=options)


@pytest.fixture(scope="module")
def volumes_ml():
    """True volumes; every case holds all of both lungs, so they are the same for all."""
    return plain(ChestOptions()).volumes_ml


@pytest.mark.parametrize("case", CASES)
def test_lung_volumes_are_right_within_one_percent(case, volumes_ml):
    grid, options = CASES[case]
    phantom = plain(options) if grid is PLAIN else chest_phantom(grid, options=options)
    found = segment(phantom.volume, "lungs")
    assert found.grid == grid
    for name in LUNGS:
        assert found.volume_ml(name) == pytest.approx(volumes_ml[name], rel=0.01)
        mask, truth = found.mask(name), phantom.truth.mask(name)
        assert 2 * np.count_nonzero(mask & truth) / (np.count_nonzero(mask) + np.count_nonzero(truth)) > 0.985
    assert found.volume_ml("airways") == pytest.approx(phantom.truth.volume_ml("airways"), rel=0.12)
    assert not {r.code for r in found.reasons} & {"LUNG_LEAK", "LUNG_CUT", "LUNG_MISSING", "LUNGS_SPLIT_BY_PLANE"}


@pytest.fixture(scope="module")
def dense():
    phantom = plain(ChestOptions(patches=(CONSOLIDATION,)))
    return phantom, segment(phantom.volume, "lungs")


def test_airless_lung_within_aerated_lung_is_lung_and_said_to_be(dense):
    phantom, found = dense
    k, r, c = np.rint(phantom.volume.grid.to_index(CONSOLIDATION.center_mm)).astype(int)
    assert phantom.volume.array[k, r, c] > -100
    assert found.mask("lung_right")[k, r, c]
    assert "DENSE_LUNG_INCLUDED" in {reason.code for reason in found.reasons}


def test_bowel_gas_and_outside_air_are_never_lung(dense):
    phantom, found = dense
    lungs = found.mask(*LUNGS)
    assert not (lungs & phantom.truth.mask("bowel_gas")).any()
    assert not (lungs & (phantom.truth.array == 0)).any()


def test_trachea_and_main_bronchi_are_no_lung(dense):
    phantom, found = dense
    both = found.mask(*LUNGS) & phantom.truth.mask("airways")
    assert both.sum() < 0.1 * phantom.truth.mask("airways").sum()


def test_sides_are_those_of_the_patient(dense):
    _, found = dense
    middle = {name: found.grid.to_world(np.argwhere(found.mask(name)).mean(axis=0))[0] for name in LUNGS}
    assert middle["lung_left"] > 40 > -40 > middle["lung_right"]


def test_the_same_volume_gives_the_same_bytes(dense):
    phantom, found = dense
    assert segment(phantom.volume, "lungs").array.tobytes() == found.array.tobytes()


def crop(phantom, start, stop):
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    return Volume(phantom.volume.array[box], phantom.volume.grid.crop(start, stop), phantom.volume.unit, modality="CT")


def codes_of(found):
    return {reason.code for reason in found.reasons}


def test_lung_bases_alone_are_lung_and_said_to_be_cut(dense):
    phantom, found = dense
    bases = segment(crop(phantom, (90, 0, 0), (120, 180, 180)), "lungs")
    for name in LUNGS:
        assert bases.volume_ml(name) == pytest.approx(found.mask(name)[90:].sum() * 0.01, rel=0.05)
    assert {"LUNG_CUT", "COVERAGE_SHORT"} <= codes_of(bases)


def test_an_abdomen_with_bowel_gas_holds_no_lung(dense):
    phantom, _ = dense
    abdomen = segment(crop(phantom, (107, 0, 0), (120, 180, 180)), "lungs")
    assert not abdomen.array.any()
    assert "LUNGS_NOT_FOUND" in codes_of(abdomen)


def test_a_lung_cut_by_the_side_of_the_image_is_kept_and_said_to_be_cut(dense):
    phantom, found = dense
    part = segment(crop(phantom, (0, 0, 60), (120, 180, 180)), "lungs")
    assert "LUNG_CUT" in codes_of(part)
    assert part.volume_ml("lung_left") == pytest.approx(found.volume_ml("lung_left"), rel=0.02)
    assert part.volume_ml("lung_right") == pytest.approx(found.mask("lung_right")[:, :, 60:].sum() * 0.01, rel=0.05)


@pytest.mark.parametrize(
    ("gone", "kept", "aside_mm"), [("left", "right", 0), ("right", "left", 0), ("left", "right", 30)]
)
def test_one_lung_filled_with_fluid_is_missing_and_the_other_keeps_its_side(dense, volumes_ml, gone, kept, aside_mm):
    phantom, _ = dense
    array = phantom.volume.array.copy()
    array[phantom.truth.mask(f"lung_{gone}")] = 20
    array = np.roll(array, aside_mm // 2, axis=2)
    found = segment(phantom.volume.with_array(array), "lungs")
    assert f"No {gone} lung was found." in [r.message for r in found.reasons if r.code == "LUNG_MISSING"]
    assert found.volume_ml(f"lung_{gone}") == 0
    assert found.volume_ml(f"lung_{kept}") == pytest.approx(volumes_ml[f"lung_{kept}"], rel=0.01)


@pytest.mark.parametrize(("half_mm", "plane"), [((3, 12), False), ((4, 30), False), ((16, 80), True)])
def test_lungs_that_touch_are_parted_and_a_plane_is_named_if_one_was_needed(dense, volumes_ml, half_mm, plane):
    phantom, _ = dense
    array = phantom.volume.array.copy()
    places = np.argwhere(phantom.truth.mask("soft_tissue", "fat"))
    away = np.abs(phantom.volume.grid.to_world(places) - (0, -62, 20))
    bridge = places[(away < (40, *half_mm)).all(axis=1)]
    array[tuple(bridge.T)] = -850
    found = segment(phantom.volume.with_array(array), "lungs")
    both = len(bridge) * phantom.volume.grid.voxel_volume_ml
    assert found.volume_ml("lung_right") + found.volume_ml("lung_left") == pytest.approx(
        sum(volumes_ml[name] for name in LUNGS) + both, rel=0.01 + 0.08 * plane
    )
    if not plane:
        for name in LUNGS:
            assert found.volume_ml(name) == pytest.approx(volumes_ml[name] + both / 2, rel=0.01)
    assert ("LUNGS_SPLIT_BY_PLANE" in codes_of(found)) == plane


def test_slices_without_lung_between_others_are_named(dense):
    phantom, _ = dense
    array = phantom.volume.array.copy()
    array[56:68] = 20
    assert "LUNG_DISCONTINUOUS" in codes_of(segment(phantom.volume.with_array(array), "lungs"))


def test_a_leak_into_the_skin_is_named(dense):
    phantom, _ = dense
    array = phantom.volume.array.copy()
    array[50:90, 50:120, 130:172] = -870
    assert "LUNG_LEAK" in codes_of(segment(phantom.volume.with_array(array), "lungs"))


def test_values_that_are_no_int16_are_segmented_alike(dense):
    phantom, found = dense
    floats = phantom.volume.with_array(phantom.volume.array.astype(np.float32))
    assert np.array_equal(segment(floats, "lungs").array, found.array)


def with_gas(phantom, center_mm, radii_mm):
    """The right lung shrunk to an ellipsoid, and plain gas around it."""
    grid, array = phantom.volume.grid, phantom.volume.array.copy()
    lung = np.argwhere(phantom.truth.mask("lung_right"))
    away = (grid.to_world(lung) - center_mm) / radii_mm
    gas = lung[(away**2).sum(axis=1) > 1]
    noise = np.random.default_rng(1).normal(0, 20, len(gas))
    array[tuple(gas.T)] = np.clip(noise - 1000, -1024, 0)
    return phantom.volume.with_array(array), gas


@pytest.mark.parametrize("lung_hu", [-860, -930])
@pytest.mark.parametrize(("center_mm", "radii_mm"), [((-60, 10, 10), (40, 60, 95)), ((-72, 15, 10), (59, 70, 120))])
def test_gas_between_lung_and_chest_wall_is_no_lung_and_is_named(lung_hu, center_mm, radii_mm, volumes_ml):
    phantom = plain(ChestOptions(lung_hu=lung_hu))
    volume, gas = with_gas(phantom, center_mm, radii_mm)
    found = segment(volume, "lungs")
    assert "GAS_BESIDE_LUNG" in codes_of(found)
    assert np.count_nonzero(found.mask("lung_right")[tuple(gas.T)]) < 0.2 * len(gas)
    assert found.volume_ml("lung_left") == pytest.approx(volumes_ml["lung_left"], rel=0.01)


@pytest.mark.parametrize("lung_hu", [-960, -985])
@pytest.mark.parametrize("offset_hu", [0, -10])
def test_lungs_as_thin_as_gas_are_lungs_by_their_vessels(lung_hu, offset_hu, volumes_ml):
    phantom = plain(ChestOptions(lung_hu=lung_hu))
    array = np.maximum(phantom.volume.array + np.int16(offset_hu), np.int16(-1024))
    found = segment(phantom.volume.with_array(array), "lungs")
    for name in LUNGS:
        assert found.volume_ml(name) == pytest.approx(volumes_ml[name], rel=0.015)
    assert not codes_of(found) & {"LUNGS_NOT_FOUND", "GAS_BESIDE_LUNG"}
    assert not (found.mask(*LUNGS) & phantom.truth.mask("bowel_gas")).any()


def test_bowel_as_large_as_a_lung_is_no_lung(dense):
    phantom, found = dense
    array = phantom.volume.array.copy()
    spots = phantom.volume.grid.to_world(np.argwhere(phantom.truth.mask("soft_tissue")))
    inside = (((spots - (50, 0, -138)) / (62, 70, 20)) ** 2).sum(axis=1) < 1
    array[phantom.truth.mask("soft_tissue")] = np.where(inside, -985, array[phantom.truth.mask("soft_tissue")])
    lungs = segment(phantom.volume.with_array(array), "lungs")
    assert np.count_nonzero(inside) * 0.01 > 200
    assert lungs.volume_ml("lung_left") == pytest.approx(found.volume_ml("lung_left"), rel=0.02)


def test_lungs_too_large_for_any_chest_are_doubted():
    phantom = plain(ChestOptions())
    stretched = Grid(PLAIN.shape, np.diag([1.6, 1.6, 1.6, 1.0]) @ PLAIN.affine)
    assert "LUNG_VOLUME_IMPLAUSIBLE" in codes_of(segment(phantom.volume.on(stretched, phantom.volume.array), "lungs"))


def test_a_chest_without_a_trachea_says_so():
    phantom = plain(ChestOptions())
    filled = phantom.volume.array.copy()
    filled[phantom.truth.mask("airways")] = 40
    assert "AIRWAYS_NOT_FOUND" in codes_of(segment(phantom.volume.with_array(filled), "lungs"))


def test_airways_that_run_into_lung_as_thin_as_air_are_called_a_leak():
    phantom = plain(ChestOptions())
    airways = phantom.truth.mask("airways")
    open_at = np.zeros_like(airways)
    open_at[55:62] = True
    thin = phantom.volume.array.copy()
    thin[phantom.truth.mask("lung_right") | phantom.truth.mask("lung_left")] = -1000
    thin[binary_dilation(airways, iterations=3) & ~airways & open_at] = -1000
    assert "AIRWAYS_LEAK" in codes_of(segment(phantom.volume.with_array(thin), "airways"))
