"""Pixels: a series to a volume in real units. Files are read and decoded in threads, straight into one array."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.codes import Code
from isocenter.dicom import codecs, values
from isocenter.dicom.deflated import inflate
from isocenter.dicom.elements import DEFLATED, EXPLICIT_BIG
from isocenter.dicom.files import MEMBER_FAULTS, DiskBytes, MemberBytes, MemoryBytes, Opener
from isocenter.dicom.instance import Instance
from isocenter.dicom.series import Series
from isocenter.dicom.support import UNCOMPRESSED, numbers_of
from isocenter.dicom.tilt import upright
from isocenter.dicom.walk import PREAMBLE_BYTES, read_meta
from isocenter.errors import Refused, TryLater, UsageError
from isocenter.geometry import Grid
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
_SLICES_AT_ONCE = 4
_INT16 = np.iinfo(np.int16)


def read(series: Series, *, progress: Progress | None = None) -> Volume:
    """Read the voxels of a series in real units.

    Parameters
    ----------
    series
        A series whose verdict is ``ok`` or ``repaired``.
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
    return _read(series, None, progress)


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


class _ChangedError(Exception):
    """A file is not the one whose header was read."""


class _NotWholeError(Exception):
    """A rescaled value does not fit int16."""


def _read(series: Series, digests: dict[str, str] | None, progress: Progress | None) -> Volume:
    if not isinstance(series, Series):
        raise UsageError("A Series is read, such as isocenter.scan('study/')[0]: not a path, and one at a time.")
    if not series.verdict.usable or series.grid is None:
        raise Refused(reason for reason in series.reasons if reason.severity in (Severity.HELD, Severity.REJECTED))
    grid = series.grid
    tasks = [_Slice(instance, k, digests is not None) for k, instance in enumerate(series.instances)]
    if values.may_be_whole([task.rescale for task in tasks]):
        try:
            array, outcomes = _filled(tasks, grid, np.dtype(np.int16), progress)
        except _NotWholeError:
            array, outcomes = _filled(tasks, grid, np.dtype(np.float32), progress)
    else:
        array, outcomes = _filled(tasks, grid, np.dtype(np.float32), progress)
    if digests is not None:
        digests.update((task.instance.path, outcome.digest) for task, outcome in zip(tasks, outcomes, strict=True))
    reasons = [*series.reasons, *_reasons(series, array, outcomes)]
    unit, unsure = _unit(series, array)
    sources: list[Source | None] = [_source(instance) for instance in series.instances]
    if grid.is_sheared:
        air = values.AIR_HU if series.modality == "CT" else 0
        array, grid = upright(array, grid, outside=air)
        sources = [None] * grid.shape[0]
    return Volume(array, grid, unit, modality=series.modality, sources=tuple(sources), reasons=merge(reasons, unsure))


def _source(instance: Instance) -> Source | None:
    return Source(instance.sop_instance_uid) if instance.sop_instance_uid else None


def _unit(series: Series, array: Pixels) -> tuple[Code, list[Reason]]:
    units = {instance.rescale.unit for instance in series.instances}
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
    aired = [(instance.name, o.aired) for instance, o in zip(series.instances, outcomes, strict=True) if o.aired]
    if aired:
        count = sum(number for _, number in aired)
        message = f"{count} voxels in {len(aired)} of {len(outcomes)} slices were set to {values.AIR_HU} HU."
        reasons.append(Reason("OUTSIDE_SCAN_CIRCLE", message, tuple(name for name, _ in aired)))
    lossy = tuple(i.name for i in series.instances if i.is_lossy or i.transfer_syntax in codecs.LOSSY)
    if lossy:
        message = f"{len(lossy)} of {len(outcomes)} slices were compressed with loss."
        reasons.append(Reason("LOSSY", message, lossy))
    if series.modality == "CT" and series.instances[0].rescale.slope is None:
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


