import gzip
import struct

import nibabel
import numpy as np
import pytest

from isocenter import codes, formats
from isocenter.errors import InputError, UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.volume import Volume

GRID = Grid.from_vectors((2, 3, 4), spacing_mm=(3, 0.7, 0.8), origin_mm=(-10, 20, 30))
VALUES = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
LABELS = Segmentation(
    ((VALUES % 3).astype(np.uint8),),
    GRID,
    (Segment("lung_left", 2, "Left lung", codes.LEFT_LUNG),),
    Algorithm("a", "1"),
)
RAS = np.array([[-0.8, 0, 0, 10], [0, -0.7, 0, -20], [0, 0, 3, 30], [0, 0, 0, 1.0]])


def _write(path, array, affine=RAS, *, kind=nibabel.Nifti1Image, **fields):
    image = kind(array, affine)
    image.set_qform(affine, 1)
    for name, value in fields.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path


def _codes(volume):
    return [reason.code for reason in volume.reasons]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "image.nii"


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_voxel_and_place_are_those_of_nibabel(file, kind):
    array = VALUES.transpose(2, 1, 0)
    volume = formats.load(_write(file, array, kind=kind))
    assert volume.array.dtype == np.int16
    assert volume.array[1, 2, 3] == array[3, 2, 1]
    np.testing.assert_allclose(volume.grid.to_world((1, 2, 3)) * (-1, -1, 1), (RAS @ (3, 2, 1, 1))[:3], atol=1e-5)
    assert volume.grid.orientation == "SPL"
    assert _codes(volume) == ["UNIT_UNKNOWN"]


def test_big_endian_files_are_read(file):
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    header.set_xyzt_units("mm")
    nibabel.save(nibabel.Nifti1Image(VALUES.transpose(2, 1, 0), RAS, header), file)
    assert struct.unpack(">i", file.read_bytes()[:4]) == (348,)
    np.testing.assert_array_equal(formats.load(file).array, VALUES)


def test_whole_slopes_keep_whole_numbers_and_others_give_floats(file):
    stored = VALUES.transpose(2, 1, 0).astype(np.uint16)
    _write(file, stored)
    content = bytearray(file.read_bytes())
    for slope, intercept, dtype in ((1, -1024, np.int16), (2, 0, np.int16), (0.5, 3, np.float32), (0, 7, np.uint16)):
        content[112:120] = struct.pack("<ff", slope, intercept)
        file.write_bytes(content)
        volume = formats.load(file)
        assert volume.array.dtype == dtype
        np.testing.assert_array_equal(volume.array, VALUES * slope + intercept if slope else VALUES)


def test_values_like_ct_numbers_are_taken_as_hu_and_the_guess_is_said(file):
    ct = np.linspace(-1100, 900, 4000).astype(np.int16).reshape(10, 20, 20)
    volume = formats.load(_write(file, ct))
    assert (volume.unit, volume.modality, _codes(volume)) == (codes.HU, "CT", ["UNIT_GUESSED"])
    assert formats.load(file, unit=codes.ONE, modality="MR").reasons == ()
    assert formats.load(_write(file, np.abs(ct))).unit == codes.ONE


def test_a_unit_that_the_file_carries_is_not_guessed(file):
    formats.save(Volume(VALUES, GRID, codes.HU, modality="CT"), file)
    assert (formats.load(file).unit, formats.load(file).reasons) == (codes.HU, ())


def test_metres_and_micrometres_are_understood(file):
    for unit, factor in ((1, 1000.0), (2, 1.0), (3, 0.001)):
        volume = formats.load(_write(file, VALUES.transpose(2, 1, 0), xyzt_units=unit))
        np.testing.assert_allclose(volume.spacing_mm, np.array([3, 0.7, 0.8]) * factor, rtol=1e-6)


def test_an_unusual_spacing_without_a_unit_is_a_guess(file):
    far = np.diag([500.0, 500, 500, 1])
    assert "FRAME_GUESSED" in _codes(formats.load(_write(file, VALUES.transpose(2, 1, 0), far, xyzt_units=0)))
    assert "FRAME_GUESSED" not in _codes(formats.load(_write(file, VALUES.transpose(2, 1, 0), far, xyzt_units=2)))


