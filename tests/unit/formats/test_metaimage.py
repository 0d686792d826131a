import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from isocenter import codes, formats
from isocenter.errors import InputError, UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid, Space
from isocenter.volume import Volume

GRID = Grid.from_vectors((2, 3, 4), spacing_mm=(3, 0.7, 0.8), origin_mm=(-10, 20, 30))
VALUES = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
CT = Volume(VALUES, GRID, codes.HU, modality="CT")


def sheared():
    affine = GRID.affine.copy()
    affine[1, 0] = 1.0
    return Grid(GRID.shape, affine)


def itk_image():
    image = sitk.GetImageFromArray(VALUES)
    image.SetSpacing((0.8, 0.7, 3))
    image.SetOrigin((-10, 20, 30))
    turn, rise = np.cos(0.3), np.sin(0.3)
    image.SetDirection([turn, -rise, 0, rise, turn, 0, 0, 0, 1])
    return image


@pytest.mark.parametrize("grid", [GRID, GRID.reorient("PLI"), sheared()])
def test_simpleitk_finds_every_voxel_where_we_put_it(tmp_path, grid):
    array = np.arange(24, dtype=np.float32).reshape(grid.shape)
    formats.save(Volume(array, grid, codes.HU), tmp_path / "x.mha")
    image = sitk.ReadImage(str(tmp_path / "x.mha"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), array)
    for index in np.ndindex(*grid.shape):
        there = image.TransformIndexToPhysicalPoint(tuple(int(n) for n in index[::-1]))
        np.testing.assert_allclose(there, grid.to_world(index), atol=1e-9)


@pytest.mark.parametrize("name", ["x.mha", "x.mhd"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.int64, np.float32, np.float64])
def test_what_simpleitk_writes_is_read_at_its_place(tmp_path, name, packed, dtype):
    image = sitk.GetImageFromArray(VALUES.astype(dtype))
    image.CopyInformation(itk_image())
    sitk.WriteImage(image, str(tmp_path / name), packed)
    volume = formats.load(tmp_path / name)
    np.testing.assert_array_equal(volume.array, VALUES)
    assert volume.array.dtype == dtype
    np.testing.assert_allclose(volume.grid.to_world((1, 2, 3)), image.TransformIndexToPhysicalPoint((3, 2, 1)))
    assert [reason.code for reason in volume.reasons] == ["UNIT_UNKNOWN"]


def test_channels_and_time_are_those_of_simpleitk(tmp_path):
    colors = np.arange(72, dtype=np.uint8).reshape(2, 3, 4, 3)
    sitk.WriteImage(sitk.GetImageFromArray(colors, isVector=True), str(tmp_path / "v.mha"))
    assert formats.load(tmp_path / "v.mha").axes == ("channel",)
    np.testing.assert_array_equal(formats.load(tmp_path / "v.mha").array, colors)
    film = np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5)
    formats.save(Volume(film, GRID, axes=("time",)), tmp_path / "t.mha")
    seen = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "t.mha")))
    np.testing.assert_array_equal(seen, np.moveaxis(film, 3, 0))
    sitk.WriteImage(sitk.ReadImage(str(tmp_path / "t.mha")), str(tmp_path / "u.mha"))
    assert formats.load(tmp_path / "u.mha").axes == ("time",)
    np.testing.assert_array_equal(formats.load(tmp_path / "u.mha").array, film)


@pytest.mark.parametrize("axes", [("time", "color"), ("channel",), ("color",)])
def test_further_axes_come_back_even_of_one_place(tmp_path, axes):
    for size in (1, 3):
        array = np.arange(24 * size ** len(axes), dtype=np.uint8).reshape(2, 3, 4, *[size] * len(axes))
        formats.save(Volume(array, GRID, axes=axes), tmp_path / "x.mha")
        again = formats.load(tmp_path / "x.mha")
        np.testing.assert_array_equal(again.array, array)
        assert again.axes == axes


