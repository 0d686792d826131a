"""All cases of a data set gone through once: which can be learned from, and why the others cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from isocenter.datasets.dataset import Case, Dataset
from isocenter.datasets.digest import content_digest
from isocenter.datasets.loading import Loaded, labels_in, load_case, load_images
from isocenter.datasets.passing import Observer, over_cases
from isocenter.errors import Refused
from isocenter.reasons import Reason, Severity, merge
from isocenter.volume import Volume


@dataclass(frozen=True)
class Checked:
    """What a pass over a data set has found.

    Parameters
    ----------
    dataset
        The data set without the cases that must not be learned from; its ``reasons`` say which they were, and why.
    reasons
        What is to be said of each case, by its name; those left out too.
    digests
        :func:`content_digest` of the images of each usable case, by its name.
    seen
        What else was looked for in each usable case, by its name.
    """

    dataset: Dataset
    reasons: Mapping[str, tuple[Reason, ...]] = field(repr=False)
    digests: Mapping[str, str] = field(repr=False)
    seen: Mapping[str, Any] = field(repr=False)

    @property
    def faults(self) -> tuple[Reason, ...]:
        """Why cases were left out, here and when the data set was opened."""
        return tuple(one for one in self.dataset.reasons if one.severity is Severity.REJECTED)


def check(
    dataset: Dataset, *, look: Callable[[Loaded], Any] | None = None, observer: Observer | None = None
) -> Checked:
    """Go through all cases, before hours are lost on one of them.

    Each is read as learning would read it, one for each thread at a time. Left out are those that
    :func:`load_case` refuses, those of one value throughout (``NO_CONTRAST``) and those whose image another case has
    too (``IMAGE_TWICE``).

    Parameters
    ----------
    dataset
        The data set.
    look
        What else is wanted of each case while it is in memory.
    observer
        Called with the number of cases done and of all.
    """
    kept: list[Case] = []
    reasons: dict[str, tuple[Reason, ...]] = {}
    digests: dict[str, str] = {}
    seen: dict[str, Any] = {}
    first: dict[str, str] = {}
    present: set[int] = set()
    for case, found in over_cases(dataset.cases, lambda case: _looked_at(case, dataset, look), observer=observer):
        if isinstance(found, Refused):
            reasons[case.id] = found.reasons
        elif found.digest in first:
            reasons[case.id] = (_twice(case, first[found.digest]),)
        else:
            first[found.digest] = case.id
            kept.append(case)
            present |= found.labels
            reasons[case.id], digests[case.id], seen[case.id] = found.reasons, found.digest, found.seen
    said = merge(dataset.reasons, _faults(reasons), _unused(dataset, present) if kept else ())
    return Checked(replace(dataset, cases=tuple(kept), reasons=said), reasons, digests, seen)


def digests_of(dataset: Dataset, *, observer: Observer | None = None) -> Mapping[str, str]:
    """:func:`content_digest` of the images of each case, by its name.

    Raises
    ------
    Refused
        If an image cannot be read.
    """
    found = {}
    work = over_cases(dataset.cases, lambda one: content_digest(load_images(one, dataset).images), observer=observer)
    for case, digest in work:
        if isinstance(digest, Refused):
            raise digest
        found[case.id] = digest
    return found


@dataclass(frozen=True)
class _Look:
    digest: str
    labels: set[int]
    reasons: tuple[Reason, ...]
    seen: Any


def _looked_at(case: Case, dataset: Dataset, look: Callable[[Loaded], Any] | None) -> _Look:
    loaded = load_case(case, dataset)
    _expect_contrast(case, loaded.images)
    labels = set() if loaded.segmentation is None else set(labels_in(loaded.segmentation.array))
    seen = None if look is None else look(loaded)
    return _Look(content_digest(loaded.images), labels, loaded.reasons, seen)


def _expect_contrast(case: Case, images: Sequence[Volume]) -> None:
    if any(image.array.min() == image.array.max() for image in images):
        text = f"All values of an image of the case {case.id} are equal."
        raise Refused([Reason("NO_CONTRAST", text, (case.id,))])


def _twice(case: Case, first: str) -> Reason:
    text = f"The case {case.id} has the same image as the case {first}; it was left out."
    return Reason("IMAGE_TWICE", text, (case.id, first))


def _faults(reasons: Mapping[str, tuple[Reason, ...]]) -> list[Reason]:
    return [one for found in reasons.values() for one in found if one.severity is Severity.REJECTED]


def _unused(dataset: Dataset, present: set[int]) -> list[Reason]:
    return [
        Reason("LABEL_UNUSED", f"No case holds the label {name}.", (name,))
        for number, name in enumerate(dataset.labels, 1)
        if number not in present
    ]
