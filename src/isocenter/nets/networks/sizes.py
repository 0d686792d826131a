"""Any size of input: continued by its border to what a network takes, and outputs cut back."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional


def padded(x: Tensor, multiple: Sequence[int]) -> Tensor:
    """The input, continued by its border to sizes that are multiples; the coarsest stage gets two voxels at least."""
    sizes = [-(-int(n) // m) * m for n, m in zip(x.shape[2:], multiple, strict=True)]
    if sizes == list(multiple):  # one voxel alone has no deviation to be normalised by
        sizes[-1] *= 2
    more = [size - int(n) for size, n in zip(sizes, x.shape[2:], strict=True)]
    if not any(more):
        return x
    return functional.pad(x, [part for n in reversed(more) for part in (0, n)], mode="replicate")


def cut(x: Tensor, size: Sequence[int]) -> Tensor:
    """The first voxels along each axis: what :func:`padded` added is taken away."""
    if tuple(x.shape[2:]) == tuple(size):
        return x
    return x[(..., *(slice(0, int(n)) for n in size))]
