"""Augmentations for learning, by modality: what differs between two images of one kind of patient and scanner."""

from __future__ import annotations

from typing import Literal

from isocenter.augment.acquisition import Blur, Ghosting, LowResolution, Motion
from isocenter.augment.chain import Augmentation
from isocenter.augment.contrast import BiasField, Contrast, Gain, Gamma, Shift
from isocenter.augment.drawing import Step
from isocenter.augment.noise import DoseNoise, Noise, RicianNoise, Spikes
from isocenter.augment.space import Affine, Elastic, Flip
from isocenter.errors import expect_word

Kind = Literal["CT", "MR", "photograph"]


def preset(kind: Kind, *, mirror_axes: tuple[int, ...] = ()) -> Augmentation:
    """The augmentation for learning from images of a kind.

    Parameters
    ----------
    kind
        ``"CT"``: sizes in HU, so ``Scale.one`` and ``zero`` must say what a HU is. ``"MR"``, ``"photograph"``: sizes
        in standard deviations of the image, as arrays have them after their z-score.
    mirror_axes
        Axes along which a mirrored image could be a real one with the same labels (``Plan.mirror_axes``).

    Raises
    ------
    UsageError
        If the kind is not known.
    """
    expect_word(kind, Kind, "The kind")
    flip: tuple[Step, ...] = (Flip(axes=mirror_axes),) if mirror_axes else ()
    return Augmentation((*flip, *_STEPS[kind]))


_STEPS: dict[str, tuple[Step, ...]] = {
    "CT": (
        Affine(rotation_degrees=(-15, 15), scale=(0.85, 1.15), translation_mm=(-5, 5), probability=0.8),
        Elastic(displacement_mm=(0, 6), control_mm=40, probability=0.3),
        Blur(sigma_mm=(0.2, 0.8), probability=0.15),
        LowResolution(thickness_mm=(2, 5), probability=0.15),
        Gain(factor=(0.98, 1.02), probability=0.3),
        Shift(size=(-10, 10), probability=0.3),
        DoseNoise(dose=(0.2, 1), noise_hu=12, grain_mm=(0.3, 0.9), probability=0.3),
    ),
    "MR": (
        Affine(
            rotation_degrees=(-15, 15), scale=(0.75, 1.3), shear_degrees=(-5, 5), translation_mm=(-4, 4), probability=1
        ),
        Elastic(displacement_mm=(0, 4), control_mm=16, probability=0.6),
        Gamma(exponent=(0.6, 1.7), probability=0.5),
        Contrast(factor=(0.65, 1.5), probability=0.4),
        Gain(factor=(0.75, 1.3), probability=0.4),
        BiasField(size=(0, 0.4), control_mm=30, probability=0.4),
        Blur(sigma_mm=(0.3, 1.0), probability=0.2),
        LowResolution(thickness_mm=(1.5, 3), probability=0.2),
        Ghosting(ghosts=(2, 6), strength=(0.1, 0.4), probability=0.05),
        Motion(translation_mm=(0.3, 1.5), moves=(1, 3), probability=0.05),
        Spikes(size=(0.1, 0.3), probability=0.03),
        RicianNoise(size=(0, 0.25), probability=0.4),
    ),
    "photograph": (
        Affine(rotation_degrees=(-15, 15), scale=(0.8, 1.25), shear_degrees=(-5, 5), probability=0.8),
        Gamma(exponent=(0.7, 1.5), probability=0.3),
        Contrast(factor=(0.75, 1.25), probability=0.3),
        Gain(factor=(0.85, 1.15), probability=0.3),
        Blur(sigma_mm=(0.3, 1.5), probability=0.15),
        Noise(size=(0, 0.1), probability=0.2),
    ),
}
