from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isocenter.datasets.dataset import Case, Dataset
from isocenter.datasets.loading import Loaded, load_case
from isocenter.errors import InputError, Refused
from isocenter.nets.plan import Plan
from isocenter.nets.prepare import on_grid, prepared
from isocenter.train import cache
from isocenter.train.cache import cached


def test_a_case_is_kept_bit_for_bit_as_it_is_served(blob_set: Dataset, blob_plan: Plan, folder: Path) -> None:
    found = cached(blob_set, blob_plan, folder)
    assert [one.id for one in found.cases] == [one.id for one in blob_set.cases]
    for case, kept in zip(blob_set.cases, found.cases, strict=True):
        loaded = load_case(case, blob_set)
        served = prepared(loaded.images, blob_plan)
        assert np.array_equal(kept.image(), served.array)
        assert kept.grid == served.grid
        assert kept.source == served.source.grid
        assert np.array_equal(kept.labels(), on_grid(loaded.segmentation, blob_plan).array)
        assert np.array_equal(kept.truth(), loaded.segmentation.array)
        assert kept.prepared().source.grid == served.source.grid


def test_places_are_voxels_of_their_label(blob_set: Dataset, blob_plan: Plan, folder: Path) -> None:
    for case in cached(blob_set, blob_plan, folder).cases:
        labels = case.labels()
        assert set(case.places) == {1, 2}
        for label, count in case.places.items():
            assert count == np.count_nonzero(labels == label)
            assert {labels[case.place(label, n)] for n in range(count)} == {label}


def test_a_second_start_prepares_nothing(blob_set: Dataset, blob_plan: Plan, folder: Path) -> None:
    first = cached(blob_set, blob_plan, folder)
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*.npy")}
    second = cached(blob_set, blob_plan, folder)
    assert second.sha256 == first.sha256
    assert second.reasons == first.reasons
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.npy")} == times


@pytest.mark.parametrize(
    "change",
    [{"spacing_mm": (2.0, 2.0, 2.0)}, {"orientation": "IPR"}, {"shape": (8, 8, 8), "spacing_mm": None}],
    ids=["spacing", "orientation", "shape"],
)
def test_another_preparation_is_another_case(
    change: dict[str, object], blob_set: Dataset, blob_plan: Plan, folder: Path
) -> None:
    one = replace(blob_set, cases=blob_set.cases[:1])
    before = cached(one, blob_plan, folder)
    assert cached(one, replace(blob_plan, **change), folder).sha256 != before.sha256  # type: ignore[arg-type]
    assert cached(one, replace(blob_plan, patch=(8, 8, 8), batch=7), folder).sha256 == before.sha256


