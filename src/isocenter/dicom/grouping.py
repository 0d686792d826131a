"""Grouping: frames to series, one per volume. Pure; no file is touched here.

In this order: one Series Instance UID; copies taken out; instances that contradict each other held; split by what can
never share a volume (class, size, orientation, spacing, kernel, localizers); split by what tells apart volumes that lie
at the same positions (echo, time, b-value, ...), but only into complete volumes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np

from isocenter.dicom import stack
from isocenter.dicom.files import FileRef
from isocenter.dicom.frame import Frame, Mark, instances_of, names_of
from isocenter.dicom.instance import Instance
from isocenter.dicom.series import Series
from isocenter.dicom.support import support_faults, unsupported
from isocenter.reasons import Reason

SameBytes = Callable[[Instance, Instance], bool]

_MARKS: dict[str, Callable[[Mark], Hashable]] = {
    "time": lambda mark: mark.temporal_position,
    "b-value": lambda mark: mark.b_value,
    "echo": lambda mark: mark.echo_number,
    "echo time": lambda mark: mark.echo_time_ms,
    "image type": lambda mark: mark.image_type,
    "trigger time": lambda mark: mark.trigger_time_ms,
    "acquisition": lambda mark: mark.acquisition_number,
}
"""What may tell apart volumes at the same positions, the surest first."""
_NEVER_WITHIN_A_VOLUME = ("time", "b-value", "echo", "echo time", "image type")
"""Marks that split even volumes that lie between each other, slice by slice."""


def series_from(frames: Iterable[Frame], same_bytes: SameBytes) -> tuple[Series, ...]:
    """Group frames into series.

    Parameters
    ----------
    frames
        In any order; the result does not depend on it.
    same_bytes
        Whether two instances are the same file, byte for byte. Asked only where SOP Instance UIDs are equal.

    Returns
    -------
    Sorted by study, series number and series UID.
    """
    by_uid: dict[Hashable, list[Frame]] = defaultdict(list)
    for frame in sorted(frames, key=lambda frame: (frame.instance.file, frame.number)):
        by_uid[frame.instance.series_uid or _stand_in(frame.instance)].append(frame)
    found = [series for group in by_uid.values() for series in _series_of_one_uid(group, same_bytes)]
    return tuple(sorted(found, key=_place_in_scan))


def _stand_in(instance: Instance) -> Hashable:
    """What is taken to make a series of images that have no Series Instance UID."""
    folder = instance.path.rpartition("/")[0]
    return folder, instance.study_uid, instance.patient_key, instance.modality, instance.series_number


def _place_in_scan(series: Series) -> tuple[str, float, str, str, str]:
    number = float("inf") if series.number is None else float(series.number)
    return series.study_uid, number, series.series_uid, series.part, series.frames[0].instance.path


def _series_of_one_uid(frames: list[Frame], same_bytes: SameBytes) -> Iterator[Series]:
    kept, reasons = _without_copies(frames, same_bytes)
    reasons += _contradictions(instances_of(kept))
    groups = [part for alike in _alike(kept) for part in _volumes(alike)]
    if len(groups) > 1:
        sizes = ", ".join(str(len(group.frames)) for group in groups)
        reasons.append(Reason("SPLIT", f"The DICOM series holds {len(groups)} groups of images, of {sizes} slices."))
    for index, group in enumerate(groups, 1):
        part = "" if len(groups) == 1 else group.label or f"part {index}"
        yield _series(replace(group, label=part), [*reasons, *_divided(group, groups)])


@dataclass(frozen=True)
class _Group:
    """Frames that go together, and what tells them from the others."""

    frames: tuple[Frame, ...]
    label: str = ""


def _series(group: _Group, shared: Sequence[Reason]) -> Series:
    """The series of a group: geometry, and all reasons."""
    frames, grid = group.frames, None
    faults = unsupported(frames)
    if not faults:
        faults = support_faults(frames)
        misplaced = stack.place_faults(frames)
        faults += misplaced
        if not misplaced and min(frames[0].shape) > 0:
            frames, grid, met = stack.arrange(frames)
            faults += met
    if "LOCALIZER" in frames[0].image_type:
        faults.append(Reason("LOCALIZER", "The images are localizers.", names_of(frames)))
    bare = tuple(instance.name for instance in instances_of(frames) if not instance.has_meta)
    if bare:
        faults.append(Reason("NO_PREAMBLE", f"{len(bare)} files have no preamble and meta header.", bare))
    irregular = tuple(instance.name for instance in instances_of(frames) if instance.is_irregular)
    if irregular:
        message = f"{len(irregular)} headers break the rules of their encoding; pydicom made something of them."
        faults.append(Reason("HEADER_IRREGULAR", message, irregular))
    return Series(frames, grid, (*shared, *faults), group.label)


def _divided(group: _Group, groups: Sequence[_Group]) -> list[Reason]:
    """Whether the largest group and another one look like parts of one stack."""
    largest = max(groups, key=lambda one: len(one.frames))
    if stack.place_faults(largest.frames):
        return []
    candidates = groups if group is largest else [group]
    pieces = [one for one in candidates if one is not largest and not stack.place_faults(one.frames)]
    pieces = [one for one in pieces if stack.continues(largest.frames, one.frames)]
    parts = pieces if group is largest else [largest] * len(pieces)
    if not parts:
        return []
    count = sum(len(part.frames) for part in parts)
    message = f"{count} slices continue this stack but differ in size, kind, orientation, frame of reference or kernel."
    return [Reason("STACK_DIVIDED", message, names_of(frame for part in parts for frame in part.frames))]


# --- copies and contradictions --------------------------------------------------------------------------------------


def _without_copies(frames: Sequence[Frame], same_bytes: SameBytes) -> tuple[list[Frame], list[Reason]]:
    kept: dict[str, list[Instance]] = defaultdict(list)
    copies: list[str] = []
    for instance in instances_of(frames):
        twins = kept[instance.sop_instance_uid]
        if instance.sop_instance_uid and any(same_bytes(instance, twin) for twin in twins):
            copies.append(instance.sop_instance_uid)
        else:
            twins.append(instance)
    reasons = []
    if copies:
        message = f"{len(copies)} files are copies of others, byte for byte; one of each was taken."
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
        message = f"{len(instances)} images without Series Instance UID lie in one folder: taken as one series."
        reasons.append(Reason("SERIES_UID_MISSING", message, tuple(i.name for i in instances)))
    return reasons


def _odd_ones(instances: Sequence[Instance], fact: Callable[[Instance], Hashable]) -> tuple[str, ...]:
    """Names of the instances that differ in a fact from most."""
    (most, _), *_ = Counter(map(fact, instances)).most_common(1)
    return tuple(instance.name for instance in instances if fact(instance) != most)


# --- what can never share a volume ----------------------------------------------------------------------------------


def _alike(frames: Sequence[Frame]) -> list[_Group]:
    """Split by class, size, kind of pixels, orientation, spacing, frame of reference, kernel; localizers apart."""
    orientation = _Classes(stack.same_direction)
    spacing = _Classes(stack.same_spacing)
    groups: dict[Hashable, list[Frame]] = defaultdict(list)
    for frame in frames:
        instance = frame.instance
        form = instance.format
        key = (
            instance.sop_class_uid,
            (frame.shape, form.samples, form.photometric, form.bits_allocated),
            "LOCALIZER" in frame.image_type,
            orientation.of(frame.orientation),
            spacing.of(frame.pixel_spacing_mm),
            instance.frame_of_reference_uid,
            frame.mark.kernel,
        )
        groups[key].append(frame)
    if len(groups) > 1:
        groups = _join_unplaced(groups)
    found = sorted((tuple(group) for group in groups.values()), key=_largest_first)
    return [_Group(group, "localizer" if "LOCALIZER" in group[0].image_type else "") for group in found]


def _largest_first(group: tuple[Frame, ...]) -> tuple[int, FileRef, int]:
    return -len(group), group[0].instance.file, group[0].number


def _join_unplaced(groups: dict[Hashable, list[Frame]]) -> dict[Hashable, list[Frame]]:
    """Put slices without a place to the only group they can have come from: a stack that lacks them is not whole."""
    placed = {key: group for key, group in groups.items() if not stack.place_faults(group)}
    joined: dict[Hashable, list[Frame]] = {key: list(group) for key, group in placed.items()}
    for key, group in groups.items():
        if key in placed:
            continue
        hosts = [k for k, g in placed.items() if g[0].shape == group[0].shape]
        if len(hosts) == 1:
            joined[hosts[0]] += group
        else:
            joined[key] = group
    return joined


class _Classes:
    """Numbers values that are equal within a tolerance alike."""

    def __init__(self, are_equal: Callable[[Sequence[float], Sequence[float]], bool]) -> None:
        self._are_equal = are_equal
        self._known: dict[tuple[float, ...] | None, int] = {None: 0}
        self._first: list[tuple[float, ...]] = []

    def of(self, value: tuple[float, ...] | None) -> int:
        if value is not None and value not in self._known:
            match = next((n for n, first in enumerate(self._first, 1) if self._are_equal(value, first)), 0)
            if not match:
                self._first.append(value)
                match = len(self._first)
            self._known[value] = match
        return self._known[value]


# --- volumes at the same positions ----------------------------------------------------------------------------------


def _volumes(group: _Group) -> list[_Group]:
    """Split a group of parallel slices into complete volumes, if it holds several; else leave it as it is."""
    frames = group.frames
    if unsupported(frames) or stack.place_faults(frames):
        return [group]
    depths = stack.depths_mm(frames)
    shared = stack.has_shared_positions(depths)
    names = [name for name in (_MARKS if shared else _NEVER_WITHIN_A_VOLUME) if _varies(frames, name)]
    for count in range(1, min(3, len(names)) + 1):
        for chosen in combinations(names, count):
            parts = _split_by(frames, chosen)
            if _are_complete(parts, depths) if shared else _lie_between_each_other(parts, depths):
                return [_Group(tuple(frames[i] for i in part), label) for label, part in parts.items()]
    return [group]


def _varies(frames: Sequence[Frame], name: str) -> bool:
    return len({_MARKS[name](frame.mark) for frame in frames}) > 1


def _split_by(frames: Sequence[Frame], names: Sequence[str]) -> dict[str, list[int]]:
    """Indices of the frames by the label of their marks."""
    parts: dict[str, list[int]] = defaultdict(list)
    for index, frame in enumerate(frames):
        values = [_MARKS[name](frame.mark) for name in names]
        parts[", ".join(f"{name} {_word(value)}" for name, value in zip(names, values, strict=True))].append(index)
    return dict(sorted(parts.items()))


def _word(value: Hashable) -> str:
    if isinstance(value, tuple):
        return "\\".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _are_complete(parts: dict[str, list[int]], depths: stack.Floats) -> bool:
    """Whether each part has one slice at each of the same positions."""
    positions = stack.positions_of(depths)
    for part in parts.values():
        own = np.sort(depths[part])
        if len(own) != len(positions) or np.abs(own - positions).max() > stack.SAME_POSITION_MM:
            return False
    return True


def _lie_between_each_other(parts: dict[str, list[int]], depths: stack.Floats) -> bool:
    """Whether the parts are even stacks of several slices whose ranges overlap: volumes put into each other."""
    ranges = []
    for part in parts.values():
        own = np.sort(depths[part])
        if len(own) < 2 or not stack.is_even(own):
            return False
        ranges.append((own[0], own[-1]))
    ranges.sort()
    return any(after[0] < before[1] for before, after in pairwise(ranges))
