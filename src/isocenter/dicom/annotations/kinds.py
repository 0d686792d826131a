"""Kinds: what an object is that is not read as an image, by its SOP Class (PS3.4 B.5) or its transfer syntax."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object.

    Parameters
    ----------
    name
        What it is, for people: with its article.
    code
        Code of the reason for which it is listed and not read; empty where it is read as what it is.
    """

    name: str
    code: str = "NOT_IMAGE"


SEGMENTATION = Kind("a segmentation", "")
STRUCTURE_SET = Kind("an RT Structure Set", "")
_SLIDE = Kind("an image of a microscopic slide", "KIND_NOT_READ")
_VIDEO = Kind("a video", "KIND_NOT_READ")
_PLAN = Kind("a radiotherapy plan, record or instruction")
_ROOT = "1.2.840.10008."
_STORAGE = f"{_ROOT}5.1.4.1.1."
_IMAGES = frozenset({f"{_STORAGE}481.1", f"{_STORAGE}481.2"})  # RT Image and RT Dose

_BY_CLASS: MappingProxyType[str, Kind] = MappingProxyType(
    {
        f"{_STORAGE}66.4": SEGMENTATION,
        f"{_STORAGE}66.7": SEGMENTATION,  # as label map
        f"{_STORAGE}481.3": STRUCTURE_SET,
        f"{_STORAGE}4.2": Kind("a spectrum"),
        f"{_STORAGE}66": Kind("raw data"),
        f"{_STORAGE}66.1": Kind("a registration"),
        f"{_STORAGE}66.2": Kind("a set of fiducials"),
        f"{_STORAGE}66.3": Kind("a deformable registration"),
        f"{_STORAGE}66.5": Kind("a segmentation by surfaces"),
        f"{_STORAGE}66.6": Kind("a set of tracts"),
        f"{_STORAGE}67": Kind("a mapping to real-world values"),
        f"{_STORAGE}68.1": Kind("a scanned surface"),
        f"{_STORAGE}77.1.1.1": _VIDEO,
        f"{_STORAGE}77.1.2.1": _VIDEO,
        f"{_STORAGE}77.1.4.1": _VIDEO,
        f"{_STORAGE}77.1.6": _SLIDE,
        f"{_STORAGE}88.59": Kind("a selection of key objects"),
        f"{_STORAGE}91.1": Kind("a set of annotations"),
        f"{_STORAGE}104.1": Kind("a document (PDF)"),
        f"{_STORAGE}104.2": Kind("a document (CDA)"),
        f"{_STORAGE}104.3": Kind("a model (STL)"),
        f"{_STORAGE}104.4": Kind("a model (OBJ)"),
        f"{_STORAGE}104.5": Kind("a material of a model (MTL)"),
        f"{_ROOT}1.3.10": Kind("a directory of files (DICOMDIR)"),
    }
)
_BY_ROOT: tuple[tuple[str, Kind], ...] = (
    (f"{_STORAGE}9.", Kind("a waveform")),
    (f"{_STORAGE}11.", Kind("a presentation state")),
    (f"{_STORAGE}78.", Kind("a set of measurements of the eye")),
    (f"{_STORAGE}79.1", Kind("a set of measurements of the eye")),
    (f"{_STORAGE}80.1", Kind("a set of measurements of the eye")),
    (f"{_STORAGE}88.", Kind("a structured report")),
    (f"{_STORAGE}200.", Kind("a protocol")),
    (f"{_STORAGE}201.", Kind("an inventory")),
    (f"{_STORAGE}481.", _PLAN),
    (f"{_ROOT}5.1.4.34.", _PLAN),
    (f"{_ROOT}5.1.4.38.", Kind("a hanging protocol")),
    (f"{_ROOT}5.1.4.39.", Kind("a colour palette")),
    (f"{_ROOT}5.1.4.43.", Kind("a template of an implant")),
    (f"{_ROOT}5.1.4.44.", Kind("a template of an implant")),
    (f"{_ROOT}5.1.4.45.", Kind("a template of an implant")),
)
_VIDEO_SYNTAXES = f"{_ROOT}1.2.4.10"  # MPEG-2, MPEG-4 AVC and HEVC


@lru_cache(maxsize=256)
def kind_of(sop_class_uid: str, transfer_syntax: str = "") -> Kind | None:
    """What an object is; None if it may be an image that is read.

    Parameters
    ----------
    sop_class_uid
        SOP Class UID, empty if it has none.
    transfer_syntax
        Transfer Syntax UID.
    """
    if sop_class_uid in _IMAGES:
        return None
    known = _BY_CLASS.get(sop_class_uid)
    if known is not None:
        return known
    if transfer_syntax.startswith(_VIDEO_SYNTAXES):
        return _VIDEO
    return next((kind for root, kind in _BY_ROOT if sop_class_uid.startswith(root)), None)
