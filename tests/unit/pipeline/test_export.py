import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from isocenter import codes, formats
from isocenter.errors import InputError, TryLater, UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.ops.resample import onto
from isocenter.pipeline import export as exporting
from isocenter.pipeline.export import ExportSettings, export, exported
from isocenter.pipeline.exporting import keeping
from isocenter.testing.dicom import Style, write_series
from isocenter.volume import Volume

SHAPE = (6, 8, 10)


def ct(seed=0, shape=(5, 9, 7), spacing=(3, 2, 2)):
    rng = np.random.default_rng(seed)
    grid = Grid.from_vectors(shape, spacing_mm=spacing, origin_mm=(seed, -2, 5))
    return Volume(rng.integers(-1000, 400, shape).astype(np.int16), grid, codes.HU, modality="CT")


def labels(volume):
    return Segmentation.of((volume.array > 100).astype(np.uint8), volume, [Segment.named("dense")], Algorithm("a", "1"))


@pytest.fixture
def cohort(tmp_path):
    """Three NIfTI files with masks, in natural order, and a DICOM study beside them."""
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for number, shape in ((1, (5, 9, 7)), (2, (8, 8, 12)), (10, (4, 4, 4))):
        volume = ct(number, shape)
        formats.save(volume, tmp_path / "images" / f"case_{number}_0000.nii.gz")
        formats.save(labels(volume), tmp_path / "masks" / f"case_{number}.nii.gz")
    return tmp_path / "images"


@pytest.mark.parametrize("kind", ["npy", "zarr", "npz"])
def test_cases_of_unlike_shapes_come_into_one_array_in_natural_order(cohort, tmp_path, kind):
    if kind == "zarr":
        pytest.importorskip("zarr")
    made = export(cohort, tmp_path / "out", settings=ExportSettings(shape=SHAPE, format=kind, dtype="int16"))
    assert made.column("case") == ["case_1_0000", "case_2_0000", "case_10_0000"]
    assert made.column("index") == [0, 1, 2]
    for row in made.usable:
        image = made.image(row["case"])
        source = formats.load(cohort / f"{row['case']}.nii.gz")
        expected = onto(source, Grid.from_dict(row["grid"]))
        np.testing.assert_array_equal(image.array, expected.array)
        assert (image.unit, image.grid, image.array.dtype) == (codes.HU, expected.grid, np.int16)
        if kind != "npz":
            np.testing.assert_array_equal(made.images[row["index"]], expected.array)
    if kind != "npz":
        assert made.images.shape == (3, *SHAPE)
    again = exported(tmp_path / "out")
    assert (again.rows, again.settings) == (made.rows, made.settings)
    assert not (tmp_path / "out" / "parts").exists()


def test_the_way_back_is_exact_where_spacing_is_kept(cohort, tmp_path):
    settings = ExportSettings(shape=(12, 12, 12), format="npy", dtype="int16")
    made = export(cohort, tmp_path / "out", settings=settings, masks=cohort.parent / "masks")
    for name in made.column("case"):
        source = formats.load(cohort / f"{name}.nii.gz")
        mask = labels(source)
        np.testing.assert_array_equal(made.mask(name).grid.spacing_mm, source.spacing_mm)
        back = made.back(name, made.mask(name).array)
        np.testing.assert_array_equal(back.array, mask.array)
        assert back.grid.coincides(source.grid)
        assert back.names == ("dense",)
        np.testing.assert_array_equal(onto(made.image(name), source.grid).array, source.array)


