"""An export that is done, opened again: its arrays on the disk, its table, and the way back to each source."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.errors import InputError, UsageError
from isocenter.extras import needed
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.formats import load, load_segmentation
from isocenter.geometry import Grid
from isocenter.ops.resample import onto
from isocenter.pipeline.exporting.keeping import MANIFEST, array_path, case_path, image_of
from isocenter.volume import Array, Volume


@dataclass(frozen=True)
class Exported:
    """An export.

    Parameters
    ----------
    folder
        Where it lies.
    rows
        One for each case, in order; those that failed have the ``index`` None.
    settings
        What was chosen.
    """

    folder: Path
    rows: tuple[Mapping[str, Any], ...] = field(repr=False)
    settings: Mapping[str, Any] = field(repr=False)

    @property
    def usable(self) -> tuple[Mapping[str, Any], ...]:
        """The rows of the cases in the array, in the order in which they stand there."""
        return tuple(row for row in self.rows if row["index"] is not None)

    @property
    def failed(self) -> tuple[Mapping[str, Any], ...]:
        """The rows of the cases that could not be exported; their reasons say why."""
        return tuple(row for row in self.rows if row["index"] is None)

    @cached_property
    def images(self) -> Any:
        """(case, slice, row, column) on the disk: a memory map (``"npy"``) or a Zarr array, read as it is indexed."""
        return self._array("image")

    @cached_property
    def masks(self) -> Any:
        """Label maps (case, slice, row, column), as :attr:`images`.

        Raises
        ------
        UsageError
            If there are none.
        """
        return self._array("mask")

    def column(self, name: str) -> list[Any]:
        """A column of the table for the cases in the array, in their order: also one of a CSV file that was exported.

        Raises
        ------
        UsageError
            If there is none of that name.
        """
        try:
            return [row["facts"][name] if name in row["facts"] else row[name] for row in self.usable]
        except KeyError:
            raise UsageError(f"The table has no column {name!r}.") from None

    def row(self, case: str) -> Mapping[str, Any]:
        """The row of a case.

        Raises
        ------
        UsageError
            If there is no such case.
        """
        for row in self.rows:
            if row["case"] == case:
                return row
        raise UsageError(f"There is no case {case!r} in {self.folder}.")

    def image(self, case: str) -> Volume:
        """The image of a case as a volume, at its place in the patient."""
        row = self._of_array(case)
        if self.settings["format"] == "npz":
            return load(case_path(self.folder, case, "image"))
        found = image_of(row, np.asarray(self.images[row["index"]]), "image")
        assert isinstance(found, Volume)  # noqa: S101 - for the type checker
        return found

    def mask(self, case: str) -> Segmentation:
        """The label map of a case as a segmentation, at its place in the patient."""
        row = self._of_array(case)
        if self.settings["format"] == "npz":
            return load_segmentation(case_path(self.folder, case, "mask"))
        found = image_of(row, np.asarray(self.masks[row["index"]]), "mask")
        assert isinstance(found, Segmentation)  # noqa: S101 - for the type checker
        return found

    def back(self, case: str, labels: Array) -> Segmentation:
        """Labels found on a case in the array, such as those of a network, on the grid of the source.

        Parameters
        ----------
        case
            Its name.
        labels
            (slice, row, column) label map on the case's part of the array.
        """
        row = self._of_array(case)
        found = np.asarray(labels)
        if found.dtype.kind not in "bui" or list(found.shape) != row["grid"]["shape"]:
            raise UsageError(f"Labels of this case are whole numbers of shape {tuple(row['grid']['shape'])}.")
        names = {label: name for name, label in row["segments"].items()}
        numbers = [int(label) for label in np.unique(found) if label]
        segments = tuple(Segment.named(names.get(label, f"label_{label}"), label) for label in numbers)
        layer = found.astype(np.uint8) if found.dtype == np.bool_ else found
        whole = Segmentation((layer,), Grid.from_dict(row["grid"]), segments, Algorithm("unknown", ""))
        return onto(whole, Grid.from_dict(row["source_grid"]))

    def _of_array(self, case: str) -> Mapping[str, Any]:
        row = self.row(case)
        if row["index"] is None:
            raise UsageError(f"The case {case} is not in the array: {', '.join(r['code'] for r in row['reasons'])}.")
        return row

    def _array(self, kind: str) -> Any:
        path = array_path(self.folder, kind, self.settings["format"])
        if not path.exists():
            raise UsageError(f"There is no {path.name} in {self.folder}.")
        try:
            if path.suffix == ".npy":
                array = np.load(path, mmap_mode="r", allow_pickle=False)
                missing = 0
            else:
                array = needed("zarr", "zarr").open_array(str(path), mode="r")
                missing = array.nchunks - array.nchunks_initialized
        except (ValueError, OSError, KeyError, EOFError) as error:
            raise InputError(f"{path.name} is damaged: export again.") from error
        if missing or array.shape[0] != len(self.usable):
            raise InputError(f"{path.name} is damaged or of another export: export again.")
        return array


def exported(folder: str | os.PathLike[str]) -> Exported:
    """An export that is done.

    Raises
    ------
    UsageError
        If there is none, or it is not done yet.
    InputError
        If its table is damaged.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise UsageError(f"{folder} holds no export that is done: run the export again, and it goes on.")
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return Exported(Path(folder), tuple(said["cases"]), said["settings"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged: export again.") from error