def test_many_segments_fit_into_fields_that_itk_takes(tmp_path):
    segments = tuple(Segment.named(f"a structure  with blanks {n}", n) for n in range(1, 300))
    labels = Segmentation((VALUES.astype(np.uint16),), GRID, segments, Algorithm("a", "1"))
    formats.save(labels, tmp_path / "x.mha")
    assert formats.load_segmentation(tmp_path / "x.mha").segments == segments
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "x.mha"))), VALUES)


def test_a_flat_image_lies_in_its_plane_alone(tmp_path):
    flat = sitk.GetImageFromArray(VALUES[0])
    flat.SetSpacing((0.8, 0.7))
    sitk.WriteImage(flat, str(tmp_path / "x.mha"))
    volume = formats.load(tmp_path / "x.mha")
    assert (volume.shape, volume.grid.space) == ((1, 3, 4), Space.PLANE)
    np.testing.assert_allclose(volume.grid.to_world((0, 2, 3)), (2.4, 1.4, 0))


def test_a_header_without_a_place_is_a_guess(tmp_path):
    sitk.WriteImage(itk_image(), str(tmp_path / "x.mha"))
    whole = (tmp_path / "x.mha").read_bytes()
    lines = [line for line in whole.split(b"\n") if not line.startswith((b"Offset", b"TransformMatrix"))]
    (tmp_path / "x.mha").write_bytes(b"\n".join(lines))
    volume = formats.load(tmp_path / "x.mha")
    assert "FRAME_GUESSED" in [reason.code for reason in volume.reasons]


DAMAGES = [
    (lambda b: b[:-3], "cut short"),
    (lambda b: b[: len(b) // 2], "no MetaImage|cut short"),
    (lambda b: b"", "no MetaImage"),
    (lambda b: b"no header\n" * 99, "no MetaImage"),
    (lambda b: b.replace(b"DimSize = 4 3 2", b"DimSize = 4 3 9"), "cut short"),
    (lambda b: b.replace(b"DimSize = 4 3 2", b"DimSize = 4 3"), "DimSize"),
    (lambda b: b.replace(b"DimSize = 4 3 2", b"DimSize = 4 x nan"), "DimSize"),
    (lambda b: b.replace(b"MET_SHORT", b"MET_SHORT_ARRAY"), "type of values"),
    (lambda b: b.replace(b"BinaryData = True", b"BinaryData = False"), "text"),
    (lambda b: b.replace(b"ElementSpacing = 0.8", b"ElementSpacing = nan"), "ElementSpacing"),
    (lambda b: b.replace(b"Offset = -10 20 30", b"Offset = -10 20"), "origin"),
    (lambda b: b.replace(b"LOCAL", b"../x.raw"), "another folder"),
    (lambda b: b.replace(b"LOCAL", b"gone.raw"), "missing"),
    (lambda b: b.replace(b"LOCAL", b"LIST"), "per slice"),
    (lambda b: b.replace(b"ObjectType = Image", b"ObjectType = Tube"), "Tube"),
]


@pytest.mark.parametrize(("damage", "said"), DAMAGES)
def test_a_damaged_file_is_refused_with_a_clear_word(tmp_path, damage, said):
    path = tmp_path / "x.mha"
    sitk.WriteImage(itk_image(), str(path))
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert path.read_bytes() != whole
    with pytest.raises(InputError, match=said):
        formats.load(path)


def test_damaged_compressed_values_are_refused(tmp_path):
    path = tmp_path / "x.mha"
    formats.save(CT, path)
    whole = path.read_bytes()
    for wrong in (
        whole[:-6],
        whole[:-20] + b"\xff" * 20,
        whole.replace(b"DimSize = 4 3 2", b"DimSize = 4 3 2000000000"),
    ):
        path.write_bytes(wrong)
        with pytest.raises(InputError):
            formats.load(path)


def test_two_files_are_never_written_as_one_could_be_lost(tmp_path):
    with pytest.raises(UsageError, match=r"\.mha"):
        formats.save(CT, tmp_path / "x.mhd")
    with pytest.raises(UsageError, match="complex"):
        formats.save(Volume(VALUES.astype(complex), GRID), tmp_path / "x.mha")
