"""A bank of filters, and how much of each is taken where: learned from one noisy image and its own noise.

The voxels are parted by their value and by how far the filters disagree. For each part the weights are those of least
squares (as BLADE, Getreuer et al., 2018), learned from pairs that are made of the noisy image alone: the image with
more noise of the same kind added, ``y + a n``, is filtered, and its goal is ``y - n / a``, whose noise is independent
of it (recorrupted to recorrupted, Pang et al., CVPR 2021). So the weights come near those that the clean image would
give, which nobody has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.geometry import Floats
from isocenter.nets.denoising.noise_model import NoiseModel
from isocenter.ops.filters import bilateral, gaussian, non_local_means
from isocenter.volume import Volume

Singles = npt.NDArray[np.float32]
Span = tuple[int, int]

MARGIN = 3
"""Slices to each side that the filters see."""
_TISSUES_HU = (-950.0, -700.0, -400.0, -200.0, -25.0, 130.0, 250.0)
_SHARES = (0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 0.95)
_DISAGREE = (0.3, 0.6, 0.8, 0.9, 0.96)
_ADDED = 0.7
_RIDGE, _STEADY = 500.0, 200.0
_FEWEST = 200
_SLAB = 8
_PAIRS = 4


@dataclass(frozen=True, eq=False)
class Mix:
    """How the filters are mixed.

    Parameters
    ----------
    noise
        Standard deviation of the image's noise.
    values, spreads
        Where parts meet: by value, and by how far the filters disagree.
    weights
        (part, filter): the last column is a number added.
    """

    noise: float
    values: Floats
    spreads: Floats
    weights: Floats = field(repr=False)

    def applied(self, volume: Volume, span: Span) -> Singles:
        """Slices of a volume, mixed."""
        filtered = bank(volume, span, self.noise)
        part = parts(filtered, self.values, self.spreads)
        weights = self.weights.astype(np.float32)
        out: Singles = filtered[-1] + weights[part, -1]
        for one, share in zip(filtered[:-1], weights.T, strict=False):
            out += share[part] * (one - filtered[-1])
        return out


def learned(volume: Volume, noise: NoiseModel, *, seed: int, voxels: int) -> Mix:
    """The mix for an image, from slabs spread over it that hold about so many voxels.

    Parameters
    ----------
    volume
        The image.
    noise
        What its noise is like.
    seed
        Where the added noise comes from.
    voxels
        How many to learn from.
    """
    spans = _spread(volume.grid.shape, voxels)
    values = _borders(volume)
    pairs = [_pair(volume, noise, span, seed + n) for n, span in enumerate(spans)]
    found = np.concatenate([_spread_of(one).ravel()[::7] for one, _ in pairs])
    spreads = np.asarray(np.quantile(found, _DISAGREE), np.float64)
    count = (len(values) + 1) * (len(spreads) + 1)
    squares, products = np.zeros((count, len(pairs[0][0]), len(pairs[0][0]))), np.zeros((count, len(pairs[0][0])))
    held = np.zeros(count)
    for filtered, goal in pairs:
        part = parts(filtered, values, spreads)
        for number in np.unique(part):
            here = part == number
            away = (filtered[:-1, here] - filtered[-1, here]).astype(np.float64)
            rows = np.concatenate([away, np.ones((1, away.shape[1]))])
            squares[number] += rows @ rows.T
            products[number] += rows @ (goal[here] - filtered[-1, here]).astype(np.float64)
            held[number] += away.shape[1]
    steady = np.diag([*[_RIDGE * noise.size**2] * (len(pairs[0][0]) - 1), _STEADY])
    weights = np.asarray(np.linalg.solve(squares + steady, products[..., None])[..., 0], np.float64)
    weights[held < _FEWEST] = 0
    return Mix(noise.size, values, spreads, weights)


def bank(volume: Volume, span: Span, noise: float) -> Singles:
    """(filter, slice, row, column): slices of a volume as they are and filtered; the last is the best by itself."""
    start, stop = span
    low, high = max(start - MARGIN, 0), min(stop + MARGIN, volume.grid.shape[0])
    grid = volume.grid.crop((low, 0, 0), (high, *volume.grid.shape[1:]))
    slab = volume.on(grid, np.ascontiguousarray(volume.array[low:high], np.float32))
    pixel, slice_ = max(volume.spacing_mm[1:]), volume.spacing_mm[0]
    flat, deep = min(1.2 * pixel, 1.2 * slice_), min(2.0 * pixel, 1.2 * slice_)
    beside = slice_ if grid.shape[0] > 1 else 0.0
    found = [
        slab,
        gaussian(slab, (0, 0.7 * pixel, 0.7 * pixel)),
        gaussian(slab, (0, 1.4 * pixel, 1.4 * pixel)),
        bilateral(slab, (flat, 1.2 * pixel, 1.2 * pixel), 2 * noise),
        bilateral(slab, (1.2 * slice_, 1.5 * pixel, 1.5 * pixel), 2 * noise),
        bilateral(slab, (deep, 2 * pixel, 2 * pixel), 2.5 * noise),
        non_local_means(
            slab, noise, strength=1.2, patch_mm=(0, 2 * pixel, 2 * pixel), search_mm=(beside, 5 * pixel, 5 * pixel)
        ),
    ]
    kept = slice(start - low, stop - low)
    return np.stack([one.array[kept] for one in found])


def parts(filtered: Singles, values: Floats, spreads: Floats) -> npt.NDArray[np.int64]:
    """The part that each voxel belongs to."""
    by_value: npt.NDArray[np.int64] = np.digitize(filtered[-1], values)
    return by_value * (len(spreads) + 1) + np.digitize(_spread_of(filtered), spreads)


def slabs(depth: int) -> Iterator[Span]:
    """Slabs of a few slices that make up an image."""
    yield from ((start, min(start + _SLAB, depth)) for start in range(0, depth, _SLAB))


def _pair(volume: Volume, noise: NoiseModel, span: Span, seed: int) -> tuple[Singles, Singles]:
    """Slices with noise added, filtered; and their goal."""
    low, high = max(span[0] - MARGIN, 0), min(span[1] + MARGIN, volume.grid.shape[0])
    values = volume.array[low:high].astype(np.float32)
    added = noise.drawn(values.shape, seed)
    grid = volume.grid.crop((low, 0, 0), (high, *volume.grid.shape[1:]))
    worse = volume.on(grid, values + np.float32(_ADDED) * added)
    inside = (span[0] - low, span[1] - low)
    goal = (values - added / np.float32(_ADDED))[slice(*inside)]
    return bank(worse, inside, noise.size), goal


def _spread_of(filtered: Singles) -> Singles:
    spread: Singles = filtered[1:].std(axis=0)
    return spread


def _spread(shape: tuple[int, int, int], voxels: int) -> list[Span]:
    """Slabs, evenly spread, that hold about so many voxels; each again with other noise where the image is small."""
    whole = list(slabs(shape[0]))
    wanted = min(max(_PAIRS, round(voxels / (_SLAB * shape[1] * shape[2]))), _PAIRS * len(whole))
    places = np.linspace(0, len(whole) - 1, wanted).round().astype(int)
    return [whole[n] for n in places]


def _borders(volume: Volume) -> Floats:
    """Where values are parted: between tissues for CT, else where shares of the image lie below."""
    if volume.unit == codes.HU:
        return np.array(_TISSUES_HU)
    return np.unique(np.quantile(volume.array[:: max(1, volume.shape[0] // 20)], _SHARES))
