"""Pixels: a series to a volume in real units. Files are read and decoded in threads, straight into one array."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.codes import Code
from isocenter.dicom import codecs, regrid, values
from isocenter.dicom.elements import UNCOMPRESSED
from isocenter.dicom.files import MEMBER_FAULTS, Opener
from isocenter.dicom.frame import Frame, names_of
from isocenter.dicom.instance import Instance
from isocenter.dicom.series import Series
from isocenter.dicom.stored import ChangedError, Stored
from isocenter.dicom.support import numbers_of
from isocenter.dicom.tilt import upright
from isocenter.errors import Refused, TryLater, UsageError
from isocenter.reasons import Reason, Severity, merge
from isocenter.volume import Source, Volume

Pixels = npt.NDArray[Any]
Progress = Callable[[int, int | None], None]
"""Called with the number of slices done and the number of all."""

_PET_UNITS = {
    "BQML": Code("Bq/ml", "UCUM", "Becquerels/milliliter"),
    "GML": Code("g/ml{SUVbw}", "UCUM", "Standardized Uptake Value body weight"),
    "CNTS": Code("{counts}", "UCUM", "Counts"),
    "CPS": Code("{counts}/s", "UCUM", "Counts per second"),
}
_GAS_BELOW_HU = -500
_TISSUE_HU = (-200, 200)
_PICTURES_AT_ONCE = 4
_INT16 = np.iinfo(np.int16)


Gaps = Literal["hold", "regrid"]
"""What to do where slices are missing or unevenly spaced."""


def read(series: Series, *, gaps: Gaps = "hold", progress: Progress | None = None) -> Volume:
    """Read the voxels of a series in real units.

    Parameters
    ----------
    series
        A series whose verdict is ``ok`` or ``repaired``.
    gaps
        ``"hold"`` refuses a series whose slices are missing or unevenly spaced; ``"regrid"`` brings them linearly onto
        an even grid: a reason tells which slices were made, and these have no source.
    progress
        Called after each slice with the number of slices done and of all.

    Returns
    -------
    (slice, row, column) on an orthogonal grid: HU for CT, the scanner's unit for PET, 1 for MR. int16 where every
    value of every slice is whole and fits, else float32. A tilted stack is resampled linearly onto an orthogonal
    grid; its slices have no source.

    Raises
    ------
    Refused
        If the series is held or rejected, or its pixels cannot be read rightly.
    """
    if gaps not in ("hold", "regrid"):
        raise UsageError(f'gaps is "hold" or "regrid", not {gaps!r}.')
    if gaps == "hold" or not isinstance(series, Series):
        return _read(series, None, progress)
    return _read(series, None, progress, regrid.plan(series))


def read_with_digests(series: Series, *, progress: Progress | None = None) -> tuple[Volume, Mapping[str, str]]:
    """As :func:`read`, and the SHA-256 of each file, taken beside the decoding.

    Returns
    -------
    volume
        The volume.
    digests
        Path of each instance -> SHA-256 of its file (or zip member) in hexadecimal.
    """
    digests: dict[str, str] = {}
    volume = _read(series, digests, progress)
    return volume, dict(sorted(digests.items()))


class _NotWholeError(Exception):
    """A rescaled value does not fit int16."""


def _read(
    series: Series, digests: dict[str, str] | None, progress: Progress | None, plan: regrid.Plan | None = None
) -> Volume:
    series = series if plan is None else plan.series
    if not isinstance(series, Series):
        raise UsageError("A Series is read, such as isocenter.scan('study/')[0]: not a path, and one at a time.")
    if not series.verdict.usable or series.grid is None:
        raise Refused(reason for reason in series.reasons if reason.severity in (Severity.HELD, Severity.REJECTED))
    if values.may_be_whole([_rescale_of(frame) for frame in series.frames]):
        try:
            array, outcomes = _filled(series, np.dtype(np.int16), digests, progress)
        except _NotWholeError:
            array, outcomes = _filled(series, np.dtype(np.float32), digests, progress)
    else:
        array, outcomes = _filled(series, np.dtype(np.float32), digests, progress)
    grid = series.grid
    reasons = [*series.reasons, *_reasons(series, array, outcomes)]
    unit, unsure = _unit(series, array)
    sources = [_source(frame) for frame in series.frames[: grid.shape[0]]]
    if plan is not None:
        array, grid, sources = plan.array(array), plan.grid, plan.sources(sources)
    if grid.is_sheared:
        array, grid = upright(array, grid, outside=values.AIR_HU if series.modality == "CT" else 0)
        sources = [None] * grid.shape[0]
    axes = (series.axis,) if series.axis else ()
    reasons = list(merge(reasons, unsure))
    return Volume(array, grid, unit, axes, series.modality, tuple(sources), tuple(reasons))


def _source(frame: Frame) -> Source | None:
    uid = frame.instance.sop_instance_uid
    return Source(uid, frame.number) if uid else None


def _unit(series: Series, array: Pixels) -> tuple[Code, list[Reason]]:
    units = {frame.rescale.unit for frame in series.frames}
    if series.modality == "CT":
        if "US" not in units:
            return codes.HU, []
        message = "Rescale Type says that the unit is unspecified; the values"
        if not _looks_like_hu(array):
            return codes.ONE, [Reason("UNIT_UNKNOWN", f"{message} do not look like HU.")]
        return codes.HU, [Reason("UNIT_GUESSED", f"{message} were taken as HU: they hold air and soft tissue.")]
    if series.modality == "MR":
        return codes.ONE, []
    if len(units) == 1 and units <= set(_PET_UNITS):
        return _PET_UNITS[units.pop()], []
    return codes.ONE, [Reason("UNIT_UNKNOWN", "The instances do not state one known unit.")]


def _reasons(series: Series, array: Pixels, outcomes: Sequence[_Outcome]) -> list[Reason]:
    """What was met while reading."""
    reasons = []
    aired = [(frame, o.aired) for frame, o in zip(series.frames, outcomes, strict=True) if o.aired]
    if aired:
        count = sum(number for _, number in aired)
        message = f"{count} voxels in {len(aired)} of {len(outcomes)} slices were set to {values.AIR_HU} HU."
        reasons.append(Reason("OUTSIDE_SCAN_CIRCLE", message, names_of(frame for frame, _ in aired)))
    lossy = tuple(i.name for i in series.instances if i.is_lossy or i.transfer_syntax in codecs.LOSSY)
    if lossy:
        message = f"{len(lossy)} of {len(series.instances)} images were compressed with loss."
        reasons.append(Reason("LOSSY", message, lossy))
    if series.modality == "CT" and series.frames[0].rescale.slope is None:
        message = "No slice has a Rescale Slope and Intercept; the stored values"
        if not _looks_like_hu(array):
            raise Refused([Reason("RESCALE_UNKNOWN", f"{message} do not look like HU.")])
        reasons.append(Reason("RESCALE_MISSING", f"{message} were taken as HU: they hold air and soft tissue."))
    return reasons


def _looks_like_hu(array: Pixels) -> bool:
    """Whether the values hold air or lung, and tissue; padding at -1024 does not count as air."""
    enough = array.size / 1000
    is_gas = (array > values.AIR_HU) & (array <= _GAS_BELOW_HU)
    is_tissue = (array >= _TISSUE_HU[0]) & (array <= _TISSUE_HU[1])
    return bool(np.count_nonzero(is_gas) >= enough and np.count_nonzero(is_tissue) >= enough)


# --- frames ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of a frame: how many pixels were set to air, or a fault if it failed."""

    aired: int = 0
    fault: Reason | None = None


