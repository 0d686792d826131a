"""Skin tone of a photograph, estimated where nobody stated it: by the individual typology angle (ITA).

Light and the camera change colours more than a step of the scale, so an estimate is a guess, with a reason. A stated
tone (Fitzpatrick, Monk) is an attribute like any other, and always better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError, expect
from isocenter.findings import Segmentation
from isocenter.ops.lattice import expect_one_grid
from isocenter.reasons import Reason
from isocenter.volume import Volume

_LEAST = 500
_TONES = ((55.0, "very light"), (41.0, "light"), (28.0, "intermediate"), (10.0, "tan"), (-30.0, "brown"))
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])  # D65


@dataclass(frozen=True, slots=True)
class SkinTone:
    """An estimated skin tone.

    Parameters
    ----------
    ita_degrees
        Individual typology angle: arctan((L* - 50) / b*) of the median skin pixel; the greater, the lighter.
    tone
        Its class (Chardon 1991, Del Bino 2006): very light, light, intermediate, tan, brown or dark.
    pixels
        How many pixels it was estimated from.
    reasons
        That it is an estimate.
    """

    ita_degrees: float
    tone: str
    pixels: int
    reasons: tuple[Reason, ...]


def skin_tone(photo: Volume, lesion: Segmentation | None = None) -> SkinTone | None:
    """Skin tone of a photograph from its skin pixels, without those of a lesion.

    Pixels are skin by their colour (a hue between red and yellow, neither grey nor glaring).

    Parameters
    ----------
    photo
        In colour: 8 bits a sample, sRGB.
    lesion
        What is left out of it; on the same grid.

    Returns
    -------
    The tone; None if fewer than 500 pixels are skin.

    Raises
    ------
    UsageError
        If the image is no photograph in colour, or the lesion lies on another grid.
    """
    expect(photo, Volume)
    if photo.axes != ("color",) or photo.array.shape[-1] != 3 or photo.array.dtype != np.uint8:
        raise UsageError("Skin tone is of a photograph in colour, with 8 bits a sample.")
    if lesion is not None:
        expect_one_grid(photo, lesion)
    pixels = photo.array if lesion is None else photo.array[~lesion.mask()]
    light, a, b = _lab(pixels.reshape(-1, 3)).T
    hue = np.degrees(np.arctan2(b, a))
    is_skin = (light > 10) & (light < 95) & (hue > 10) & (hue < 90) & (np.hypot(a, b) > 5)
    count = int(np.count_nonzero(is_skin))
    if count < _LEAST:
        return None
    angle = float(np.degrees(np.arctan2(np.median(light[is_skin]) - 50, np.median(b[is_skin]))))
    tone = next((name for least, name in _TONES if angle > least), "dark")
    text = f"The skin tone was estimated from {count} pixels: {tone}, ITA {angle:.0f} degrees."
    return SkinTone(angle, tone, count, (Reason("SKIN_TONE_ESTIMATED", text),))


def _lab(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """CIELAB (D65) of sRGB pixels (n, 3)."""
    values = np.arange(256) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    xyz = linear[pixels] @ _TO_XYZ.T / _WHITE
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    lab: npt.NDArray[np.float64] = np.stack(
        [116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1
    )
    return lab
