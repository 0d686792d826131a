"""Readers of DICOM that list the series of a folder: twelve attributes of every image, by series."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from bench.jobs import TAGS, Job, by_series, dcm2niix, files
from bench.limits import touch


def list_by_isocenter() -> Job:
    from isocenter.dicom.scan import scan

    return scan


def list_by_pydicom() -> Job:
    from pydicom import dcmread

    def row(path: str) -> tuple[Any, ...]:
        header = dcmread(path, stop_before_pixels=True)
        return tuple(header.get(tag) for tag in TAGS)

    return lambda folder: by_series(map(row, files(folder)))


def list_by_pydicom_tags() -> Job:
    from pydicom import dcmread

    def row(path: str) -> tuple[Any, ...]:
        header = dcmread(path, stop_before_pixels=True, specific_tags=list(TAGS))
        return tuple(header.get(tag) for tag in TAGS)

    return lambda folder: by_series(map(row, files(folder)))


def list_by_fastdicom() -> Job:
    from fastdicom import dcmread

    def row(path: str) -> tuple[Any, ...]:
        header = dcmread(path, stop_before_pixels=True)
        return tuple([header.get(tag, None) for tag in TAGS])

    return lambda folder: by_series(map(row, files(folder)))


def list_by_dicomsdl() -> Job:
    import dicomsdl

    tags = list(TAGS)

    def row(path: str) -> tuple[Any, ...]:
        return tuple(dicomsdl.open(path).getValues(tags))

    return lambda folder: by_series(map(row, files(folder)))


def list_by_gdcm() -> Job:
    import gdcm

    tags = [gdcm.Tag(*numbers) for numbers in TAGS.values()]

    def index(folder: str) -> object:
        scanner = gdcm.Scanner()
        for tag in tags:
            scanner.AddTag(tag)
        names = list(files(folder))
        scanner.Scan(names)
        return by_series(tuple(scanner.GetValue(name, tag) for tag in tags) for name in names)

    return index


def list_by_simpleitk() -> Job:
    """SimpleITK gives the files of each series, and no attribute besides."""
    from SimpleITK import ImageSeriesReader

    def index(folder: str) -> object:
        folders = [root for root, _, names in os.walk(folder) if names]
        return {
            uid: ImageSeriesReader.GetGDCMSeriesFileNames(each, uid)
            for each in folders
            for uid in ImageSeriesReader.GetGDCMSeriesIDs(each)
        }

    return index


def list_by_dcm2niix() -> Job:
    return lambda folder: dcm2niix("-n", "-1", folder)


LISTERS: dict[str, Callable[[], Job]] = {
    "Isocenter": list_by_isocenter,
    "fastdicom": list_by_fastdicom,
    "dicomsdl": list_by_dicomsdl,
    "pydicom": list_by_pydicom,
    "pydicom, 12 tags": list_by_pydicom_tags,
    "GDCM": list_by_gdcm,
    "SimpleITK": list_by_simpleitk,
    "dcm2niix": list_by_dcm2niix,
    "limit: open, read, close": touch,
}
