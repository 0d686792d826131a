"""Networks from an image to a better one: without noise, or of finer voxels. Both begin as what needs no learning.

Neither has a ``head``: what they give is the input and what is added to it.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from isocenter.errors import UsageError
from isocenter.nets.networks.options import expect_options
from isocenter.nets.networks.residual_unet import Layers, unet_of
from isocenter.nets.plan import Plan


def denoiser(plan: Plan) -> Denoiser:
    """A residual U-Net that tells the noise, which is taken away (Zhang 2017). Options: as ``residual_unet``.

    Nothing is normalised within it unless its options say so: that would hide how strong the noise is.
    """
    count = len(plan.channels)
    if plan.output_channels != count:
        raise UsageError(f"A denoiser gives as many channels as it takes, {count}; not {plan.output_channels}.")
    if plan.network.options.get("deep_supervision"):
        raise UsageError("A denoiser gives one image: leave deep_supervision at 0.")
    options = {"normalisation": "none", **plan.network.options}
    body = unet_of(replace(plan, network=replace(plan.network, options=options)), (plan.inputs, count))
    return Denoiser(body, plan.neighbours)


def super_resolution(plan: Plan) -> SuperResolution:
    """Residual convolutions on the coarse grid, and their channels shuffled to the fine one (Shi 2016, Lim 2017).

    Options: ``scale`` (2; a whole number, or one for each axis), ``features`` (32), ``blocks`` (6).
    """
    options = expect_options(plan, ("scale", "features", "blocks"))
    given = options.get("scale", 2)
    scale = (given,) * plan.dimensions if isinstance(given, int) else tuple(given)
    if len(scale) != plan.dimensions or any(not isinstance(one, int) or one < 1 for one in scale):
        raise UsageError(f"The scale is a whole number, or one for each of the {plan.dimensions} axes; not {given!r}.")
    count = len(plan.channels)
    if plan.output_channels != count:
        raise UsageError(f"Super-resolution gives as many channels as it takes, {count}; not {plan.output_channels}.")
    size = (int(options.get("features", 32)), int(options.get("blocks", 6)))
    return SuperResolution((plan.inputs, count), scale, size=size, neighbours=plan.neighbours)


class Denoiser(nn.Module):
    """See :func:`denoiser`.

    Attributes
    ----------
    body
        The network that tells the noise.
    """

    def __init__(self, body: nn.Module, neighbours: int) -> None:
        super().__init__()
        self.body = body
        self.multiple = body.multiple
        self.neighbours = neighbours
        nn.init.zeros_(body.head.weight)

    def forward(self, x: Tensor) -> Tensor:
        """The input less its noise, float32 (batch, channel, *space); of a slice with neighbours the slice."""
        noise: Tensor = self.body(x)
        return _middle(x, self.neighbours) - noise.float()


class SuperResolution(nn.Module):
    """See :func:`super_resolution`.

    Parameters
    ----------
    channels
        Of the input, and of the output.
    scale
        How many times as many voxels along each axis.
    size
        Features, and residual blocks.
    neighbours
        As of the plan.
    """

    def __init__(
        self, channels: tuple[int, int], scale: tuple[int, ...], *, size: tuple[int, int], neighbours: int = 0
    ) -> None:
        super().__init__()
        convolution = Layers.of(len(scale)).convolution
        features, blocks = size
        self.scale, self.neighbours = scale, neighbours
        self.multiple = (1,) * len(scale)
        self.stem = convolution(channels[0], features, 3, padding=1)
        self.blocks = nn.ModuleList(_plain_block(convolution, features) for _ in range(blocks))
        self.last = convolution(features, channels[1] * prod(scale), 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor) -> Tensor:
        """The finer image, float32 (batch, channel, *space times scale), of the same extent from face to face.

        It begins as the linearly interpolated input.
        """
        plain = "trilinear" if len(self.scale) == 3 else "bilinear"
        factors = [float(one) for one in self.scale]
        finer = functional.interpolate(
            _middle(x, self.neighbours).float(), scale_factor=factors, mode=plain, align_corners=False
        )
        found = self.stem(x)
        for block in self.blocks:
            found = found + block(found)
        return finer + shuffled(self.last(found), self.scale).float()


def shuffled(x: Tensor, scale: tuple[int, ...]) -> Tensor:
    """Channels in turn laid side by side as voxels: (batch, c * prod(scale), *space) to (batch, c, *space * scale)."""
    batch, channels, *space = x.shape
    axes = len(space)
    parts = x.reshape(batch, channels // prod(scale), *scale, *space)
    order = [0, 1]
    for n in range(axes):
        order += [2 + axes + n, 2 + n]
    return parts.permute(order).reshape(batch, -1, *(n * s for n, s in zip(space, scale, strict=True)))


def _plain_block(convolution: Any, features: int) -> nn.Sequential:
    """Without normalisation, which would take the contrast of an image away (Lim 2017)."""
    return nn.Sequential(
        convolution(features, features, 3, padding=1), nn.ReLU(), convolution(features, features, 3, padding=1)
    )


def _middle(x: Tensor, neighbours: int) -> Tensor:
    """Each channel's own slice, of channels that each come with their neighbours."""
    return x[:, neighbours :: 2 * neighbours + 1]
