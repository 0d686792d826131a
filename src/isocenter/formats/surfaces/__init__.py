"""Files of meshes.

==========  ==========================================  =========================================================
``.stl``    one mesh; no color, no shared vertices      LPS mm, said in the header (``SPACE=LPS``, as 3D Slicer has it)
``.obj``    several by name, a color at each vertex     LPS mm, said in a comment (``SPACE=LPS``)
``.mz3``    one mesh, its color                         RAS mm, as NiiVue and Surfice take it; compressed
``.glb``    several by name, with material and normals  metres, y up: (left, head, front), as glTF 2.0 asks for
==========  ==========================================  =========================================================

GLB is written and not read. A file is written whole or not at all; the same meshes give the same bytes.
"""

from isocenter.formats.surfaces.files import load, save

__all__ = ["load", "save"]
