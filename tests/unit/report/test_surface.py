from __future__ import annotations

import numpy as np
import pytest

from isocenter import codes
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.report.surface import coarse, surface

BODY = Segment("body", 1, "Body", codes.BODY, color=(90, 90, 230))
MARK = Segment("mark", 2, "Mark", codes.BONE, color=(240, 60, 60))


def marked(*boxes):
    """A cube of 100 mm with marks on its surface, in a standard axial stack (head to feet, front to back, to left)."""
    labels = np.zeros((60, 60, 60), np.uint8)
    labels[5:55, 5:55, 5:55] = BODY.label
    for box in boxes:
        labels[tuple(slice(a, b) for a, b in box)] = MARK.label
    grid = Grid.from_vectors(labels.shape, spacing_mm=(2, 2, 2))
    return Segmentation((labels,), grid, (BODY, MARK), Algorithm("made up", "1"))


def views(figure):
    """The four views, cut apart, without the legend."""
    rows = figure.image.shape[0] - 54
    width = (figure.image.shape[1] - 18) // 4
    return [figure.image[:rows, n * (width + 6) : n * (width + 6) + width].astype(int) for n in range(4)]


def red(view):
    return (view[..., 0] > 1.6 * view[..., 2]) & (view[..., 0] > 90)


HEAD, FEET, FRONT, BACK, RIGHT, LEFT = (8, 20), (40, 52), (2, 8), (52, 58), (8, 20), (40, 52)


@pytest.mark.parametrize(
    ("box", "view", "upper", "on_the_left"),
    [
        ((HEAD, FRONT, RIGHT), 0, True, True),  # from the front: the patient's right is on the left
        ((FEET, FRONT, LEFT), 0, False, False),
        ((HEAD, BACK, RIGHT), 2, True, False),  # from behind: it is on the right
        ((FEET, BACK, LEFT), 2, False, True),
        ((HEAD, (40, 52), (2, 8)), 1, True, True),  # from the right: the back is on the left
        ((FEET, (8, 20), (2, 8)), 1, False, False),
        ((HEAD, (8, 20), (52, 58)), 3, True, True),  # from the left: the front is on the left
        ((FEET, (40, 52), (52, 58)), 3, False, False),
    ],
)
def test_a_mark_is_seen_from_its_side_alone_and_in_its_corner(box, view, upper, on_the_left):
    seen = [red(one) for one in views(surface(marked(box)))]
    opposite = (view + 2) % 4
    rows, columns = np.nonzero(seen[view])
    assert len(rows) > 300
    assert seen[opposite].sum() < 0.05 * len(rows)
    height, width = seen[view].shape
    assert bool(rows.mean() < height / 2) is upper
    assert bool(columns.mean() < width / 2) is on_the_left


def test_the_coarse_copy_lies_where_the_segments_lie():
    found = marked(((8, 20), (2, 8), (8, 20)))
    block = coarse(found)
    assert block.segments == (BODY, MARK)
    for segment, mask in zip(block.segments, block.masks, strict=True):
        mine = block.grid.to_world(np.argwhere(mask)).mean(axis=0)
        true = found.grid.to_world(np.argwhere(found.array == segment.label)).mean(axis=0)
        np.testing.assert_allclose(mine, true, atol=1.1)


def test_nothing_gives_no_picture():
    empty = Segmentation((np.zeros((4, 4, 4), np.uint8),), Grid.from_vectors((4, 4, 4)), (BODY,), Algorithm("m", "1"))
    assert surface(empty) is None


def test_overlapping_layers_are_drawn():
    one = marked().array
    both = Segmentation(
        (one, (one > 0).astype(np.uint8)),
        Grid.from_vectors(one.shape),
        (BODY, Segment("other", 1, "Other", codes.BONE, layer=1)),
        Algorithm("made up", "1"),
    )
    assert surface(both) is not None


def test_the_picture_is_as_large_as_its_scale_bar_says():
    front = views(surface(marked()))[0]
    rows, columns = front.shape[:2]
    bar = np.flatnonzero(front[rows - 12].max(axis=1) > 200)
    body = np.flatnonzero(front[rows // 2, 40 : columns - 40].max(axis=1) > 30)
    assert np.ptp(body) / np.ptp(bar) == pytest.approx(100 / 20, rel=0.04)  # 100 mm of body, a bar of 2 cm


def test_of_many_segments_the_largest_are_drawn_and_the_caption_says_so():
    labels = np.zeros((40, 40, 40), np.uint8)
    places = [(k, r, c) for k in (2, 15, 28) for r in (2, 15, 28) for c in (2, 15, 28)]
    for number, (k, r, c) in enumerate(places, 1):
        size = 10 if number % 9 else 4
        labels[k : k + size, r : r + size, c : c + size] = number
    segments = tuple(Segment(f"s{n}", n, f"S{n}", codes.BONE, color=(240, 60, 60)) for n in range(1, 28))
    grid = Grid.from_vectors(labels.shape, spacing_mm=(2, 2, 2))
    found = Segmentation((labels,), grid, segments, Algorithm("made up", "1"))
    block = coarse(found)
    assert [segment.label for segment in block.segments] == [n for n in range(1, 28) if n % 9]
    assert "the 24 largest of 27 segments" in surface(found).caption
    assert "largest" not in surface(found.only("s1", "s9")).caption


def test_segments_all_over_each_other_are_drawn_on_larger_cubes(monkeypatch):
    monkeypatch.setattr("isocenter.report.surface._MOST_SMOOTHED", 30_000)
    block = coarse(marked(((2, 58), (2, 8), (2, 58))))
    assert block.grid.spacing_mm[0] > 2.5
    assert all(mask.any() for mask in block.masks)
