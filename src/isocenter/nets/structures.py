"""From the labels of a network to segments: what a name stands for, in SNOMED CT, where that is sure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from isocenter import codes
from isocenter.codes import Code
from isocenter.errors import Refused
from isocenter.findings import Segment
from isocenter.nets.plan import Plan
from isocenter.reasons import Reason

_ORGANS = """
liver 10200004 Liver
spleen 78961009 Spleen
kidney 64033007 Kidney
pancreas 15776009 Pancreas
gallbladder 28231008 Gallbladder
stomach 69695003 Stomach
duodenum 38848004 Duodenum
small_bowel 30315005 Small intestine
small_intestine 30315005 Small intestine
colon 71854001 Colon
rectum 34402009 Rectum
esophagus 32849002 Esophagus
adrenal_gland 23451007 Adrenal gland
bladder 89837001 Bladder
urinary_bladder 89837001 Bladder
prostate 41216001 Prostate
uterus 35039007 Uterus
thyroid 69748006 Thyroid
thyroid_gland 69748006 Thyroid
parotid_gland 45289007 Parotid gland
breast 76752008 Breast
lung 39607008 Lung
trachea 44567001 Trachea
heart 80891009 Heart
left_atrium 82471001 Left atrium
right_atrium 73829009 Right atrium
left_ventricle 87878005 Left ventricle
right_ventricle 53085002 Right ventricle
aorta 15825003 Aorta
inferior_vena_cava 64131007 Inferior vena cava
superior_vena_cava 48345005 Superior vena cava
portal_vein 32764006 Portal vein
pulmonary_artery 81040000 Pulmonary artery
brain 12738006 Brain
brainstem 119238007 Brain Stem
cerebellum 113305005 Cerebellum
hippocampus 5366008 Hippocampus
amygdala 4958002 Amygdala
thalamus 42695009 Thalamus
caudate 11000004 Caudate Nucleus
putamen 89278009 Putamen
spinal_cord 2748008 Spinal cord
eye 81745001 Eye
skull 89546000 Skull
mandible 91609006 Mandible
vertebra 51282000 Vertebra
vertebrae 51282000 Vertebra
sacrum 54735007 Sacrum
rib 113197003 Rib
sternum 56873002 Sternum
scapula 79601000 Scapula
clavicle 51299004 Clavicle
humerus 85050009 Humerus
femur 71341001 Femur
bone 3138006 Bone
"""
_LESIONS = """
tumor 108369006 Neoplasm
tumour 108369006 Neoplasm
neoplasm 108369006 Neoplasm
lesion 52988006 Lesion
nodule 27925004 Nodule
mass 4147007 Mass
edema 79654002 Edema
necrosis 6574001 Necrosis
"""
_SIDED = re.compile(r"(^|[^a-z])(left|right|l|r|lh|rh|lt|rt|sin|dex|sinister|dexter|links|rechts)([^a-z]|$)")
_SIDES: Mapping[str, Code] = MappingProxyType({"left": codes.LEFT, "right": codes.RIGHT})


def _table(text: str) -> dict[str, Code]:
    rows = (line.split(" ", 2) for line in text.strip().splitlines())
    return {name: Code(value, "SCT", meaning) for name, value, meaning in rows}


ORGANS: Mapping[str, Code] = MappingProxyType(_table(_ORGANS))
"""Codes of structures (CID 7151) by their common names."""

LESIONS: Mapping[str, Code] = MappingProxyType(_table(_LESIONS))
"""Codes of abnormal structures (CID 7159) by their common names."""


def sided_of(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels that name a side, in plain words."""
    names = (name.lower().replace("_", " ") for name in labels)
    return tuple(name for name in names if _SIDED.search(name))


def expect_mirrors(plan: Plan) -> None:
    """Refuse to mirror along the axes of a plan if left would become right.

    Raises
    ------
    Refused
        With ``SIDES_MIRRORED`` if labels name a side, and an axis runs from left to right or nobody knows how it runs.
    """
    across = [axis for axis in plan.mirror_axes if plan.spacing_mm is None or plan.orientation[axis] in "LR"]
    if across and (sided := sided_of(plan.labels)):
        text = f"The plan mirrors axis {across[0]}, from left to right, while labels are sided ({', '.join(sided[:3])})"
        raise Refused([Reason("SIDES_MIRRORED", f"{text}: each would be taken for its other side.")])


def segments_of(labels: Sequence[str]) -> tuple[Segment, ...]:
    """A segment for each label of a network, numbered from 1 in their order.

    A name that stands in the tables, with a side, a number or neither, is coded as what it is; any other as tissue: a
    code that is only likely would be wrong somewhere.
    """
    return tuple(_segment(name, number) for number, name in enumerate(labels, start=1))


def _segment(name: str, label: int) -> Segment:
    plain = Segment.named(name, label)
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word and not re.search(r"\d", word)]
    if code := ORGANS.get("_".join(words)):
        return replace(plain, property_type=code, property_category=codes.ANATOMICAL_STRUCTURE)
    sides = [word for word in words if word in _SIDES]
    rest = "_".join(word for word in words if word not in _SIDES)
    side = _SIDES[sides[0]] if len(sides) == 1 else None
    if rest in ORGANS and len(sides) < 2:
        category = codes.ANATOMICAL_STRUCTURE
        return replace(plain, property_type=ORGANS[rest], property_category=category, modifier=side)
    if rest in LESIONS and len(sides) < 2:
        category = codes.MORPHOLOGIC_ABNORMALITY
        return replace(plain, property_type=LESIONS[rest], property_category=category, modifier=side)
    return plain
