"""What values say about a voxel: likelihoods of a tissue and of its surroundings, learnt from prompts and from a mask.

A prompt's tissue is Student's t distribution around the values near it, whose tails forgive vessels and partial
volume. Where a border runs is decided in ``session``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.geometry import Floats
from isocenter.ops.prompting.scene import KINDS, Scene

_NEAR = 2.33  # voxels: how far around a prompt its tissue is sampled
_LIKE = 3.0  # noise: how far values may lie from the prompt's own
_LEAST_SPREAD = 0.35  # noise
_LEAST_TEXTURE = 0.2  # noise
_MOST_OF_RIM = 25  # percentile: three quarters of the rim stand out by more
_FREEDOM = 3.0  # of Student's t distribution
_MOST = 3.0  # the strongest that one voxel's value may speak
_SAMPLED = 64  # voxels of a prompt


def tissue_at(scene: Scene, places: npt.NDArray[np.intp], *, breadth: float = 1.0) -> Floats:
    """Density over the steps of value of the tissue around a prompt's working voxels."""
    chosen = places[np.linspace(0, len(places) - 1, min(len(places), _SAMPLED)).astype(int)]
    near = np.concatenate([_like_around(scene, place) for place in chosen])
    middle = float(np.median(near))
    spread = max(float(np.median(np.abs(near - middle))) * 1.4826, _LEAST_SPREAD)
    spread *= breadth
    steps = scene.values.min() + np.arange(KINDS) * scene.width
    density = (1 + ((steps - middle) / spread) ** 2 / _FREEDOM) ** (-(_FREEDOM + 1) / 2)
    return np.asarray(density / density.sum())


def _like_around(scene: Scene, place: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
    box = []
    for at, step in zip(place.tolist(), scene.steps, strict=True):
        reach = round(_NEAR / step)
        box.append(slice(max(0, at - reach), at + reach + 1))
    part = scene.values[tuple(box)]
    return np.asarray(part[np.abs(part - scene.values[tuple(place)]) < _LIKE])


def against(tissue: Floats, surroundings: Floats) -> npt.NDArray[np.float32]:
    """How much each step of value speaks against a tissue: a log likelihood ratio, from -3 to 3."""
    ratio = np.log((surroundings + 1e-9) / (tissue + 1e-9))
    return np.clip(ratio, -_MOST, _MOST).astype(np.float32)


def clearness(values: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_]) -> float:
    """How clearly a mask stands out: how far most values just outside lie from those inside, by the spread of these."""
    from scipy.ndimage import binary_dilation

    rim = values[binary_dilation(mask) & ~mask]
    if not rim.size:
        return 0.0
    inside = values[mask]
    middle = np.median(inside)
    spread = max(float(np.median(np.abs(inside - middle))) * 1.4826, _LEAST_TEXTURE)
    return float(np.percentile(np.abs(rim - middle), _MOST_OF_RIM)) / spread
