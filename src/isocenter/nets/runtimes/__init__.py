"""Runtimes: what turns patches into outputs, each by one interface.

==============  =============================================================  ==============
name            what runs                                                      device
==============  =============================================================  ==============
``torch``       the network as it is                                           cpu, cuda
``compiled``    the same through ``torch.compile``; needs a C++ compiler       cpu, cuda
``onnx``        ONNX Runtime                                                   cpu, cuda
``openvino``    OpenVINO                                                       cpu
``tensorrt``    TensorRT through ONNX Runtime, where its provider is present   cuda
==============  =============================================================  ==============

What patches there are, and what becomes of the outputs, lives in ``window`` and ``predict``. A server elsewhere fits
in as one more line of the table: it is called with a batch and gives outputs, and its weights never come here.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from isocenter.errors import InputError, UsageError, expect_word
from isocenter.volume import Array

if TYPE_CHECKING:
    from isocenter.nets.models.model import Model

Precision = Literal["float32", "bfloat16"]
Device = Literal["cpu", "cuda"]

RUNTIMES: Mapping[str, str] = MappingProxyType(
    {
        "torch": "isocenter.nets.runtimes.torch_runtime:opened",
        "compiled": "isocenter.nets.runtimes.torch_runtime:compiled",
        "onnx": "isocenter.nets.runtimes.onnx_runtime:opened",
        "openvino": "isocenter.nets.runtimes.openvino_runtime:opened",
        "tensorrt": "isocenter.nets.runtimes.onnx_runtime:tensorrt",
    }
)
"""Where each runtime is opened: a function of what runs (:class:`.members.Members`), the device and the precision."""


OWN = "own"
"""Names the runtime that a model's weights are for."""


@dataclass(frozen=True, eq=False)
class Head:
    """The last layer of a network where it is linear in each voxel: outputs = weight @ features + bias.

    Kept apart, features can be averaged over windows in place of outputs, which gives the same outputs: memory then
    does not grow with the number of classes, and the head runs once for each voxel.

    Parameters
    ----------
    weight
        float32 (output, feature).
    bias
        float32 (output,).

    Raises
    ------
    InputError
        If a number of them is none: weights that are damaged.
    """

    weight: Array
    bias: Array

    def __post_init__(self) -> None:
        if not (np.isfinite(self.weight).all() and np.isfinite(self.bias).all()):
            raise InputError("The network's last layer holds values that are no finite numbers: it is damaged.")


class Runtime(Protocol):
    """A network that runs.

    Attributes
    ----------
    name
        ``"torch"``, ``"onnx"``, ...
    device
        ``"cpu"`` or ``"cuda"``.
    head
        The last layer, if :meth:`__call__` leaves it out.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def device(self) -> str: ...  # noqa: D102

    @property
    def head(self) -> Head | None: ...  # noqa: D102

    def __call__(self, batch: Any) -> Any:
        """Outputs, or features where there is a head, of a batch (batch, channel, *space), float32.

        On the CPU arrays are NumPy's, on a GPU tensors on it.
        """
        ...


def runtime_name(model: Model, name: str = OWN) -> str:
    """A runtime by its name; by ``"own"`` ONNX Runtime for a model that is ONNX, and torch for all others."""
    if name != OWN:
        return name
    return "onnx" if model.runtime == "onnx" else "torch"


def open_runtime(
    model: Model,
    name: str = OWN,
    *,
    device: Device = "cpu",
    precision: Precision = "float32",
    member: int | None = None,
) -> Runtime:
    """A model, ready to run.

    The members of an ensemble run as one, which gives the mean of their outputs (before softmax): as the mean over
    windows is one of outputs too, their order does not matter, and their heads join into one.

    Parameters
    ----------
    model
        The model; its weights are checked against their digests.
    name
        A key of :data:`RUNTIMES`, or ``"own"`` for that of :func:`runtime_name`.
    device
        Where it runs.
    precision
        ``"bfloat16"`` multiplies in 8 bits of mantissa and adds in float32, where torch deems that safe: about twice as
        fast on processors that can, label maps equal to a Dice of 0.986 to 0.994 on random weights. Of torch alone.
    member
        One member of an ensemble alone, from 0.

    Returns
    -------
    The runtime; it holds the weights in memory until it is dropped.

    Raises
    ------
    UsageError
        If there is no such runtime or device, or it does not run models of this kind.
    InputError
        If the weights are damaged.
    MissingExtra
        If a package is not installed.
    """
    expect_word(device, Device, "The device")
    expect_word(precision, Precision, "The precision")
    name = runtime_name(model, name)
    if name not in RUNTIMES:
        raise UsageError(f"There is no runtime {name!r}; there are: {', '.join(RUNTIMES)}.")
    if precision != "float32" and name not in ("torch", "compiled"):
        raise UsageError(f"The runtime {name} computes in float32; bfloat16 is torch's.")
    from isocenter.nets.runtimes.members import members_of

    module, _, function = RUNTIMES[name].partition(":")
    opened: Runtime = getattr(importlib.import_module(module), function)(members_of(model, member), device, precision)
    return opened
