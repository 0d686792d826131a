"""Export for learning: many studies to one array of equal shapes and a table that leads back to each.

=============  =======================================================================
``settings``   what the user may choose
``sources``    paths and CSV files to cases, in one order
``shaping``    one case to its place in the array
``keeping``    cases that are done, on the disk; all of them as one array and a table
``exported``   an export that is done, opened again
=============  =======================================================================

The door is :func:`isocenter.pipeline.export.export`.
"""
