"""Every layout gives its cases; what lacks its other half, or is there twice, is left out and said."""

from __future__ import annotations

import json
import shutil
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from isocenter import formats
from isocenter.datasets import Dataset, load_case, open_dataset
from isocenter.dicom.derived import seg
from isocenter.dicom.derived.making import Making
from isocenter.errors import InputError, UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.testing.dicom import Style, save, slice_data_set, write_series
from isocenter.testing.labelled import labelled_case
from isocenter.volume import Volume


def codes_of(dataset: Dataset) -> list[str]:
    return [reason.code for reason in dataset.reasons]


def rewrite(folder: Path, **changes: object) -> None:
    path = folder / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


# --- nnU-Net, Decathlon, bare folders --------------------------------------------------------------------------------


def test_nnunet_layout_gives_channels_labels_and_licence(written: Path) -> None:
    dataset = open_dataset(written)
    assert [case.id for case in dataset.cases] == [f"case_{n:03}" for n in range(6)]
    assert (dataset.channels, dict(dataset.labels), dataset.licence) == (("MR",), {"organ": 1, "lesion": 2}, "CC0")
    assert dataset.reasons == ()
    loaded = load_case(dataset.case("case_002"), dataset)
    truth = labelled_case(2)
    assert np.array_equal(loaded.segmentation.array, truth[1].array)
    assert np.array_equal(loaded.images[0].array, truth[0].array)


def test_a_label_without_image_and_an_image_without_label_are_left_out(own: Path) -> None:
    (own / "imagesTr" / "case_001_0000.nii.gz").unlink()
    (own / "labelsTr" / "case_004.nii.gz").unlink()
    dataset = open_dataset(own)
    assert [case.id for case in dataset.cases] == ["case_000", "case_002", "case_003", "case_005"]
    assert [(one.code, one.instances) for one in dataset.reasons] == [
        ("IMAGE_MISSING", ("case_001",)),
        ("LABEL_MISSING", ("case_004",)),
    ]


def test_bare_folders_have_one_channel_and_labels_found_in_the_files(own: Path) -> None:
    (own / "imagesTr").rename(own / "images")
    (own / "labelsTr").rename(own / "labels")
    for path in (own / "images").iterdir():
        path.rename(path.with_name(path.name.replace("_0000", "")))
    for path in (own / "labels").iterdir():  # without the names that our own files hold
        labels = formats.load_segmentation(path)
        formats.save(Volume(labels.array, labels.grid), path)
    (own / "dataset.json").unlink()
    dataset = open_dataset(own)
    assert (len(dataset.cases), dataset.channels) == (6, ("image",))
    assert dict(dataset.labels) == {"label_1": 1, "label_2": 2}
    assert codes_of(dataset) == ["LABELS_UNNAMED"]


def test_names_of_segments_in_the_files_are_taken_where_no_table_is(own: Path) -> None:
    (own / "dataset.json").unlink()
    dataset = open_dataset(own)
    assert dict(dataset.labels) == {"organ": 1, "lesion": 2}
    assert (len(dataset.cases), codes_of(dataset)) == (6, [])


