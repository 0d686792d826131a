import errno
import gzip
from dataclasses import replace
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pytest

from isocenter import codes, formats
from isocenter.errors import InputError, TryLater, UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid, Space
from isocenter.reasons import Reason
from isocenter.volume import Source, Volume

GRID = Grid.from_vectors((2, 3, 4), spacing_mm=(3, 0.7, 0.8), origin_mm=(-10, 20, 30), frame_of_reference_uid="1.2.3")
VALUES = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
CT = Volume(
    VALUES,
    GRID,
    codes.HU,
    modality="CT",
    sources=(Source("1.1"), None),
    reasons=(Reason("TILT", "The gantry was tilted.", ("1.1",)),),
)
LABELS = Segmentation(
    ((VALUES % 3).astype(np.uint8),),
    GRID,
    (
        Segment("lung_left", 2, "Left lung", codes.LEFT_LUNG, modifier=codes.LEFT),
        Segment("one", 1, "One", codes.NODULE, region=codes.LUNG),
    ),
    Algorithm("a", "1", (("threshold", -320),), codes.ARTIFICIAL_INTELLIGENCE),
)


@pytest.mark.parametrize("ending", [".npz", ".npy", ".zarr", ".tif"])
def test_our_own_formats_hold_everything(tmp_path, ending):
    if ending == ".zarr":
        pytest.importorskip("zarr")
    formats.save(CT, tmp_path / f"ct{ending}")
    again = formats.load(tmp_path / f"ct{ending}")
    np.testing.assert_array_equal(again.array, CT.array)
    assert replace(again, array=CT.array) is not again
    for name in ("grid", "unit", "axes", "modality", "sources", "reasons"):
        assert getattr(again, name) == getattr(CT, name)
    formats.save(LABELS, tmp_path / f"labels{ending}")
    labels = formats.load_segmentation(tmp_path / f"labels{ending}")
    np.testing.assert_array_equal(labels.array, LABELS.array)
    for name in ("grid", "segments", "algorithm", "sources", "reasons"):
        assert getattr(labels, name) == getattr(LABELS, name)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("image", [CT, LABELS])
def test_other_makers_formats_hold_code_and_message_of_the_reasons(tmp_path, ending, image):
    path, plain = tmp_path / f"image{ending}", tmp_path / f"plain{ending}"
    said = replace(image, reasons=(Reason("TILT", 'It was "tilted" by 5\u00b0.', ("1.2.840.99",)),))
    formats.save(said, path)
    load = formats.load_segmentation if isinstance(image, Segmentation) else formats.load
    assert load(path).reasons == (Reason("TILT", 'It was "tilted" by 5\u00b0.'),)
    formats.save(replace(image, reasons=()), plain)
    assert load(plain).reasons == ()
    if not ending.endswith("gz"):
        assert b"1.2.840.99" not in path.read_bytes()
        assert b"reasons" not in plain.read_bytes()


def test_a_zarr_folder_is_replaced_whole(tmp_path):
    pytest.importorskip("zarr")
    path = tmp_path / "x.zarr"
    formats.save(CT, path)
    formats.save(LABELS, path)
    assert formats.load_segmentation(path).names == LABELS.names
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.zarr"]


def test_pynrrd_and_simpleitk_read_the_nrrd_that_we_write(tmp_path):
    import SimpleITK as sitk  # noqa: N813

    path = tmp_path / "labels.nrrd"
    formats.save(LABELS, path)
    data, header = nrrd.read(str(path))
    np.testing.assert_array_equal(data, LABELS.array.transpose(2, 1, 0))
    assert header["space"] == "left-posterior-superior"
    assert (header["Segment0_Name"], header["Segment0_LabelValue"]) == ("Left lung", "2")
    image = sitk.ReadImage(str(path))
    np.testing.assert_allclose(image.TransformIndexToPhysicalPoint((3, 2, 1)), GRID.to_world((1, 2, 3)), atol=1e-9)


@pytest.mark.parametrize(
    ("space", "signs"),
    [("left-posterior-superior", (1, 1, 1)), ("RAS", (-1, -1, 1)), ("left-anterior-superior", (1, -1, 1))],
)
def test_the_space_of_an_nrrd_is_understood(tmp_path, space, signs):
    header = {
        "space": space,
        "space directions": np.diag([0.8, 0.7, 3.0]) * np.array(signs)[None],
        "space origin": np.array([-10.0, 20, 30]) * signs,
        "kinds": ["domain"] * 3,
    }
    nrrd.write(str(tmp_path / "x.nrrd"), VALUES.transpose(2, 1, 0), header)
    volume = formats.load(tmp_path / "x.nrrd")
    np.testing.assert_allclose(volume.grid.to_world((1, 2, 3)), (-10 + 2.4, 20 + 1.4, 33), atol=1e-9)
    assert volume.array[1, 2, 3] == VALUES[1, 2, 3]
    assert [reason.code for reason in volume.reasons] == ["UNIT_UNKNOWN"]


