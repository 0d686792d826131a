"""Data sets: cases of images with what is true of them, in whatever layout they lie on disk.

What is known of a whole set (its splits, locks and faults) lives here too; what is learned from it lives above.

====================  =============================================================================================
:func:`open_dataset`  a folder, CSV or zip archive to its cases
:func:`load_case`     a case into memory, or why not
====================  =============================================================================================
"""

from isocenter.datasets.dataset import Case, Dataset
from isocenter.datasets.digest import content_digest
from isocenter.datasets.loading import Loaded, load_case
from isocenter.datasets.opening import open_dataset

__all__ = ["Case", "Dataset", "Loaded", "content_digest", "load_case", "open_dataset"]
