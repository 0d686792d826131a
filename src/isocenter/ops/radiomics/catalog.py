"""The catalogue: every feature of IBSI 1 with its name, its IBSI code and its unit, in the order of the manual.

Source: Zwanenburg et al., The Image Biomarker Standardization Initiative, Radiology 295 (2020) 328-338, and its
reference manual (arXiv:1612.07003). The codes are those of the manual, which DICOM uses as coding scheme ``IBSI``
(PS3.16, CID 7467 and 7475 to 7479). How a feature is computed stands in the module of its family.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Unit(StrEnum):
    """What a feature is measured in; that of intensities is known with the image."""

    ONE = "1"
    MM = "mm"
    MM2 = "mm2"
    MM3 = "mm3"
    PER_MM = "/mm"
    INTENSITY = "intensity"
    INTENSITY2 = "intensity squared"
    INTENSITY_MM3 = "intensity times mm3"
    BIN = "bin of the intensity-volume histogram"


@dataclass(frozen=True, slots=True)
class Entry:
    """One feature.

    Parameters
    ----------
    name
        Name to have it by within its family: ``"joint_entropy"``.
    title
        Name of the manual.
    code
        Its IBSI code.
    unit
        What it is measured in.
    """

    name: str
    title: str
    code: str
    unit: Unit = Unit.ONE


@dataclass(frozen=True, slots=True)
class Family:
    """Features that are computed of one thing.

    Parameters
    ----------
    name
        Name to have it by: ``"glcm"``.
    title
        Name of the manual.
    code
        Its IBSI code.
    entries
        Its features, in the order of the manual.
    """

    name: str
    title: str
    code: str
    entries: tuple[Entry, ...]


_MORPHOLOGY = (
    Entry("volume_mesh", "Volume (mesh)", "RNU0", Unit.MM3),
    Entry("volume_voxels", "Volume (voxel counting)", "YEKZ", Unit.MM3),
    Entry("surface_area", "Surface area (mesh)", "C0JK", Unit.MM2),
    Entry("surface_to_volume", "Surface to volume ratio", "2PR5", Unit.PER_MM),
    Entry("compactness_1", "Compactness 1", "SKGS"),
    Entry("compactness_2", "Compactness 2", "BQWJ"),
    Entry("spherical_disproportion", "Spherical disproportion", "KRCK"),
    Entry("sphericity", "Sphericity", "QCFX"),
    Entry("asphericity", "Asphericity", "25C7"),
    Entry("centre_of_mass_shift", "Centre of mass shift", "KLMA", Unit.MM),
    Entry("maximum_diameter", "Maximum 3D diameter", "L0JK", Unit.MM),
    Entry("major_axis", "Major axis length", "TDIC", Unit.MM),
    Entry("minor_axis", "Minor axis length", "P9VJ", Unit.MM),
    Entry("least_axis", "Least axis length", "7J51", Unit.MM),
    Entry("elongation", "Elongation", "Q3CK"),
    Entry("flatness", "Flatness", "N17B"),
    Entry("volume_density_aabb", "Volume density (axis-aligned bounding box)", "PBX1"),
    Entry("area_density_aabb", "Area density (axis-aligned bounding box)", "R59B"),
    Entry("volume_density_aee", "Volume density (approximate enclosing ellipsoid)", "6BDE"),
    Entry("area_density_aee", "Area density (approximate enclosing ellipsoid)", "RDD2"),
    Entry("volume_density_hull", "Volume density (convex hull)", "R3ER"),
    Entry("area_density_hull", "Area density (convex hull)", "7T7F"),
    Entry("integrated_intensity", "Integrated intensity", "99N0", Unit.INTENSITY_MM3),
    Entry("moran_i", "Moran’s I index", "N365"),
    Entry("geary_c", "Geary’s C measure", "NPT7"),
)

_LOCAL = (
    Entry("local_peak", "Local intensity peak", "VJGA", Unit.INTENSITY),
    Entry("global_peak", "Global intensity peak", "0F91", Unit.INTENSITY),
)

_STATISTICS = (
    Entry("mean", "Mean intensity", "Q4LE", Unit.INTENSITY),
    Entry("variance", "Intensity variance", "ECT3", Unit.INTENSITY2),
    Entry("skewness", "Intensity skewness", "KE2A"),
    Entry("kurtosis", "(Excess) intensity kurtosis", "IPH6"),
    Entry("median", "Median intensity", "Y12H", Unit.INTENSITY),
    Entry("minimum", "Minimum intensity", "1GSF", Unit.INTENSITY),
    Entry("percentile_10", "10th intensity percentile", "QG58", Unit.INTENSITY),
    Entry("percentile_90", "90th intensity percentile", "8DWT", Unit.INTENSITY),
    Entry("maximum", "Maximum intensity", "84IY", Unit.INTENSITY),
    Entry("interquartile_range", "Intensity interquartile range", "SALO", Unit.INTENSITY),
    Entry("range", "Intensity range", "2OJQ", Unit.INTENSITY),
    Entry("mean_absolute_deviation", "Intensity-based mean absolute deviation", "4FUA", Unit.INTENSITY),
    Entry("robust_mean_absolute_deviation", "Intensity-based robust mean absolute deviation", "1128", Unit.INTENSITY),
    Entry("median_absolute_deviation", "Intensity-based median absolute deviation", "N72L", Unit.INTENSITY),
    Entry("coefficient_of_variation", "Intensity-based coefficient of variation", "7TET"),
    Entry("quartile_coefficient_of_dispersion", "Intensity-based quartile coefficient of dispersion", "9S40"),
    Entry("energy", "Intensity-based energy", "N8CA", Unit.INTENSITY2),
    Entry("root_mean_square", "Root mean square intensity", "5ZWQ", Unit.INTENSITY),
)

_HISTOGRAM = (
    Entry("mean", "Mean discretised intensity", "X6K6"),
    Entry("variance", "Discretised intensity variance", "CH89"),
    Entry("skewness", "Discretised intensity skewness", "88K1"),
    Entry("kurtosis", "(Excess) discretised intensity kurtosis", "C3I7"),
    Entry("median", "Median discretised intensity", "WIFQ"),
    Entry("minimum", "Minimum discretised intensity", "1PR8"),
    Entry("percentile_10", "10th discretised intensity percentile", "GPMT"),
    Entry("percentile_90", "90th discretised intensity percentile", "OZ0C"),
    Entry("maximum", "Maximum discretised intensity", "3NCY"),
    Entry("mode", "Intensity histogram mode", "AMMC"),
    Entry("interquartile_range", "Discretised intensity interquartile range", "WR0O"),
    Entry("range", "Discretised intensity range", "5Z3W"),
    Entry("mean_absolute_deviation", "Intensity histogram mean absolute deviation", "D2ZX"),
    Entry("robust_mean_absolute_deviation", "Intensity histogram robust mean absolute deviation", "WRZB"),
    Entry("median_absolute_deviation", "Intensity histogram median absolute deviation", "4RNL"),
    Entry("coefficient_of_variation", "Intensity histogram coefficient of variation", "CWYJ"),
    Entry("quartile_coefficient_of_dispersion", "Intensity histogram quartile coefficient of dispersion", "SLWD"),
    Entry("entropy", "Discretised intensity entropy", "TLU2"),
    Entry("uniformity", "Discretised intensity uniformity", "BJ5W"),
    Entry("maximum_gradient", "Maximum histogram gradient", "12CE"),
    Entry("maximum_gradient_level", "Maximum histogram gradient intensity", "8E6O"),
    Entry("minimum_gradient", "Minimum histogram gradient", "VQB3"),
    Entry("minimum_gradient_level", "Minimum histogram gradient intensity", "RHQZ"),
)

_VOLUME_HISTOGRAM = (
    Entry("volume_at_intensity_10", "Volume at intensity fraction 10 %", "BC2M"),
    Entry("volume_at_intensity_90", "Volume at intensity fraction 90 %", "BC2M"),
    Entry("intensity_at_volume_10", "Intensity at volume fraction 10 %", "GBPN", Unit.BIN),
    Entry("intensity_at_volume_90", "Intensity at volume fraction 90 %", "GBPN", Unit.BIN),
    Entry("volume_difference", "Volume fraction difference between intensity fractions", "DDTU"),
    Entry("intensity_difference", "Intensity fraction difference between volume fractions", "CNV2", Unit.BIN),
)

_COOCCURRENCE = (
    Entry("joint_maximum", "Joint maximum", "GYBY"),
    Entry("joint_average", "Joint average", "60VM"),
    Entry("joint_variance", "Joint variance", "UR99"),
    Entry("joint_entropy", "Joint entropy", "TU9B"),
    Entry("difference_average", "Difference average", "TF7R"),
    Entry("difference_variance", "Difference variance", "D3YU"),
    Entry("difference_entropy", "Difference entropy", "NTRS"),
    Entry("sum_average", "Sum average", "ZGXS"),
    Entry("sum_variance", "Sum variance", "OEEB"),
    Entry("sum_entropy", "Sum entropy", "P6QZ"),
    Entry("angular_second_moment", "Angular second moment", "8ZQL"),
    Entry("contrast", "Contrast", "ACUI"),
    Entry("dissimilarity", "Dissimilarity", "8S9J"),
    Entry("inverse_difference", "Inverse difference", "IB1Z"),
    Entry("normalised_inverse_difference", "Normalised inverse difference", "NDRX"),
    Entry("inverse_difference_moment", "Inverse difference moment", "WF0Z"),
    Entry("normalised_inverse_difference_moment", "Normalised inverse difference moment", "1QCO"),
    Entry("inverse_variance", "Inverse variance", "E8JP"),
    Entry("correlation", "Correlation", "NI2N"),
    Entry("autocorrelation", "Autocorrelation", "QWB0"),
    Entry("cluster_tendency", "Cluster tendency", "DG8W"),
    Entry("cluster_shade", "Cluster shade", "7NFM"),
    Entry("cluster_prominence", "Cluster prominence", "AE86"),
    Entry("information_correlation_1", "Information correlation 1", "R8DG"),
    Entry("information_correlation_2", "Information correlation 2", "JN9H"),
)

_RUNS = (
    Entry("short_emphasis", "Short runs emphasis", "22OV"),
    Entry("long_emphasis", "Long runs emphasis", "W4KF"),
    Entry("low_grey_emphasis", "Low grey level run emphasis", "V3SW"),
    Entry("high_grey_emphasis", "High grey level run emphasis", "G3QZ"),
    Entry("short_low_grey_emphasis", "Short run low grey level emphasis", "HTZT"),
    Entry("short_high_grey_emphasis", "Short run high grey level emphasis", "GD3A"),
    Entry("long_low_grey_emphasis", "Long run low grey level emphasis", "IVPO"),
    Entry("long_high_grey_emphasis", "Long run high grey level emphasis", "3KUM"),
    Entry("grey_level_non_uniformity", "Grey level non-uniformity", "R5YN"),
    Entry("normalised_grey_level_non_uniformity", "Normalised grey level non-uniformity", "OVBL"),
    Entry("run_length_non_uniformity", "Run length non-uniformity", "W92Y"),
    Entry("normalised_run_length_non_uniformity", "Normalised run length non-uniformity", "IC23"),
    Entry("run_percentage", "Run percentage", "9ZK5"),
    Entry("grey_level_variance", "Grey level variance", "8CE5"),
    Entry("run_length_variance", "Run length variance", "SXLW"),
    Entry("run_entropy", "Run entropy", "HJ9O"),
)

_SIZE_ZONES = (
    Entry("small_emphasis", "Small zone emphasis", "5QRC"),
    Entry("large_emphasis", "Large zone emphasis", "48P8"),
    Entry("low_grey_emphasis", "Low grey level zone emphasis", "XMSY"),
    Entry("high_grey_emphasis", "High grey level zone emphasis", "5GN9"),
    Entry("small_low_grey_emphasis", "Small zone low grey level emphasis", "5RAI"),
    Entry("small_high_grey_emphasis", "Small zone high grey level emphasis", "HW1V"),
    Entry("large_low_grey_emphasis", "Large zone low grey level emphasis", "YH51"),
    Entry("large_high_grey_emphasis", "Large zone high grey level emphasis", "J17V"),
    Entry("grey_level_non_uniformity", "Grey level non-uniformity", "JNSA"),
    Entry("normalised_grey_level_non_uniformity", "Normalised grey level non-uniformity", "Y1RO"),
    Entry("zone_size_non_uniformity", "Zone size non-uniformity", "4JP3"),
    Entry("normalised_zone_size_non_uniformity", "Normalised zone size non-uniformity", "VB3A"),
    Entry("zone_percentage", "Zone percentage", "P30P"),
    Entry("grey_level_variance", "Grey level variance", "BYLV"),
    Entry("zone_size_variance", "Zone size variance", "3NSA"),
    Entry("zone_size_entropy", "Zone size entropy", "GU8N"),
)

_DISTANCE_ZONES = (
    Entry("small_emphasis", "Small distance emphasis", "0GBI"),
    Entry("large_emphasis", "Large distance emphasis", "MB4I"),
    Entry("low_grey_emphasis", "Low grey level zone emphasis", "S1RA"),
    Entry("high_grey_emphasis", "High grey level zone emphasis", "K26C"),
    Entry("small_low_grey_emphasis", "Small distance low grey level emphasis", "RUVG"),
    Entry("small_high_grey_emphasis", "Small distance high grey level emphasis", "DKNJ"),
    Entry("large_low_grey_emphasis", "Large distance low grey level emphasis", "A7WM"),
    Entry("large_high_grey_emphasis", "Large distance high grey level emphasis", "KLTH"),
    Entry("grey_level_non_uniformity", "Grey level non-uniformity", "VFT7"),
    Entry("normalised_grey_level_non_uniformity", "Normalised grey level non-uniformity", "7HP3"),
    Entry("zone_distance_non_uniformity", "Zone distance non-uniformity", "V294"),
    Entry("normalised_zone_distance_non_uniformity", "Normalised zone distance non-uniformity", "IATH"),
    Entry("zone_percentage", "Zone percentage", "VIWW"),
    Entry("grey_level_variance", "Grey level variance", "QK93"),
    Entry("zone_distance_variance", "Zone distance variance", "7WT1"),
    Entry("zone_distance_entropy", "Zone distance entropy", "GBDU"),
)

_TONE_DIFFERENCES = (
    Entry("coarseness", "Coarseness", "QCDE"),
    Entry("contrast", "Contrast", "65HE"),
    Entry("busyness", "Busyness", "NQ30"),
    Entry("complexity", "Complexity", "HDEZ"),
    Entry("strength", "Strength", "1X9X"),
)

_DEPENDENCES = (
    Entry("low_emphasis", "Low dependence emphasis", "SODN"),
    Entry("high_emphasis", "High dependence emphasis", "IMOQ"),
    Entry("low_grey_emphasis", "Low grey level count emphasis", "TL9H"),
    Entry("high_grey_emphasis", "High grey level count emphasis", "OAE7"),
    Entry("low_low_grey_emphasis", "Low dependence low grey level emphasis", "EQ3F"),
    Entry("low_high_grey_emphasis", "Low dependence high grey level emphasis", "JA6D"),
    Entry("high_low_grey_emphasis", "High dependence low grey level emphasis", "NBZI"),
    Entry("high_high_grey_emphasis", "High dependence high grey level emphasis", "9QMG"),
    Entry("grey_level_non_uniformity", "Grey level non-uniformity", "FP8K"),
    Entry("normalised_grey_level_non_uniformity", "Normalised grey level non-uniformity", "5SPA"),
    Entry("dependence_count_non_uniformity", "Dependence count non-uniformity", "Z87G"),
    Entry("normalised_dependence_count_non_uniformity", "Normalised dependence count non-uniformity", "OKJI"),
    Entry("dependence_count_percentage", "Dependence count percentage", "6XV8"),
    Entry("grey_level_variance", "Grey level variance", "1PFV"),
    Entry("dependence_count_variance", "Dependence count variance", "DNX2"),
    Entry("dependence_count_entropy", "Dependence count entropy", "FCBV"),
    Entry("dependence_count_energy", "Dependence count energy", "CAS9"),
)

_FAMILIES = (
    Family("morphology", "Morphological features", "HCUG", _MORPHOLOGY),
    Family("local", "Local intensity features", "9ST6", _LOCAL),
    Family("statistics", "Intensity-based statistical features", "UHIW", _STATISTICS),
    Family("histogram", "Intensity histogram features", "ZVCW", _HISTOGRAM),
    Family("volume_histogram", "Intensity-volume histogram features", "P88C", _VOLUME_HISTOGRAM),
    Family("glcm", "Grey level co-occurrence based features", "LFYI", _COOCCURRENCE),
    Family("glrlm", "Grey level run length based features", "TP0I", _RUNS),
    Family("glszm", "Grey level size zone based features", "9SAK", _SIZE_ZONES),
    Family("gldzm", "Grey level distance zone based features", "VMDZ", _DISTANCE_ZONES),
    Family("ngtdm", "Neighbourhood grey tone difference based features", "IPET", _TONE_DIFFERENCES),
    Family("ngldm", "Neighbouring grey level dependence based features", "REK0", _DEPENDENCES),
)

FAMILIES: MappingProxyType[str, Family] = MappingProxyType({family.name: family for family in _FAMILIES})
"""The families of IBSI 1 by their short names."""
