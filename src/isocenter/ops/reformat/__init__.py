"""Views of a volume along other planes than its own, and the volume itself turned.

=========== ===================================================================================
``plane``   the grid of a plane through a point: axial, coronal, sagittal, oblique
``section`` the image on such a plane, of single points or of a slab around it (MPR)
``Curve``   a smooth curve through points, such as the middle of a vessel
``curved``  the image along a curve, straightened or stretched flat
``rotated`` the image turned about an axis through a point
``moved``   the image carried along by any affine of the world
=========== ===================================================================================
"""

from isocenter.ops.reformat.curves import Curve, curved
from isocenter.ops.reformat.planes import plane, section
from isocenter.ops.reformat.turning import moved, rotated

__all__ = ["Curve", "curved", "moved", "plane", "rotated", "section"]
