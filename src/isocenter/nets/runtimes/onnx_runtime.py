"""ONNX Runtime as a runtime; on a GPU its CUDA or TensorRT provider."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from isocenter.errors import InputError, MissingExtra, UsageError
from isocenter.extras import needed
from isocenter.nets.runtimes import Head
from isocenter.nets.runtimes.members import Members
from isocenter.nets.runtimes.tracing import expect_fits, onnx_of

_ON_GPU = {"onnx": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}


@dataclass(frozen=True, eq=False)
class OnnxRuntime:
    """A network that ONNX Runtime runs."""

    name: str
    device: str
    head: Head | None
    session: Any = field(repr=False)

    def __call__(self, batch: Any) -> Any:
        """As :class:`isocenter.nets.runtimes.Runtime` has it."""
        taken = self.session.get_inputs()[0]
        expect_fits(batch.shape, taken.shape)
        if self.device == "cuda":
            return self._on_gpu(batch)
        return self.session.run(None, {taken.name: np.ascontiguousarray(batch, np.float32)})[0]

    def _on_gpu(self, batch: Any) -> Any:
        """Outputs of a tensor, which stays on the GPU, as one that does."""
        import torch

        tensor = torch.as_tensor(batch, dtype=torch.float32, device="cuda").contiguous()
        torch.cuda.current_stream().synchronize()  # ONNX Runtime works on a stream of its own
        binding = self.session.io_binding()
        binding.bind_input(
            self.session.get_inputs()[0].name, "cuda", 0, np.float32, tuple(tensor.shape), tensor.data_ptr()
        )
        binding.bind_output(self.session.get_outputs()[0].name, "cuda", 0)
        self.session.run_with_iobinding(binding)
        return torch.from_dlpack(binding.get_outputs()[0].to_dlpack()).clone()


def opened(members: Members, device: str, precision: str, name: str = "onnx") -> OnnxRuntime:  # noqa: ARG001
    """The network in a session on a device."""
    ort = needed("onnxruntime", "runtimes")
    provider = "CPUExecutionProvider" if device == "cpu" else _ON_GPU[name]
    if provider not in ort.get_available_providers():
        raise MissingExtra(f"onnxruntime-gpu (its {provider} is not here)", "runtimes")
    data = onnx_of(members.network, members.onnx, members.plan)
    return OnnxRuntime(name, device, members.head, session_of(data, provider))


def tensorrt(members: Members, device: str, precision: str) -> OnnxRuntime:
    """The network in a session whose provider is TensorRT."""
    if device != "cuda":
        raise UsageError("TensorRT runs on a GPU: take the device cuda.")
    return opened(members, device, precision, "tensorrt")


def session_of(data: bytes, provider: str = "CPUExecutionProvider") -> Any:
    """A session of an ONNX file's bytes, with as many threads as this process may use.

    Raises
    ------
    InputError
        If they are damaged, or need operators that ONNX Runtime does not know.
    """
    ort = needed("onnxruntime", "runtimes")
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads()
    try:
        return ort.InferenceSession(data, options, providers=[provider])
    except Exception as error:
        raise InputError(f"ONNX Runtime cannot load this network: {str(error).splitlines()[0]}") from error


def threads() -> int:
    """Threads that torch would take, so that runtimes share a computer alike."""
    import torch

    return min(int(torch.get_num_threads()), os.cpu_count() or 1)
