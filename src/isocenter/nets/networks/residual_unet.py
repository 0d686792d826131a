"""The residual-encoder U-Net: the default network, in two and three dimensions.

After nnU-Net's ResEnc presets (Isensee 2024): residual blocks on the way down, one convolution per stage on the way up,
instance normalisation, leaky ReLU. What is ours: any size of input is taken, and the last layer is kept apart
(``features`` and ``head``), so that windows can be averaged before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter.errors import UsageError
from isocenter.nets.networks.options import expect_options
from isocenter.nets.networks.sizes import cut, padded
from isocenter.nets.networks.stages import Stages, stages_of
from isocenter.nets.plan import Plan

OPTIONS = ("features", "strides", "kernels", "blocks", "deep_supervision", "normalisation")
"""Options of :func:`residual_unet`."""

_SLOPE = 0.01


@dataclass(frozen=True)
class Layers:
    """The layers of one number of dimensions."""

    convolution: Any
    transposed: Any
    normalisation: Any
    pooling: Any

    @classmethod
    def of(cls, dimensions: int, normalisation: str = "instance") -> Layers:
        """Those of 2 or 3 dimensions."""
        names = ("Conv", "ConvTranspose", "InstanceNorm", "AvgPool")
        convolution, transposed, instance, pooling = (getattr(nn, f"{name}{dimensions}d") for name in names)
        normalised = partial(instance, affine=True) if normalisation == "instance" else Gain
        return cls(convolution, transposed, normalised, pooling)


class Gain(nn.Module):
    """A factor and an offset for each channel: what is left of a normalisation that normalises nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """The input, stretched and moved."""
        shape = (-1, *(1,) * (x.dim() - 2))
        return x * self.weight.view(shape) + self.bias.view(shape)


def residual_unet(plan: Plan) -> ResidualUNet:
    """The residual U-Net of a plan.

    Options
    -------
    features
        Channels of each stage; by default 32 for the first, twice as many for each further, 320 at most (512 in 2D).
    strides, kernels
        For each stage a number, or one for each axis; by default those that suit the patch and its spacing.
    blocks
        Residual blocks of each stage; by default 1, 3, 4, 6, 6, ... as nnU-Net's.
    deep_supervision
        How many coarser outputs are learned beside the full one; 0 by default.
    normalisation
        ``"instance"``, or ``"none"``: where the strength of what is seen counts, as for noise (Lim 2017).
    """
    return unet_of(plan, (plan.inputs, plan.output_channels))


def unet_of(plan: Plan, channels: tuple[int, int]) -> ResidualUNet:
    """The residual U-Net of a plan and its options, with other channels: the body of another network."""
    options = expect_options(plan, OPTIONS)
    found = stages_of(plan)
    most = 320 if plan.dimensions == 3 else 512
    count = len(found.strides)
    features = options.get("features", [min(32 * 2**n, most) for n in range(count)])
    blocks = options.get("blocks", [1, 3, 4, *[6] * count][:count])
    if not len(features) == len(blocks) == count:
        raise UsageError(
            f"The network has {count} stages, {len(features)} features and {len(blocks)} blocks: "
            "give one of each for every stage, or fewer features for fewer stages."
        )
    deep = int(options.get("deep_supervision", 0))
    if not 0 <= deep < max(count - 1, 1):
        raise UsageError(f"A network of {count} stages has at most {max(count - 2, 0)} coarser outputs, not {deep}.")
    layers = Layers.of(plan.dimensions, _normalisation(options.get("normalisation", "instance")))
    return ResidualUNet(channels, found, features=features, blocks=blocks, deep=deep, layers=layers)


def _normalisation(name: object) -> str:
    if name not in ("instance", "none"):
        raise UsageError(f"The normalisation is 'instance' or 'none', not {name!r}.")
    return str(name)


