"""A detector by centres: a heat map of where something is, with its size and the rest of its place (Zhou 2019).

Outputs, (batch, output, *coarse), lie on a grid that is ``stride`` times as coarse as the input. In order:

- for each label the logit of its heat map: how likely its centre lies in this coarse voxel;
- for each axis the logarithm of the size, in voxels of the input;
- for each axis where in the coarse voxel the centre lies, in coarse voxels from its middle.

How they become boxes lives in :mod:`isocenter.nets.detecting`.
"""

from __future__ import annotations

import math
from dataclasses import replace

from torch import Tensor, nn

from isocenter.errors import UsageError
from isocenter.nets.networks.options import expect_options
from isocenter.nets.networks.residual_unet import OPTIONS, Layers, unet_of
from isocenter.nets.networks.sizes import cut, padded
from isocenter.nets.networks.strides import stride_of
from isocenter.nets.plan import Network, Plan

_RARE = 0.01  # what a heat map says at first, so that the many voxels without anything do not drown the few


def heatmap(plan: Plan) -> Heatmap:
    """A residual U-Net on a coarser grid, with the head of a detector.

    Options: ``stride`` (2 by default, or one for each axis), and those of ``residual_unet`` (``deep_supervision`` is
    none of them), whose stages begin at the coarse grid.
    """
    options = expect_options(plan, ("stride", *OPTIONS[:-1]))
    stride = stride_of(plan)
    steps = (1,) * (3 - plan.dimensions) + stride
    k, r, c = (-(-n // step) for n, step in zip(plan.patch, steps, strict=True))
    if plan.output_channels != len(plan.labels) + 2 * plan.dimensions:
        raise UsageError("A detector has a heat map for each label, and two outputs for each axis: leave outputs at 0.")
    inner = {name: value for name, value in options.items() if name != "stride"}
    inside = replace(plan, patch=(k, r, c), network=Network(plan.network.name, inner))
    if plan.spacing_mm:
        z, y, x = (one * step for one, step in zip(plan.spacing_mm, steps, strict=True))
        inside = replace(inside, spacing_mm=(z, y, x))
    width = inner.get("features", [32])[0]
    body = unet_of(inside, (width, plan.output_channels))
    return Heatmap(body, (plan.inputs, width, len(plan.labels)), stride)


class Heatmap(nn.Module):
    """See :func:`heatmap`.

    Attributes
    ----------
    stride
        How many times as coarse as the input the outputs are.
    head
        The last layer: ``forward(x) == head(features(x))``.
    """

    def __init__(self, body: nn.Module, channels: tuple[int, int, int], stride: tuple[int, ...]) -> None:
        super().__init__()
        inputs, width, labels = channels
        layers = Layers.of(len(stride))
        margin = [max(s // 2, 1) for s in stride]
        kernel = [s + 2 * m for s, m in zip(stride, margin, strict=True)]  # in the middle of its coarse voxel
        self.stem = nn.Sequential(
            layers.convolution(inputs, width, kernel, stride, margin, bias=False),
            layers.normalisation(width),
            nn.LeakyReLU(0.01),
        )
        self.body, self.stride = body, stride
        self.multiple = tuple(a * b for a, b in zip(stride, body.multiple, strict=True))
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)
        nn.init.constant_(self.head.bias[:labels], math.log(_RARE / (1 - _RARE)))

    @property
    def head(self) -> nn.Module:
        """The last convolution."""
        last: nn.Module = self.body.head
        return last

    def features(self, x: Tensor) -> Tensor:
        """What the head sees: (batch, feature, *coarse); the coarse grid covers the input, rounded up."""
        found = self.body.features(self.stem(padded(x, self.multiple)))
        return cut(found, [-(-int(n) // s) for n, s in zip(x.shape[2:], self.stride, strict=True)])

    def forward(self, x: Tensor) -> Tensor:
        """Heat maps, sizes and places, (batch, output, *coarse)."""
        out: Tensor = self.head(self.features(x))
        return out