def test_numbers_in_names_are_no_channels_where_nothing_says_so(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for number in range(3):
        formats.save(labelled_case(number)[0], tmp_path / "images" / f"IM_{number:04}.nii.gz")
    assert [case.id for case in open_dataset(tmp_path).cases] == ["IM_0000", "IM_0001", "IM_0002"]


def test_a_missing_channel_costs_its_case_alone(own: Path) -> None:
    rewrite(own, channel_names={"0": "T1", "1": "T2"})
    for path in sorted((own / "imagesTr").iterdir())[:5]:
        shutil.copy(path, path.with_name(path.name.replace("_0000", "_0001")))
    (own / "imagesTr" / "case_000_0000.nii.gz").unlink()
    dataset = open_dataset(own)
    assert [case.id for case in dataset.cases] == ["case_001", "case_002", "case_003", "case_004"]
    assert [(one.code, one.instances) for one in dataset.reasons] == [
        ("IMAGE_MISSING", ("case_000",)),
        ("IMAGE_MISSING", ("case_005",)),
    ]
    assert len(load_case(dataset.cases[0], dataset).images) == 2


def test_decathlon_names_its_files_and_a_name_twice_is_one_case(own: Path) -> None:
    for path in list((own / "imagesTr").iterdir()):
        path.rename(path.with_name(path.name.replace("_0000", "")))
    row = {"image": "./imagesTr/case_000.nii.gz", "label": "./labelsTr/case_000.nii.gz"}
    values = {"modality": {"0": "MRI"}, "labels": {"0": "background", "1": "organ", "2": "lesion"}}
    (own / "dataset.json").write_text(json.dumps({**values, "training": [row, row], "license": "CC-BY-SA 4.0"}))
    dataset = open_dataset(own)
    assert ([case.id for case in dataset.cases], dataset.channels) == (["case_000"], ("MRI",))
    assert dataset.licence == "CC-BY-SA 4.0"
    assert set(codes_of(dataset)) == {"CASE_TWICE"}
    assert load_case(dataset.cases[0], dataset).segmentation.names == ("organ", "lesion")


def test_channels_in_one_file_are_parted(own: Path) -> None:
    rewrite(own, channel_names={"0": "T1", "1": "T2"})
    image = labelled_case(0)[0]
    both = Volume(np.stack([image.array, -image.array], axis=-1), image.grid, axes=("time",))
    for path in (own / "imagesTr").iterdir():
        path.unlink()
    formats.save(both, own / "imagesTr" / "case_000.nii.gz")
    dataset = open_dataset(own)
    loaded = load_case(dataset.case("case_000"), dataset)
    assert [np.array_equal(one.array, sign * image.array) for one, sign in zip(loaded.images, (1, -1), strict=True)]
    assert np.array_equal(loaded.images[1].array, -image.array)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": {"background": 0, "whole": [1, 2]}}, "no single whole number"),
        ({"labels": {"a": 1, "b": 1}}, "two labels"),
        ({"labels": {"a": -1}}, "two labels one name or one number, or one beyond 0 to 65535"),
        ({"labels": {"a": 1, "b": 10**12}}, "beyond 0 to 65535"),
        ({"labels": {"a": 1.5}}, "no single whole number"),
        ({"labels": {"a": float("inf")}}, "no single whole number"),
        ({"labels": {"a": 1, "ignore": 2}}, "ignore"),
        ({"channel_names": {"first": "CT"}}, "number its channels"),
        ({"training": [{"label": "x"}]}, "does not name an image"),
    ],
)
def test_a_table_that_cannot_be_learned_by_is_told(own: Path, changes: dict[str, object], message: str) -> None:
    rewrite(own, **changes)
    with pytest.raises(InputError, match=message):
        open_dataset(own)


def test_a_damaged_table_is_told(own: Path) -> None:
    (own / "dataset.json").write_text("{")
    with pytest.raises(InputError, match="no JSON"):
        open_dataset(own)


# --- CSV -------------------------------------------------------------------------------------------------------------


def test_a_sheet_gives_attributes_categories_and_what_lacks(written: Path, tmp_path: Path) -> None:
    rows = [
        "case,image,label,category,sex,patient",
        *(
            f"c{n},{written}/imagesTr/case_00{n}_0000.nii.gz,{written}/labelsTr/case_00{n}.nii.gz,x,F,p{n}"
            for n in "012"
        ),
        f"c0,{written}/imagesTr/case_003_0000.nii.gz,{written}/labelsTr/case_003.nii.gz,x,M,p3",
        f"c4,,{written}/labelsTr/case_004.nii.gz,y,,p4",
        f"c5,{written}/imagesTr/case_005_0000.nii.gz,,y,M,p5",
    ]
    path = tmp_path / "set.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    dataset = open_dataset(path)
    assert [case.id for case in dataset.cases] == ["c0", "c1", "c2"]
    assert dict(dataset.cases[0].attributes) == {"sex": "F", "patient": "p0"}
    assert (dataset.categories, dict(dataset.labels)) == (("x",), {"organ": 1, "lesion": 2})
    assert codes_of(dataset) == ["IMAGE_MISSING", "LABEL_MISSING", "CASE_TWICE"]
    assert load_case(dataset.cases[1], dataset).category == "x"


