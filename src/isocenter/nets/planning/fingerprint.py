"""What a data set is like: sizes, spacings, values and structures of its cases, in one pass.

What is decided by it lives in ``planning``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from isocenter.datasets import Checked, Dataset, Loaded, check
from isocenter.datasets.passing import Observer
from isocenter.errors import Refused
from isocenter.findings import Mask, Segmentation
from isocenter.geometry import Floats, Space, Triple
from isocenter.nets.plan import Spacing
from isocenter.ops.runs import pieces_of
from isocenter.volume import Array, Volume

_SAMPLES = 4_000_000  # values of all cases together
_FEWEST, _MOST = 1_000, 100_000  # values of one case
_CONNECTIVITY = 6  # as of isocenter.masks.largest, by which results are cleaned
_ANATOMICAL = "IPL"


@dataclass(frozen=True, slots=True)
class Structure:
    """One label in one case.

    Parameters
    ----------
    voxels
        How many it has.
    volume_ml
        Its volume; NaN where no size of a pixel is known.
    pieces
        Connected components (6 neighbours).
    largest_share
        Share of the voxels that the largest component has.
    """

    voxels: int
    volume_ml: float
    pieces: int
    largest_share: float


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What one case is like.

    Parameters
    ----------
    shape, spacing_mm
        Along (slice, row, column) of the orientation IPL; of pictures, whose place is unknown, as they are and None.
    orientation
        As it is stored.
    modality
        Of the first image.
    kind
        Kind of number that the values are: ``"uint8"``.
    samples
        Samples of one pixel: 3 in a colour picture.
    structures
        Of each label that is there, by its name.
    """

    shape: Triple
    spacing_mm: Spacing | None
    orientation: str
    modality: str
    kind: str
    samples: int
    structures: Mapping[str, Structure]


@dataclass(frozen=True, slots=True)
class Intensity:
    """Values of one channel: of a bounded sample of all cases' foreground, or of all voxels where nothing is labelled.

    Parameters
    ----------
    low, median, high
        Percentiles 0.5, 50 and 99.5.
    mean, deviation
        Over the sample.
    values
        How many there are.
    """

    low: float
    median: float
    high: float
    mean: float
    deviation: float
    values: int


