import errno
import json
import os
from dataclasses import replace

import numpy as np
import pytest

from isocenter import codes, formats
from isocenter.errors import InputError, TryLater, UsageError
from isocenter.geometry import Grid, Space
from isocenter.reasons import Reason
from isocenter.volume import Source, Volume

zarr = pytest.importorskip("zarr")

AFFINE = np.array([[0, 0.1, 0.8, -10], [0.3, 0.7, 0, 20], [3, 0, 0.1, 30], [0, 0, 0, 1]])
GRID = Grid((70, 6, 9), AFFINE, "1.2.3")
VALUES = np.arange(70 * 54, dtype=np.int16).reshape(GRID.shape)
CT = Volume(
    VALUES,
    GRID,
    codes.HU,
    modality="CT",
    sources=tuple(Source(f"1.{k}") for k in range(70)),
    reasons=(Reason("TILT", "Tilted.", ("1.1",)),),
)
FILM = Volume(
    np.arange(2 * 3 * 4 * 5 * 2, dtype=np.float32).reshape(2, 3, 4, 5, 2), GRID.crop((0, 0, 0), (2, 3, 4)), codes.ONE
    , ("time", "channel"),
)  # fmt: skip
endings = pytest.mark.parametrize("ending", [".zarr", ".npy"])


@endings
@pytest.mark.parametrize("image", [CT, FILM])
def test_a_part_lies_where_the_whole_has_it(tmp_path, ending, image):
    formats.save(image, tmp_path / f"x{ending}")
    stored = formats.stored(tmp_path / f"x{ending}")
    assert (stored.grid, stored.shape, stored.dtype) == (image.grid, image.shape, image.array.dtype)
    part = stored.read((1, 1, 2), (2, 3, 4))
    np.testing.assert_array_equal(part.array, image.array[1:2, 1:3, 2:4])
    assert part.grid == image.grid.crop((1, 1, 2), (2, 3, 4))
    assert (part.unit, part.axes, part.reasons) == (image.unit, image.axes, image.reasons)
    assert stored.read().sources == image.sources
    assert stored.read((1, 0, 0), (2, *image.grid.shape[1:])).sources == image.sources[1:2]
    for start, stop in (((0, 0, 0), (0, 1, 1)), ((0, 0, 0), (99, 1, 1)), ((-1, 0, 0), (1, 1, 1))):
        with pytest.raises(UsageError, match="crop"):
            stored.read(start, stop)


@endings
def test_an_image_is_written_part_by_part_and_is_whole_then(tmp_path, ending):
    formats.save(CT, tmp_path / f"x{ending}")
    stored = formats.stored(tmp_path / f"x{ending}")
    starts = (40, 0, 60, 20)
    parts = (stored.read((k, 0, 0), (min(k + 20, 70), 6, 9)) for k in starts)
    formats.save_parts((part.with_array(part.array + 1) for part in parts), tmp_path / f"y{ending}", stored.grid)
    again = formats.load(tmp_path / f"y{ending}")
    np.testing.assert_array_equal(again.array, VALUES + 1)
    assert (again.grid, again.unit, again.modality, again.reasons) == (CT.grid, CT.unit, "CT", CT.reasons)


@endings
def test_parts_that_do_not_make_up_the_grid_leave_nothing(tmp_path, ending):
    whole = replace(CT, sources=())
    upper, lower = (whole.on(GRID.crop((a, 0, 0), (b, 6, 9)), VALUES[a:b]) for a, b in ((0, 40), (40, 70)))
    beside = lower.on(lower.grid.window((0.5, 0, 0), lower.grid.shape), lower.array)
    others = (
        lower.with_array(lower.array.astype(np.int32)),
        beside,
        upper,
        lower.on(lower.grid.window((9, 0, 0), lower.grid.shape), lower.array),
    )
    for parts in ([], [upper], *([upper, other] for other in others)):
        with pytest.raises(UsageError):
            formats.save_parts(parts, tmp_path / f"x{ending}", GRID)
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match="part by part"):
        formats.save_parts([upper, lower], tmp_path / "x.nii", GRID)


