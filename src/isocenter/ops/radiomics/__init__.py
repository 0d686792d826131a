"""Radiomics: features of segments, as the Image Biomarker Standardization Initiative defines them (IBSI 1).

======================================  ===============================================================================
:func:`features`                        image and segmentation to features
:func:`regions`, :func:`of_region`      the same in two steps, for a filter's response map in between
:class:`Processing`                     interpolation, re-segmentation, discretisation, as a value
``IBSI_A`` ... ``IBSI_E``               the configurations of the IBSI's phantoms
:data:`FAMILIES`                        every feature with its name, IBSI code and unit
======================================  ===============================================================================
"""

from __future__ import annotations

from isocenter.ops.radiomics.catalog import FAMILIES
from isocenter.ops.radiomics.extraction import features, of_region
from isocenter.ops.radiomics.processing import (
    IBSI_A,
    IBSI_B,
    IBSI_C,
    IBSI_D,
    IBSI_DIGITAL,
    IBSI_E,
    FixedBinNumber,
    FixedBinSize,
    NoBins,
    Processing,
)
from isocenter.ops.radiomics.regions import Region, regions
from isocenter.ops.radiomics.results import Feature, Features

__all__ = [
    "FAMILIES",
    "IBSI_A",
    "IBSI_B",
    "IBSI_C",
    "IBSI_D",
    "IBSI_DIGITAL",
    "IBSI_E",
    "Feature",
    "Features",
    "FixedBinNumber",
    "FixedBinSize",
    "NoBins",
    "Processing",
    "Region",
    "features",
    "of_region",
    "regions",
]
