"""What is known of how right a model is, told beside each of its results."""

from __future__ import annotations

from pathlib import Path

from isocenter.nets.models.model import Model
from isocenter.nets.models.proof import about_model, learned_from, proof_of
from isocenter.nets.plan import Network, Plan

PLAN = Plan("segmentation", ("MR",), ("head", "tail"), Network("residual_unet"), (8, 8, 8))
TRAINING = {"learned_from": ["a"] * 80, "held_out": ["b"] * 24, "settings": {"keep": "last"}}


def said(facts, plan=PLAN):
    model = Model("net", "1", plan, Path("net"), {}, facts=facts)
    return {reason.code: reason.message for reason in about_model(model)}


def test_a_model_without_any_result_is_unproven():
    assert said({}) == {"MODEL_UNPROVEN": "No result of the network on cases that it did not learn from is known."}
    assert "It learned from 80 cases." in said({"training": {**TRAINING, "held_out": []}})["MODEL_UNPROVEN"]
    assert "It learned from 1 case." in said({"training_cases": 1})["MODEL_UNPROVEN"]


def test_scores_of_held_out_cases_are_told_by_label_with_their_number():
    found = said({"training": TRAINING, "held_out": {"score": 0.9, "dice_head": 0.91, "dice_tail": 0.89}})
    assert set(found) == {"MODEL_MEASURED"}
    for part in ("24 cases", "head 0.91 (24 cases)", "tail 0.89", "held out of its learning", "learned from 80 cases"):
        assert part in found["MODEL_MEASURED"]


def test_a_weak_label_is_named_with_its_number_and_the_threshold():
    found = said({"training": TRAINING, "held_out": {"dice_head": 0.91, "dice_tail": 0.31}})
    assert set(found) == {"MODEL_MEASURED", "MODEL_WEAK"}
    assert "below 0.7: tail 0.31 (24 cases)." in found["MODEL_WEAK"]
    assert "head" not in found["MODEL_WEAK"]


def test_few_cases_and_labels_without_a_score_prove_little():
    training = {**TRAINING, "held_out": ["b"] * 4}
    found = said({"training": training, "held_out": {"dice_head": 0.9, "dice_tail": 0.9}})
    assert "fewer than 5 cases" in found["MODEL_UNPROVEN"]
    found = said({"training": TRAINING, "held_out": {"dice_head": 0.9, "dice_tail": float("nan")}})
    assert found["MODEL_UNPROVEN"] == "No result of the network is known for: tail."


def test_weights_that_the_held_out_cases_chose_are_told_to_flatter():
    facts = {"training": {**TRAINING, "settings": {"keep": "best"}}, "held_out": {"dice_head": 0.9, "dice_tail": 0.9}}
    assert "flatter" in said(facts)["MODEL_MEASURED"]


def test_an_evaluation_counts_before_folds_and_these_before_learning():
    rows = [{"case": "a", "fold": 0, "dice": {"head": 0.8, "tail": None}, "features": {}}] * 6
    facts = {"training": TRAINING, "held_out": {"dice_head": 0.1, "dice_tail": 0.1}, "out_of_fold": rows}
    found = said(facts)
    assert "head 0.80 (6 cases)" in found["MODEL_MEASURED"]
    assert found["MODEL_UNPROVEN"] == "No result of the network is known for: tail."
    assert learned_from({"out_of_fold": rows}) == 6
    each = {"head": {"dice": 0.95, "cases": 30}, "tail": {"dice": 0.75, "cases": 28}}
    found = said({**facts, "results": {"dice": 0.85, "cases": 30, "structures": each}})
    assert "head 0.95 (30 cases), tail 0.75 (28 cases)" in found["MODEL_MEASURED"]
    assert set(found) == {"MODEL_MEASURED"}


def test_scores_of_other_tasks_are_told_without_a_threshold():
    plan = Plan("denoising", ("CT",), (), Network("denoising_unet"), (1, 8, 8))
    facts = {"training": {**TRAINING, "held_out": ["b"] * 3}, "held_out": {"score": 0.2, "psnr_db": 31.0}}
    found = said(facts, plan)
    assert "psnr db 31.00 (3 cases)" in found["MODEL_MEASURED"]
    assert set(found) == {"MODEL_MEASURED", "MODEL_UNPROVEN"}
    model = Model("net", "1", plan, Path("net"), {}, facts=facts)
    assert proof_of(model).cases == 3


def test_of_many_labels_the_worst_are_told():
    labels = tuple(f"part {n}" for n in range(20))
    plan = Plan("segmentation", ("MR",), labels, Network("residual_unet"), (8, 8, 8))
    scores = {f"dice_{name}": 0.99 - 0.01 * n for n, name in enumerate(labels)}
    found = said({"training": TRAINING, "held_out": scores}, plan)
    assert "part 19 0.80" in found["MODEL_MEASURED"]
    assert "and 8 more, each at least as high" in found["MODEL_MEASURED"]
