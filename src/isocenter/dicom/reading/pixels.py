"""Pixels: a series to a volume in real units. Files are read and decoded in threads, straight into one array."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from isocenter.dicom.file.elements import UNCOMPRESSED
from isocenter.dicom.file.files import MEMBER_FAULTS, Opener
from isocenter.dicom.frames.frame import Frame
from isocenter.dicom.frames.instance import Instance
from isocenter.dicom.reading import regrid
from isocenter.dicom.reading.pace import time_step_s
from isocenter.dicom.reading.remarks import remarks, unit_of
from isocenter.dicom.reading.stored import ChangedError, Stored
from isocenter.dicom.sorting.series import Series
from isocenter.dicom.sorting.support import numbers_of
from isocenter.dicom.sorting.tilt import upright
from isocenter.dicom.values import codecs
from isocenter.dicom.values.meaning import Meaning, in_suv, is_colour, meanings_of
from isocenter.dicom.values.realize import (
    DoesNotFitError,
    Holder,
    Outcome,
    SignUnknownError,
    StrayBitsError,
    holders,
    realize,
)
from isocenter.dicom.values.suv import Kind
from isocenter.errors import Refused, TryLater, UsageError
from isocenter.reasons import Reason, Severity, merge
from isocenter.volume import Source, Volume

Pixels = npt.NDArray[Any]
Progress = Callable[[int, int | None], None]
"""Called with the number of slices done and the number of all."""

_PICTURES_AT_ONCE = 4
_FLOAT, _DOUBLE = 0x7FE00008, 0x7FE00009
Show = Callable[[int, Pixels], None]
"""Called with the place of a frame and its values."""
Gaps = Literal["hold", "regrid"]
"""What to do where slices are missing or unevenly spaced."""
Quantity = Literal["native", Kind]
"""What the values are to be: what the header says of them, or of PET a standardized uptake value."""


def read(
    series: Series, *, values: Quantity = "native", gaps: Gaps = "hold", progress: Progress | None = None
) -> Volume:
    """Read the voxels of a series in real units.

    Parameters
    ----------
    series
        A series whose verdict is ``ok`` or ``repaired``.
    values
        ``"native"`` for what the header says that they are; of PET also a
        :data:`isocenter.dicom.values.suv.Kind`, such as ``"suvbw"``.
    gaps
        ``"hold"`` refuses a series whose slices are missing or unevenly spaced; ``"regrid"`` brings them linearly onto
        an even grid: a reason tells which slices were made, and these have no source.
    progress
        Called after each slice with the number of slices done and of all.

    Returns
    -------
    (slice, row, column) on an orthogonal grid: HU for CT, the scanner's unit for PET, 1 for MR. int16 where every
    value of every slice is whole and fits; float32 where not, but whole values that it cannot hold exactly are int32,
    or float64 beyond that, as doubles are. Colours are red, green and blue on a last axis, unsigned and as wide as
    they are stored. A tilted stack is resampled linearly onto an orthogonal grid; its slices have no source.

    Raises
    ------
    Refused
        If the series is held or rejected, or its pixels cannot be read rightly.
    """
    if gaps not in ("hold", "regrid"):
        raise UsageError(f'gaps is "hold" or "regrid", not {gaps!r}.')
    kinds = get_args(Kind)
    if values != "native" and values not in kinds:
        raise UsageError(f'values is "native" or one of {", ".join(kinds)}, not {values!r}.')
    plan = None if gaps == "hold" or not isinstance(series, Series) else regrid.plan(series)
    return _read(series, _Beside(progress), plan=plan, suv=None if values == "native" else values)


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
    volume = _read(series, _Beside(progress, digests))
    return volume, dict(sorted(digests.items()))


def read_showing(series: Series, show: Show) -> Volume:
    """As :func:`read`, and each slice is shown as soon as it is decoded; see :mod:`isocenter.dicom.reading.slices`.

    Parameters
    ----------
    series
        As for :func:`read`.
    show
        Called with the place of a frame in ``series.frames`` and its (row, column[, color]) values, which are not to be
        changed: in this thread, in any order; what it raises ends the reading. A frame may come again, in a wider
        type, where a later one does not fit into the first.
    """
    return _read(series, _Beside(show=show))


@dataclass(frozen=True, slots=True)
class _Beside:
    """What is done beside the reading: whom is told how far it is, where digests go, to whom slices are shown."""

    progress: Progress | None = None
    digests: dict[str, str] | None = None
    show: Show | None = None

    def tell(self, places: Iterable[int], array: Pixels, count: tuple[int, int]) -> None:
        """Some frames are done, and so many of all."""
        if self.progress is not None:
            self.progress(*count)
        if self.show is None:
            return
        for place in places:
            view = array[place]
            view.flags.writeable = False
            self.show(place, view)


def _read(series: Series, beside: _Beside, *, plan: regrid.Plan | None = None, suv: Kind | None = None) -> Volume:
    series = series if plan is None else plan.series
    if not isinstance(series, Series):
        raise UsageError("A Series is read, such as isocenter.scan('study/')[0]: not a path, and one at a time.")
    if not series.verdict.usable or series.grid is None:
        raise Refused(reason for reason in series.reasons if reason.severity in (Severity.HELD, Severity.REJECTED))
    meanings, guessed = meanings_of(series.frames), list[Reason]()
    if suv is not None:
        meanings, guessed = in_suv(meanings, series.frames, suv)
    array, outcomes, met = _held(series, meanings, beside)
    grid = series.grid
    reasons = [*series.reasons, *guessed, *remarks(series, meanings, array, outcomes), *met]
    unit, unsure = unit_of(series, meanings, array)
    sources = [_source(frame) for frame in series.frames[: grid.shape[0]]]
    if plan is not None:
        array, grid, sources = plan.array(array), plan.grid, plan.sources(sources)
    if grid.is_sheared:
        array, grid = upright(array, grid, outside=meanings[0].nothing or 0)
        sources = [None] * grid.shape[0]
    axes = (*filter(None, [series.axis]), *(["color"] if is_colour(series.frames[0]) else []))
    told = merge(reasons, unsure)
    return Volume(array, grid, unit, axes, series.modality, tuple(sources), told, time_step_s(series))


def _held(series: Series, meanings: Sequence[Meaning], beside: _Beside) -> tuple[Pixels, list[Outcome], list[Reason]]:
    """The array, of the first type that holds all values rightly."""
    for holder in _holders(series, meanings):
        try:
            return _filled(_Reading(series, meanings, holder), beside)
        except DoesNotFitError:
            continue
    raise DoesNotFitError  # the last holder holds all


def _holders(series: Series, meanings: Sequence[Meaning]) -> tuple[Holder, ...]:
    if is_colour(series.frames[0]):
        tables = [meaning.table for meaning in meanings if meaning.table is not None]
        widths = [np.dtype(f"u{frame.instance.format.bits_allocated // 8}") for frame in series.frames]
        return (Holder(max([table.entries.dtype for table in tables] or widths)),)
    tags = {one.pixels.tag for one in series.instances if one.pixels is not None}
    return holders(meanings, stored="double" if _DOUBLE in tags else "float" if _FLOAT in tags else "integer")


def _source(frame: Frame) -> Source | None:
    uid = frame.instance.sop_instance_uid
    return Source(uid, frame.number) if uid else None


def _met(stored: Collection[Stored]) -> list[Reason]:
    """What the codestreams say of themselves."""
    reasons = []
    lossy = tuple(one.instance.name for one in stored if one.is_lossy or one.instance.is_lossy)
    if lossy:
        reasons.append(Reason("LOSSY", f"{len(lossy)} of {len(stored)} images were compressed with loss.", lossy))
    other = tuple(one.instance.name for one in stored if one.is_mislabelled)
    if other:
        message = f"{len(other)} of {len(stored)} images are compressed in another way than their header says."
        reasons.append(Reason("SYNTAX_DIFFERS", message, other))
    return reasons


# --- frames ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Reading:
    """What is read: a series, what its frames mean, and the type of the voxels."""

    series: Series
    meanings: Sequence[Meaning]
    holder: Holder


@dataclass(frozen=True, slots=True)
class _Done:
    """What came of a picture: the outcome of each of its frames by place, or a fault, or that a value does not fit."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    fault: Reason | None = None
    fits: bool = True


