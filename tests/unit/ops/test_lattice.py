from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import UsageError
from isocenter.geometry import Grid, Space
from isocenter.ops.lattice import each, spacing_of
from isocenter.volume import Volume


def test_a_picture_of_unknown_size_has_no_spacing() -> None:
    with pytest.raises(UsageError, match="unknown"):
        spacing_of(Grid((1, 4, 4), np.eye(4), space=Space.PIXEL))


def test_a_sheared_stack_has_no_spacing() -> None:
    affine = np.eye(4)
    affine[1, 0] = 0.3
    with pytest.raises(UsageError, match="sheared"):
        spacing_of(Grid((4, 4, 4), affine))


def test_each_time_point_is_worked_on_by_itself() -> None:
    array = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    volume = Volume(array, Grid((2, 3, 4), np.eye(4)), axes=("time",))
    shown = each(volume, lambda part: part - part.min())
    np.testing.assert_array_equal(shown, array - np.arange(5))
