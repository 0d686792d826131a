import sys

import numpy as np
import pytest

from isocenter.errors import InputError, MissingExtra, UsageError
from isocenter.formats import save
from isocenter.ops.registration import Transform, load_transform, save_transform
from isocenter.reasons import Reason

from .phantoms import painted
from .test_transform import BENT, FIXED, MOVING, TURN


@pytest.mark.parametrize("transform", [TURN, BENT.with_reasons([Reason("FOLDED", "It folds.", ("1.2",))])])
def test_a_transform_comes_back_as_it_was_saved(transform, tmp_path):
    save_transform(transform, tmp_path / "t.npz")
    back = load_transform(tmp_path / "t.npz")
    np.testing.assert_array_equal(back.affine, transform.affine)
    assert (back.fixed, back.moving, back.reasons) == (FIXED, MOVING, transform.reasons)
    if transform.displacement is None:
        assert back.displacement is None
    else:
        assert back.displacement.grid == transform.displacement.grid
        np.testing.assert_array_equal(back.displacement.array, transform.displacement.array)
    save_transform(back, tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "t.npz").read_bytes()


@pytest.mark.parametrize("ending", [".tfm", ".h5"])
@pytest.mark.parametrize("transform", [TURN, BENT])
def test_itk_reads_the_same_map(transform, ending, tmp_path):
    import SimpleITK as sitk  # noqa: N813

    save_transform(transform, tmp_path / f"t{ending}")
    theirs = sitk.ReadTransform(str(tmp_path / f"t{ending}"))
    points = np.random.default_rng(0).uniform(-40, 40, (50, 3))
    np.testing.assert_allclose(transform.points(points), [theirs.TransformPoint(p.tolist()) for p in points], atol=1e-3)
    assert list(tmp_path.iterdir()) == [tmp_path / f"t{ending}"]


def test_simpleitk_resamples_by_it_to_the_same_image(tmp_path):
    import SimpleITK as sitk  # noqa: N813

    from isocenter.bridges import to_simpleitk

    moving = painted(MOVING)
    for transform in (TURN, BENT):
        save_transform(transform, tmp_path / "t.tfm")
        theirs = sitk.Resample(
            sitk.Cast(to_simpleitk(moving), sitk.sitkFloat32),
            to_simpleitk(painted(FIXED)),
            sitk.ReadTransform(str(tmp_path / "t.tfm")),
            sitk.sitkLinear,
            -1024.0,
        )
        ours = transform.apply(moving.with_array(moving.array.astype(np.float32)))
        apart = np.abs(sitk.GetArrayFromImage(theirs) - ours.array)
        assert np.mean(apart > 1) < 1e-3


def test_what_is_no_transform_says_so(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="no file"):
        load_transform(tmp_path / "none.npz")
    save(painted(FIXED), tmp_path / "image.npz")
    with pytest.raises(InputError, match="volume"):
        load_transform(tmp_path / "image.npz")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "image.npz").read_bytes()[:200])
    (tmp_path / "text.npz").write_text("no")
    for name in ("cut.npz", "text.npz"):
        with pytest.raises(InputError, match="damaged"):
            load_transform(tmp_path / name)
    with pytest.raises(UsageError, match=r"\.npz"):
        save_transform(TURN, tmp_path / "t.txt")
    with pytest.raises(UsageError, match="Transform"):
        save_transform(np.eye(4), tmp_path / "t.npz")
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(MissingExtra, match="sitk"):
        save_transform(Transform(np.eye(4), FIXED, MOVING), tmp_path / "t.tfm")
