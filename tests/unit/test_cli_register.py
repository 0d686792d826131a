"""The command ``register`` on small images."""

import json
import sys

import numpy as np
import pytest

from isocenter import cli, codes
from isocenter.formats import load, save
from isocenter.geometry import Grid
from isocenter.ops.registration import load_transform
from isocenter.volume import Volume

GRID = Grid.from_vectors((20, 26, 30), spacing_mm=(4, 4, 4))


def painted(shift_mm=(0, 0, 0), unit=codes.HU):
    x, y, z = np.moveaxis(GRID.to_world(np.moveaxis(np.indices(GRID.shape), 0, -1)) - GRID.center_mm - shift_mm, -1, 0)
    values = 1000 / (1 + np.exp((np.sqrt((x / 44) ** 2 + (y / 34) ** 2 + (z / 30) ** 2) - 1) * 9))
    values += 400 * np.exp(-((x - 20) ** 2 + (y + 8) ** 2 + (z - 6) ** 2) / 150)
    values -= 600 * np.exp(-((x + 18) ** 2 + (y - 4) ** 2 + (z + 5) ** 2) / 250)
    noise = np.random.default_rng(abs(int(shift_mm[0]))).normal(0, 8, GRID.shape)
    base = -1000 if unit == codes.HU else 0
    return Volume((values + noise + base).astype(np.int16), GRID, unit, modality="CT" if unit == codes.HU else "MR")


@pytest.fixture
def command(capsys, monkeypatch):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["isocenter", "register", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code, capsys.readouterr().out

    return run


def test_the_moved_image_the_transform_and_pictures_are_written(command, tmp_path):
    save(painted(), tmp_path / "fixed.nii.gz")
    save(painted((9, -5, 6)), tmp_path / "moving.nii.gz")
    status, text = command(tmp_path / "fixed.nii.gz", tmp_path / "moving.nii.gz", "-o", tmp_path / "out", "--json")
    assert status == 0
    facts = json.loads(text)
    assert [path.rpartition("/")[2] for path in facts["output"]] == [
        "moved.nii.gz",
        "transform.npz",
        "checkerboard_axial.png",
        "checkerboard_coronal.png",
        "checkerboard_sagittal.png",
        "registration.json",
    ]
    moved = load(tmp_path / "out" / "moved.nii.gz")
    assert moved.grid.coincides(GRID)
    inner = (slice(4, -4),) * 3
    assert np.abs(moved.array[inner].astype(float) - painted().array[inner]).mean() < 25
    shift = load_transform(tmp_path / "out" / "transform.npz").points(GRID.center_mm) - GRID.center_mm
    np.testing.assert_allclose(shift, (9, -5, 6), atol=0.5)
    np.testing.assert_allclose(np.array(facts["fixed_to_moving"])[:3, :3], np.eye(3), atol=0.03)
    assert json.loads((tmp_path / "out" / "registration.json").read_text())["verdict"] == facts["verdict"] == "ok"


def test_masks_outside_and_a_table_for_people(command, tmp_path):
    save(painted(unit=codes.ONE), tmp_path / "fixed.nii.gz")
    save(painted((8, 4, 0), unit=codes.ONE), tmp_path / "moving.nii.gz")
    mask = Volume((painted().array > -700).astype(np.uint8), GRID)
    save(mask, tmp_path / "mask.nii.gz")
    paths = tmp_path / "fixed.nii.gz", tmp_path / "moving.nii.gz"
    options = ("--fixed-mask", tmp_path / "mask.nii.gz", "--outside", "-99", "--kind", "affine", "-o", tmp_path / "out")
    status, text = command(*paths, *options)
    assert status == 0
    assert "mean way of a point" in text
    assert load(tmp_path / "out" / "moved.nii.gz").array.min() == -99


def test_a_registration_that_failed_exits_with_one_and_one_that_cannot_be_made_too(command, tmp_path):
    save(painted(), tmp_path / "fixed.nii.gz")
    other = painted().array[::-1].transpose(0, 1, 2)
    other = np.where(other > -600, -other // 2 - 100, other)[:, ::-1]
    save(painted().with_array(np.ascontiguousarray(other)), tmp_path / "other.nii.gz")
    status, text = command(tmp_path / "fixed.nii.gz", tmp_path / "other.nii.gz", "-o", tmp_path / "out", "--json")
    assert status == 1
    assert "REGISTRATION_FAILED" in {reason["code"] for reason in json.loads(text)["reasons"]}
    save(painted().with_array(np.zeros(GRID.shape, np.int16)), tmp_path / "flat.nii.gz")
    status, text = command(tmp_path / "fixed.nii.gz", tmp_path / "flat.nii.gz", "-o", tmp_path / "out", "--json")
    assert status == 1
    assert "NOTHING_TO_REGISTER" in json.loads(text)["error"]["message"]
    assert command(tmp_path / "fixed.nii.gz", tmp_path / "none.nii.gz", "-o", tmp_path / "out")[0] == 2
