"""Codes of learning."""

from __future__ import annotations

from isocenter.reason_codes.entry import CodeEntry, Severity

_I, _R, _G, _V, _H, _X = Severity

CODES: dict[str, CodeEntry] = {
    "WEIGHTS_TAKEN": CodeEntry(
        _I, "Learning began with weights that exist.", "Those that fit by name and shape were taken.", "Nothing."
    ),
    "WEIGHTS_LEFT": CodeEntry(
        _V,
        "Not all weights fitted that learning was to begin with.",
        "Tensors without a fitting one began with fresh values.",
        "Look whether these are those that should differ, such as the last layer.",
    ),
    "WEIGHTS_STRANGE": CodeEntry(
        _X,
        "Hardly any weights fitted that learning was to begin with.",
        "Learning was not begun.",
        "Check that they are of the same network with the same options.",
    ),
    "CASE_LEFT_OUT": CodeEntry(
        _V,
        "A case of a data set could not be prepared for learning.",
        "It was left out; the others were used.",
        "Look at the reason beside it; mend the case or take it out of the set.",
    ),
    "NOTHING_TO_LEARN_FROM": CodeEntry(
        _X,
        "No case of a data set is left to learn from.",
        "Nothing was learned.",
        "Look at the reasons of the cases.",
    ),
    "NO_PLACE_TO_PLANT": CodeEntry(
        _X,
        "Lungs have no room for so many nodules of these sizes, beside vessels and apart from each other.",
        "None was planted.",
        "Plant fewer or smaller ones; look whether the lungs were found.",
    ),
    "CATEGORY_UNSEEN": CodeEntry(
        _V,
        "A category that a network is to tell apart has no case to learn from.",
        "It was learned without; the network will hardly ever name it.",
        "Add cases of it, or take it out of the plan.",
    ),
    "TRAINED_BEFORE": CodeEntry(
        _I,
        "A model is taught that is there already, from the same cases by the same plan and settings.",
        "It was given as it is.",
        "Remove its folder to teach it anew.",
    ),
    "TRAINING_RESUMED": CodeEntry(
        _I,
        "A course of learning was broken off earlier.",
        "It went on from its last checkpoint.",
        "Nothing: in deterministic mode the weights are the same to the bit as without the break.",
    ),
    "CHECKPOINT_DAMAGED": CodeEntry(
        _R,
        "A checkpoint is not what was written.",
        "Learning went on from the one before.",
        "Check the disk.",
    ),
    "TRAINING_STOPPED_EARLY": CodeEntry(
        _I,
        "So many validations as the patience allows brought no better score.",
        "Learning stopped before its last step.",
        "Look at the curve; raise the patience if it still rises.",
    ),
    "TRAINING_DIVERGED": CodeEntry(
        _X,
        "The loss or its gradient was no finite number, in learning.",
        "Learning stopped; the checkpoints before stay.",
        "Lower the learning rate or the clipping of gradients, or compute in fp32.",
    ),
    "TRAINING_TOO_LARGE": CodeEntry(
        _X,
        "Learning by the plan needs more memory than is free.",
        "It was not begun.",
        "Lower the plan's batch (and raise the accumulation), then its patch, then the network's features.",
    ),
    "TRAINING_OUT_OF_MEMORY": CodeEntry(
        _X,
        "The memory of the GPU or of the machine did not suffice for a step of learning.",
        "Learning stopped; the checkpoints before stay.",
        "Close what else runs there; lower the plan's batch (and raise the accumulation), then its patch.",
    ),
    "TABLE_SMALL": CodeEntry(
        _V,
        "A category of a table has fewer than 30 cases.",
        "It was learned from.",
        "Collect more cases before you trust the figures; look at the interval, not at the value.",
    ),
}
