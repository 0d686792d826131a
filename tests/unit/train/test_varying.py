from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isocenter.augment.chain import Augmentation
from isocenter.augment.space import Affine, Elastic
from isocenter.datasets.dataset import Dataset
from isocenter.errors import Refused, UsageError
from isocenter.nets.plan import Plan
from isocenter.train.cache import CachedCase, cached
from isocenter.train.patches import Place, Sampling, cut
from isocenter.train.varying import Varying, reach, scale_of


@pytest.fixture
def case(blob_set: Dataset, blob_plan: Plan, folder: Path) -> CachedCase:
    return cached(replace(blob_set, cases=blob_set.cases[:1]), blob_plan, folder).cases[0]


def test_a_turned_patch_is_the_turned_image(case: CachedCase) -> None:
    """What comes in at the corners is what lies beside the patch in the image."""
    turn = Augmentation(
        (Affine(rotation_degrees=(5, 15), scale=(0.8, 0.9)), Elastic(displacement_mm=(1, 3), control_mm=10))
    )
    how, place = Sampling((6, 8, 8)), Place(case, (4, 5, 7))
    for seed in range(5):
        patch = Varying(how, turn).patch(place, np.random.default_rng(seed))
        drawn = turn.sample(np.random.default_rng(seed))
        around = (12, 20, 20)
        wide = cut(place, how, margin=around)
        whole = drawn.apply(wide.image, wide.labels, scale=scale_of(case), window=(around, how.shape))
        assert np.allclose(patch.image, whole.images, atol=1e-4)
        assert np.mean(patch.labels == whole.labels) > 0.99
        assert max(reach(drawn, how.shape, scale_of(case))) <= 20


def test_nothing_is_read_beside_a_patch_that_stays(case: CachedCase) -> None:
    still = Augmentation((Affine(rotation_degrees=0, scale=1),))
    assert reach(still.sample(np.random.default_rng(0)), (6, 8, 8), scale_of(case)) == (0, 0, 0)


def test_a_slice_is_never_turned_out_of_its_plane(case: CachedCase) -> None:
    turn = Augmentation((Affine(rotation_degrees=(-15, 15)),))
    assert reach(turn.sample(np.random.default_rng(0)), (1, 8, 8), scale_of(case))[0] == 0


def test_values_of_ct_are_scaled_in_hounsfield_units(case: CachedCase) -> None:
    scale = scale_of(replace(case, modality="CT", scales=((100.0, 250.0),)))
    assert scale.zero == (-0.4,)
    assert scale.one == (0.004,)
    assert scale_of(case).one == case.deviations
    assert case.deviations[0] == pytest.approx(float(case.image().std()), rel=1e-4)


@pytest.mark.parametrize(
    ("channels", "kind"), [(("CT",), "CT"), (("T1", "T2"), "MR"), (("red", "green", "blue"), "photograph")]
)
def test_the_preset_follows_the_channels(channels: tuple[str, ...], kind: str, blob_plan: Plan) -> None:
    plan = replace(blob_plan, channels=channels)
    assert Varying.of(plan) == Varying.of(plan, kind) != Varying.of(plan, "none")
    with pytest.raises(UsageError, match="no augmentation"):
        Varying.of(plan, "wild")


def test_sided_labels_are_not_learned_from_mirrored_patches(blob_plan: Plan) -> None:
    plan = replace(blob_plan, labels=("left", "right"), mirror_axes=(2,))
    with pytest.raises(Refused, match="SIDES_MIRRORED"):
        Varying.of(plan)
    Varying.of(plan, "none")
