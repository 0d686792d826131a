"""What a reader of DICOM is asked to do, and what several of them need for it."""

from __future__ import annotations

import os
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Job = Callable[[str], Any]
"""Folder -> what was found, or an array (slice, row, column)."""

TAGS = {
    "StudyInstanceUID": (0x0020, 0x000D),
    "SeriesInstanceUID": (0x0020, 0x000E),
    "SOPInstanceUID": (0x0008, 0x0018),
    "PatientID": (0x0010, 0x0020),
    "Modality": (0x0008, 0x0060),
    "Rows": (0x0028, 0x0010),
    "Columns": (0x0028, 0x0011),
    "ImagePositionPatient": (0x0020, 0x0032),
    "ImageOrientationPatient": (0x0020, 0x0037),
    "PixelSpacing": (0x0028, 0x0030),
    "InstanceNumber": (0x0020, 0x0013),
    "SeriesDescription": (0x0008, 0x103E),
}
"""What an index holds of every image."""


def files(folder: str) -> Iterator[str]:
    for root, _, names in os.walk(folder):
        for name in names:
            yield f"{root}/{name}"


def by_series(rows: Iterable[tuple[Any, ...]]) -> dict[str, list[tuple[Any, ...]]]:
    found = defaultdict(list)
    for row in rows:
        found[str(row[1])].append(row)
    return dict(found)


def dcm2niix(*arguments: str) -> str:
    done = subprocess.run(["dcm2niix", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stdout[-200:])
    return done.stdout