def _filled(reading: _Reading, beside: _Beside) -> tuple[Pixels, list[Outcome], list[Reason]]:
    """The array of all frames, (slice, row, column[, axis][, color]); what came of each frame, and of the files.

    Raises
    ------
    Refused
        If a frame cannot be read.
    DoesNotFitError
        If a value does not fit the type.
    TryLater
        If the volume does not fit into memory.
    """
    series = reading.series
    assert series.grid is not None  # noqa: S101 - asked before
    count = len(series.frames)
    try:
        colours = (3,) if is_colour(series.frames[0]) else ()
        array = np.empty((count, *series.grid.shape[1:], *colours), reading.holder.dtype)
    except MemoryError:
        message = f"There is no room in memory for {count} frames of {series.grid.shape[1:]} pixels."
        raise TryLater(message) from None
    jobs = _jobs(series.frames)
    done: list[_Done] = []
    finished = 0
    with Opener() as opener, ThreadPoolExecutor(os.cpu_count()) as pool:
        uses = Counter(id(job.instance) for job in jobs)
        stored = {
            id(one): Stored(one, opener, uses[id(one)], wants_digest=beside.digests is not None)
            for one in series.instances
        }
        blocks = [jobs[start : start + _PICTURES_AT_ONCE] for start in range(0, len(jobs), _PICTURES_AT_ONCE)]
        pending = [pool.submit(_read_block, block, stored, reading, array) for block in blocks]
        try:
            for future in pending:
                part = future.result()
                if not all(one.fits for one in part):
                    raise DoesNotFitError
                done += part
                finished += sum(len(one.outcomes) for one in part)
                beside.tell((place for one in part for place in one.outcomes), array, (finished, count))
        finally:
            for future in pending:
                future.cancel()
    faults = [one.fault for one in done if one.fault is not None]
    if faults:
        raise Refused(_by_sentence(faults, series.instances))
    if beside.digests is not None:
        beside.digests.update({one.instance.path: one.digest for one in stored.values()})
    if series.axis:
        array = np.moveaxis(array.reshape(-1, *series.grid.shape, *colours), 0, 3)
    outcomes = {place: outcome for one in done for place, outcome in one.outcomes.items()}
    return array, [outcomes[place] for place in range(count)], _met(stored.values())


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


