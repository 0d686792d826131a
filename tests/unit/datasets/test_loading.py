"""A case is loaded as it is, or refused with the reason; nothing in between."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isocenter import formats
from isocenter.datasets import Case, Dataset, Loaded, load_case, open_dataset
from isocenter.errors import Refused
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.volume import Volume

GRID = Grid.from_vectors((6, 8, 9), spacing_mm=(3, 1, 1))
LABELS = {"organ": 1, "lesion": 4}


def image(grid: Grid = GRID, dtype: str = "f4") -> Volume:
    return Volume(np.random.default_rng(0).normal(100, 20, grid.shape).astype(dtype), grid)


def labels(*values: float, grid: Grid = GRID, dtype: str = "u1") -> Volume:
    array = np.zeros(grid.shape, dtype)
    for number, value in enumerate(values):
        array[1 + number, 2:4, 2:5] = value
    return Volume(array, grid)


def load(folder: Path, one: Volume, label: Volume | Segmentation | None = None, ending: str = "nii.gz") -> Loaded:
    formats.save(one, folder / "image.nii.gz")
    path = None
    if label is not None:
        path = folder / f"label.{ending}"
        formats.save(label, path)
    case = Case("c", (folder / "image.nii.gz",), path)
    return load_case(case, Dataset("d", (case,), ("MR",), LABELS))


def refused(folder: Path, *args: object, **options: object) -> str:
    with pytest.raises(Refused) as error:
        load(folder, *args, **options)
    (reason,) = error.value.reasons
    assert reason.instances == ("c",)
    return reason.code


def test_labels_are_numbered_in_the_order_of_the_data_set(tmp_path: Path) -> None:
    found = load(tmp_path, image(), labels(4, 1)).segmentation
    assert found.names == ("organ", "lesion")
    assert found.array[1, 2, 2] == 2
    assert found.array[2, 2, 2] == 1
    assert found.volume_ml("lesion") == pytest.approx(6 * 3 / 1000)


def test_whole_numbers_in_a_float_file_are_labels(tmp_path: Path) -> None:
    found = load(tmp_path, image(), labels(4.0, 1.0, dtype="f4")).segmentation
    assert found.array.dtype == np.uint8
    assert found.mask("lesion").sum() == 6


@pytest.mark.parametrize("values", [(0.5, 1), (-1, 1), (np.nan, 1), (70000, 1)])
def test_values_that_are_no_labels_are_refused(tmp_path: Path, values: tuple[float, float]) -> None:
    assert refused(tmp_path, image(), labels(*values, dtype="f4")) == "LABEL_NOT_WHOLE"


def test_numbers_too_large_for_a_label_do_not_come_round(tmp_path: Path) -> None:
    array = np.zeros(GRID.shape, np.int32)
    array[1, 2, 3] = 2**16 + 1
    segments = (Segment.named("organ", 2**16 + 1),)
    large = Segmentation((array,), GRID, segments, Algorithm("hand", "1"))
    assert refused(tmp_path, image(), large, "npz") == "LABEL_NOT_WHOLE"


def test_a_label_that_nothing_lists_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, image(), labels(1, 2)) == "LABEL_UNKNOWN"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_image_with_values_that_are_no_numbers_is_refused(tmp_path: Path, value: float) -> None:
    array = image().array.copy()
    array[5, 7, 8] = value
    assert refused(tmp_path, Volume(array, GRID), labels(1)) == "NOT_A_NUMBER"


@pytest.mark.parametrize(
    "grid",
    [
        GRID.window((0, 0, 1), GRID.shape),
        GRID.flip(2),
        Grid.from_vectors(GRID.shape, spacing_mm=(3, 1, 1.02)),
        Grid.from_vectors((6, 8, 8), spacing_mm=(3, 1, 1)),
    ],
)
def test_labels_on_another_grid_are_refused(tmp_path: Path, grid: Grid) -> None:
    assert refused(tmp_path, image(), labels(1, grid=grid)) == "LABEL_ELSEWHERE"


def test_rounded_headers_are_overlooked_and_said(tmp_path: Path) -> None:
    grid = Grid.from_vectors(GRID.shape, spacing_mm=(3, 1, 1), origin_mm=(0.02, 0, 0))
    found = load(tmp_path, image(), labels(1, grid=grid))
    assert "HEADERS_ROUNDED" in {one.code for one in found.reasons}
    assert found.segmentation.grid == found.images[0].grid


def test_an_empty_label_is_kept_and_said(tmp_path: Path) -> None:
    found = load(tmp_path, image(), labels())
    assert "LABEL_EMPTY" in {one.code for one in found.reasons}
    assert not found.segmentation.array.any()


def test_a_file_that_names_its_labels_otherwise_is_refused(tmp_path: Path) -> None:
    segments = (Segment.named("lesion", 1), Segment.named("organ", 4))
    other = Segmentation((labels(1, 4).array,), GRID, segments, Algorithm("hand", "1"))
    assert refused(tmp_path, image(), other) == "LABEL_NAMED_OTHERWISE"


def test_overlapping_segments_are_taken_by_name_and_the_later_lies_above(tmp_path: Path) -> None:
    layers = labels(1).array, labels(1).array
    segments = (Segment.named("lesion", 1), Segment.named("organ", 1, layer=1))
    found = load(tmp_path, image(), Segmentation(layers, GRID, segments, Algorithm("hand", "1")), "npz")
    assert "LABELS_OVERLAP" in {one.code for one in found.reasons}
    assert (found.segmentation.mask("lesion").sum(), found.segmentation.mask("organ").sum()) == (6, 0)
    strange = (Segment.named("lesion", 1), Segment.named("bone", 1, layer=1))
    assert (
        refused(tmp_path, image(), Segmentation(layers, GRID, strange, Algorithm("h", "1")), "npz") == "LABEL_UNKNOWN"
    )


@pytest.mark.parametrize("spoiled", ["image.nii.gz", "label.nii.gz"])
def test_a_file_cut_short_is_refused(tmp_path: Path, spoiled: str) -> None:
    load(tmp_path, image(), labels(1))
    path = tmp_path / spoiled
    path.write_bytes(path.read_bytes()[:-40])
    case = Case("c", (tmp_path / "image.nii.gz",), tmp_path / "label.nii.gz")
    with pytest.raises(Refused, match="CASE_DAMAGED"):
        load_case(case, Dataset("d", (case,), ("MR",), LABELS))
    path.unlink()
    with pytest.raises(Refused, match="CASE_DAMAGED"):
        load_case(case, Dataset("d", (case,), ("MR",), LABELS))


def test_channels_on_two_grids_are_refused(tmp_path: Path) -> None:
    formats.save(image(), tmp_path / "a.nii.gz")
    formats.save(image(GRID.window((0, 1, 0), GRID.shape)), tmp_path / "b.nii.gz")
    case = Case("c", (tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"))
    with pytest.raises(Refused, match="CHANNELS_APART"):
        load_case(case, Dataset("d", (case,), ("T1", "T2")))


def test_channels_that_are_not_as_many_or_times_are_refused(tmp_path: Path) -> None:
    film = Volume(np.stack([image().array] * 3, axis=-1), GRID, axes=("time",))
    formats.save(film, tmp_path / "film.nii.gz")
    case = Case("c", (tmp_path / "film.nii.gz",))
    for channels in (("MR",), ("T1", "T2")):
        with pytest.raises(Refused, match="CASE_DAMAGED"):
            load_case(case, Dataset("d", (case,), channels))


def test_the_channel_says_what_the_values_are(tmp_path: Path) -> None:
    formats.save(Volume(np.full(GRID.shape, -500, np.int16), GRID), tmp_path / "x.nii.gz")
    case = Case("c", (tmp_path / "x.nii.gz",))
    found = {name: load_case(case, Dataset("d", (case,), (name,))).images[0] for name in ("CT", "T1", "T2w", "MRI")}
    assert [one.modality for one in found.values()] == ["CT", "MR", "MR", "MR"]
    assert found["CT"].unit.value == "[hnsf'U]"
    assert found["T1"].unit.value == "1"


def test_loading_changes_no_file_and_gives_read_only_arrays(written: Path) -> None:
    dataset = open_dataset(written)
    loaded = load_case(dataset.cases[0], dataset)
    assert not loaded.images[0].array.flags.writeable
    assert not loaded.segmentation.array.flags.writeable
    assert replace(loaded, category="x").category == "x"
