"""Prepared cases on disk: each is brought to the network's grid once, and its patches are then read by memory map.

A case is a folder, named by the SHA-256 of everything that its arrays depend on: the contents of its files, the part of
the plan that says how images are prepared, the values of its labels, and the version of this software.

===============  =======================================================================================================
``image.npy``    float32 (channel, slice, row, column): what :func:`isocenter.nets.prepare.prepared` gives, bit for bit
``labels.npy``   uint8, or uint16 of more than 255 labels, (slice, row, column) on the same grid; absent without labels
``places.npy``   int64: places of voxels of each label in the flattened label map, a bounded sample
``truth.npz``    the labels on the grid of the source, compressed, which results are compared with
``case.json``    grids, how many places each label has, reasons, sizes of the files above
===============  =======================================================================================================

Arrays lie as they are, not in compressed chunks: a patch then costs the pages that it touches and no decoder.
``bench/learning.py`` has both ways side by side.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

import isocenter
from isocenter import formats
from isocenter.datasets.dataset import Case, Dataset
from isocenter.datasets.loading import Loaded, load_case
from isocenter.datasets.members import on_disk
from isocenter.disk import explained, replacing
from isocenter.errors import Bug, InputError, Refused
from isocenter.findings import Segmentation
from isocenter.geometry import Grid, Triple
from isocenter.nets.certainty.checks import domain_of, merged
from isocenter.nets.plan import Plan
from isocenter.nets.prepare import Prepared, on_grid, prepared
from isocenter.reasons import Reason, counted, merge
from isocenter.volume import Array, Volume

Progress = Callable[[int, int], None]

FORMAT = 2
_MOST_PLACES = 4096
_FILE = "case.json"
_HEADERS = (".nhdr", ".mhd")
"""Endings of files whose voxels lie in others, which may change while these stay."""


@dataclass(frozen=True, eq=False)
class CachedCase:
    """A prepared case on disk; its arrays are opened when they are asked for.

    Parameters
    ----------
    id
        Name of the case.
    folder
        Where it lies.
    shape
        Channels, slices, rows and columns of its image.
    grid, source
        The network's grid, and that of the source.
    scales
        As of :class:`isocenter.nets.prepare.Prepared`.
    deviations
        Standard deviation of each channel of the array.
    modality
        DICOM modality of the first image; empty if unknown.
    places
        How many places are kept of each label that the case has.
    category
        What the image shows as a whole; empty where nothing is said.
    domain
        What can be told of the first image as it came.
    reasons
        Those of reading and preparing it.
    """

    id: str
    folder: Path
    shape: tuple[int, int, int, int]
    grid: Grid = field(repr=False)
    source: Grid = field(repr=False)
    scales: tuple[tuple[float, float], ...] = field(repr=False)
    deviations: tuple[float, ...] = field(repr=False)
    modality: str
    places: Mapping[int, int]
    category: str = ""
    domain: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    reasons: tuple[Reason, ...] = ()

    @property
    def space(self) -> Triple:
        """Slices, rows and columns."""
        return self.shape[1:]

    @property
    def is_labelled(self) -> bool:
        """Whether it has a label map, be it empty."""
        return (self.folder / "labels.npy").is_file()

    def image(self) -> Array:
        """The image (channel, slice, row, column), float32, as a read-only memory map."""
        return self._mapped("image.npy")

    def labels(self) -> Array:
        """The label map (slice, row, column) on the network's grid, as a read-only memory map.

        Raises
        ------
        InputError
            If the case has none, or it is damaged.
        """
        return self._mapped("labels.npy")

    def truth(self) -> Array:
        """The label map on the grid of the source."""
        try:
            with (self.folder / "truth.npz").open("rb") as file, np.load(file) as arrays:
                return np.asarray(arrays["labels"])
        except Exception as error:  # zip, zlib and NumPy each have errors of their own
            raise self._damaged("truth.npz") from error

    def place(self, label: int, number: int) -> Triple:
        """Index (slice, row, column) of one of the places that are kept of a label."""
        start = sum(count for one, count in self.places.items() if one < label)
        flat = int(self._mapped("places.npy")[start + number])
        k, r, c = np.unravel_index(flat, self.space)
        return int(k), int(r), int(c)

    def prepared(self) -> Prepared:
        """What :func:`isocenter.nets.prepare.prepared` gave, without the values of the source."""
        nothing = np.broadcast_to(np.float32(0), self.source.shape)
        return Prepared(self.image(), self.grid, Volume(nothing, self.source), self.scales, self.reasons)

    def _mapped(self, name: str) -> Array:
        try:
            return np.load(self.folder / name, mmap_mode="r")  # type: ignore[no-any-return]
        except (OSError, ValueError) as error:
            raise self._damaged(name) from error

    def _damaged(self, name: str) -> InputError:
        return InputError(
            f"The prepared case {self.id} has no readable {name}: remove the folder {self.folder} and start again."
        )


@dataclass(frozen=True)
class Cache:
    """Prepared cases of a data set.

    Parameters
    ----------
    cases
        In the order of the set.
    reasons
        What was to be said of the set and of each case; which cases were left out, and why.
    """

    cases: tuple[CachedCase, ...] = field(repr=False)
    reasons: tuple[Reason, ...] = ()

    @property
    def sha256(self) -> str:
        """One SHA-256 for all that can be learned from it: the same for the same cases, prepared alike."""
        return hashlib.sha256(" ".join(sorted(one.folder.name for one in self.cases)).encode()).hexdigest()

    @property
    def domain(self) -> dict[str, Any]:
        """What the images are like, as a model keeps it."""
        return merged([one.domain for one in self.cases])

    def labelled(self) -> Cache:
        """The cases that have labels; the others are left out with the reason ``CASE_LEFT_OUT``.

        Raises
        ------
        Refused
            With ``NOTHING_TO_LEARN_FROM`` if none has.
        """
        without = [one.id for one in self.cases if not one.is_labelled]
        left_out = [
            Reason("CASE_LEFT_OUT", f"The case {name} was left out: it has no labels.", (name,)) for name in without
        ]
        kept = tuple(one for one in self.cases if one.is_labelled)
        if not kept:
            raise Refused([Reason("NOTHING_TO_LEARN_FROM", "No case has labels to learn from."), *self.reasons])
        return Cache(kept, merge(self.reasons, left_out))


def cached(dataset: Dataset, plan: Plan, folder: Path, *, progress: Progress | None = None) -> Cache:
    """Prepare every case of a data set, but for those that lie in the folder already.

    Several processes may do so at once, and each may be killed at any time: a case is there whole or not at all.
    Memory is that of one case. A case whose files were cut short is prepared anew.

    Parameters
    ----------
    dataset
        The cases.
    plan
        How they are prepared.
    folder
        Where prepared cases lie, of any data set and any plan; it is made if need be. It holds images of patients.
    progress
        Called with the number of cases done and of all.

    Returns
    -------
    The cases; those that cannot be prepared are left out with the reason ``CASE_LEFT_OUT`` and their own.

    Raises
    ------
    Refused
        With ``NOTHING_TO_LEARN_FROM`` if no case is left.
    UsageError, TryLater
        If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explained(error, folder) from error
    found: list[CachedCase] = []
    left_out: list[Reason] = []
    for number, case in enumerate(dataset.cases):
        try:
            found.append(_one(case, dataset, plan, folder))
        except (InputError, Refused) as error:
            why = error.reasons if isinstance(error, Refused) else ()
            left_out += [Reason("CASE_LEFT_OUT", f"The case {case.id} was left out: {error}", (case.id,)), *why]
        if progress:
            progress(number + 1, len(dataset.cases))
    reasons = merge(dataset.reasons, left_out, _gathered(found))
    if not found:
        text = f"None of {counted(len(dataset.cases), 'case', 'cases')} of {dataset.name} can be learned from."
        raise Refused([Reason("NOTHING_TO_LEARN_FROM", text), *reasons])
    return Cache(tuple(found), reasons)


