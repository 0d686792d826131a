"""Making: how, when and by what the objects of one run are made, and the marks of it that every object carries.

All that is in a DICOM object beside its source and the findings comes from here, so that the same findings, sources and
``Making`` give the same bytes. What is special to a kind of object lives in its own module.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRLittleEndian

import isocenter
from isocenter.codes import Code
from isocenter.dicom.derived import uids
from isocenter.dicom.derived.headers import Headers, encodable

_IMPLEMENTATION = uids.derive("Isocenter", "implementation class")
_EXCEPT_FROM_DIGEST = frozenset(map(Tag, ("PixelData", "PerFrameFunctionalGroupsSequence", "SOPInstanceUID")))


@dataclass(frozen=True, slots=True)
class Making:
    """How, when and by what objects are made.

    Parameters
    ----------
    time
        When the run took place, with its time zone.
    seed
        What makes this run's UIDs its own: digest of the pixels, settings, versions of models. The sources' UIDs, the
        software's version and the time are added to it.
    software, version, manufacturer
        What makes the objects.
    serial_number
        Of this installation (Device Serial Number).

    Raises
    ------
    ValueError
        If the time has no time zone.
    """

    time: datetime
    seed: tuple[str, ...] = ()
    software: str = "Isocenter"
    version: str = isocenter.__version__
    manufacturer: str = "The Isocenter developers"
    serial_number: str = "1"

    def __post_init__(self) -> None:
        if self.time.tzinfo is None:
            raise ValueError("The time of making needs a time zone: take datetime.now().astimezone().")

    def uid(self, *parts: str | bytes) -> str:
        """UID of something made in this run."""
        moment = self.time.astimezone(UTC).isoformat()
        return uids.derive(self.manufacturer, self.software, self.version, moment, *self.seed, *parts)

    @property
    def device_uid(self) -> str:
        """UID of this installation of the software, the same in every run."""
        return uids.derive(self.manufacturer, self.software, self.serial_number)

    def equipment(self) -> dict[str, str]:
        """General Equipment (PS3.3 C.7.5.1), as keywords of highdicom's constructors."""
        return {
            "manufacturer": self.manufacturer,
            "manufacturer_model_name": self.software,
            "software_versions": self.version,
            "device_serial_number": self.serial_number,
        }


def local_time(making: Making, source: Dataset) -> datetime:
    """The time of making in the time zone that the source's dates and times are in.

    That is its Timezone Offset From UTC; where the source has none, the time zone of the making itself.
    """
    offset = str(source.get("TimezoneOffsetFromUTC", "")).strip()
    try:
        sign = -1 if offset[0] == "-" else 1
        zone = timezone(sign * timedelta(hours=int(offset[-4:-2]), minutes=int(offset[-2:])))
    except (ValueError, IndexError):
        return making.time
    return making.time.astimezone(zone)


def begin(study: Dataset, making: Making, *, sop_class: str, modality: str, series: tuple[str, int, str]) -> Dataset:
    """A new object of the patient and study: with its equipment and its series, as the first instance of it.

    Parameters
    ----------
    study
        Patient and study, as :func:`isocenter.dicom.derived.headers.study_of` gives them; completed in place.
    making
        How it is made.
    sop_class
        SOP Class UID.
    modality
        Modality of the series.
    series
        Series Instance UID, Series Number and Series Description.
    """
    study.SOPClassUID = sop_class
    study.Modality = modality
    study.SeriesInstanceUID, study.SeriesNumber, study.SeriesDescription = series
    study.InstanceNumber = 1
    study.Manufacturer = making.manufacturer
    study.ManufacturerModelName = making.software
    study.SoftwareVersions = making.version
    study.DeviceSerialNumber = making.serial_number
    return study


def series_number(source: Dataset, offset: int) -> int:
    """Series number of a derived series: the source's own, then two digits for the kind of object."""
    try:
        number = max(int(source.get("SeriesNumber") or 0), 0)
    except (TypeError, ValueError):
        number = 0
    return (number * 100 if number < 2**31 // 100 - 1 else 0) + offset


def stamp(
    dataset: Dataset, making: Making, headers: Headers, *parts: str, syntax: UID = ExplicitVRLittleEndian
) -> Dataset:
    """The finished object: with its dates, file meta information, and a SOP Instance UID that follows from all of it.

    Parameters
    ----------
    dataset
        The object, complete but for its SOP Instance UID and times; changed in place.
    making
        How it is made.
    headers
        Headers of the slices it was made from.
    *parts
        Further parts of its SOP Instance UID: what neither its header nor its pixels tell.
    syntax
        Transfer syntax that its pixels are in.

    Returns
    -------
    A plain dataset with file meta information, ready to be written.
    """
    moment = local_time(making, headers[0])
    date, time = moment.strftime("%Y%m%d"), moment.strftime("%H%M%S.%f")
    for name in ("InstanceCreation", "Series", "Content"):
        setattr(dataset, f"{name}Date", date)
        setattr(dataset, f"{name}Time", time)
    offset = headers[0].get("TimezoneOffsetFromUTC")
    if offset:
        dataset.TimezoneOffsetFromUTC = offset
    for item in dataset.get("ContributingEquipmentSequence", [])[-1:]:  # the library that helped, highdicom's own entry
        item.ContributionDateTime = moment.strftime("%Y%m%d%H%M%S.%f%z")

    plain = Dataset()
    plain.update(dataset)
    _set_character_set(plain, headers[0])
    plain.SOPInstanceUID = making.uid(
        str(plain.SOPClassUID), *(reference.name for reference in headers.references), _digest(plain), *parts
    )
    plain.file_meta = _file_meta(plain, making, syntax)
    return plain


def _set_character_set(dataset: Dataset, source: Dataset) -> None:
    """The source's character set, or UTF-8 where our own words cannot be written in it."""
    if source.get("SpecificCharacterSet"):
        dataset.SpecificCharacterSet = source.SpecificCharacterSet
    if not encodable(_header(dataset)):
        dataset.SpecificCharacterSet = "ISO_IR 192"


def _header(dataset: Dataset) -> Dataset:
    header = Dataset()
    header.update({tag: dataset[tag] for tag in dataset.keys() - _EXCEPT_FROM_DIGEST})
    return header


def _digest(dataset: Dataset) -> str:
    digest = hashlib.sha256(dataset.get("PixelData", b""))
    digest.update(encode(_header(dataset)))
    return digest.hexdigest()


def _file_meta(dataset: Dataset, making: Making, syntax: UID) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = UID(dataset.SOPInstanceUID)
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = UID(_IMPLEMENTATION)
    meta.ImplementationVersionName = f"{making.software} {making.version}"[:16].upper()
    return meta


def encode(dataset: Dataset) -> bytes:
    """Bytes of a dataset, as a file if it has file meta information."""
    buffer = io.BytesIO()
    if hasattr(dataset, "file_meta"):
        dcmwrite(buffer, dataset, enforce_file_format=True)
    else:
        dcmwrite(buffer, dataset, implicit_vr=False, little_endian=True)
    return buffer.getvalue()


def coded(code: Code) -> Any:
    """A code as highdicom has it."""
    import highdicom as hd

    return hd.sr.CodedConcept(value=code.value, scheme_designator=code.scheme, meaning=code.meaning)
