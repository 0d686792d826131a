"""SUV: from the values of a PET image to standardized uptake values: body weight, lean body mass, body surface.

Follows the vendor-neutral pseudo-code of the Quantitative Imaging Biomarkers Alliance (QIBA, "Standardized Uptake
Value", RSNA) and, for body sizes, the recommendations of IBSI-SUV. A factor is either right or refused with what is
missing or cannot be; nothing is guessed but the day of an injection that is told by the time of day alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from isocenter.codes import Code
from isocenter.dicom.file.quiet import quietly
from isocenter.dicom.values import decay, units
from isocenter.errors import Refused, UsageError

if TYPE_CHECKING:
    from pydicom import Dataset

Kind = Literal["suvbw", "suvlbm", "suvlbm_james", "suvbsa", "suvibw"]
"""Body weight; lean body mass by Janmahasatian (2005) or by James (1976, multiplier 128); body surface by Du Bois
(1916); ideal body weight by Sugawara (1999)."""

UNITS: MappingProxyType[str, Code] = MappingProxyType(
    {
        "suvbw": units.SUV_BW,
        "suvlbm": units.SUV_LBM_JANMA,
        "suvlbm_james": units.SUV_LBM_JAMES_128,
        "suvbsa": units.SUV_BSA,
        "suvibw": units.SUV_IBW,
    }
)
"""Unit of each kind."""

_WEIGHT_KG, _HEIGHT_M = (0.01, 500.0), (0.05, 2.6)


def suv_factor(header: Dataset, kind: Kind = "suvbw") -> float:
    """What the rescaled values of a PET image are to be multiplied with.

    Parameters
    ----------
    header
        Of one image, without or with its pixels. Of a series whose Series Time is later than the acquisition the
        factors differ where the slices do: see :func:`suv_factors`.
    kind
        Which SUV.

    Returns
    -------
    Factor to g/ml (body surface: cm2/ml).

    Raises
    ------
    Refused
        SUV_UNKNOWN: something is missing, or cannot be.
    """
    return suv_factors([header], kind)[0]


def suv_factors(headers: Sequence[Dataset], kind: Kind = "suvbw") -> tuple[float, ...]:
    """As :func:`suv_factor`, for each image of a series.

    Raises
    ------
    Refused
        SUV_UNKNOWN: something is missing or cannot be, or the images contradict each other.
    """
    return tuple(factor.value for factor in told_factors(headers, kind))


class Factor(NamedTuple):
    """A factor, and whether the day of the injection had to be guessed for it."""

    value: float
    is_day_guessed: bool = False


@quietly()
def told_factors(headers: Sequence[Dataset], kind: Kind) -> tuple[Factor, ...]:
    """As :func:`suv_factors`, with what was guessed."""
    if kind not in get_args(Kind):
        raise UsageError(f"There is no SUV called {kind!r}, only {', '.join(get_args(Kind))}.")
    try:
        return _factors(headers, kind)
    except Refused:
        raise
    except Exception as error:  # of pydicom, which decodes values when they are asked for
        raise decay.refusal("the header holds values that cannot be read") from error


def _factors(headers: Sequence[Dataset], kind: Kind) -> tuple[Factor, ...]:
    for keyword in _SHARED:
        if len({repr(header.get(keyword)) for header in headers}) > 1:
            raise decay.refusal(f"the images differ in {keyword}")
    if len(set(map(_injections, headers))) > 1:
        raise decay.refusal("the images differ in what was injected, or when")
    times = {
        (header.get("SeriesInstanceUID"), header.get("SeriesDate"), header.get("SeriesTime")) for header in headers
    }
    if len(times) > len({uid for uid, *_ in times}):
        raise decay.refusal("the images of one series differ in its date or time")
    return tuple(_factor(header, kind) for header in headers)


def _injections(header: Dataset) -> str:
    items = header.get("RadiopharmaceuticalInformationSequence") or ()
    return repr([item.get(keyword) for item in items for keyword in _INJECTION])


_INJECTION = (
    *("RadionuclideTotalDose", "RadionuclideHalfLife"),
    *("RadiopharmaceuticalStartTime", "RadiopharmaceuticalStartDateTime"),
)
_SHARED = ("Units", "SUVType", "DecayCorrection", "PatientWeight", "PatientSize", "PatientSex")
_STORED_KINDS: dict[str, Kind] = {
    "GML": "suvbw",
    "GML BW": "suvbw",
    "GML LBMJAMES128": "suvlbm_james",
    "GML LBMJANMA": "suvlbm",
    "GML IBW": "suvibw",
    "CM2ML": "suvbsa",
    "CM2ML BSA": "suvbsa",
}
"""Units and SUV Type -> the SUV that the values are already. That of LBM does not say its formula."""
_PHILIPS = "Philips PET Private Group"


def _factor(header: Dataset, kind: Kind) -> Factor:
    name = " ".join(filter(None, (decay.words(header, "Units")[0], decay.words(header, "SUVType")[0])))
    if name in _STORED_KINDS:
        return Factor(_between(header, _STORED_KINDS[name], kind))
    if "ATTN" not in decay.words(header, "CorrectedImage"):
        raise decay.refusal("Corrected Image does not say that attenuation was corrected")
    match name.split(" ")[0]:
        case "BQML":
            return _per_dose(header, kind)
        case "CNTS":
            return _philips_factor(header, kind)
        case _:
            raise decay.refusal(f"the unit is {name or 'missing'}, from which no way leads to it")


def _per_dose(header: Dataset, kind: Kind, activity: float = 1.0) -> Factor:
    """From Bq/ml, or from values of which one is so many."""
    dose = decay.dose_left(header)
    return Factor(activity * _size(header, kind) / dose.bq, dose.is_day_guessed)


def _philips_factor(header: Dataset, kind: Kind) -> Factor:
    """From counts: by the private factor to SUV (7053,xx00), else by that to Bq/ml (7053,xx09)."""
    to_suv = _private_number(header, 0x00)
    if to_suv:
        return Factor(to_suv * _between(header, "suvbw", kind))
    to_activity = _private_number(header, 0x09)
    if to_activity:
        return _per_dose(header, kind, to_activity)
    raise decay.refusal("the values are counts without a factor that leads further")


def _private_number(header: Dataset, element: int) -> float:
    try:
        value = header.private_block(0x7053, _PHILIPS)[element].value
        return float(value.decode("ascii") if isinstance(value, bytes) else value or 0)
    except (KeyError, TypeError, ValueError):
        return 0.0


# --- body sizes ------------------------------------------------------------------------------------------------------


def _between(header: Dataset, stored: Kind, kind: Kind) -> float:
    """Factor from one SUV to another."""
    return 1.0 if stored == kind else _size(header, kind) / _size(header, stored)


def _size(header: Dataset, kind: Kind) -> float:
    """What activity per dose is multiplied with: g, of the body surface cm2."""
    if kind == "suvbw":
        return 1000 * decay.number(header, "PatientWeight", _WEIGHT_KG)
    height_cm = 100 * decay.number(header, "PatientSize", _HEIGHT_M)
    if kind == "suvibw":
        return 1000 * _ideal_kg(_sex(header), height_cm)
    weight_kg = decay.number(header, "PatientWeight", _WEIGHT_KG)
    if kind == "suvbsa":
        return float(71.84 * weight_kg**0.425 * height_cm**0.725)  # Du Bois 1916, in cm2
    lean_kg = _lean_kg_janmahasatian if kind == "suvlbm" else _lean_kg_james
    mass_kg = lean_kg(_sex(header), weight_kg, height_cm)
    if not 0 < mass_kg <= weight_kg:
        raise decay.refusal("the formula of lean body mass does not hold for such a body")
    return 1000 * mass_kg


def _sex(header: Dataset) -> str:
    sex = decay.words(header, "PatientSex")[0]
    if sex not in ("M", "F"):
        raise decay.refusal("Patient's Sex, which the formula needs, is missing")
    return sex


def _lean_kg_janmahasatian(sex: str, weight_kg: float, height_cm: float) -> float:
    """Janmahasatian et al. 2005, Clin Pharmacokinet 44:1051."""
    index = weight_kg / (height_cm / 100) ** 2
    resistance, slope = (6680, 216) if sex == "M" else (8780, 244)
    return 9270 * weight_kg / (resistance + slope * index)


def _lean_kg_james(sex: str, weight_kg: float, height_cm: float) -> float:
    """James 1976, Research on Obesity: with the multiplier 128 of men."""
    share, bend = (1.10, 128) if sex == "M" else (1.07, 148)
    return share * weight_kg - bend * (weight_kg / height_cm) ** 2


def _ideal_kg(sex: str, height_cm: float) -> float:
    """Sugawara et al. 1999, Radiology 213:521."""
    base, slope = (48.0, 1.06) if sex == "M" else (45.5, 0.91)
    mass_kg = base + slope * (height_cm - 152)
    if mass_kg <= 0:
        raise decay.refusal("the formula of ideal body weight does not hold for such a body")
    return mass_kg
