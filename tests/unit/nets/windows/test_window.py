"""The sliding window: what lies where, what is held, and what is refused."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch

from isocenter.errors import InputError, UsageError
from isocenter.nets.runtimes import Head
from isocenter.nets.windows.deciding import labels, outputs
from isocenter.nets.windows.window import Window, along, parts

RNG = np.random.default_rng(3)


class Pointwise:
    """A network that looks at each voxel by itself: a matrix, then a bend."""

    name, device = "pointwise", "cpu"

    def __init__(self, weight, head=None):
        self.weight, self.head, self.shapes = weight, head, []

    def __call__(self, batch):
        self.shapes.append(batch.shape)
        return np.tanh(np.einsum("oc,bc...->bo...", self.weight, batch)).astype(np.float32)


def values(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def test_an_axis_is_covered_by_windows_half_a_window_apart_and_the_last_ends_with_it():
    found = along(100, 32, overlap=0.5)
    assert found.starts == (0, 16, 32, 48, 64, 68)
    assert found.sums.shape == (100,)
    assert found.sums.min() > 0


def test_a_pointwise_network_gives_in_windows_what_it_gives_whole():
    array, net = values(2, 21, 30, 17), Pointwise(values(3, 2))
    assert np.allclose(outputs(array, [net], Window((8, 16, 8))), net(array[None])[0], atol=1e-5)


def test_an_image_smaller_than_the_window_is_seen_amid_zeros_and_cut_again():
    array, net = values(1, 5, 30, 7), Pointwise(values(2, 1))
    assert np.allclose(outputs(array, [net], Window((8, 16, 8))), net(array[None])[0], atol=1e-5)
    assert all(shape[2:] == (8, 16, 8) for shape in net.shapes[:-1])


def test_batches_change_no_result():
    array, net = values(1, 20, 30, 17), Pointwise(values(2, 1))
    one = outputs(array, [net], Window((8, 8, 8)))
    assert np.array_equal(one, outputs(array, [net], Window((8, 8, 8), batch=7)))
    assert max(shape[0] for shape in net.shapes) == 7


class Changing(Pointwise):
    """A network of PyTorch's that changes what it is given, as in-place layers do."""

    def __call__(self, batch):
        given = torch.from_numpy(np.ascontiguousarray(batch, np.float32))
        return given.sub_(1.0).mul_(2.0).numpy()


@pytest.mark.parametrize("roi", [(8, 8, 8), (8, 30, 17), (20, 30, 17), (1, 30, 17)])
def test_a_network_that_changes_its_input_changes_no_image_and_no_other_window(roi):
    array = values(1, 20, 30, 17)
    array.setflags(write=False)
    before = array.copy()
    assert np.allclose(outputs(array, [Changing(values(1, 1))], Window(roi)), 2 * (before - 1), atol=1e-5)
    assert np.array_equal(array, before)
    array = before.copy()  # one that may be written to
    assert np.allclose(outputs(array, [Changing(values(1, 1))], Window(roi)), 2 * (before - 1), atol=1e-5)
    assert np.array_equal(array, before)


def test_slices_are_handed_on_in_order_each_once():
    array, net = values(1, 37, 16, 16), Pointwise(values(2, 1))
    found = [(part.start, part.values.shape[1]) for part in parts(array, net, Window((8, 8, 8)))]
    assert [start for start, _ in found] == np.cumsum([0, *(count for _, count in found)])[:-1].tolist()
    assert sum(count for _, count in found) == 37


def test_a_head_after_averaging_gives_the_outputs_of_a_head_before():
    array, weight, head = values(1, 20, 18, 17), values(4, 1), Head(values(9, 4), values(9))
    apart, joined = Pointwise(weight, head), Pointwise(weight)
    features = outputs(array, [joined], Window((8, 8, 8)))
    expected = np.einsum("of,fkrc->okrc", head.weight, features) + head.bias[:, None, None, None]
    assert np.allclose(outputs(array, [apart], Window((8, 8, 8))), expected, atol=1e-4)
    found = labels(array, [apart], Window((8, 8, 8)))
    assert found.dtype == np.uint8
    assert np.mean(found == expected.argmax(0)) > 0.9999


def test_a_head_of_few_outputs_is_applied_in_each_window_and_changes_no_result():
    array, weight, head = values(1, 20, 18, 17), values(6, 1), Head(values(2, 6), values(2))
    part = next(parts(array, Pointwise(weight, head), Window((8, 8, 8))))
    assert part.head is None
    assert part.values.shape[0] == 2
    features = outputs(array, [Pointwise(weight)], Window((8, 8, 8)))
    expected = np.einsum("of,fkrc->okrc", head.weight, features) + head.bias[:, None, None, None]
    assert np.allclose(outputs(array, [Pointwise(weight, head)], Window((8, 8, 8))), expected, atol=1e-4)


def test_an_ensemble_is_the_average_of_its_outputs():
    array, nets = values(1, 20, 18, 17), [Pointwise(values(3, 1)) for _ in range(3)]
    each = [outputs(array, [net], Window((8, 8, 8))) for net in nets]
    assert np.allclose(outputs(array, nets, Window((8, 8, 8))), np.mean(each, axis=0), atol=1e-6)