# --- slices ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Slice:
    """One slice to be read, into place ``index``."""

    instance: Instance
    index: int
    wants_digest: bool

    @property
    def rescale(self) -> tuple[float, float]:
        """Slope and intercept; those that change nothing where there are none."""
        slope, intercept = self.instance.rescale.slope, self.instance.rescale.intercept
        return (1.0, 0.0) if slope is None or intercept is None else (slope, intercept)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of a slice: how many pixels were set to air, the digest if one was wanted, a fault if it failed."""

    aired: int = 0
    digest: str = ""
    fault: Reason | None = None


def _filled(
    tasks: Sequence[_Slice], grid: Grid, dtype: np.dtype[Any], progress: Progress | None
) -> tuple[Pixels, list[_Outcome]]:
    """The array of all slices, in threads.

    Raises
    ------
    Refused
        If a slice cannot be read.
    TryLater
        If the volume does not fit into memory.
    """
    try:
        array = np.empty(grid.shape, dtype)
    except MemoryError:
        raise TryLater(f"There is no room in memory for a volume of shape {grid.shape}.") from None
    blocks = [tasks[start : start + _SLICES_AT_ONCE] for start in range(0, len(tasks), _SLICES_AT_ONCE)]
    outcomes: list[_Outcome] = []
    with Opener() as opener, ThreadPoolExecutor(os.cpu_count()) as pool:
        pending = [pool.submit(_read_block, block, array, opener) for block in blocks]
        try:
            for future in pending:
                outcomes += future.result()
                if progress is not None:
                    progress(len(outcomes), len(tasks))
        finally:
            for future in pending:
                future.cancel()
    faults = [outcome.fault for outcome in outcomes if outcome.fault is not None]
    if faults:
        raise Refused(faults)
    return array, outcomes


def _read_block(tasks: Sequence[_Slice], array: Pixels, opener: Opener) -> list[_Outcome]:
    return [_read_slice(task, array[task.index], opener) for task in tasks]


def _read_slice(task: _Slice, out: Pixels, opener: Opener) -> _Outcome:
    instance = task.instance
    try:
        source = opener.open(instance.file)
        try:
            if not instance.is_unchanged(source):
                raise _ChangedError
            cells, digest = _cells(task, source, out)
        finally:
            source.close()
    except codecs.TruncatedError as error:
        return _failed(instance, "PIXELS_TRUNCATED", error)
    except codecs.UndecodableError as error:
        return _failed(instance, "PIXELS_UNDECODABLE", error)
    except (_ChangedError, FileNotFoundError):
        return _failed(instance, "FILE_CHANGED", "The file was changed or removed after its header was read.")
    except MEMBER_FAULTS as error:
        return _failed(instance, "PIXELS_MISSING", f"The file cannot be read any more ({type(error).__name__}).")
    return _in_real_units(task, cells, out, digest)


def _in_real_units(task: _Slice, cells: Pixels, out: Pixels, digest: str) -> _Outcome:
    try:
        return _Outcome(_rescaled(task, cells, out), digest)
    except values.StrayBitsError as error:
        return _failed(task.instance, "BITS_BEYOND_STORED", error)


def _failed(instance: Instance, code: str, why: object) -> _Outcome:
    return _Outcome(fault=Reason(code, f"{str(why).rstrip('.')}{numbers_of([instance])}.", (instance.name,)))


def _rescaled(task: _Slice, cells: Pixels, out: Pixels) -> int:
    """Cells to real values in ``out``; the number of pixels set to air."""
    form, (slope, intercept) = task.instance.format, task.rescale
    if task.instance.transfer_syntax not in UNCOMPRESSED:
        form = replace(form, high_bit=form.bits_stored - 1)  # a codestream holds the value alone
    is_ct = task.instance.modality == "CT"
    stored, lowest, highest = values.unpack(cells, form, stray_bits="refuse" if is_ct else "drop")
    low, high = sorted((lowest * slope + intercept, highest * slope + intercept))
    padding = values.padding_mask(stored, task.instance.rescale.padding, task.rescale) if is_ct else None
    if out.dtype == np.int16:
        if low < _INT16.min or high > _INT16.max:
            raise _NotWholeError
        values.to_int16(stored, slope, intercept, out)
    else:
        values.to_float32(stored, slope, intercept, out)
    return values.set_air(out, padding, low) if is_ct else 0


def _cells(task: _Slice, source: DiskBytes | MemberBytes, out: Pixels) -> tuple[Pixels, str]:
    """Pixel cells of a slice, in the memory of ``out`` where they fit; and the file's digest if it is wanted."""
    instance = task.instance
    if instance.pixels is None:
        raise codecs.TruncatedError("There are no pixel data.")
    file: DiskBytes | MemberBytes | MemoryBytes = source
    digest = ""
    if task.wants_digest:
        file = MemoryBytes(source.at(0, source.size))
        digest = hashlib.sha256(file.content).hexdigest()
    if instance.transfer_syntax in UNCOMPRESSED:
        return _uncompressed(instance, instance.pixels.offset, file, out), digest
    form = instance.format
    frame = codecs.frame_of(file.at(instance.pixels.offset, file.size))
    decoded = codecs.decode(frame, instance.transfer_syntax, (form.rows, form.columns), form.bits_allocated)
    return _widened(decoded, form.bits_allocated), digest


def _uncompressed(instance: Instance, offset: int, file: DiskBytes | MemberBytes | MemoryBytes, out: Pixels) -> Pixels:
    dtype = np.dtype(f"u{instance.format.bits_allocated // 8}")
    cells = out.view(dtype) if out.dtype.itemsize == dtype.itemsize else np.empty(out.shape, dtype)
    target = memoryview(cells.data).cast("B")
    if instance.transfer_syntax == DEFLATED:
        file = _inflated(file, offset + len(target))
    if isinstance(file, DiskBytes):
        got = file.into(target, offset)
    else:
        found = file.at(offset, len(target))
        got = len(found)
        target[:got] = found
    if got < len(target):
        raise codecs.TruncatedError("The pixel data end before the last pixel.")
    if instance.transfer_syntax == EXPLICIT_BIG:
        cells.byteswap(inplace=True)
    return cells


def _inflated(file: DiskBytes | MemberBytes | MemoryBytes, count: int) -> MemoryBytes:
    content = file.at(0, file.size)
    _, start = read_meta(content, PREAMBLE_BYTES, {})
    try:
        return MemoryBytes(inflate(content[start:], count))
    except zlib.error as error:
        raise codecs.UndecodableError("The deflated data set is damaged.") from error


def _widened(decoded: Pixels, bits_allocated: int) -> Pixels:
    """Decoded pixels in cells of at least the size that the header states."""
    kind, size = decoded.dtype.kind, max(decoded.dtype.itemsize, bits_allocated // 8)
    widened = np.ascontiguousarray(decoded, dtype=f"{kind}{size}")
    return widened if widened.flags.writeable else widened.copy()
