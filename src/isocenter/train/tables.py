"""Tables of cases, for classical learning: of images or of radiomic features, with what is true of them.

How such a table is learned from, honestly where cases are few, lives in ``classical``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.datasets import Dataset, load_images
from isocenter.datasets.passing import over_cases
from isocenter.datasets.splitting import PATIENT
from isocenter.errors import Refused, UsageError
from isocenter.ops.radiomics.results import Features


@dataclass(frozen=True)
class Table:
    """One row for each case.

    Parameters
    ----------
    cases
        Their names.
    columns
        Names of the columns; empty where they are pixels.
    values
        (case, column), finite numbers.
    truth
        Category of each case.
    groups
        What cases have in common that must not lie on both sides of a test, such as the patient; by default each case
        is alone.

    Raises
    ------
    UsageError
        If the parts do not fit each other, or a value is no finite number.
    """

    cases: tuple[str, ...]
    columns: tuple[str, ...] = field(repr=False)
    values: npt.NDArray[np.float32] = field(repr=False)
    truth: tuple[str, ...] = field(repr=False)
    groups: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        values = np.asarray(self.values, np.float32)
        if values.ndim != 2 or not len(values) == len(self.cases) == len(self.truth):
            raise UsageError(
                f"A table has a row and a category for each case: {len(self.cases)} cases, "
                f"{len(self.truth)} categories, values of shape {values.shape}."
            )
        if self.columns and len(self.columns) != values.shape[1]:
            raise UsageError(f"{len(self.columns)} names of columns for {values.shape[1]} columns.")
        if self.groups and len(self.groups) != len(self.cases):
            raise UsageError(f"{len(self.groups)} groups for {len(self.cases)} cases.")
        strange = np.flatnonzero(~np.isfinite(values).all(axis=0))
        if len(strange):
            named = [self.columns[n] if self.columns else str(n) for n in strange[:5]]
            raise UsageError(
                f"{len(strange)} columns hold what is no finite number ({', '.join(named)}): leave them out."
            )
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "groups", tuple(self.groups) or tuple(self.cases))

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories, by name."""
        return tuple(sorted(set(self.truth)))

    @property
    def counts(self) -> Mapping[str, int]:
        """How many cases each category has."""
        return Counter(self.truth)


def table_of_images(dataset: Dataset) -> Table:
    """The pixels of a data set's images of equal shape, each image a row; its categories are the truth.

    Raises
    ------
    UsageError
        If the images are not of one shape, or a case has no category.
    Refused
        If an image cannot be read.
    """
    rows: list[npt.NDArray[np.float32]] = []
    for case, found in over_cases(dataset.cases, lambda one: load_images(one, dataset).images):
        if isinstance(found, Refused):
            raise found
        row = np.concatenate([image.array.reshape(-1).astype(np.float32) for image in found])
        if rows and len(row) != len(rows[0]):
            raise UsageError(
                f"The images are not of one shape: {case.id} is another. `isocenter export` makes them so."
            )
        rows.append(row)
    if not all(case.category for case in dataset.cases):
        raise UsageError("Some cases have no category, so there is nothing to learn of them.")
    patients = [case.attributes.get(PATIENT, "") for case in dataset.cases]
    return Table(
        tuple(case.id for case in dataset.cases),
        (),
        np.stack(rows),
        tuple(case.category for case in dataset.cases),
        tuple(patients) if all(patients) else (),
    )


def table_of_features(
    found: Mapping[str, Features], truth: Mapping[str, str], *, groups: Mapping[str, str] | None = None
) -> Table:
    """Radiomic features as a table: a row for each case, the features that all cases have as columns.

    Parameters
    ----------
    found
        The features of each case, by its name.
    truth
        Its category.
    groups
        What it has in common with others, such as the patient.

    Raises
    ------
    UsageError
        If a case has no category or group, or the cases share no feature.
    """
    rows = {name: _values(features) for name, features in found.items()}
    missing = [name for name in rows if name not in truth or (groups is not None and name not in groups)]
    if missing or not rows:
        raise UsageError(f"{len(missing)} of {len(rows)} cases have no category or group: {', '.join(missing[:5])}.")
    first, *others = rows.values()
    columns = tuple(name for name in first if all(name in row for row in others))
    if not columns:
        raise UsageError("The cases have no feature in common.")
    values = np.array([[row[name] for name in columns] for row in rows.values()], np.float32)
    named: Sequence[str] = () if groups is None else [groups[name] for name in rows]
    return Table(tuple(rows), columns, values, tuple(truth[name] for name in rows), tuple(named))


def _values(features: Features) -> dict[str, Any]:
    """The features that are defined, by their full names."""
    return {
        "/".join(filter(None, (one.segment, one.family, one.name, one.aggregation))): one.value
        for one in features
        if one.value is not None and np.isfinite(one.value)
    }