def test_a_network_of_two_dimensions_sees_slices():
    array, net = values(2, 19, 20, 17), Pointwise(values(3, 2))
    whole = np.tanh(np.einsum("oc,ckrw->okrw", net.weight, array))
    assert np.allclose(outputs(array, [net], Window((1, 8, 8))), whole, atol=1e-5)
    assert all(len(shape) == 4 for shape in net.shapes)


def test_a_network_of_two_dimensions_takes_one_slice_alone():
    array, net = values(1, 1, 20, 17), Pointwise(values(3, 1))
    assert outputs(array, [net], Window((1, 8, 8))).shape == (3, 1, 20, 17)


def test_neighbouring_slices_are_channels_channel_by_channel_and_the_outermost_is_repeated():
    array = values(2, 11, 8, 8)
    weight = np.eye(6, dtype=np.float32)
    found = outputs(array, [Pointwise(weight)], Window((1, 8, 8), neighbours=1))
    for channel in range(2):
        for place, offset in enumerate((-1, 0, 1)):
            near = array[channel, np.clip(np.arange(11) + offset, 0, 10)]
            assert np.allclose(found[3 * channel + place], np.tanh(near), atol=1e-5)


def test_memory_does_not_grow_with_the_classes():
    array, weight = values(1, 64, 64, 64), values(8, 1)

    def peak(classes):
        net, window = Pointwise(weight, Head(values(classes, 8), values(classes))), Window((16, 16, 16))
        labels(array, [net], window)
        tracemalloc.start()
        labels(array, [net], window)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    few, many = peak(14), peak(104)
    assert many - few < 104 * 2**15 * 4 * 2  # scores of some voxels at a time, twice while they are added to
    assert many < 104 * 64**3 * 4 / 3


def test_more_than_256_classes_get_wider_labels():
    net = Pointwise(values(4, 1), Head(values(300, 4), values(300)))
    assert labels(values(1, 8, 8, 8), [net], Window((8, 8, 8))).dtype == np.uint16


def test_of_equal_outputs_the_first_counts():
    net = Pointwise(np.zeros((5, 1), np.float32))
    assert not labels(values(1, 8, 8, 8), [net], Window((8, 8, 8))).any()


def test_outputs_of_another_size_are_refused():
    class Halving(Pointwise):
        def __call__(self, batch):
            return super().__call__(batch)[:, :, ::2]

    with pytest.raises(UsageError, match="of the size"):
        outputs(values(1, 8, 8, 8), [Halving(values(2, 1))], Window((8, 8, 8)))


def test_values_that_are_no_numbers_are_refused_whatever_becomes_of_them():
    class Damaged(Pointwise):
        def __call__(self, batch):
            found = super().__call__(batch)
            found[:, 0, 0, 0, 0] = np.nan
            return found

    for made in (labels, outputs):
        with pytest.raises(InputError, match="no numbers"):
            made(values(1, 8, 8, 8), [Damaged(values(2, 1))], Window((8, 8, 8)))


def test_windows_that_make_no_sense_are_refused():
    for wrong in ({"roi": (0, 8, 8)}, {"roi": (8, 8)}, {"roi": (8, 8, 8), "overlap": 1.0}):
        with pytest.raises(UsageError):
            Window(**wrong)
    for wrong in ({"batch": 0}, {"neighbours": 1}):
        with pytest.raises(UsageError):
            Window((8, 8, 8), **wrong)


def test_networks_of_other_plans_make_no_ensemble():
    nets = [Pointwise(values(3, 1)), Pointwise(values(3000, 1))]
    with pytest.raises(UsageError):
        labels(values(1, 8, 32, 32), nets, Window((8, 8, 8)))
    with pytest.raises(UsageError, match="one network"):
        labels(values(1, 8, 8, 8), [], Window((8, 8, 8)))


class OnDevice(Pointwise):
    """The same network for tensors, which stay where they are, as on a GPU."""

    device = "cpu:0"

    def __call__(self, batch):
        assert isinstance(batch, torch.Tensor)
        return torch.from_numpy(super().__call__(batch.numpy()))


@pytest.mark.parametrize("window", [Window((8, 16, 8)), Window((8, 8, 8), batch=3), Window((1, 30, 17), neighbours=1)])
@pytest.mark.parametrize("head", [None, Head(values(3, 2), values(3)), Head(values(2, 4), values(2))])
def test_tensors_on_a_device_give_what_arrays_give(window, head):
    array = values(1, 21, 30, 17)
    weight = values(2 if head is None else head.weight.shape[1], 2 * window.neighbours + 1)
    by_arrays, by_tensors = Pointwise(weight, head), OnDevice(weight, head)
    assert np.allclose(outputs(array, [by_tensors], window), outputs(array, [by_arrays], window), atol=1e-5)
    assert np.mean(labels(array, [by_tensors], window) == labels(array, [by_arrays], window)) > 0.999