def _gathered(cases: Sequence[CachedCase]) -> tuple[Reason, ...]:
    """What is to be said of many cases, once for each code."""
    by_code: dict[str, dict[str, str]] = {}
    for case in cases:
        for reason in case.reasons:
            by_code.setdefault(reason.code, {}).setdefault(case.id, reason.message)
    return tuple(
        Reason(code, f"Of {counted(len(said), 'case', 'cases')}: {next(iter(said.values()))}", tuple(said))
        for code, said in by_code.items()
    )


def _one(case: Case, dataset: Dataset, plan: Plan, folder: Path) -> CachedCase:
    place = folder / _key(case, dataset, plan)
    with _alone(folder / f".{place.name}.lock"):
        found = _read(place, case)
        if found is None:
            with replacing(place) as part:
                part.mkdir()
                _write(load_case(case, dataset), plan, part)
            found = _read(place, case)
    if found is None:
        raise Bug(f"The prepared case in {place} was written and cannot be read.")
    return found


def _key(case: Case, dataset: Dataset, plan: Plan) -> str:
    """SHA-256 of all that the arrays depend on."""
    how = {
        "format": [FORMAT, isocenter.__version__],
        "normalisation": [asdict(one) for one in plan.normalisation],
        "grid": [plan.spacing_mm, plan.shape, plan.orientation],
        "channels": [plan.channels, dataset.channels],
        "labels": list(dataset.labels.items()),
        "images": [_digest(path) for path in case.images],
        "series": case.series,
        "label": _digest(case.label) if case.label else None,
    }
    return hashlib.sha256(json.dumps(how, sort_keys=True).encode()).hexdigest()


