"""Scan: a path to its series, by headers alone. What is no image is listed, or left with a reason; no pixel is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import overload

from isocenter.dicom.annotations.kinds import Kind, kind_of
from isocenter.dicom.annotations.objects import FoundObject, found_object
from isocenter.dicom.file.elements import WANTED, DamagedHeaderError, Header, NotDicomError, shared
from isocenter.dicom.file.files import MEMBER_FAULTS, ZIP_MAGIC, ByteSource, FileRef, Opener, walk
from isocenter.dicom.file.header import read_header
from isocenter.dicom.file.layouts import Layouts
from isocenter.dicom.frames.frame import Frame
from isocenter.dicom.frames.instance import Instance, class_of, instance_from, is_image
from isocenter.dicom.frames.multiframe import frames_of
from isocenter.dicom.sorting.grouping import series_from
from isocenter.dicom.sorting.planes import scaled
from isocenter.dicom.sorting.second_look import looker
from isocenter.dicom.sorting.series import Series
from isocenter.errors import InputError, TryLater, UsageError
from isocenter.reasons import Reason, Verdict, counted

Progress = Callable[[int, int | None], None]
"""Called with the number of things done and, where it is known, the number of all."""

_COMPARED_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Ignored:
    """A file that is no image, or of a kind that is not read, or cannot be followed."""

    path: str
    reason: Reason


@dataclass(frozen=True)
class Scan(Sequence[Series]):
    """The series under a path.

    Parameters
    ----------
    series
        Sorted by study, series number and series UID.
    ignored
        The files that gave no image, and why.
    findings
        Segmentations and RT Structure Sets: :func:`isocenter.read_segmentation` reads them.
    """

    series: tuple[Series, ...]
    ignored: tuple[Ignored, ...] = ()
    findings: tuple[FoundObject, ...] = ()

    def __repr__(self) -> str:
        held = sum(series.verdict in (Verdict.HELD, Verdict.REJECTED) for series in self.series)
        findings, ignored = counted(len(self.findings), "finding", "findings"), len(self.ignored)
        return f"Scan({len(self)} series, {held} held or rejected; {findings}; {ignored} ignored)"

    @overload
    def __getitem__(self, index: int) -> Series: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Series, ...]: ...

    def __getitem__(self, index: int | slice) -> Series | tuple[Series, ...]:
        return self.series[index]

    def __len__(self) -> int:
        return len(self.series)


def scan(path: str | os.PathLike[str], *, progress: Progress | None = None) -> Scan:
    """Find the series under a path; no pixel is read.

    Parameters
    ----------
    path
        A DICOM file, a folder (with all that lies under it; names and extensions do not matter), or a zip archive.
    progress
        Called after each file with the number of files done, and None.

    Raises
    ------
    UsageError
        If the path does not exist or cannot be opened.
    InputError
        If the path is a zip archive that is damaged.
    TryLater
        If a folder vanishes meanwhile, or the disk fails.
    """
    root = os.fspath(path)
    if not os.path.exists(root):  # noqa: PTH110
        raise UsageError(f"There is no file or folder {root!r}: give the path of a DICOM file, folder or zip archive.")
    frames: list[Frame] = []
    ignored: list[Ignored] = []
    findings: list[FoundObject] = []
    with Opener() as opener:
        try:
            for count, found in enumerate(_found(root, opener), 1):
                if isinstance(found, Ignored):
                    ignored.append(found)
                elif isinstance(found, FoundObject):
                    findings.append(found)
                else:
                    frames += found
                if progress is not None:
                    progress(count, None)
        except PermissionError as error:
            raise UsageError(
                f"{error.filename!r} may not be read: give another path, or the right to read it."
            ) from error
        except OSError as error:
            raise TryLater(f"{error.filename!r} cannot be read ({error.strerror}): try again.") from error
        series = series_from(frames, lambda a, b: _same_bytes(opener, a, b), looker(opener))
    return Scan(tuple(_with_left_out(one, ignored) for one in series), tuple(ignored), tuple(findings))


_Found = tuple[Frame, ...] | FoundObject | Ignored


def _found(root: str, opener: Opener) -> Iterator[_Found]:
    layouts = Layouts()
    for path in walk(root):
        found = _examined(FileRef(path), opener, layouts)
        if found is not None:
            yield found
            continue
        try:
            members = opener.members(path)
        except MEMBER_FAULTS as error:
            if path == root:
                raise InputError(f"The zip archive {root!r} is damaged: copy it again from its source.") from error
            yield _ignored(FileRef(path), "ARCHIVE_UNREADABLE", "The zip archive is damaged.")
            continue
        yield from (_examined(member, opener, layouts) or _nested(member) for member in members)


def _examined(file: FileRef, opener: Opener, layouts: Layouts) -> _Found | None:
    """What a file is; None for a zip archive."""
    try:
        source = opener.open(file)
    except PermissionError:
        raise
    except MEMBER_FAULTS as error:
        if isinstance(error, RuntimeError) and file.member:
            return _ignored(
                file,
                "ARCHIVE_UNREADABLE",
                "The member of the zip archive is encrypted or packed in a way unknown here.",
            )
        return _ignored(file, "HEADER_UNREADABLE", "The file cannot be opened.")
    try:
        return _recognized(file, source, layouts)
    finally:
        source.close()


def _recognized(file: FileRef, source: ByteSource, layouts: Layouts) -> _Found | None:
    if source.size == 0:
        return _ignored(file, "EMPTY_FILE", "The file has no bytes.")
    try:
        header = read_header(source, layouts)
    except NotDicomError:
        return None if source.at(0, 4) == ZIP_MAGIC else _not_dicom(file)
    except (DamagedHeaderError, *MEMBER_FAULTS):
        return _ignored(file, "HEADER_UNREADABLE", "The header cannot be followed.")
    return _told(file, header, source)


def _told(file: FileRef, header: Header, source: ByteSource) -> _Found:
    """What a file with a header is."""
    kind = shared(header, _kind_of)
    if kind is not None and not (kind.code == "NOT_IMAGE" and is_image(header)):
        return _of_kind(kind, file, header)
    if not is_image(header):
        return _ignored(file, "NOT_IMAGE", "It is a DICOM object without pixels.")
    if header.pixels is None and WANTED["Rows"] not in header.values:
        return _ignored(file, "HEADER_UNREADABLE", "The file ends within its header.")
    instance = instance_from(file, header, stamp=source.stamp)
    try:
        return scaled(frames_of(instance, header, source), header)
    except (DamagedHeaderError, *MEMBER_FAULTS):
        return _ignored(file, "HEADER_UNREADABLE", "The header cannot be followed.")


def _kind_of(header: Header) -> Kind | None:
    return kind_of(class_of(header), header.transfer_syntax)


def _of_kind(kind: Kind, file: FileRef, header: Header) -> _Found:
    """What is listed of an object that is not read as an image."""
    if not kind.code:
        return found_object(file, header, kind.name.partition(" ")[2])
    return _ignored(file, kind.code, f"It is {kind.name}.")


def _ignored(file: FileRef, code: str, message: str) -> Ignored:
    return Ignored(str(file), Reason(code, message, (str(file),)))


def _not_dicom(file: FileRef) -> Ignored:
    return _ignored(file, "NOT_DICOM", "The file is not DICOM.")


def _nested(file: FileRef) -> Ignored:
    return _ignored(file, "ARCHIVE_UNREADABLE", "A zip archive within a zip archive is not opened.")


def _with_left_out(series: Series, ignored: Iterable[Ignored]) -> Series:
    """The series, with a reason if files beside its own may be slices that were left out; no picture lacks any."""
    suspects = [one for one in ignored if _may_hold_slices(one)]
    if series.is_picture or not suspects:
        return series
    folders = {_folder(instance.path) for instance in series.instances}
    lost = tuple(one.path for one in suspects if _is_beside(one, folders))
    if not lost:
        return series
    files = counted(len(lost), "file beside those of the series", "files beside those of the series")
    message = f"{files} cannot be read: slices of it may be missing."
    return replace(series, reasons=(*series.reasons, Reason("FILES_LEFT_OUT", message, lost)))


def _may_hold_slices(one: Ignored) -> bool:
    name = one.path.rpartition("/")[2]
    if one.reason.code in ("NOT_DICOM", "EMPTY_FILE"):
        return name.lower().endswith(".dcm") or (one.reason.code == "EMPTY_FILE" and "." not in name)
    return one.reason.code in ("HEADER_UNREADABLE", "ARCHIVE_UNREADABLE")


def _is_beside(one: Ignored, folders: set[str]) -> bool:
    """Whether a file lies in one of the folders; of an archive, whether it lies in or above one."""
    own = _folder(one.path)
    if one.reason.code == "ARCHIVE_UNREADABLE":
        return any(f"{folder}/".startswith(f"{own}/") for folder in folders)
    return own in folders


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _same_bytes(opener: Opener, one: Instance, other: Instance) -> bool:
    if one.file_size != other.file_size:
        return False
    try:
        a, b = opener.open(one.file), opener.open(other.file)
    except MEMBER_FAULTS:
        return False
    try:
        places = range(0, one.file_size, _COMPARED_BYTES)
        return all(a.at(place, _COMPARED_BYTES) == b.at(place, _COMPARED_BYTES) for place in places)
    except MEMBER_FAULTS:
        return False
    finally:
        a.close()
        b.close()
