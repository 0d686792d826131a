"""Errors, one tree, with its leaves along what the caller can do.

::

    IsocenterError
    ├── UsageError          the call is wrong: mend the argument, path or name         (exit status 2)
    │   └── MissingExtra    a package is not installed: install the named extra        (exit status 2)
    ├── InputError          the data are damaged or no image: give other data          (exit status 1)
    ├── Refused             the data can be read but not rightly; .reasons says why    (exit status 1)
    ├── TryLater            disk full, server away: nothing is lost, call again        (exit status 3)
    └── Bug                 a promise of ours was broken: please report it             (exit status 1)

A message says what is wrong, what was expected and what to do. It never holds patient data.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, get_args

from isocenter.reasons import Reason


class IsocenterError(Exception):
    """Root of all errors raised on purpose."""

    exit_status: ClassVar[int] = 1


class UsageError(IsocenterError):
    """The call is wrong: an argument, a path or a name."""

    exit_status = 2


class MissingExtra(UsageError):
    """A package that this call needs is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"This needs the package {package}, which is not installed: pip install 'isocenter[{extra}]'.")


class InputError(IsocenterError):
    """The data are damaged, or are no image at all."""


class Refused(IsocenterError):
    """The data can be read but no right result can be made of them.

    Parameters
    ----------
    reasons
        Why, one reason at least.
    """

    def __init__(self, reasons: Iterable[Reason]) -> None:
        self.reasons = tuple(reasons)
        super().__init__(" ".join(f"[{reason.code}] {reason.message}" for reason in self.reasons))


class TryLater(IsocenterError):
    """Something outside is not ready (disk full, server away); nothing is lost."""

    exit_status = 3


class Bug(IsocenterError):
    """A promise of the software itself was broken."""


_WAYS = {  # from what was given to what was expected
    ("Series", "Volume"): "read it first, by isocenter.read(series)",
    ("ndarray", "Segmentation"): "isocenter.masks.of(array, image) makes it one",
    ("ndarray", "Volume"): "volume.with_array(array) makes it one",
    ("tuple", "Window"): "write isocenter.Window(center, width)",
}


def expect(value: object, *kinds: type) -> None:
    """Tell a caller who hands over something else than a value of one of the kinds.

    Raises
    ------
    UsageError
        If the value is of none of them.
    """
    if not isinstance(value, kinds):
        given = type(value).__name__
        names = [kind.__name__ for kind in kinds]
        way = next((f": {_WAYS[given, name]}" for name in names if (given, name) in _WAYS), "")
        raise UsageError(f"Expected a {' or a '.join(names)}, not a {given}{way}.")


def expect_word(word: object, known: Any, what: str) -> None:
    """Tell a caller whose word is none of a ``Literal``.

    Parameters
    ----------
    word
        What was given.
    known
        The ``Literal``.
    what
        What the word says: ``"The layout"``.

    Raises
    ------
    UsageError
        If it is none of them.
    """
    words = get_args(known)
    if word not in words:
        raise UsageError(f"{what} is one of {', '.join(words)}; not {word!r}.")
