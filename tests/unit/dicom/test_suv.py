"""SUV factors: the times of each convention, the formulas of each kind, and the refusal of all that is not sure."""

from __future__ import annotations

import math

import pytest
from pydicom import Dataset
from pydicom.config import disable_value_validation
from pydicom.dataelem import RawDataElement
from pydicom.sr._concepts_dict import concepts
from pydicom.sr._snomed_dict import mapping
from pydicom.tag import Tag

from isocenter.dicom.values import decay
from isocenter.dicom.values.suv import UNITS, suv_factor, suv_factors
from isocenter.errors import Refused, UsageError

HALF_LIFE_S, DOSE_BQ, WEIGHT_KG = 6586.2, 3.7e8, 70.0


@disable_value_validation()
def pet(**changes):
    """A PET whose scan starts at 11:00, an hour after the injection."""
    ds, item, nuclide = Dataset(), Dataset(), Dataset()
    nuclide.CodeValue, nuclide.CodingSchemeDesignator, nuclide.CodeMeaning = "77004003", "SCT", "18F"
    item.RadiopharmaceuticalStartTime, item.RadionuclideTotalDose = "100000.00", DOSE_BQ
    item.RadionuclideHalfLife, item.RadionuclideCodeSequence = HALF_LIFE_S, [nuclide]
    ds.RadiopharmaceuticalInformationSequence = [item]
    ds.Units, ds.DecayCorrection, ds.CorrectedImage = "BQML", "START", ["NORM", "ATTN", "DECY"]
    ds.SeriesDate, ds.SeriesTime = "20240305", "110000"
    ds.AcquisitionDate, ds.AcquisitionTime = "20240305", "110000.0"
    ds.PatientWeight, ds.PatientSize, ds.PatientSex = WEIGHT_KG, 1.75, "M"
    for keyword, value in changes.items():
        target = item if keyword.startswith("Radio") and keyword != "RadiopharmaceuticalInformationSequence" else ds
        if value is None:
            del target[keyword]
        else:
            setattr(target, keyword, value)
    return ds


def after(elapsed_s):
    """The factor where so much time has gone by between injection and what the values are corrected to."""
    return 1000 * WEIGHT_KG / (DOSE_BQ * math.exp(-math.log(2) * elapsed_s / HALF_LIFE_S))


def refused(ds, kind="suvbw"):
    with pytest.raises(Refused) as caught:
        suv_factor(ds, kind)
    (reason,) = caught.value.reasons
    assert reason.code == "SUV_UNKNOWN"
    return reason.message


# --- times -----------------------------------------------------------------------------------------------------------


def test_the_dose_decays_until_the_start_of_the_scan():
    assert suv_factor(pet()) == pytest.approx(after(3600))
    assert suv_factor(pet(AcquisitionTime="112000")) == pytest.approx(after(3600))


def test_values_corrected_to_the_injection_are_divided_by_the_whole_dose():
    assert suv_factor(pet(DecayCorrection="ADMIN")) == pytest.approx(after(0))
    assert suv_factor(pet(DecayCorrection="ADMIN", AcquisitionTime=None)) == pytest.approx(after(0))


def test_uncorrected_values_are_those_at_the_mean_of_the_frame():
    ds = pet(DecayCorrection="NONE", CorrectedImage=["ATTN"], ActualFrameDuration=1200000, AcquisitionTime="113000")
    rate = math.log(2) / HALF_LIFE_S
    mean_activity = (1 - math.exp(-rate * 1200)) / (rate * 1200)
    assert suv_factor(ds) == pytest.approx(after(5400) / mean_activity)
    assert "Actual Frame Duration" in refused(pet(DecayCorrection="NONE", CorrectedImage=["ATTN"]))


