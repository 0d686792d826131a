"""Codes of denoising."""

from __future__ import annotations

from isocenter.reason_codes.entry import CodeEntry, Severity

_I, _R, _G, _V, _H, _X = Severity

CODES: dict[str, CodeEntry] = {
    "DENOISED": CodeEntry(
        _V,
        "Noise was taken out of an image.",
        "The values are an estimate of what would have been measured without noise.",
        "Look at the original too where something as faint as the noise matters; state the step with any measurement.",
    ),
    "NOISE_MODEL_DOUBTFUL": CodeEntry(
        _V,
        "An image that is no CT in HU was denoised as if its noise were Gaussian and as strong everywhere.",
        "It was denoised all the same.",
        "Compare it with the original: noise of MR magnitudes is Rician where the signal is weak.",
    ),
}
