"""Pictures show the patient the right way round, in square pixels, and say what they show."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import isocenter as iso
from isocenter import codes
from isocenter.errors import InputError, UsageError
from isocenter.findings import Segment, Segmentation
from isocenter.geometry import Grid, Space
from isocenter.mesh import Mesh
from isocenter.volume import Volume

from .conftest import ALGORITHM, AXIAL, GRIDS, body, bone

pictures = iso.pictures
WIDE = iso.Window(0, 2000)
BONE_MM = (12.5, -13.2, 21.5)


def bright(image: np.ndarray) -> tuple[float, float]:
    """Where the bone lies in a picture, from 0 to 1 (down, right); letters are thinner than what is looked for."""
    small = np.asarray(Image.fromarray(image).convert("L").reduce(8), float)
    rows, columns = np.nonzero(small > 245)
    return rows.mean() / small.shape[0], columns.mean() / small.shape[1]


@pytest.mark.parametrize(
    ("plane", "at_mm", "down", "right"),
    [("axial", 20.0, "upper", "right"), ("coronal", -14.0, "upper", "right"), ("sagittal", 12.5, "upper", "left")],
)
def test_a_section_is_the_right_way_round_on_any_grid(
    grid: Grid, plane: str, at_mm: float, down: str, right: str
) -> None:
    found = pictures.section(body(grid), plane=plane, at_mm=at_mm, window=WIDE)
    row, column = bright(found.image)
    assert (row < 0.5) == (down == "upper")
    assert (column < 0.5) == (right == "left")
    assert "W 2000 / L 0 HU" in found.caption


def test_pixels_are_square_whatever_the_voxels_are() -> None:
    found = pictures.section(body(AXIAL), plane="coronal")  # 30 slices of 4 mm by 50 columns of 1.5 mm
    assert found.image.shape[:2] == (720, 450)


def test_the_place_asked_for_is_shown_and_another_refused() -> None:
    volume = body(AXIAL)
    assert "z 22.0 mm" in pictures.section(volume, at_mm=21.9).caption
    with pytest.raises(UsageError, match=r"from -58\.0 to 58\.0 mm"):
        pictures.section(volume, at_mm=99)
    assert pictures.planes(volume, at_mm=BONE_MM).caption.startswith("z 22.0 mm, y −13.0 mm, x 12.8 mm.")
    assert pictures.planes(volume, bone(volume)).caption.startswith("z 22.0 mm, y −15.0 mm, x 11.2 mm.")


def test_a_filled_segment_has_its_color_and_an_outline_only_its_rim() -> None:
    volume = body(AXIAL)
    found = bone(volume)
    row, column = (
        int(share * n)
        for share, n in zip(bright(pictures.section(volume, found, window=WIDE).image), (720, 675), strict=True)
    )
    color = np.array(found.segments[0].color)
    outlined = pictures.section(volume, found, window=WIDE).image[row, column]
    filled = pictures.section(volume, found, window=WIDE, fill=1).image[row, column]
    assert outlined.tolist() == [255, 255, 255]
    np.testing.assert_allclose(filled, color, atol=1)


def test_three_planes_stand_at_one_scale_and_flat_images_have_one() -> None:
    volume = body(AXIAL)
    assert pictures.planes(volume).title == "Axial, coronal, sagittal"
    one = replace(volume, array=volume.array[:1], grid=volume.grid.crop((0, 0, 0), (1, 40, 50)))
    assert pictures.planes(one).title == "Axial"
    unplaced = replace(volume, grid=Grid(AXIAL.shape, AXIAL.affine, space=Space.PIXEL))
    shown = pictures.planes(unplaced)
    assert shown.title == "Picture"
    assert pictures.section(unplaced, plane="coronal").title == "Row, 21 of 40"
    assert "unknown" in shown.caption
    with pytest.raises(UsageError, match="at_mm"):
        pictures.section(unplaced, at_mm=3)


def test_a_mosaic_has_so_many_tiles() -> None:
    found = pictures.mosaic(body(AXIAL), plane="sagittal", count=7)
    assert "7 of 50 sagittal sections" in found.caption
    assert "counted from the right" in found.caption
    with pytest.raises(UsageError):
        pictures.mosaic(body(AXIAL), count=0)


@pytest.mark.parametrize(
    ("unit", "modality", "said"),
    [
        (codes.HU, "CT", "Soft tissue W 400 / L 40 HU"),
        (codes.ONE, "MR", "1st–99th percentile"),
        (replace(codes.ONE, value="g/ml{SUVbw}"), "PT", "SUV 0 to 10 W 10 / L 5 SUVbw"),
        (replace(codes.ONE, value="Bq/ml"), "PT", "99.9th percentile"),
    ],
)
def test_the_window_follows_from_what_the_image_is_and_is_said(unit: codes.Code, modality: str, said: str) -> None:
    volume = replace(body(AXIAL), unit=unit, modality=modality)
    assert said in pictures.section(volume).caption


@pytest.mark.parametrize(("rows", "said"), [(0, "Soft tissue"), (1, "Soft tissue"), (6, "Lung")])
def test_a_sliver_of_lung_above_the_liver_makes_no_chest(rows: int, said: str) -> None:
    values = np.full(AXIAL.shape, 40, np.int16)
    values[:, 20 : 20 + rows] = -800
    assert f"Window: {said}" in pictures.section(iso.Volume(values, AXIAL, codes.HU, modality="CT")).caption


def test_a_sigmoid_window_is_drawn_as_one_and_said_to_be() -> None:
    volume = body(AXIAL)
    found = pictures.section(volume, window=iso.Window(0, 2000, "SIGMOID"))
    assert "sigmoid" in found.caption
    assert found.image.max() > 200
    straight = pictures.section(volume, window=WIDE)
    assert not np.array_equal(found.image, straight.image)


def test_a_slab_holds_the_most_the_least_and_the_mean(grid: Grid) -> None:
    volume = body(grid)
    most = pictures.slab(volume, "coronal")
    axis = next(k for k, letter in enumerate(grid.orientation) if letter in "AP")
    np.testing.assert_array_equal(most.array, volume.array.max(axis=axis, keepdims=True))
    assert most.grid.extent_mm == pytest.approx(grid.extent_mm)
    assert most.grid.center_mm == pytest.approx(grid.center_mm)
    assert most.reasons[-1].code == "PROJECTED"
    assert "MIP over 80 mm" in pictures.section(most, plane="coronal", window=WIDE).caption
    thin = pictures.slab(volume, "coronal", thickness_mm=6, how="min")
    assert thin.grid == grid
    moved = np.moveaxis(volume.array, axis, 0)
    np.testing.assert_array_equal(np.moveaxis(thin.array, axis, 0)[5], moved[4:7].min(axis=0))
    np.testing.assert_array_equal(np.moveaxis(thin.array, axis, 0)[0], moved[:2].min(axis=0))
    mean = pictures.slab(volume, "coronal", how="mean")
    assert mean.array.dtype == np.float32
    np.testing.assert_allclose(mean.array, volume.array.mean(axis=axis, keepdims=True), rtol=1e-5)


def test_a_slab_leaves_nan_out() -> None:
    values = np.full((3, 2, 2), np.nan, np.float32)
    values[1, 0], values[2, 0, 0] = 4, 2
    volume = Volume(values, Grid.from_vectors((3, 2, 2)))
    for how, corner in (("max", 4), ("min", 2), ("mean", 3)):
        found = pictures.slab(volume, how=how).array
        assert found[0, 0].tolist() == [corner, 4]
        assert np.isnan(found[0, 1]).all()


def test_color_lies_where_the_other_image_is_high() -> None:
    volume = body(AXIAL)
    coarse = Grid.from_vectors((15, 20, 20), spacing_mm=(8, 6, 6), origin_mm=(-57, -57, 56))
    x, y, z = np.moveaxis(coarse.to_world(np.moveaxis(np.indices(coarse.shape), 0, -1)), -1, 0)
    hot = 10 * np.exp(-((x - 12) ** 2 + (y + 14) ** 2 + (z - 20) ** 2) / 200)
    pet = Volume(hot.astype(np.float32), coarse, replace(codes.ONE, value="g/ml{SUVbw}"), modality="PT")
    found = pictures.fused(volume, pet, at_mm=20, window=WIDE)
    assert "0 to 10 SUVbw" in found.caption
    picture = found.image[:, :-160].astype(int)
    tinted = picture[..., 0] - picture[..., 2] > 60
    rows, columns = np.nonzero(tinted)
    _, height, width = AXIAL.shape
    _, r, c = AXIAL.to_index((12, -14, 20))
    assert rows.mean() / picture.shape[0] == pytest.approx((r + 0.5) / height, abs=0.02)
    assert columns.mean() / picture.shape[1] == pytest.approx((c + 0.5) / width, abs=0.04)
    apart = replace(pet, grid=replace(pet.grid, frame_of_reference_uid="1.2"))
    with pytest.raises(UsageError, match="register"):
        pictures.fused(replace(volume, grid=replace(AXIAL, frame_of_reference_uid="1.3")), apart)
    with pytest.raises(UsageError, match="Limits"):
        pictures.fused(volume, pet, limits=(3, 1))


def test_squares_of_a_checkerboard_come_from_both_images() -> None:
    dark = Volume(np.zeros(AXIAL.shape, np.int16), AXIAL, codes.HU, modality="CT")
    light = dark.with_array(dark.array + np.int16(1000))
    found = pictures.checkerboard(dark, light, window=iso.Window(500, 1001), tile_mm=20).image
    side = round(20 * 720 / 80)  # 80 mm high, 720 pixels
    assert found[side // 2, side // 2 + side].tolist() == [255] * 3
    assert found[side * 3 // 2, side // 2 + side].tolist() == [0] * 3
    assert found[side * 3 // 2, side // 2].tolist() == [255] * 3


def test_a_difference_is_of_the_moving_image_less_the_fixed_one() -> None:
    volume = body(AXIAL)
    more = volume.with_array(volume.array + np.int16(40) * (volume.array > 500))
    found = pictures.difference(volume, more, at_mm=20, limit=40)
    assert "greatest size here 40 HU" in found.caption
    orange = (found.image[:, :-160, 0].astype(int) - found.image[:, :-160, 2]) > 150
    assert orange.any()
    assert not (found.image[:, :-160, 2].astype(int) - found.image[:, :-160, 0] > 150).any()
    moved = volume.on(volume.grid.window((0, 0, 25), volume.grid.shape), volume.array)
    assert "no value" in pictures.difference(volume, moved).caption
    with pytest.raises(UsageError, match="one unit"):
        pictures.difference(volume, replace(volume, unit=codes.ONE))


def test_a_joint_histogram_of_an_image_with_itself_is_a_diagonal() -> None:
    values = np.random.default_rng(0).normal(0, 100, AXIAL.shape).astype(np.float32)
    volume = Volume(values, AXIAL)
    found = pictures.joint_histogram(volume, volume, bins=64).image[24 : 24 + 640, 120 : 120 + 640]
    rows, columns = np.nonzero(found[100:, 150:].sum(axis=2) > 150)
    assert np.abs((rows + 100) - (640 - (columns + 150))).max() <= 10
    assert "60000 voxels" in pictures.joint_histogram(volume, volume).caption


@pytest.mark.parametrize(
    ("view", "right", "up"),
    [
        ("anterior", "left", "head"),
        ("posterior", "right", "head"),
        ("left", "posterior", "head"),
        ("right", "anterior", "head"),
        ("superior", "right", "front"),
        ("inferior", "left", "front"),
    ],
)
def test_a_view_shows_the_patients_sides_where_they_are(view: str, right: str, up: str) -> None:
    directions = {
        "left": (1, 0, 0),
        "right": (-1, 0, 0),
        "posterior": (0, 1, 0),
        "anterior": (0, -1, 0),
        "front": (0, -1, 0),
        "head": (0, 0, 1),
    }
    ball = np.zeros(AXIAL.shape, bool)
    ball[12:18, 15:25, 20:30] = True
    plain = iso.surfaces.mesh(Segmentation((ball.astype(np.uint8),), AXIAL, (Segment.named("a"),), ALGORITHM))
    middle = plain.vertices.mean(axis=0)

    def beside(name: str, way: str, color: tuple[int, int, int]) -> Mesh:
        return replace(
            plain, name=name, color=color, vertices=plain.vertices + np.float32(60) * np.float32(directions[way])
        )

    found = pictures.solid(
        [replace(plain, color=(0, 0, 255)), beside("r", right, (255, 0, 0)), beside("u", up, (0, 255, 0))], views=[view]
    )
    image = found.image[:-54].astype(int)
    places = [np.argwhere(image[..., k] - image[..., (k + 1) % 3] > 60).mean(axis=0) for k in range(3)]
    red, green, blue = places
    assert middle.shape == (3,)
    assert red[1] > blue[1] + 50
    assert abs(red[0] - blue[0]) < 15
    assert green[0] < blue[0] - 50
    assert abs(green[1] - blue[1]) < 15


def test_a_clear_surface_shows_what_lies_behind_it_and_a_solid_one_hides_it() -> None:
    outer = np.zeros(AXIAL.shape, np.uint8)
    outer[3:27, 5:35, 5:45] = 1
    outer[12:18, 15:25, 20:30] = 2
    found = Segmentation(
        (outer,),
        AXIAL,
        (replace(Segment.named("o"), color=(0, 0, 255)), replace(Segment.named("i", 2), color=(255, 0, 0))),
        ALGORITHM,
    )
    hidden = pictures.solid(found, views=["anterior"]).image
    clear = pictures.solid(found, views=["anterior"], opacity={"o": 0.3}).image
    row, column = hidden[:-54].shape[0] // 2, hidden.shape[1] // 2
    assert hidden[row, column, 0] < 80  # nothing but blue, and its shine
    assert clear[row, column, 0] > 100


def test_wrong_calls_of_solid_are_told() -> None:
    found = bone(body(AXIAL))
    for wrong in (
        {"views": ["above"]},
        {"views": ["left-right"]},
        {"views": "anterior"},
        {"opacity": {"x": 1}},
        {"opacity": {"bone": 0}},
    ):
        with pytest.raises(UsageError):
            pictures.solid(found, **wrong)
    empty = Segmentation((np.zeros(AXIAL.shape, np.uint8),), AXIAL, found.segments, ALGORITHM)
    with pytest.raises(InputError, match="no surface"):
        pictures.solid(empty)


def test_wrong_calls_of_slices_are_told() -> None:
    volume = body(AXIAL)
    elsewhere = bone(body(GRIDS["sagittal"]))
    for wrong in (
        lambda: pictures.section(volume, elsewhere),
        lambda: pictures.section(volume, plane="oblique"),
        lambda: pictures.section(volume, fill=2),
        lambda: pictures.section(replace(volume, unit=codes.ONE), window="lung"),
        lambda: pictures.section(volume, window="lungs"),
        lambda: pictures.section("ct"),
        lambda: pictures.planes(volume, at_mm=(1, 2)),
        lambda: pictures.histogram(volume, elsewhere),
        lambda: pictures.slab(volume, "oblique"),
        lambda: pictures.slab(volume, how="most"),
        lambda: pictures.slab(volume, thickness_mm=0),
        lambda: pictures.checkerboard(volume, volume, tile_mm=0),
        lambda: pictures.difference(volume, volume, limit=-1),
        lambda: pictures.joint_histogram(volume, volume, bins=1),
    ):
        with pytest.raises(UsageError):
            wrong()


def test_values_show_themselves_in_a_notebook() -> None:
    volume = body(AXIAL)
    found = bone(volume)
    for shown in (volume, found, iso.surfaces.mesh(found), volume.show(found)):
        assert Image.open(io.BytesIO(shown._repr_png_())).size[0] > 300


@pytest.mark.parametrize(
    "volume",
    [
        Volume(np.zeros((1, 8, 9, 3), np.uint8), Grid.from_vectors((1, 8, 9)), axes=("color",)),
        Volume(np.zeros((4, 8, 9, 5), np.float32), Grid.from_vectors((4, 8, 9)), axes=("time",)),
        Volume(np.zeros((1, 8, 9, 5), np.int16), Grid.from_vectors((1, 8, 9)), axes=("time",)),
        Volume(np.full((4, 8, 9), np.nan, np.float32), Grid.from_vectors((4, 8, 9))),
        Volume(np.full((4, 8, 9), np.inf, np.float32), Grid.from_vectors((4, 8, 9))),
        Volume(np.zeros((4, 8, 9), bool), Grid.from_vectors((4, 8, 9))),
        Volume(np.zeros((1, 1, 1), np.int16), Grid.from_vectors((1, 1, 1))),
        Volume(np.zeros((4, 8, 9), np.int64), Grid.from_vectors((4, 8, 9), spacing_mm=(1e-3, 100, 5))),
        Volume(np.zeros((4, 8, 9), np.complex64), Grid.from_vectors((4, 8, 9))),
    ],
)
def test_odd_images_are_drawn_or_not_but_never_break_a_notebook(volume: Volume) -> None:
    data = volume._repr_png_()
    assert data is None or data.startswith(b"\x89PNG")
    assert (data is None) == (volume.array.dtype.kind == "c")


def test_a_figure_is_written_as_png(tmp_path: Path) -> None:
    found = pictures.section(body(AXIAL))
    found.save(tmp_path / "a.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), found.image)
    for name in ("a.jpg", "none/a.png"):
        with pytest.raises(UsageError):
            found.save(tmp_path / name)


def test_an_interactive_view_holds_the_image_the_segments_and_the_meshes() -> None:
    pytest.importorskip("ipyniivue")
    volume = body(AXIAL)
    found = bone(volume)
    view = pictures.viewer(volume, found, meshes=iso.surfaces.meshes(found))
    assert [layer.name for layer in view.volumes] == ["image.nii", "segments.nii"]
    assert [mesh.name for mesh in view.meshes] == ["bone.mz3"]
    assert view.volumes[0].cal_min == -160


def test_an_interactive_view_shows_one_frame_of_reference_alone() -> None:
    pytest.importorskip("ipyniivue")
    here, there = (replace(body(AXIAL), grid=replace(AXIAL, frame_of_reference_uid=uid)) for uid in ("1.1", "1.2"))
    found = bone(there)
    for others in ({"segmentation": found}, {"meshes": iso.surfaces.meshes(found)}):
        with pytest.raises(UsageError, match="frames of reference"):
            pictures.viewer(here, **others)
    unplaced = replace(found, grid=replace(AXIAL, space=Space.PLANE))
    with pytest.raises(UsageError, match="space"):
        pictures.viewer(here, unplaced)


def test_a_second_image_that_does_not_reach_the_section_is_told() -> None:
    volume = body(AXIAL)
    top = volume.on(AXIAL.crop((0, 0, 0), (4, 40, 50)), volume.array[:4])
    for found in (pictures.fused(volume, top, at_mm=-40), pictures.checkerboard(volume, top, at_mm=-40)):
        assert "does not reach this section" in found.caption
    assert "reach" not in pictures.checkerboard(volume, top, at_mm=55).caption


def test_pictures_need_real_values_and_pixels_of_known_size() -> None:
    volume = body(AXIAL)
    with pytest.raises(UsageError, match="magnitude"):
        pictures.section(volume.with_array(volume.array.astype(np.complex64)))
    unsized = replace(volume, grid=Grid(AXIAL.shape, AXIAL.affine, space=Space.PIXEL))
    with pytest.raises(UsageError, match="size"):
        pictures.checkerboard(unsized, unsized)
    with pytest.raises(UsageError, match="size"):
        pictures.slab(unsized)


def test_an_image_without_a_number_has_no_histogram():
    volume = Volume(np.full((2, 4, 4), np.nan, np.float32), Grid.from_vectors((2, 4, 4)))
    with pytest.raises(InputError, match="nothing to count"):
        pictures.histogram(volume)
