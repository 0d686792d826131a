"""Real data sets: hippocampus but for the label without image, MedNIST but for two empty pictures, real DICOM."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest

from isocenter import formats
from isocenter.datasets import Dataset, check, load_case, open_dataset, split
from isocenter.nets.planning.fingerprint import fingerprint
from isocenter.nets.planning.planner import plan_for

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def hippocampus(shared_data: Path) -> Dataset:
    return open_dataset(shared_data / "hippocampus_mr_labelled")


def test_the_label_without_image_is_left_out_and_all_others_are_sound(hippocampus: Dataset) -> None:
    assert [(one.code, one.instances) for one in hippocampus.reasons] == [
        ("IMAGE_MISSING", ("hippocampus_281",)),
        ("LABELS_UNNAMED", ()),
    ]
    found = check(hippocampus)
    assert len(found.dataset.cases) == len(set(found.digests.values())) == 104
    assert [one.code for one in found.faults] == ["IMAGE_MISSING"]


def test_the_fingerprint_counts_the_voxels_that_others_counted(hippocampus: Dataset, shared_data: Path) -> None:
    seen = fingerprint(hippocampus)
    with (shared_data / "hippocampus_mr_labelled" / "LABEL_STATS.csv").open() as file:
        rows = {row["case"].split(".")[0]: row for row in csv.DictReader(file)}
    for name, facts in seen.cases.items():
        stated = rows[name]["anterior_voxels(1)"], rows[name]["posterior_voxels(2)"]
        assert [facts.structures[f"label_{n}"].voxels for n in (1, 2)] == [int(count) for count in stated]
    assert len(seen.cases) == 104


def test_the_plan_needs_no_hand(hippocampus: Dataset) -> None:
    held_out = split(hippocampus, 24)
    names = sorted((case.id for case in hippocampus.cases), key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    assert {case.id for case in held_out.held_out.cases} == set(names[:24])
    plan = plan_for(fingerprint(held_out.train))
    assert (plan.patch, plan.batch, plan.spacing_mm, plan.orientation) == ((40, 56, 40), 4, (1.0, 1.0, 1.0), "IPL")
    assert plan.network.options["features"] == (16, 32, 64, 128)
    assert (plan.mirror_axes, plan.largest_only, plan.coarse) == ((), ("label_1", "label_2"), None)


def test_pictures_in_an_archive_are_read_and_the_empty_ones_found(shared_data: Path) -> None:
    dataset = open_dataset(shared_data / "mednist_subset" / "mednist_dev_720.zip")
    assert (len(dataset.cases), len(dataset.categories)) == (720, 6)
    assert load_case(dataset.cases[0], dataset).images[0].shape == (1, 64, 64)
    empty = [case for case in dataset.cases if case.id in ("HeadCT/005644.jpeg", "HeadCT/007017.jpeg")]
    found = check(Dataset("two", (*empty, dataset.cases[0]), ("image",)))
    assert [one.code for one in found.faults] == ["NO_CONTRAST"] * 2


def test_contours_and_segmentations_of_studies_are_labels(shared_data: Path) -> None:
    phantom = open_dataset(shared_data / "ibsi_1_ct_phantom")
    loaded = load_case(phantom.cases[0], phantom)
    drawn = formats.load(shared_data / "ibsi_1_ct_phantom" / "nifti" / "mask" / "mask.nii.gz")
    assert loaded.segmentation.names == ("gtv_1",)
    assert np.count_nonzero(loaded.segmentation.array) == np.count_nonzero(drawn.array)
    livers = open_dataset(shared_data / "dcmqi")
    assert (len(livers.cases), dict(livers.labels)) == (2, {"liver": 1})
    assert all(load_case(case, livers).segmentation.mask("liver").any() for case in livers.cases)