def test_other_contents_under_the_same_name_are_another_case(
    blob_set: Dataset, blob_plan: Plan, folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "image.nii.gz"
    shutil.copy(blob_set.cases[0].images[0], path)
    one = replace(blob_set, cases=(Case("x", (path,)),), labels={})
    before = cached(one, blob_plan, folder)
    shutil.copy(blob_set.cases[1].images[0], path)
    after = cached(one, blob_plan, folder)
    assert after.sha256 != before.sha256
    assert not np.array_equal(after.cases[0].image(), before.cases[0].image())


@pytest.mark.parametrize("ending", [".mhd", ".nhdr"])
def test_other_voxels_beside_the_same_header_are_another_case(blob_plan: Plan, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"image{ending}"
    path.write_text(_HEADERS[ending])
    one = Dataset("set", (Case("x", (path,)),), blob_plan.channels)
    found = []
    for seed in range(2):
        values = np.random.default_rng(seed).integers(0, 99, (12, 12, 12)).astype("<i2")
        (tmp_path / "image.raw").write_bytes(values.tobytes())
        found.append(cached(one, blob_plan, tmp_path / "cache"))
    assert found[0].sha256 != found[1].sha256


_HEADERS = {
    ".mhd": "ObjectType = Image\nNDims = 3\nDimSize = 12 12 12\nElementSpacing = 1 1 1\nElementType = MET_SHORT\n"
    "BinaryData = True\nBinaryDataByteOrderMSB = False\nElementDataFile = image.raw\n",
    ".nhdr": "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 12 12 12\n"
    "space directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\nendian: little\nencoding: raw\n"
    "data file: image.raw\n",
}


def test_a_bad_case_is_left_out_with_its_reason(
    blob_set: Dataset, blob_plan: Plan, folder: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.nii.gz"
    bad.write_bytes(b"no image")
    missing = tmp_path / "missing.nii.gz"
    cases = (Case("bad", (bad,)), Case("missing", (missing,)), *blob_set.cases[:2])
    found = cached(replace(blob_set, cases=cases), blob_plan, folder)
    assert [one.id for one in found.cases] == ["case_0", "case_1"]
    left_out = [one for one in found.reasons if one.code == "CASE_LEFT_OUT"]
    assert [one.instances for one in left_out] == [("bad",), ("missing",)]
    with pytest.raises(Refused, match="NOTHING_TO_LEARN_FROM"):
        cached(replace(blob_set, cases=cases[:2]), blob_plan, folder)


@pytest.mark.parametrize("name", ["image.npy", "labels.npy", "places.npy", "truth.npz", "case.json"])
def test_a_damaged_array_is_told_with_its_case_and_made_anew(
    name: str, blob_set: Dataset, blob_plan: Plan, folder: Path
) -> None:
    some = replace(blob_set, cases=blob_set.cases[:1])
    one = cached(some, blob_plan, folder).cases[0]
    kept = one.image().copy()
    with (one.folder / name).open("r+b") as file:
        file.truncate(100)
    asked = {"image.npy": one.image, "labels.npy": one.labels, "truth.npz": one.truth}
    if name in asked:
        with pytest.raises(InputError, match="case_0"):
            asked[name]()
    again = cached(some, blob_plan, folder).cases[0]
    assert np.array_equal(again.image(), kept)
    assert again.labels()[again.place(1, 0)] == 1
    assert again.truth().shape == again.source.shape


_SLOW = """
import sys, time
from pathlib import Path
import numpy as np
from isocenter.datasets import loading
from isocenter.datasets.dataset import Case, Dataset
from isocenter.nets.plan import Network, Plan
from isocenter.train import cache
image, label, folder = map(Path, sys.argv[1:])
save = np.save
def slowly(*arguments):
    save(*arguments)
    print("saved", flush=True)
    time.sleep(60)
np.save = slowly
plan = Plan("segmentation", ("MR",), ("body", "tip"), Network("unet"), (8, 16, 16), spacing_mm=(2.0, 1.0, 1.0))
cache.cached(Dataset("x", (Case("x", (image,), label),), ("MR",), {"body": 1, "tip": 2}), plan, folder)
"""


def test_what_a_killed_process_left_is_not_taken_for_a_case(blob_set: Dataset, blob_plan: Plan, folder: Path) -> None:
    case = blob_set.cases[0]
    command = [sys.executable, "-c", _SLOW, str(case.images[0]), str(case.label), str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "saved\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert any(".part" in one.name for one in folder.iterdir())
    begun = time.monotonic()
    found = cached(replace(blob_set, cases=(case,)), blob_plan, folder)
    assert time.monotonic() - begun < 30
    assert found.cases[0].image().shape == found.cases[0].shape
    assert not any(".part" in one.name for one in folder.iterdir())


def test_several_at_once_prepare_each_case_once(
    blob_set: Dataset, blob_plan: Plan, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared_cases = []

    def noting(case: Case, dataset: Dataset) -> Loaded:
        prepared_cases.append(case.id)
        return load_case(case, dataset)

    monkeypatch.setattr(cache, "load_case", noting)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: cached(blob_set, blob_plan, folder).sha256, range(4)))
    assert sorted(prepared_cases) == sorted(case.id for case in blob_set.cases)
    assert len(set(found)) == 1