@pytest.mark.parametrize("text", ["name,image\na,b\n", "case,image,image\na,b,c\n", "case,image\na,b,c\n", "\0\xff"])
def test_no_sheet_of_cases_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "set.csv").write_text(text, encoding="latin-1")
    with pytest.raises(InputError):
        open_dataset(tmp_path / "set.csv")


# --- BIDS ------------------------------------------------------------------------------------------------------------


def test_bids_gives_subjects_sessions_and_participants(written: Path, tmp_path: Path) -> None:
    for n, name in enumerate(("sub-01/ses-1", "sub-01/ses-2", "sub-02")):
        stem = name.replace("/", "_")
        for folder, suffix, source in (
            (tmp_path / name / "anat", "T1w", written / "imagesTr" / f"case_00{n}_0000.nii.gz"),
            (tmp_path / "derivatives" / "manual" / name / "anat", "dseg", written / "labelsTr" / f"case_00{n}.nii.gz"),
        ):
            folder.mkdir(parents=True)
            shutil.copy(source, folder / f"{stem}_{suffix}.nii.gz")
    (tmp_path / "participants.tsv").write_text("participant_id\tage\tsex\nsub-01\t61\tF\nsub-02\tn/a\tM\n")
    (tmp_path / "dataset_description.json").write_text('{"Name": "three", "License": "CC0"}')
    dataset = open_dataset(tmp_path)
    assert [case.id for case in dataset.cases] == ["sub-01_ses-1", "sub-01_ses-2", "sub-02"]
    assert (dataset.name, dataset.licence, dataset.channels) == ("three", "CC0", ("T1w",))
    assert dict(dataset.cases[0].attributes) == {"patient": "sub-01", "age": "61", "sex": "F"}
    assert dict(dataset.cases[2].attributes) == {"patient": "sub-02", "sex": "M"}
    assert load_case(dataset.cases[2], dataset).segmentation.mask("lesion").any()