def test_an_injection_before_midnight_is_that_of_the_day_before():
    times = {"SeriesTime": "003000", "AcquisitionTime": "003000", "RadiopharmaceuticalStartTime": "233000"}
    assert suv_factor(pet(**times)) == pytest.approx(after(3600))
    times["RadiopharmaceuticalStartTime"] = "160000"  # 4.6 half-lives
    assert "cannot both be right" in refused(pet(**times))
    dated = pet(**times, RadiopharmaceuticalStartDateTime="20240304160000")
    assert suv_factor(dated) == pytest.approx(after(8.5 * 3600))


def test_the_date_of_the_injection_counts_where_it_is_told():
    dated = pet(RadiopharmaceuticalStartDateTime="20240305101500.000000+0100", TimezoneOffsetFromUTC="+0100")
    assert suv_factor(dated) == pytest.approx(after(2700))
    assert "offset from UTC" in refused(pet(RadiopharmaceuticalStartDateTime="20240305101500.0+0100"))
    assert "cannot both be right" in refused(pet(RadiopharmaceuticalStartDateTime="20240201101500"))
    assert "cannot both be right" in refused(pet(RadiopharmaceuticalStartDateTime="20240305111500"))


def test_a_later_series_time_gives_way_to_the_scan_time_of_ge():
    ds = pet(SeriesTime="150000")
    ds.private_block(0x0009, "GEMS_PETD_01", create=True).add_new(0x0D, "DT", "20240305105000.00")
    assert suv_factor(ds) == pytest.approx(after(3000))


def test_a_later_series_time_gives_way_to_what_the_frame_reference_time_counts_from():
    ds = pet(SeriesTime="150000", AcquisitionTime="112000", FrameReferenceTime=1319000, ActualFrameDuration=240000)
    rate = math.log(2) / HALF_LIFE_S
    mean_s = math.log(rate * 240 / (1 - math.exp(-rate * 240))) / rate
    assert suv_factor(ds) == pytest.approx(after(3600 + 1200 + mean_s - 1319))
    assert suv_factor(ds) == pytest.approx(after(3600), rel=1e-3)


def test_a_later_series_time_alone_is_refused():
    assert "Series Time" in refused(pet(SeriesTime="150000"))


def test_a_series_time_that_the_frame_reference_time_contradicts_is_refused():
    ds = pet(SeriesTime="090000", RadiopharmaceuticalStartTime="083000", FrameReferenceTime=120000)
    ds.ActualFrameDuration = 240000
    assert "contradict" in refused(ds)
    ds.FrameReferenceTime = 7320000
    assert suv_factor(ds) == pytest.approx(after(1800))


def test_a_later_series_time_gives_way_to_what_the_decay_factor_counts_from():
    rate, frame = math.log(2) / HALF_LIFE_S, {"SeriesTime": "150000", "AcquisitionTime": "112000"}
    mean_s = math.log(rate * 240 / (1 - math.exp(-rate * 240))) / rate
    ds = pet(**frame, DecayFactor=math.exp(rate * (1200 + mean_s)), ActualFrameDuration=240000)
    assert suv_factor(ds) == pytest.approx(after(3600))


@pytest.mark.parametrize("correction", ["START", "ADMIN"])
def test_a_decay_factor_of_another_time_is_refused(correction):
    since_s = 1200 if correction == "START" else 4800
    right = math.exp(math.log(2) / HALF_LIFE_S * since_s)
    ds = pet(DecayCorrection=correction, AcquisitionTime="112000", ActualFrameDuration=120000, DecayFactor=right)
    assert suv_factor(ds) == pytest.approx(after(3600 if correction == "START" else 0))
    ds.DecayFactor = right * 1.1
    assert "Decay Factor" in refused(ds)
    ds.DecayFactor = 1  # not known
    assert suv_factor(ds) == pytest.approx(after(3600 if correction == "START" else 0))


def test_an_injection_at_the_very_start_is_believed_of_a_dynamic_scan_alone():
    assert "cannot both be right" in refused(pet(RadiopharmaceuticalStartTime="110000"))
    dynamic = pet(RadiopharmaceuticalStartTime="110000", SeriesType=["DYNAMIC", "IMAGE"])
    assert suv_factor(dynamic) == pytest.approx(after(0))