def _read_block(jobs: Sequence[_Job], stored: Mapping[int, Stored], reading: _Reading, array: Pixels) -> list[_Done]:
    return [_read_picture(job, stored[id(job.instance)], reading, array) for job in jobs]


def _read_picture(job: _Job, stored: Stored, reading: _Reading, array: Pixels) -> _Done:
    try:
        cells = stored.picture(job.number, array[next(iter(job.frames))])
    except codecs.TruncatedError as error:
        return _failed(job, "PIXELS_TRUNCATED", error)
    except codecs.UndecodableError as error:
        return _failed(job, "PIXELS_UNDECODABLE", error)
    except StrayBitsError as error:  # of colours, which are made of whole samples here
        return _failed(job, "BITS_BEYOND_STORED", error)
    except (ChangedError, FileNotFoundError):
        return _failed(job, "FILE_CHANGED", "The file was changed or removed after its header was read.")
    except MEMBER_FAULTS as error:
        return _failed(job, "PIXELS_MISSING", f"The file cannot be read any more ({type(error).__name__}).")
    return _realized(job, cells, reading, array)


def _realized(job: _Job, cells: Pixels, reading: _Reading, array: Pixels) -> _Done:
    form = job.instance.format
    if job.instance.transfer_syntax not in UNCOMPRESSED:
        form = replace(form, high_bit=form.bits_stored - 1)  # a codestream holds the value alone
    try:
        return _Done(
            {
                place: realize(_within(cells, frame), form, reading.meanings[place], array[place], reading.holder)
                for place, frame in job.frames.items()
            }
        )
    except DoesNotFitError:  # told, not raised: an error of a thread would keep the whole array alive
        return _Done(fits=False)
    except (StrayBitsError, SignUnknownError) as error:
        return _failed(job, "SIGN_UNKNOWN" if isinstance(error, SignUnknownError) else "BITS_BEYOND_STORED", error)


def _within(cells: Pixels, frame: Frame) -> Pixels:
    """The cells of the frame's own part of the picture."""
    if frame.window is None:
        return cells
    row, column = frame.window.row, frame.window.column
    return cells[row : row + frame.window.rows, column : column + frame.window.columns].copy()


def _failed(job: _Job, code: str, why: object) -> _Done:
    return _Done(fault=Reason(code, str(why).rstrip("."), (job.instance.name,)))


def _by_sentence(faults: Iterable[Reason], instances: Iterable[Instance]) -> list[Reason]:
    """Each fault once, with all the instances that have it."""
    names: dict[tuple[str, str], dict[str, None]] = {}
    for fault in faults:
        names.setdefault((fault.code, fault.message), {}).update(dict.fromkeys(fault.instances))
    known = {instance.name: instance for instance in instances}
    return [
        Reason(code, f"{message}{numbers_of([known[name] for name in own])}.", tuple(own))
        for (code, message), own in names.items()
    ]
