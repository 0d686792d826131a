"""RT Structure Sets onto grids: masks of known shape, and a reason for whatever is not drawn as it stands."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
import pytest
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from isocenter import codes
from isocenter.dicom.annotations.objects import referenced_series
from isocenter.dicom.annotations.segmentation import read_segmentation
from isocenter.errors import InputError, Refused
from isocenter.findings import Segmentation
from isocenter.geometry import Grid, Space

FRAME = "1.2.3"
GRID = Grid.from_vectors(
    (6, 20, 24), spacing_mm=(3.0, 0.9, 0.8), origin_mm=(-10, -20, 30), frame_of_reference_uid=FRAME
)
Points = Sequence[tuple[float, float]]
SQUARE: Points = ((2.5, 3.5), (2.5, 13.5), (12.5, 13.5), (12.5, 3.5))
HOLE: Points = ((5.5, 6.5), (5.5, 9.5), (8.5, 9.5), (8.5, 6.5))


def contour(k: float, points: Points, grid: Grid = GRID, kind: str = "CLOSED_PLANAR") -> Dataset:
    item = Dataset()
    item.ContourGeometricType = kind
    item.NumberOfContourPoints = len(points)
    places = grid.to_world([(k, r, c) for r, c in points])
    item.ContourData = [f"{number:.10g}" for number in places.ravel()]
    return item


def structure_set(*structures: Sequence[Dataset], frame: str = FRAME, kinds: Sequence[str] = ()) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.481.3", "1.2.9"
    dataset.Modality = "RTSTRUCT"
    dataset.StructureSetROISequence, dataset.ROIContourSequence, dataset.RTROIObservationsSequence = [], [], []
    for number, contours in enumerate(structures, 1):
        roi, drawn, observation = Dataset(), Dataset(), Dataset()
        roi.ROINumber = drawn.ReferencedROINumber = observation.ReferencedROINumber = number
        roi.ROIName, roi.ReferencedFrameOfReferenceUID = f"Organ {number}", frame
        roi.ROIGenerationAlgorithm = "MANUAL"
        drawn.ROIDisplayColor, drawn.ContourSequence = [255, 10 * number, 0], list(contours)
        observation.RTROIInterpretedType = kinds[number - 1] if kinds else "ORGAN"
        dataset.StructureSetROISequence.append(roi)
        dataset.ROIContourSequence.append(drawn)
        dataset.RTROIObservationsSequence.append(observation)
    return dataset


def written(dataset: Dataset) -> bytes:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = io.BytesIO()
    dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


def structures_on(dataset: Dataset, grid: Grid) -> Segmentation:
    return read_segmentation(written(dataset), grid=grid)


def reasons_of(segmentation: Segmentation) -> set[str]:
    return {reason.code for reason in segmentation.reasons}


def test_structures_become_segments_with_name_colour_and_meaning() -> None:
    three = [[contour(2, SQUARE)]] * 5
    found = structures_on(structure_set(*three, kinds=["ORGAN", "GTV", "EXTERNAL", "SUPPORT", ""]), GRID)
    assert found.names == ("organ_1", "organ_2", "organ_3", "organ_4", "organ_5")
    assert found.segments[0].title == "Organ 1"
    assert found.segments[1].color == (255, 20, 0)
    assert [s.property_type for s in found.segments] == [
        codes.ANATOMICAL_STRUCTURE,
        codes.GROSS_TUMOR_VOLUME,
        codes.BODY,
        codes.PHYSICAL_OBJECT,
        codes.ANATOMICAL_STRUCTURE,
    ]
    assert found.algorithm.name == "contours (manual)"
    assert found.grid == GRID


def test_a_stated_code_counts_more_than_the_interpreted_type() -> None:
    dataset = structure_set([contour(2, SQUARE)])
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "10200004", "SCT", "Liver"
    dataset.RTROIObservationsSequence[0].RTROIIdentificationCodeSequence = [code]
    assert structures_on(dataset, GRID).segments[0].property_type == codes.Code("10200004", "SCT", "Liver")


def test_contours_of_one_plane_are_combined_by_even_odd_rule() -> None:
    found = structures_on(structure_set([contour(2, SQUARE), contour(2, HOLE), contour(4, SQUARE)]), GRID)
    expected = np.zeros(GRID.shape, bool)
    expected[[2, 4], 3:13, 4:14] = True
    expected[2, 6:9, 7:10] = False
    assert np.array_equal(found.mask("organ_1"), expected)
    assert reasons_of(found) == {"CONTOURS_APART"}


def test_overlapping_structures_lie_in_layers_and_others_share_one() -> None:
    apart: Points = [(r, c + 12) for r, c in HOLE]
    found = structures_on(structure_set([contour(2, SQUARE)], [contour(2, HOLE)], [contour(2, apart)]), GRID)
    assert [segment.layer for segment in found.segments] == [0, 1, 0]
    assert [int(found.mask(name).sum()) for name in found.names] == [100, 9, 9]


@pytest.mark.parametrize("spacing_mm", [1.0, 0.5])
def test_the_volume_of_a_stack_of_discs_is_that_of_the_ball(spacing_mm: float) -> None:
    count = round(50 / spacing_mm)
    grid = Grid.from_vectors((count,) * 3, spacing_mm=(spacing_mm,) * 3, frame_of_reference_uid=FRAME)
    middle, radius_mm = np.add(grid.center_mm, (0.2, -0.1, 0.3)), 20.0
    angles = np.linspace(0, 2 * math.pi, 180, endpoint=False)
    contours = []
    for k in range(count):
        depth = float(grid.to_world((k, 0, 0))[2]) - middle[2]
        if abs(depth) < radius_mm:
            at = grid.to_index(middle)[1:]
            r = math.sqrt(radius_mm**2 - depth**2) / spacing_mm
            contours.append(contour(k, (at + r * np.column_stack([np.sin(angles), np.cos(angles)])).tolist(), grid))
    found = structures_on(structure_set(contours), grid)
    assert found.volume_ml("organ_1") == pytest.approx(4 / 3 * math.pi * radius_mm**3 / 1000, rel=2e-3)
    assert not found.reasons


def test_contours_between_slices_go_to_the_nearest_with_a_reason() -> None:
    planes = [contour(k, SQUARE) for k in np.arange(0.7, 4.0, 0.5)]  # 0.7, 1.2, ... 3.7
    found = structures_on(structure_set(planes), GRID)
    assert reasons_of(found) == {"CONTOURS_BETWEEN_SLICES"}
    assert found.mask("organ_1").any(axis=(1, 2)).tolist() == [False, True, True, True, False, False]


def test_contours_that_stand_for_several_slices_fill_these() -> None:
    planes = [contour(k, SQUARE) for k in (1, 4)]
    assert reasons_of(structures_on(structure_set(planes), GRID)) == {"CONTOURS_APART"}
    for plane in planes:
        plane.ContourSlabThickness = 9.0
    found = structures_on(structure_set(planes), GRID)
    assert reasons_of(found) == {"CONTOURS_BETWEEN_SLICES"}
    assert found.mask("organ_1").any(axis=(1, 2)).all()


def test_planes_nearer_than_a_slice_are_not_mixed() -> None:
    """Two squares in planes half a slice apart: by exclusive or they would cancel each other."""
    found = structures_on(structure_set([contour(2, SQUARE), contour(2.4, SQUARE)]), GRID)
    assert found.mask("organ_1").sum() == 100


def test_what_is_drawn_twice_is_taken_once() -> None:
    found = structures_on(structure_set([contour(2, SQUARE), contour(2, SQUARE)]), GRID)
    assert reasons_of(found) == {"CONTOURS_REPEATED"}
    assert found.mask("organ_1").sum() == 100


@pytest.mark.parametrize("shift", [3.0, 0.01])
def test_contours_that_cross_are_told(shift: float) -> None:
    other: Points = [(r + shift, c) for r, c in SQUARE]
    found = structures_on(structure_set([contour(2, SQUARE), contour(2, other)]), GRID)
    assert reasons_of(found) == {"CONTOURS_CROSS"} | (set() if found.mask("organ_1").any() else {"STRUCTURE_EMPTY"})


@pytest.mark.parametrize(("k", "shift"), [(2, 12.0), (-1, 0.0), (9, 0.0)])
def test_what_reaches_beyond_the_grid_is_cut_off_with_a_reason(k: float, shift: float) -> None:
    other: Points = [(r, c + shift) for r, c in SQUARE]
    found = structures_on(structure_set([contour(1, SQUARE), contour(2, SQUARE), contour(k, other)]), GRID)
    assert "SEGMENT_CUT" in reasons_of(found)
    assert found.mask("organ_1")[1].sum() == 100


def test_structures_without_closed_contours_are_left_out_with_a_reason() -> None:
    marks = [contour(2, SQUARE[:1], kind="POINT")]
    line = [contour(2, SQUARE, kind="OPEN_PLANAR")]
    found = structures_on(structure_set([contour(2, SQUARE)], marks, line, []), GRID)
    assert found.names == ("organ_1",)
    assert [reason.code for reason in found.reasons] == ["STRUCTURE_WITHOUT_AREA"] * 3
    assert [reason.message[:11] for reason in found.reasons] == ["Structure 2", "Structure 3", "Structure 4"]
    assert found.reasons[0].instances == ("1.2.9",)
    with pytest.raises(Refused, match="STRUCTURE_WITHOUT_AREA"):
        structures_on(structure_set(marks), GRID)


def test_a_structure_smaller_than_a_voxel_is_told_to_be_empty() -> None:
    small: Points = [(5.1, 5.1), (5.1, 5.4), (5.4, 5.4), (5.4, 5.1)]
    found = structures_on(structure_set([contour(2, SQUARE)], [contour(2, small)]), GRID)
    assert [(reason.code, reason.message[:11]) for reason in found.reasons] == [("STRUCTURE_EMPTY", "Structure 2")]
    assert not found.mask(found.names[1]).any()


def test_points_and_lines_beside_closed_contours_are_told() -> None:
    mixed = [contour(2, SQUARE), contour(2, SQUARE[:1], kind="POINT"), contour(3, SQUARE, kind="OPEN_NONPLANAR")]
    found = structures_on(structure_set(mixed), GRID)
    assert found.mask("organ_1").sum() == 100
    assert [(reason.code, reason.message[:16]) for reason in found.reasons] == [
        ("STRUCTURE_WITHOUT_AREA", "Structure 1: 2 o")
    ]


def test_contours_that_are_not_along_the_slices_are_not_drawn() -> None:
    steep = contour(2, SQUARE)
    steep.ContourData = [f"{n:.8g}" for n in GRID.to_world([(1, 3, 5), (4, 3, 5), (4, 9, 5), (1, 9, 5)]).ravel()]
    found = structures_on(structure_set([contour(2, SQUARE)], [steep]), GRID)
    assert found.names == ("organ_1",)
    assert reasons_of(found) == {"STRUCTURE_LEFT_OUT"}


@pytest.mark.parametrize(
    "data", [["1", "2"], ["1", "2", "1e300"], [], ["1", "x", "3"], ["1_0", "2", "3"], ["nan", "2", "3"]]
)
def test_points_that_are_nowhere_leave_their_structure_out(data: list[str]) -> None:
    broken = contour(2, SQUARE)
    del broken.ContourData
    del broken.NumberOfContourPoints
    broken.add_new(0x30060050, "LO", data)
    found = structures_on(structure_set([contour(2, SQUARE)], [broken]), GRID)
    assert reasons_of(found) == {"STRUCTURE_LEFT_OUT"}


def test_another_frame_of_reference_is_refused() -> None:
    dataset = structure_set([contour(2, SQUARE)], frame="1.2.4")
    with pytest.raises(Refused, match="FRAME_OTHER"):
        structures_on(dataset, GRID)
    with pytest.raises(Refused, match="FRAME_OTHER"):
        structures_on(structure_set([contour(2, SQUARE)]), Grid(GRID.shape, GRID.affine, FRAME, Space.PLANE))


def test_a_frame_of_reference_that_nobody_states_is_told() -> None:
    found = structures_on(structure_set([contour(2, SQUARE)]), Grid(GRID.shape, GRID.affine))
    assert reasons_of(found) == {"FRAME_UNKNOWN"}
    assert found.mask("organ_1").sum() == 100


def test_a_structure_set_without_its_parts_is_refused_or_damaged() -> None:
    with pytest.raises(Refused, match="holds no structure"):
        structures_on(structure_set(), GRID)
    dataset = structure_set([contour(2, SQUARE)])
    del dataset.StructureSetROISequence[0].ROINumber
    with pytest.raises(InputError, match="number"):
        structures_on(dataset, GRID)
    dataset.StructureSetROISequence[0].ROINumber = 1
    dataset.StructureSetROISequence.append(dataset.StructureSetROISequence[0])
    with pytest.raises(InputError, match="several structures of one number"):
        structures_on(dataset, GRID)


def test_contours_of_one_structure_may_stand_in_several_places() -> None:
    dataset = structure_set([contour(2, SQUARE)], [contour(3, SQUARE)])
    dataset.ROIContourSequence[1].ReferencedROINumber = 1
    found = structures_on(dataset, GRID)
    assert found.mask("organ_1")[2:4].sum() == 200
    assert reasons_of(found) == {"STRUCTURE_WITHOUT_AREA"}


def test_contours_without_a_named_structure_are_told() -> None:
    dataset = structure_set([contour(2, SQUARE)], [contour(3, SQUARE)])
    del dataset.StructureSetROISequence[1]
    found = structures_on(dataset, GRID)
    assert found.names == ("organ_1",)
    assert reasons_of(found) == {"SEGMENT_UNDESCRIBED"}


def test_fewer_points_than_stated_are_no_contour() -> None:
    cut = contour(2, SQUARE)
    cut.ContourData = cut.ContourData[:-3]
    found = structures_on(structure_set([contour(2, SQUARE)], [cut]), GRID)
    assert reasons_of(found) == {"STRUCTURE_LEFT_OUT"}


def test_no_reason_tells_the_name_of_a_structure() -> None:
    found = structures_on(structure_set([contour(2, SQUARE)], [], [contour(2, SQUARE), contour(2, SQUARE)]), GRID)
    assert not any("Organ" in reason.message for reason in found.reasons)


def test_a_structure_set_names_the_series_that_it_was_drawn_on() -> None:
    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = "1.2.5"
    study.RTReferencedSeriesSequence, frame.RTReferencedStudySequence = [series], [study]
    dataset = structure_set([contour(2, SQUARE)])
    assert referenced_series(written(dataset)) == frozenset()
    dataset.ReferencedFrameOfReferenceSequence = [frame]
    assert referenced_series(written(dataset)) == {"1.2.5"}
