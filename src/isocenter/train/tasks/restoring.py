"""Denoising and super-resolution: clean images are spoiled as a scanner would, and the network is to undo that.

What is learned can be no cleaner than the images at hand: their own noise counts as truth. What spoils them is stated
in physical units (:mod:`isocenter.augment`):

====================  ================================================================================================
denoising of CT       noise of a dose of 5 to 50 %, alike in neighbouring voxels as a kernel makes it
denoising of others   Rician noise of 5 to 30 % of the image's standard deviation (MR), Gaussian for photographs
super-resolution      slices 2 to 4 times as thick as those of the plan, brought back linearly as serving does; for
                      the network ``super_resolution``, which gives more voxels than it takes, see ``enlarging``
====================  ================================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from torch.nn import functional

from isocenter.augment.acquisition import LowResolution
from isocenter.augment.chain import Augmentation
from isocenter.augment.noise import DoseNoise, Noise, RicianNoise
from isocenter.errors import UsageError
from isocenter.nets.plan import Plan
from isocenter.nets.windows import deciding
from isocenter.nets.windows.enlarging import times_of
from isocenter.nets.windows.window import Window
from isocenter.train.cache import CachedCase
from isocenter.train.patches import Patch, Place, Sampling, cut, draw
from isocenter.train.serving import running
from isocenter.train.tasks import Batch, Made, Material
from isocenter.train.tasks.cases import cases_of, made_of
from isocenter.train.tasks.enlarging import Enlarging
from isocenter.train.tasks.quality import middle_of, quality
from isocenter.train.tasks.tensors import as_images
from isocenter.train.varying import kind_of, scale_of
from isocenter.volume import Array

LOSSES: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {"default": functional.l1_loss, "l1": functional.l1_loss, "l2": functional.mse_loss}
)
"""How far two images are apart: mean absolute error (sharper), mean squared error (a higher PSNR)."""

NOISES: Mapping[str, Augmentation] = MappingProxyType(
    {
        "CT": Augmentation((DoseNoise(dose=(0.05, 0.5), noise_hu=12.0, grain_mm=(0.3, 0.9)),)),
        "MR": Augmentation((RicianNoise(size=(0.05, 0.3)),)),
        "photograph": Augmentation((Noise(size=(0.05, 0.3)),)),
    }
)
"""What spoils images of a kind, by default."""


@dataclass(frozen=True, eq=False)
class Restoring:
    """The task of making an image what it was before it was spoiled.

    Parameters
    ----------
    cases
        Clean images to learn from.
    held_out
        Clean images to validate on.
    plan
        What the network takes and gives; the output has the size of the input.
    spoiling
        What is done to the images.
    distance
        Of two images.
    """

    cases: Sequence[CachedCase] = field(repr=False)
    held_out: Sequence[CachedCase] = field(repr=False)
    plan: Plan
    spoiling: Augmentation
    distance: Callable[[Any, Any], Any]

    def sample(self, rng: np.random.Generator) -> Batch:
        """Spoiled patches, and the same as they were; mirrored along each axis by chance."""
        how = Sampling(self.plan.patch, self.plan.neighbours, foreground=0)
        clean = [_mirrored(cut(place, how), rng) for place in draw(self.cases, how, rng, count=self.plan.batch)]
        spoiled = [self._spoiled(one, rng) for one in clean]
        middle = [Patch(self._middle(one.image), None, one.place) for one in clean]
        return Batch(as_images(spoiled, self.plan), as_images(middle, self.plan))

    def loss(self, network: Any, batch: Batch) -> Any:
        """How far what the network gives is from the clean image."""
        return self.distance(network(batch.images).float(), batch.truth)

    def validate(self, network: Any) -> Mapping[str, float]:
        """By how many decibels the peak signal-to-noise ratio rises, over the middle of each held-out case.

        Restored through the window of serving; the same noise each time. With it the ratio itself (its peak is the
        range of the clean image) and the structural similarity before and after.
        """
        if not self.held_out:
            return {}
        runtime, rng = running(network, self.plan), np.random.default_rng(0)
        rows = []
        for case in self.held_out:
            clean, spoiled = self.pair(case, rng)
            found = deciding.outputs(spoiled, [runtime], Window.of(self.plan))
            rows.append((*quality(spoiled, clean), *quality(found, clean)))
        psnr_before, ssim_before, psnr, ssim = np.mean(rows, axis=0).tolist()
        return {"score": psnr - psnr_before, "psnr_db": psnr, "ssim": ssim, "ssim_before": ssim_before}

    def pair(self, case: CachedCase, rng: np.random.Generator) -> tuple[Array, Array]:
        """The middle of a case, and the same spoiled: (channel, slice, row, column) each."""
        start, shape = middle_of(case.space)
        clean = cut(Place(case, start), Sampling(shape))
        drawn = self.spoiling.sample(rng)
        return clean.image, drawn.apply(clean.image, scale=scale_of(case)).images

    def _spoiled(self, patch: Patch, rng: np.random.Generator) -> Patch:
        scale = scale_of(patch.place.case, neighbours=self.plan.neighbours)
        return Patch(self.spoiling.sample(rng).apply(patch.image, scale=scale).images, None, patch.place)

    def _middle(self, image: Array) -> Array:
        """Each channel's own slice, of channels that each come with their neighbours."""
        return image[self.plan.neighbours :: 2 * self.plan.neighbours + 1]


def denoising(material: Material) -> Made:
    """The task of taking noise away; the setting ``augmentation`` names the noise: CT, MR or photograph."""
    name = material.settings.augmentation
    known = {**NOISES, "default": NOISES[kind_of(material.plan)]}
    if name not in known:
        raise UsageError(f"There is no noise {name!r}; there are: {', '.join(known)}.")
    return _made(material, known[name])


def super_resolution(material: Material) -> Made:
    """The task of making voxels finer: slices thinner on the plan's spacing, or by a network that gives more voxels."""
    plan = material.plan
    if plan.network.name == "super_resolution":
        return _enlarging(material)
    if plan.spacing_mm is None or plan.dimensions == 2:
        raise UsageError("Thinner slices need a plan of three dimensions with a spacing, the one that it leads to.")
    thick = (2 * plan.spacing_mm[0], 4 * plan.spacing_mm[0])
    return _made(material, Augmentation((LowResolution(thickness_mm=thick),)))


def _enlarging(material: Material) -> Made:
    if material.plan.neighbours:
        raise UsageError("A network that gives more voxels is taught without neighbours.")
    learning, held_out = cases_of(material)
    task = Enlarging(learning.cases, held_out.cases, material.plan, _distance(material), times_of(material.plan))
    return made_of(task, learning, held_out)


def _made(material: Material, spoiling: Augmentation) -> Made:
    learning, held_out = cases_of(material)
    task = Restoring(learning.cases, held_out.cases, material.plan, spoiling, _distance(material))
    return made_of(task, learning, held_out)


def _distance(material: Material) -> Callable[[Any, Any], Any]:
    name = material.settings.loss
    if name not in LOSSES:
        raise UsageError(f"There is no loss {name!r} of images; there are: {', '.join(LOSSES)}.")
    return LOSSES[name]


def _mirrored(patch: Patch, rng: np.random.Generator) -> Patch:
    axes = tuple(axis for axis in (2, 3) if rng.random() < 0.5)
    return Patch(np.ascontiguousarray(np.flip(patch.image, axes)), None, patch.place)
