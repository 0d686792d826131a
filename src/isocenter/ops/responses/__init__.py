"""Responses: the convolutional filters of radiomics, as the Image Biomarker Standardisation Initiative has them.

Each filter of IBSI 2 is a value with ``response(volume) -> Volume``; the map lies on the grid of the volume and may be
measured by :mod:`isocenter.ops.radiomics` in its place. Filters in millimetres for other purposes lie in
:mod:`isocenter.ops.filters`.

==============================  =================================================================================
:class:`Mean`                   mean of a square or cube of voxels
:class:`LaplacianOfGaussian`    blobs and edges of a scale
:class:`Laws`                   level, edge, spot, wave, ripple; their energy
:class:`Gabor`                  waves of a length and direction under a Gaussian
:class:`SeparableWavelet`       Haar, Daubechies, Coiflets, ..., undecimated
:class:`Simoncelli`             isotropic wavelet
:class:`Riesz`                  all-pass derivatives of any of them
==============================  =================================================================================
"""

from isocenter.ops.responses.gabor import Gabor
from isocenter.ops.responses.laws import Laws
from isocenter.ops.responses.local import LaplacianOfGaussian, Mean
from isocenter.ops.responses.mapping import Filter
from isocenter.ops.responses.spectral import Riesz, Simoncelli
from isocenter.ops.responses.wavelets import SeparableWavelet

__all__ = ["Filter", "Gabor", "LaplacianOfGaussian", "Laws", "Mean", "Riesz", "SeparableWavelet", "Simoncelli"]
