"""A coarse model finds where a fine one looks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from isocenter.errors import UsageError
from isocenter.geometry import Grid
from isocenter.nets.models.model import Model, save_model
from isocenter.nets.networks import build
from isocenter.nets.plan import Network, Normalisation, Plan
from isocenter.nets.pool import Pool
from isocenter.nets.predict import segmented
from isocenter.nets.region import with_coarse
from isocenter.volume import Volume

NET = Network("residual_unet", {"features": [4, 8], "blocks": [1, 1]})
FINE = Plan(
    "segmentation", ("MR",), ("ball",), NET, (16, 16, 16), spacing_mm=(1.0, 1.0, 1.0),
    normalisation=(Normalisation("range", 0, 100),),
)  # fmt: skip
COARSE = replace(FINE, spacing_mm=(4.0, 4.0, 4.0))


class Above:
    """A network that calls the label what lies above a half; it notes how much it sees."""

    name, device, head = "above", "cpu", None

    def __init__(self):
        self.seen = 0

    def __call__(self, batch):
        self.seen += batch.size
        return np.concatenate([np.zeros_like(batch), batch - 0.5], axis=1)


class Ready(Pool):
    """A pool whose models are thresholds, one for each grid."""

    def __init__(self):
        super().__init__()
        self.fine, self.coarse = Above(), Above()

    def opened(self, model, how, *, member=None):
        return self.coarse if model.plan.spacing_mm == COARSE.spacing_mm else self.fine


def saved(folder, plan):
    torch.manual_seed(0)
    return save_model(Model("m", "1", plan, folder, {}), [build(plan).state_dict()])


@pytest.fixture
def model(tmp_path):
    fine = saved(tmp_path / "m", FINE)
    saved(tmp_path / "m" / "coarse", COARSE)
    return fine


def image(*, tail=False):
    array = np.zeros((64, 64, 64), np.int16)
    k, r, c = np.indices(array.shape)
    array[(k - 20) ** 2 + (r - 24) ** 2 + (c - 22) ** 2 < 60] = 100
    if tail:  # too thin for the coarse grid
        array[20, 24, 22:60] = 100
    return Volume(array, Grid(array.shape, np.eye(4)), modality="MR")


def test_only_the_part_around_is_seen_and_the_result_is_that_of_the_whole(model, tmp_path):
    pool, alone = Ready(), Ready()
    found = segmented(model, image(), pool=pool)
    whole = segmented(saved(tmp_path / "alone", FINE), image(), pool=alone)
    assert np.array_equal(found.array, whole.array)
    assert np.array_equal(found.mask(), image().array > 50)
    assert pool.fine.seen < alone.fine.seen / 4
    assert "coarse_sha256" in dict(found.algorithm.settings)
    assert "coarse_sha256" not in dict(whole.algorithm.settings)


def test_what_reaches_the_edge_of_the_part_makes_the_whole_be_seen(model):
    pool = Ready()
    found = segmented(model, image(tail=True), pool=pool)
    assert np.array_equal(found.mask(), image(tail=True).array > 50)


def test_where_nothing_is_found_coarsely_the_whole_is_seen(model):
    array = np.zeros((64, 64, 64), np.int16)
    array[40, 40, 40] = 100
    volume = Volume(array, Grid(array.shape, np.eye(4)), modality="MR")
    assert segmented(model, volume, pool=Ready()).mask().sum() == 1


def test_that_only_a_part_was_seen_is_told(model):
    found = segmented(model, image(), pool=Ready())
    (said,) = [reason.message for reason in found.reasons if reason.code == "PART_SEEN"]
    assert "of the image" in said
    whole = segmented(model, image(tail=True), pool=Ready())
    assert "PART_SEEN" not in {reason.code for reason in whole.reasons}


def test_a_coarse_model_of_other_images_is_told(model, tmp_path):
    other = replace(COARSE, channels=("T1", "T2"), normalisation=COARSE.normalisation * 2)
    with pytest.raises(UsageError, match="cannot find where m is to look"):
        with_coarse(model, saved(tmp_path / "other", other))
