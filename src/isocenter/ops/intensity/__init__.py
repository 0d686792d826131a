"""Mapping values: windows, common scales, histogram standards, bias fields, contrast. No voxel is moved.

======================  ==============================================================================================
`windowed`              through a window or lookup table, to 0 .. 1 (PS3.3 C.11.2)
`clipped`               cut off below and above
`rescaled`              stretched from two values to others
`percentile_rescaled`   the same from two percentiles
`zscored`               less the mean, over the standard deviation
`quantised`             into bins, by width or count
`learn_standard`        a histogram standard of several images (Nyúl and Udupa), with ``apply``
`bias_corrected`        without the slow shading of MR coils (N4)
`equalised`             contrast-limited adaptive histogram equalisation (CLAHE)
======================  ==============================================================================================
"""

from isocenter.ops.intensity.bias import bias_corrected
from isocenter.ops.intensity.bins import quantised
from isocenter.ops.intensity.contrast import equalised
from isocenter.ops.intensity.display import to_grey, windowed
from isocenter.ops.intensity.scale import clipped, percentile_rescaled, percentiles, rescaled, zscored
from isocenter.ops.intensity.standard import Standard, learn_standard
from isocenter.windows import PRESETS, LookupTable, Window, preset

__all__ = [
    "PRESETS",
    "LookupTable",
    "Standard",
    "Window",
    "bias_corrected",
    "clipped",
    "equalised",
    "learn_standard",
    "percentile_rescaled",
    "percentiles",
    "preset",
    "quantised",
    "rescaled",
    "to_grey",
    "windowed",
    "zscored",
]
