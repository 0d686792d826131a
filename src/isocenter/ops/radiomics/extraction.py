"""From a prepared region to its features: which families there are, what each is given, what is absent and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from isocenter import codes
from isocenter.codes import Code
from isocenter.errors import Refused, UsageError, expect
from isocenter.findings import Segmentation
from isocenter.geometry import Floats, Space
from isocenter.kernels import threads
from isocenter.ops.boxes import box_of
from isocenter.ops.lattice import Spacing, spacing_of
from isocenter.ops.radiomics import cooccurrence, intensities, morphology, peaks, runs, surroundings, zones
from isocenter.ops.radiomics.autocorrelation import MOST_VOXELS
from isocenter.ops.radiomics.catalog import FAMILIES
from isocenter.ops.radiomics.levels import Binned, binned
from isocenter.ops.radiomics.processing import FixedBinNumber, FixedBinSize, Processing
from isocenter.ops.radiomics.regions import Region, regions
from isocenter.ops.radiomics.results import Feature, Features, unit_of
from isocenter.reasons import Reason, merge
from isocenter.volume import Array, Volume

Found = Mapping[str, Floats]
"""Values of a family by aggregation, in the order of the catalogue; NaN where one is undefined."""


def features(
    volume: Volume,
    segmentation: Segmentation,
    *,
    processing: Processing = Processing(),  # noqa: B008 - a frozen value
    names: Sequence[str] = (),
    families: Sequence[str] = tuple(FAMILIES),
) -> Features:
    """Radiomic features of the segments of an image, as IBSI 1 defines them.

    Parameters
    ----------
    volume
        The image; of one time and one color. Its values may be a filter's response.
    segmentation
        Segments on the image's grid; each is measured by itself.
    processing
        Interpolation, re-segmentation, discretisation: by default none, none, and 32 bins.
    names
        Segments wanted; by default all that can be measured, and the reason ``REGION_LEFT_OUT`` tells of the others.
    families
        Families wanted, by their short names (:data:`FAMILIES`); by default all.

    Returns
    -------
    The features. One that is undefined for a region (a correlation of a single grey level) has no value and says why.

    Raises
    ------
    UsageError
        If these are no volume and segmentation, they lie on different grids, the volume has further axes or a sheared
        grid, or there is no such segment or family.
    Refused
        If a segment that is named, or each segment, is empty, or nothing of it is left (``REGION_EMPTY``,
        ``REGION_EMPTIED``).

    References
    ----------
    Zwanenburg et al., Radiology 295 (2020) 328-338, and the IBSI reference manual, arXiv:1612.07003.
    """
    _check(families)
    expect(segmentation, Segmentation)
    found, left = [], []
    for name in names or segmentation.names:
        try:
            (region,) = regions(volume, segmentation, processing=processing, names=[name])
            found.append(of_region(region, processing=processing, families=families))
        except Refused as refusal:
            left.append(refusal)
            if names:
                raise
    if not found:
        raise left[0] if left else UsageError("The segmentation names no segment.")
    items = tuple(item for one in found for item in one)
    unmeasured = [Reason("REGION_LEFT_OUT", reason.message) for refusal in left for reason in refusal.reasons]
    return Features(items, merge(volume.reasons, *(one.reasons for one in found), unmeasured))


def of_region(
    region: Region,
    *,
    processing: Processing = Processing(),  # noqa: B008 - a frozen value
    families: Sequence[str] = tuple(FAMILIES),
) -> Features:
    """Features of a prepared region; of the processing only discretisation and dimensions still apply.

    Raises
    ------
    UsageError
        If there is no such family, or the grid is sheared.
    """
    _check(families)
    subject = _subject(region, processing)
    groups = [group for group in _GROUPS if set(group.families) & set(families)]
    with ThreadPoolExecutor(threads()) as pool:  # nearly all of their time is spent without the GIL
        found = pool.map(lambda group: _of_group(group, families, subject), groups)
    items = [item for some in found for item in some]
    absent = [item for item in items if item.value is None]
    reasons = (*region.reasons, *_about_bins(region, processing))
    if absent:
        text = f"{len(absent)} of {len(items)} features of the segment {region.name!r} are undefined and absent."
        reasons = (*reasons, Reason("FEATURES_ABSENT", text))
    return Features(tuple(items), merge(region.image.reasons, reasons))


def _check(families: Sequence[str]) -> None:
    unknown = [family for family in families if family not in FAMILIES]
    if unknown or isinstance(families, str) or not families:
        raise UsageError(f"There is no family {', '.join(unknown) or families!r}; there are {', '.join(FAMILIES)}.")


def _about_bins(region: Region, processing: Processing) -> tuple[Reason, ...]:
    if not isinstance(processing.bins, FixedBinSize) or region.image.unit != codes.ONE:
        return ()
    text = "Bins have a fixed size in intensities without a unit, which mean another thing in each image."
    return (Reason("BINS_WITHOUT_UNIT", text),)


# --- one region ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Subject:
    """A region as the families take it: cut to the box of its shape."""

    region: Region
    processing: Processing
    values: Floats = field(repr=False)
    binned: Binned
    mask: Array = field(repr=False)
    shape: Array = field(repr=False)
    levels: Array = field(repr=False)
    spacing_mm: Spacing | None
    bin_unit: Code


def _subject(region: Region, processing: Processing) -> _Subject:
    grid = region.image.grid
    spacing = spacing_of(grid) if grid.space is Space.PATIENT else None  # a picture has no depth
    box = box_of(region.morphological)
    mask, shape = region.mask[box], region.morphological[box]
    values = region.values
    found = binned(values, processing.bins, low=region.intensity_range[0])
    levels = np.zeros(mask.shape, np.int32)
    levels[mask] = found.levels
    by_number = isinstance(intensities.volume_bins_of(values, processing.volume_bins), FixedBinNumber)
    unit = codes.ONE if by_number else region.image.unit
    return _Subject(region, processing, values, found, mask, shape, np.pad(levels, 1), spacing, unit)


def _of_group(group: _Group, wanted: Sequence[str], subject: _Subject) -> list[Feature]:
    return [
        _feature(family, aggregation, (number, float(values[number])), subject)
        for family, found in group.compute(subject).items()
        if family in wanted
        for aggregation, values in found.items()
        for number in range(len(FAMILIES[family].entries))
    ]


def _feature(family: str, aggregation: str, numbered: tuple[int, float], subject: _Subject) -> Feature:
    number, value = numbered
    entry = FAMILIES[family].entries[number]
    unit = unit_of(entry, subject.region.image.unit, subject.bin_unit)
    known = np.isfinite(value)
    absent = "" if known else _why_absent(family, entry.name, subject)
    return Feature(family, entry.name, aggregation, subject.region.name, value if known else None, unit, absent)


def _why_absent(family: str, name: str, subject: _Subject) -> str:
    if family in _IN_SPACE and subject.spacing_mm is None:
        return "a picture has no depth"
    if family == "morphology" and name in _CAUSES:
        return "the region has a single voxel" if subject.shape.sum() == 1 else _CAUSES[name]
    if len(subject.values) == 1:
        return "the region has a single voxel"
    if name == "robust_mean_absolute_deviation":
        return "no voxel lies between the 10th and the 90th percentile"
    if subject.binned.levels.min() == subject.binned.levels.max():
        return "the region has a single grey level"
    too_large = f"the box around the region has more than {MOST_VOXELS} voxels"
    return too_large if family == "morphology" else "a denominator is zero in this region"


_CAUSES = {
    "centre_of_mass_shift": "the intensities sum to zero",
    "volume_density_aee": "the region is flat",
    "area_density_aee": "the region is flat",
}


# --- families --------------------------------------------------------------------------------------------------------

_IN_SPACE = ("morphology", "local")


@dataclass(frozen=True, slots=True)
class _Group:
    """Families that are computed in one pass."""

    families: tuple[str, ...]
    compute: Callable[[_Subject], Mapping[str, Found]]


def _morphology(s: _Subject) -> Mapping[str, Found]:
    if s.spacing_mm is None:
        return _nothing("morphology")
    return {"morphology": {"": morphology.features(s.values, s.mask, s.shape, s.spacing_mm)}}


def _local(s: _Subject) -> Mapping[str, Found]:
    if s.spacing_mm is None:
        return _nothing("local")
    return {"local": {"": peaks.features(s.region.image.array, s.region.mask, s.spacing_mm)}}


def _nothing(family: str) -> Mapping[str, Found]:
    return {family: {"": np.full(len(FAMILIES[family].entries), np.nan)}}


def _volume_histogram(s: _Subject) -> Mapping[str, Found]:
    found = intensities.volume_histogram(s.values, s.processing.volume_bins, s.region.intensity_range)
    return {"volume_histogram": {"": found}}


def _glcm(s: _Subject) -> Mapping[str, Found]:
    return {"glcm": cooccurrence.features(s.levels, s.binned.number, s.processing.dimensions)}


def _glrlm(s: _Subject) -> Mapping[str, Found]:
    return {"glrlm": runs.features(s.levels, s.binned.number, s.processing.dimensions)}


_GROUPS = (
    _Group(("morphology",), _morphology),
    _Group(("local",), _local),
    _Group(("statistics",), lambda s: {"statistics": {"": intensities.statistics(s.values)}}),
    _Group(("histogram",), lambda s: {"histogram": {"": intensities.histogram(s.binned)}}),
    _Group(("volume_histogram",), _volume_histogram),
    _Group(("glcm",), _glcm),
    _Group(("glrlm",), _glrlm),
    _Group(("glszm", "gldzm"), lambda s: zones.features(s.levels, np.pad(s.shape, 1), s.processing.dimensions)),
    _Group(("ngtdm", "ngldm"), lambda s: surroundings.features(s.levels, s.binned.number, s.processing.dimensions)),
)