def test_spacing_stretch_window_and_type_do_what_they_say(cohort, tmp_path):
    choices = {
        "spacing": ExportSettings(shape=SHAPE, spacing_mm=(4, 4, 4), format="npy"),
        "stretch": ExportSettings(shape=SHAPE, fit="stretch", format="npy"),
        "window": ExportSettings(shape=SHAPE, window="lung", format="npy"),
        "grey": ExportSettings(shape=SHAPE, window="lung", dtype="uint8", format="npy"),
    }
    made = {name: export(cohort, tmp_path / name, settings=chosen) for name, chosen in choices.items()}
    assert made["spacing"].column("spacing_mm") == [pytest.approx([4, 4, 4])] * 3
    for row in made["stretch"].usable:
        lengths = np.multiply(row["spacing_mm"], row["shape"])
        np.testing.assert_allclose(lengths, np.multiply(row["spacing_before_mm"], row["shape_before"]))
    assert made["window"].images.dtype == np.float32
    assert made["window"].images.max() == 1
    assert made["window"].images.min() == pytest.approx((-1024 + 600.5) / 1499 + 0.5)  # air, in the lung window
    assert made["window"].usable[0]["unit"]["value"] == "1"
    assert made["grey"].images.dtype == np.uint8
    np.testing.assert_allclose(made["grey"].images[0] / 255, made["window"].images[0], atol=0.5 / 255 + 1e-6)


def test_a_case_is_centered_on_its_mask(tmp_path):
    grid = Grid.from_vectors((20, 20, 20))
    array = np.zeros(grid.shape, np.int16)
    array[2:4, 15:18, 9] = 7
    volume = Volume(array, grid, codes.ONE, modality="MR")
    (tmp_path / "in").mkdir()
    formats.save(volume, tmp_path / "in" / "a.nii.gz")
    formats.save(Segmentation.of(array > 0, volume, [Segment.named("x")], Algorithm("a", "1")), tmp_path / "a.nii.gz")
    settings = ExportSettings(shape=(6, 7, 5), center="mask", outside=-3, dtype="int16", format="npy")
    made = export(tmp_path / "in", tmp_path / "out", settings=settings, masks=tmp_path)
    assert np.argwhere(made.masks[0]).mean(axis=0).tolist() == pytest.approx([2.5, 3, 2], abs=0.5)
    assert int(made.masks[0].sum()) == 6
    np.testing.assert_array_equal(made.images[0] == 7, made.masks[0] == 1)


def test_a_bad_case_costs_no_other_and_says_why(cohort, tmp_path):
    (cohort / "case_3.nii.gz").write_bytes(b"damaged")
    film = Volume(np.zeros((2, 3, 4, 5), np.int16), Grid.from_vectors((2, 3, 4)), axes=("time",))
    formats.save(film, cohort / "film.nii")
    formats.save(ct().with_array(ct().array / np.float32(3)), cohort / "thirds.mha")
    formats.save(Volume(ct().array, ct().grid, codes.ONE, modality="MR"), cohort / "mr.npz")
    write_series(ct(7).array[:4], ct(7).grid.crop((0, 0, 0), (4, 9, 7)), cohort / "study")
    next(iter((cohort / "study").iterdir())).write_bytes(b"")
    settings = ExportSettings(shape=SHAPE, dtype="int16", format="npy")
    made = export(cohort, tmp_path / "out", settings=settings)
    assert len(made.usable) + len(made.failed) == len(made.rows) == 8
    why = {row["case"]: [reason["code"] for reason in row["reasons"]] for row in made.failed}
    assert {name: codes_[-1] for name, codes_ in why.items()} == {
        "case_3": "INPUT_DAMAGED",
        "film": "CASE_UNFIT",
        "thirds": "CASE_UNFIT",
        "mr": "CASE_UNFIT",
    }
    assert made.images.shape[0] == len(made.usable) == 4
    with pytest.raises(UsageError, match="INPUT_DAMAGED"):
        made.image("case_3")


def test_a_study_of_dicom_is_one_case_and_a_held_one_none(tmp_path):
    volume = ct(3, (9, 8, 7))
    write_series(volume.array, volume.grid, tmp_path / "in" / "good", style=Style(seed="good"))
    write_series(volume.array, volume.grid, tmp_path / "in" / "gap", style=Style(seed="gap"))
    sorted((tmp_path / "in" / "gap").iterdir())[4].unlink()
    made = export(tmp_path / "in", tmp_path / "out", settings=ExportSettings(shape=(9, 8, 7), format="npy"))
    (good,), (held,) = made.usable, made.failed
    assert (held["verdict"], held["reasons"][-1]["code"]) == ("held", "SLICE_GAP")
    assert good["study_uid"]
    assert good["series_uid"]
    np.testing.assert_array_equal(onto(made.image(good["case"]), volume.grid).array, volume.array)


