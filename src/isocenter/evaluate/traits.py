"""Traits of a case: a few numbers on its image and on what was found in it, by which a stream of cases is watched."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from isocenter.errors import InputError, IsocenterError, expect
from isocenter.findings import Segmentation
from isocenter.geometry import Space
from isocenter.ops.filters import measure_noise
from isocenter.ops.lattice import expect_real
from isocenter.ops.masks import components
from isocenter.volume import Volume

_SAMPLES = 500_000
_NOISE_SLICES = 32
_PERCENTILES = (1, 25, 50, 75, 99)
_AXES = ("slice", "row", "column")
_NOTHING: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class Traits:
    """What is watched of one case.

    Parameters
    ----------
    id
        Name of the case.
    inputs, outputs
        Numbers by name; NaN where one cannot be told. Others may be added, as of a network's embedding or how sure it
        was.
    """

    id: str
    inputs: Mapping[str, float] = field(default_factory=lambda: _NOTHING)
    outputs: Mapping[str, float] = field(default_factory=lambda: _NOTHING)


def input_traits(image: Volume) -> dict[str, float]:
    """Traits of an image: percentiles of its values, noise, spacing and extent.

    Raises
    ------
    InputError
        If no voxel has a finite value.
    """
    expect_real(image, "A trait")
    values = image.array.reshape(-1)
    sample = np.asarray(values[:: max(1, values.size // _SAMPLES)], float)
    known = sample[np.isfinite(sample)]
    if not known.size:
        raise InputError("No voxel of the image has a finite value: it has no traits.")
    found = {
        f"intensity_p{p:02d}": float(v) for p, v in zip(_PERCENTILES, np.percentile(known, _PERCENTILES), strict=True)
    }
    found["noise"] = _noise(image)
    if image.grid.space is not Space.PIXEL:
        found |= {f"spacing_{axis}_mm": size for axis, size in zip(_AXES, image.spacing_mm, strict=True)}
        found |= {f"extent_{axis}_mm": size for axis, size in zip(_AXES, image.grid.extent_mm, strict=True)}
    return found


def _noise(image: Volume) -> float:
    """Noise of the middle slices, taken as white; NaN where it cannot be measured."""
    if image.axes:
        return math.nan
    slices, rows, columns = image.grid.shape
    start = max(0, (slices - _NOISE_SLICES) // 2)
    stop = min(slices, start + _NOISE_SLICES)
    part = image.on(image.grid.crop((start, 0, 0), (stop, rows, columns)), image.array[start:stop])
    try:
        return measure_noise(part, method="white").value
    except IsocenterError:
        return math.nan


def output_traits(found: Segmentation) -> dict[str, float]:
    """Traits of a segmentation: volume and number of pieces of each segment; 0 of one that was not found."""
    expect(found, Segmentation)
    traits = {}
    for name in found.names:
        traits[f"volume_ml {name}"] = found.volume_ml(name)
        traits[f"pieces {name}"] = float(len(components(found, connectivity=26, names=[name])))
    return traits
