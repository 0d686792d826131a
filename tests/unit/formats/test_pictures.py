import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from isocenter import codes, formats
from isocenter.errors import InputError, UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid, Space
from isocenter.volume import Volume

GRID = Grid.from_vectors((12, 5, 7), spacing_mm=(3, 0.7, 0.8), origin_mm=(-10, 20, 30))
VALUES = np.arange(12 * 35, dtype=np.int16).reshape(GRID.shape)
CT = Volume(VALUES - 1024, GRID, codes.HU, modality="CT")
LABELS = Segmentation(((VALUES % 3).astype(np.uint8),), GRID, (Segment.named("one", 1),), Algorithm("a", "1"))


def _codes(volume):
    return [reason.code for reason in volume.reasons]


def _write_slices(folder, names, slices):
    folder.mkdir()
    for name, values in zip(names, slices, strict=True):
        (folder / name).write_bytes(imagecodecs.png_encode(values))


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_a_tiff_holds_all_and_others_see_the_values(tmp_path, dtype):
    image = CT.with_array((VALUES % 200).astype(dtype))
    formats.save(image, tmp_path / "x.tif")
    again = formats.load(tmp_path / "x.tif")
    np.testing.assert_array_equal(again.array, image.array)
    assert (again.array.dtype, again.grid, again.unit, again.reasons) == (dtype, GRID, codes.HU, ())
    seen = tifffile.imread(tmp_path / "x.tif")
    np.testing.assert_array_equal(seen, image.array)
    assert seen.dtype == dtype
    with tifffile.TiffFile(tmp_path / "x.tif") as file:
        per_mm = file.pages.first.get_resolution("MILLIMETER")
    assert per_mm == pytest.approx((1 / 0.8, 1 / 0.7), rel=1e-6)


@pytest.mark.parametrize("kind", ["png", "tif"])
@pytest.mark.parametrize("image", [CT, LABELS])
def test_slices_come_back_at_their_place(tmp_path, kind, image):
    paths = formats.save_slices(image, tmp_path / "slices", kind=kind)
    assert [path.name for path in paths] == [f"{n:04}.{kind}" for n in range(1, 13)]
    load = formats.load if image is CT else formats.load_segmentation
    again = load(tmp_path / "slices")
    np.testing.assert_array_equal(again.array, image.array)
    assert (again.array.dtype, again.grid) == (image.array.dtype, GRID)
    if image is LABELS:
        assert again.segments == LABELS.segments


def test_a_png_says_in_its_description_by_how_much_values_were_shifted(tmp_path):
    formats.save_slices(CT, tmp_path / "slices")
    seen = np.asarray(Image.open(tmp_path / "slices" / "0003.png")).astype(int)
    np.testing.assert_array_equal(seen - 32768, CT.array[2])
    assert '"offset":-32768' in (tmp_path / "slices" / "isocenter.json").read_text()


def test_colors_come_back(tmp_path):
    color = Volume(
        np.arange(2 * 5 * 7 * 3, dtype=np.uint8).reshape(2, 5, 7, 3), GRID.crop((0, 0, 0), (2, 5, 7)), axes=("color",)
    )
    formats.save(color, tmp_path / "x.tif")
    formats.save_slices(color, tmp_path / "slices")
    for name in ("x.tif", "slices"):
        np.testing.assert_array_equal(formats.load(tmp_path / name).array, color.array)
    np.testing.assert_array_equal(formats.load(tmp_path / "slices" / "0002.png").array, color.array[1:])


def test_pictures_of_others_stand_in_the_order_of_their_numbers(tmp_path):
    slices = VALUES[:3].astype(np.uint16)
    _write_slices(tmp_path / "a", ["ct_10.png", "ct_9.png", "ct_11.png"], slices)
    volume = formats.load(tmp_path / "a")
    np.testing.assert_array_equal(volume.array, slices[[1, 0, 2]])
    assert (volume.array.dtype, volume.grid.space) == (np.uint16, Space.PIXEL)
    assert _codes(volume) == ["PIXEL_SIZE_UNKNOWN", "UNIT_UNKNOWN"]


@pytest.mark.parametrize("names", [["1.png", "2.png", "4.png"], ["a.png", "b.png", "c.png"]])
def test_a_gap_in_the_numbers_is_told(tmp_path, names):
    _write_slices(tmp_path / "a", names, VALUES[:3].astype(np.uint16))
    assert "SLICE_NUMBERS_SKIP" in _codes(formats.load(tmp_path / "a"))