def test_an_nrrd_without_a_space_is_a_guess(tmp_path):
    nrrd.write(str(tmp_path / "x.nrrd"), VALUES.transpose(2, 1, 0), {"spacings": [0.8, 0.7, 3.0]})
    volume = formats.load(tmp_path / "x.nrrd")
    assert [reason.code for reason in volume.reasons] == ["FRAME_GUESSED", "UNIT_UNKNOWN"]
    np.testing.assert_allclose(volume.spacing_mm, (3, 0.7, 0.8))


def test_an_nrrd_list_axis_is_a_channel_wherever_it_lies(tmp_path):
    film = np.arange(48, dtype=np.int16).reshape(2, 4, 3, 2)
    directions = np.vstack([[np.nan] * 3, np.diag([0.8, 0.7, 3.0])])
    header = {
        "space": "LPS",
        "space directions": directions,
        "kinds": ["list", *["domain"] * 3],
        "space origin": [0, 0, 0],
    }
    nrrd.write(str(tmp_path / "x.nrrd"), film, header)
    volume = formats.load(tmp_path / "x.nrrd")
    assert volume.axes == ("channel",)
    assert volume.array[1, 2, 3, 1] == film[1, 3, 2, 1]
    formats.save(volume, tmp_path / "y.nrrd")
    np.testing.assert_array_equal(formats.load(tmp_path / "y.nrrd").array, volume.array)


