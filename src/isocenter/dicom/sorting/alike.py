"""Alike: which frames of a DICOM series may share a volume, by what they are: size, direction, spacing, kernel. Pure.

Frames that differ in one of these never do. What tells apart volumes at the same positions is in `parting`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

from isocenter.dicom.frames.frame import Frame
from isocenter.dicom.sorting import stack
from isocenter.reasons import Reason

PLAIN = "volume"
"""Label of a group that nothing but the others' labels tells from them."""


@dataclass(frozen=True)
class Group:
    """Frames that go together.

    Parameters
    ----------
    frames
        At least one.
    label
        What tells them from the other groups of their DICOM series; empty where they are all of it.
    reasons
        What was met on the way to them.
    """

    frames: tuple[Frame, ...]
    label: str = ""
    reasons: tuple[Reason, ...] = field(default=())


def alike(frames: Sequence[Frame]) -> list[Group]:
    """Split by class, size, kind of pixels, orientation, spacing, frame of reference, kernel; localizers apart.

    Returns
    -------
    The largest first; the labels are distinct.
    """
    orientations, spacings = _Classes(stack.same_direction), _Classes(stack.same_spacing)
    groups: dict[Hashable, list[Frame]] = defaultdict(list)
    keys: dict[Hashable, Hashable] = {}
    for frame in frames:
        facts = _facts(frame)
        if facts not in keys:
            same_plane = orientations.of(frame.orientation), spacings.of(frame.pixel_spacing_mm)
            keys[facts] = _key(frame), same_plane
        groups[keys[facts]].append(frame)
    if len(groups) > 1:
        groups = _join_unplaced(groups)
    found = sorted((tuple(group) for group in groups.values()), key=_largest_first)
    labels = _labels([group[0] for group in found])
    return [Group(group, label) for group, label in zip(found, labels, strict=True)]


def _facts(frame: Frame) -> Hashable:
    """What a frame is split by, as it stands: most frames of a series have it in common, so that it is judged once."""
    instance = frame.instance
    return (
        instance.sop_class_uid,
        instance.frame_of_reference_uid,
        id(instance.format),
        id(frame.mark),
        id(frame.orientation),
        id(frame.pixel_spacing_mm),
        frame.window,
    )


def _key(frame: Frame) -> Hashable:
    instance, form = frame.instance, frame.instance.format
    return (
        instance.sop_class_uid,
        (frame.shape, form.samples, form.photometric, form.bits_allocated),
        is_localizer(frame),
        instance.frame_of_reference_uid,
        frame.mark.kernel,
    )


def is_localizer(frame: Frame) -> bool:
    """Whether the frame is of a localizer (scout)."""
    return "LOCALIZER" in frame.image_type


def place_on_disk(frame: Frame) -> tuple[str, str, int]:
    """What orders frames: their file, then their number within it."""
    file = frame.instance.file
    return file.path, file.member, frame.number


def _largest_first(group: tuple[Frame, ...]) -> tuple[bool, int, tuple[str, str, int]]:
    return is_localizer(group[0]), -len(group), place_on_disk(group[0])


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


# --- words -----------------------------------------------------------------------------------------------------------


def _labels(firsts: Sequence[Frame]) -> list[str]:
    """A label for each group, from its first frame: as few words as tell the groups apart."""
    if len(firsts) == 1:
        return [""]
    labels = [""] * len(firsts)
    for word in _WORDS:
        if len(set(labels)) == len(labels):
            break
        words = [word(frame) for frame in firsts]
        by_label: dict[str, set[str]] = defaultdict(set)
        for label, one in zip(labels, words, strict=True):
            by_label[label].add(one)
        labels = [
            ", ".join(filter(None, (label, one))) if len(by_label[label]) > 1 else label
            for label, one in zip(labels, words, strict=True)
        ]
    return distinct([label or PLAIN for label in labels])


def distinct(labels: Sequence[str]) -> list[str]:
    """The labels; those that occur several times are numbered."""
    counts, seen = Counter(labels), Counter[str]()
    named = []
    for label in labels:
        seen[label] += 1
        named.append(label if counts[label] == 1 else f"{label}, part {seen[label]}")
    return named


def _direction_word(frame: Frame) -> str:
    """The anatomical plane that the frame is nearest to."""
    if frame.orientation is None:
        return "without orientation"
    across = np.abs(np.cross(frame.orientation[:3], frame.orientation[3:]))
    name = ("sagittal", "coronal", "axial")[int(np.argmax(across))]
    return name if across.max() > np.cos(np.radians(5)) else f"oblique {name}"


def _spacing_word(frame: Frame) -> str:
    spacing = frame.pixel_spacing_mm
    return f"{spacing[0]:.4g} x {spacing[1]:.4g} mm" if spacing else "without spacing"


_WORDS: tuple[Callable[[Frame], str], ...] = (
    lambda frame: "localizer" if is_localizer(frame) else "",
    _direction_word,
    lambda frame: f"kernel {frame.mark.kernel or 'not given'}",
    lambda frame: f"{frame.shape[0]} x {frame.shape[1]} pixels",
    _spacing_word,
    lambda frame: frame.instance.format.photometric,
)
