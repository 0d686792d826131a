"""Data sets: cases of images with what is true of them, in whatever layout they lie on disk.

What is known of a whole set (its splits, locks and faults) lives here too; what is learned from it lives above.

==========================  ========================================================================================
:func:`open_dataset`        a folder, CSV or zip archive to its cases
:func:`load_case`           a case into memory, or why not
:func:`check`               all cases gone through once: faults, copies, digests
:func:`split`               cases held out, by a digest of their names; patients stay whole
:func:`folds`               cross-validation in the same way
:func:`lock`                a held-out set locked by what its images are
:func:`expect_unlocked`     learning from what is locked is refused
==========================  ========================================================================================
"""

from isocenter.datasets.checking import Checked, check, digests_of
from isocenter.datasets.dataset import Case, Dataset
from isocenter.datasets.digest import content_digest
from isocenter.datasets.loading import Loaded, load_case, load_images
from isocenter.datasets.locking import expect_unlocked, lock, locked_in
from isocenter.datasets.opening import open_dataset
from isocenter.datasets.splitting import Split, folds, split

__all__ = [
    "Case",
    "Checked",
    "Dataset",
    "Loaded",
    "Split",
    "check",
    "content_digest",
    "digests_of",
    "expect_unlocked",
    "folds",
    "load_case",
    "load_images",
    "lock",
    "locked_in",
    "open_dataset",
    "split",
]
