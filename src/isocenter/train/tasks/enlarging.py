"""Super-resolution by a network that gives more voxels than it takes, learned from block means of images.

A network for images on the finer grid already is taught in ``restoring``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from isocenter.geometry import Triple
from isocenter.nets.plan import Plan
from isocenter.train.cache import CachedCase
from isocenter.train.patches import Place, Sampling, cut, draw
from isocenter.train.tasks import Batch
from isocenter.train.tasks.quality import middle_of, quality
from isocenter.train.tasks.tensors import as_images


@dataclass(frozen=True, eq=False)
class Enlarging:
    """The task of giving an image the voxels that it had before blocks of them were averaged.

    Parameters
    ----------
    cases
        To learn from.
    held_out
        To validate on.
    plan
        Its patch is what the network takes.
    distance
        Of two images.
    times
        Voxels along (slice, row, column) of the output for one of the input.
    """

    cases: Sequence[CachedCase] = field(repr=False)
    held_out: Sequence[CachedCase] = field(repr=False)
    plan: Plan
    distance: Callable[[Any, Any], Any]
    times: Triple

    def sample(self, rng: np.random.Generator) -> Batch:
        """Block means of patches, and the patches."""
        k, r, c = (n * t for n, t in zip(self.plan.patch, self.times, strict=True))
        how = Sampling((k, r, c), foreground=0)
        fine = as_images([cut(place, how) for place in draw(self.cases, how, rng, count=self.plan.batch)], self.plan)
        return Batch(self._coarse(fine), fine)

    def loss(self, network: Any, batch: Batch) -> Any:
        """How far what the network gives is from the image as taken."""
        return self.distance(network(batch.images).float(), batch.truth)

    def validate(self, network: Any) -> Mapping[str, float]:
        """By how many decibels the network beats linear interpolation, over the middle of each held-out case."""
        if not self.held_out:
            return {}
        device, rows = next(network.parameters()).device, []
        for case in self.held_out:
            values: list[float] = []
            start, shape = middle_of(case.space, multiple=self.times)
            fine = cut(Place(case, start), Sampling(shape)).image
            slices = self.plan.dimensions == 2  # which are then seen one by one
            seen = torch.from_numpy(np.ascontiguousarray(np.moveaxis(fine, 0, 1)) if slices else fine[None]).to(device)
            coarse = self._coarse(seen)
            plain = functional.interpolate(coarse, size=seen.shape[2:], mode="bilinear" if slices else "trilinear")
            for one in (network(coarse).float(), plain):
                found = one.cpu().numpy()
                values.extend(quality(np.moveaxis(found, 1, 0) if slices else found[0], fine))
            rows.append(values)
        psnr, ssim, psnr_before, ssim_before = np.mean(rows, axis=0).tolist()
        return {"score": psnr - psnr_before, "psnr_db": psnr, "ssim": ssim, "ssim_before": ssim_before}

    def _coarse(self, fine: Any) -> Any:
        size = self.times[3 - self.plan.dimensions :]
        return functional.avg_pool3d(fine, size) if self.plan.dimensions == 3 else functional.avg_pool2d(fine, size)
