"""From an image and a segment to features: what is counted, refused, and said to be absent."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.unit.ops.radiomics.made import lesion_of, noise, volume_of

from isocenter import codes
from isocenter.errors import Refused, UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid, Space
from isocenter.ops.radiomics import (
    FAMILIES,
    IBSI_C,
    FixedBinNumber,
    FixedBinSize,
    NoBins,
    Processing,
    features,
    of_region,
    regions,
)
from isocenter.volume import Volume

EVERY = Processing(dimensions=("2D", "2.5D", "3D"))


def codes_of(found):
    return {reason.code for reason in found.reasons}


def test_every_feature_of_the_catalogue_has_a_value_in_a_common_region():
    volume, lesion = noise()
    found = features(volume, lesion, processing=EVERY)
    assert {(f.family, f.name) for f in found} == {(n, e.name) for n, f in FAMILIES.items() for e in f.entries}
    assert len(found) == 482
    assert found.present() == found.items
    assert not codes_of(found)


def test_each_ibsi_code_is_of_four_characters_and_names_one_feature_of_one_family():
    every = [(entry.code, entry.name) for family in FAMILIES.values() for entry in family.entries]
    assert all(len(code) == 4 and code.isupper() | code.isdigit() for code, _ in every)
    twice = {"BC2M", "GBPN"}  # at two fractions each
    assert len({code for code, _ in every}) == len(every) - len(twice)


def test_the_codes_are_those_that_dicom_knows():
    from pydicom.sr._concepts_dict import concepts  # the library has no public way to list a scheme

    known = {code for entry in concepts["IBSI"].values() for code in entry}
    ours = {entry.code for family in FAMILIES.values() for entry in family.entries}
    assert known - ours == {"ZH1A", "IQYR", "SWZ1", "BRI8"}  # oriented box and enclosing ellipsoid are left out
    coded = ("morphology", "histogram", "glcm", "glrlm", "glszm", "gldzm", "ngtdm", "ngldm")
    assert {entry.code for name in coded for entry in FAMILIES[name].entries} <= known


def test_a_single_voxel_has_a_mean_and_no_made_up_texture():
    volume, _ = noise()
    mask = np.zeros(volume.shape, bool)
    mask[3, 5, 6] = True
    found = features(volume, lesion_of(mask, volume), processing=EVERY)
    assert found.of("statistics", "mean").value == volume.array[3, 5, 6]
    assert found.of("statistics", "variance").value == 0
    assert found.of("morphology", "volume_voxels").value == pytest.approx(3.0)
    for family, name in [("statistics", "skewness"), ("morphology", "major_axis"), ("morphology", "moran_i")]:
        item = found.of(family, name)
        assert item.value is None
        assert item.absent == "the region has a single voxel"
    assert all(item.value is None for item in found if item.family == "glcm")
    assert "FEATURES_ABSENT" in codes_of(found)


def test_a_single_grey_level_has_no_correlation():
    volume = volume_of(np.full((5, 6, 7), 40, np.int16))
    mask = np.zeros(volume.shape, bool)
    mask[1:4, 1:5, 1:6] = True
    found = features(volume, lesion_of(mask, volume))
    assert found.of("glcm", "correlation", aggregation="3D, merged").absent == "the region has a single grey level"
    assert found.of("glcm", "joint_entropy", aggregation="3D, merged").value == 0
    assert found.of("glszm", "large_emphasis").value == mask.sum() ** 2
    assert found.of("morphology", "geary_c").value is None
    assert found.of("ngtdm", "coarseness").value is None
    assert found.of("volume_histogram", "volume_at_intensity_10").value is None


def test_an_empty_segment_is_refused():
    volume, _ = noise()
    with pytest.raises(Refused) as refused:
        features(volume, lesion_of(np.zeros(volume.shape, bool), volume))
    assert codes_of(refused.value) == {"REGION_EMPTY"}


@pytest.mark.parametrize(
    "processing", [Processing(intensity_range=(5000, 6000)), Processing(spacing_mm=(40.0, 40.0, 40.0))]
)
def test_a_segment_of_which_nothing_is_left_is_refused(processing):
    volume, _ = noise()
    mask = np.zeros(volume.shape, bool)
    mask[2, 3, 4] = True
    with pytest.raises(Refused) as refused:
        features(volume, lesion_of(mask, volume), processing=processing)
    assert codes_of(refused.value) == {"REGION_EMPTIED"}


def test_voxels_without_a_value_do_not_count_and_that_is_said():
    volume, lesion = noise()
    array = volume.array.astype(np.float32)
    place = tuple(np.argwhere(lesion.mask("lesion"))[10])
    array[place] = np.nan
    found = features(volume.with_array(array), lesion)
    assert "REGION_NOT_FINITE" in codes_of(found)
    mask = lesion.mask("lesion")
    mask[place] = False
    assert found.of("statistics", "mean").value == pytest.approx(volume.array[mask].mean())
    assert found.of("morphology", "volume_voxels").value == pytest.approx((mask.sum() + 1) * 3.0)
    assert len(found.present()) == len(found)


def test_a_segment_without_any_value_is_refused():
    volume, lesion = noise()
    with pytest.raises(Refused, match="REGION_EMPTIED"):
        features(volume.with_array(np.full(volume.shape, np.nan, np.float32)), lesion)


def test_a_segment_at_the_border_is_said_to_be_there_and_computed():
    volume, _ = noise()
    found = features(volume, lesion_of(np.ones(volume.shape, bool), volume), processing=EVERY)
    assert "REGION_AT_BORDER" in codes_of(found)
    assert len(found.present()) == len(found)


def test_the_border_of_the_array_is_an_edge_like_any_other():
    volume, lesion = noise()
    box = tuple(slice(a.min(), a.max() + 1) for a in np.nonzero(lesion.mask("lesion")))
    start, stop = [s.start for s in box], [s.stop for s in box]
    cut = Volume(volume.array[box].copy(), volume.grid.crop(start, stop), codes.HU)
    one = features(volume, lesion, processing=EVERY)
    other = features(cut, lesion_of(lesion.mask("lesion")[box], cut), processing=EVERY)
    for a, b in zip(one, other, strict=True):
        if a.family != "local":
            assert a.value == pytest.approx(b.value), (a.family, a.name)


def test_several_segments_of_several_layers_are_measured_each_by_itself():
    volume, lesion = noise()
    shell = np.zeros(volume.shape, np.uint8)
    shell[2:5, 2:6, 2:6] = 2
    segments = (Segment.named("lesion"), Segment.named("shell", 2, layer=1))
    both = Segmentation((lesion.array, shell), volume.grid, segments, Algorithm("by hand", "1"))
    found = features(volume, both)
    alone = features(volume, lesion_of(shell == 2, volume))
    assert {item.segment for item in found} == {"lesion", "shell"}
    assert [i.value for i in found if i.segment == "shell"] == [i.value for i in alone]
    assert features(volume, both, names=["shell"]).of("statistics", "mean") in found.items
    with pytest.raises(UsageError, match="one value of lesion, one value of shell"):
        found.of("statistics", "mean")
    with pytest.raises(UsageError, match="families are morphology, local, statistics"):
        found.of("firstorder", "Mean")
    with pytest.raises(UsageError, match="features of statistics are mean, variance"):
        found.of("statistics", "Mean")
    assert (
        repr(found)
        == f"Features({len(found)} of lesion, shell{''.join(f', {reason.code}' for reason in found.reasons)})"
    )


def test_an_empty_segment_among_others_costs_only_itself():
    volume, lesion = noise()
    segments = (Segment.named("lesion"), Segment.named("cyst", 2))
    both = Segmentation.of(lesion.array, volume, segments, Algorithm("by hand", "1"))
    found = features(volume, both)
    assert {item.segment for item in found} == {"lesion"}
    assert [reason.message for reason in found.reasons] == ["The segment 'cyst' holds no voxel."]
    assert "REGION_LEFT_OUT" in codes_of(found)
    with pytest.raises(Refused, match="cyst"):
        features(volume, both, names=["lesion", "cyst"])
    with pytest.raises(UsageError, match="names no segment"):
        features(volume, Segmentation.of(lesion.array, volume, (), Algorithm("by hand", "1")))


def test_a_picture_has_no_depth_but_texture():
    rng = np.random.default_rng(0)
    grid = Grid((1, 20, 20), np.eye(4), space=Space.PIXEL)
    picture = Volume(rng.integers(0, 200, (1, 20, 20)).astype(np.uint8), grid)
    mask = np.zeros(picture.shape, bool)
    mask[0, 3:15, 4:17] = True
    found = features(picture, lesion_of(mask, picture), processing=Processing(dimensions=("2D",)))
    assert {item.family for item in found if item.value is None} == {"morphology", "local"}
    assert found.of("morphology", "sphericity").absent == "a picture has no depth"
    with pytest.raises(UsageError, match="size of this picture's pixels is unknown"):
        features(picture, lesion_of(mask, picture), processing=IBSI_C)
    radiograph = Volume(picture.array, Grid((1, 20, 20), np.diag([1.0, 0.5, 0.5, 1.0]), space=Space.PLANE))
    with pytest.raises(UsageError, match="no depth"):
        features(radiograph, lesion_of(mask, radiograph), processing=IBSI_C)
    in_plane = Processing(spacing_mm=(None, 1.0, 1.0), dimensions=("2D",))
    found = features(radiograph, lesion_of(mask, radiograph), processing=in_plane)
    assert found.of("glszm", "zone_percentage").value is not None


def test_what_is_flat_or_sums_to_zero_is_absent_for_its_own_cause():
    volume = volume_of(np.zeros((3, 6, 7), np.int16))
    mask = np.zeros(volume.shape, bool)
    mask[1, 1:4, 1:5] = True
    found = features(volume, lesion_of(mask, volume))
    assert found.of("morphology", "area_density_aee").absent == "the region is flat"
    assert found.of("morphology", "centre_of_mass_shift").absent == "the intensities sum to zero"
    assert found.of("morphology", "moran_i").absent == "the region has a single grey level"


def test_a_limit_that_binary_numbers_miss_is_still_the_first_bin():
    volume, lesion = noise()
    array = np.where(volume.array < 0, np.float32(0.7), np.float32(1.7))
    processing = Processing(intensity_range=(0.7, 5), bins=FixedBinSize(0.5))
    found = features(volume.with_array(array), lesion, processing=processing)
    assert found.of("histogram", "minimum").value == 1
    assert found.of("histogram", "maximum").value == 3


def test_a_sheared_grid_is_refused_with_the_way_out():
    affine = np.diag([3.0, 1.0, 1.0, 1.0])
    affine[1, 0] = 0.5
    volume = Volume(np.zeros((5, 6, 7), np.int16), Grid((5, 6, 7), affine), codes.HU)
    mask = np.zeros(volume.shape, bool)
    mask[2, 2, 2] = True
    with pytest.raises(UsageError, match="sheared"):
        features(volume, lesion_of(mask, volume))


def test_fixed_bins_without_a_unit_are_for_a_person_to_look_at():
    volume, lesion = noise()
    plain = volume.with_array(volume.array, unit=codes.ONE)
    assert "BINS_WITHOUT_UNIT" in codes_of(features(plain, lesion, processing=Processing(bins=FixedBinSize(10))))
    assert "BINS_WITHOUT_UNIT" not in codes_of(features(plain, lesion))
    assert "BINS_WITHOUT_UNIT" not in codes_of(features(volume, lesion, processing=Processing(bins=FixedBinSize(10))))


def test_units_follow_the_image():
    volume, lesion = noise()
    suv = volume.with_array(volume.array / np.float32(7), unit=codes.Code("g/ml{SUVbw}", "UCUM", "SUV"))
    processing = Processing(bins=FixedBinSize(0.5, start=-20), volume_bins=FixedBinSize(0.1))
    found = features(suv, lesion, processing=processing)
    assert found.of("statistics", "mean").unit.value == "g/ml{SUVbw}"
    assert found.of("statistics", "variance").unit.value == "(g/ml{SUVbw})2"
    assert found.of("morphology", "integrated_intensity").unit.value == "g/ml{SUVbw}.mm3"
    assert found.of("morphology", "surface_to_volume").unit.value == "/mm"
    assert found.of("volume_histogram", "intensity_at_volume_10").unit.value == "g/ml{SUVbw}"
    by_number = features(suv, lesion).of("volume_histogram", "intensity_at_volume_10")
    assert by_number.unit == codes.ONE  # bins are counted
    assert found.of("glcm", "contrast", aggregation="3D, merged").unit == codes.ONE


def test_the_array_may_lie_in_any_orientation():
    volume, lesion = noise()
    turned = Volume(np.ascontiguousarray(volume.array[::-1, ::-1]), volume.grid.flip(0, 1), codes.HU)
    mask = np.ascontiguousarray(lesion.mask("lesion")[::-1, ::-1])
    one, other = features(volume, lesion, processing=EVERY), features(turned, lesion_of(mask, turned), processing=EVERY)
    for a, b in zip(one, other, strict=True):
        assert a.value == pytest.approx(b.value), (a.family, a.name)


def test_input_is_not_changed():
    volume, lesion = noise()
    before = volume.array.copy(), lesion.array.copy()
    features(volume, lesion, processing=IBSI_C)
    assert np.array_equal(volume.array, before[0])
    assert np.array_equal(lesion.array, before[1])


def test_wrong_calls_are_told():
    volume, lesion = noise()
    with pytest.raises(UsageError, match="no family 'glcn'"):
        features(volume, lesion, families=["glcn"])
    with pytest.raises(UsageError, match="No segment 'liver'"):
        features(volume, lesion, names=["liver"])
    with pytest.raises(UsageError, match="different grids"):
        features(Volume(volume.array, volume.grid.flip(0)), lesion)
    with pytest.raises(UsageError, match="time"):
        features(Volume(volume.array[..., None], volume.grid, axes=("time",)), lesion)
    with pytest.raises(UsageError, match="whole numbers from 1 on"):
        features(volume, lesion, processing=Processing(bins=NoBins()))
    with pytest.raises(UsageError, match="more than 1024"):
        features(volume, lesion, processing=Processing(bins=FixedBinSize(0.001)))
    with pytest.raises(UsageError, match="start lower"):
        features(volume, lesion, processing=Processing(bins=FixedBinSize(10, start=0)))


@pytest.mark.parametrize(
    "settings",
    [
        {"spacing_mm": (1.0, 1.0)},
        {"spacing_mm": (1.0, None, 1.0)},
        {"spacing_mm": (0.0, 1.0, 1.0)},
        {"interpolation": "nearest"},
        {"rounded_to": 0},
        {"intensity_range": (3, 3)},
        {"intensity_range": (math.nan, 3)},
        {"outliers_sd": -1},
        {"bins": 32},
        {"dimensions": ()},
        {"dimensions": ("4D",)},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(UsageError):
        Processing(**settings)


@pytest.mark.parametrize(
    "make", [lambda: FixedBinNumber(0), lambda: FixedBinSize(0), lambda: FixedBinSize(1, math.inf)]
)
def test_bins_that_make_no_sense_are_refused(make):
    with pytest.raises(UsageError):
        make()


def test_a_map_takes_the_place_of_the_image_between_preparing_and_measuring():
    volume, lesion = noise()
    processing = Processing(intensity_range=(-50, 100))
    (region,) = regions(volume, lesion, processing=processing, margin_mm=math.inf)
    assert region.image.shape == volume.shape
    response = region.image.with_array(np.abs(region.image.array.astype(np.float32)) * 2, unit=codes.ONE)
    found = of_region(region.with_map(response), families=["statistics", "volume_histogram"])
    kept = volume.array[lesion.mask("lesion") & (volume.array >= -50)]
    assert found.of("statistics", "mean").value == pytest.approx(np.abs(2.0 * kept).mean())
    assert found.of("volume_histogram", "volume_at_intensity_10").value > 0.8
    with pytest.raises(UsageError, match="another grid"):
        region.with_map(volume_of(np.zeros((2, 2, 2))))


def test_a_feature_becomes_a_measurement_that_dicom_can_code():
    volume, lesion = noise()
    found = features(volume, lesion)
    made = found.of("glcm", "joint_entropy", aggregation="3D, merged").to_measurement()
    assert (made.concept.value, made.concept.scheme) == ("TU9B", "IBSI")
    assert made.name == "glcm_joint_entropy_3d_merged"
    assert made.segments == ("lesion",)
    names = [item.to_measurement().name for item in found]
    assert len(set(names)) == len(names)


def test_two_voxels_have_nothing_between_their_percentiles():
    array = np.array([[[-77, -184]]], np.int16)
    volume = Volume(array, Grid.from_vectors(array.shape), codes.HU, modality="CT")
    mask = Segmentation.of(np.ones(array.shape, bool), volume, [Segment.named("pair")], Algorithm("hand", "1"))
    found = features(volume, mask, families=["statistics"])
    absent = [item for item in found if item.value is None and "robust" in item.name]
    assert [item.absent for item in absent] == ["no voxel lies between the 10th and the 90th percentile"]