def test_transforms_that_disagree_are_a_guess_and_sform_wins(file):
    image = nibabel.Nifti1Image(VALUES.transpose(2, 1, 0), RAS)
    image.set_qform(np.diag([-1.0, 1, 1, 1]) @ RAS, 1)
    nibabel.save(image, file)
    volume = formats.load(file)
    assert "FRAME_GUESSED" in _codes(volume)
    np.testing.assert_allclose(volume.grid.origin_mm, (-10, 20, 30), atol=1e-5)


def test_either_transform_alone_is_taken_and_none_is_a_guess(file):
    for codes_ in ((0, 1), (1, 0), (0, 0)):
        _write(file, VALUES.transpose(2, 1, 0), sform_code=codes_[0], qform_code=codes_[1])
        content = bytearray(file.read_bytes())
        content[252:256] = struct.pack("<hh", codes_[1], codes_[0])
        file.write_bytes(content)
        volume = formats.load(file)
        assert ("FRAME_GUESSED" in _codes(volume)) == (codes_ == (0, 0))
        np.testing.assert_allclose(volume.spacing_mm, (3, 0.7, 0.8), rtol=1e-6)
        assert volume.grid.orientation == ("SPL" if any(codes_) else "SAR")


def test_a_fourth_dimension_is_time_and_a_single_one_is_dropped(file):
    film = np.arange(48, dtype=np.int16).reshape(4, 3, 2, 2)
    volume = formats.load(_write(file, film))
    assert volume.axes == ("time",)
    assert volume.array[1, 2, 3, 1] == film[3, 2, 1, 1]
    assert formats.load(_write(file, film[..., :1])).axes == ()
    vectors = formats.load(_write(file, film[:, :, :, None, :]))
    assert vectors.axes == ("channel",)
    again = file.with_name("again.nii.gz")
    formats.save(volume, again)
    np.testing.assert_array_equal(formats.load(again).array, volume.array)
    assert formats.load(again).axes == ("time",)


@pytest.mark.parametrize("sizes", [(1,), (1, 1), (1, 3), (3, 1)])
def test_axes_of_one_place_come_back_where_they_were(tmp_path, sizes):
    array = np.arange(24 * int(np.prod(sizes)), dtype=np.int16).reshape(2, 3, 4, *sizes)
    film = Volume(array, Grid.from_vectors((2, 3, 4)), codes.HU, axes=("time", "echo")[: len(sizes)])
    formats.save(film, tmp_path / "film.nii")
    again = formats.load(tmp_path / "film.nii")
    np.testing.assert_array_equal(again.array, array)
    assert again.axes == film.axes


def test_colours_are_an_axis(file):
    color = np.zeros((4, 3, 2), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    color["G"][3, 2, 1] = 9
    volume = formats.load(_write(file, color))
    assert volume.axes == ("color",)
    assert volume.array[1, 2, 3].tolist() == [0, 9, 0]


def test_other_software_reads_the_labels_that_we_write(tmp_path):
    import SimpleITK as sitk  # noqa: N813

    path = tmp_path / "labels.nii.gz"
    formats.save(LABELS, path)
    image = nibabel.load(path)
    assert int(image.header["intent_code"]) == 1002
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (1, 1)
    np.testing.assert_array_equal(np.asanyarray(image.dataobj), LABELS.array.transpose(2, 1, 0))
    itk = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(itk), LABELS.array)
    np.testing.assert_allclose(itk.TransformIndexToPhysicalPoint((3, 2, 1)), GRID.to_world((1, 2, 3)), atol=1e-4)


def test_a_label_file_of_others_gets_names_by_number(file):
    labels = (VALUES % 4).transpose(2, 1, 0).astype(np.float32)
    found = formats.load_segmentation(_write(file, labels))
    assert found.names == ("label_1", "label_2", "label_3")
    assert found.volume_ml("label_3") == pytest.approx(6 * 3 * 0.7 * 0.8 / 1000)
    for wrong in (labels + 0.5, labels - 1):
        with pytest.raises(InputError, match="no label map"):
            formats.load_segmentation(_write(file, wrong.astype(np.float32)))


