from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from isocenter.dicom.derived import pdf
from isocenter.dicom.derived.headers import Headers, repair
from isocenter.dicom.derived.making import Making, encode
from isocenter.errors import Refused, UsageError


def mended(headers: Headers) -> str:
    return " ".join(reason.message for reason in headers.reasons)


def test_sound_headers_need_no_mending(sources: list[Dataset]) -> None:
    headers = repair(sources)
    assert headers.reasons == ()
    assert [h.SOPInstanceUID for h in headers] == [s.SOPInstanceUID for s in sources]
    assert repair(headers) is headers


@pytest.mark.parametrize(
    "keyword",
    [
        "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
        "AccessionNumber", "ReferringPhysicianName", "FrameOfReferenceUID", "PositionReferenceIndicator",
        "SliceThickness",
    ],
)  # fmt: skip
def test_what_is_missing_is_filled_in_a_copy_and_said(sources: list[Dataset], keyword: str) -> None:
    for source in sources:
        delattr(source, keyword)
    headers = repair(sources)
    assert keyword in headers[0]
    assert keyword not in sources[0]
    assert [reason.code for reason in headers.reasons] == ["SOURCE_HEADER_REPAIRED"]
    assert keyword in mended(headers)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientBirthDate", "1960-01"),
        ("PatientBirthDate", "19601340"),
        ("StudyTime", "afternoon"),
        ("PatientSex", "X"),
        ("PatientAge", "64"),
        ("PatientWeight", "0"),
        ("DeviceSerialNumber", ""),
    ],
)
def test_a_malformed_value_is_emptied_and_not_told(sources: list[Dataset], keyword: str, value: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        setattr(sources[0], keyword, value)
    headers = repair(sources)
    assert not headers[0].get(keyword)
    assert keyword in mended(headers)
    assert not value or value not in mended(headers)


def test_an_empty_slice_thickness_becomes_the_distance_between_slices(sources: list[Dataset]) -> None:
    for source in sources:
        source.SliceThickness = None
    headers = repair(sources)
    assert {float(h.SliceThickness) for h in headers} == {2.0}


def test_the_spacing_between_slices_is_measured_not_believed(sources: list[Dataset]) -> None:
    sources[0].SpacingBetweenSlices = 7
    assert float(repair(sources)[0].SpacingBetweenSlices) == 2.0


def test_private_and_needless_attributes_stay_behind(sources: list[Dataset]) -> None:
    block = sources[0].private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x10, "OB", b"\x00" * 5)
    sources[0].ImageComments = "seen by X"
    header = repair(sources)[0]
    assert not any(element.tag.is_private for element in header)
    assert "ImageComments" not in header


def test_what_cannot_be_written_is_left_out(sources: list[Dataset]) -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "77", "99LOCAL", "Thorax"
    code.private_block(0x0029, "SOMEBODY", create=True).add_new(0x10, "FD", 1.0)
    sources[0].ProcedureCodeSequence = [code]
    identity = Dataset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        identity.add_new("PatientID", "US", "no number")
    sources[0].OtherPatientIDsSequence = [identity]
    headers = repair(sources)
    assert [element.keyword for element in headers[0].ProcedureCodeSequence[0]] == [
        "CodeValue", "CodingSchemeDesignator", "CodeMeaning",
    ]  # fmt: skip
    assert "OtherPatientIDsSequence" not in headers[0]
    assert "OtherPatientIDsSequence" in mended(headers)
    encode(headers[0])


def test_positions_of_too_many_digits_are_made_to_fit(sources: list[Dataset]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sources[1].ImagePositionPatient = ["-3.00000000000000000001", "-4.0000000000000000001", "98.000000000000000001"]
    headers = repair(sources)
    assert [len(str(number)) <= 16 for number in headers[1].ImagePositionPatient] == [True] * 3
    assert [float(number) for number in headers[1].ImagePositionPatient] == [-3, -4, 98]


def test_identity_removed_without_a_method_gets_one(sources: list[Dataset]) -> None:
    sources[0].PatientIdentityRemoved = "YES"
    assert repair(sources)[0].DeidentificationMethod == "Not stated by the source"


def test_slightly_different_orientations_become_one_and_others_are_refused(sources: list[Dataset]) -> None:
    sources[2].ImageOrientationPatient = [1, 0, 0, 0, 0.99999999, 0.00001]
    headers = repair(sources)
    assert headers[2].ImageOrientationPatient == headers[0].ImageOrientationPatient
    sources[2].ImageOrientationPatient = [0, 1, 0, 1, 0, 0]
    with pytest.raises(Refused, match="not parallel"):
        repair(sources)


def test_the_header_of_several_frames_is_none_of_a_slice(sources: list[Dataset]) -> None:
    sources[0].NumberOfFrames = 2
    with pytest.raises(UsageError, match=r"take slice_headers\.of_series"):
        repair(sources)


@pytest.mark.parametrize("count", [b"", b"abc ", b"1\\1 ", b"1.5 ", b"1e999 "])
def test_a_malformed_number_of_frames_is_that_of_one(sources: list[Dataset], count: bytes) -> None:
    sources[1][0x00280008] = RawDataElement(Tag(0x00280008), "IS", len(count), count, 0, False, True)
    assert len(repair(sources)) == len(sources)


def test_sources_without_uids_of_two_series_or_none_are_refused(sources: list[Dataset]) -> None:
    with pytest.raises(UsageError, match="none were given"):
        repair([])
    sources[1].SeriesInstanceUID = "1.2.3"
    with pytest.raises(Refused, match="one series"):
        repair(sources)
    sources[1].SeriesInstanceUID = sources[0].SeriesInstanceUID
    sources[1].FrameOfReferenceUID = "1.2.3"
    with pytest.raises(Refused, match="several frames of reference"):
        repair(sources)
    del sources[1].SOPInstanceUID
    with pytest.raises(Refused, match="SOURCES_WITHOUT_UID"):
        repair(sources)


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("ISO_IR 192", "Wang^XiaoDong=王^小東"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
        ("ISO_IR 100", "Äneas^Rüdiger"),
        ("ISO_IR 144", "Люкceмбypг"),
        ("ISO 2022 IR 6", "Plain^Name"),
    ],
)
def test_a_name_in_any_script_goes_round(
    sources: list[Dataset], making: Making, tmp_path: Path, character_set: str | list[str], name: str
) -> None:
    for source in sources:
        source.SpecificCharacterSet = character_set
        source.PatientName = name
    read = [dcmread(_stored(source, tmp_path / f"{k}.dcm"), force=True) for k, source in enumerate(sources)]
    headers = repair(read)
    made = pdf.make(b"%PDF-1.4", headers, making, title="Lungs")
    (tmp_path / "pdf.dcm").write_bytes(encode(made))
    back = dcmread(tmp_path / "pdf.dcm")
    assert str(back.PatientName) == name
    assert list(back.get("SpecificCharacterSet")) == list(sources[0].SpecificCharacterSet)