def test_ome_ngff_finds_axes_spacing_and_place(tmp_path):
    formats.save(FILM, tmp_path / "x.zarr")
    attributes = json.loads((tmp_path / "x.zarr" / "zarr.json").read_text())["attributes"]
    assert attributes["ome"]["version"] == "0.5"
    (image,) = attributes["ome"]["multiscales"]
    kinds = [(axis["name"], axis["type"], axis.get("unit")) for axis in image["axes"]]
    space = [(name, "space", "millimeter") for name in "zyx"]
    assert kinds == [("time", "time", None), ("channel", "channel", None), *space]
    (level,) = image["datasets"]
    scale, shift = (one[one["type"]] for one in level["coordinateTransformations"])
    stored = zarr.open_group(str(tmp_path / "x.zarr"), mode="r")[level["path"]]
    assert stored.shape == (5, 2, 2, 3, 4)
    np.testing.assert_array_equal(stored[4, 1, 1], FILM.array[1, ..., 4, 1])
    place = FILM.grid.direction @ (np.array(scale[2:]) * (1, 2, 3) + shift[2:])
    np.testing.assert_allclose(place, FILM.grid.to_world((1, 2, 3)), atol=1e-9)


def test_a_missing_chunk_is_damage_and_no_zeros(tmp_path):
    formats.save(CT.with_array(VALUES * 0), tmp_path / "x.zarr")
    assert not formats.load(tmp_path / "x.zarr").array.any()
    chunks = sorted((tmp_path / "x.zarr" / "0" / "c").rglob("0"))
    chunk = next(one for one in chunks if one.is_file())
    content = chunk.read_bytes()
    chunk.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="damaged"):
        formats.load(tmp_path / "x.zarr")
    with pytest.raises(InputError, match="damaged"):
        formats.stored(tmp_path / "x.zarr").read()
    chunk.unlink()
    for read in (formats.load, formats.stored):
        with pytest.raises(InputError, match="missing"):
            read(tmp_path / "x.zarr")


def test_an_npy_and_the_description_of_another_are_told_apart(tmp_path):
    formats.save(CT, tmp_path / "x.npy")
    np.save(tmp_path / "x.npy", VALUES + 1)
    with pytest.raises(InputError, match="belong together"):
        formats.load(tmp_path / "x.npy")
    (tmp_path / "x.npy.json").write_text("{}")
    with pytest.raises(InputError, match="damaged"):
        formats.load(tmp_path / "x.npy")
    (tmp_path / "x.npy.json").unlink()
    np.save(tmp_path / "x.npy", VALUES[:5])
    unknown = formats.load(tmp_path / "x.npy")
    assert unknown.grid.space is Space.PIXEL
    assert [reason.code for reason in unknown.reasons] == ["PIXEL_SIZE_UNKNOWN", "UNIT_UNKNOWN"]
    assert formats.stored(tmp_path / "x.npy").read((1, 1, 1), (2, 2, 2)).unit == codes.ONE
    for wrong in (b"", b"text", (tmp_path / "x.npy").read_bytes()[:-9]):
        (tmp_path / "x.npy").write_bytes(wrong)
        with pytest.raises(InputError, match="NPY"):
            formats.load(tmp_path / "x.npy")
    np.save(tmp_path / "x.npy", np.array(["a", "b"]))
    with pytest.raises(InputError, match="numbers"):
        formats.load(tmp_path / "x.npy")


def test_what_is_not_there_or_not_for_parts_is_wrong_use(tmp_path):
    formats.save(CT, tmp_path / "x.nii")
    for wrong in (tmp_path / "x.nii", tmp_path / "absent.zarr"):
        with pytest.raises(UsageError):
            formats.stored(wrong)


def test_the_time_step_of_a_film_is_a_scale_in_seconds(tmp_path):
    formats.save(replace(FILM, time_step_s=0.5), tmp_path / "x.zarr")
    (image,) = json.loads((tmp_path / "x.zarr" / "zarr.json").read_text())["attributes"]["ome"]["multiscales"]
    assert image["axes"][0] == {"name": "time", "type": "time", "unit": "second"}
    assert image["datasets"][0]["coordinateTransformations"][0]["scale"][0] == 0.5
    assert formats.load(tmp_path / "x.zarr").time_step_s == 0.5
    assert formats.stored(tmp_path / "x.zarr").read((0, 0, 0), (1, 1, 1)).time_step_s == 0.5


def test_a_full_disk_is_told_before_an_image_is_written(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(TryLater, match="full"):
        formats.save_parts([replace(CT, sources=())], tmp_path / "x.npy", GRID)
    assert list(tmp_path.iterdir()) == []
