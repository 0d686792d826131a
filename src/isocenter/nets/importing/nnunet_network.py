"""The two networks of nnU-Net v2, so that its weights run without its packages: plain and residual-encoder U-Nets.

Written after dynamic_network_architectures (PlainConvUNet, ResidualEncoderUNet; Apache 2.0), whose names of weights are
kept; only its ``decoder.seg_layers`` are fewer: the last is ``head``, the others are for learning alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from isocenter.errors import UsageError
from isocenter.nets.plan import Plan

KINDS = ("PlainConvUNet", "ResidualEncoderUNet")
_LAYERS = {2: (nn.Conv2d, nn.ConvTranspose2d, nn.AvgPool2d), 3: (nn.Conv3d, nn.ConvTranspose3d, nn.AvgPool3d)}
_ALLOWED = {
    *("torch.nn.InstanceNorm3d", "torch.nn.InstanceNorm2d", "torch.nn.BatchNorm3d", "torch.nn.BatchNorm2d"),
    *("torch.nn.LeakyReLU", "torch.nn.ReLU", "torch.nn.SiLU", "torch.nn.GELU"),
    *("torch.nn.modules.instancenorm.InstanceNorm3d", "torch.nn.modules.instancenorm.InstanceNorm2d"),
    *("torch.nn.modules.batchnorm.BatchNorm3d", "torch.nn.modules.batchnorm.BatchNorm2d"),
    *("torch.nn.modules.activation.LeakyReLU", "torch.nn.modules.activation.ReLU"),
}


def nnunet(plan: Plan) -> NnUNet:
    """The network of a plan that was imported from nnU-Net.

    Options
    -------
    kind
        ``"PlainConvUNet"`` or ``"ResidualEncoderUNet"``.
    arguments
        Those of the class, as nnU-Net's plans have them, in plain values.
    """
    kind = plan.network.options.get("kind")
    if kind not in KINDS:
        raise UsageError(f"nnU-Net's network is one of {', '.join(KINDS)}; not {kind!r}.")
    return NnUNet(kind, plan.network.options["arguments"], (plan.inputs, plan.output_channels), plan.dimensions)


class NnUNet(nn.Module):
    """See the module; ``forward(x) == head(features(x))``.

    Parameters
    ----------
    kind
        One of :data:`KINDS`.
    arguments
        Of the class.
    channels
        Of the input, and of the output.
    dimensions
        2 or 3.
    """

    def __init__(self, kind: str, arguments: Mapping[str, Any], channels: tuple[int, int], dimensions: int) -> None:
        super().__init__()
        stages = _Stages(arguments, dimensions)
        self.encoder = (_ResidualEncoder if kind == KINDS[1] else _PlainEncoder)(stages, channels[0])
        self.decoder = _Decoder(stages)
        self.head = stages.convolution(stages.features[0], channels[1], 1)

    def features(self, batch: Tensor) -> Tensor:
        """What the head sees."""
        found: Tensor = self.decoder(self.encoder(batch))
        return found

    def forward(self, batch: Tensor) -> Tensor:
        """Outputs of every voxel."""
        outputs: Tensor = self.head(self.features(batch))
        return outputs


class _Stages:
    """The arguments, one for each stage, and the layers that they name."""

    def __init__(self, arguments: Mapping[str, Any], dimensions: int) -> None:
        count = int(arguments["n_stages"])

        def each(values: Any, number: int = count) -> list[Any]:
            return list(values) if isinstance(values, Sequence) else [values] * number

        self.convolution, self.transposed, self.pooling = _LAYERS[dimensions]
        self.features = each(arguments["features_per_stage"])
        self.kernels = [_axes(one, dimensions) for one in each(arguments["kernel_sizes"])]
        self.strides = [_axes(one, dimensions) for one in each(arguments["strides"])]
        self.depths = each(arguments.get("n_blocks_per_stage", arguments.get("n_conv_per_stage")))
        self.decoder_depths = each(arguments["n_conv_per_stage_decoder"], count - 1)
        self.bias = bool(arguments.get("conv_bias"))
        self.norm, self.norm_options = _layer(arguments.get("norm_op")), arguments.get("norm_op_kwargs") or {}
        self.nonlinear, self.nonlinear_options = _layer(arguments.get("nonlin")), arguments.get("nonlin_kwargs") or {}

    def activation(self) -> nn.Module:
        made: nn.Module = self.nonlinear(**self.nonlinear_options) if self.nonlinear else nn.Identity()
        return made


class _Convolved(nn.Module):
    """Convolution, normalisation, activation."""

    def __init__(self, stages: _Stages, channels: tuple[int, int], kernel: Sequence[int], *, last: str = "") -> None:
        super().__init__()
        bias = stages.bias and last != "skip"
        self.conv = stages.convolution(*channels, kernel, padding=[(k - 1) // 2 for k in kernel], bias=bias)
        self.norm = stages.norm(channels[1], **stages.norm_options) if stages.norm else nn.Identity()
        self.nonlin = nn.Identity() if last else stages.activation()

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.nonlin(self.norm(self.conv(x)))
        return found


class _Stack(nn.Module):
    """Convolutions one after the other, the first with a stride."""

    def __init__(
        self, stages: _Stages, channels: tuple[int, int], kernel: Sequence[int], *, depth: int, stride: Sequence[int]
    ) -> None:
        super().__init__()
        into, out = channels
        self.convs = nn.Sequential(
            *(_Convolved(stages, (out if n else into, out), kernel) for n in range(depth)),
        )
        self.convs[0].conv.stride = tuple(stride)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.convs(x)
        return found


class _PlainEncoder(nn.Module):
    def __init__(self, stages: _Stages, channels: int) -> None:
        super().__init__()
        self.stages = nn.Sequential()
        for out, kernel, stride, depth in zip(
            stages.features, stages.kernels, stages.strides, stages.depths, strict=True
        ):
            self.stages.append(nn.Sequential(_Stack(stages, (channels, out), kernel, depth=depth, stride=stride)))
            channels = out

    def forward(self, x: Tensor) -> list[Tensor]:
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found


class _ResidualEncoder(_PlainEncoder):
    def __init__(self, stages: _Stages, channels: int) -> None:
        nn.Module.__init__(self)
        first = stages.features[0]
        one = [1] * len(stages.kernels[0])
        self.stem = _Stack(stages, (channels, first), stages.kernels[0], depth=1, stride=one)
        self.stages = nn.Sequential()
        channels = first
        for out, kernel, stride, depth in zip(
            stages.features, stages.kernels, stages.strides, stages.depths, strict=True
        ):
            self.stages.append(_Blocks(stages, (channels, out), kernel, depth=depth, stride=stride))
            channels = out

    def forward(self, x: Tensor) -> list[Tensor]:
        return super().forward(self.stem(x))


class _Blocks(nn.Module):
    def __init__(
        self, stages: _Stages, channels: tuple[int, int], kernel: Sequence[int], *, depth: int, stride: Sequence[int]
    ) -> None:
        super().__init__()
        into, out = channels
        one = [1] * len(kernel)
        self.blocks = nn.Sequential(
            *(_Block(stages, (out if n else into, out), kernel, one if n else stride) for n in range(depth))
        )

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.blocks(x)
        return found


class _Block(nn.Module):
    """Two convolutions beside a short cut, averaged where the stage is coarser."""

    def __init__(
        self, stages: _Stages, channels: tuple[int, int], kernel: Sequence[int], stride: Sequence[int]
    ) -> None:
        super().__init__()
        into, out = channels
        self.conv1 = _Convolved(stages, (into, out), kernel)
        self.conv1.conv.stride = tuple(stride)
        self.conv2 = _Convolved(stages, (out, out), kernel, last="block")
        self.nonlin2 = stages.activation()
        self.skip = nn.Sequential()
        if max(stride) > 1:
            self.skip.append(stages.pooling(tuple(stride), tuple(stride)))
        if into != out:
            self.skip.append(_Convolved(stages, (into, out), [1] * len(kernel), last="skip"))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.nonlin2(self.conv2(self.conv1(x)) + self.skip(x))
        return found


class _Decoder(nn.Module):
    def __init__(self, stages: _Stages) -> None:
        super().__init__()
        self.stages, self.transpconvs = nn.ModuleList(), nn.ModuleList()
        one = [1] * len(stages.kernels[0])
        for n in range(len(stages.features) - 1, 0, -1):
            below, out, stride = stages.features[n], stages.features[n - 1], tuple(stages.strides[n])
            self.transpconvs.append(stages.transposed(below, out, stride, stride, bias=stages.bias))
            depth = stages.decoder_depths[-n]
            self.stages.append(_Stack(stages, (2 * out, out), stages.kernels[n - 1], depth=depth, stride=one))

    def forward(self, skips: list[Tensor]) -> Tensor:
        x = skips[-1]
        for stage, up, skip in zip(self.stages, self.transpconvs, skips[-2::-1], strict=True):
            x = stage(torch.cat((up(x), skip), 1))
        return x


def _axes(value: Any, dimensions: int) -> list[int]:
    return [int(n) for n in value] if isinstance(value, Sequence) else [int(value)] * dimensions


def _layer(name: Any) -> Any:
    """The class of a name, if it is one of torch's that nnU-Net uses."""
    if not name:
        return None
    if name not in _ALLOWED:
        raise UsageError(f"nnU-Net's plan names the layer {name!r}; known are torch's normalisations and activations.")
    return getattr(nn, str(name).rpartition(".")[2])
