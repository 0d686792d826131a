"""Scores of real label maps against themselves, moved and eroded, and a study of real cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

import isocenter as iso
from isocenter.evaluate import Outcome, Pair, properties, scores, study
from isocenter.ops.boxes import box_of

pytestmark = pytest.mark.real


def test_organs_moved_by_a_voxel_score_as_scipy_says(shared_data: Path) -> None:
    truth = iso.load_segmentation(shared_data / "totalsegmentator_example" / "example_seg_fast_force_split.nii.gz")
    moved = replace(truth, layers=(np.ascontiguousarray(np.roll(truth.array, 1, 1)),))
    found = scores(moved, truth, tolerance_mm=2)
    assert len(found.of) == len(truth.names) > 20
    for one in found.of[::8]:
        mine, true = moved.mask(one.structure), truth.mask(one.structure)
        box = box_of(mine | true, (1, 1, 1))
        mine, true = mine[box], true[box]
        edges = [mask ^ ndimage.binary_erosion(mask) for mask in (mine, true)]
        ways = [ndimage.distance_transform_edt(~edge, truth.grid.spacing_mm) for edge in edges]
        apart = np.concatenate([ways[1][edges[0]], ways[0][edges[1]]])
        assert one.dice == pytest.approx(2 * (mine & true).sum() / (mine.sum() + true.sum()))
        assert one.assd_mm == pytest.approx(apart.mean())
        assert one.surface_dice == pytest.approx((apart <= 2).mean())


def test_eroded_organs_are_smaller_and_within(shared_data: Path) -> None:
    truth = iso.load_segmentation(shared_data / "totalsegmentator_example" / "example_seg_fast_force_split.nii.gz")
    found = scores(iso.masks.eroded(truth, 3), truth)
    for one in found.of:
        if one.outcome is Outcome.FOUND:
            assert one.precision == 1
            assert one.volume_error_ml < 0
        else:
            assert (one.outcome, one.dice) == (Outcome.MISSED, 0)


def test_the_labels_of_real_cases_are_a_study(shared_data: Path) -> None:
    place = shared_data / "hippocampus_mr_labelled"
    names = sorted(path.name for path in (place / "images").iterdir())[:30]

    def pairs() -> list[Pair]:
        made = []
        for name in names:
            truth = iso.load_segmentation(place / "labels" / name)
            moved = replace(truth, layers=(np.ascontiguousarray(np.roll(truth.array, 1, 0)),))
            made.append(Pair(name, moved, truth, properties(iso.load(place / "images" / name), truth)))
        return made

    found = study(pairs())
    assert found.structures == ("label_1", "label_2")
    assert 0.8 < np.mean(list(found.values().values())) < 0.97
    (by_volume,) = found.by(["volume_ml"])
    assert [group.mean.count for group in by_volume.groups] == [10, 10, 10]
    means = [group.mean.value for group in by_volume.groups]
    assert np.mean(means) == pytest.approx(np.mean(list(found.values().values())))
    assert by_volume.gap.value == pytest.approx(max(means) - min(means))
    assert found.digest == study(pairs()).digest
