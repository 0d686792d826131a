"""Losses: the same numbers as MONAI's, and what is said of absent classes and wrong labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.losses import DiceCELoss, DiceLoss, FocalLoss, TverskyLoss

from isocenter.errors import UsageError
from isocenter.train import losses

CLASSES = 4


def drawn(*space: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    truth = torch.randint(0, CLASSES, (2, *space), generator=rng)
    return torch.randn(2, CLASSES, *space, generator=rng, requires_grad=True), truth


OF_MONAI = {
    "dice": DiceLoss(include_background=False, to_onehot_y=True, softmax=True, batch=True),
    "dice_cross_entropy": DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=True),
    "tversky": TverskyLoss(include_background=False, to_onehot_y=True, softmax=True, batch=True, alpha=0.3, beta=0.7),
    "focal": lambda out, truth: FocalLoss(to_onehot_y=True, use_softmax=True)(out, truth) * CLASSES,
}


@pytest.mark.parametrize("space", [(6, 7), (5, 6, 7)])
@pytest.mark.parametrize("name", OF_MONAI)
def test_value_and_gradient_are_those_of_monai(name: str, space: tuple[int, ...]) -> None:
    outputs, truth = drawn(*space)
    ours = losses.build(name)(outputs, truth)
    (of_ours,) = torch.autograd.grad(ours, outputs)
    theirs = OF_MONAI[name](outputs, truth[:, None])
    (of_theirs,) = torch.autograd.grad(theirs, outputs)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    assert torch.allclose(of_ours, of_theirs, rtol=1e-3, atol=1e-8)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_every_loss_falls_to_its_least_on_the_truth(name: str) -> None:
    _, truth = drawn(6, 6, 6)
    right = torch.nn.functional.one_hot(truth, CLASSES).movedim(-1, 1).float() * 20
    wrong = right.roll(1, 1)
    loss = losses.build(name)
    assert loss(right, truth) < loss(0 * right, truth) < loss(wrong, truth)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_every_loss_takes_bfloat16_and_gives_a_finite_gradient(name: str) -> None:
    outputs, truth = drawn(4, 4, 4)
    loss = losses.build(name)(outputs.bfloat16(), truth)
    loss.backward()
    assert loss.dtype == torch.float32
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()
    assert outputs.grad.abs().sum() > 0


def test_a_class_that_is_not_there_is_left_out_of_dice_and_spoken_against_by_cross_entropy() -> None:
    outputs, truth = drawn(6, 6, 6)
    without = truth.clone()
    without[without == 3] = 0
    part = losses.dice(outputs[:, :3], without)
    more = torch.cat([outputs[:, :3], torch.full_like(outputs[:, 3:], -20)], 1)
    assert losses.dice(more, without).item() == pytest.approx(part.item(), rel=1e-5)
    (gradient,) = torch.autograd.grad(losses.dice_cross_entropy(outputs, without), outputs)
    assert (gradient[:, 3] > 0).all(), "the absent class is pushed down everywhere"


def test_a_batch_of_background_alone_is_learned_from() -> None:
    outputs, truth = drawn(4, 4, 4)
    loss = losses.dice_cross_entropy(outputs, 0 * truth)
    loss.backward()
    assert loss.item() == pytest.approx(losses.cross_entropy(outputs, 0 * truth).item())
    assert outputs.grad is not None
    assert (outputs.grad[:, 0] < 0).all()


@pytest.mark.parametrize(("label", "word"), [(-100, "from -100"), (CLASSES, "to 4")])
def test_a_label_that_the_network_does_not_tell_apart_is_refused(label: int, word: str) -> None:
    outputs, truth = drawn(4, 4)
    truth[0, 0, 0] = label
    with pytest.raises(UsageError, match=word):
        losses.build()(outputs, truth)


def test_truth_of_another_size_or_type_is_refused() -> None:
    outputs, truth = drawn(4, 4)
    for wrong in (truth[:, :3], truth.float(), truth[:, None]):
        with pytest.raises(UsageError, match="int64"):
            losses.build()(outputs, wrong)


def test_a_name_that_there_is_not_is_told() -> None:
    with pytest.raises(UsageError, match="There is no loss 'dise'; there are: dice_cross_entropy"):
        losses.build("dise")


def test_coarser_outputs_weigh_half_as_much_each() -> None:
    outputs, truth = drawn(8, 8, 8)
    coarse, coarsest = outputs[..., ::2, ::2, ::2], outputs[..., ::4, ::4, ::4]
    loss = losses.build("cross_entropy")
    parts = [loss(outputs, truth), loss(coarse, truth[:, 1::2, 1::2, 1::2]), loss(coarsest, truth[:, 2::4, 2::4, 2::4])]
    expected = (4 * parts[0] + 2 * parts[1] + parts[2]) / 7
    assert loss([outputs, coarse, coarsest], truth).item() == pytest.approx(expected.item(), rel=1e-5)


def test_distances_are_below_0_inside_and_0_at_the_border() -> None:
    truth = np.zeros((2, 9, 9), np.int64)
    truth[0, 2:7, 2:7] = 1
    found = losses.signed_distances(truth, 3)
    assert found.shape == (2, 2, 9, 9)
    assert found[0, 0, 4].tolist() == [1.5, 0.5, -0.5, -1.5, -2.5, -1.5, -0.5, 0.5, 1.5]
    assert not found[1].any()
    assert not found[0, 1].any()
