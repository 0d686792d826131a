"""References: how derived objects name the images, or the frames of multi-frame images, that they come from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydicom import Dataset


@dataclass(frozen=True, slots=True)
class Reference:
    """An image that an object comes from, or some frames of it.

    Parameters
    ----------
    sop_class_uid, sop_instance_uid
        Of the image.
    frames
        Frame Numbers, from 1; empty where the whole image is meant.
    """

    sop_class_uid: str
    sop_instance_uid: str
    frames: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """The SOP Instance UID, and behind a colon the Frame Numbers."""
        return ":".join([self.sop_instance_uid, *map(str, self.frames)])

    def to_instance(self) -> Dataset:
        """Item that names the whole instance (SOP Instance Reference Macro, PS3.3 10.8)."""
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = self.sop_class_uid, self.sop_instance_uid
        return item

    def to_image(self) -> Dataset:
        """Item that names the frames too (Image SOP Instance Reference Macro, PS3.3 10.3)."""
        item = self.to_instance()
        if self.frames:
            item.ReferencedFrameNumber = list(self.frames)
        return item


def by_instance(references: Iterable[Reference]) -> tuple[Reference, ...]:
    """The references with each instance once, in their order, and with the numbers of all its frames."""
    frames: dict[tuple[str, str], set[int]] = {}
    for one in references:
        frames.setdefault((one.sop_class_uid, one.sop_instance_uid), set()).update(one.frames)
    return tuple(Reference(*uids, tuple(sorted(numbers))) for uids, numbers in frames.items())
