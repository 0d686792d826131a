"""Parting: frames of parallel slices that lie at the same positions, into volumes by what tells these apart. Pure.

First by attributes that say what a volume is (echo, b-value, temporal position, component, ...), then by those that
follow from how it was made (times, acquisition). Last, where no attribute divides them, by the order of their times or
Instance Numbers, if it can be read in one way only. Else nothing is divided: true ambiguity stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, pairwise

import numpy as np
import numpy.typing as npt

from isocenter.dicom.file.moments import over_midnight
from isocenter.dicom.frames.frame import Frame, names_of
from isocenter.dicom.sorting import stack
from isocenter.dicom.sorting.alike import PLAIN, Group, distinct
from isocenter.dicom.sorting.ordering import Labelled, Order, by_order
from isocenter.reasons import Reason

Codes = npt.NDArray[np.int64]
Look = Callable[[Frame], Mapping[str, Hashable]]
"""Further facts of a frame, from its whole header; see :mod:`isocenter.dicom.sorting.second_look`."""

_DIMENSION = "dimension: "
"""Before the name of a Dimension Index, which is a mark like the others."""
_MOST_MARKS = 3
"""So many attributes together may tell volumes apart."""


@dataclass(frozen=True)
class _Mark:
    """An attribute that may tell volumes apart.

    Parameters
    ----------
    word
        What people call it.
    of
        Its value of a frame; None where there is none. By default it is a fact of the second look.
    unit
        Unit of the value.
    is_rank
        Whether the place in the order says more than the value, as for times of the day.
    """

    word: str
    of: Callable[[Frame], Hashable] | None = None
    unit: str = ""
    is_rank: bool = False


def _of_multi_frame(frame: Frame) -> Hashable:
    """What orders the multi-frame instance that holds the frame; None for a single-frame one."""
    instance = frame.instance
    if instance.format.frames == 1 and frame.window is None:
        return None
    number = instance.instance_number
    return float("inf") if number is None else number, instance.name


_SURE: dict[str, _Mark] = {
    "time": _Mark("time", lambda frame: frame.mark.temporal_position),
    "b_value": _Mark("b", lambda frame: frame.mark.b_value),
    "direction": _Mark("direction", lambda frame: frame.mark.direction, is_rank=True),
    "echo": _Mark("echo", lambda frame: frame.mark.echo_number),
    "component": _Mark("", lambda frame: frame.mark.component or None),
    "image_type": _Mark("", lambda frame: frame.mark.image_type or None),
    "echo_time": _Mark("echo time", lambda frame: frame.mark.echo_time_ms, "ms"),
    "phase": _Mark("phase"),
    "stack": _Mark("stack", lambda frame: frame.mark.stack_id or None),
    "inversion_time": _Mark("inversion time", unit="ms"),
    "flip_angle": _Mark("flip angle"),
    "repetition_time": _Mark("repetition time", unit="ms"),
    "kilovolt": _Mark("", unit="kV"),
    "contrast": _Mark("contrast"),
    "reconstruction": _Mark("reconstruction"),
    "sequence": _Mark("sequence"),
    "corrections": _Mark("corrected for"),
}
"""What says what a volume is."""
_LESS_SURE: dict[str, _Mark] = {
    "trigger_time": _Mark("trigger time", lambda frame: frame.mark.trigger_time_ms, "ms"),
    "frame_time": _Mark("time", is_rank=True),
    "acquisition": _Mark("acquisition", lambda frame: frame.mark.acquisition_number),
    "thickness": _Mark("thickness", lambda frame: frame.slice_thickness_mm, "mm"),
    "acquisition_time": _Mark("time", lambda frame: frame.mark.acquisition_time_s, is_rank=True),
    "content_time": _Mark("time", lambda frame: frame.mark.content_time_s, is_rank=True),
    "instance": _Mark("volume", _of_multi_frame, is_rank=True),
}
"""What follows from how it was made."""
_MARKS = _SURE | _LESS_SURE
_NEVER_WITHIN_A_VOLUME = {
    name: mark.of
    for name in ("time", "b_value", "echo", "echo_time", "component", "image_type", "thickness")
    if (mark := _MARKS[name]).of is not None
}
"""Marks that split even volumes that lie between each other, slice by slice: of the mark, and the thickness."""
_CLOCKS = ("acquisition_time", "content_time")
_TIMES = ("frame_time", *_CLOCKS)
_OF_SCANNING = ("frame_time", "acquisition_time")
"""Times that a slice sent again shares with the first one."""
_TYPE_WORDS = {
    "M": "magnitude",
    "P": "phase",
    "R": "real",
    "I": "imaginary",
    "W": "water",
    "F": "fat",
    "IP": "in phase",
    "OP": "opposed phase",
    "TRACEW": "trace",
}


def parted(group: Group, look: Look | None = None) -> list[Group]:
    """Split a group of parallel slices into complete volumes, if it holds several; else leave it as it is.

    Parameters
    ----------
    group
        Frames for which :func:`isocenter.dicom.sorting.stack.place_faults` found nothing.
    look
        Gives further facts; asked only where the frames' own do not do.
    """
    frames = group.frames
    depths = stack.depths_mm(frames)
    if not stack.has_shared_positions(depths):
        kinds = {(id(frame.mark), frame.slice_thickness_mm): frame for frame in frames}.values()
        names = [name for name, of in _NEVER_WITHIN_A_VOLUME.items() if of is not None and len(set(map(of, kinds))) > 1]
        if names:
            return _named(group, _between_each_other(_Table(frames, depths), names))
        if look is None or not stack.is_woven([frames[place] for place in np.argsort(depths)]):
            return [group]
        table = _Table(frames, depths, [look(frame) for frame in frames])
        return _named(group, _between_each_other(table, table.sure))
    table = _Table(frames, depths)
    if (found := _by_marks(table)) is not None:
        return _named(group, found)
    if look is not None:
        table = _Table(frames, depths, [look(frame) for frame in frames])
    if _contradict_each_other(table):
        return [group]
    return _named(group, _by_marks(table) or _by_order(table) or _even_stacks(table) or _incomplete(table))


class _Table:
    """What is known of each frame: its place among the positions, and its marks as numbers of equal values."""

    def __init__(
        self, frames: Sequence[Frame], depths: stack.Floats, further: Sequence[Mapping[str, Hashable]] = ()
    ) -> None:
        self.frames, self.depths = frames, depths
        self.positions = stack.positions_of(depths)
        self.at: Codes = np.clip(np.searchsorted(self.positions, depths + stack.SAME_POSITION_MM / 2) - 1, 0, None)
        self.values: dict[str, list[Hashable]] = {}
        self.codes: dict[str, Codes] = {}
        for name, mark in _MARKS.items():
            values: list[Hashable] = [None if mark.of is None else mark.of(frame) for frame in frames]
            if further:
                values = [
                    facts.get(name) if value is None else value for value, facts in zip(values, further, strict=True)
                ]
            self._note(name, list(over_midnight(values)) if name in _CLOCKS else values)  # type: ignore[arg-type]
        indices = [dict(frame.mark.dimensions) for frame in frames]
        for name in dict.fromkeys(name for one in indices for name in one):
            self._note(f"{_DIMENSION}{name}", [one.get(name) for one in indices])
        self.sure = [name for name in self.codes if name in _SURE or name.startswith(_DIMENSION)]
        self.sure.sort(key=lambda name: name.startswith(_DIMENSION))

    def _note(self, name: str, values: list[Hashable]) -> None:
        """Keep the values of a mark if they are not all alike."""
        ranks = {value: rank for rank, value in enumerate(sorted(set(values), key=_sort_key))}
        if len(ranks) > 1:
            self.values[name] = values
            self.codes[name] = np.array([ranks[value] for value in values])

    def together(self, names: Sequence[str]) -> Codes:
        """Frames that agree in all these marks bear one number; in the order of the marks' values."""
        if not names:
            return np.zeros(len(self.frames), np.int64)
        _, codes = np.unique(np.stack([self.codes[name] for name in names]), axis=1, return_inverse=True)
        return np.asarray(codes, np.int64).reshape(-1)

    def counts(self, codes: Codes) -> Codes:
        """(part, position) number of frames."""
        size = len(self.positions)
        return np.bincount(codes * size + self.at, minlength=(int(codes.max()) + 1) * size).reshape(-1, size)

    def are_complete(self, codes: Codes) -> bool:
        """Whether each part has one frame at each position."""
        return len(self.frames) == (int(codes.max()) + 1) * len(self.positions) and bool(
            (self.counts(codes) == 1).all()
        )

    def stacks(self, codes: Codes) -> list[stack.Floats]:
        """Sorted depths of each part."""
        return [np.sort(self.depths[codes == part]) for part in range(int(codes.max()) + 1)]

    def spans(self, own: stack.Floats) -> bool:
        """Whether an even stack reaches over all positions by itself, with larger steps."""
        if len(own) < 3 or not stack.is_even(own):
            return False
        step = own[1] - own[0]
        return bool(own[0] - self.positions[0] < step and self.positions[-1] - own[-1] < step)

    def labels(self, codes: Codes, names: Sequence[str]) -> list[str]:
        """What people call each part."""
        firsts = [int(np.argmax(codes == part)) for part in range(int(codes.max()) + 1)]
        words = [self._words(name, firsts) for name in names]
        return [", ".join(filter(None, part)) for part in zip(*words, strict=True)]

    def _words(self, name: str, firsts: Sequence[int]) -> list[str]:
        mark = _MARKS.get(name) or _Mark(name.removeprefix(_DIMENSION))
        values = [self.values[name][index] for index in firsts]
        known = sorted({value for value in values if value is not None}, key=_sort_key)
        rank = {value: f"{place} of {len(known)}" for place, value in enumerate(known, 1)}
        if name == "image_type":
            return _type_words(values)
        if name == "component":
            return ["" if value is None else str(value).lower() for value in values]
        if mark.is_rank or (name == "time" and known == list(range(1, len(known) + 1))):
            return ["" if value is None else f"{mark.word} {rank[value]}" for value in values]
        return [_word(mark, value) for value in values]


