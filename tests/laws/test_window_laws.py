"""Laws of the sliding window: MONAI's result where weights are the same, whatever the shape and the batch."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.inferers import sliding_window_inference

from isocenter.nets.runtimes import Head
from isocenter.nets.windows.deciding import labels, outputs
from isocenter.nets.windows.window import Window, along

ROI = (8, 8, 8)
SHAPES = st.tuples(*[st.integers(1, 29)] * 3)


class Net:
    """A network of two layers that sees its surroundings."""

    name, device = "torch", "cpu"

    def __init__(self, seed, classes=5, *, apart=False):
        torch.manual_seed(seed)
        body = torch.nn.Conv3d(1, 4, 3, padding=1), torch.nn.Tanh()
        last = torch.nn.Conv3d(4, classes, 1)
        self.whole = torch.nn.Sequential(*body, last)
        self.run = torch.nn.Sequential(*body) if apart else self.whole
        weight, bias = (one.detach().numpy() for one in (last.weight, last.bias))
        self.head = Head(weight[:, :, 0, 0, 0], bias) if apart else None

    def __call__(self, batch):
        with torch.inference_mode():
            return self.run(torch.from_numpy(batch)).numpy()


def weights():
    k, r, c = (torch.from_numpy(along(n, n, overlap=0.5).weights) for n in ROI)
    return k[:, None, None] * r[:, None] * c


def monai(net, array, **options):
    with torch.inference_mode():
        given = torch.from_numpy(array)[None]
        return sliding_window_inference(given, ROI, 2, net.whole, mode="gaussian", **options)[0].numpy()


def image(shape, seed):
    return np.random.default_rng(seed).normal(size=(1, *shape)).astype(np.float32)


@settings(max_examples=25)
@given(SHAPES, st.sampled_from([0.25, 0.5, 0.75]), st.integers(0, 5))
def test_averages_are_those_of_monai_with_the_same_weights(shape, overlap, seed):
    net, array = Net(seed), image(shape, seed)
    expected = monai(net, array, overlap=overlap, roi_weight_map=weights())
    assert np.allclose(outputs(array, [net], Window(ROI, overlap)), expected, atol=1e-5)


@settings(max_examples=15)
@given(SHAPES, st.integers(1, 5), st.integers(0, 5))
def test_neither_batch_nor_a_head_set_apart_changes_labels(shape, batch, seed):
    array = image(shape, seed)
    expected = labels(array, [Net(seed)], Window(ROI))
    found = labels(array, [Net(seed, apart=True)], Window(ROI, batch=batch))
    scores = np.sort(outputs(array, [Net(seed)], Window(ROI)), axis=0)
    sure = scores[-1] - scores[-2] > 1e-4
    assert np.array_equal(found[sure], expected[sure])


def test_monai_with_its_own_weights_differs_at_the_border_alone():
    """MONAI counts no voxel of a window less than a thousandth, so that at the border worse windows count as much."""
    net, array = Net(1), image((24, 24, 24), 1)
    apart = np.abs(outputs(array, [net], Window(ROI)) - monai(net, array, overlap=0.5)).max(axis=0)
    assert apart[4:-4, 4:-4, 4:-4].max() < 0.1 * np.std(net(array[None]))
