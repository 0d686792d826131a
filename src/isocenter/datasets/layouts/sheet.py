"""A CSV that names the files of each case, one row a case."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from isocenter.datasets.dataset import Case, Dataset
from isocenter.datasets.layouts.pairing import each_once, with_found_labels
from isocenter.errors import InputError
from isocenter.reasons import Reason, merge

_KNOWN = ("case", "image", "label", "category")


def read(path: Path) -> Dataset:
    """The data set of a CSV.

    Columns: ``case``; ``image``, or ``image_T1``, ``image_T2``, ... for several channels; ``label``; ``category``. Each
    further column is an attribute of the case. Paths are relative to the CSV.

    Raises
    ------
    InputError
        If it is no CSV in UTF-8, lacks a column, or has a row with too many values.
    """
    columns, rows = _rows(path)
    images = [name for name in columns if name == "image" or name.startswith("image_")]
    if "case" not in columns or not images:
        raise InputError(f"{path.name} needs the columns case and image (or image_NAME for each channel).")
    cases, reasons = [], []
    for row in rows:
        missing = _missing(row, images, has_labels=any(one.get("label") for one in rows))
        if missing:
            text = f"The case {row['case']} names no {'image' if missing == 'IMAGE_MISSING' else 'label'}."
            reasons.append(Reason(missing, text, (row["case"],)))
        else:
            cases.append(_case(row, images, path.parent))
    found, twice = each_once(cases)
    channels = tuple(name.removeprefix("image_") for name in images)
    categories = tuple(sorted({case.category for case in found} - {""}))
    said = merge(reasons, twice)
    return with_found_labels(Dataset(path.stem, found, channels, categories=categories, reasons=said))


def _rows(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows = [{name: (value or "").strip() for name, value in row.items()} for row in reader]
            columns = list(reader.fieldnames or [])
    except (UnicodeDecodeError, csv.Error, AttributeError) as error:
        raise InputError(f"{path.name} is no CSV in UTF-8 with one row of names.") from error
    if len(set(columns)) < len(columns):
        raise InputError(f"{path.name} has two columns of one name.")
    return columns, rows


def _missing(row: Mapping[str, str], images: list[str], *, has_labels: bool) -> str:
    if not all(row[name] for name in images):
        return "IMAGE_MISSING"
    return "LABEL_MISSING" if has_labels and not row.get("label") else ""


def _case(row: Mapping[str, str], images: list[str], folder: Path) -> Case:
    attributes = {name: value for name, value in row.items() if name not in (*_KNOWN, *images) and value}
    label = folder / row["label"] if row.get("label") else None
    return Case(row["case"], tuple(folder / row[name] for name in images), label, row.get("category", ""), attributes)
