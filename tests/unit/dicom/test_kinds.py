"""Kinds: objects that are no image are listed for what they are, and never taken for one; images never for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, uid
from pydicom.dataset import FileMetaDataset

from isocenter.dicom.annotations.kinds import SEGMENTATION, STRUCTURE_SET, kind_of
from isocenter.dicom.scan import scan
from isocenter.geometry import Grid
from isocenter.testing.dicom import uid_of, write_series

NO_IMAGES = {
    uid.ComprehensiveSRStorage: "a structured report",
    uid.XRayRadiationDoseSRStorage: "a structured report",
    uid.KeyObjectSelectionDocumentStorage: "a selection of key objects",
    uid.RTPlanStorage: "a radiotherapy plan, record or instruction",
    uid.RTIonPlanStorage: "a radiotherapy plan, record or instruction",
    uid.RTBeamsDeliveryInstructionStorage: "a radiotherapy plan, record or instruction",
    uid.GrayscaleSoftcopyPresentationStateStorage: "a presentation state",
    uid.EncapsulatedPDFStorage: "a document (PDF)",
    uid.EncapsulatedCDAStorage: "a document (CDA)",
    uid.EncapsulatedSTLStorage: "a model (STL)",
    uid.TwelveLeadECGWaveformStorage: "a waveform",
    uid.RawDataStorage: "raw data",
    uid.SpatialRegistrationStorage: "a registration",
    uid.DeformableSpatialRegistrationStorage: "a deformable registration",
    uid.SpatialFiducialsStorage: "a set of fiducials",
    uid.SurfaceSegmentationStorage: "a segmentation by surfaces",
    uid.RealWorldValueMappingStorage: "a mapping to real-world values",
    uid.MediaStorageDirectoryStorage: "a directory of files (DICOMDIR)",
    uid.HangingProtocolStorage: "a hanging protocol",
    uid.MRSpectroscopyStorage: "a spectrum",
}
UNREAD_IMAGES = {
    uid.VLWholeSlideMicroscopyImageStorage: "an image of a microscopic slide",
    uid.VideoEndoscopicImageStorage: "a video",
    uid.VideoPhotographicImageStorage: "a video",
}
IMAGES = (
    uid.CTImageStorage,
    uid.EnhancedMRImageStorage,
    uid.SecondaryCaptureImageStorage,
    uid.RTDoseStorage,
    uid.RTImageStorage,
    uid.ParametricMapStorage,
    uid.DigitalMammographyXRayImageStorageForPresentation,
    uid.UltrasoundMultiFrameImageStorage,
    uid.VLPhotographicImageStorage,
    uid.NuclearMedicineImageStorage,
    uid.OphthalmicTomographyImageStorage,
    uid.EnhancedPETImageStorage,
    uid.BreastTomosynthesisImageStorage,
)


def test_every_kind_has_its_name_and_code() -> None:
    for class_uid, name in NO_IMAGES.items():
        kind = kind_of(str(class_uid))
        assert kind is not None
        assert (kind.name, kind.code) == (name, "NOT_IMAGE")
    for class_uid, name in UNREAD_IMAGES.items():
        kind = kind_of(str(class_uid))
        assert kind is not None
        assert (kind.name, kind.code) == (name, "KIND_NOT_READ")


def test_segmentations_and_structure_sets_are_found_for_what_they_are() -> None:
    assert kind_of(str(uid.SegmentationStorage)) is SEGMENTATION
    assert kind_of("1.2.840.10008.5.1.4.1.1.66.7") is SEGMENTATION
    assert kind_of(str(uid.RTStructureSetStorage)) is STRUCTURE_SET


@pytest.mark.parametrize("class_uid", [*IMAGES, "", "1.3.46.670589.5.0.1.1"])
def test_images_and_unknown_classes_are_no_such_kind(class_uid: str) -> None:
    assert kind_of(str(class_uid)) is None


def test_an_image_in_a_video_syntax_is_a_video() -> None:
    for syntax in (uid.MPEG2MPML, uid.MPEG4HP41, uid.HEVCMP51):
        kind = kind_of(str(uid.UltrasoundMultiFrameImageStorage), str(syntax))
        assert kind is not None
        assert kind.name == "a video"


def listed(class_uid: str, folder: Path, **values: object) -> list[tuple[str, str]]:
    folder.mkdir()
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = class_uid, uid_of("object"), "OT"
    dataset.PatientName, dataset.PatientID = "Phantom^Anna", "P0"
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset.save_as(folder / "object.dcm", enforce_file_format=True)
    found = scan(folder)
    assert len(found) == 0 or "Rows" in values
    return [(one.reason.code, one.reason.message) for one in found.ignored]


def test_a_scan_lists_every_kind_by_name_and_without_patient_data(tmp_path: Path) -> None:
    for place, (class_uid, name) in enumerate(NO_IMAGES.items()):
        assert listed(class_uid, tmp_path / str(place)) == [("NOT_IMAGE", f"It is {name}.")]
    for place, (class_uid, name) in enumerate(UNREAD_IMAGES.items(), len(NO_IMAGES)):
        assert listed(class_uid, tmp_path / str(place)) == [("KIND_NOT_READ", f"It is {name}.")]


def test_pixels_under_the_class_of_a_report_are_not_passed_over(tmp_path: Path) -> None:
    """A slice whose class was garbled is missed by its series: it is shown among the images, and refused."""
    assert listed(uid.ComprehensiveSRStorage, tmp_path / "odd", Rows=4, Columns=4) == []
    (series,) = scan(tmp_path / "odd")
    assert not series.verdict.usable


def test_findings_are_told_from_series_and_from_what_is_ignored(tmp_path: Path) -> None:
    grid = Grid.from_vectors((2, 4, 5))
    write_series(np.zeros(grid.shape), grid, tmp_path / "ct")
    listed(uid.RTStructureSetStorage, tmp_path / "rt", SeriesDescription="Contours", SeriesInstanceUID="1.2.7")
    found = scan(tmp_path)
    assert len(found) == 1
    assert found.ignored == ()
    (structures,) = found.findings
    assert structures.kind == "RT Structure Set"
    assert (structures.description, structures.series_uid) == ("Contours", "1.2.7")
    assert structures.path == str(tmp_path / "rt" / "object.dcm")
