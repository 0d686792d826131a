"""Paths, masks and CSV files to the cases of an export, each with a name of its own, in one order."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from isocenter.dicom.scan import scan
from isocenter.errors import UsageError
from isocenter.pipeline.case import Case, cases, is_image_file
from isocenter.pipeline.exporting.settings import ExportSettings
from isocenter.pipeline.folder import folder_name, mark_of
from isocenter.pipeline.spec import Pipeline, Rule

_VOLUMES = ("CT", "MR", "PT", "NM")
_KNOWN = ("case", "path", "series", "mask")
_CHANNEL = re.compile(r"_0000(?=\.)")


@dataclass(frozen=True)
class Source:
    """A case to be exported.

    Parameters
    ----------
    name
        Its name in the table, each once.
    case
        The series or file.
    mask
        A file of labels that goes beside the image.
    facts
        Further columns of a CSV file, which go into the table as they are.
    """

    name: str
    case: Case
    mask: Path | None = None
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def stamps(self) -> list[list[str | int]]:
        """Path, size and time of each file behind it: what changes when the input does."""
        found: list[list[str | int]] = []
        if self.case.series is not None:
            files = {one.path: (one.file_size, one.file_stamp) for one in self.case.series.instances}
            found = [[path, *stamp] for path, stamp in sorted(files.items())]
        for path in (self.case.file, self.mask):
            if path is not None:
                state = path.stat()
                found.append([str(path), state.st_size, state.st_mtime_ns])
        return found

    @property
    def path(self) -> str:
        """Where it was found: the file, or the folder or archive of its first instance."""
        if self.case.series is not None:
            return str(Path(self.case.series.instances[0].path).parent)
        return str(self.case.file or "")


def sources(paths: Sequence[Path], settings: ExportSettings, masks: Path | None = None) -> tuple[Source, ...]:
    """The cases under paths: every study of DICOM, every image file that is not DICOM, every row of a CSV file.

    Parameters
    ----------
    paths
        Folders, files, zip archives, and CSV files with a column ``path`` (and ``case``, ``series``, ``mask``, others).
    settings
        Which series of a study are taken.
    masks
        A folder of label files named as the image files are; a trailing ``_0000`` of these does not count.

    Raises
    ------
    UsageError
        If a path holds no image, a CSV file lacks what is needed, or two cases would have one name.
    """
    found: list[Source] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"There is no file or folder {str(path)!r}.")
        found += _of_table(path, settings) if path.suffix.lower() == ".csv" else _under(path, settings, settings.series)
    if masks is not None:
        found = [replace(one, mask=_mask_of(one, masks)) for one in found]
    with_masks = [one for one in found if one.mask is not None]
    if with_masks and settings.segment:
        raise UsageError("Masks come from files or from a segmenter: leave one of them out.")
    return _named_apart(found)


def _under(path: Path, settings: ExportSettings, series: str) -> Iterator[Source]:
    files = [path] if is_image_file(path) else []
    if path.is_dir():
        files = sorted((one for one in path.rglob("*") if is_image_file(one)), key=lambda one: _natural(str(one)))
    for file in files:
        stem = re.sub(r"(\.nii)?\.[^.]+$", "", file.name, flags=re.IGNORECASE)
        yield Source(folder_name(stem), Case(folder_name(stem), "image", file=file))
    if path in files or (files and not scan(path)):
        return
    pipeline = Pipeline("image", "Export", Rule((settings.modality,) if settings.modality else _VOLUMES, 0.0), "")
    for case in cases(path, pipeline, series):
        yield Source(case.study + case.name.removeprefix("image"), case)


def _of_table(path: Path, settings: ExportSettings) -> Iterator[Source]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        columns = reader.fieldnames or []
        if "path" not in columns:
            raise UsageError(f"{path.name} needs a column 'path'; it has {', '.join(columns) or 'none'}.")
        rows = list(reader)
    for number, row in enumerate(rows, 2):
        place = path.parent / (row["path"] or "")
        if not row["path"] or not place.exists():
            raise UsageError(f"Line {number} of {path.name}: there is no file or folder {row['path']!r}.")
        facts = {name: value or "" for name, value in row.items() if name and name not in _KNOWN}
        mask = path.parent / row["mask"] if row.get("mask") else None
        if mask is not None and not mask.is_file():
            raise UsageError(f"Line {number} of {path.name}: there is no mask {row['mask']!r}.")
        found = list(_under(place, settings, row.get("series") or settings.series))
        for one in found:
            name = row.get("case") if len(found) == 1 else ""
            yield replace(one, name=folder_name(name) if name else one.name, mask=mask, facts=facts)


def _mask_of(source: Source, masks: Path) -> Path | None:
    if source.case.file is None:
        return source.mask
    names = (source.case.file.name, _CHANNEL.sub("", source.case.file.name))
    return next((masks / name for name in names if (masks / name).is_file()), None)


def _named_apart(found: Sequence[Source]) -> tuple[Source, ...]:
    """The cases with a mark behind names that occur twice."""
    times = Counter(one.name for one in found)
    named = [
        one if times[one.name] == 1 else replace(one, name=f"{one.name}_{mark_of(one.path + one.case.name)}")
        for one in found
    ]
    twice = [name for name, count in Counter(one.name for one in named).items() if count > 1]
    if twice:
        raise UsageError(f"The case {twice[0]} is there twice: name each path once, or give each a name of its own.")
    return tuple(named)


def _natural(text: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text) if part]
