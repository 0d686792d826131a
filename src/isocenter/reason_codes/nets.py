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
    "PIXELS_WITHOUT_SIZE": CodeEntry(
        _X,
        "A network's grid is in millimetres, and the image does not say how large a pixel is.",
        "It was not given to the network.",
        "State the pixel size if you know it; or take a network whose images have no size, by a shape in its plan.",
    ),
    "NO_CONTRAST": CodeEntry(
        _X,
        "All values of an image are equal, so that they cannot be scaled for a network.",
        "It was not given to the network.",
        "Check the image.",
    ),
    "CASES_UNLIKE": CodeEntry(
        _X,
        "The cases of a data set are of kinds that one network cannot learn from together.",
        "No network was planned.",
        "Make a data set of each kind.",
    ),
    "PLAN_TOO_LARGE": CodeEntry(
        _X,
        "Not even the smallest patch of a network can be learned from in the memory that was stated.",
        "No network was planned.",
        "State more memory, or plan for another device.",
    ),
    "OUT_OF_DOMAIN": CodeEntry(
        _V,
        "The image is unlike those that the network was taught on: coarser, or of other values.",
        "The result was reported.",
        "Trust it only after looking; take images like those of the model's card.",
    ),
    "PART_SEEN": CodeEntry(
        _I,
        "A coarse network found where a finer one was to look.",
        "What lies elsewhere is in no segment.",
        "Look elsewhere in the image if a structure may be there that is too small for the coarse network.",
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
    "MODEL_UNPROVEN": CodeEntry(
        _V,
        "Nothing, or next to nothing, is known of how right a network is on cases that it did not learn from.",
        "The result was reported.",
        "Trust it only after looking; measure the model on cases of yours by `isocenter evaluate --record`.",
    ),
    "MODEL_WEAK": CodeEntry(
        _V,
        "On cases that it did not learn from, a network found some of its structures badly.",
        "The result was reported.",
        "Look at the contours of these structures; do not rely on their volumes.",
    ),
    "MODEL_MEASURED": CodeEntry(
        _I,
        "How right a network was on cases that it did not learn from.",
        "It was told.",
        "It holds for images like those cases.",
    ),
    "MODEL_MODALITY_UNKNOWN": CodeEntry(
        _V,
        "Nothing says which modality a network was taught on, so that it runs on images of any.",
        "The result was reported.",
        "Ask who made the model; name the channels of its data set after their modality, as CT or MR.",
    ),
    "IMAGE_MODALITY_UNKNOWN": CodeEntry(
        _I,
        "An image for a network does not say of which modality it is, so that this was not compared.",
        "It was taken for one of the network's modality.",
        "Make sure of it.",
    ),
    "MODEL_GUESSED": CodeEntry(
        _G,
        "A model of others leaves open what it takes.",
        "The stated guess was taken.",
        "State it in the plan when you add the model, if you know better.",
    ),
    "MODEL_UNLIKE": CodeEntry(
        _I,
        "The software that a model comes from prepares images a little differently.",
        "Its results may differ a little from those of its own software.",
        "Compare both on cases of yours.",
    ),
    "MODEL_LICENCE_UNKNOWN": CodeEntry(
        _V,
        "Nothing states the licence of a model's weights.",
        "The model was kept.",
        "Ask who made them; state it by --licence.",
    ),
    "MODEL_FOREIGN_CODE": CodeEntry(
        _X,
        "A model comes with code, or with weights that would run code on loading.",
        "Nothing of it was run, and it was not kept.",
        "Ask for it without; or trust it by --trust, if you know where it comes from.",
    ),
    "MODEL_UNKNOWN_NETWORK": CodeEntry(
        _X,
        "The network of a model is none that is known here, or cannot be made.",
        "It was not kept.",
        "Export it from its own software as ONNX, and add that.",
    ),
    "MODEL_STEP_UNKNOWN": CodeEntry(
        _X,
        "A model wants images prepared in a way that is not known here.",
        "It was not kept, as its results would be wrong without a sign.",
        "Take another configuration of it, or export it as ONNX with a plan of your own.",
    ),
    "MODEL_OUTPUT_UNKNOWN": CodeEntry(
        _X,
        "A model gives something else than one of several labels to each voxel.",
        "It was not kept.",
        "Take a model whose labels exclude each other.",
    ),
    "NETWORK_UNSURE": CodeEntry(
        _V,
        "A network's own probabilities are low inside what it found.",
        "The result was reported.",
        "Look at the contours of the named structures.",
    ),
    "DICE_EXPECTED": CodeEntry(
        _I,
        "How right a network's result is likely to be, by cases whose truth is known.",
        "It was told.",
        "Look at the contours where the interval reaches low. It holds for cases like those it was made of.",
    ),
}