def _filled(
    series: Series, dtype: np.dtype[Any], digests: dict[str, str] | None, progress: Progress | None
) -> tuple[Pixels, list[_Outcome]]:
    """The array of all frames, (slice, row, column[, axis]), filled in threads; and what came of each frame.

    Raises
    ------
    Refused
        If a frame cannot be read.
    TryLater
        If the volume does not fit into memory.
    """
    assert series.grid is not None  # noqa: S101 - asked before
    count = len(series.frames)
    try:
        array = np.empty((count, *series.grid.shape[1:]), dtype)
    except MemoryError:
        message = f"There is no room in memory for {count} frames of {series.grid.shape[1:]} pixels."
        raise TryLater(message) from None
    jobs = _jobs(series.frames)
    outcomes: dict[int, _Outcome] = {}
    with Opener() as opener, ThreadPoolExecutor(os.cpu_count()) as pool:
        uses = Counter(id(job.instance) for job in jobs)
        stored = {
            id(one): Stored(one, opener, uses[id(one)], wants_digest=digests is not None) for one in series.instances
        }
        blocks = [jobs[start : start + _PICTURES_AT_ONCE] for start in range(0, len(jobs), _PICTURES_AT_ONCE)]
        pending = [pool.submit(_read_block, block, stored, array) for block in blocks]
        try:
            for future in pending:
                outcomes |= future.result()
                if progress is not None:
                    progress(len(outcomes), count)
        finally:
            for future in pending:
                future.cancel()
    faults = [outcome.fault for outcome in outcomes.values() if outcome.fault is not None]
    if faults:
        raise Refused(merge(faults))
    if digests is not None:
        digests |= {one.instance.path: one.digest for one in stored.values()}
    if series.axis:
        array = np.moveaxis(array.reshape(-1, *series.grid.shape), 0, -1)
    return array, [outcomes[place] for place in range(count)]