def test_the_same_image_gives_the_same_bytes_in_one_plain_gzip_member(tmp_path):
    big = Volume(
        np.random.default_rng(1).integers(0, 999, (40, 200, 301)).astype(np.int16), GRID.with_shape((40, 200, 301))
    )
    first, second = tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"
    formats.save(big, first)
    formats.save(big, second)
    assert first.read_bytes() == second.read_bytes()
    formats.save(big, tmp_path / "plain.nii")
    assert gzip.decompress(first.read_bytes()) == (tmp_path / "plain.nii").read_bytes()
    import zlib

    engine = zlib.decompressobj(31)
    engine.decompress(first.read_bytes())
    assert engine.eof
    assert engine.unused_data == b""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.nii.gz", "b.nii.gz", "plain.nii"]


def test_a_sheared_grid_is_kept_by_the_sform_alone(file):
    affine = GRID.affine.copy()
    affine[1, 0] = 1.0
    tilted = Grid(GRID.shape, affine)
    formats.save(Volume(VALUES, tilted), file)
    assert int(nibabel.load(file).header["qform_code"]) == 0
    assert formats.load(file).grid.coincides(tilted)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda b: b[:200], "no NIfTI"),
        (lambda b: b"", "no NIfTI"),
        (lambda b: b"not an image at all" * 99, "no NIfTI"),
        (lambda b: b[:-5], "cut short"),
        (lambda b: gzip.compress(b)[:-30], "cut short"),
        (lambda b: gzip.compress(b)[:20] + b"\xff" * 40 + gzip.compress(b)[60:], "gzip"),
        (lambda b: b[:280] + struct.pack("<f", np.nan) + b[284:], "finite"),
        (lambda b: b[:280] + bytes(48) + b[328:], "invertible"),
        (lambda b: b[:42] + struct.pack("<h", -4) + b[44:], "dimensions"),
        (lambda b: b[:70] + struct.pack("<h", 77) + b[72:], "data type"),
        (lambda b: b[:70] + struct.pack("<h", 32) + b[72:], "data type"),
        (lambda b: b[:123] + b"\x07" + b[124:], "unit of length"),
        (lambda b: b[:254] + struct.pack("<h", 0) + b[256:256] + struct.pack("<fff", 2, 2, 2) + b[268:], "quaternion"),
        (lambda b: b[:112] + struct.pack("<ff", 1, np.inf) + b[120:], "intercept"),
        (lambda b: b[:344] + b"ni1\0" + b[348:], "one file"),
    ],
)
def test_a_damaged_file_is_refused_with_a_clear_word(file, damage, said):
    _write(file, VALUES.transpose(2, 1, 0))
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(InputError, match=said):
        formats.load(file)


def test_types_that_nifti_lacks_are_stored_in_the_next_that_holds_them(file):
    for given, stored in ((np.bool_, np.uint8), (np.float16, np.float32)):
        formats.save(Volume((VALUES % 2).astype(given), GRID), file)
        assert formats.load(file).array.dtype == stored
    with pytest.raises(UsageError, match="complex"):
        formats.save(Volume(VALUES.astype(complex), GRID), file)


def test_the_time_between_volumes_comes_back_in_seconds(tmp_path):
    film = np.arange(48, dtype=np.int16).reshape(2, 3, 4, 2)
    for ending in (".nii", ".nii.gz", ".nrrd", ".mha", ".npz", ".npy"):
        formats.save(Volume(film, GRID, axes=("time",), time_step_s=2.25), tmp_path / f"x{ending}")
        assert formats.load(tmp_path / f"x{ending}").time_step_s == 2.25
    header = nibabel.load(tmp_path / "x.nii").header
    assert header.get_xyzt_units() == ("mm", "sec")
    assert header.get_zooms()[3] == 2.25
    formats.save(Volume(film, GRID, axes=("time",)), tmp_path / "y.nii")
    assert nibabel.load(tmp_path / "y.nii").header.get_xyzt_units() == ("mm", "unknown")
    assert formats.load(tmp_path / "y.nii").time_step_s is None