def test_two_images_of_one_suffix_are_not_chosen_from(written: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sub-01" / "anat"
    folder.mkdir(parents=True)
    for run in (1, 2):
        shutil.copy(written / "imagesTr" / "case_000_0000.nii.gz", folder / f"sub-01_run-{run}_T1w.nii.gz")
    with pytest.raises(InputError, match="two images with the suffix T1w"):
        open_dataset(tmp_path)


def test_two_label_files_of_a_case_are_not_chosen_from(written: Path, tmp_path: Path) -> None:
    for name, source in (
        ("sub-01/anat/sub-01_T1w", "imagesTr/case_000_0000"),
        ("derivatives/a/sub-01/sub-01_mask", "labelsTr/case_000"),
        ("derivatives/b/sub-01/sub-01_mask", "labelsTr/case_000"),
    ):
        path = tmp_path / f"{name}.nii.gz"
        path.parent.mkdir(parents=True)
        shutil.copy(written / f"{source}.nii.gz", path)
    with pytest.raises(InputError, match="several label files"):
        open_dataset(tmp_path)


# --- pictures --------------------------------------------------------------------------------------------------------


def pictures(folder: Path) -> Path:
    for name, value in (("dark", 20), ("light", 200)):
        (folder / name).mkdir(parents=True)
        for number in range(3):
            array = np.random.default_rng(number + value).integers(value, value + 30, (1, 8, 9)).astype(np.uint8)
            formats.save(Volume(array, Grid((1, 8, 9), np.eye(4))), folder / name / f"{number}.tif")
    return folder


def test_folders_of_pictures_are_categories_and_a_zip_of_them_too(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "set")
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for path in folder.rglob("*.tif"):
            zipped.write(path, path.relative_to(folder).as_posix())
        zipped.writestr("__MACOSX/dark/._0.tif", b"")
    one, other = open_dataset(folder), open_dataset(archive)
    assert one.categories == other.categories == ("dark", "light")
    assert [case.id for case in one.cases] == [case.id for case in other.cases]
    assert one.cases[0].id == "dark/0.tif"
    for a, b in zip(one.cases, other.cases, strict=True):
        assert np.array_equal(load_case(a, one).images[0].array, load_case(b, other).images[0].array)


def test_folders_of_volumes_are_patients_and_no_categories(written: Path, tmp_path: Path) -> None:
    for name in ("patient_1", "patient_2"):
        (tmp_path / name).mkdir()
        shutil.copy(written / "imagesTr" / "case_000_0000.nii.gz", tmp_path / name / "t1.nii.gz")
    with pytest.raises(UsageError, match="is no data set"):
        open_dataset(tmp_path)


# --- DICOM -----------------------------------------------------------------------------------------------------------


def study(folder: Path, *, seed: str, with_seg: int = 1) -> Grid:
    """A CT series, and Segmentations of it that refer to it."""
    grid = Grid.from_vectors((5, 12, 14), spacing_mm=(3, 1, 1), frame_of_reference_uid=f"1.2.{len(seed)}")
    style = Style(seed=seed)
    values = np.random.default_rng(len(seed)).integers(-100, 200, grid.shape)
    write_series(values, grid, folder / "ct", style=style)
    headers = [slice_data_set(values[k], grid, k, style=style) for k in range(grid.shape[0])]
    for number in range(with_seg):
        mask = np.zeros(grid.shape, np.uint8)
        mask[1:4, 2 : 6 + number, 3:7] = 1
        found = Segmentation((mask,), grid, (Segment.named(("liver", "spleen")[number]),), Algorithm("hand", "1"))
        made = seg.make(found, headers, Making(datetime(2026, 1, 1, tzinfo=UTC), (seed, str(number))))
        (folder / "seg").mkdir(exist_ok=True)
        save(made, folder / "seg" / f"{number}.dcm")
    return grid


def test_dicom_series_are_paired_with_the_segmentations_that_name_them(tmp_path: Path) -> None:
    study(tmp_path / "a", seed="a", with_seg=1)
    study(tmp_path / "b", seed="bb", with_seg=2)
    study(tmp_path / "c", seed="ccc", with_seg=0)
    dataset = open_dataset(tmp_path)
    assert (len(dataset.cases), dataset.channels, dict(dataset.labels)) == (2, ("CT",), {"liver": 1, "spleen": 2})
    found = sorted((load_case(case, dataset) for case in dataset.cases), key=lambda one: one.reasons != ())
    by_count = {int((one.segmentation.array > 0).sum()): one for one in found}
    assert set(by_count) == {3 * 4 * 4, 3 * 5 * 4}
    both = by_count[60]
    assert "LABELS_OVERLAP" in {one.code for one in both.reasons}
    assert both.segmentation.mask("spleen").sum() == 60  # the later has what both claim
    assert all(case.attributes["patient"] for case in dataset.cases)


def test_a_segmentation_of_no_series_is_said(tmp_path: Path) -> None:
    study(tmp_path / "a", seed="a", with_seg=1)
    study(tmp_path / "b", seed="bb", with_seg=1)
    shutil.rmtree(tmp_path / "b" / "ct")
    dataset = open_dataset(tmp_path)
    assert (len(dataset.cases), codes_of(dataset)) == (1, ["SERIES_LEFT_OUT"])


# --- nothing of it ---------------------------------------------------------------------------------------------------


def test_what_is_no_data_set_is_told_with_what_would_be_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no data set"):
        open_dataset(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="imagesTr"):
        open_dataset(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(UsageError, match="has no case"):
        open_dataset(tmp_path)
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(UsageError, match="is no data set"):
        open_dataset(tmp_path / "x.txt")
