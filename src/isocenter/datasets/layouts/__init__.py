"""The layouts in which data sets lie on disk; each module reads one of them into a Dataset, and opens no image.

=============  =================================================================================================
``folders``    nnU-Net v2 and Medical Segmentation Decathlon, and bare folders of images beside one of labels
``bids``       BIDS-like: subjects, sessions, derivatives, participants.tsv
``sheet``      a CSV that names files
``studies``    DICOM studies with Segmentations and RT Structure Sets
``categories`` one folder of pictures for each category, or a zip archive of them
=============  =================================================================================================

Which of them a path is lies in :mod:`isocenter.datasets.opening`.
"""
