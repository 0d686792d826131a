"""Registration of real scans: planted moves and warps, wrong pairs, and scans that share a frame of reference."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import affine_transform, gaussian_filter, map_coordinates, spline_filter
from scipy.spatial.transform import Rotation

import isocenter as iso
from isocenter import codes
from isocenter.geometry import Grid
from isocenter.ops import registration as reg
from isocenter.reasons import Verdict
from isocenter.volume import Volume

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def chest(shared_data) -> Volume:
    """A chest CT at about 2 mm."""
    scan = iso.scan(shared_data / "chest_ct_covid_P001")
    ct = iso.read(scan[0])
    return iso.onto(ct, ct.grid.with_spacing((2.2, 2.2, 2.2)))


@pytest.fixture(scope="module")
def abdomen(shared_data) -> Volume:
    ct = iso.load(shared_data / "totalsegmentator_example" / "example_ct.nii.gz")
    return replace(ct, unit=codes.HU, modality="CT", array=ct.array.astype(np.int16), reasons=())


@pytest.fixture(scope="module")
def mr(shared_data) -> Volume:
    found = iso.load(shared_data / "totalsegmentator_example" / "example_mr_sm.nii.gz")
    return replace(found, unit=codes.ONE, modality="MR", array=found.array.astype(np.int16), reasons=())


def about(center, turn_degrees, shift_mm, linear):
    made = np.eye(4)
    made[:3, :3] = Rotation.from_euler("xyz", turn_degrees, degrees=True).as_matrix() @ linear
    made[:3, 3] = center + np.array(shift_mm) - made[:3, :3] @ center
    return made


def planted(image, affine, noise):
    """The image moved by an affine onto a cropped, turned grid of another spacing: cubic splines and noise."""
    grid, center = image.grid, np.array(image.grid.center_mm)
    rigid = about(
        center,
        (9, -4, 14) if grid.shape[0] > 30 else (2, -3, 14),
        affine[:3, :3] @ center + affine[:3, 3] - center,
        np.eye(3),
    )
    cut = [int(0.13 * n) if n > 30 else 1 for n in grid.shape]
    target = grid.crop(cut, [n - a for n, a in zip(grid.shape, cut, strict=True)])
    target = target.with_spacing([1.1 * step for step in target.spacing_mm])
    target = Grid(target.shape, rigid @ target.affine, "2.2")
    through = np.linalg.inv(grid.affine) @ np.linalg.inv(affine) @ target.affine
    least = float(image.array.min())
    array = affine_transform(
        image.array.astype(np.float32), through[:3, :3], through[:3, 3], target.shape, order=3, cval=least
    )
    array += np.random.default_rng(0).normal(0, noise, array.shape)
    return image.on(target, np.rint(array).astype(np.int16))


def body_points(image, above):
    steps = [max(1, n // 30) for n in image.shape]
    where = np.argwhere(image.array[:: steps[0], :: steps[1], :: steps[2]] > above) * steps
    return image.grid.to_world(where)


@pytest.mark.parametrize("metric", ["auto", "ncc"])
@pytest.mark.parametrize("kind", ["rigid", "affine"])
@pytest.mark.parametrize("name", ["chest", "abdomen", "mr"])
def test_a_planted_move_of_a_real_scan_is_found_to_half_a_millimetre(name, kind, metric, request):
    image = request.getfixturevalue(name)
    is_thick = image.shape[0] > 30
    linear = np.eye(3) if kind == "rigid" else np.array([[1.05, 0.05, 0], [0, 0.95, -0.04], [0.03, 0, 1.06]])
    turn, shift = ((8, -6, 12), (14, -9, 11)) if is_thick else ((2, -3, 12), (14, -9, 3))
    affine = about(np.array(image.grid.center_mm), turn, shift, linear)
    moving = planted(image, affine, 20 if name != "mr" else 10)
    found = iso.register(
        replace(image, grid=replace(image.grid, frame_of_reference_uid="1.1")), moving, kind=kind, metric=metric
    )
    points = body_points(image, -300 if name != "mr" else 40)
    there = points @ affine[:3, :3].T + affine[:3, 3]
    assert np.linalg.norm(there - points, axis=1).mean() > 20
    assert np.linalg.norm(found.transform.points(points) - there, axis=1).mean() < 0.5
    assert found.verdict is Verdict.OK


@pytest.mark.parametrize("kind", ["diffeomorphic", "bspline"])
def test_a_planted_smooth_warp_of_a_real_ct_is_found_within_a_voxel_without_folding(abdomen, kind):
    lattice = abdomen.grid.with_spacing((6, 6, 6)).pad((4, 4, 4), (4, 4, 4))
    rng = np.random.default_rng(3)
    waves = np.stack([gaussian_filter(rng.normal(size=lattice.shape), 40 / 6) for _ in range(3)], -1)
    waves *= 20 / np.linalg.norm(waves, axis=-1).max()

    def move(points):
        index = lattice.to_index(points).T
        return np.stack([map_coordinates(waves[..., i], index, order=1, mode="nearest") for i in range(3)], -1)

    places = abdomen.grid.to_world(np.argwhere(np.ones(abdomen.shape)))
    at = abdomen.grid.to_index(places + move(places)).T
    smooth = spline_filter(abdomen.array.astype(np.float32), 3)
    array = map_coordinates(smooth, at, order=3, mode="nearest", prefilter=False).reshape(abdomen.shape)
    array += np.random.default_rng(1).normal(0, 15, array.shape)
    found = iso.register(abdomen, abdomen.with_array(np.rint(array).astype(np.int16)), kind=kind)
    points = body_points(abdomen, -300)
    index = abdomen.grid.to_index(points)
    points = points[((index > 4) & (index < np.array(abdomen.shape) - 5)).all(axis=1)]
    truth = points.copy()
    for _ in range(50):
        truth = points - move(truth)
    missed = np.linalg.norm(found.transform.points(points) - truth, axis=1)
    assert np.linalg.norm(truth - points, axis=1).mean() > 3.5
    assert missed.mean() < 1.5  # half a voxel
    assert found.quality.folded == 0


def test_a_chest_registered_on_an_abdomen_is_held(chest, abdomen):
    chest = replace(chest, grid=replace(chest.grid, frame_of_reference_uid=None))
    for fixed, moving in ((chest, abdomen), (abdomen, chest)):
        found = iso.register(fixed, moving)
        assert "REGISTRATION_FAILED" in {reason.code for reason in found.reasons}
        assert found.verdict is Verdict.HELD


def test_pet_ct_and_mr_of_one_frame_are_fused_without_registration(shared_data):
    scan = iso.scan(shared_data / "ibsi_sts_008_petctmr" / "dicom")
    read = {one.modality: iso.read(one) for one in scan if one.verdict.usable}
    for name in ("PT", "MR"):
        fused = reg.by_frame(read["CT"], read[name]).apply(read[name], outside=0)
        assert fused.grid == read["CT"].grid
        assert "ALIGNED_BY_FRAME" in {reason.code for reason in fused.reasons}
        middle = read["CT"].grid.center_mm
        values = [one.array[tuple(np.rint(one.grid.to_index(middle)).astype(int))] for one in (fused, read[name])]
        assert values[0] == pytest.approx(values[1], rel=0.5, abs=1)
    found = iso.register(read["CT"], read["PT"])
    assert found.quality.move_mm < read["PT"].spacing_mm[1]  # one scanner: no move beyond a PET voxel
