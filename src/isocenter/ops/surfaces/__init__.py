"""Surfaces: meshes of segments and of levels, smoothed, with fewer triangles, written and read.

==================  ===============================================================================================
:func:`mesh`        the closed surface of a segment, or of several together
:func:`meshes`      the surface of each segment by itself
:func:`isosurface`  the closed surface of what lies above a level in an image
:func:`smoothed`    without the steps of voxels (Taubin)
:func:`decimated`   with a share of the triangles (quadric error metrics)
:func:`save`        to STL, OBJ, GLB or MZ3
:func:`load`        from STL, OBJ or MZ3
==================  ===============================================================================================

A :class:`isocenter.mesh.Mesh` lies in LPS millimetres and knows its area, its volume and whether it is closed.
"""

from isocenter.formats.surfaces import load, save
from isocenter.ops.surfaces.decimation import decimated
from isocenter.ops.surfaces.extraction import isosurface, mesh, meshes
from isocenter.ops.surfaces.smoothing import smoothed

__all__ = ["decimated", "isosurface", "load", "mesh", "meshes", "save", "smoothed"]
