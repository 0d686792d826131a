"""Which cases are learned from and which prove it: by a digest of their names, so that nobody and no order chooses."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from isocenter.datasets.dataset import Case, Dataset
from isocenter.errors import UsageError
from isocenter.reasons import counted

PATIENT = "patient"
"""The attribute that keeps cases together unless another is named."""


@dataclass(frozen=True)
class Split:
    """A data set in two.

    Parameters
    ----------
    train
        What is learned from.
    held_out
        What proves it.
    """

    train: Dataset
    held_out: Dataset


def split(dataset: Dataset, held_out: int | float, *, group: str = PATIENT) -> Split:
    """Hold cases out: those whose names have the least SHA-256.

    The same cases are held out on every machine and in any order of the files; a further case moves one at most.

    Parameters
    ----------
    dataset
        The data set.
    held_out
        How many cases; or a share of them, between 0 and 1.
    group
        Attribute whose cases stay together, whole groups being held out until there are enough cases. By default
        ``patient``, where the cases have it.

    Raises
    ------
    UsageError
        If nothing would be left on one side, or the group is not known of all cases.
    """
    is_share = isinstance(held_out, float) and 0 < held_out < 1
    count = round(held_out * len(dataset.cases)) if is_share else held_out
    if not isinstance(count, int) or not 0 < count < len(dataset.cases):
        raise UsageError(
            f"Of {len(dataset.cases)} cases {held_out} cannot be held out: cases are needed on both sides."
        )
    chosen: list[Case] = []
    for members in _groups(dataset, group):
        if len(chosen) >= count:
            break
        chosen += members
    if len(chosen) == len(dataset.cases):
        raise UsageError(f"All cases are of so few groups of {group!r} that none is left to learn from.")
    return _split(dataset, chosen)


def folds(dataset: Dataset, count: int = 5, *, group: str = PATIENT) -> tuple[Split, ...]:
    """Cross-validation: each case is held out once, in the order of the SHA-256 of the names.

    Parameters
    ----------
    dataset
        The data set.
    count
        How many folds.
    group
        As of :func:`split`.

    Raises
    ------
    UsageError
        If there are fewer groups than folds, or the group is not known of all cases.
    """
    groups = _groups(dataset, group)
    if not 2 <= count <= len(groups):
        raise UsageError(f"{counted(len(groups), 'group', 'groups')} of cases cannot make {count} folds.")
    edges = [round(part * len(groups) / count) for part in range(count + 1)]
    return tuple(
        _split(dataset, [case for members in groups[start:stop] for case in members]) for start, stop in pairwise(edges)
    )


def _groups(dataset: Dataset, group: str) -> list[list[Case]]:
    """Cases that stay together, ordered by the SHA-256 of what they have in common."""
    known = [case for case in dataset.cases if case.attributes.get(group)]
    if known and len(known) < len(dataset.cases):
        missing = counted(len(dataset.cases) - len(known), "case has", "cases have")
        raise UsageError(
            f"{missing} no {group!r}, so nothing says whether they belong to others: add it, or leave out."
        )
    if not known and group != PATIENT:
        raise UsageError(f"No case has the attribute {group!r}.")
    found: dict[str, list[Case]] = defaultdict(list)
    for case in dataset.cases:
        found[case.attributes[group] if known else case.id].append(case)
    return [sorted(found[name], key=lambda case: case.id) for name in sorted(found, key=_digest)]


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _split(dataset: Dataset, held_out: Iterable[Case]) -> Split:
    names = {case.id for case in held_out}
    train = tuple(case for case in dataset.cases if case.id not in names)
    proof = tuple(case for case in dataset.cases if case.id in names)
    return Split(replace(dataset, cases=train), replace(dataset, cases=proof))
