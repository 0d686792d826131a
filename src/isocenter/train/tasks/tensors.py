"""Patches as the tensors that a network takes: without the axis of slices where it has two dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from isocenter.nets.plan import Plan
from isocenter.train.patches import Patch


def as_images(patches: Sequence[Patch], plan: Plan) -> Any:
    """Images float32 (patch, channel, *space)."""
    return without_slices(torch.from_numpy(np.stack([one.image for one in patches])), plan)


def as_truth(patches: Sequence[Patch], plan: Plan) -> Any:
    """Labels int64 (patch, *space)."""
    labels = np.stack([np.asarray(one.labels) for one in patches]).astype(np.int64)
    return without_slices(torch.from_numpy(labels)[:, None], plan)[:, 0]


def without_slices(images: Any, plan: Plan) -> Any:
    """Tensors (patch, channel, slice, row, column) of a plan's patches, as its network takes them."""
    return images[:, :, 0] if plan.dimensions == 2 else images