def test_damaged_files_of_every_kind_are_refused_with_a_clear_word(tmp_path):
    for ending in (".nrrd", ".npz", ".nii", ".nii.gz"):
        path = tmp_path / f"x{ending}"
        formats.save(CT, path)
        whole = path.read_bytes()
        for wrong in (whole[: len(whole) // 2], b"", b"text\n" * 200):
            path.write_bytes(wrong)
            with pytest.raises(InputError):
                formats.load(path)
    np.savez(tmp_path / "plain.npz", a=VALUES)
    with pytest.raises(InputError, match="description"):
        formats.load(tmp_path / "plain.npz")


def test_a_damaged_zarr_folder_is_refused(tmp_path):
    pytest.importorskip("zarr")
    (tmp_path / "x.zarr").mkdir()
    with pytest.raises(InputError, match="Zarr"):
        formats.load(tmp_path / "x.zarr")


def test_absent_files_folders_and_unknown_endings_are_wrong_use(tmp_path):
    for wrong in (tmp_path / "absent.nii", tmp_path / "x.mha"):
        with pytest.raises(UsageError):
            formats.load(wrong)
    for wrong in (tmp_path / "no" / "folder.nii", tmp_path / "x.jpg", tmp_path / "x.nhdr"):
        with pytest.raises(UsageError):
            formats.save(CT, wrong)
    (tmp_path / "folder.nii").mkdir()
    with pytest.raises(UsageError, match="Cannot read"):
        formats.load(tmp_path / "folder.nii")


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha", ".npz", ".npy", ".tif"])
def test_a_full_disk_leaves_the_old_file_and_nothing_half_written(tmp_path, monkeypatch, ending):
    path = tmp_path / f"x{ending}"
    formats.save(CT, path)
    before, names = path.read_bytes(), sorted(tmp_path.iterdir())

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(TryLater, match="full"):
        formats.save(LABELS, path)
    assert path.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == names


def test_overlapping_segments_are_no_one_volume(tmp_path):
    first, second = LABELS.segments
    both = replace(LABELS, layers=LABELS.layers * 2, segments=(first, replace(second, layer=1)))
    formats.save(both, tmp_path / "x.nii.gz")
    with pytest.raises(InputError, match="load_segmentation"):
        formats.load(tmp_path / "x.nii.gz")


@pytest.mark.parametrize("ending", [".nii", ".nrrd", ".mha", ".npz", ".npy"])
def test_layers_of_any_types_of_whole_numbers_come_back(tmp_path, ending):
    first, second = LABELS.segments
    layers = (LABELS.array.astype(np.uint64), LABELS.array.astype(np.int64))
    both = replace(LABELS, layers=layers, segments=(first, replace(second, layer=1)))
    formats.save(both, tmp_path / f"x{ending}")
    again = formats.load_segmentation(tmp_path / f"x{ending}")
    for name in both.names:
        np.testing.assert_array_equal(again.mask(name), both.mask(name))


PHOTOGRAPHS = Volume(
    np.arange(2 * 3 * 5 * 3, dtype=np.uint8).reshape(1, 2, 3, 5, 3),
    Grid((1, 2, 3), np.eye(4), space=Space.PIXEL),
    axes=("time", "color"),
    modality="XC",
)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha", ".npz", ".npy"])
def test_colours_over_time_without_a_place_come_back_as_they_were(tmp_path, ending):
    formats.save(PHOTOGRAPHS, tmp_path / f"cine{ending}")
    again = formats.load(tmp_path / f"cine{ending}")
    np.testing.assert_array_equal(again.array, PHOTOGRAPHS.array)
    assert (again.grid, again.axes, again.reasons) == (PHOTOGRAPHS.grid, PHOTOGRAPHS.axes, ())


def test_an_image_without_a_place_in_the_patient_claims_none_in_nifti(tmp_path):
    plane = Volume(VALUES[:1], Grid((1, 3, 4), np.diag([1, 0.2, 0.2, 1]), space=Space.PLANE), modality="CR")
    formats.save(plane, tmp_path / "cr.nii")
    header = nibabel.load(tmp_path / "cr.nii").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (0, 0)
    np.testing.assert_allclose(header.get_zooms(), (0.2, 0.2, 1))
    assert formats.load(tmp_path / "cr.nii").grid == plane.grid


def test_other_software_sees_colours_in_nifti_as_colours(tmp_path):
    photograph = replace(PHOTOGRAPHS, array=PHOTOGRAPHS.array[:, :, :, 0], axes=("color",))
    formats.save(photograph, tmp_path / "photograph.nii")
    seen = np.asarray(nibabel.load(tmp_path / "photograph.nii").dataobj)
    assert seen.dtype.names == ("R", "G", "B")
    np.testing.assert_array_equal(seen["G"][..., 0].T, photograph.array[0, ..., 1])


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha", ".npz", ".npy", ".tif"])
def test_a_windowed_ct_is_never_taken_for_one_in_hu(tmp_path, ending):
    grey = replace(CT, array=np.linspace(-1100, 900, 24).astype(np.float32).reshape(2, 3, 4), unit=codes.ONE)
    formats.save(grey, tmp_path / f"x{ending}")
    again = formats.load(tmp_path / f"x{ending}")
    assert (again.unit, again.modality) == (codes.ONE, "CT")
    assert [reason.code for reason in again.reasons] == ["TILT"]


def test_gzip_of_several_members_is_read_whole(tmp_path):
    formats.save(CT, tmp_path / "x.nii")
    plain = (tmp_path / "x.nii").read_bytes()
    half = len(plain) // 2
    for cut in (10, half, len(plain) - 1):
        (tmp_path / "x.nii.gz").write_bytes(gzip.compress(plain[:cut]) + gzip.compress(plain[cut:]) + bytes(5))
        np.testing.assert_array_equal(formats.load(tmp_path / "x.nii.gz").array, CT.array)


def test_a_description_that_was_changed_is_damage_and_no_other_place(tmp_path):
    for name in ("x.tif", "x.npy.json", "x.nii", "x.mha", "x.nrrd"):
        image = tmp_path / name.removesuffix(".json")
        formats.save(replace(CT, modality="MR"), image)
        content = (tmp_path / name).read_bytes()
        changed = content.replace(b'"modality":"MR"', b'"modality":"CT"')
        assert changed != content
        (tmp_path / name).write_bytes(changed)
        with pytest.raises(InputError, match="damaged"):
            formats.load(image)


def test_a_broken_npy_header_is_damage(tmp_path):
    formats.save(CT, tmp_path / "x.npy")
    content = (tmp_path / "x.npy").read_bytes()
    for wrong in (b"{'descr': '<i2'", b"{'descr': ('<i2'", b"{'descr': <i2'"):
        (tmp_path / "x.npy").write_bytes(content.replace(b"{'descr': '<i2'", wrong).replace(b"}", b" "))
        with pytest.raises(InputError, match="NPY"):
            formats.load(tmp_path / "x.npy")