@dataclass(frozen=True, slots=True)
class _Job:
    """A stored picture, and the frames that lie in it by their place in the series: one, but for mosaics."""

    instance: Instance
    number: int
    frames: dict[int, Frame]


def _jobs(frames: Sequence[Frame]) -> list[_Job]:
    jobs: dict[tuple[int, int], _Job] = {}
    for place, frame in enumerate(frames):
        job = jobs.setdefault((id(frame.instance), frame.number), _Job(frame.instance, frame.number, {}))
        job.frames[place] = frame
    return list(jobs.values())


def _read_block(jobs: Sequence[_Job], stored: Mapping[int, Stored], array: Pixels) -> dict[int, _Outcome]:
    outcomes: dict[int, _Outcome] = {}
    for job in jobs:
        outcomes |= _read_picture(job, stored[id(job.instance)], array)
    return outcomes


def _read_picture(job: _Job, stored: Stored, array: Pixels) -> dict[int, _Outcome]:
    try:
        cells = stored.picture(job.number, array[next(iter(job.frames))])
    except codecs.TruncatedError as error:
        return _failed(job, "PIXELS_TRUNCATED", error)
    except codecs.UndecodableError as error:
        return _failed(job, "PIXELS_UNDECODABLE", error)
    except (ChangedError, FileNotFoundError):
        return _failed(job, "FILE_CHANGED", "The file was changed or removed after its header was read.")
    except MEMBER_FAULTS as error:
        return _failed(job, "PIXELS_MISSING", f"The file cannot be read any more ({type(error).__name__}).")
    try:
        return {place: _Outcome(_rescaled(frame, cells, array[place])) for place, frame in job.frames.items()}
    except values.StrayBitsError as error:
        return _failed(job, "BITS_BEYOND_STORED", error)


def _failed(job: _Job, code: str, why: object) -> dict[int, _Outcome]:
    fault = Reason(code, f"{str(why).rstrip('.')}{numbers_of([job.instance])}.", (job.instance.name,))
    return dict.fromkeys(job.frames, _Outcome(fault=fault))


def _rescale_of(frame: Frame) -> tuple[float, float]:
    """Slope and intercept; those that change nothing where there are none."""
    slope, intercept = frame.rescale.slope, frame.rescale.intercept
    return (1.0, 0.0) if slope is None or intercept is None else (slope, intercept)


def _rescaled(frame: Frame, cells: Pixels, out: Pixels) -> int:
    """Cells to real values in ``out``; the number of pixels set to air."""
    form, (slope, intercept) = frame.instance.format, _rescale_of(frame)
    if frame.window is not None:
        row, column = frame.window.row, frame.window.column
        cells = cells[row : row + frame.window.rows, column : column + frame.window.columns].copy()
    if frame.instance.transfer_syntax not in UNCOMPRESSED:
        form = replace(form, high_bit=form.bits_stored - 1)  # a codestream holds the value alone
    is_ct = frame.modality == "CT"
    stored, lowest, highest = values.unpack(cells, form, stray_bits="refuse" if is_ct else "drop")
    low, high = sorted((lowest * slope + intercept, highest * slope + intercept))
    padding = values.padding_mask(stored, frame.rescale.padding, (slope, intercept)) if is_ct else None
    if out.dtype == np.int16:
        if low < _INT16.min or high > _INT16.max:
            raise _NotWholeError
        values.to_int16(stored, slope, intercept, out)
    else:
        values.to_float32(stored, slope, intercept, out)
    return values.set_air(out, padding, low) if is_ct else 0
