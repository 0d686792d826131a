"""Augmentation: other images that could have been taken, with their labels and points, sampled and then applied.

How it is used in learning::

    chain = augment.preset("MR", mirror_axes=plan.mirror_axes)         # or augment.Augmentation((Affine(), Noise()))
    scale = augment.Scale(plan.spacing_mm)                             # values in standard deviations, as z-scored
    scale = augment.Scale(plan.spacing_mm, zero=-mean / deviation, one=1 / deviation)   # a CT's: "CT" is in HU
    drawn = chain.sample(rng)                                          # frozen, JSON-able: the same each time
    images, labels, _ = drawn.apply(images, labels, scale=scale)       # float32 (channel, slice, row, column), uint8
    images, labels, _ = drawn.apply(whole, whole_labels, scale=scale, window=augment.Window(start, patch))

The last line cuts a patch out of a whole image in the same resampling, with no false edges. One slice is an image of
two dimensions. Labels may be of any integer type (slice, row, column). ``on_torch`` does the same on a GPU.

==================================================================== ==================================================
:class:`Affine`, :class:`Elastic`, :class:`Flip`                     what moves it, as one resampling
:class:`Shift`, :class:`Gain`, :class:`Contrast`, :class:`Gamma`,    how bright things are
:class:`BiasField`
:class:`Blur`, :class:`LowResolution`, :class:`Ghosting`,            how it was taken
:class:`Motion`
:class:`Noise`, :class:`RicianNoise`, :class:`DoseNoise`,            what the scanner adds
:class:`Spikes`
:class:`Augmentation`, :class:`Drawn`, :class:`Augmented`            a chain; one drawing of it; what came out
:class:`Scale`, :class:`Window`                                      what axes and values stand for; the part wanted
:func:`preset`                                                       a chain for CT, MR or photographs
:func:`augmented`                                                    a drawing done to a Volume and its Segmentation
:func:`torchio`, :func:`monai`                                       their transforms as steps
==================================================================== ==================================================
"""

from isocenter.augment.acquisition import Blur, Ghosting, LowResolution, Motion
from isocenter.augment.chain import Augmentation, Augmented, Drawn, Window
from isocenter.augment.contrast import BiasField, Contrast, Gain, Gamma, Shift
from isocenter.augment.images import AugmentedImage, augmented
from isocenter.augment.noise import DoseNoise, Noise, RicianNoise, Spikes
from isocenter.augment.presets import preset
from isocenter.augment.scale import Scale
from isocenter.augment.space import Affine, Elastic, Flip
from isocenter.augment.strangers import monai, torchio

__all__ = [
    "Affine",
    "Augmentation",
    "Augmented",
    "AugmentedImage",
    "BiasField",
    "Blur",
    "Contrast",
    "DoseNoise",
    "Drawn",
    "Elastic",
    "Flip",
    "Gain",
    "Gamma",
    "Ghosting",
    "LowResolution",
    "Motion",
    "Noise",
    "RicianNoise",
    "Scale",
    "Shift",
    "Spikes",
    "Window",
    "augmented",
    "monai",
    "preset",
    "torchio",
]
