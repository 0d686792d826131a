"""A network of torch as ONNX: the way to every runtime but torch's own."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch
from torch import nn

from isocenter.errors import UsageError
from isocenter.extras import needed
from isocenter.nets.plan import Plan

INPUT, OUTPUT = "image", "output"
_OPSET = 18
_NOTHING: Mapping[str, str] = MappingProxyType({})


def patch_shape(plan: Plan, batch: int) -> tuple[int, ...]:
    """Shape (batch, channel, *space) of what a network sees at once; two dimensions where the patch is one slice."""
    space = plan.patch[1:] if plan.patch[0] == 1 else plan.patch
    return (batch, plan.inputs, *space)


def as_onnx(network: nn.Module, shape: Sequence[int]) -> bytes:
    """ONNX of a network: batches of any number, of patches of this shape.

    Traced by torch's older exporter, which takes a fiftieth of the time of the newer one and gives the same values; by
    the newer one where the older does not know a layer, as of Swin UNETR.

    Raises
    ------
    UsageError
        If torch cannot trace it.
    """
    needed("onnx", "runtimes")
    batch = torch.zeros(2, *shape[1:])  # of two, so that no trace takes the batch for an axis of one
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        try:
            return _by_older(network, batch)
        except (RuntimeError, torch.onnx.errors.OnnxExporterError):
            return _by_newer(network, batch)


def _by_older(network: nn.Module, batch: torch.Tensor) -> bytes:
    torch._C._jit_set_onnx_log_output_stream("stderr")  # noqa: SLF001 - a failure tells its graph, whatever verbose is
    file = io.BytesIO()
    torch.onnx.export(
        network,
        (batch,),
        file,
        dynamo=False,
        opset_version=_OPSET,
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
    )
    return file.getvalue()


def _by_newer(network: nn.Module, batch: torch.Tensor) -> bytes:
    needed("onnxscript", "runtimes")
    try:
        made = torch.onnx.export(
            network,
            (batch,),
            dynamo=True,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
            verbose=False,
        )
    except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
        first = (str(error).strip().splitlines() or [""])[0]
        raise UsageError(f"This network cannot be written as ONNX: {first} The runtime torch runs it.") from error
    if made is None:
        raise UsageError("This network cannot be written as ONNX. The runtime torch runs it.")
    written: bytes = made.model_proto.SerializeToString()
    return written


def as_torchscript(network: nn.Module, shape: Sequence[int], extra: Mapping[str, str] = _NOTHING) -> bytes:
    """TorchScript of a network, traced for patches of this shape, with extra files by name."""
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode(mode=False), torch.no_grad():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(network, torch.zeros(*shape), check_trace=False)
        torch.jit.save(traced, file, _extra_files=dict(extra))
    return file.getvalue()


def onnx_of(network: nn.Module | None, onnx: bytes, plan: Plan) -> bytes:
    """What was given as ONNX, or the network traced."""
    return onnx if network is None else as_onnx(network, patch_shape(plan, 2))


def expect_fits(batch_shape: Sequence[int], wanted: Sequence[object]) -> None:
    """Tell a caller whose batch has another shape than a traced network; what is no number may be anything."""
    fits = len(batch_shape) == len(wanted) and all(
        not isinstance(n, int) or n == size for n, size in zip(wanted, batch_shape, strict=True)
    )
    if not fits:
        said = " x ".join(str(n) for n in wanted)
        given = " x ".join(map(str, batch_shape))
        raise UsageError(f"The network was traced for patches of {said}; a batch of {given} does not fit.")
