"""The baselines of pyradiomics, for features that it defines as the IBSI does; where it does not, docs/radiomics.md."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest

import isocenter as iso
from isocenter.ops.radiomics import FixedBinNumber, FixedBinSize, Processing, features

pytestmark = pytest.mark.real

RUNS = {
    "ShortRunEmphasis": "short_emphasis",
    "LongRunEmphasis": "long_emphasis",
    "LowGrayLevelRunEmphasis": "low_grey_emphasis",
    "HighGrayLevelRunEmphasis": "high_grey_emphasis",
    "ShortRunLowGrayLevelEmphasis": "short_low_grey_emphasis",
    "ShortRunHighGrayLevelEmphasis": "short_high_grey_emphasis",
    "LongRunLowGrayLevelEmphasis": "long_low_grey_emphasis",
    "LongRunHighGrayLevelEmphasis": "long_high_grey_emphasis",
    "GrayLevelNonUniformity": "grey_level_non_uniformity",
    "GrayLevelNonUniformityNormalized": "normalised_grey_level_non_uniformity",
    "RunLengthNonUniformity": "run_length_non_uniformity",
    "RunLengthNonUniformityNormalized": "normalised_run_length_non_uniformity",
    "RunPercentage": "run_percentage",
    "GrayLevelVariance": "grey_level_variance",
    "RunVariance": "run_length_variance",
    "RunEntropy": "run_entropy",
}
ZONES = {
    "SmallAreaEmphasis": "small_emphasis",
    "LargeAreaEmphasis": "large_emphasis",
    "LowGrayLevelZoneEmphasis": "low_grey_emphasis",
    "HighGrayLevelZoneEmphasis": "high_grey_emphasis",
    "SmallAreaLowGrayLevelEmphasis": "small_low_grey_emphasis",
    "SmallAreaHighGrayLevelEmphasis": "small_high_grey_emphasis",
    "LargeAreaLowGrayLevelEmphasis": "large_low_grey_emphasis",
    "LargeAreaHighGrayLevelEmphasis": "large_high_grey_emphasis",
    "GrayLevelNonUniformity": "grey_level_non_uniformity",
    "GrayLevelNonUniformityNormalized": "normalised_grey_level_non_uniformity",
    "SizeZoneNonUniformity": "zone_size_non_uniformity",
    "SizeZoneNonUniformityNormalized": "normalised_zone_size_non_uniformity",
    "ZonePercentage": "zone_percentage",
    "GrayLevelVariance": "grey_level_variance",
    "ZoneVariance": "zone_size_variance",
    "ZoneEntropy": "zone_size_entropy",
}
DEPENDENCES = {
    "SmallDependenceEmphasis": "low_emphasis",
    "LargeDependenceEmphasis": "high_emphasis",
    "LowGrayLevelEmphasis": "low_grey_emphasis",
    "HighGrayLevelEmphasis": "high_grey_emphasis",
    "SmallDependenceLowGrayLevelEmphasis": "low_low_grey_emphasis",
    "SmallDependenceHighGrayLevelEmphasis": "low_high_grey_emphasis",
    "LargeDependenceLowGrayLevelEmphasis": "high_low_grey_emphasis",
    "LargeDependenceHighGrayLevelEmphasis": "high_high_grey_emphasis",
    "GrayLevelNonUniformity": "grey_level_non_uniformity",
    "DependenceNonUniformity": "dependence_count_non_uniformity",
    "DependenceNonUniformityNormalized": "normalised_dependence_count_non_uniformity",
    "GrayLevelVariance": "grey_level_variance",
    "DependenceVariance": "dependence_count_variance",
    "DependenceEntropy": "dependence_count_entropy",
}
PAIRS = {
    "MaximumProbability": "joint_maximum",
    "JointAverage": "joint_average",
    "SumSquares": "joint_variance",
    "JointEntropy": "joint_entropy",
    "DifferenceAverage": "difference_average",
    "DifferenceVariance": "difference_variance",
    "DifferenceEntropy": "difference_entropy",
    "SumAverage": "sum_average",
    "SumEntropy": "sum_entropy",
    "JointEnergy": "angular_second_moment",
    "Contrast": "contrast",
    "Id": "inverse_difference",
    "Idn": "normalised_inverse_difference",
    "Idm": "inverse_difference_moment",
    "Idmn": "normalised_inverse_difference_moment",
    "InverseVariance": "inverse_variance",
    "Correlation": "correlation",
    "Autocorrelation": "autocorrelation",
    "ClusterTendency": "cluster_tendency",
    "ClusterShade": "cluster_shade",
    "ClusterProminence": "cluster_prominence",
    "Imc1": "information_correlation_1",
    "Imc2": "information_correlation_2",
}
TONES = {name.title(): name for name in ("coarseness", "contrast", "busyness", "complexity", "strength")}
SHAPE = {
    "MeshVolume": "volume_mesh",
    "VoxelVolume": "volume_voxels",
    "SurfaceArea": "surface_area",
    "SurfaceVolumeRatio": "surface_to_volume",
    "Sphericity": "sphericity",
    "Maximum3DDiameter": "maximum_diameter",
    "Elongation": "elongation",
    "Flatness": "flatness",
}
VALUES = {
    "Mean": "mean",
    "Variance": "variance",
    "Skewness": "skewness",
    "Median": "median",
    "Minimum": "minimum",
    "10Percentile": "percentile_10",
    "90Percentile": "percentile_90",
    "Maximum": "maximum",
    "InterquartileRange": "interquartile_range",
    "Range": "range",
    "MeanAbsoluteDeviation": "mean_absolute_deviation",
    "RobustMeanAbsoluteDeviation": "robust_mean_absolute_deviation",
}
SAME = {
    "firstorder": ("statistics", "", VALUES),
    "shape": ("morphology", "", SHAPE),
    "glcm": ("glcm", "3D, averaged", PAIRS),
    "glrlm": ("glrlm", "3D, averaged", RUNS),
    "glszm": ("glszm", "3D", ZONES),
    "gldm": ("ngldm", "3D", DEPENDENCES),
    "ngtdm": ("ngtdm", "3D", TONES),
}
"""By class of pyradiomics: family, aggregation and names here."""


def baseline(folder, kind, case):
    with (folder / "baseline" / f"baseline_{kind}.csv").open(encoding="utf-8") as file:
        rows = {row["featureName"]: row.get(case) for row in csv.DictReader(file)}
    return {name.rsplit("_", 1)[1]: float(value) for name, value in rows.items() if name.startswith("original_")}


def case_of(folder, name):
    return iso.load(folder / f"{name}_image.nrrd"), iso.load_segmentation(folder / f"{name}_label.nrrd")


def start_of(volume, label, width):
    """pyradiomics begins its bins at a multiple of their width."""
    return math.floor(float(volume.array[label.mask(*label.names)].min()) / width) * width


def compare(folder, name, kind, processing, *, case="", aggregation="", within=1e-5):
    """Whether the features of equal definition are equal to a baseline's."""
    expected = baseline(folder, kind, f"{name}{case}")
    family, three, names = SAME[kind]
    found = features(*case_of(folder, name), processing=processing, families=[family])
    for theirs, ours in names.items():
        value = found.of(family, ours, aggregation=aggregation or three).value
        assert value == pytest.approx(expected[theirs], rel=within), theirs


