"""Units: what a header says that its values are, as UCUM codes. Which header attribute counts is settled elsewhere."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from isocenter import codes
from isocenter.codes import Code

if TYPE_CHECKING:
    from pydicom import Dataset

SUV_BW = Code("g/ml{SUVbw}", "UCUM", "Standardized Uptake Value body weight")
SUV_LBM = Code("g/ml{SUVlbm}", "UCUM", "Standardized Uptake Value lean body mass (James)")
SUV_LBM_JAMES_128 = Code(
    "g/ml{SUVlbm(James128)}", "UCUM", "Standardized Uptake Value lean body mass (James 128 multiplier)"
)
SUV_LBM_JANMA = Code("g/ml{SUVlbm(Janma)}", "UCUM", "Standardized Uptake Value lean body mass (Janma)")
SUV_BSA = Code("cm2/ml{SUVbsa}", "UCUM", "Standardized Uptake Value body surface area")
SUV_IBW = Code("g/ml{SUVibw}", "UCUM", "Standardized Uptake Value ideal body weight")
BQ_PER_ML = Code("Bq/ml", "UCUM", "Becquerels/milliliter")
GRAY = Code("Gy", "UCUM", "Gy")
RATIO = Code("{ratio}", "UCUM", "ratio")

_UCUM = "UCUM "
_NAMED = MappingProxyType(
    {
        # Units of PET (0054,1001), PS3.3 C.8.9.1.1.3, with the SUV Type (0054,1006) where there is one.
        "BQML": BQ_PER_ML,
        "CNTS": Code("{counts}", "UCUM", "Counts"),
        "CPS": Code("{counts}/s", "UCUM", "Counts per second"),
        "PROPCNTS": Code("{propcounts}", "UCUM", "Proportional to counts"),
        "PROPCPS": Code("{propcounts}/s", "UCUM", "Proportional to counts per second"),
        "CM2": Code("cm2", "UCUM", "Centimeter**2"),
        "PCNT": codes.PERCENT,
        "GML": SUV_BW,
        "GML BW": SUV_BW,
        "GML LBM": SUV_LBM,
        "GML LBMJAMES128": SUV_LBM_JAMES_128,
        "GML LBMJANMA": SUV_LBM_JANMA,
        "GML IBW": SUV_IBW,
        "CM2ML": SUV_BSA,
        "CM2ML BSA": SUV_BSA,
        "UMOLML": Code("umol/ml", "UCUM", "Micromole/milliliter"),
        "UMOLMINML": Code("umol/min/ml", "UCUM", "Micromole/minute/milliliter"),
        "MGMINML": Code("mg/min/ml", "UCUM", "Milligrams/minute/milliliter"),
        "MLMING": Code("ml/min/g", "UCUM", "Milliliter/minute/gram"),
        "MLMINML": Code("ml/min/ml", "UCUM", "Milliliter/minute/milliliter"),
        "MLG": Code("ml/g", "UCUM", "Milliliter/gram"),
        "MLML": Code("ml/ml", "UCUM", "Milliliter/milliliter"),
        "1CM": Code("/cm", "UCUM", "/Centimeter"),
        # Rescale Type (0028,1054) and Modality LUT Type (0028,3004), PS3.3 C.11.1.1.2.
        "OD": Code("10*-3{OD}", "UCUM", "Thousandths of optical density"),
        "HU": codes.HU,
        "MGML": Code("mg/ml", "UCUM", "Milligrams/milliliter"),
        "Z_EFF": Code("{Zeff}", "UCUM", "Effective atomic number"),
        "ED": Code("10*23/ml", "UCUM", "Electron density in 10^23 electrons/ml"),
        "EDW": RATIO,
        "PCT": codes.PERCENT,
        "HZ": Code("Hz", "UCUM", "Hertz"),
        # Dose Units (3004,0002), PS3.3 C.8.8.3.
        "GY": GRAY,
        "RELATIVE": RATIO,
    }
)
"""Name in the header -> unit."""


_MEANINGS = {unit.value: unit for unit in _NAMED.values()}


def unit_named(name: str) -> Code | None:
    """The unit of a name in the header (Units and SUV Type, Rescale Type, Dose Units); None where it tells none.

    What comes from a code is named by it, as ``"UCUM Hz"``.
    """
    if name.startswith(_UCUM) and len(name) > len(_UCUM):
        value = name[len(_UCUM) :]
        return codes.ONE if value == "1" else _MEANINGS.get(value, Code(value, "UCUM", value))
    return _NAMED.get(name)


def unit_coded(item: Dataset) -> Code:
    """The unit of a Measurement Units Code Sequence item; no unit where it has no code."""
    for keyword in ("CodeValue", "LongCodeValue", "URNCodeValue"):
        if item.get(keyword):
            scheme = str(item.get("CodingSchemeDesignator", "") or "")
            return Code(str(item[keyword].value), scheme, str(item.get("CodeMeaning", "") or ""))
    return codes.ONE
