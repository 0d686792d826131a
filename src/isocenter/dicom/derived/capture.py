"""Secondary Capture (PS3.3 A.8): pictures for people, as one series. How pictures are drawn lives in ``report``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import DataElement, Dataset
from pydicom.tag import Tag
from pydicom.uid import SecondaryCaptureImageStorage

from isocenter.dicom.derived.headers import repair, study_of
from isocenter.dicom.derived.making import Making, begin, local_time, series_number, stamp
from isocenter.dicom.derived.writing import differs
from isocenter.dicom.file.quiet import quietly

_SERIES_OFFSET = 3


@dataclass(frozen=True, eq=False)
class Capture:
    """A picture to be stored.

    Parameters
    ----------
    pixels
        (row, column, 3) sRGB, uint8.
    title
        What it shows, without patient data.
    shown
        SOP Instance UIDs of the source images it shows, if it shows few.

    Raises
    ------
    ValueError
        If the pixels are not such an array.
    """

    pixels: npt.NDArray[np.uint8] = field(repr=False)
    title: str
    shown: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != np.uint8:
            raise ValueError(f"A picture is a (row, column, 3) array of uint8, not {self.pixels.shape}.")


@quietly()
def make(captures: Sequence[Capture], sources: Sequence[Dataset], making: Making) -> tuple[Dataset, ...]:
    """DICOM objects of pictures, one for each, in one series.

    Parameters
    ----------
    captures
        In the order they are to be shown.
    sources
        Headers of the source images.
    making
        How, when and by what they are made.
    """
    headers = repair(sources)
    known = {source.sop_instance_uid: source for source in headers.sources}
    series = (
        making.uid("series", "SC", str(headers[0].SeriesInstanceUID)),
        series_number(headers[0], _SERIES_OFFSET),
        f"{making.software}: key images",
    )
    moment = local_time(making, headers[0])
    objects = []
    for number, capture in enumerate(captures, start=1):
        dataset = begin(
            study_of(headers[0]), making, sop_class=SecondaryCaptureImageStorage, modality="OT", series=series
        )
        dataset.InstanceNumber = number
        dataset.ConversionType = "WSD"
        dataset.DateOfSecondaryCapture, dataset.TimeOfSecondaryCapture = moment.strftime("%Y%m%d %H%M%S").split()
        dataset.ImageType = ["DERIVED", "SECONDARY"]
        dataset.PatientOrientation = ""
        dataset.ImageLaterality = headers[0].get("Laterality") or "U"  # a cross-section of the trunk is of no side
        dataset.DerivationDescription = capture.title[:1024]
        dataset.LossyImageCompression = headers[0].get("LossyImageCompression") or "00"
        dataset.SourceImageSequence = [known[uid].to_image() for uid in capture.shown if uid in known]
        if not dataset.SourceImageSequence:
            del dataset.SourceImageSequence
        _add_pixels(dataset, capture.pixels)
        objects.append(stamp(dataset, making, headers, str(number)))
    return tuple(objects)


def _add_pixels(dataset: Dataset, pixels: npt.NDArray[Any]) -> None:
    dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
    dataset.PhotometricInterpretation = "RGB"
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    data = np.ascontiguousarray(pixels).tobytes()
    dataset[Tag("PixelData")] = DataElement("PixelData", "OB", data + b"\x00" * (len(data) % 2))


def check(dataset: Dataset, capture: Capture) -> None:
    """Compare an object, as read from disk, with the picture it was made of.

    Raises
    ------
    Bug
        If a pixel differs.
    """
    size = capture.pixels.size
    shape = (int(dataset.Rows), int(dataset.Columns), int(dataset.SamplesPerPixel))
    pixels = np.frombuffer(dataset.PixelData, np.uint8)[:size]
    if shape != capture.pixels.shape or not np.array_equal(pixels.reshape(shape), capture.pixels):
        raise differs("the pixels of a key image")
