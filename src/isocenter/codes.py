"""Coded concepts in use: SNOMED CT (SCT), DICOM (DCM), LOINC (LN), RadLex (RADLEX) and UCUM units.

Only codes live here; what they are said of lives in :mod:`isocenter.findings`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept (PS3.3 8.8): code value, coding scheme designator, code meaning."""

    value: str
    scheme: str
    meaning: str


# Segmented property categories (CID 7150).
ANATOMICAL_STRUCTURE = Code("91723000", "SCT", "Anatomical Structure")
TISSUE = Code("85756007", "SCT", "Tissue")
SPATIAL_CONCEPT = Code("309825002", "SCT", "Spatial and Relational Concept")
PHYSICAL_OBJECT = Code("260787004", "SCT", "Physical object")
MORPHOLOGIC_ABNORMALITY = Code("49755003", "SCT", "Morphologically Abnormal Structure")

# Radiotherapy targets (CID 9534).
GROSS_TUMOR_VOLUME = Code("228791009", "SCT", "GTV")
CLINICAL_TARGET_VOLUME = Code("228792002", "SCT", "CTV")
PLANNING_TARGET_VOLUME = Code("228793007", "SCT", "PTV")

# Anatomy (CID 7151, 7166, 4031).
LUNG = Code("39607008", "SCT", "Lung")
LEFT_LUNG = Code("44029006", "SCT", "Left lung")
RIGHT_LUNG = Code("3341006", "SCT", "Right lung")
TRACHEA = Code("44567001", "SCT", "Trachea")
TRACHEA_AND_BRONCHUS = Code("110726009", "SCT", "Trachea and bronchus")
BODY = Code("38266002", "SCT", "Entire body")
BONE = Code("3138006", "SCT", "Bone")
MUSCLE = Code("91727004", "SCT", "Muscle")
FAT = Code("55603005", "SCT", "Fat")
BLOOD_VESSEL = Code("59820001", "SCT", "Blood Vessel")
NODULE = Code("27925004", "SCT", "Nodule")
CALCIFICATION = Code("18115005", "SCT", "Pathologic calcification, calcified structure")

# Laterality (CID 244). The Context Groups have organs without a side and add the side as a modifier.
LEFT = Code("7771000", "SCT", "Left")
RIGHT = Code("24028007", "SCT", "Right")
BILATERAL = Code("51440002", "SCT", "Bilateral")
_SIDED = {LEFT_LUNG: (LUNG, LEFT), RIGHT_LUNG: (LUNG, RIGHT)}

# Families of algorithms (CID 7162).
NEIGHBORHOOD_ANALYSIS = Code("123101", "DCM", "Neighborhood Analysis")
MORPHOLOGICAL_OPERATIONS = Code("123104", "DCM", "Morphological Operations")
UNKNOWN = Code("261665006", "SCT", "Unknown")
MANUAL_PROCESSING = Code("123109", "DCM", "Manual Processing")
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")

# Measurements (CID 7469, 218, 7464).
VOLUME = Code("118565006", "SCT", "Volume")
AREA = Code("42798000", "SCT", "Area")
ATTENUATION = Code("112031", "DCM", "Attenuation Coefficient")
MR_SIGNAL_INTENSITY = Code("110852", "DCM", "MR signal intensity")
QUANTITY = Code("246205007", "SCT", "Quantity")
LENGTH = Code("410668003", "SCT", "Length")
MASS = Code("118538004", "SCT", "Mass")
CALCIUM_SCORE = Code("112058", "DCM", "Calcium score")
RATIO = Code("118586006", "SCT", "Ratio")
WIDTH = Code("103355008", "SCT", "Width")
DEPTH = Code("131197000", "SCT", "Depth")
HEIGHT = Code("121207", "DCM", "Height")
# The standards have no concept for these; 99ISOCENTER is the private scheme of this project.
LOW_ATTENUATION_950 = Code("LAA950", "99ISOCENTER", "Share of lung below -950 HU")
HIGH_ATTENUATION = Code("HAA", "99ISOCENTER", "Share of lung from -600 to -250 HU")

# Derivations (CID 7464).
MEAN = Code("373098007", "SCT", "Mean")
STANDARD_DEVIATION = Code("386136009", "SCT", "Standard deviation")
MEDIAN = Code("373099004", "SCT", "Median")
PERCENTILE_5 = Code("371888009", "SCT", "Fifth percentile")
PERCENTILE_15 = Code("PCT15", "99ISOCENTER", "Fifteenth percentile")
PERCENTILE_95 = Code("371889001", "SCT", "Ninety-fifth percentile")

# Units (UCUM, CID 7181 and 82).
HU = Code("[hnsf'U]", "UCUM", "Hounsfield unit")
ML = Code("ml", "UCUM", "ml")
MM = Code("mm", "UCUM", "mm")
CM2 = Code("cm2", "UCUM", "cm2")
G = Code("g", "UCUM", "g")
PERCENT = Code("%", "UCUM", "%")
ONE = Code("1", "UCUM", "no units")


def organ_and_side(code: Code) -> tuple[Code, Code | None]:
    """A paired organ as DICOM wants it: the organ, and its laterality (CID 244) or None."""
    return _SIDED.get(code, (code, None))


def sided(organ: Code, side: Code | None) -> tuple[Code, Code | None]:
    """The inverse of :func:`organ_and_side`: a code for both where there is one, else the two as they are."""
    both = {(one.value, other.value): code for code, (one, other) in _SIDED.items()}
    code = None if side is None else both.get((organ.value, side.value))
    return (organ, side) if code is None else (code, None)
