"""OpenVINO as a runtime on the CPU. It reads ONNX as it is: its converter, which sends telemetry, is never called."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from isocenter.errors import InputError, UsageError
from isocenter.extras import needed
from isocenter.nets.runtimes import Head
from isocenter.nets.runtimes.members import Members
from isocenter.nets.runtimes.onnx_runtime import threads
from isocenter.nets.runtimes.tracing import expect_fits, onnx_of


@dataclass(frozen=True, eq=False)
class OpenVinoRuntime:
    """A network that OpenVINO runs."""

    name: str
    device: str
    head: Head | None
    network: Any = field(repr=False)

    def __call__(self, batch: Any) -> Any:
        """As :class:`isocenter.nets.runtimes.Runtime` has it."""
        wanted = self.network.inputs[0].partial_shape
        expect_fits(batch.shape, [n.get_length() if n.is_static else "any" for n in wanted])
        return self.network(np.ascontiguousarray(batch, np.float32), share_inputs=True)[0]


def opened(members: Members, device: str, precision: str) -> OpenVinoRuntime:  # noqa: ARG001
    """The network compiled for the CPU, in float32 even where the processor would halve it."""
    if device != "cpu":
        raise UsageError("OpenVINO runs on the CPU here: take the device cpu.")
    openvino = needed("openvino", "runtimes")
    try:
        read = openvino.Core().read_model(onnx_of(members.network, members.onnx, members.plan))
    except RuntimeError as error:
        raise InputError(f"OpenVINO cannot load this network: {str(error).strip().splitlines()[-1]}") from error
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads(), "PERFORMANCE_HINT": "LATENCY"}
    return OpenVinoRuntime("openvino", device, members.head, openvino.Core().compile_model(read, "CPU", settings))
