"""Grouping: frames to series, one per volume. Pure; no file is touched here.

In this order: one Series Instance UID; copies taken out; instances that contradict each other told; pictures each by
themselves; split by what can never share a volume (`alike`); split by what tells apart volumes that lie at the same
positions (`parting`), but only into whole volumes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from isocenter.dicom.frames.frame import Frame, instances_of, names_of
from isocenter.dicom.frames.instance import Instance
from isocenter.dicom.sorting import stack
from isocenter.dicom.sorting.alike import Group, alike, is_localizer, place_on_disk
from isocenter.dicom.sorting.parting import Look, parted
from isocenter.dicom.sorting.planes import planes_from
from isocenter.dicom.sorting.series import Series
from isocenter.dicom.sorting.support import form_faults, is_plane, support_faults, unsupported
from isocenter.errors import UsageError
from isocenter.reasons import Reason, counted, merge

SameBytes = Callable[[Instance, Instance], bool]
_MOST_TOLD = 6


def series_from(frames: Iterable[Frame], same_bytes: SameBytes, look: Look | None = None) -> tuple[Series, ...]:
    """Group frames into series.

    Parameters
    ----------
    frames
        In any order; the result does not depend on it.
    same_bytes
        Whether two instances are the same file, byte for byte. Asked only where SOP Instance UIDs are equal.
    look
        Further facts of a frame, from its whole header. Asked only where slices lie at the same positions and their
        own facts do not tell them apart.

    Returns
    -------
    Sorted by study, series number and series UID; the parts of one DICOM series in their own order.
    """
    by_uid: dict[Hashable, list[Frame]] = defaultdict(list)
    for frame in sorted(frames, key=place_on_disk):
        by_uid[frame.instance.series_uid or _stand_in(frame.instance)].append(frame)
    found = [series for group in by_uid.values() for series in _series_of_one_uid(group, same_bytes, look)]
    return tuple(sorted(found, key=_place_in_scan))


def together(parts: Sequence[Series], axis: str) -> Series:
    """One series with a further axis, of volumes at the same positions, such as the time points of a dynamic scan.

    Parameters
    ----------
    parts
        Two or more, in their order along the axis; none has an axis yet.
    axis
        Name of the axis, such as ``"time"``, ``"echo"`` or ``"b"``.

    Returns
    -------
    A series whose volume has the axes (slice, row, column, axis).

    Raises
    ------
    UsageError
        If the parts do not lie on one grid, are of several patients or modalities, or have an axis already.
    """
    if isinstance(parts, Series):
        raise UsageError("Give two or more series, as a list; this is one.")
    grids = [part.grid for part in parts]
    first = grids[0] if grids else None
    if len(parts) < 2 or not axis or first is None:
        raise UsageError("Give two or more series, each with a grid, and the name of the axis they run along.")
    if any(grid is None or not grid.coincides(first) for grid in grids):
        raise UsageError("Only volumes on one and the same grid can be put together: resample them onto one first.")
    if any(part.axis for part in parts) or len({part.modality for part in parts}) > 1:
        raise UsageError("Only volumes of one modality, without an axis of their own, can be put together.")
    frames = tuple(frame for part in parts for frame in part.frames)
    if len({instance.patient_key for instance in instances_of(frames)}) > 1:
        raise UsageError("Only volumes of one patient can be put together.")
    words = [dict.fromkeys(part.part.split(", ")) for part in parts]
    shared = ", ".join(word for word in words[0] if all(word in others for others in words))
    reasons = merge(*(part.reasons for part in parts))
    known = {reason.code for reason in reasons}
    met = [reason for reason in support_faults(frames) if reason.code not in known]
    return Series(frames, first, (*reasons, *met), shared, axis)


def _stand_in(instance: Instance) -> Hashable:
    """What is taken to make a series of images that have no Series Instance UID."""
    folder = instance.path.rpartition("/")[0]
    return folder, instance.study_uid, instance.patient_key, instance.modality, instance.series_number


def _place_in_scan(series: Series) -> tuple[str, float, str]:
    number = float("inf") if series.number is None else float(series.number)
    return series.study_uid, number, series.series_uid


def _series_of_one_uid(frames: list[Frame], same_bytes: SameBytes, look: Look | None) -> Iterator[Series]:
    kept, reasons = _without_copies(frames, same_bytes)
    contradictions = _contradictions(instances_of(kept))
    pictures = [frame for frame in kept if is_plane(frame)]
    slices = [frame for frame in kept if not is_plane(frame)] if pictures else kept
    flat = planes_from(pictures)
    volumes = [volume for group in alike(slices) for volume in _volumes(group, look)]
    shared = [*reasons, *contradictions]
    if len(volumes) > 1 or (volumes and flat):
        shared.append(
            Reason("SPLIT", f"The DICOM series holds {_told([len(one.frames) for one in volumes], len(flat))}.")
        )
    for volume in volumes:
        yield _series(volume, [*shared, *volume.group.reasons, *_divided(volume, volumes)])
    for picture in flat:
        about = [reason for reason in reasons if set(reason.instances) & set(names_of(picture.frames))]
        yield replace(picture, reasons=(*about, *contradictions, *picture.reasons))


def _told(sizes: Sequence[int], pictures: int) -> str:
    """How many volumes of how many slices there are, and pictures."""
    if len(set(sizes)) == 1:
        slices = f"{sizes[0]} slices{' each' if len(sizes) > 1 else ''}"
    else:
        slices = f"{', '.join(map(str, sizes[:_MOST_TOLD]))}{', ...' if len(sizes) > _MOST_TOLD else ''} slices"
    volumes = f"{len(sizes)} volume{'s' if len(sizes) > 1 else ''} of {slices}"
    return f"{volumes} and {pictures} pictures" if pictures else volumes


def _volumes(group: Group, look: Look | None) -> list[_Volume]:
    """The volumes of a group of alike frames."""
    faults = unsupported(group.frames)
    misplaced = [] if faults else stack.place_faults(group.frames)
    parts = [group] if faults or misplaced else parted(group, look)
    return [_Volume(part, (*faults, *misplaced), is_read=not faults) for part in parts]


@dataclass(frozen=True)
class _Volume:
    """A group, and what keeps its frames from being read or from having a place."""

    group: Group
    faults: tuple[Reason, ...]
    is_read: bool

    @property
    def frames(self) -> tuple[Frame, ...]:
        return self.group.frames


def _series(volume: _Volume, shared: Sequence[Reason]) -> Series:
    """The series of a volume: geometry, and all reasons."""
    frames, grid = volume.frames, None
    faults = [*(support_faults(frames) if volume.is_read else ()), *volume.faults]
    if not volume.faults and min(frames[0].shape) > 0:
        frames, grid, met = stack.arrange(frames)
        faults += [*met, *_missing_at_an_end(frames)]
    if is_localizer(frames[0]):
        faults.append(Reason("LOCALIZER", "The images are localizers.", names_of(frames)))
    own = merge(*(frame.reasons for frame in frames if frame.reasons))
    return Series(frames, grid, (*shared, *own, *faults, *form_faults(frames)), volume.group.label)


def _missing_at_an_end(frames: Sequence[Frame]) -> list[Reason]:
    """That the header says more slices than there are: what is missing at an end leaves no gap."""
    stated = max((frame.instance.stated_slices or 0 for frame in frames), default=0)
    if frames[0].instance.format.frames > 1 or len(frames) >= stated:
        return []
    return [Reason("SLICES_FEWER", f"The header says {stated} slices; {len(frames)} are there.")]


def _divided(volume: _Volume, volumes: Sequence[_Volume]) -> list[Reason]:
    """Whether the largest volume and another one look like parts of one stack."""
    largest = max(volumes, key=lambda one: len(one.frames))
    if len(volumes) == 1 or largest.faults:
        return []
    candidates = volumes if volume is largest else [volume]
    pieces = [one for one in candidates if one is not largest and not one.faults]
    pieces = [one for one in pieces if stack.continues(largest.frames, one.frames)]
    parts = pieces if volume is largest else [largest] * len(pieces)
    if not parts:
        return []
    count = sum(len(part.frames) for part in parts)
    message = f"{count} slices continue this stack but differ in size, kind, orientation, frame of reference or kernel."
    return [Reason("STACK_DIVIDED", message, names_of(frame for part in parts for frame in part.frames))]


# --- copies and contradictions --------------------------------------------------------------------------------------


def _without_copies(frames: Sequence[Frame], same_bytes: SameBytes) -> tuple[list[Frame], list[Reason]]:
    instances = instances_of(frames)
    if len({instance.sop_instance_uid or id(instance) for instance in instances}) == len(instances):
        return list(frames), []
    kept: dict[str, list[Instance]] = defaultdict(list)
    copies: list[str] = []
    for instance in instances:
        twins = kept[instance.sop_instance_uid]
        if instance.sop_instance_uid and any(same_bytes(instance, twin) for twin in twins):
            copies.append(instance.sop_instance_uid)
        else:
            twins.append(instance)
    reasons = []
    if copies:
        files = counted(len(copies), "file is a copy of another", "files are copies of others")
        message = f"{files}, byte for byte; one of each was taken."
        reasons.append(Reason("DUPLICATE_INSTANCE", message, tuple(copies)))
    clashes = tuple(uid for uid, twins in kept.items() if uid and len(twins) > 1)
    if clashes:
        message = f"{len(clashes)} SOP Instance UIDs stand in several files that differ."
        reasons.append(Reason("INSTANCE_CONFLICT", message, clashes))
    if not copies:
        return list(frames), reasons
    taken = {id(instance) for twins in kept.values() for instance in twins}
    return [frame for frame in frames if id(frame.instance) in taken], reasons


def _contradictions(instances: Sequence[Instance]) -> list[Reason]:
    """Facts that one DICOM series can have only once (PS3.3 C.7.3.1), but that differ."""
    facts: dict[str, Callable[[Instance], Hashable]] = {
        "patients": lambda instance: instance.patient_key,
        "studies": lambda instance: instance.study_uid,
        "modalities": lambda instance: instance.modality,
    }
    reasons = [
        Reason("SERIES_INCONSISTENT", f"The instances of the series belong to different {what}.", odd)
        for what, fact in facts.items()
        if (odd := _odd_ones(instances, fact))
    ]
    if not instances[0].series_uid:
        images = counted(len(instances), "image without Series Instance UID lies", "images without it lie")
        message = f"{images} in one folder: taken as one series."
        reasons.append(Reason("SERIES_UID_MISSING", message, tuple(i.name for i in instances)))
    return reasons


def _odd_ones(instances: Sequence[Instance], fact: Callable[[Instance], Hashable]) -> tuple[str, ...]:
    """Names of the instances that differ in a fact from most."""
    if len(set(map(fact, instances))) == 1:
        return ()
    ((most, _),) = Counter(map(fact, instances)).most_common(1)
    return tuple(instance.name for instance in instances if fact(instance) != most)
