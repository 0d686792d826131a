"""How sure a network is, and what Dice may be expected."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from isocenter.errors import InputError, UsageError
from isocenter.geometry import Grid
from isocenter.nets.certainty.conformal import Calibration, calibrated
from isocenter.nets.certainty.uncertainty import FEATURES, Watching
from isocenter.nets.models.model import Model, save_model
from isocenter.nets.networks import build
from isocenter.nets.plan import Network, Normalisation, Plan
from isocenter.nets.pool import Pool
from isocenter.nets.predict import Inference, judged, segmented
from isocenter.volume import Volume

RNG = np.random.default_rng(7)


def seen(*each):
    """What is told of the scores (output, voxel) of one or several views."""
    scores = sum(each) / len(each)
    watching = Watching(scores.shape[0], len(each))
    half = scores.shape[1] // 2
    for part in (slice(0, half), slice(half, None)):
        watching.see([one[:, part] for one in each], scores[:, part], scores[:, part].argmax(0).astype(np.uint8))
    return watching.certainty([f"s{n}" for n in range(1, scores.shape[0])])


def test_expected_dice_certainty_and_entropy_are_those_of_the_softmax():
    scores = RNG.normal(size=(4, 1000)).astype(np.float32) * 2
    shares = np.exp(scores.astype(float)) / np.exp(scores.astype(float)).sum(axis=0)
    labels, found = shares.argmax(0), seen(scores)
    for one in range(1, 4):
        inside = labels == one
        assert found.voxels[one - 1] == inside.sum()
        assert np.isclose(found.certainty[one - 1], shares[one][inside].mean(), rtol=1e-4)
        expected = 2 * shares[one][inside].sum() / (inside.sum() + shares[one].sum())
        assert np.isclose(found.expected_dice[one - 1], expected, rtol=1e-4)
    near = (labels > 0) | (shares[0] < 0.99)
    entropy = -(shares * np.log(shares)).sum(0)[near].mean() / np.log(4)
    assert np.isclose(found.entropy, entropy, rtol=1e-4)


def test_views_that_are_one_agree_and_others_by_their_dice():
    first, second = (RNG.normal(size=(3, 500)).astype(np.float32) for _ in range(2))
    assert np.allclose(seen(first, first).agreement, 1)
    assert np.allclose(seen(first).agreement, 1)
    found, whole = seen(first, second).agreement, (first + second).argmax(0)
    for one in (1, 2):
        dices = [
            2
            * ((view.argmax(0) == one) & (whole == one)).sum()
            / ((view.argmax(0) == one).sum() + (whole == one).sum())
            for view in (first, second)
        ]
        assert np.isclose(found[one - 1], np.mean(dices))


def test_what_was_not_found_has_no_certainty_and_a_sure_network_is_not_doubted():
    scores = np.full((3, 100), -30, np.float32)
    scores[0, :60], scores[1, 60:] = 30, 30
    found = seen(scores)
    assert np.isclose(found.expected_dice[0], 1)
    assert np.isnan(found.expected_dice[1])
    assert found.entropy < 1e-6
    assert found.reasons() == ()
    assert np.allclose(found.features(), (1, 1, 1, 0), atol=1e-6)
    empty = seen(np.array([[5.0], [0], [0]], np.float32).repeat(9, axis=1))
    assert empty.features("expected_dice", "agreement") == (0, 0)


def test_a_network_that_doubts_says_so():
    scores = np.zeros((3, 100), np.float32)
    scores[1, :50] = 0.1
    (reason,) = seen(scores).reasons()
    assert reason.code == "NETWORK_UNSURE"
    assert "s1" in reason.message


def cases(rng, count):
    """Cases of which one number tells much, and how far off it is grows as it falls."""
    told = rng.beta(8, 2, count)
    off = (0.01 + 0.1 * (1 - told)) * rng.normal(size=count)
    scores = np.clip(0.3 + 0.6 * told + off, 0, 1)
    return np.column_stack([told, rng.random(count)]), scores


@pytest.mark.parametrize("count", [24, 80])
def test_an_interval_holds_as_often_as_it_says(count):
    """Coverage over many calibrations and new cases of the same kind lies from 88 to 92 %."""
    held = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        features, scores = cases(rng, count)
        made = calibrated(scores, features, names=FEATURES[:2])
        for row, score in zip(*cases(rng, 30), strict=True):
            found = made.interval(row)
            held.append(found.low <= score <= found.high)
    assert 0.88 < np.mean(held) < 0.93 if count < 40 else 0.88 < np.mean(held) < 0.92


def test_an_interval_is_narrow_where_much_is_told_and_wide_where_it_is_not():
    rng = np.random.default_rng(0)
    features, scores = cases(rng, 80)
    made = calibrated(scores, features, names=FEATURES[:2])
    sure, unsure = made.interval((0.95, 0.5)), made.interval((0.5, 0.5))
    assert sure.high - sure.low < unsure.high - unsure.low
    assert sure.low <= sure.estimate <= sure.high
    assert 0.85 < made.coverage <= 0.97
    constant = calibrated(scores, np.ones((80, 1)), names=FEATURES[:1]).interval((1,))
    assert sure.high - sure.low < (constant.high - constant.low) / 2


def test_a_calibration_is_plain_values_and_back():
    features, scores = cases(np.random.default_rng(0), 30)
    made = calibrated(scores, features, names=FEATURES[:2])
    assert Calibration.from_dict(made.to_dict()) == made
    with pytest.raises(InputError, match="damaged"):
        Calibration.from_dict({"names": []})


def test_too_few_or_strange_cases_are_refused():
    features, scores = cases(np.random.default_rng(0), 30)
    wrong = [
        (scores[:10], features[:10], FEATURES[:2]),
        (scores, features, FEATURES[:1]),
        (scores + 1, features, FEATURES[:2]),
        (scores, features * np.nan, FEATURES[:2]),
    ]
    for values, rows, names in wrong:
        with pytest.raises(UsageError):
            calibrated(values, rows, names=names)
    with pytest.raises(UsageError, match="share"):
        calibrated(scores, features, names=FEATURES[:2], level=1.0)
    with pytest.raises(UsageError, match="finite"):
        calibrated(scores, features, names=FEATURES[:2]).interval((np.nan, 0))


def model_of(folder, members=1):
    network = Network("residual_unet", {"features": [4, 8], "blocks": [1, 1]})
    plan = Plan(
        "segmentation", ("MR",), ("a", "b"), network, (16, 16, 16), mirror_axes=(2,),
        normalisation=(Normalisation("zscore"),),
    )  # fmt: skip
    torch.manual_seed(4)
    states = [build(plan).state_dict() for _ in range(members)]
    return save_model(Model("m", "1", plan, folder / "m", {}), states)


def image():
    array = np.random.default_rng(1).normal(size=(18, 20, 24)).astype(np.float32)
    return Volume(array, Grid(array.shape, np.eye(4)), modality="MR")


def test_doubt_changes_no_label_and_views_are_asked_one_by_one(tmp_path):
    model, pool = model_of(tmp_path, 2), Pool()
    found = {
        doubt: judged(model, image(), how=Inference(doubt=doubt, mirror="plan"), pool=pool)
        for doubt in ("none", "scores", "agreement")
    }
    assert found["none"][1] is None
    assert np.array_equal(found["none"][0].array, found["scores"][0].array)
    assert np.mean(found["agreement"][0].array == found["scores"][0].array) > 0.999
    one, several = found["scores"][1], found["agreement"][1]
    assert np.allclose(one.expected_dice, several.expected_dice, rtol=1e-3)
    assert np.nanmax(one.agreement) == 1
    assert np.nanmax(several.agreement) < 1


def test_a_calibrated_model_tells_what_dice_to_expect(tmp_path):
    model = model_of(tmp_path)
    names = ("expected_dice", "entropy")
    features, scores = cases(np.random.default_rng(0), 40)
    told = replace(model, facts={"calibration": calibrated(scores, features, names=names).to_dict()})
    said = [reason for reason in segmented(told, image(), pool=Pool()).reasons if reason.code == "DICE_EXPECTED"]
    assert len(said) == 1
    assert "90 %" in said[0].message
    quiet = segmented(told, image(), how=Inference(doubt="none"), pool=Pool())
    assert "DICE_EXPECTED" not in {reason.code for reason in quiet.reasons}


def test_too_few_cases_for_a_level_give_the_whole_range():
    told = np.linspace(0.5, 0.9, 20)
    many, few = (calibrated(told, told[:, None], names=["expected_dice"], level=level) for level in (0.9, 0.99))
    assert many.interval([0.7]).high < 0.75
    found = few.interval([0.7])  # 99 % is 21 of 21 cases
    assert (found.low, found.high) == (0.0, 1.0)
