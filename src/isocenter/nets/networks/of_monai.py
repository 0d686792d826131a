"""MONAI's networks by name, with the names of their weights: a state of MONAI's own loads as it is.

What is ours: any size of input is taken, and the last layer is kept apart where it is a convolution of one voxel
(``features`` and ``head``). The U-Net of MONAI ends in a larger one and has no such head.
"""

from __future__ import annotations

from typing import Any, Self

import torch
from monai.networks import nets
from torch import Tensor, nn

from isocenter.errors import UsageError
from isocenter.nets.networks.options import expect_options
from isocenter.nets.networks.sizes import cut, padded
from isocenter.nets.networks.stages import Stages, stages_of
from isocenter.nets.plan import Plan


def unet(plan: Plan) -> UNet:
    """MONAI's U-Net with residual units (Kerfoot 2018).

    Options: ``features`` of each stage (16, 32, ... by default), ``strides`` of each, ``units`` (residual units of a
    stage, 2).
    """
    options = expect_options(plan, ("features", "strides", "units"))
    found = stages_of(plan, most=5)
    features = _features(options, found, first=16, most=256)
    if len(features) < 2:
        raise UsageError(f"This network has 2 stages or more, and features is told for {len(features)}.")
    return UNet(
        plan.dimensions,
        plan.inputs,
        plan.output_channels,
        channels=features,
        strides=found.strides[1:],
        num_res_units=options.get("units", 2),
    ).sized(found.multiple)


def dynunet(plan: Plan) -> DynUNet:
    """MONAI's DynUNet: the plain U-Net of nnU-Net (Isensee 2021).

    Options: ``features``, ``strides``, ``kernels`` of each stage; ``deep_supervision``: how many coarser outputs are
    learned beside the full one.
    """
    options = expect_options(plan, ("features", "strides", "kernels", "deep_supervision"))
    found = stages_of(plan)
    features = _features(options, found, first=32, most=320 if plan.dimensions == 3 else 512)
    deep, count = int(options.get("deep_supervision", 0)), len(found.strides)
    if count < 3:
        raise UsageError(f"DynUNet has 3 stages or more; a patch of {plan.patch} allows {count}.")
    if not 0 <= deep <= count - 2:
        raise UsageError(f"A network of {count} stages has at most {count - 2} coarser outputs, not {deep}.")
    return DynUNet(
        plan.dimensions,
        plan.inputs,
        plan.output_channels,
        kernel_size=found.kernels,
        strides=found.strides,
        upsample_kernel_size=found.strides[1:],
        filters=features,
        deep_supervision=deep > 0,
        deep_supr_num=max(deep, 1),
    ).sized(found.multiple)


def segresnet(plan: Plan) -> SegResNet:
    """MONAI's SegResNet (Myronenko 2018).

    Options: ``features`` of the first stage (16 by default, a multiple of 8), ``blocks`` of each stage down (1, 2, 2,
    4) and ``blocks_up`` (1, 1, 1).
    """
    options = expect_options(plan, ("features", "blocks", "blocks_up"))
    features, down = options.get("features", 16), tuple(options.get("blocks", (1, 2, 2, 4)))
    up = tuple(options.get("blocks_up", (1,) * (len(down) - 1)))
    if features % 8 or len(up) != len(down) - 1:
        raise UsageError("SegResNet has a multiple of 8 features, and blocks_up for each stage but the deepest.")
    return SegResNet(
        plan.dimensions,
        features,
        plan.inputs,
        plan.output_channels,
        blocks_down=down,
        blocks_up=up,
    ).sized((2 ** (len(down) - 1),) * plan.dimensions)


