"""The fast way through a header yields what pydicom yields, on every DICOM file at hand."""

from __future__ import annotations

import math
import os
import warnings
from collections import Counter
from pathlib import Path

import pydicom
import pytest

from isocenter.dicom.file import fallback, walk
from isocenter.dicom.file.elements import DEFLATED, WANTED, DamagedHeaderError, NotDicomError
from isocenter.dicom.file.files import DiskBytes, FileRef
from isocenter.dicom.file.layouts import Layouts
from isocenter.dicom.frames.frame import only_frame
from isocenter.dicom.frames.instance import instance_from, is_image

pytestmark = pytest.mark.real


def files(root: Path):
    return [Path(folder) / name for folder, _, names in os.walk(root) for name in names]


def test_the_walk_equals_pydicom_on_every_file(shared_data: Path):
    counts: Counter[str] = Counter()
    for path in files(shared_data):
        source = DiskBytes(str(path))
        try:
            found = walk.read_header(source)
        except NotDicomError:
            counts["not DICOM"] += 1
            continue
        except (walk.UnusualError, KeyError):
            counts["left to pydicom"] += 1
            continue
        finally:
            source.close()
        if found.transfer_syntax == DEFLATED:
            counts["inflated"] += 1  # pydicom's deflated data sets tell no place; their values are compared below
            continue
        counts["walked"] += 1
        expected = reference(path)
        assert found.transfer_syntax == expected.transfer_syntax, path
        assert found.pixels == expected.pixels, path
        assert found.has_meta == expected.has_meta
        charset = WANTED["SpecificCharacterSet"]  # pydicom strips it
        ours = {tag: raw.rstrip(b" ") if tag == charset else raw for tag, raw in found.values.items()}
        theirs = {tag: raw.rstrip(b" ") if tag == charset else raw for tag, raw in expected.values.items()}
        assert ours == theirs, path
    assert counts["walked"] > 1000
    assert counts["left to pydicom"] < 20


def test_layouts_equal_the_walk_on_every_file(shared_data: Path):
    layouts, known = Layouts(), 0
    for path in sorted(files(shared_data)):
        source = DiskBytes(str(path))
        try:
            expected = walk.read_header(source)
            found = layouts.header_of(source)
            if found is None:
                layouts.learn(source, expected)
            else:
                assert found._replace(memo=None) == expected, path
                assert_same_frame(found, expected, path)
                known += 1
        except (NotDicomError, walk.UnusualError, KeyError):
            assert layouts.header_of(source) is None, path
        finally:
            source.close()
    assert known > 500


def assert_same_frame(found, expected, path):
    frames = []
    for header in (found, expected):
        instance = instance_from(FileRef(str(path)), header)
        frames.append(only_frame(instance, header))
    assert repr(frames[0]) == repr(frames[1]), path  # NaN equals NaN in words


def reference(path: Path):
    source = DiskBytes(str(path))
    try:
        return fallback.read_header(source)
    finally:
        source.close()


def test_typed_attributes_equal_those_of_pydicom_on_every_file(shared_data: Path):
    """Here the values are pydicom's own, not its bytes."""
    compared = 0
    for path in files(shared_data):
        source = DiskBytes(str(path))
        try:
            header = walk.read_header(source)
        except (NotDicomError, DamagedHeaderError, walk.UnusualError, KeyError):
            continue
        finally:
            source.close()
        if not is_image(header):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data_set = pydicom.dcmread(path, stop_before_pixels=True, force=True)
            instance = instance_from(FileRef(str(path)), header)
            assert_equal(instance, data_set, path)
            assert_frame_equal(only_frame(instance, header), data_set)
        compared += 1
    assert compared > 1000


def assert_equal(instance, data_set, path):
    assert instance.series_uid == str(data_set.get("SeriesInstanceUID", "")), path
    assert instance.study_uid == str(data_set.get("StudyInstanceUID", "")), path
    if data_set.get("SOPInstanceUID"):
        assert instance.sop_instance_uid == str(data_set.SOPInstanceUID), path
    form = instance.format
    for ours, keyword in [
        (form.rows, "Rows"),
        (form.columns, "Columns"),
        (form.bits_allocated, "BitsAllocated"),
        (form.bits_stored, "BitsStored"),
        (form.high_bit, "HighBit"),
        (int(form.is_signed), "PixelRepresentation"),
        (form.samples, "SamplesPerPixel"),
    ]:
        if keyword in data_set:
            assert ours == data_set[keyword].value, (path, keyword)
    assert_number(instance.instance_number, data_set.get("InstanceNumber"))
    if "SeriesDescription" in data_set:
        assert instance.series_description == str(data_set.SeriesDescription or "").strip("\0 "), path


def assert_frame_equal(frame, data_set):
    assert_numbers(frame.position_mm, data_set.get("ImagePositionPatient"), 3)
    assert_numbers(frame.orientation, data_set.get("ImageOrientationPatient"), 6)
    assert_numbers(frame.pixel_spacing_mm, data_set.get("PixelSpacing"), 2)
    assert_number(frame.rescale.slope, data_set.get("RescaleSlope"))
    assert_number(frame.rescale.intercept, data_set.get("RescaleIntercept"))
    assert_number(frame.mark.echo_time_ms, data_set.get("EchoTime"))


def assert_numbers(ours, theirs, count):
    if theirs is None or len(theirs) != count:
        assert ours is None
    else:
        assert ours == tuple(float(value) for value in theirs)


def assert_number(ours, theirs):
    if theirs is None or theirs == "":
        assert ours is None
    else:
        assert math.isclose(ours, float(theirs), rel_tol=0, abs_tol=0)