def width_25(folder, name):
    return FixedBinSize(25, start=start_of(*case_of(folder, name), 25))


@pytest.mark.parametrize("name", ["brain1", "breast1"])
@pytest.mark.parametrize("kind", SAME)
def test_features_of_equal_definition_are_equal(shared_data, name, kind):
    """Meshes differ where a cube of voxels can be cut in two ways."""
    folder = shared_data / "pyradiomics"
    within = 5e-3 if kind == "shape" else 1e-5
    compare(folder, name, kind, Processing(bins=width_25(folder, name)), within=within)


@pytest.mark.parametrize("name", ["brain1", "breast1"])
@pytest.mark.parametrize("kind", ["glcm", "glrlm", "glszm", "gldm", "ngtdm"])
def test_a_fixed_number_of_bins_is_equal(shared_data, name, kind):
    compare(shared_data / "pyradiomics", name, kind, Processing(bins=FixedBinNumber(64)), case="_FBN")


@pytest.mark.parametrize("name", ["brain1", "breast1"])
@pytest.mark.parametrize("kind", ["glcm", "glrlm", "glszm", "gldm", "ngtdm"])
def test_its_two_dimensions_are_those_of_all_slices_together(shared_data, name, kind):
    folder = shared_data / "pyradiomics"
    processing = Processing(bins=width_25(folder, name), dimensions=("2.5D",))
    aggregation = "2.5D, direction-merged" if kind in ("glcm", "glrlm") else "2.5D"
    compare(folder, name, kind, processing, case="_2d", aggregation=aggregation)


@pytest.mark.parametrize("name", ["brain1", "breast1"])
def test_outliers_of_three_deviations_are_the_same(shared_data, name):
    compare(shared_data / "pyradiomics", name, "firstorder", Processing(outliers_sd=3), case="_resegmentation")


@pytest.mark.parametrize("name", ["brain1", "breast1"])
def test_other_definitions_differ_by_what_the_page_says(shared_data, name):
    folder = shared_data / "pyradiomics"
    volume, label = case_of(folder, name)
    found = features(volume, label, processing=Processing(bins=width_25(folder, name)))
    values = volume.array[label.mask(*label.names)].astype(np.float64)

    def ours(family, feature):
        return found.of(family, feature).value

    theirs = baseline(folder, "firstorder", name)
    assert theirs["Kurtosis"] == pytest.approx(ours("statistics", "kurtosis") + 3)
    assert theirs["Energy"] == pytest.approx(((values + 2000) ** 2).sum())  # voxelArrayShift
    assert theirs["RootMeanSquared"] == pytest.approx(np.sqrt(((values + 2000) ** 2).mean()))
    assert ours("statistics", "energy") == pytest.approx((values**2).sum())
    assert theirs["Entropy"] == pytest.approx(ours("histogram", "entropy"))
    assert theirs["Uniformity"] == pytest.approx(ours("histogram", "uniformity"))
    shape = baseline(folder, "shape", name)
    of_a_sample = math.sqrt(len(values) / (len(values) - 1))
    for feature, own in (("MajorAxisLength", "major_axis"), ("MinorAxisLength", "minor_axis")):
        assert ours("morphology", own) == pytest.approx(of_a_sample * shape[feature])
