"""Simulated clicks on a real CT and MR, one set of settings for all; the reference is another model's output."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.formats import load, load_segmentation
from isocenter.ops.prompting import begin, next_click

pytestmark = pytest.mark.real

CT = {"liver": (5,), "spleen": (1,), "kidney_right": (2,), "kidney_left": (3,), "lung_left": (10, 11)}
CT["lung_right"] = (12, 13, 14)
MR = {"spleen": (1,), "kidney_right": (2,), "liver": (5,)}


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


def after_clicks(session, labels, values, number):
    mask = np.isin(labels.array, values).astype(np.uint8)
    truth = Segmentation((mask,), labels.grid, (Segment.named("organ"),), Algorithm("reference", ""))
    found, scores = None, []
    for _ in range(number):
        click = next_click(truth, found, name="organ")
        session = session.click(click.point_mm, click.side)
        found = session.segmentation
        scores.append(dice(found.mask("organ"), mask > 0))
    return scores


@pytest.fixture(scope="module")
def examples(shared_data):
    folder = shared_data / "totalsegmentator_example"

    def pair(image, labels):
        return begin(load(folder / image), name="organ"), load_segmentation(folder / labels)

    return {
        "CT": pair("example_ct_sm.nii.gz", "example_seg.nii.gz"),
        "MR": pair("example_mr_sm.nii.gz", "example_seg_mr.nii.gz"),
    }


@pytest.mark.parametrize("organ", CT)
def test_organs_of_a_ct_without_contrast_are_found_in_few_clicks(examples, organ):
    assert max(after_clicks(*examples["CT"], CT[organ], 5)) >= 0.9


@pytest.mark.parametrize("organ", MR)
def test_organs_of_an_mr_are_found_in_five_clicks(examples, organ):
    assert max(after_clicks(*examples["MR"], MR[organ], 5)) >= 0.88
