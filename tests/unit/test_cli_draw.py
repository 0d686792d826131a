"""The commands draw and mesh: pictures and surfaces of files, for people and for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import isocenter as iso
from isocenter import cli, codes
from isocenter.testing.phantom import chest_grid, chest_phantom

Call = Callable[..., str]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    phantom = chest_phantom(chest_grid((40, 96, 96), (7.5, 3.7, 3.7)))
    iso.save(phantom.volume, folder / "ct.npz")
    lungs = phantom.truth.only("lung_right", "lung_left")
    iso.save(lungs, folder / "lungs.nii.gz")
    plain = lungs.mask("lung_right").astype(np.uint8)
    iso.save(phantom.volume.with_array(plain, unit=codes.ONE, modality=""), folder / "plain.nii.gz")
    ramp = np.arange(plain.size, dtype=np.int16).reshape(plain.shape) % 300
    iso.save(phantom.volume.with_array(ramp, unit=codes.ONE, modality="MR"), folder / "mr.nii.gz")
    return folder


@pytest.fixture
def isocenter(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*arguments: object, status: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["isocenter", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        assert int(stopped.value.code or 0) == status, captured.err
        return captured.out

    return call


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Axial, coronal, sagittal"),
        (("--plane", "coronal", "--at", "0", "--window", "bone"), "W 1800 / L 400 HU"),
        (("--plane", "sagittal", "--count", "6"), "6 of 96 sagittal sections"),
        (("--plane", "axial", "--slab", "15"), "MIP over 7.5 mm"),
        (("--plane", "axial", "--how", "min"), "MinIP over 300 mm"),
        (("--segment", "bone", "--fill", "0.5"), "Axial, coronal, sagittal"),
    ],
)
def test_draw_writes_the_picture_asked_for(
    isocenter: Call, files: Path, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    assert said in isocenter("draw", files / "ct.npz", tmp_path / "a.png", *options)
    with Image.open(tmp_path / "a.png") as picture:
        assert min(picture.size) > 100
    facts = json.loads(isocenter("draw", files / "ct.npz", tmp_path / "a.png", *options, "--json"))
    assert said in f"{facts['title']}. {facts['caption']}"


@pytest.mark.parametrize(
    "options",
    [
        ("--at", "0"),
        ("--plane", "axial", "--at", "999"),
        ("--plane", "axial", "--at", "0", "--count", "3"),
        ("--plane", "axial", "--how", "max", "--segment", "bone"),
        ("--window", "lungs"),
        ("--plane", "axial", "--slab", "-3"),
    ],
)
def test_options_that_cannot_apply_are_told(
    isocenter: Call, files: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    isocenter("draw", files / "ct.npz", tmp_path / "a.png", *options, status=2)
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize("ending", ["obj", "glb"])
def test_mesh_writes_the_surfaces_of_what_is_found(isocenter: Call, files: Path, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"bone.{ending}"
    facts = json.loads(isocenter("mesh", files / "ct.npz", path, "--segment", "bone", "--keep", "0.5", "--json"))
    assert path.stat().st_size > 500
    assert 300 < facts["meshes"][0]["volume_ml"] < 3000
    assert {reason["code"] for reason in facts["reasons"]} >= {"SURFACE_SMOOTHED", "SURFACE_DECIMATED"}


def test_mesh_says_what_it_wrote_to_people(isocenter: Call, files: Path, tmp_path: Path) -> None:
    assert "bone" in isocenter("mesh", files / "ct.npz", tmp_path / "bone.stl", "--segment", "bone")


def test_mesh_asks_what_to_find_in_an_image(isocenter: Call, files: Path, tmp_path: Path) -> None:
    isocenter("mesh", files / "ct.npz", tmp_path / "a.stl", status=2)
    isocenter("mesh", files / "ct.npz", tmp_path / "a.stl", "--segment", "bone", "--keep", "0", status=2)


@pytest.mark.parametrize(("name", "segments"), [("lungs", {"lung_right", "lung_left"}), ("plain", {"label_1"})])
def test_mesh_takes_masks_that_lie_in_image_files(
    isocenter: Call, files: Path, tmp_path: Path, name: str, segments: set[str]
) -> None:
    facts = json.loads(isocenter("mesh", files / f"{name}.nii.gz", tmp_path / "a.glb", "--json"))
    assert {one["name"] for one in facts["meshes"]} == segments
    isocenter("mesh", files / "lungs.nii.gz", tmp_path / "a.glb", "--segment", "bone", status=2)


def test_an_image_without_a_segmenter_is_no_label_map(isocenter: Call, files: Path, tmp_path: Path) -> None:
    isocenter("mesh", files / "mr.nii.gz", tmp_path / "a.stl", status=2)
    isocenter("mesh", files / "lungs.nii.gz", tmp_path / "a.stl", "--series", "3", status=2)
    assert not (tmp_path / "a.stl").exists()


def test_info_lists_the_segments_of_a_mask(isocenter: Call, files: Path) -> None:
    told = isocenter("info", files / "lungs.nii.gz")
    facts = json.loads(isocenter("info", files / "lungs.nii.gz", "--json"))
    assert [one["name"] for one in facts["segments"]] == ["lung_right", "lung_left"]
    for one in facts["segments"]:
        assert f"{one['name']}, {one['volume_ml']:.4g} ml" in told


def test_convert_keeps_the_names_of_segments(isocenter: Call, files: Path, tmp_path: Path) -> None:
    told = isocenter("convert", files / "lungs.nii.gz", tmp_path / "lungs.nrrd")
    assert "Right lung" in told
    assert iso.load_segmentation(tmp_path / "lungs.nrrd").names == ("lung_right", "lung_left")
