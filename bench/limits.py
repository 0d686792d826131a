"""What no reader can go below: the files' bytes into fresh memory, or the decoder alone, both in threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from bench.jobs import Job, files


def touch() -> Job:
    def read_first(path: str) -> bytes:
        file = os.open(path, os.O_RDONLY)
        window = os.pread(file, 8192, 0)
        os.close(file)
        return window

    return lambda folder: [read_first(path) for path in files(folder)]


def bytes_alone() -> Job:
    """Of uncompressed files, whose pixels lie at their end."""
    import numpy as np

    def fill(path: str, out: Any) -> None:
        file = os.open(path, os.O_RDONLY)
        os.preadv(file, [out], os.fstat(file).st_size - out.nbytes)
        os.close(file)

    def read(folder: str) -> Any:
        found = sorted(files(folder))
        array = np.empty((len(found), 512, 512), np.int16)
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            list(threads.map(fill, found, array))
        return array

    return read


def decoder_alone() -> Job:
    """The decoder that Isocenter takes, on codestreams that are in memory already."""
    from isocenter.dicom.frames.instance import Instance
    from isocenter.dicom.values.codecs import decode

    streams = cache(_streams)

    def one(job: tuple[bytes, Instance]) -> Any:
        stream, instance = job
        return decode(stream, instance.transfer_syntax, instance.format)

    def read(folder: str) -> Any:
        jobs = streams(folder)
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            return list(threads.map(one, jobs))

    return read


def _streams(folder: str) -> list[tuple[bytes, Any]]:
    from pydicom import dcmread
    from pydicom.encaps import generate_frames

    from isocenter.dicom.scan import scan

    instances = scan(folder)[0].instances
    return [(next(generate_frames(dcmread(one.path).PixelData, number_of_frames=1)), one) for one in instances]


LIMITS: dict[str, Callable[[], Job]] = {"limit: bytes": bytes_alone, "limit: decoder": decoder_alone}