@pytest.mark.parametrize(
    ("unit", "step", "seconds"),
    [(8, 2.1, 2.1), (16, 2100, 2.1), (24, 2.1e6, 2.1), (0, 2.1, None), (32, 2.1, None), (8, 0, None), (8, -1, None)],
)
def test_a_time_step_is_taken_with_its_unit_alone(file, unit, step, seconds):
    film = np.arange(48, dtype=np.int16).reshape(4, 3, 2, 2)
    _write(file, film, xyzt_units=2 | unit)
    content = bytearray(file.read_bytes())
    content[92:96] = struct.pack("<f", step)
    file.write_bytes(content)
    assert formats.load(file).time_step_s == seconds
    _write(file, film[..., 0], xyzt_units=2 | unit)
    assert formats.load(file).time_step_s is None


CARET = b"""<?xml version="1.0" encoding="UTF-8"?> <CaretExtension> <VolumeInformation Index="0"> <LabelTable>
<Label Key="0" Red="0" Green="0" Blue="0" Alpha="0"><![CDATA[???]]></Label>
<Label Key="1" Red="0.0" Green="1.0" Blue="0.5" Alpha="1"><![CDATA[spleen]]></Label>
<Label Key="3" Red="1.0" Green="0.0" Blue="0.0" Alpha="1"><![CDATA[vertebrae_L5]]></Label>
<Label Key="9" Red="1.0" Green="0.0" Blue="0.0" Alpha="1"><![CDATA[liver]]></Label>
</LabelTable> </VolumeInformation> </CaretExtension>"""


def _with_extension(file, array, text, kind):
    image = nibabel.Nifti1Image(array, RAS)
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(kind, text))
    nibabel.save(image, file)
    return file


@pytest.mark.parametrize("kind", [0, 30])
def test_labels_have_the_names_and_colours_of_the_label_table_of_others(file, kind):
    labels = (VALUES % 4).astype(np.uint8).transpose(2, 1, 0)
    found = formats.load_segmentation(_with_extension(file, labels, CARET, kind))
    assert found.names == ("spleen", "label_2", "vertebrae_L5")
    assert found.segment("vertebrae_L5").title == "Vertebrae L5"
    assert (found.segment("spleen").label, found.segment("spleen").color) == (1, (0, 255, 128))
    np.testing.assert_array_equal(found.mask("vertebrae_L5"), VALUES % 4 == 3)
    assert formats.load(file).unit == codes.ONE
    np.testing.assert_array_equal(formats.load(file).array, VALUES % 4)
    again = file.with_name("again.nii")
    formats.save(found, again)
    assert formats.load_segmentation(again).names == found.names


def test_a_label_table_that_a_file_of_values_carries_names_nothing(file):
    values = (VALUES - 5).transpose(2, 1, 0)
    volume = formats.load(_with_extension(file, values, CARET, 0))
    np.testing.assert_array_equal(volume.array, VALUES - 5)


@pytest.mark.parametrize(
    "table",
    [
        CARET[:300],
        CARET.replace(b'Key="1"', b'Key="one"'),
        CARET.replace(b'Red="0.0"', b'Red=""'),
        CARET.replace(b"?>", b'?><!DOCTYPE a [<!ENTITY b "c">]>'),
        CARET.replace(b"[spleen]", b"[label_2]").replace(b"[vertebrae_L5]", b"[label_2]"),
    ],
)
def test_a_damaged_label_table_leaves_labels_their_numbers(file, table):
    labels = (VALUES % 4).astype(np.uint8).transpose(2, 1, 0)
    assert formats.load_segmentation(_with_extension(file, labels, table, 0)).names == ("label_1", "label_2", "label_3")


def test_two_labels_never_share_a_name(file):
    labels = (VALUES % 4).astype(np.uint8).transpose(2, 1, 0)
    table = CARET.replace(b"vertebrae_L5", b"spleen")
    assert formats.load_segmentation(_with_extension(file, labels, table, 0)).names == ("spleen", "label_2", "label_3")
