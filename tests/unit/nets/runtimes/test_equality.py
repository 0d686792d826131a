"""Every runtime gives what torch gives, network by network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isocenter.errors import InputError, UsageError
from isocenter.nets.models.model import Model, save_model
from isocenter.nets.networks import build
from isocenter.nets.plan import Network, Plan
from isocenter.nets.runtimes import open_runtime, tracing
from isocenter.nets.runtimes.onnx_runtime import session_of

SMALL = {
    "residual_unet": {"features": [4, 8], "blocks": [1, 1]},
    "unet": {"features": [4, 8]},
    "segresnet": {"features": 8},
    "dynunet": {"features": [4, 8, 8], "strides": [1, 2, 2], "kernels": [3, 3, 3]},
}
LEAST_DICE = 0.999


def plan_of(name, labels=2):
    names = tuple(f"structure_{n}" for n in range(labels))
    return Plan("segmentation", ("MR",), names, Network(name, SMALL[name]), (16, 16, 16), spacing_mm=(1.0, 1.0, 1.0))


def model_of(folder, plan, members=1):
    torch.manual_seed(3)
    states = [build(plan).state_dict() for _ in range(members)]
    return save_model(Model("small", "1", plan, folder / "small", {}), states)


def batch_of(plan, count=2):
    array = np.random.default_rng(5).normal(size=(count, 1, *plan.patch)).astype(np.float32)
    array.flags.writeable = False
    return array


def outputs(runtime, batch):
    found = runtime(batch)
    if runtime.head is None:
        return found
    return np.einsum("of,bfkrc->bokrc", runtime.head.weight, found) + runtime.head.bias[:, None, None, None]


def dices(first, second, labels):
    first, second = first.argmax(1), second.argmax(1)
    for label in range(labels + 1):
        if total := (first == label).sum() + (second == label).sum():
            yield 2 * ((first == label) & (second == label)).sum() / total


@pytest.mark.parametrize("name", SMALL)
def test_every_runtime_gives_what_torch_gives(tmp_path, name):
    plan = plan_of(name)
    model, batch = model_of(tmp_path, plan), batch_of(plan)
    with torch.inference_mode():
        expected = outputs(open_runtime(model), batch)
    for runtime in ("onnx", "openvino"):
        found = outputs(open_runtime(model, runtime), batch)
        assert found.dtype == np.float32
        assert np.abs(found - expected).max() < 1e-4
        assert min(dices(found, expected, 2)) >= LEAST_DICE


def test_a_network_that_onnx_does_not_know_is_told_in_one_sentence(monkeypatch):
    def fails(*_, **__):
        raise torch.onnx.errors.OnnxExporterError("no such layer\nand much more")

    monkeypatch.setattr(torch.onnx, "export", fails)
    with pytest.raises(UsageError, match="cannot be written as ONNX: no such layer The runtime torch"):
        tracing.as_onnx(torch.nn.Identity(), (1, 1, 4, 4, 4))


def test_what_the_older_exporter_does_not_know_goes_by_the_newer(monkeypatch):
    def fails(network, batch):
        raise RuntimeError("unknown layer")

    monkeypatch.setattr(tracing, "_by_older", fails)
    network = torch.nn.Conv3d(1, 2, 3, padding=1).eval().requires_grad_(False)
    session = session_of(tracing.as_onnx(network, (1, 1, 4, 4, 4)))
    batch = np.random.default_rng(0).standard_normal((3, 1, 4, 4, 4), np.float32)
    found = session.run(None, {tracing.INPUT: batch})[0]
    assert np.abs(found - network(torch.from_numpy(batch)).numpy()).max() < 1e-5


def test_the_compiled_network_gives_what_torch_gives(tmp_path):
    plan = plan_of("residual_unet")
    model, batch = model_of(tmp_path, plan), batch_of(plan)
    expected = outputs(open_runtime(model), batch)
    assert np.abs(outputs(open_runtime(model, "compiled"), batch) - expected).max() < 1e-4


def test_a_head_of_many_outputs_is_left_out_and_gives_the_same_outputs(tmp_path):
    plan = plan_of("residual_unet", labels=20)
    model, batch = model_of(tmp_path, plan, members=2), batch_of(plan)
    apart = open_runtime(model)
    assert apart.head.weight.shape == (21, 8)  # four features of each member
    networks = [open_runtime(model, member=n) for n in (0, 1)]
    mean = np.mean([outputs(one, batch) for one in networks], axis=0)
    assert np.abs(outputs(apart, batch) - mean).max() < 1e-5
    for runtime in ("onnx", "openvino"):
        found = open_runtime(model, runtime)
        assert found.head.weight.shape == (21, 8)
        assert np.abs(outputs(found, batch) - mean).max() < 1e-4


def test_members_of_few_outputs_give_the_mean_of_their_outputs(tmp_path):
    plan = plan_of("residual_unet", labels=1)
    model, batch = model_of(tmp_path, plan, members=3), batch_of(plan)
    whole = open_runtime(model)
    assert whole.head is None
    mean = np.mean([outputs(open_runtime(model, member=n), batch) for n in range(3)], axis=0)
    assert np.abs(whole(batch) - mean).max() < 1e-5


def test_bfloat16_is_near(tmp_path):
    plan = plan_of("residual_unet")
    model, batch = model_of(tmp_path, plan), batch_of(plan)
    exact, near = open_runtime(model)(batch), open_runtime(model, precision="bfloat16")(batch)
    assert near.dtype == np.float32
    assert 0 < np.abs(exact - near).max() < 0.05 * np.abs(exact).max()


def test_the_same_batch_gives_the_same_bits_and_is_left_as_it_was(tmp_path):
    plan = plan_of("residual_unet")
    batch = batch_of(plan)
    before = batch.copy()
    for name in ("torch", "onnx", "openvino"):
        runtime = open_runtime(model_of(tmp_path, plan), name)
        assert np.array_equal(runtime(batch), runtime(batch))
        assert np.array_equal(batch, before)


def test_a_patch_of_another_shape_than_the_traced_one_is_refused(tmp_path):
    plan = plan_of("residual_unet")
    model = model_of(tmp_path, plan)
    for name in ("onnx", "openvino"):
        with pytest.raises(UsageError, match="was traced for patches of"):
            open_runtime(model, name)(np.zeros((1, 1, 24, 16, 16), np.float32))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("tensorflow", {}, "There is no runtime 'tensorflow'; there are: torch"),
        ("torch", {"device": "tpu"}, "The device is one of cpu, cuda"),
        ("torch", {"precision": "int8"}, "The precision is one of"),
        ("onnx", {"precision": "bfloat16"}, "computes in float32"),
        ("openvino", {"device": "cuda"}, "OpenVINO runs on the CPU"),
        ("tensorrt", {}, "TensorRT runs on a GPU"),
        ("tensorrt", {"device": "cuda"}, "TensorrtExecutionProvider is not here"),
        ("torch", {"member": 1}, "has 1 members"),
    ],
)
def test_a_wrong_runtime_is_told(tmp_path, name, options, message):
    model = model_of(tmp_path, plan_of("residual_unet"))
    with pytest.raises(UsageError, match=message):
        open_runtime(model, name, **options)


def test_a_computer_without_a_compiler_is_told_before_the_first_batch(tmp_path, monkeypatch):
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", (None, "no-such-compiler"))
    from torch._inductor import cpp_builder

    getattr(cpp_builder.get_cpp_compiler, "cache_clear", lambda: None)()
    getattr(cpp_builder.cpp_compiler_search, "cache_clear", lambda: None)() if hasattr(
        cpp_builder, "cpp_compiler_search"
    ) else None
    with pytest.raises(UsageError, match="needs a C\\+\\+ compiler"):
        open_runtime(model_of(tmp_path, plan_of("residual_unet")), "compiled")


def test_weights_that_were_changed_are_refused(tmp_path):
    model = model_of(tmp_path, plan_of("residual_unet"))
    path = model.folder / "weights_0.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="not those it was made with"):
        open_runtime(model)


def test_weights_of_another_network_are_refused(tmp_path):
    plan = plan_of("residual_unet")
    other = build(plan_of("residual_unet", labels=5)).state_dict()
    model = save_model(Model("small", "1", plan, tmp_path / "small", {}), [other])
    with pytest.raises(InputError, match="do not fit its network"):
        open_runtime(model)