def _stored(source: Dataset, path: Path) -> Path:
    path.write_bytes(encode(source))
    return path


def test_words_of_ours_that_the_character_set_lacks_make_the_object_utf_8(
    sources: list[Dataset], making: Making
) -> None:
    sources[0].PatientName = "Äneas^Rüdiger"
    assert pdf.make(b"%PDF-1.4", sources, making, title="Lungs").SpecificCharacterSet == "ISO_IR 100"
    made = pdf.make(b"%PDF-1.4", sources, making, title="肺")
    assert (made.SpecificCharacterSet, made.PatientName) == ("ISO_IR 192", "Äneas^Rüdiger")


@pytest.mark.parametrize(
    ("keyword", "value", "kept"),
    [
        ("PatientName", ["Phantom^Anna", "Ghost^Berta"], "Phantom^Anna"),
        ("PatientName", "A" * 70 + "^Anna", "A" * 64),
        ("PatientName", "A^B^C^D^E^F", "A^B^C^D^E F"),
        ("StudyDescription", "Thorax " * 12, ("Thorax " * 12)[:64]),
        ("StudyDescription", ["CHEST", "ABDOMEN"], "CHEST"),
        ("InstitutionName", "Ward\r\nWest", "Ward West"),
        ("BodyPartExamined", "chest", "CHEST"),
        ("BodyPartExamined", "CHEST/ABDOMEN", ""),
        ("StudyDate", "2024.01.02", "20240102"),
        ("StudyTime", "10:20:30.5", "102030.5"),
        ("StudyDate", ["20240102", "20240103"], ""),
        ("StudyID", "1234567890123456X", ""),
        ("AccessionNumber", "1234567890123456X", ""),
        ("AccessionNumber", ["A1", "A2"], ""),
        ("StationName", "A_STATION_OF_A_LONG_NAME", ""),
        ("DeviceSerialNumber", ["1", "2"], ""),
        ("FrameOfReferenceUID", "no frame", None),
        ("TimezoneOffsetFromUTC", "CET", ""),
        ("PatientWeight", "inf", ""),
    ],
)
def test_what_breaks_the_standard_is_cut_or_left_out_but_no_identifier_is_cut(
    sources: list[Dataset], making: Making, keyword: str, value: object, kept: str | None
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for source in sources:
            setattr(source, keyword, value)
    headers = repair(sources)
    if kept is not None:
        assert str(headers[0].get(keyword) or "") == kept
    assert [reason.code for reason in headers.reasons] == ["SOURCE_HEADER_REPAIRED"]
    assert keyword in mended(headers)
    encode(pdf.make(b"%PDF-1.4", headers, making, title="Lungs"))


@pytest.mark.parametrize(("value", "kept"), [(["P0", "P1"], "P0"), ("P" * 65, ""), ("P0\nP1", "")])
def test_a_patient_id_that_is_not_one_id_asks_for_a_look(sources: list[Dataset], value: object, kept: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sources[0].PatientID = value
    headers = repair(sources)
    assert headers[0].PatientID == kept
    assert [reason.code for reason in headers.reasons] == ["SOURCE_HEADER_REPAIRED", "PATIENT_ID_AMBIGUOUS"]
    assert "P0" not in mended(headers)


@pytest.mark.parametrize("uid", ["1.2.no", "1." + "2" * 70, "1.2\\1.3"])
def test_an_image_whose_uid_is_none_is_not_referred_to(sources: list[Dataset], uid: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sources[1].SOPInstanceUID = uid
    with pytest.raises(Refused, match="SOURCES_WITHOUT_UID"):
        repair(sources)


def test_a_code_that_is_too_long_is_left_out_and_never_cut(sources: list[Dataset]) -> None:
    code = Dataset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "7" * 17, "99LOCAL", "Thorax"
    sources[0].ProcedureCodeSequence = [code]
    headers = repair(sources)
    assert "ProcedureCodeSequence" not in headers[0]
    assert "ProcedureCodeSequence" in mended(headers)