@dataclass(frozen=True)
class Fingerprint:
    """What a data set is like.

    Parameters
    ----------
    dataset
        The data set, without the cases that were left out; its ``reasons`` say why.
    cases
        Facts of each case, by its name.
    intensities
        Values of each channel.
    """

    dataset: Dataset = field(repr=False)
    cases: Mapping[str, CaseFacts] = field(repr=False)
    intensities: tuple[Intensity, ...]

    @property
    def shapes(self) -> Floats:
        """(case, 3)."""
        return np.array([one.shape for one in self.cases.values()], float)

    @property
    def spacings_mm(self) -> Floats | None:
        """(case, 3); None where a size of a pixel is unknown."""
        found = [one.spacing_mm for one in self.cases.values()]
        return None if None in found else np.array(found, float)

    @property
    def modality(self) -> str:
        """The modality of all cases; empty if they have several or none."""
        found = {one.modality for one in self.cases.values()}
        return found.pop() if len(found) == 1 else ""

    def structures(self, label: str) -> tuple[Structure, ...]:
        """Facts of a label in each case that has it."""
        return tuple(one.structures[label] for one in self.cases.values() if label in one.structures)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: of all cases together."""
        spacings = self.spacings_mm
        return {
            "dataset": self.dataset.name,
            "cases": len(self.cases),
            "channels": list(self.dataset.channels),
            "modality": self.modality,
            "orientations": dict(Counter(one.orientation for one in self.cases.values())),
            "shape": _spread(self.shapes),
            "spacing_mm": None if spacings is None else _spread(spacings),
            "intensities": [asdict(one) for one in self.intensities],
            "labels": {label: self._of_label(label) for label in self.dataset.labels},
            "categories": dict(Counter(case.category for case in self.dataset.cases if case.category)),
        }

    def _of_label(self, label: str) -> dict[str, Any]:
        found = self.structures(label)
        facts: dict[str, Any] = {"cases": len(found)}
        if found:
            facts["voxels"] = _spread([one.voxels for one in found])
            volumes = [one.volume_ml for one in found]
            facts["volume_ml"] = None if np.isnan(volumes).any() else _spread(volumes)
            facts["pieces"] = _spread([one.pieces for one in found])
            facts["largest_share"] = _spread([one.largest_share for one in found])
        return facts


def fingerprint(dataset: Dataset, *, observer: Observer | None = None) -> Fingerprint:
    """Look at all cases once: as :func:`isocenter.datasets.check`, and measure them on the way.

    Memory holds one case for each thread, and some million values.

    Raises
    ------
    Refused
        If no case can be used; the reasons say why.
    """
    limit = int(np.clip(_SAMPLES // max(len(dataset.cases), 1), _FEWEST, _MOST))
    return of_check(check(dataset, look=lambda loaded: _measured(loaded, limit), observer=observer))


def of_check(checked: Checked) -> Fingerprint:
    """The fingerprint of a data set that a check has gone through with what this module looks for."""
    if not checked.dataset.cases:
        raise Refused(checked.faults)
    facts = {name: found for name, (found, _) in checked.seen.items()}
    values = [found for _, found in checked.seen.values()]
    channels = max(len(one) for one in values)
    intensities = tuple(
        _intensity([one[channel] for one in values if channel < len(one)]) for channel in range(channels)
    )
    return Fingerprint(checked.dataset, facts, intensities)


# --- one case ---------------------------------------------------------------------------------------------------------


def _measured(loaded: Loaded, limit: int) -> tuple[CaseFacts, list[Array]]:
    """Facts of a case, and a sample of the values of each of its channels."""
    first = loaded.images[0]
    grid = first.grid.reorient(_ANATOMICAL) if first.grid.space is not Space.PIXEL else first.grid
    spacing = None if grid.space is Space.PIXEL else grid.spacing_mm
    segmentation = loaded.segmentation
    facts = CaseFacts(
        grid.shape,
        spacing,
        first.grid.orientation,
        first.modality,
        str(first.array.dtype),
        math.prod(first.shape[3:]),
        {} if segmentation is None else _structures(segmentation, spacing),
    )
    chosen = None if segmentation is None else segmentation.array > 0
    if chosen is not None and not chosen.any():
        return facts, [np.empty(0, np.float32) for _ in loaded.images]
    return facts, [_sample(image, chosen, limit) for image in loaded.images]


def _structures(segmentation: Segmentation, spacing: Sequence[float] | None) -> dict[str, Structure]:
    from scipy.ndimage import find_objects

    voxel_ml = math.nan if spacing is None else math.prod(spacing) / 1000
    found = {}
    boxes = find_objects(segmentation.array, max((one.label for one in segmentation.segments), default=0))
    for segment in segmentation.segments:
        box = boxes[segment.label - 1]
        if box is not None:
            counts = pieces_of(segmentation.array[box] == segment.label, _CONNECTIVITY).counts[1:]
            voxels = int(counts.sum())
            found[segment.name] = Structure(voxels, voxels * voxel_ml, len(counts), float(counts.max() / voxels))
    return found


def _sample(image: Volume, chosen: Mask | None, limit: int) -> Array:
    """Values at evenly spaced voxels of those chosen, in the order of the array: no chance is in it."""
    count = image.array[..., 0].size if image.axes else image.array.size
    step = max(1, math.ceil((count if chosen is None else int(np.count_nonzero(chosen))) / limit))
    found, phase = [], 0
    for k, plane in enumerate(image.array):
        values = plane.reshape(-1, *plane.shape[2:]) if chosen is None else plane[chosen[k]]
        found.append(values[phase::step].reshape(-1).astype(np.float32))
        phase = (phase - len(values)) % step
    return np.concatenate(found)


def _intensity(samples: Sequence[Array]) -> Intensity:
    values = np.concatenate(samples)
    if not len(values):
        return Intensity(math.nan, math.nan, math.nan, math.nan, math.nan, 0)
    low, median, high = (float(one) for one in np.percentile(values, (0.5, 50, 99.5)))
    exact = values.astype(np.float64)
    return Intensity(low, median, high, float(exact.mean()), float(exact.std()), len(values))


def _spread(values: Any) -> dict[str, Any]:
    """Least, median and greatest of each column."""
    found = np.percentile(np.asarray(values, float), (0, 50, 100), axis=0)
    return dict(zip(("least", "median", "greatest"), found.tolist(), strict=True))
