"""Registration: where one image lies in another, how sure that is, and what follows from it.

=========================  =============================================================================================
:func:`register`           the transform from a fixed to a moving image, with its quality and reasons
:class:`Transform`         a map between two patient worlds: points, images, masks; inverse, composition, Jacobian
:func:`save_transform`     a transform as one file, or for ITK
:func:`load_transform`     the transform of a file
:func:`by_frame`           images that share a frame of reference, without registration
:func:`change`             what became of each structure between two scans
=========================  =============================================================================================
"""

from isocenter.ops.registration.change import Change, change
from isocenter.ops.registration.demons import Stiffness
from isocenter.ops.registration.frames import by_frame
from isocenter.ops.registration.quality import Quality
from isocenter.ops.registration.registering import Registration, Settings, register
from isocenter.ops.registration.storage import load_transform, save_transform
from isocenter.ops.registration.transform import Transform

__all__ = [
    "Change",
    "Quality",
    "Registration",
    "Settings",
    "Stiffness",
    "Transform",
    "by_frame",
    "change",
    "load_transform",
    "register",
    "save_transform",
]