def _sort_key(value: Hashable) -> tuple[bool, str, float, tuple[object, ...]]:
    if value is None:
        return False, "", 0.0, ()
    if isinstance(value, (int, float)):
        return True, "", float(value), ()
    if isinstance(value, tuple):
        return True, "tuple", float(len(value)), tuple(_sort_key(one) for one in value)
    return True, str(value), 0.0, ()


def _word(mark: _Mark, value: Hashable) -> str:
    if value is None:
        return f"without {mark.word}" if mark.word else ""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return " ".join(filter(None, (mark.word, text, mark.unit)))


def _type_words(values: Sequence[Hashable]) -> list[str]:
    """Of image types the words that not all of them have."""
    types = [value if isinstance(value, tuple) else () for value in values]
    shared = set.intersection(*(set(one) for one in types)) if types else set()
    found = []
    for one in types:
        own = [_TYPE_WORDS.get(word, word) for word in dict.fromkeys(one) if word not in shared]
        found.append(" ".join(own) or "other")
    return found


# --- ways ------------------------------------------------------------------------------------------------------------


def _by_marks(table: _Table) -> Labelled | None:
    """By the fewest attributes that divide the frames into complete volumes, those that say what a volume is first."""
    every = [*table.sure, *(name for name in _LESS_SURE if name in table.codes)]
    for names in (table.sure, every):
        for count in range(1, min(_MOST_MARKS, len(names)) + 1):
            for chosen in combinations(names, count):
                codes = table.together(chosen)
                if not table.are_complete(codes):
                    continue
                if _contradict_each_other(table):
                    return None
                if "direction" in chosen and "b_value" in table.codes and "b_value" not in chosen:
                    chosen = ("b_value", *chosen)  # noqa: PLW2901 - a direction says little without it
                    codes = table.together(chosen)
                return Labelled(codes, table.labels(codes, chosen))
    return None