def test_pictures_that_are_no_one_stack_are_refused(tmp_path):
    grey, small = VALUES[0].astype(np.uint16), VALUES[0, :2].astype(np.uint16)
    _write_slices(tmp_path / "sizes", ["1.png", "2.png"], [grey, small])
    _write_slices(tmp_path / "types", ["1.png", "2.png"], [grey, grey.astype(np.uint8)])
    _write_slices(tmp_path / "numbers", ["1.png", "01.png"], [grey, grey])
    _write_slices(tmp_path / "damaged", ["1.png"], [grey])
    (tmp_path / "damaged" / "2.png").write_bytes(b"none")
    for name in ("sizes", "types", "numbers", "damaged"):
        with pytest.raises(InputError):
            formats.load(tmp_path / name)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"no picture.*isocenter\.scan"):
        formats.load(tmp_path / "empty")


def test_a_lost_or_added_slice_of_ours_is_no_other_place(tmp_path):
    formats.save_slices(CT, tmp_path / "slices")
    (tmp_path / "slices" / "0000.png").write_bytes((tmp_path / "slices" / "0001.png").read_bytes())
    np.testing.assert_array_equal(formats.load(tmp_path / "slices").array, CT.array)
    (tmp_path / "slices" / "0005.png").unlink()
    with pytest.raises(InputError, match=r"0005\.png is missing"):
        formats.load(tmp_path / "slices")
    (tmp_path / "slices" / "isocenter.json").write_text("{}")
    with pytest.raises(InputError, match="damaged"):
        formats.load(tmp_path / "slices")


def test_a_damaged_tiff_is_refused_and_never_filled_up(tmp_path):
    path = tmp_path / "x.tif"
    formats.save(CT, path)
    whole = path.read_bytes()
    for cut in (0, 8, 100, len(whole) // 2, len(whole) - 10):
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError):
            formats.load(path)
    with tifffile.TiffWriter(path) as file:
        file.write(VALUES[0])
        file.write(VALUES[0, :3])
    with pytest.raises(InputError, match="no one stack"):
        formats.load(path)


def test_what_pictures_cannot_hold_is_refused(tmp_path):
    film = Volume(np.zeros((*GRID.shape, 2), np.uint8), GRID, axes=("time",))
    for image, name in ((film, "x.tif"), (CT, "x.png")):
        with pytest.raises(UsageError):
            formats.save(image, tmp_path / name)
    for array in (VALUES.astype(np.float32), VALUES.astype(np.int32) * 900):
        with pytest.raises(UsageError, match="PNG"):
            formats.save_slices(CT.with_array(array), tmp_path / "slices")
    (tmp_path / "mine").mkdir()
    with pytest.raises(UsageError, match="no folder of slices"):
        formats.save_slices(CT, tmp_path / "mine")
    with pytest.raises(UsageError, match="png"):
        formats.save_slices(CT, tmp_path / "slices", kind="gif")


PHOTOGRAPH = np.zeros((24, 40, 3), np.uint8)
PHOTOGRAPH[:8, :16], PHOTOGRAPH[16:, 24:] = (255, 0, 0), (0, 255, 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_stands_upright_as_its_orientation_says(tmp_path, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    for path, options in ((tmp_path / "x.jpg", {"exif": exif}), (tmp_path / "x.tif", {"tiffinfo": exif})):
        Image.fromarray(PHOTOGRAPH).save(path, **options)
        with Image.open(path) as image:
            upright = np.asarray(ImageOps.exif_transpose(image))
        found = formats.load(path)
        assert found.shape == (1, *upright.shape)
        np.testing.assert_allclose(found.array[0], upright, atol=3)


@pytest.mark.parametrize(
    ("mode", "ending"), [("CMYK", "jpg"), ("CMYK", "tif"), ("P", "tif"), ("YCbCr", "tif"), ("LAB", "tif")]
)
def test_colours_of_other_kinds_are_never_taken_for_grey_or_rgb(tmp_path, mode, ending):
    Image.fromarray(PHOTOGRAPH).convert(mode).save(tmp_path / f"x.{ending}")
    with pytest.raises(InputError, match="convert it"):
        formats.load(tmp_path / f"x.{ending}")


def test_a_tiff_whose_black_is_white_or_whose_pages_are_no_slices_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "white.tif", PHOTOGRAPH[..., 0], photometric="miniswhite")
    with pytest.raises(InputError, match="MINISWHITE"):
        formats.load(tmp_path / "white.tif")
    planes = np.moveaxis(PHOTOGRAPH, -1, 0)
    tifffile.imwrite(tmp_path / "planes.tif", planes, photometric="rgb", planarconfig="separate")
    tifffile.imwrite(tmp_path / "film.tif", planes, imagej=True, metadata={"axes": "TYX"})
    for name in ("planes", "film"):
        with pytest.raises(InputError, match="axes"):
            formats.load(tmp_path / f"{name}.tif")
