"""A network that tells where one image lies in another (VoxelMorph: Balakrishnan 2019, Dalca 2019), and its warp.

A displacement is (batch, axis, *space) float32 **in voxels of the network's grid, in array order** (slice, row,
column): the fixed image at index ``i`` shows what the moving image shows at ``i + displacement[:, i]``. It leads from
fixed to moving, as :class:`isocenter.ops.registration.Transform` does; :func:`in_millimetres` brings it into the
patient (LPS), whatever the grid's axes are.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter.errors import UsageError
from isocenter.geometry import Grid
from isocenter.nets.networks.residual_unet import unet_of
from isocenter.nets.plan import Plan

_SQUARINGS = 7


def registration(plan: Plan) -> Registration:
    """A residual U-Net that tells a velocity, integrated to a displacement. Options: as ``residual_unet``.

    The first half of the channels is the fixed image, the second the moving one, both on one grid.
    """
    if len(plan.channels) % 2 or plan.neighbours:
        raise UsageError("A registration network takes the channels of the fixed image, then those of the moving one.")
    if plan.output_channels != plan.dimensions:
        raise UsageError(f"A displacement has {plan.dimensions} channels, not {plan.output_channels}.")
    if plan.network.options.get("deep_supervision"):
        raise UsageError("A registration network gives one displacement: leave deep_supervision at 0.")
    return Registration(unet_of(plan, (plan.inputs, plan.dimensions)))


class Registration(nn.Module):
    """See :func:`registration`. It begins at no displacement."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.multiple = body.multiple
        nn.init.normal_(body.head.weight, std=1e-5)

    def velocity(self, x: Tensor) -> Tensor:
        """The stationary velocity (batch, axis, *space), voxels per unit of time; its negative leads back."""
        found: Tensor = self.body(x)
        return found.float()

    def forward(self, x: Tensor) -> Tensor:
        """The displacement (batch, axis, *space) in voxels, from fixed to moving."""
        return integrated(self.velocity(x))


def integrated(velocity: Tensor, *, squarings: int = _SQUARINGS) -> Tensor:
    """Displacement after one unit of time along a stationary velocity, by scaling and squaring (Arsigny 2006)."""
    displacement = velocity / 2**squarings
    for _ in range(squarings):
        displacement = displacement + warped(displacement, displacement)
    return displacement


def warped(image: Tensor, displacement: Tensor) -> Tensor:
    """The moving image as the fixed one shows it: linear between voxels, its border going on outside.

    Parameters
    ----------
    image
        (batch, channel, *space).
    displacement
        (batch, axis, *space), in voxels.
    """
    space = displacement.shape[2:]
    axes = [torch.arange(n, dtype=torch.float32, device=displacement.device) for n in space]
    index = torch.stack(torch.meshgrid(*axes, indexing="ij")) + displacement.float()
    last = [max(int(n) - 1, 1) for n in image.shape[2:]]
    parts = [2 * index[:, n] / last[n] - 1 for n in reversed(range(len(space)))]  # grid_sample has columns first
    return functional.grid_sample(
        image.float(), torch.stack(parts, -1), mode="bilinear", padding_mode="border", align_corners=True
    )


def in_millimetres(displacement: npt.NDArray[np.float32], grid: Grid) -> npt.NDArray[np.float32]:
    """Displacement in LPS millimetres, as :class:`isocenter.ops.registration.Transform` keeps it.

    Parameters
    ----------
    displacement
        (3, slice, row, column) in voxels of the grid.
    grid
        The network's grid of the fixed image.

    Returns
    -------
    (slice, row, column, 3): x, y, z.
    """
    moved = np.einsum("wa,akrc->krcw", grid.affine[:3, :3].astype(np.float32), displacement)
    return np.ascontiguousarray(moved, np.float32)