def test_a_csv_names_cases_masks_and_what_is_to_be_learned(cohort, tmp_path):
    rows = [
        {"case": "b", "path": "images/case_2_0000.nii.gz", "mask": "masks/case_2.nii.gz", "outcome": "1"},
        {"case": "a", "path": "images/case_1_0000.nii.gz", "mask": "masks/case_1.nii.gz", "outcome": "0"},
    ]
    with (cohort.parent / "cases.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    settings = ExportSettings(shape=SHAPE, format="npy")
    made = export(cohort.parent / "cases.csv", tmp_path / "out", settings=settings)
    assert (made.column("case"), made.column("outcome")) == (["b", "a"], ["1", "0"])
    assert made.masks.shape == (2, *SHAPE)
    with (tmp_path / "out" / "manifest.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [row["outcome"] for row in table] == ["1", "0"]
    assert json.loads(table[0]["source_grid"]) == made.rows[0]["source_grid"]
    with pytest.raises(UsageError, match="column"):
        made.column("absent")


def test_a_case_without_a_mask_among_others_with_one_fails(cohort, tmp_path):
    (cohort.parent / "masks" / "case_2.nii.gz").unlink()
    settings = ExportSettings(shape=SHAPE, format="npy")
    made = export(cohort, tmp_path / "out", settings=settings, masks=cohort.parent / "masks")
    assert [row["case"] for row in made.failed] == ["case_2_0000"]
    assert made.masks.shape[0] == 2


def test_units_and_labels_are_never_mixed_in_one_array(tmp_path):
    folder, masks = tmp_path / "in", tmp_path / "masks"
    folder.mkdir()
    masks.mkdir()
    for name, unit, label, title in (
        ("a", codes.HU, 1, "dense"),
        ("b", codes.ONE, 1, "dense"),
        ("c", codes.HU, 1, "x"),
    ):
        volume = ct(1)
        formats.save(Volume(volume.array, volume.grid, unit, modality="CT"), folder / f"{name}.nii")
        found = Segmentation.of(
            (volume.array > 100).astype(np.uint8) * label, volume, [Segment.named(title, label)], Algorithm("a", "1")
        )
        formats.save(found, masks / f"{name}.nii")
    settings = ExportSettings(shape=(5, 9, 7), format="npy")
    made = export(folder, tmp_path / "out", settings=settings, masks=masks)
    assert made.column("case") == ["a"]
    assert [row["reasons"][-1]["code"] for row in made.failed] == ["CASE_UNFIT"] * 2
    assert "label 1 is x" in made.failed[1]["reasons"][-1]["message"]
    apart = export(folder, tmp_path / "npz", settings=ExportSettings(format="npz"), masks=masks)
    assert len(apart.usable) == 3
    assert apart.mask("c").names == ("x",)


def test_one_name_has_one_label_in_all_cases(tmp_path):
    (tmp_path / "masks").mkdir()
    for number, label in enumerate((2, 7)):
        volume = ct(number)
        mask = (volume.array > 100).astype(np.uint8) * np.uint8(label)
        told = Segmentation.of(mask, volume, [Segment.named("dense", label)], Algorithm("a", "1"))
        formats.save(volume, tmp_path / f"case_{number}.nii")
        formats.save(told, tmp_path / "masks" / f"case_{number}.nii")
    paths = [tmp_path / "case_0.nii", tmp_path / "case_1.nii"]
    settings = ExportSettings(shape=SHAPE, format="npy")
    made = export(paths, tmp_path / "out", settings=settings, masks=tmp_path / "masks")
    assert [row["index"] for row in made.rows] == [0, None]
    assert "Its dense is the label 7" in made.failed[0]["reasons"][-1]["message"]


def test_labels_that_lie_elsewhere_than_their_image_are_told_of(tmp_path):
    volume = ct()
    moved = Volume(volume.array, Grid.from_vectors(volume.grid.shape, spacing_mm=(3, 2, 2), origin_mm=(4, 1, 5)))
    for name, mask in (("same", labels(volume)), ("moved", labels(moved)), ("other", labels(ct(0, (5, 9, 8))))):
        (tmp_path / name).mkdir()
        formats.save(volume, tmp_path / name / "case.nii")
        formats.save(mask, tmp_path / name / "mask.nii")
    table = tmp_path / "cases.csv"
    names = ("same", "moved", "other")
    table.write_text("\n".join(["case,path,mask", *(f"{n},{n}/case.nii,{n}/mask.nii" for n in names)]))
    made = export(table, tmp_path / "out", settings=ExportSettings(shape=SHAPE, format="npy"))
    told = {
        row["case"]: [each["message"] for each in row["reasons"] if each["code"] == "MASK_ON_OTHER_GRID"]
        for row in made.rows
    }
    assert not told["same"]
    assert "5 mm apart" in told["moved"][0]
    assert len(told["other"]) == 1


def test_the_same_cases_give_the_same_bytes(cohort, tmp_path):
    for name in ("a", "b"):
        export(cohort, tmp_path / name, settings=ExportSettings(shape=SHAPE, format="npy"))
    for file in ("images.npy", "manifest.csv", "manifest.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_an_export_goes_on_where_it_was_stopped(cohort, tmp_path, monkeypatch):
    settings = ExportSettings(shape=SHAPE, format="npy")
    whole = export(cohort, tmp_path / "whole", settings=settings)
    read, count = exporting.shaped, []

    def full_at_the_third(*arguments):
        count.append(1)
        if len(count) == 3:
            raise TryLater("The disk is full.")
        return read(*arguments)

    monkeypatch.setattr(exporting, "shaped", full_at_the_third)
    with pytest.raises(TryLater):
        export(cohort, tmp_path / "out", settings=settings)
    with pytest.raises(UsageError, match="no export that is done"):
        exported(tmp_path / "out")
    count.clear()
    made = export(cohort, tmp_path / "out", settings=settings)
    assert len(count) == 1
    assert made.rows == whole.rows
    assert (tmp_path / "out" / "images.npy").read_bytes() == (tmp_path / "whole" / "images.npy").read_bytes()
    count.clear()
    export(cohort, tmp_path / "out", settings=settings)
    assert count == []


KILLED = """
import sys, time
from isocenter.pipeline import export as module
from isocenter.pipeline.export import ExportSettings, export
shaped = module.shaped
def slowly(*arguments):
    time.sleep(0.3)
    return shaped(*arguments)
module.shaped = slowly
export(sys.argv[1], sys.argv[2], settings=ExportSettings(shape=(6, 8, 10), format="npy"))
"""


def test_a_killed_export_goes_on_and_ends_with_the_same_bytes(cohort, tmp_path):
    for number in range(20, 26):
        formats.save(ct(number), cohort / f"more_{number}.nii")
    settings, out = ExportSettings(shape=SHAPE, format="npy"), tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(cohort), str(out)])
    deadline = time.monotonic() + 60
    while len(list(out.glob("parts/*/row.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = {path.parent.name: path.stat().st_mtime_ns for path in out.glob("parts/*/row.json")}
    assert 3 <= len(done) < 9
    kept = []
    made = export(cohort, out, settings=settings, observer=kept.append)
    assert len(made.usable) == 9
    whole = export(cohort, tmp_path / "whole", settings=settings)
    assert made.rows == whole.rows
    assert (out / "images.npy").read_bytes() == (tmp_path / "whole" / "images.npy").read_bytes()
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in (tmp_path / "whole").iterdir())


def test_changed_input_is_done_anew(cohort, tmp_path):
    settings = ExportSettings(shape=SHAPE, format="npy")
    first = export(cohort, tmp_path / "out", settings=settings)
    formats.save(ct(99), cohort / "case_2_0000.nii.gz")
    second = export(cohort, tmp_path / "out", settings=settings)
    assert [a["image_sha256"] == b["image_sha256"] for a, b in zip(first.rows, second.rows, strict=True)] == [
        True,
        False,
        True,
    ]


def test_folders_of_others_are_left_alone(cohort, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="other things"):
        export(cohort, tmp_path / "mine", settings=ExportSettings(shape=SHAPE, format="npy"))
    export(cohort, tmp_path / "out", settings=ExportSettings(shape=SHAPE, format="npy"))
    with pytest.raises(UsageError, match="other settings"):
        export(cohort, tmp_path / "out", settings=ExportSettings(shape=(3, 3, 3), format="npy"))


def test_a_damaged_export_is_told(cohort, tmp_path):
    export(cohort, tmp_path / "out", settings=ExportSettings(shape=SHAPE, format="npy"))
    (tmp_path / "out" / "images.npy").write_bytes(b"none")
    with pytest.raises(InputError, match="damaged"):
        _ = exported(tmp_path / "out").images
    again = export(cohort, tmp_path / "out", settings=ExportSettings(shape=SHAPE, format="npy"))
    assert again.images.shape == (3, *SHAPE)
    (tmp_path / "out" / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match="damaged"):
        exported(tmp_path / "out")


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"shape": (0, 1, 1)},
        {"shape": (1, 1)},
        {"spacing_mm": (1, 1, 1)},
        {"shape": SHAPE, "spacing_mm": (1, -1, 1)},
        {"shape": SHAPE, "fit": "stretch", "spacing_mm": (1, 1, 1)},
        {"fit": "stretch", "format": "npz"},
        {"shape": SHAPE, "fit": "squeeze"},
        {"shape": SHAPE, "dtype": "complex64"},
        {"shape": SHAPE, "window": "moon"},
        {"shape": SHAPE, "segment": "soul"},
    ],
)
def test_settings_that_make_no_sense_are_wrong_use(wrong):
    with pytest.raises(UsageError):
        ExportSettings(**wrong)


def test_paths_without_images_are_wrong_use(cohort, tmp_path):
    settings = ExportSettings(shape=SHAPE, format="npy")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.csv").write_text("file\nx\n")
    (tmp_path / "gone.csv").write_text("path\nx.nii\n")
    for wrong in (tmp_path / "empty", tmp_path / "absent", tmp_path / "bad.csv", tmp_path / "gone.csv"):
        with pytest.raises(UsageError):
            export(wrong, tmp_path / "out", settings=settings)
    with pytest.raises(UsageError, match="twice"):
        export([cohort, cohort], tmp_path / "out", settings=settings)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("values", "dtype", "fits"),
    [
        ([-5, 300], "int16", True),
        ([-5, 300], "uint8", False),
        ([0, 255], "uint8", True),
        ([0.5, 1], "int16", False),
        ([np.nan, 1], "int16", False),
        ([np.nan, 1], "float16", True),
        ([0, 70000.0], "float16", False),
        ([0, 3000], "float16", False),
        ([0, 2**25], "float32", False),
    ],
)
def test_a_type_takes_only_what_it_holds(tmp_path, values, dtype, fits):
    array = np.array(values).reshape(1, 1, 2)
    array = array.astype(np.float32 if array.dtype.kind == "f" else np.int32)
    formats.save(Volume(array, Grid.from_vectors((1, 1, 2)), codes.ONE, modality="MR"), tmp_path / "a.npz")
    made = export(
        tmp_path / "a.npz", tmp_path / "out", settings=ExportSettings(shape=(1, 1, 2), dtype=dtype, format="npy")
    )
    assert len(made.usable) == fits
    if fits:
        np.testing.assert_array_equal(made.images[0], array)


def test_what_was_kept_of_a_case_is_known_by_its_key(tmp_path):
    (tmp_path / "parts" / "a").mkdir(parents=True)
    assert keeping.kept(tmp_path, "a", "k") is None
    keeping.keep(tmp_path, "a", {"key": "k"}, None)
    assert keeping.kept(tmp_path, "a", "k") == {"key": "k"}
    assert keeping.kept(tmp_path, "a", "other") is None
    (Path(tmp_path) / "parts" / "a" / "row.json").write_text("{")
    assert keeping.kept(tmp_path, "a", "k") is None
