"""Evaluating predictions of a whole set.

===========  ====================================================================
``places``   paths to cases: where prediction, truth and image of each lie
``reading``  their labels, one case after the other
``writing``  what was found out, as report, table and JSON
===========  ====================================================================

The door is :func:`isocenter.pipeline.evaluate.run`.
"""