def swin_unetr(plan: Plan) -> SwinUNETR:
    """MONAI's Swin UNETR (Hatamizadeh 2022), which keeps little for the way back (gradient checkpointing).

    Options: ``features`` (48 by default, a multiple of 12), ``depths`` (2, 2, 2, 2), ``heads`` (3, 6, 12, 24).
    """
    options = expect_options(plan, ("features", "depths", "heads"))
    features = options.get("features", 48)
    if features % 12:
        raise UsageError(f"Swin UNETR has a multiple of 12 features, not {features}.")
    return SwinUNETR(
        plan.inputs,
        plan.output_channels,
        feature_size=features,
        depths=tuple(options.get("depths", (2, 2, 2, 2))),
        num_heads=tuple(options.get("heads", (3, 6, 12, 24))),
        use_checkpoint=True,
        spatial_dims=plan.dimensions,
    ).sized((32,) * plan.dimensions)


class AnySize(nn.Module):
    """Takes any size: before a network of MONAI, in its line of classes.

    Attributes
    ----------
    multiple
        Sizes that are taken as they are are multiples of these; others are continued by their border and cut.
    """

    multiple: tuple[int, ...] = ()

    def sized(self, multiple: tuple[int, ...]) -> Self:
        """This network, told what sizes it takes as they are."""
        self.multiple = multiple
        return self

    def features(self, x: Tensor) -> Tensor:
        """What the head sees: (batch, feature, *space) of the input's size."""
        return cut(self._headless(padded(x, self.multiple)), x.shape[2:])

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of the input's size."""
        out: Tensor = self.head(self.features(x))
        return out

    def _headless(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class UNet(AnySize, nets.UNet):
    """See :func:`unet`."""

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of the input's size."""
        return cut(self.model(padded(x, self.multiple)), x.shape[2:])


class DynUNet(AnySize, nets.DynUNet):
    """See :func:`dynunet`."""

    @property
    def head(self) -> nn.Module:
        """The last convolution."""
        last: nn.Module = self.output_block.conv.conv
        return last

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """Outputs of the input's size; while learning with deep supervision a list of them, the coarser ones after it.

        Raises
        ------
        UsageError
            If coarser outputs are learned from sizes that are no multiples.
        """
        out = super().forward(x)
        if not self.deep_supervision:
            return out
        coarser = list(self.heads)
        for n in range(len(self.heads)):  # MONAI keeps them with all that they hang on: such a network cannot be copied
            self.heads[n] = torch.zeros(1)
        if not self.training:
            return out
        if any(n % m for n, m in zip(x.shape[2:], self.multiple, strict=True)):
            raise UsageError(f"To learn with deep supervision give patches of multiples of {self.multiple}.")
        return [out, *coarser]

    def _headless(self, x: Tensor) -> Tensor:
        found: Tensor = self.skip_layers(x)
        return found


class SegResNet(AnySize, nets.SegResNet):
    """See :func:`segresnet`."""

    @property
    def head(self) -> nn.Module:
        """The last convolution."""
        last: nn.Module = self.conv_final[-1].conv
        return last

    def _headless(self, x: Tensor) -> Tensor:
        x, skips = self.encode(x)
        for up, join, skip in zip(self.up_samples, self.up_layers, reversed(skips[:-1]), strict=True):
            x = join(up(x) + skip)
        return self.conv_final[1](self.conv_final[0](x))


class SwinUNETR(AnySize, nets.SwinUNETR):
    """See :func:`swin_unetr`."""

    @property
    def head(self) -> nn.Module:
        """The last convolution."""
        last: nn.Module = self.out.conv.conv
        return last

    def _headless(self, x: Tensor) -> Tensor:
        hidden = self.swinViT(x, self.normalize)
        found = self.decoder5(self.encoder10(hidden[4]), hidden[3])
        found = self.decoder4(found, self.encoder4(hidden[2]))
        found = self.decoder3(found, self.encoder3(hidden[1]))
        found = self.decoder2(found, self.encoder2(hidden[0]))
        return self.decoder1(found, self.encoder1(x))


def _features(options: Any, found: Stages, *, first: int, most: int) -> tuple[int, ...]:
    count = len(found.strides)
    features = tuple(options.get("features", [min(first * 2**n, most) for n in range(count)]))
    if len(features) != count:
        raise UsageError(f"The network has {count} stages but {len(features)} features: give one for each stage.")
    return features