def _contradict_each_other(table: _Table) -> bool:
    """Whether two attributes divide the frames into as many complete volumes, but into other ones.

    Sure ones are compared with each other; the others only where no sure one divides the frames.
    """
    complete = {name: codes for name, codes in table.codes.items() if table.are_complete(codes)}
    sure = [codes for name, codes in complete.items() if name in table.sure]
    for one, other in pairwise(sure or complete.values()):
        pairs = len(np.unique(np.stack([one, other]), axis=1).T)
        if one.max() == other.max() and pairs != one.max() + 1:
            return True
    return False


def _by_order(table: _Table) -> Labelled | None:
    """By the order of times or Instance Numbers, within parts that sure marks make, if need be."""
    keys = [(table.values[name], Order.TIME) for name in _TIMES if name in table.values]
    if "trigger_time" in table.values:
        keys.append((table.values["trigger_time"], Order.TRIGGER))
    keys.append(([frame.instance.instance_number for frame in table.frames], Order.NUMBER))
    for count in range(min(2, len(table.sure)) + 1):
        for chosen in combinations(table.sure, count):
            codes = table.together(chosen)
            for key, order in keys:
                found = by_order(table.at, codes, key, order)
                if found is not None:
                    outer = table.labels(codes, chosen) if chosen else [""] * (int(codes.max()) + 1)
                    return found.within(outer)
    return None


