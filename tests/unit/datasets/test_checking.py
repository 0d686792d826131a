"""One pass finds every fault; splits keep patients whole; a lock finds its image under any name."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from isocenter import formats
from isocenter.datasets import (
    Case,
    Dataset,
    check,
    content_digest,
    expect_unlocked,
    folds,
    load_case,
    lock,
    locked_in,
    open_dataset,
    split,
)
from isocenter.errors import InputError, Refused, UsageError
from isocenter.ops.resample import to_orientation
from isocenter.testing.labelled import labelled_case
from isocenter.volume import Volume


def test_a_sound_set_is_kept_whole(written: Path) -> None:
    steps: list[tuple[int, int]] = []
    found = check(open_dataset(written), observer=lambda done, count: steps.append((done, count)))
    assert len(found.dataset.cases) == len(found.digests) == 6
    assert found.faults == ()
    assert steps == [(n, 6) for n in range(1, 7)]


def test_every_fault_costs_its_case_and_no_other(own: Path) -> None:
    images, labels = own / "imagesTr", own / "labelsTr"
    (images / "case_000_0000.nii.gz").write_bytes(b"nothing")
    image = labelled_case(1)[0]
    formats.save(image.with_array(np.full(image.shape, 7, np.float32)), images / "case_001_0000.nii.gz")
    shutil.copy(images / "case_003_0000.nii.gz", images / "case_004_0000.nii.gz")
    shutil.copy(labels / "case_003.nii.gz", labels / "case_004.nii.gz")
    found = check(open_dataset(own), look=lambda loaded: loaded.images[0].shape)
    assert [case.id for case in found.dataset.cases] == ["case_002", "case_003", "case_005"]
    assert {name: reasons[0].code for name, reasons in found.reasons.items() if reasons} == {
        "case_000": "CASE_DAMAGED",
        "case_001": "NO_CONTRAST",
        "case_004": "IMAGE_TWICE",
    }
    assert [one.code for one in found.faults] == ["CASE_DAMAGED", "NO_CONTRAST", "IMAGE_TWICE"]
    assert set(found.seen) == {"case_002", "case_003", "case_005"}


def test_a_label_that_no_case_holds_is_said(own: Path) -> None:
    path = own / "dataset.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "labels": {**said["labels"], "vessel": 3}}))
    found = check(open_dataset(own))
    assert [one.code for one in found.dataset.reasons] == ["LABEL_UNUSED"]
    assert len(found.dataset.cases) == 6


def named(*names: str, **attributes: list[str]) -> Dataset:
    cases = tuple(
        Case(name, (Path(name),), attributes={key: values[n] for key, values in attributes.items() if values[n]})
        for n, name in enumerate(names)
    )
    return Dataset("d", cases, ("CT",))


def test_the_split_is_that_of_the_digests() -> None:
    names = [f"hippocampus_{n:03}" for n in range(1, 11)]
    first = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())[:3]
    found = split(named(*names), 3)
    assert {case.id for case in found.held_out.cases} == set(first)
    assert {case.id for case in found.train.cases} == set(names) - set(first)


def test_cases_of_one_patient_stay_together() -> None:
    dataset = named("a", "b", "c", "d", "e", "f", patient=["1", "1", "2", "2", "3", "3"])
    one = split(dataset, 1)
    assert len(one.held_out.cases) == 2
    assert len({case.attributes["patient"] for case in one.held_out.cases}) == 1
    for fold in folds(dataset, 3):
        sides = [{case.attributes["patient"] for case in side.cases} for side in (fold.train, fold.held_out)]
        assert not sides[0] & sides[1]


def test_another_attribute_can_keep_cases_together() -> None:
    dataset = named("a", "b", "c", "d", site=["x", "x", "y", "y"])
    assert len({case.attributes["site"] for case in split(dataset, 2, group="site").held_out.cases}) == 1
    with pytest.raises(UsageError, match="No case has the attribute"):
        split(dataset, 2, group="scanner")


@pytest.mark.parametrize("held_out", [0, 4, -1, 0.01, 1.0, 2.5, float("inf"), float("nan")])
def test_a_split_with_an_empty_side_is_refused(held_out: float) -> None:
    with pytest.raises(UsageError, match="both sides"):
        split(named("a", "b", "c", "d"), held_out)


def test_groups_that_cannot_be_parted_are_refused() -> None:
    with pytest.raises(UsageError, match="so few groups"):
        split(named("a", "b", patient=["1", "1"]), 1)
    with pytest.raises(UsageError, match="no 'patient'"):
        split(named("a", "b", "c", patient=["1", "", "2"]), 1)
    with pytest.raises(UsageError, match="cannot make 5 folds"):
        folds(named("a", "b"), 5)


def test_a_lock_finds_its_image_under_another_name_format_and_orientation(written: Path, tmp_path: Path) -> None:
    dataset = open_dataset(written)
    held = split(dataset, 2)
    digests = lock(held.held_out, tmp_path / "lock.json")
    assert locked_in(tmp_path / "lock.json") == frozenset(digests.values())
    assert not any(case.id in (tmp_path / "lock.json").read_text() for case in dataset.cases)
    expect_unlocked(held.train, [tmp_path / "lock.json"])
    image = load_case(held.held_out.cases[0], dataset).images[0]
    turned = to_orientation(image, "RAS")
    for name, copy in (("a.nrrd", image), ("b.mha", turned), ("c.nii", image.with_array(image.array.astype("f8")))):
        formats.save(copy, tmp_path / name)
        renamed = Dataset("new", (Case("new", (tmp_path / name,)),), ("MR",))
        with pytest.raises(Refused, match="LOCKED_CASE"):
            expect_unlocked(renamed, [tmp_path / "lock.json"])


def test_a_lock_is_neither_replaced_nor_changed_unseen(written: Path, tmp_path: Path) -> None:
    dataset, path = open_dataset(written), tmp_path / "lock.json"
    lock(dataset, path)
    with pytest.raises(UsageError, match="never replaced"):
        lock(dataset, path)
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "images": said["images"][1:]}))
    with pytest.raises(InputError, match="not as it was written"):
        locked_in(path)
    path.write_text("{}")
    with pytest.raises(InputError, match="damaged"):
        locked_in(path)
    with pytest.raises(UsageError, match="There is no lock"):
        expect_unlocked(dataset, [tmp_path / "none.json"])


def test_an_image_that_cannot_be_read_is_not_locked(own: Path, tmp_path: Path) -> None:
    (own / "imagesTr" / "case_000_0000.nii.gz").write_bytes(b"nothing")
    with pytest.raises(Refused, match="CASE_DAMAGED"):
        lock(open_dataset(own), tmp_path / "lock.json")
    assert not (tmp_path / "lock.json").exists()


def test_one_other_voxel_is_another_image() -> None:
    image = labelled_case(0)[0]
    array = image.array.copy()
    array[3, 4, 5] += 1
    assert content_digest([image]) != content_digest([Volume(array, image.grid)])
    assert content_digest([image]) == content_digest([Volume(image.array.copy(), image.grid.with_shape(image.shape))])
