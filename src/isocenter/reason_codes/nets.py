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
    "OUT_OF_DOMAIN": CodeEntry(
        _V,
        "The image is unlike those that the network was taught on: coarser, or of other values.",
        "The result was reported.",
        "Trust it only after looking; take images like those of the model's card.",
    ),
    "NETWORK_FOUND_NOTHING": CodeEntry(
        _V,
        "A network found none of its structures.",
        "The segmentation is empty.",
        "Look whether the image holds them.",
    ),
    "STRUCTURES_ABSENT": CodeEntry(
        _I,
        "A network did not find some of its structures, which may well lie outside the image.",
        "Their segments are empty.",
        "Look at the image if you expected them.",
    ),
    "SEGMENT_AT_BORDER": CodeEntry(
        _V,
        "What a network found reaches the border of the image.",
        "What is visible was segmented.",
        "Do not read its volume as that of the whole structure.",
    ),
}
