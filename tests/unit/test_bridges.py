import numpy as np
import pytest

from isocenter import bridges, codes
from isocenter.errors import UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.volume import Volume

GRID = Grid.from_vectors((6, 8, 10), spacing_mm=(3, 2, 1))
VALUES = np.arange(480, dtype=np.int16).reshape(GRID.shape)
CT = Volume(VALUES, GRID, codes.HU, modality="CT")
LABELS = Segmentation.of(VALUES > 300, CT, [Segment.named("high")], Algorithm("a", "1"))


def test_a_subject_moves_image_and_labels_alike():
    torchio = pytest.importorskip("torchio")
    subject = bridges.to_subject(ct=CT, high=LABELS)
    assert isinstance(subject.high, torchio.LabelMap)
    flipped = torchio.Flip(axes=("LR", "IS"))(subject)
    back = bridges.from_torchio(flipped.ct).array
    np.testing.assert_array_equal(back > 300, bridges.from_torchio(flipped.high).array == 1)
    assert not np.array_equal(back, VALUES)
    sheared = GRID.affine.copy()
    sheared[1, 0] = 2
    with pytest.raises(UsageError, match="sheared"):
        bridges.to_subject(ct=Volume(VALUES, Grid(GRID.shape, sheared)))


def test_metatensors_are_items_of_a_cache_dataset():
    pytest.importorskip("monai")
    from monai.data import CacheDataset
    from monai.transforms import CenterSpatialCropd

    items = [bridges.to_metatensors(image=CT, label=LABELS)]
    (item,) = CacheDataset(items, CenterSpatialCropd(["image", "label"], (4, 4, 4)), progress=False)
    image, label = bridges.from_metatensor(item["image"]), bridges.from_metatensor(item["label"])
    np.testing.assert_array_equal(image.array, VALUES[1:5, 2:6, 3:7])
    np.testing.assert_array_equal(label.array == 1, image.array > 300)
    np.testing.assert_allclose(image.grid.origin_mm, GRID.to_world((1, 2, 3)))
