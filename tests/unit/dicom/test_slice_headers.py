"""Slice headers: each slice of whatever images has its place and its frame, and derived objects refer to just that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from isocenter import codes
from isocenter.dicom.annotations.segmentation import read_segmentation
from isocenter.dicom.derived import capture, pdf, seg, slice_headers, sr
from isocenter.dicom.derived.headers import Headers
from isocenter.dicom.derived.making import Making
from isocenter.dicom.derived.writing import write
from isocenter.dicom.frames.instance import Instance
from isocenter.dicom.scan import scan
from isocenter.dicom.sorting.series import Series
from isocenter.findings import Algorithm, Measurement, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.testing.dicom import uid_of, write_series
from isocenter.testing.multiframe import Many, Stack, write_many
from isocenter.testing.tiled import write_mosaic, write_nm
from isocenter.testing.truth import Ramp
from isocenter.volume import Source

VALUE = Ramp(40.0)
GRID = Grid.from_vectors((6, 5, 4), spacing_mm=(3.0, 1.5, 1.25), origin_mm=(-7.0, 11.0, 95.5))
SHUFFLED = (3, 0, 5, 1, 4, 2)
MANY = Many(order=SHUFFLED)


def part_of(grid: Grid, start: int, stop: int) -> Grid:
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_world((start, 0, 0))
    return Grid((stop - start, *grid.shape[1:]), affine, grid.frame_of_reference_uid)


def tilted(grid: Grid) -> Grid:
    affine = grid.affine.copy()
    affine[1, 0] += 0.7
    return Grid(grid.shape, affine, grid.frame_of_reference_uid)


def write_two(folder: Path) -> None:
    for number, (start, stop) in enumerate([(0, 4), (4, 6)], start=1):
        uids = {"SOPInstanceUID": uid_of("file", number), "InstanceNumber": number}
        write_many([Stack(VALUE, part_of(GRID, start, stop))], folder / f"{number}.dcm", many=Many(attributes=uids))


def write_one_each(folder: Path) -> None:
    for k in range(len(SHUFFLED)):
        many = Many(attributes={"SOPInstanceUID": uid_of("file", k)})
        write_many([Stack(VALUE, part_of(GRID, k, k + 1))], folder / f"{k}.dcm", many=many)


def write_enhanced(folder: Path, *, many: Many = MANY, grid: Grid = GRID) -> None:
    write_many([Stack(VALUE, grid)], folder / "many.dcm", many=many)


def write_single(folder: Path) -> None:
    write_series(np.zeros(GRID.shape, np.int16), GRID, folder)


@dataclass(frozen=True)
class Kind:
    """How the slices of the grid are written, and in which frame each of them then is."""

    write: Callable[[Path], object]
    frames: tuple[int | None, ...]
    files: int = 1


IN_SHUFFLED = tuple(SHUFFLED.index(k) + 1 for k in range(6))
KINDS = {
    "enhanced": Kind(write_enhanced, IN_SHUFFLED),
    "tilted": Kind(partial(write_enhanced, grid=tilted(GRID)), IN_SHUFFLED),
    "legacy converted": Kind(partial(write_enhanced, many=Many(kind="legacy CT")), (1, 2, 3, 4, 5, 6)),
    "all in its own groups": Kind(partial(write_enhanced, many=Many(shared=frozenset())), (1, 2, 3, 4, 5, 6)),
    "two files": Kind(write_two, (1, 2, 3, 4, 1, 2), files=2),
    "files of one frame": Kind(write_one_each, (None,) * 6, files=6),
    "nuclear medicine": Kind(lambda folder: write_nm(VALUE, GRID, folder / "nm.dcm"), (1, 2, 3, 4, 5, 6)),
    "mosaic": Kind(lambda folder: write_mosaic(VALUE, GRID, folder / "mosaic.dcm"), (None,) * 6),
    "single frames": Kind(write_single, (None,) * 6, files=6),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def series(kind: Kind, tmp_path: Path) -> Series:
    kind.write(tmp_path / "study")
    (found,) = scan(tmp_path / "study")
    assert found.verdict.usable
    return found


def found_on(grid: Grid) -> Segmentation:
    """A pattern of its own in each slice but the third, where there is nothing."""
    k, r, c = np.ogrid[: grid.shape[0], : grid.shape[1], : grid.shape[2]]
    labels = ((r + 2 * c + 3 * k) % 5 < 2).astype(np.uint8)
    labels[2] = 0
    segment = Segment("lung_right", 1, "Right lung", codes.RIGHT_LUNG)
    return Segmentation((labels,), grid, (segment,), Algorithm("pattern", "1"))


def objects_of(headers: Headers, grid: Grid, making: Making, encoding: seg.Encoding) -> tuple[Dataset, ...]:
    found = found_on(grid)
    made = seg.make(found, headers, making, encoding=encoding)
    value = Measurement("volume", "Volume", found.volume_ml("lung_right"), codes.ML, codes.VOLUME, ("lung_right",))
    report = sr.make([value], headers, making, segmentation=found, seg=made)
    return made, report, pdf.make(b"%PDF-1.4\n%%EOF", headers, making, title="x")


def within(dataset: Dataset) -> Iterator[Dataset]:
    for item in dataset.get("ContentSequence", []):
        yield item
        yield from within(item)


def test_each_slice_has_its_place_and_its_frame(kind: Kind, series: Series) -> None:
    headers = slice_headers.of_series(series)
    assert [reference.frames for reference in headers.references] == [() if n is None else (n,) for n in kind.frames]
    assert [h.SOPInstanceUID for h in headers] == [frame.instance.sop_instance_uid for frame in series.frames]
    assert len({str(h.SOPInstanceUID) for h in headers}) == kind.files
    assert series.grid is not None
    for k, header in enumerate(headers):
        np.testing.assert_allclose(header.ImagePositionPatient, series.grid.to_world((k, 0, 0)), atol=1e-6)
        np.testing.assert_allclose(header.PixelSpacing, series.grid.spacing_mm[1:], atol=1e-6)
        assert (header.Rows, header.Columns) == series.grid.shape[1:]
        assert float(header.SliceThickness) == pytest.approx(series.grid.spacing_mm[0])


@pytest.mark.parametrize("encoding", seg.Encoding)
def test_a_seg_refers_to_the_frame_that_lies_where_its_own_does(
    series: Series, making: Making, tmp_path: Path, encoding: seg.Encoding
) -> None:
    assert series.grid is not None
    found = found_on(series.grid)
    made = seg.make(found, slice_headers.of_series(series), making, encoding=encoding)
    write(made, tmp_path / "seg.dcm", check=partial(seg.check, segmentation=found))
    back = read_segmentation(tmp_path / "seg.dcm", grid=series.grid)
    assert np.array_equal(back.mask("lung_right"), found.mask("lung_right"))
    frames = [frame if frame.instance.format.frames > 1 else replace(frame, number=1) for frame in series.frames]
    sources = [Source(frame.instance.sop_instance_uid, frame.number) for frame in frames]
    assert list(back.sources) == [source if k != 2 else None for k, source in enumerate(sources)]


def test_every_file_is_named_once_and_with_its_frames(kind: Kind, series: Series, making: Making) -> None:
    assert series.grid is not None
    headers = slice_headers.of_series(series)
    made, report, document = objects_of(headers, series.grid, making, seg.Encoding.BINARY)
    uids = [instance.sop_instance_uid for instance in series.instances]
    per_file: dict[str, list[int]] = {uid: [] for uid in uids}
    for frame, number in zip(series.frames, kind.frames, strict=True):
        per_file[frame.instance.sop_instance_uid] += [] if number is None else [number]
    images = [item.ReferencedSOPSequence[0] for item in within(report) if item.ValueType == "IMAGE"]
    images = [item for item in images if "ReferencedSegmentNumber" not in item]
    for items in (made.SourceImageSequence, images):
        assert {str(item.ReferencedSOPInstanceUID): numbers(item) for item in items} == {
            uid: sorted(frames) for uid, frames in per_file.items()
        }
    plain = (
        made.ReferencedSeriesSequence[0].ReferencedInstanceSequence,
        report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence,
        document.SourceInstanceSequence,
    )
    for items in plain:
        assert [str(item.ReferencedSOPInstanceUID) for item in items] == uids
        assert not any("ReferencedFrameNumber" in item for item in items)


def numbers(item: Dataset) -> list[int]:
    value = item.get("ReferencedFrameNumber", [])
    return [int(value)] if isinstance(value, (int, str)) else [int(number) for number in value]


def test_validators_have_nothing_against_the_objects(
    series: Series, making: Making, tmp_path: Path, complaints: Callable[[Path], list[str]]
) -> None:
    assert series.grid is not None
    made, report, document = objects_of(slice_headers.of_series(series), series.grid, making, seg.Encoding.BINARY)
    for name, dataset in {"seg": made, "sr": report, "pdf": document}.items():
        written = write(dataset, tmp_path / f"{name}.dcm", check=lambda back: None)
        assert [line for line in complaints(written.path) if not line.startswith("Warning")] == []


def test_a_header_is_read_once_for_all_frames(kind: Kind, series: Series, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: Counter[str] = Counter()
    read = Instance.dataset

    def counted(instance: Instance) -> Dataset:
        asked[instance.path] += 1
        return read(instance)

    monkeypatch.setattr(Instance, "dataset", counted)
    slice_headers.of_series(series)
    assert list(asked.values()) == [1] * kind.files


def test_two_volumes_of_one_file_give_objects_of_their_own(tmp_path: Path, making: Making) -> None:
    stacks = [Stack(VALUE, GRID, time=time) for time in (1, 2)]
    write_many(stacks, tmp_path / "many.dcm", many=Many(kind="MR", rescale=None))
    first, second = (slice_headers.of_series(one) for one in scan(tmp_path))
    assert [one.references[0].frames for one in (first, second)] == [(1,), (7,)]
    uids = [
        one.SOPInstanceUID for part in (first, second) for one in objects_of(part, GRID, making, seg.Encoding.BINARY)
    ]
    assert len(set(uids)) == len(uids)


def test_a_key_image_names_the_frames_of_what_it_shows(tmp_path: Path, making: Making) -> None:
    write_enhanced(tmp_path)
    (series,) = scan(tmp_path)
    shown = capture.Capture(np.zeros((8, 8, 3), np.uint8), "x", (series.instances[0].sop_instance_uid,))
    (made,) = capture.make([shown], slice_headers.of_series(series), making)
    (item,) = made.SourceImageSequence
    assert item.ReferencedSOPInstanceUID == series.instances[0].sop_instance_uid
    assert numbers(item) == [1, 2, 3, 4, 5, 6]
