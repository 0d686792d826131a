"""Codes of networks: what they are given, and what they give."""

from __future__ import annotations

from isocenter.reason_codes.entry import CodeEntry, Severity

_I, _R, _G, _V, _H, _X = Severity

CODES: dict[str, CodeEntry] = {
    "NOT_A_NUMBER": CodeEntry(
        _X,
        "An image for a network holds values that are no finite numbers.",
        "It was not given to the network.",
        "Look where they come from; replace them by a value that you can answer for.",
    ),
    "CHANNELS_APART": CodeEntry(
        _X,
        "The images of a case for a network with several channels lie on different grids.",
        "They were not given to the network.",
        "Register them if need be, and bring them onto one grid.",
    ),
    "NO_CONTRAST": CodeEntry(
        _X,
        "All values of an image are equal, so that they cannot be scaled for a network.",
        "It was not given to the network.",
        "Check the image.",
    ),
}
