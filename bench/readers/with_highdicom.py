"""highdicom: single-frame series by get_volume_from_series, multi-frame files by Image.get_volume, in real units."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import highdicom
import pydicom

from isocenter.testing.conformance import Answer, Picture

VERSIONS = {"highdicom": highdicom.__version__}


def read(folder: Path) -> Answer:
    pictures = []
    groups = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and pydicom.misc.is_dicom(path):
            ds = pydicom.dcmread(path)
            if "Rows" in ds:
                groups[ds.get("SeriesInstanceUID", "")].append(ds)
    if not groups:
        raise ValueError("No DICOM image is found.")
    for group in groups.values():
        if len(group) > 1 and "PerFrameFunctionalGroupsSequence" not in group[0]:
            pictures.append(_picture(highdicom.get_volume_from_series(group)))
        else:
            pictures += [_picture(_volume(ds)) for ds in group]
    return Answer(pictures)


def _volume(ds: pydicom.Dataset) -> highdicom.Volume:
    if ds.SOPClassUID == pydicom.uid.SegmentationStorage:
        return highdicom.seg.Segmentation.from_dataset(ds).get_volume()
    return highdicom.Image.from_dataset(ds).get_volume()


def _picture(volume: highdicom.Volume) -> Picture:
    return Picture(volume.array, volume.affine)
