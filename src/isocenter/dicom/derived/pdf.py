"""Encapsulated PDF (PS3.3 A.45.1): the report as a document of the study. How the PDF is made lives in ``report``."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom import Dataset
from pydicom.uid import EncapsulatedPDFStorage

from isocenter.dicom.derived.headers import repair, study_of
from isocenter.dicom.derived.making import Making, begin, local_time, series_number, stamp
from isocenter.dicom.derived.writing import differs
from isocenter.dicom.file.quiet import quietly

_SERIES_OFFSET = 4


@quietly()
def make(document: bytes, sources: Sequence[Dataset], making: Making, *, title: str) -> Dataset:
    """DICOM object of a PDF.

    Parameters
    ----------
    document
        The PDF file.
    sources
        Headers of the images the report is about.
    making
        How, when and by what it is made.
    title
        Title of the document, without patient data.

    Raises
    ------
    ValueError
        If the bytes are no PDF.
    """
    if not document.startswith(b"%PDF-"):
        raise ValueError("The document is no PDF: its bytes do not begin with %PDF-.")
    headers = repair(sources)
    series = (
        making.uid("series", "PDF", str(headers[0].SeriesInstanceUID)),
        series_number(headers[0], _SERIES_OFFSET),
        f"{making.software}: report",
    )
    dataset = begin(study_of(headers[0]), making, sop_class=EncapsulatedPDFStorage, modality="DOC", series=series)
    dataset.ConversionType = "WSD"
    dataset.AcquisitionDateTime = local_time(making, headers[0]).strftime("%Y%m%d%H%M%S.%f%z")
    dataset.BurnedInAnnotation = "YES"  # a report names its patient
    dataset.DocumentTitle = title[:1024]
    dataset.ConceptNameCodeSequence = [_title_code()]
    dataset.SourceInstanceSequence = [source.to_instance() for source in headers.sources]
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocumentLength = len(document)
    dataset.EncapsulatedDocument = document + b"\x00" * (len(document) % 2)
    return stamp(dataset, making, headers)


def _title_code() -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "18748-4", "LN", "Diagnostic Imaging Report"
    return code


def check(dataset: Dataset, document: bytes) -> None:
    """Compare an object, as read from disk, with the PDF it was made of.

    Raises
    ------
    Bug
        If a byte differs.
    """
    if dataset.EncapsulatedDocument[: int(dataset.EncapsulatedDocumentLength)] != document:
        raise differs("the encapsulated PDF")