def _even_stacks(table: _Table) -> Labelled | None:
    """By thickness or acquisition, into even stacks of other lengths: of other distances, or that overlap in part."""
    for name in ("thickness", "acquisition"):
        if name not in table.codes:
            continue
        codes = table.codes[name]
        stacks = table.stacks(codes)
        if table.counts(codes).max() == 1 and all(len(own) > 2 and stack.is_even(own) for own in stacks):
            return Labelled(codes, table.labels(codes, (name,)), _shorter(table, codes))
    return None


def _shorter(table: _Table, codes: Codes) -> tuple[Reason | None, ...]:
    """For each part whether it lacks slices of another one, all of whose positions it has otherwise."""
    are_there = table.counts(codes) > 0
    sizes = are_there.sum(axis=1)
    most = [int(sizes[(are_there >= own).all(axis=1)].max()) for own in are_there]
    return tuple(
        Reason("SLICES_FEWER", f"{size} slices where another part of the series has {largest}.")
        if size < largest and not table.spans(own)
        else None
        for size, largest, own in zip(sizes, most, table.stacks(codes), strict=True)
    )


def _incomplete(table: _Table) -> Labelled | None:
    """By sure marks, or by times, into volumes of which some lack slices that others have: those are held."""
    sure = (chosen for count in range(_MOST_MARKS) for chosen in combinations(table.sure, count + 1))
    times = ((name,) for name in _OF_SCANNING if name in table.codes)
    for chosen in chain(sure, times):
        codes = table.together(chosen)
        sizes = table.counts(codes).sum(axis=1)
        if table.counts(codes).max() > 1 or sizes.max() < max(2, len(table.positions) / 2):
            continue
        reasons = [
            Reason("PART_INCOMPLETE", f"{len(own)} slices where another part of the series has {sizes.max()}.")
            if len(own) < sizes.max() and not table.spans(own)
            else None
            for own in table.stacks(codes)
        ]
        return Labelled(codes, table.labels(codes, chosen), tuple(reasons))
    return None


def _between_each_other(table: _Table, names: Sequence[str]) -> Labelled | None:
    """By marks that never vary within a volume, into even stacks of several slices whose ranges overlap."""
    for count in range(1, min(_MOST_MARKS, len(names)) + 1):
        for chosen in combinations(names, count):
            codes = table.together(chosen)
            stacks = table.stacks(codes)
            if any(len(own) < 2 or not stack.is_even(own) for own in stacks):
                continue
            ranges = sorted((own[0], own[-1]) for own in stacks)
            if any(after[0] < before[1] for before, after in pairwise(ranges)):
                return Labelled(codes, table.labels(codes, chosen))
    return None


def _named(group: Group, found: Labelled | None) -> list[Group]:
    if found is None:
        return [group]
    members: dict[int, list[Frame]] = defaultdict(list)
    for frame, part in zip(group.frames, found.codes, strict=True):
        members[int(part)].append(frame)
    outer = "" if group.label == PLAIN else group.label
    labels = distinct([", ".join(filter(None, (outer, label))) or PLAIN for label in found.labels])
    return [
        Group(tuple(members[part]), label, (*group.reasons, *_about(members[part], reason), *found.shared))
        for part, (label, reason) in enumerate(zip(labels, found.reasons or [None] * len(labels), strict=True))
    ]


def _about(frames: Sequence[Frame], reason: Reason | None) -> tuple[Reason, ...]:
    return () if reason is None else (Reason(reason.code, reason.message, names_of(frames)),)
