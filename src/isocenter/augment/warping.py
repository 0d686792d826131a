"""Compiled loops that move an image, its labels and all channels in one way through memory."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter.augment.counting import fast
from isocenter.augment.space import Pull
from isocenter.geometry import Triple
from isocenter.kernels import compiled, over_slices

Singles = npt.NDArray[np.float32]
Labels = npt.NDArray[Any]
Placing = Literal["nearest", "smooth"]


Places = npt.NDArray[np.uint64]  # not of signed numbers, for which a loop would look for counts from the end
Steps = tuple[np.uint64, np.uint64, np.uint64]
Bending = tuple[Singles, Singles, Singles, Singles]
"""Control points, and their weights along (slice, row, column); those of columns transposed."""
Row = tuple[Places, Singles, Steps]
"""For each voxel of a row the voxel before it, its shares (3, n) of the next ones, and the steps to these."""

exact = compiled(fastmath={"contract", "nsz"}, error_model="numpy")


def moved(images: Singles, labels: Labels, by: Pull, shape: Triple, placing: Placing) -> tuple[Singles, Labels]:
    """Images (channel, slice, row, column), linearly, and labels on a new shape; beyond the edge its values go on."""
    out = np.empty((len(images), *shape), np.float32)
    out_labels = np.empty(shape if labels.size else (0, 0, 0), labels.dtype)
    matrix, smooth = by.matrix.astype(np.float32), placing == "smooth"
    across, down, along = by.weights
    bending = (by.controls, across, down, np.ascontiguousarray(along.T))

    def work(start: int, stop: int) -> None:
        _move((images, out), (labels, out_labels), matrix, bending, (start, stop, int(smooth)))

    over_slices(work, shape)
    return out, out_labels


@fast
def _move(
    images: tuple[Singles, Singles], labels: tuple[Labels, Labels], matrix: Singles, bending: Bending, how: Triple
) -> None:
    """Rows of places first, which are plain arithmetic, then what lies there, which is gathered from memory."""
    values, out = images
    ends, (channels, _, rows, columns) = values.shape[1:], out.shape
    steps = (
        np.uint64(ends[1] * ends[2] if ends[0] > 1 else 0),
        np.uint64(ends[2] if ends[1] > 1 else 0),
        np.uint64(1 if ends[2] > 1 else 0),
    )
    places, shares = np.empty((3, columns), np.float32), np.empty((3, columns), np.float32)
    first = np.empty(columns, np.uint64)
    sheet = np.empty((3, *bending[0].shape[2:]), np.float32)
    flat, flat_labels = values.reshape(channels, -1), labels[0].reshape(-1)
    for k in range(how[0], how[1]):
        weighed(bending[1][k], bending[0], sheet)
        for r in range(rows):
            _place(places, matrix, bending, sheet, (k, r))
            _split(places, first, shares, ends, steps)
            row = (first, shares, steps)
            for n in range(channels):
                _gather(flat[n], row, out[n, k, r])
            if flat_labels.size and how[2]:
                _vote(flat_labels, row, labels[1][k, r])
            elif flat_labels.size:
                _nearest(flat_labels, row, labels[1][k, r])


@fast
def weighed(weights: Singles, controls: Singles, into: Singles) -> None:
    """The sum of controls (component, m, n, o) by weights (m), few of which are not 0."""
    into[:] = 0
    for i in range(weights.size):
        weight = weights[i]
        if weight != 0:
            for a in range(into.shape[0]):
                for j in range(into.shape[1]):
                    for c in range(into.shape[2]):
                        into[a, j, c] += weight * controls[a, i, j, c]


@fast
def spread(along: Singles, down: Singles, sheet: Singles, into: Singles) -> None:
    """A row (columns) of a field is added: its sheet (m, n) by weights down (m), then along (n, columns)."""
    for j in range(along.shape[0]):
        control = np.float32(0)
        for i in range(down.size):
            control += down[i] * sheet[i, j]
        weights = along[j]
        for c in range(into.size):
            into[c] += control * weights[c]


@fast
def _place(places: Singles, matrix: Singles, bending: Bending, sheet: Singles, at: tuple[int, int]) -> None:
    """Where the voxels of a row lie in the old image."""
    k, r = at
    for a in range(3):
        begin, step = matrix[a, 0] * np.float32(k) + matrix[a, 1] * np.float32(r) + matrix[a, 3], matrix[a, 2]
        line = places[a]
        for c in range(line.size):
            line[c] = begin + step * np.float32(c)
        spread(bending[3], bending[2][r], sheet[a], line)


@fast
def _split(places: Singles, first: Places, shares: Singles, ends: Triple, steps: Steps) -> None:
    """Places as voxels before them and shares of the next."""
    first[:] = 0
    for a in range(3):
        last, most, step = np.float32(ends[a] - 1), np.int32(max(ends[a] - 2, 0)), steps[a]
        place, share = places[a], shares[a]
        for c in range(first.size):
            inside = min(max(place[c], np.float32(0)), last)
            cell = min(np.int32(inside), most)
            share[c] = inside - np.float32(cell)
            first[c] += np.uint64(cell) * step


@exact
def _gather(values: Singles, row: Row, out: Singles) -> None:
    """Shares of both sides, so that a place on a voxel gives just its value."""
    first, shares, (dk, dr, dc) = row
    for c in range(out.size):
        i = first[c]
        u, v, w = shares[0, c], shares[1, c], shares[2, c]
        v0, w0 = np.float32(1) - v, np.float32(1) - w
        near = v0 * (w0 * values[i] + w * values[i + dc]) + v * (w0 * values[i + dr] + w * values[i + dr + dc])
        i += dk
        far = v0 * (w0 * values[i] + w * values[i + dc]) + v * (w0 * values[i + dr] + w * values[i + dr + dc])
        out[c] = (np.float32(1) - u) * near + u * far


@fast
def _nearest(labels: Labels, row: Row, out: Labels) -> None:
    first, shares, steps = row
    (dk, dr, dc), none, half = steps, np.uint64(0), np.float32(0.5)
    for c in range(out.size):
        place = first[c] + (dk if shares[0, c] >= half else none) + (dr if shares[1, c] >= half else none)
        out[c] = labels[place + (dc if shares[2, c] >= half else none)]


@fast
def _vote(labels: Labels, row: Row, out: Labels) -> None:
    """The label with the greatest share of the eight voxels around; the first met of equals."""
    first, shares, steps = row
    found = np.empty(8, labels.dtype)
    share = np.empty(8, np.float32)
    for c in range(out.size):
        for corner in range(8):
            place, weight = first[c], np.float32(1)
            for a in range(3):
                if corner >> (2 - a) & 1:
                    place += steps[a]
                    weight *= shares[a, c]
                else:
                    weight *= np.float32(1) - shares[a, c]
            found[corner], share[corner] = labels[place], weight
        best, most = found[0], np.float32(-1)
        for one in range(8):
            total = np.float32(0)
            for other in range(8):
                if found[other] == found[one]:
                    total += share[other]
            if total > most:
                best, most = found[one], total
        out[c] = best