def test_old_ways_to_write_dates_and_times_are_understood():
    ds = pet(SeriesDate="2024.03.05", SeriesTime="11:00:00", AcquisitionDate="2024.03.05", AcquisitionTime="11:00:00")
    assert suv_factor(ds) == pytest.approx(after(3600))
    undated = pet(AcquisitionDate=None, AcquisitionDateTime="20240305110000.0")
    assert suv_factor(undated) == pytest.approx(after(3600))


# --- vendors and units -----------------------------------------------------------------------------------------------


def philips(**elements):
    ds = pet(Units="CNTS")
    block = ds.private_block(0x7053, "Philips PET Private Group", create=True)
    for name, value in elements.items():
        block.add_new(int(name[1:], 16), "DS", value)
    return ds


def test_counts_of_philips_have_a_factor_of_their_own():
    assert suv_factor(philips(x00="0.0005", x09="1.5")) == pytest.approx(0.0005)
    lean = suv_factor(philips(x00="0.0005"), "suvlbm") / suv_factor(philips(x00="0.0005"))
    assert lean == pytest.approx(suv_factor(pet(), "suvlbm") / suv_factor(pet()))
    assert suv_factor(philips(x00="0", x09="1.5")) == pytest.approx(1.5 * after(3600))
    assert "counts" in refused(philips())
    assert "counts" in refused(philips(x00="0"))


def test_values_that_are_suv_already_stay_or_change_their_kind():
    stored = pet(Units="GML", RadiopharmaceuticalInformationSequence=[])
    assert suv_factor(stored) == 1
    assert suv_factor(stored, "suvbsa") == pytest.approx(suv_factor(pet(), "suvbsa") / suv_factor(pet()))
    surface = pet(Units="CM2ML", SUVType="BSA")
    assert suv_factor(surface, "suvbsa") == 1
    assert suv_factor(surface) == pytest.approx(suv_factor(pet()) / suv_factor(pet(), "suvbsa"))
    assert suv_factor(pet(Units="GML", SUVType="LBMJANMA"), "suvlbm") == 1
    assert suv_factor(pet(Units="GML", SUVType="LBMJAMES128"), "suvlbm_james") == 1
    assert suv_factor(pet(Units="GML", SUVType="IBW"), "suvibw") == 1
    assert "GML LBM" in refused(pet(Units="GML", SUVType="LBM"), "suvlbm")  # does not say by which formula


@pytest.mark.parametrize("unit", ["PROPCPS", "CPS", "NONE", None])
def test_other_units_lead_to_no_suv(unit):
    assert "unit is" in refused(pet(Units=unit))


# --- body sizes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sex", "kind", "size"),
    [
        ("M", "suvlbm", 9270 * 70 / (6680 + 216 * 70 / 1.75**2)),
        ("F", "suvlbm", 9270 * 70 / (8780 + 244 * 70 / 1.75**2)),
        ("M", "suvlbm_james", 1.10 * 70 - 128 * (70 / 175) ** 2),
        ("F", "suvlbm_james", 1.07 * 70 - 148 * (70 / 175) ** 2),
        ("M", "suvibw", 48.0 + 1.06 * (175 - 152)),
        ("F", "suvibw", 45.5 + 0.91 * (175 - 152)),
        ("O", "suvbsa", 0.007184 * 70**0.425 * 175**0.725 * 10),
        ("O", "suvbw", 70.0),
    ],
)
def test_each_kind_has_its_formula_and_its_unit(sex, kind, size):
    ds = pet(DecayCorrection="ADMIN", PatientSex=sex)
    assert suv_factor(ds, kind) == pytest.approx(1000 * size / DOSE_BQ, rel=1e-6)
    listed = {value for entry in concepts["UCUM"].values() for value in entry}
    assert UNITS[kind].value in listed