def _digest(path: Path) -> str:
    """SHA-256 of a file, or of the files of a folder whatever they are called."""
    try:
        if path.is_dir():
            inside = sorted(_digest(one) for one in path.rglob("*") if one.is_file())
            return hashlib.sha256(" ".join(inside).encode()).hexdigest()
        with on_disk(path) as there, there.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
            if there.suffix.lower() in _HEADERS:
                image = formats.load_as_is(there)
                for array in image.layers if isinstance(image, Segmentation) else (image.array,):
                    digest.update(np.ascontiguousarray(array).data)
            return digest.hexdigest()
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror}.") from error


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process works on the same case; the lock of one that is killed ends with it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _write(loaded: Loaded, plan: Plan, folder: Path) -> None:
    case = prepared(loaded.images, plan)
    np.save(folder / "image.npy", case.array)
    facts: dict[str, Any] = {
        "grid": case.grid.to_dict(),
        "source": case.source.grid.to_dict(),
        "scales": case.scales,
        "deviations": [float(one.std(dtype=np.float64)) or 1.0 for one in case.array],
        "modality": case.source.modality,
        "domain": domain_of([case.source]),
        "reasons": [[one.code, one.message, list(one.instances)] for one in merge(loaded.reasons, case.reasons)],
        "places": [],
    }
    if loaded.segmentation is not None:
        moved = on_grid(loaded.segmentation, plan)
        if not moved.grid.coincides(case.grid):
            raise InputError("Its labels lie on another grid than its image.")
        kind = np.uint8 if len(loaded.segmentation.segments) < 256 else np.uint16
        labels = moved.array.astype(kind, copy=False)
        np.save(folder / "labels.npy", labels)
        np.savez_compressed(folder / "truth.npz", labels=loaded.segmentation.array.astype(kind, copy=False))
        places = _places(labels)
        np.save(folder / "places.npy", np.concatenate([np.empty(0, np.int64), *places.values()]))
        facts["places"] = [[label, len(some)] for label, some in places.items()]
    facts["bytes"] = {one.name: one.stat().st_size for one in folder.iterdir()}
    (folder / _FILE).write_text(json.dumps(facts), encoding="utf-8")


def _places(labels: Array) -> dict[int, Array]:
    """Flat indices of voxels of each label that is there, spread evenly over it where it has many."""
    from isocenter.sampling.labels import labels_in

    found: dict[int, Array] = {}
    for label in sorted(int(one) for one in labels_in(labels) if one):
        places = np.flatnonzero(labels == label)
        step = np.linspace(0, len(places) - 1, min(len(places), _MOST_PLACES)).round().astype(np.int64)
        found[label] = places[step]
    return found


def _read(folder: Path, case: Case) -> CachedCase | None:
    """The case of a folder; None if there is none, or it is damaged."""
    try:
        facts = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        if any((folder / name).stat().st_size != size for name, size in facts["bytes"].items()):
            return None
        grid = Grid.from_dict(facts["grid"])
        return CachedCase(
            case.id,
            folder,
            (len(facts["scales"]), *grid.shape),
            grid,
            Grid.from_dict(facts["source"]),
            scales=tuple((float(offset), float(factor)) for offset, factor in facts["scales"]),
            deviations=tuple(float(one) for one in facts["deviations"]),
            modality=facts["modality"],
            places={int(label): int(count) for label, count in facts["places"]},
            category=case.category,
            domain=facts["domain"],
            reasons=tuple(Reason(code, text, tuple(files)) for code, text, files in facts["reasons"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
