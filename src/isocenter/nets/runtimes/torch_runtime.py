"""torch as a runtime, as it is or compiled. The CPU's arrays are NumPy's and shared with torch, not copied."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from isocenter.errors import UsageError
from isocenter.nets.runtimes import Head
from isocenter.nets.runtimes.members import Members


@dataclass(frozen=True, eq=False)
class TorchRuntime:
    """A network that torch runs."""

    name: str
    device: str
    head: Head | None
    network: Any = field(repr=False)
    precision: str = "float32"

    def __call__(self, batch: Any) -> Any:
        """As :class:`isocenter.nets.runtimes.Runtime` has it."""
        with torch.inference_mode(), torch.autocast(self.device, torch.bfloat16, self.precision == "bfloat16"):
            found = self.network(as_tensor(batch).to(self.device)).float()
        return found.numpy() if self.device == "cpu" else found


def opened(members: Members, device: str, precision: str, name: str = "torch") -> TorchRuntime:
    """The network on a device."""
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("torch finds no GPU of CUDA here: take the device cpu.")
    network = members.expect_network(name).to(device)
    return TorchRuntime(name, device, members.head, network, precision)


def compiled(members: Members, device: str, precision: str) -> TorchRuntime:
    """The network compiled, which takes tens of seconds at the first batch of each shape."""
    if device == "cpu":
        _expect_compiler()
    runtime = opened(members, device, precision, "compiled")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's compiler uses what torch itself calls old
        return TorchRuntime("compiled", device, members.head, torch.compile(runtime.network), precision)


def as_tensor(batch: Any) -> torch.Tensor:
    """A batch as a tensor that shares its memory; it is only read, so that a read-only array will do."""
    if isinstance(batch, torch.Tensor):
        return batch
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(np.ascontiguousarray(batch, np.float32))


def _expect_compiler() -> None:
    """Tell a caller whose computer has no C++ compiler before the first batch does."""
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except (InvalidCxxCompiler, OSError) as error:
        text = "torch.compile needs a C++ compiler, and none is found here: install g++, or take the runtime torch."
        raise UsageError(text) from error
