"""The data set as a value: cases, and what their channels, labels and categories are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from isocenter.errors import UsageError
from isocenter.reasons import Reason

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Case:
    """One image, or several of one patient on a common grid, with what is true of it.

    Parameters
    ----------
    id
        Name of the case, unique in its data set.
    images
        One path for each channel: a file, a file within a zip archive (the archive's path goes on), or a folder of
        DICOM. One file may hold all channels as its further axis.
    label
        Labels of the voxels: a label file, a DICOM SEG or RT Structure Set, or the folder of those that belong to the
        image; None without any.
    category
        What the image shows as a whole, for classification; empty where nothing is said.
    attributes
        What else is known of the case, such as ``{"sex": "F", "age": "61"}``: for subgroups. Cases of one ``patient``
        never lie on both sides of a split.
    series
        Series Instance UID of each image whose folder may hold several DICOM series; empty otherwise.
    """

    id: str
    images: tuple[Path, ...]
    label: Path | None = None
    category: str = ""
    attributes: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    series: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """Cases that one network can learn from.

    Parameters
    ----------
    name
        Name of the set.
    cases
        The cases, in the order of their names.
    channels
        What each channel is: ``("CT",)``, ``("T1", "T2")``.
    labels
        Value in the label files of each structure, by its name, in the order of the values; background (0) is left out.
    categories
        The categories of the images, in order; empty unless they are to be told apart.
    licence
        Licence of the data as the set states it; empty where it states none.
    reasons
        What was found to be said of the set: cases left out, and why.
    """

    name: str
    cases: tuple[Case, ...] = field(repr=False)
    channels: tuple[str, ...]
    labels: Mapping[str, int] = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    licence: str = ""
    reasons: tuple[Reason, ...] = ()

    def case(self, name: str) -> Case:
        """The case of a name.

        Raises
        ------
        UsageError
            If there is none.
        """
        for case in self.cases:
            if case.id == name:
                return case
        raise UsageError(f"The data set {self.name} has no case {name!r}.")
