"""The plan of a network: everything that is decided before the first step of learning. Frozen, readable, all data.

How a plan is made from a data set lives in ``planning``; what follows from it for an image in ``prepare``.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from isocenter.disk import replacing, write_synced
from isocenter.errors import InputError, UsageError
from isocenter.geometry import Triple
from isocenter.nets.planning.sound import faults

Task = Literal[
    "segmentation", "classification", "detection", "denoising", "super_resolution", "registration", "pretraining"
]
Scale = Literal["none", "zscore", "ct", "percentile", "range"]
Spacing = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Normalisation:
    """How the values of one channel become the numbers that a network sees.

    Parameters
    ----------
    scale
        ``"zscore"``: less the mean of the image, over its deviation. ``"ct"``: cut to ``low`` and ``high``, less
        ``mean``, over ``deviation``, all four of the data set's foreground (nnU-Net, Isensee 2021).
        ``"percentile"``: percentiles ``low`` and ``high`` of the image to 0 and 1. ``"range"``: ``low`` and ``high``
        to 0 and 1. ``"none"``: as they are.
    low, high, mean, deviation
        In the unit of the image, or percentiles.
    """

    scale: Scale = "zscore"
    low: float = 0.5
    high: float = 99.5
    mean: float = 0.0
    deviation: float = 1.0


@dataclass(frozen=True)
class Network:
    """A network by name, with its options; :func:`isocenter.nets.networks.build` makes it."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What a network is, and what its input is.

    Parameters
    ----------
    task
        What it is for.
    channels
        Name of each input channel, such as ``("CT",)``.
    labels
        What it tells apart, in order: structures (their label is their place, from 1, and 0 is background), or
        categories of a classification. Empty where it gives an image.
    network
        The network.
    patch
        Voxels (slice, row, column) that it sees at once. One slice makes it a network of two dimensions.
    batch
        Patches in one step of learning.
    spacing_mm
        Spacing (slice, row, column) of its grid; None takes images as they are.
    shape
        Shape that every image is stretched to, instead of a spacing; None unless images have no size of their own.
    orientation
        Where the axes of its arrays point to, such as ``"IPL"``.
    normalisation
        One for each channel.
    neighbours
        Slices on each side that a network of two dimensions gets as further channels (2.5D).
    outputs
        Channels of its output; 0 takes those of the task: background and one for each label, one for each category, ...
    mirror_axes
        Axes (0 slice, 1 row, 2 column) along which a mirrored image could be a real one, with the same labels.
    largest_only
        Labels of which only the largest piece is kept.
    memory_bytes
        Memory that learning was planned for.
    device
        That it was planned for: ``"cpu"`` or ``"cuda"``.
    coarse
        Plan of a network that finds on a coarser grid where to look, so that this one need not see the whole image;
        None where the image is seen whole in few windows.
    why
        A sentence for each decision, by the name of what was decided.
    """

    task: Task
    channels: tuple[str, ...]
    labels: tuple[str, ...]
    network: Network
    patch: Triple
    batch: int = 2
    spacing_mm: Spacing | None = None
    shape: Triple | None = None
    orientation: str = "IPL"
    normalisation: tuple[Normalisation, ...] = (Normalisation(),)
    neighbours: int = 0
    outputs: int = 0
    mirror_axes: tuple[int, ...] = ()
    largest_only: tuple[str, ...] = ()
    memory_bytes: int = 0
    device: str = "cpu"
    coarse: Plan | None = None
    why: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def dimensions(self) -> int:
        """2 for a network that sees one slice at a time, else 3."""
        return 2 if self.patch[0] == 1 else 3

    @property
    def inputs(self) -> int:
        """Channels of the network's input."""
        return len(self.channels) * (1 + 2 * self.neighbours)

    @property
    def output_channels(self) -> int:
        """Channels of the network's output; a detector's are a heat map for each label, and two for each axis."""
        if self.outputs:
            return self.outputs
        of_task = {
            "segmentation": 1 + len(self.labels),
            "detection": len(self.labels) + 2 * self.dimensions,
            "denoising": len(self.channels),
            "super_resolution": len(self.channels),
            "registration": self.dimensions,
        }
        return of_task.get(self.task, len(self.labels))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        values["network"] = {"name": self.network.name, "options": dict(self.network.options)}
        values["normalisation"] = [asdict(one) for one in self.normalisation]
        values["coarse"] = None if self.coarse is None else self.coarse.to_dict()
        values["why"] = dict(self.why)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Plan:
        """The plan of plain values.

        Raises
        ------
        InputError
            If they are none of a plan.
        """
        try:
            known = {one.name for one in fields(cls)}
            unknown = set(map(str, values)) - known
            if unknown:
                raise InputError(f"A plan has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}.")
            read: dict[str, Any] = {name: _without_lists(value) for name, value in values.items()}
            read["network"] = Network(**read["network"])
            if values.get("coarse") is not None:
                read["coarse"] = cls.from_dict(values["coarse"])
            if "normalisation" in values:
                read["normalisation"] = tuple(Normalisation(**one) for one in values["normalisation"])
            plan = cls(**read)
        except (TypeError, KeyError, AttributeError) as error:
            raise InputError(f"These values are no plan: {error}.") from error
        if wrong := tuple(faults(plan)):
            raise InputError(f"These values are no plan: {' '.join(wrong)}")
        return plan

    @property
    def sha256(self) -> str:
        """SHA-256 of the plan: the same for equal plans."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()


def save_plan(plan: Plan, path: str | os.PathLike[str]) -> None:
    """Write a plan as JSON; an existing file is replaced at the end."""
    with replacing(Path(path)) as temporary:
        write_synced(temporary, json.dumps(plan.to_dict(), indent=1).encode())


def load_plan(path: str | os.PathLike[str]) -> Plan:
    """The plan of a JSON file.

    Raises
    ------
    UsageError
        If there is no such file.
    InputError
        If it holds no plan.
    """
    place = Path(path)
    if not place.is_file():
        raise UsageError(f"There is no plan {place}: `isocenter plan DATASET --out {place.name}` makes one.")
    try:
        values = json.loads(place.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"The plan {place.name} is damaged: it is no JSON.") from error
    return Plan.from_dict(values)


def _without_lists(value: Any) -> Any:
    """Plain values of JSON as a plan holds them: tuples for lists, however deep."""
    if isinstance(value, list | tuple):
        return tuple(_without_lists(one) for one in value)
    if isinstance(value, dict):
        return {name: _without_lists(one) for name, one in value.items()}
    return value