class Block(nn.Module):
    """Two convolutions beside a short cut (He 2016), the short cut averaged where the stage is coarser (ResNet-D)."""

    def __init__(self, layers: Layers, channels: tuple[int, int], kernel: Sequence[int], stride: Sequence[int]) -> None:
        super().__init__()
        into, out = channels
        padding = [k // 2 for k in kernel]
        self.first = layers.convolution(into, out, kernel, stride, padding, bias=False)
        self.first_norm = layers.normalisation(out)
        self.second = layers.convolution(out, out, kernel, 1, padding, bias=False)
        self.second_norm = layers.normalisation(out)
        self.pool = layers.pooling(tuple(stride), tuple(stride)) if max(stride) > 1 else nn.Identity()
        self.shortcut = nn.Identity()
        if into != out:
            self.shortcut = nn.Sequential(layers.convolution(into, out, 1, bias=False), layers.normalisation(out))

    def forward(self, x: Tensor) -> Tensor:
        """Half of the work is what the block adds to its input."""
        change = functional.leaky_relu(self.first_norm(self.first(x)), _SLOPE, inplace=True)
        change = self.second_norm(self.second(change))
        return functional.leaky_relu(change + self.shortcut(self.pool(x)), _SLOPE, inplace=True)


class ResidualUNet(nn.Module):
    """See the module.

    Parameters
    ----------
    channels
        Of the input, and of the output.
    stages
        Strides and kernels.
    features, blocks
        For each stage.
    deep
        Coarser outputs while learning.
    layers
        What it is made of.

    Attributes
    ----------
    multiple
        The sizes that are taken as they are are multiples of these; others are continued by their border and cut.
    head
        The last layer: ``forward(x) == head(features(x))`` when evaluating.
    """

    def __init__(
        self,
        channels: tuple[int, int],
        stages: Stages,
        *,
        features: Sequence[int],
        blocks: Sequence[int],
        layers: Layers,
        deep: int = 0,
    ) -> None:
        super().__init__()
        self.multiple = stages.multiple
        stem = stages.kernels[0]
        self.stem = _convolved(layers, (channels[0], features[0]), stem)
        self.encoder, self.up, self.decoder = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        into = features[0]
        for out, count, stride, kernel in zip(features, blocks, *stages, strict=True):
            one = (1,) * len(stride)
            further = (Block(layers, (out, out), kernel, one) for _ in range(count - 1))
            self.encoder.append(nn.Sequential(Block(layers, (into, out), kernel, stride), *further))
            into = out
        for n in range(len(features) - 1, 0, -1):
            out, stride = features[n - 1], stages.strides[n]
            self.up.append(layers.transposed(features[n], out, stride, stride))
            self.decoder.append(_convolved(layers, (2 * out, out), stages.kernels[n - 1]))
        self.head = layers.convolution(features[0], channels[1], 1)
        coarser = features[1 : 1 + deep]
        self.deep_heads = nn.ModuleList(layers.convolution(count, channels[1], 1) for count in coarser)
        self.apply(_started)

    def features(self, x: Tensor) -> Tensor:
        """What the head sees: (batch, feature, *space) of the input's size."""
        return self._decoded(x)[0]

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """Outputs of the input's size; while learning with deep supervision a list of them, the coarser ones after it.

        Raises
        ------
        UsageError
            If coarser outputs are learned from sizes that are no multiples, so that their voxels would lie askew.
        """
        found = self._decoded(x)
        full: Tensor = self.head(found[0])
        if not (self.training and self.deep_heads):
            return full
        if any(n % m for n, m in zip(x.shape[2:], self.multiple, strict=True)):
            raise UsageError(f"To learn with deep supervision give patches of multiples of {self.multiple}.")
        return [full, *(head(one) for head, one in zip(self.deep_heads, found[1:], strict=False))]

    def _decoded(self, x: Tensor) -> list[Tensor]:
        """Features of each stage on the way up, from the finest, which has the size of the input."""
        size = x.shape[2:]
        x = self.stem(padded(x, self.multiple))
        skips = []
        for stage in self.encoder:
            x = stage(x)
            skips.append(x)
        found = []
        for up, join, skip in zip(self.up, self.decoder, reversed(skips[:-1]), strict=True):
            x = join(torch.cat([up(x), skip], 1))
            found.append(x)
        return [cut(x, size), *reversed(found[:-1])]


def _convolved(layers: Layers, channels: tuple[int, int], kernel: Sequence[int]) -> nn.Sequential:
    """A convolution, normalised and rectified."""
    padding = [k // 2 for k in kernel]
    return nn.Sequential(
        layers.convolution(*channels, kernel, 1, padding, bias=False),
        layers.normalisation(channels[1]),
        nn.LeakyReLU(_SLOPE, inplace=True),
    )


def _started(module: nn.Module) -> None:
    """Fresh weights: He's for leaky ReLU; a block begins as its short cut."""
    if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d):
        nn.init.kaiming_normal_(module.weight, a=_SLOPE)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    if isinstance(module, Block):
        nn.init.zeros_(module.second_norm.weight)
