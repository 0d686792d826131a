"""Pictures: figures of images and of what was found in them, in radiological convention.

=======================  ===========================================================================================
:func:`section`          one slice, with segments as outlines or filled
:func:`planes`           axial, coronal and sagittal through one point
:func:`mosaic`           many slices of one plane
:func:`histogram`        how the values of each segment, or of all voxels, are distributed
:func:`slab`             a volume whose slices show the most, least or mean over a thickness (MIP, MinIP, average)
:func:`fused`            one image in colour over another in grey, such as PET over CT
:func:`checkerboard`     two images in turn, to judge how well they fit
:func:`difference`       one image less another
:func:`joint_histogram`  which values of two images meet
:func:`solid`            surfaces of segments in three dimensions, without a display
:func:`viewer`           an interactive view in a notebook (extra ``jupyter``)
=======================  ===========================================================================================

Each but the last two lines of the table before returns a :class:`~isocenter.report.figure.Figure`, which a notebook
shows, and ``figure.save("x.png")`` writes. The patient's right is on the left of axial and coronal pictures; letters
say so. Pixels are square, whatever the voxels are. The window is written on each picture.
"""

from isocenter.ops.slabs import slab
from isocenter.report.figure import Figure
from isocenter.report.pictures.comparison import checkerboard, difference, joint_histogram
from isocenter.report.pictures.distribution import histogram
from isocenter.report.pictures.fusion import fused
from isocenter.report.pictures.notebook import viewer
from isocenter.report.pictures.slices import mosaic, planes, section
from isocenter.report.pictures.solids import solid

__all__ = [
    "Figure",
    "checkerboard",
    "difference",
    "fused",
    "histogram",
    "joint_histogram",
    "mosaic",
    "planes",
    "section",
    "slab",
    "solid",
    "viewer",
]
