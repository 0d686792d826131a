"""Features as values: what was found, in which unit, and why a feature is absent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from isocenter import codes
from isocenter.codes import Code
from isocenter.errors import UsageError
from isocenter.findings import Measurement
from isocenter.ops.radiomics.catalog import FAMILIES, Entry, Unit
from isocenter.reasons import Reason


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of one region.

    Parameters
    ----------
    family
        Short name of its family: ``"glcm"``.
    name
        Name within the family: ``"joint_entropy"``.
    aggregation
        How a texture was counted and condensed: ``"3D, merged"``; empty for what is no texture.
    segment
        Name of the segment.
    value
        The number; None where the feature is undefined for this region.
    unit
        Its unit (UCUM).
    absent
        Why there is no number; empty where there is one.
    """

    family: str
    name: str
    aggregation: str
    segment: str
    value: float | None
    unit: Code
    absent: str = ""

    @property
    def entry(self) -> Entry:
        """Its row in the catalogue: title and IBSI code."""
        return next(entry for entry in FAMILIES[self.family].entries if entry.name == self.name)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and tables."""
        entry, family = self.entry, FAMILIES[self.family]
        return {
            "segment": self.segment,
            "family": self.family,
            "feature": self.name,
            "aggregation": self.aggregation,
            "value": self.value,
            "unit": self.unit.value,
            "absent": self.absent,
            "title": entry.title,
            "ibsi_family": family.code,
            "ibsi_feature": entry.code,
        }

    def to_measurement(self) -> Measurement:
        """This feature as a measurement, coded as DICOM codes it (scheme ``IBSI``), for reports and SR.

        Raises
        ------
        UsageError
            If it is absent.
        """
        if self.value is None:
            raise UsageError(f"{self.family} {self.name} is absent: {self.absent}")
        entry = self.entry
        title = f"{entry.title} ({self.aggregation})" if self.aggregation else entry.title
        name = "_".join(filter(None, (self.family, self.name, _plain(self.aggregation))))
        concept = Code(entry.code, "IBSI", entry.title)
        return Measurement(name, title, self.value, self.unit, concept, (self.segment,), method=self.aggregation)


@dataclass(frozen=True)
class Features:
    """All features found, and what there is to say of them.

    Parameters
    ----------
    items
        The features, in the order of segments, families, aggregations and the catalogue.
    reasons
        Those of the image and of the regions.
    """

    items: tuple[Feature, ...]
    reasons: tuple[Reason, ...] = ()

    def __repr__(self) -> str:
        segments = ", ".join(dict.fromkeys(item.segment for item in self.items))
        said = "".join(f", {reason.code}" for reason in self.reasons)
        return f"Features({len(self.items)} of {segments or 'nothing'}{said})"

    def __iter__(self) -> Iterator[Feature]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def of(self, family: str, name: str, *, aggregation: str = "", segment: str = "") -> Feature:
        """The feature of a family and name, and, where there are several, of an aggregation and a segment.

        Raises
        ------
        UsageError
            If there is none, or more than one.
        """
        found = [
            item
            for item in self.items
            if (item.family, item.name) == (family, name)
            and aggregation in ("", item.aggregation)
            and segment in ("", item.segment)
        ]
        if len(found) != 1:
            kinds = sorted({f"{item.aggregation or 'one value'} of {item.segment}" for item in found})
            if found:
                raise UsageError(f"Name one feature: of {family} {name} there are {', '.join(kinds)}.")
            there = dict.fromkeys(item.name for item in self.items if item.family == family)
            known = there or dict.fromkeys(item.family for item in self.items)
            what = f"the features of {family}" if there else "the families"
            raise UsageError(f"There is no such feature as {name!r} of {family!r}; {what} are {', '.join(known)}.")
        return found[0]

    def present(self) -> tuple[Feature, ...]:
        """The features that have a value."""
        return tuple(item for item in self.items if item.value is not None)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row of plain values for each feature, ready for ``pandas.DataFrame``."""
        return [item.to_dict() for item in self.items]


def unit_of(entry: Entry, image: Code, bins: Code) -> Code:
    """The unit (UCUM) of a feature, by that of the intensities and that of the intensity-volume histogram."""
    base = "" if image == codes.ONE else image.value
    if entry.unit is Unit.BIN:
        return bins
    if entry.unit is Unit.INTENSITY:
        return image
    if entry.unit is Unit.INTENSITY2:
        product = f"({base})2" if {"/", "."} & set(base) else f"{base}2"
        return _ucum(product) if base else codes.ONE
    if entry.unit is Unit.INTENSITY_MM3:
        return _ucum(f"{base}.mm3" if base else "mm3")
    return codes.ONE if entry.unit is Unit.ONE else _ucum(str(entry.unit))


def _ucum(value: str) -> Code:
    return codes.MM if value == "mm" else Code(value, "UCUM", value)


def _plain(aggregation: str) -> str:
    return aggregation.lower().replace(", ", "_").replace("-", "_").replace(".", "_")
