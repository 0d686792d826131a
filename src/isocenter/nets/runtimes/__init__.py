"""Runtimes: what turns patches into outputs. torch, compiled torch, ONNX Runtime, OpenVINO, TensorRT, by one interface.

What patches there are, and what becomes of the outputs, lives in ``window`` and ``predict``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from isocenter.volume import Array


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
    """

    weight: Array
    bias: Array


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

    name: str
    device: str
    head: Head | None

    def __call__(self, batch: Any) -> Any:
        """Outputs, or features where there is a head, of a batch (batch, channel, *space), float32.

        On the CPU arrays are NumPy's, on a GPU tensors on it.
        """
        ...