def test_a_formula_that_needs_sex_or_height_is_refused_without():
    assert "Sex" in refused(pet(PatientSex="O"), "suvlbm")
    assert "PatientSize" in refused(pet(PatientSize=None), "suvbsa")
    assert "PatientSize" in refused(pet(PatientSize=175), "suvbsa")  # centimetres
    assert "does not hold" in refused(pet(PatientWeight=400, PatientSize=1.2, PatientSex="F"), "suvlbm_james")
    assert "does not hold" in refused(pet(PatientSize=0.6), "suvibw")


# --- what is missing or cannot be ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"PatientWeight": None}, "PatientWeight"),
        ({"PatientWeight": 0}, "PatientWeight"),
        ({"PatientWeight": 70000}, "PatientWeight"),
        ({"RadionuclideTotalDose": None}, "RadionuclideTotalDose"),
        ({"RadionuclideTotalDose": 370}, "RadionuclideTotalDose"),  # MBq
        ({"RadionuclideHalfLife": None}, "RadionuclideHalfLife"),
        ({"RadionuclideHalfLife": 109.8}, "not that of the radionuclide"),  # minutes
        ({"RadiopharmaceuticalStartTime": None}, "Radiopharmaceutical Start Time"),
        ({"RadiopharmaceuticalStartTime": "250000"}, "Radiopharmaceutical Start Time"),
        ({"RadiopharmaceuticalStartTime": "120000"}, "cannot both be right"),  # the day before: 12.6 half-lives
        ({"RadiopharmaceuticalInformationSequence": []}, "0 items"),
        ({"DecayCorrection": None}, "Decay Correction"),
        ({"CorrectedImage": ["ATTN"]}, "contradict"),
        ({"CorrectedImage": ["DECY"]}, "attenuation"),
        ({"CorrectedImage": None}, "attenuation"),
        ({"DecayCorrection": "NONE"}, "contradict"),
        ({"AcquisitionTime": None}, "Acquisition"),
        ({"AcquisitionDate": "20241399"}, "Acquisition"),
        ({"SeriesTime": None}, "Series Time"),
    ],
)
def test_what_is_missing_or_cannot_be_is_refused_by_name(changes, message):
    assert message in refused(pet(**changes))


def test_a_value_that_pydicom_cannot_decode_is_refused():
    ds = pet(PatientWeight=None)
    ds[0x00101030] = RawDataElement(Tag(0x00101030), "FD", 3, b"123", 0, False, True)
    assert "cannot be read" in refused(ds)


def test_no_refusal_quotes_what_the_header_says_of_the_patient():
    assert "70123" not in refused(pet(PatientWeight=70123))


def test_the_images_of_a_series_must_agree_on_the_patient():
    assert suv_factors([pet(), pet()]) == (suv_factor(pet()),) * 2
    with pytest.raises(Refused, match="PatientWeight"):
        suv_factors([pet(), pet(PatientWeight=71)])


def test_the_images_of_a_series_must_agree_on_injection_and_time():
    with pytest.raises(Refused, match="differ in what was injected"):
        suv_factors([pet(), pet(RadionuclideTotalDose=DOSE_BQ / 2)])
    with pytest.raises(Refused, match="differ in its date or time"):
        suv_factors([pet(SeriesInstanceUID="1.2"), pet(SeriesInstanceUID="1.2", SeriesTime="103000")])
    later = pet(SeriesInstanceUID="1.3", SeriesTime="103000")
    assert suv_factors([pet(SeriesInstanceUID="1.2"), later]) == pytest.approx((after(3600), after(1800)))


def test_an_unknown_kind_is_a_usage_error():
    with pytest.raises(UsageError, match="suvbw"):
        suv_factor(pet(), "suv")


def test_the_nuclides_are_those_of_the_standard():
    listed = {value for entry in concepts["SCT"].values() for value in entry}
    for code in decay._HALF_LIVES_S:
        modern = mapping["SRT"].get(code, code)
        assert modern in listed
        assert decay._HALF_LIVES_S[modern] == decay._HALF_LIVES_S[code]
