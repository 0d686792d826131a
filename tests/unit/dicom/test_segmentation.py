"""Stored segmentations: every encoding gives the masks that were put in, wherever its frames lie; or a reason."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import highdicom as hd
import imagecodecs
import numpy as np
import pytest
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from isocenter import codes
from isocenter.dicom.annotations.segmentation import read_fractions, read_segmentation
from isocenter.dicom.derived import seg
from isocenter.dicom.derived.making import Making, encode
from isocenter.dicom.scan import scan
from isocenter.errors import InputError, Refused, TryLater, UsageError
from isocenter.findings import Segmentation
from isocenter.geometry import Grid, Space
from isocenter.volume import Source

ROWS, COLUMNS = 5, 7  # 35 pixels: frames of bits do not begin with bytes
FRAME = "1.2.3"
DEFLATED_FRAME = "1.2.840.10008.1.2.8.1"
GRID = Grid.from_vectors(
    (6, ROWS, COLUMNS), spacing_mm=(2, 0.8, 0.7), origin_mm=(-3, -4, 100), frame_of_reference_uid=FRAME
)


@dataclass(frozen=True)
class Stored:
    """How a Segmentation is stored. Frames are of segment, slice of the grid, and cells."""

    frames: Sequence[tuple[int, float, np.ndarray]]
    kind: str = "BINARY"
    bits: int = 1
    syntax: str = str(ExplicitVRLittleEndian)
    grid: Grid = GRID
    between_mm: float | None = 2.0
    numbers: Sequence[int] = (1, 2)

    def dataset(self) -> Dataset:
        ds = Dataset()
        ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.9"
        ds.Modality, ds.SeriesInstanceUID, ds.StudyInstanceUID = "SEG", "1.2.8", "1.2.7"
        ds.FrameOfReferenceUID = FRAME
        ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
        ds.NumberOfFrames, ds.Rows, ds.Columns = len(self.frames), ROWS, COLUMNS
        ds.BitsAllocated, ds.BitsStored, ds.HighBit = self.bits, self.bits, self.bits - 1
        ds.SegmentationType = self.kind
        ds.SegmentSequence = [segment_item(number) for number in self.numbers]
        ds.SharedFunctionalGroupsSequence = [shared_groups(self.grid, self.between_mm)]
        ds.PerFrameFunctionalGroupsSequence = [frame_groups(*frame[:2], self.grid) for frame in self.frames]
        ds.PixelData = self.pixels()
        if self.is_encapsulated:
            ds["PixelData"].is_undefined_length = True
        ds["PixelData"].VR = "OW" if self.bits == 16 and not self.is_encapsulated else "OB"
        return ds

    @property
    def is_encapsulated(self) -> bool:
        return self.syntax in ENCODERS

    def pixels(self) -> bytes:
        cells = [np.asarray(cells, f"<u{max(self.bits // 8, 1)}") for _, _, cells in self.frames]
        if self.is_encapsulated:
            return encapsulate([even(ENCODERS[self.syntax](one, self.bits)) for one in cells])
        whole = packed(np.stack(cells), self.bits)
        if self.syntax == ExplicitVRBigEndian and self.bits == 16:
            whole = np.frombuffer(whole, "<u2").astype(">u2").tobytes()
        return whole + b"\0" * (len(whole) % 2)

    def content(self, **changes: Any) -> bytes:
        ds = self.dataset()
        for keyword, value in changes.items():
            setattr(ds, keyword, value)
        return written(ds, self.syntax)


def written(ds: Dataset, syntax: str = str(ExplicitVRLittleEndian)) -> bytes:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = JPEG2000Lossless if syntax == DEFLATED_FRAME else syntax
    file = io.BytesIO()
    dcmwrite(file, ds, enforce_file_format=True)
    stated = str(ds.file_meta.TransferSyntaxUID).encode()  # pydicom does not know of deflated frames
    return file.getvalue().replace(stated, syntax.encode().ljust(len(stated), b"\0"), 1)


def packed(cells: np.ndarray, bits: int) -> bytes:
    return np.packbits(cells.ravel(), bitorder="little").tobytes() if bits == 1 else cells.tobytes()


def deflated(cells: np.ndarray, bits: int) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(packed(cells, bits)) + packer.flush()


def run_lengths(cells: np.ndarray, bits: int) -> bytes:
    planes = (
        cells.reshape(-1, 1).view(np.uint8)[:, ::-1] if bits > 1 else np.frombuffer(packed(cells, 1), np.uint8)[:, None]
    )
    parts = [even(imagecodecs.packbits_encode(np.ascontiguousarray(plane))) for plane in planes.T]
    offsets = 64 + np.cumsum([0, *map(len, parts[:-1])])
    return struct.pack("<16I", len(parts), *offsets, *[0] * (15 - len(parts))) + b"".join(parts)


def even(data: bytes) -> bytes:
    return data + b"\0" * (len(data) % 2)


ENCODERS = {
    DEFLATED_FRAME: deflated,
    str(RLELossless): run_lengths,
    str(JPEG2000Lossless): lambda cells, _: imagecodecs.jpeg2k_encode(
        cells, reversible=True, resolutions=1, codecformat="J2K"
    ),
    str(JPEGLSLossless): lambda cells, _: imagecodecs.jpegls_encode(cells),
}


def segment_item(number: int) -> Dataset:
    item = Dataset()
    item.SegmentNumber, item.SegmentLabel, item.SegmentAlgorithmType = number, f"Thing {number}", "MANUAL"
    return item


def shared_groups(grid: Grid, between_mm: float | None) -> Dataset:
    measures, orientation, groups = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = list(grid.spacing_mm[1:]), 1.5
    if between_mm is not None:
        measures.SpacingBetweenSlices = between_mm
    orientation.ImageOrientationPatient = [f"{x:.10g}" for x in [*grid.direction[:, 2], *grid.direction[:, 1]]]
    groups.PixelMeasuresSequence, groups.PlaneOrientationSequence = [measures], [orientation]
    return groups


def frame_groups(number: int, k: float, grid: Grid) -> Dataset:
    position, identification, groups = Dataset(), Dataset(), Dataset()
    position.ImagePositionPatient = [f"{x:.10g}" for x in grid.to_world((k, 0, 0))]
    groups.PlanePositionSequence = [position]
    if number:
        identification.ReferencedSegmentNumber = number
        groups.SegmentIdentificationSequence = [identification]
    return groups


def noise(seed: int, highest: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, highest + 1, (ROWS, COLUMNS))


def reasons_of(segmentation: Segmentation) -> set[str]:
    return {reason.code for reason in segmentation.reasons}


BINARY = Stored([(1, 1, noise(1)), (1, 2, noise(2)), (2, 2, noise(3)), (2, 4, noise(4))])
LABELS = Stored([(0, k, noise(k, 2)) for k in (1, 2, 4)], "LABELMAP", 8)
WORDS = Stored([(0, k, 100 * noise(k, 3)) for k in (1, 2, 4)], "LABELMAP", 16, numbers=(100, 200, 300))
FRACTIONS = Stored([(1, 1, noise(1, 200)), (1, 2, noise(2, 200)), (2, 2, noise(3, 200))], "FRACTIONAL", 8)
SYNTAXES = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)


def expected_masks(stored: Stored) -> dict[int, np.ndarray]:
    masks = {number: np.zeros(GRID.shape, bool) for number in stored.numbers}
    for number, k, cells in stored.frames:
        for label in [number] if number else stored.numbers:
            masks[label][int(k)] |= (cells == label) if number == 0 else cells * 2 >= (200 if stored.bits == 8 else 2)
    return masks


def assert_same(found: Segmentation, stored: Stored) -> None:
    assert [segment.title for segment in found.segments] == [f"Thing {number}" for number in stored.numbers]
    for name, mask in zip(found.names, expected_masks(stored).values(), strict=True):
        assert np.array_equal(found.mask(name), mask)


# --- encodings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", [*SYNTAXES, DEFLATED_FRAME, RLELossless])
@pytest.mark.parametrize("stored", [BINARY, LABELS, WORDS], ids=["bits", "bytes", "words"])
def test_every_way_to_store_frames_gives_the_same_masks(stored: Stored, syntax: str) -> None:
    assert_same(read_segmentation(replace(stored, syntax=str(syntax)).content(), grid=GRID), stored)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless])
@pytest.mark.parametrize("stored", [LABELS, WORDS], ids=["bytes", "words"])
def test_compressed_labels_give_the_same_masks(stored: Stored, syntax: str) -> None:
    assert_same(read_segmentation(replace(stored, syntax=str(syntax)).content(), grid=GRID), stored)


def test_fractions_count_from_one_half_on_with_a_reason() -> None:
    content = FRACTIONS.content(MaximumFractionalValue=200, SegmentationFractionalType="PROBABILITY")
    found = read_segmentation(content, grid=GRID)
    assert_same(found, FRACTIONS)
    assert reasons_of(found) == {"FRACTIONS_CUT"}
    fractions = read_fractions(content, grid=GRID)
    assert fractions.axes == ("segment",)
    for number, k, cells in FRACTIONS.frames:
        assert np.array_equal(fractions.array[int(k), :, :, number - 1], (cells / 200).astype(np.float32))
    assert not fractions.array[[0, 3, 4, 5]].any()


def test_whole_fractions_need_no_reason() -> None:
    whole = replace(FRACTIONS, frames=[(1, 1, 200 * noise(1)), (2, 2, 200 * noise(2))])
    found = read_segmentation(whole.content(MaximumFractionalValue=200), grid=GRID)
    assert_same(found, whole)
    assert found.reasons == ()


def test_masks_have_no_fractions() -> None:
    with pytest.raises(UsageError, match="no fractions"):
        read_fractions(BINARY.content())


def test_the_background_of_a_label_map_may_be_any_number() -> None:
    stored = replace(LABELS, frames=[(0, 1, noise(1, 2))], numbers=(0, 1, 2))
    found = read_segmentation(stored.content(PixelPaddingValue=2), grid=GRID)
    cells = stored.frames[0][2]
    assert [segment.title for segment in found.segments] == ["Thing 0", "Thing 1"]
    assert np.array_equal(found.mask("thing_0")[1], cells == 0)
    assert np.array_equal(found.mask("thing_1")[1], cells == 1)
    assert not found.mask("thing_0")[0].any()


def test_a_label_map_described_with_its_background_has_it_not_as_a_segment() -> None:
    found = read_segmentation(replace(LABELS, numbers=(0, 1, 2)).content(), grid=GRID)
    assert found.names == ("thing_1", "thing_2")


# --- against other writers and readers -------------------------------------------------------------------------------


def test_what_this_software_writes_it_reads_again(
    segmentation: Segmentation, sources: list[Dataset], making: Making
) -> None:
    found = read_segmentation(encode(seg.make(segmentation, sources, making)), grid=segmentation.grid)
    assert found.names == segmentation.names
    assert found.algorithm.name == segmentation.algorithm.name
    assert found.algorithm.version == segmentation.algorithm.version
    assert found.algorithm.settings == (("threshold_hu", "-500"),)
    for a, b in zip(found.segments, segmentation.segments, strict=True):
        assert (a.title, a.property_type, a.property_category) == (b.title, b.property_type, b.property_category)
        assert max(abs(x - y) for x, y in zip(a.color, b.color, strict=True)) <= 1
        assert np.array_equal(found.mask(a.name), segmentation.mask(b.name))
    uids = [str(header.SOPInstanceUID) for header in sources]
    drawn = [any(segmentation.mask(name)[k].any() for name in segmentation.names) for k in range(6)]
    assert found.sources == tuple(Source(uid) if has else None for uid, has in zip(uids, drawn, strict=True))
    assert found.reasons == ()


def test_modifier_and_region_go_round(segmentation: Segmentation, sources: list[Dataset], making: Making) -> None:
    kidney, upper, abdomen = (
        codes.Code("64033007", "SCT", "Kidney"),
        codes.Code("261183002", "SCT", "Upper"),
        codes.Code("818981001", "SCT", "Abdomen"),
    )
    one = replace(segmentation.segments[0], property_type=kidney, modifier=upper, region=abdomen)
    made = seg.make(replace(segmentation, segments=(one,)), sources, making)
    (found,) = read_segmentation(encode(made)).segments
    assert (found.property_type, found.modifier, found.region) == (kidney, upper, abdomen)


def test_another_reader_finds_the_same_in_a_fractional_one(
    segmentation: Segmentation, sources: list[Dataset], tmp_path: Path
) -> None:
    fractions = np.random.default_rng(1).random(segmentation.grid.shape)
    description = hd.seg.SegmentDescription(
        1, "Thing", hd.sr.CodedConcept("91723000", "SCT", "x"), hd.sr.CodedConcept("39607008", "SCT", "x"), "MANUAL"
    )
    made = hd.seg.Segmentation(
        sources,
        fractions,
        "FRACTIONAL",
        [description],
        *("1.2.31", 1, "1.2.32", 1, "M", "M", "1", "1"),
        fractional_type="OCCUPANCY",
        max_fractional_value=250,
    )
    made.save_as(tmp_path / "seg.dcm")
    other = hd.seg.segread(tmp_path / "seg.dcm").get_volume()
    mine = read_fractions(tmp_path / "seg.dcm")
    assert mine.grid.coincides(Grid(other.spatial_shape, other.affine, mine.grid.frame_of_reference_uid))
    assert np.allclose(mine.array, other.array)


# --- places ----------------------------------------------------------------------------------------------------------


def test_the_order_of_frames_does_not_matter() -> None:
    assert_same(read_segmentation(replace(BINARY, frames=BINARY.frames[::-1]).content(), grid=GRID), BINARY)


def test_without_a_grid_it_comes_on_the_smallest_that_holds_it_with_its_holes() -> None:
    found = read_segmentation(BINARY.content())
    assert found.grid.coincides(GRID.crop((1, 0, 0), (5, ROWS, COLUMNS)))
    for name, mask in zip(found.names, expected_masks(BINARY).values(), strict=True):
        assert np.array_equal(found.mask(name), mask[1:5])


@pytest.mark.parametrize(
    ("slices", "between_mm", "count"), [((0, 2, 4), 2.0, 5), ((0, 2, 4), None, 3), ((0, 2, 5), None, 6)]
)
def test_slices_that_no_frame_shows_are_empty_ones(slices: Sequence[int], between_mm: float | None, count: int) -> None:
    stored = replace(BINARY, frames=[(1, k, noise(k)) for k in slices], between_mm=between_mm)
    found = read_segmentation(stored.content())
    assert found.grid.shape[0] == count
    assert found.grid.extent_mm[0] - found.grid.spacing_mm[0] == pytest.approx(2.0 * (slices[-1] - slices[0]))


def test_a_single_slice_is_as_thick_as_it_says() -> None:
    assert read_segmentation(replace(BINARY, frames=BINARY.frames[:1]).content()).grid.spacing_mm[0] == 2.0
    found = read_segmentation(replace(BINARY, frames=BINARY.frames[:1], between_mm=None).content())
    assert found.grid.spacing_mm[0] == 1.5
    ds = replace(BINARY, frames=BINARY.frames[:1], between_mm=None).dataset()
    del ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness
    with pytest.raises(Refused, match="SPACING_MISSING"):
        read_segmentation(written(ds))
    assert read_segmentation(written(ds), grid=GRID).mask("thing_1")[1].any()


def test_the_distance_of_slices_is_that_of_the_whole_stack() -> None:
    """Positions rounded to hundredths, and Spacing Between Slices a little off, as they are met."""
    frames = [(1, round(GRID.spacing_mm[0] * k, 2) / GRID.spacing_mm[0], noise(k)) for k in range(41)]
    found = read_segmentation(replace(BINARY, frames=frames, between_mm=2.002).content())
    assert found.grid.shape[0] == 41
    assert found.grid.spacing_mm[0] == pytest.approx(2.0, abs=1e-3)


def test_a_sheared_stack_stays_sheared() -> None:
    affine = GRID.affine.copy()
    affine[:3, 0] += (0, 0.6, 0)
    sheared = Grid(GRID.shape, affine, FRAME)
    found = read_segmentation(replace(BINARY, grid=sheared).content())
    assert found.grid.coincides(sheared.crop((1, 0, 0), (5, ROWS, COLUMNS)))


def test_a_part_of_a_slice_goes_to_its_place_on_a_larger_grid() -> None:
    wide = GRID.pad((0, 2, 3), (0, 1, 1))
    found = read_segmentation(BINARY.content(), grid=wide)
    for name, mask in zip(found.names, expected_masks(BINARY).values(), strict=True):
        assert np.array_equal(found.mask(name)[:, 2:-1, 3:-1], mask)
        assert found.mask(name).sum() == mask.sum()


def test_frames_beyond_the_grid_are_left_out_with_a_reason() -> None:
    found = read_segmentation(BINARY.content(), grid=GRID.crop((2, 0, 0), (4, ROWS, COLUMNS)))
    assert reasons_of(found) == {"SEGMENT_CUT"}
    assert np.array_equal(found.mask("thing_1"), expected_masks(BINARY)[1][2:4])


@pytest.mark.parametrize(
    "other",
    [
        GRID.with_spacing((2, 0.8, 0.8)),
        GRID.window((0.5, 0, 0), GRID.shape),  # type: ignore[arg-type]
        GRID.crop((0, 1, 0), GRID.shape),
        GRID.flip(1),
        GRID.permute((0, 2, 1)),
    ],
    ids=["spacing", "between", "smaller", "flipped", "turned"],
)
def test_frames_beside_the_voxels_of_a_grid_are_not_moved(other: Grid) -> None:
    with pytest.raises(UsageError, match=r"isocenter\.onto"):
        read_segmentation(BINARY.content(), grid=other)


def test_another_frame_of_reference_is_refused() -> None:
    with pytest.raises(Refused, match="FRAME_OTHER"):
        read_segmentation(BINARY.content(), grid=Grid(GRID.shape, GRID.affine, "1.2.4"))


def test_a_frame_of_reference_that_nobody_states_is_told() -> None:
    found = read_segmentation(BINARY.content(), grid=Grid(GRID.shape, GRID.affine))
    assert reasons_of(found) == {"FRAME_UNKNOWN"}
    assert_same(found, BINARY)


@pytest.mark.parametrize("keyword", ["ImageOrientationPatient", "PixelSpacing"])
def test_several_orientations_or_spacings_are_refused(keyword: str) -> None:
    ds = BINARY.dataset()
    groups = shared_groups(GRID if keyword == "PixelSpacing" else GRID.permute((0, 2, 1)), 2.0)
    if keyword == "PixelSpacing":
        groups.PixelMeasuresSequence[0].PixelSpacing = [1.6, 1.4]
    ds.PerFrameFunctionalGroupsSequence[2].update(groups)
    with pytest.raises(Refused, match="SEGMENTATION_UNEVEN"):
        read_segmentation(written(ds))


@pytest.mark.parametrize("slices", [(0, 1, 2.37), (0, 1, 900)])
def test_frames_at_uneven_distances_have_no_grid_of_their_own(slices: Sequence[float]) -> None:
    stored = replace(BINARY, frames=[(1, k, noise(1)) for k in slices], between_mm=None)
    with pytest.raises(Refused, match="SEGMENTATION_UNEVEN") as refused:
        read_segmentation(stored.content())
    assert refused.value.reasons[0].instances == ("1.2.9",)


def test_frames_shifted_within_their_planes_are_refused() -> None:
    ds = BINARY.dataset()
    position = ds.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0]
    position.ImagePositionPatient = [position.ImagePositionPatient[0] + 1, *position.ImagePositionPatient[1:]]
    with pytest.raises(Refused, match="SEGMENTATION_UNEVEN"):
        read_segmentation(written(ds))


def test_frames_of_several_times_at_one_position_are_not_mixed() -> None:
    stored = replace(BINARY, frames=[(1, 1, noise(1)), (1, 1, noise(2))])
    with pytest.raises(Refused, match="DUPLICATE_POSITION"):
        read_segmentation(stored.content(), grid=GRID)


def test_a_picture_without_a_place_has_a_plane_for_its_grid() -> None:
    ds = replace(BINARY, frames=BINARY.frames[:1]).dataset()
    del ds.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence
    del ds.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
    found = read_segmentation(written(ds))
    assert (found.grid.space, found.grid.shape) == (Space.PLANE, (1, ROWS, COLUMNS))
    assert np.array_equal(found.mask("thing_1")[0], BINARY.frames[0][2])
    assert read_segmentation(written(ds), grid=found.grid).grid == found.grid
    with pytest.raises(UsageError, match="without a place"):
        read_segmentation(written(ds), grid=GRID)


def test_frames_without_a_position_are_refused() -> None:
    ds = BINARY.dataset()
    del ds.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence
    with pytest.raises(Refused, match="POSITION_MISSING"):
        read_segmentation(written(ds))


def test_a_slide_is_refused_by_name() -> None:
    with pytest.raises(Refused, match="slides"):
        read_segmentation(BINARY.content(TotalPixelMatrixColumns=1000))


# --- faults ----------------------------------------------------------------------------------------------------------


def test_what_is_not_described_is_left_out_with_a_reason() -> None:
    found = read_segmentation(replace(BINARY, numbers=(1,)).content(), grid=GRID)
    assert found.names == ("thing_1",)
    assert reasons_of(found) == {"SEGMENT_UNDESCRIBED"}
    found = read_segmentation(replace(LABELS, numbers=(1,)).content(), grid=GRID)
    assert np.array_equal(found.mask("thing_1"), expected_masks(LABELS)[1])
    assert set(np.unique(found.array)) == {0, 1}
    assert reasons_of(found) == {"SEGMENT_UNDESCRIBED"}


def test_pixel_data_that_end_too_early_are_refused() -> None:
    with pytest.raises(Refused, match="PIXELS_TRUNCATED"):
        read_segmentation(BINARY.content(PixelData=BINARY.pixels()[:-4]))


def test_damaged_frames_are_refused() -> None:
    stored = replace(LABELS, syntax=DEFLATED_FRAME)
    frames = encapsulate([b"\xff" * 10] * 3)
    with pytest.raises(Refused, match="PIXELS_UNDECODABLE"):
        read_segmentation(stored.content(PixelData=frames))
    with pytest.raises(Refused, match="PIXELS"):
        read_segmentation(stored.content(PixelData=encapsulate([b"\xff" * 10] * 2)))


def test_labels_compressed_with_loss_are_refused() -> None:
    frames = [
        imagecodecs.jpeg2k_encode(one.astype(np.uint8), level=20, resolutions=1, codecformat="J2K")
        for _, _, one in LABELS.frames
    ]
    stored = replace(LABELS, syntax=str(JPEG2000Lossless))
    with pytest.raises(Refused, match="with loss"):
        read_segmentation(stored.content(PixelData=encapsulate([even(frame) for frame in frames])))


@pytest.mark.parametrize(("stored", "bits"), [(LABELS, 32), (LABELS, 1), (BINARY, 8), (FRACTIONS, 16)])
def test_cells_of_sizes_that_their_kind_has_not_are_refused(stored: Stored, bits: int) -> None:
    with pytest.raises(InputError, match="bits"):
        read_segmentation(stored.content(BitsAllocated=bits, MaximumFractionalValue=200))


def test_colour_and_signed_cells_are_refused() -> None:
    for changes in ({"SamplesPerPixel": 3}, {"PixelRepresentation": 1}):
        with pytest.raises(Refused, match="UNSUPPORTED"):
            read_segmentation(LABELS.content(**changes))


def test_fractions_beyond_the_whole_are_damaged() -> None:
    with pytest.raises(InputError, match="Maximum Fractional Value"):
        read_segmentation(FRACTIONS.content(MaximumFractionalValue=150), grid=GRID)


@pytest.mark.parametrize(
    "changes",
    [{"SegmentationType": "OTHER"}, {"NumberOfFrames": 3}, {"SegmentSequence": []}],
    ids=lambda changes: next(iter(changes)),
)
def test_headers_that_contradict_themselves_are_damaged(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        read_segmentation(BINARY.content(**changes))


def test_no_mask_is_of_segment_0() -> None:
    with pytest.raises(InputError, match="numbers a segment 0"):
        read_segmentation(replace(BINARY, numbers=(0, 1)).content())


def test_no_frame_is_no_segmentation() -> None:
    with pytest.raises(InputError):
        read_segmentation(BINARY.content(NumberOfFrames=0, PerFrameFunctionalGroupsSequence=[]))


def test_no_room_in_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("isocenter.dicom.annotations.layers.np.zeros", full)
    with pytest.raises(TryLater, match="memory"):
        read_segmentation(BINARY.content())
    with pytest.raises(TryLater, match="memory"):
        read_fractions(FRACTIONS.content(MaximumFractionalValue=200))


def test_what_a_scan_found_is_read_within_an_archive_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        archive.writestr("objects/seg.dcm", BINARY.content(SeriesDescription="Things"))
    (found,) = scan(tmp_path).findings
    assert (found.kind, found.description, found.frame_of_reference_uid) == ("segmentation", "Things", FRAME)
    assert found.path.endswith("study.zip/objects/seg.dcm")
    assert_same(read_segmentation(found, grid=GRID), BINARY)


def test_other_objects_and_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file"):
        read_segmentation(tmp_path / "nothing.dcm")
    with pytest.raises(InputError, match="no DICOM"):
        read_segmentation(b"hello" * 100)
    with pytest.raises(InputError, match="no Segmentation"):
        read_segmentation(BINARY.content(SOPClassUID="1.2.840.10008.5.1.4.1.1.2"))
    with pytest.raises(UsageError, match="--on"):
        read_segmentation(BINARY.content(SOPClassUID="1.2.840.10008.5.1.4.1.1.481.3"))
