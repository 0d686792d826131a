"""The soak: mutated files by the ten thousand, in a process of their own that is watched for hangs, crashes and memory.

``python tests/soak/run.py --count 100000 --seed 1`` writes a line per case that is not refused, equal or told.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import random
import shutil
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import corpus

from isocenter.testing.mutation import BLIND, mutate
from isocenter.testing.trial import Kind, Outcome, crashed, judged, read_all

ALLOWED_BYTES_PER_BYTE = 3
ALLOWED_BYTES = 64 << 20
ALLOWED_BYTES_PER_VOXEL = 16
"""What scanning and reading may claim: thrice the files, 64 MiB, and for a volume that is read its voxels (README)."""
LONGEST_S = 30
_ADDRESS_SPACE_BYTES = 12 << 30
_GOOD = (*map(str, (Kind.REFUSED, Kind.EQUAL, Kind.TOLD, Kind.UNJUDGED)), "reference dies", "reference hangs")


@dataclass(frozen=True)
class Case:
    """Files to be read, how they were damaged, and how many bytes they are (those in an archive: unpacked)."""

    sound: corpus.Sound
    files: dict[str, bytes]
    steps: tuple[str, ...]
    size: int


def case_of(sounds: list[corpus.Sound], seed: str, index: int) -> Case:
    """The case that follows from a seed and an index."""
    rng = random.Random(f"{seed}/{index}")  # noqa: S311
    sound = rng.choice(sounds)
    files = dict(sound.files)
    name = rng.choice(list(files))
    mutant = mutate(files[name], rng)
    files[name] = mutant.data
    size = sum(map(len, files.values()))
    if rng.random() < 0.05:
        return Case(sound, {"study.zip": _zipped(files, rng)}, (*mutant.steps, "zip"), size)
    return Case(sound, files, mutant.steps, size)


def _zipped(files: dict[str, bytes], rng: random.Random) -> bytes:
    """The files in a zip archive, which is damaged itself now and then."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    data = bytearray(buffer.getvalue())
    if rng.random() < 0.5:
        BLIND[rng.choice(list(BLIND))](data, rng)
    return bytes(data)


# --- the process that reads -------------------------------------------------------------------------------------------


def _high_water_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) << 10
    return 0


def _forget_high_water() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def trial(
    files: dict[str, bytes], folder: Path, usual: frozenset[str], is_read: Callable[[], None] = lambda: None
) -> tuple[Outcome, int, float]:
    """The outcome of a case, the bytes that it claimed at most, and the seconds that it took."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    contents = {str(folder / name): content for name, content in files.items() if not name.endswith(".zip")}
    _forget_high_water()
    before, start = _high_water_bytes(), time.perf_counter()
    try:
        found = read_all(folder)
        claimed, seconds = _high_water_bytes() - before, time.perf_counter() - start
        is_read()
        if not contents:
            for series, _ in found[0]:
                contents |= {frame.instance.path: _content(frame.instance) for frame in series.frames}
        return judged(found, contents, usual), claimed, seconds
    except Exception as error:  # noqa: BLE001
        return crashed(error), _high_water_bytes() - before, time.perf_counter() - start


def _content(instance: Any) -> bytes:
    from isocenter.dicom.file.files import Opener

    with Opener() as opener:
        source = opener.open(instance.file)
        try:
            return source.at(0, source.size)
        finally:
            source.close()


def _fair(kind: Kind, base: Kind) -> Kind:
    """The kind of a case; where there is no slow reading of the sound files either, none is missed."""
    return Kind.UNJUDGED if kind is Kind.ALONE and base in (Kind.ALONE, Kind.UNJUDGED) else kind


def _work(sounds: list[corpus.Sound], seed: str, indices: range, pipe: Connection) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE_BYTES, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))  # noqa: S108
    bases: dict[str, Outcome] = {}
    for index in indices:
        pipe.send((index, "reading"))
        case = case_of(sounds, seed, index)
        sound = case.sound
        if sound.name not in bases:
            bases[sound.name], _, _ = trial(dict(sound.files), folder / "case", frozenset())
        base = bases[sound.name]
        outcome, claimed, seconds = trial(
            case.files,
            folder / "case",
            base.codes,
            lambda: pipe.send((index, "judging")),  # noqa: B023
        )
        allowed = ALLOWED_BYTES_PER_BYTE * case.size + ALLOWED_BYTES + ALLOWED_BYTES_PER_VOXEL * outcome.voxels
        told = {
            "index": index,
            "sound": sound.name,
            "steps": case.steps,
            "kind": str(_fair(outcome.kind, base.kind)),
            "detail": outcome.detail,
            "codes": sorted(outcome.codes - base.codes),
            "claimed": claimed,
            "excess": max(0, claimed - allowed),
            "seconds": round(seconds, 4),
        }
        pipe.send((index, told))
    shutil.rmtree(folder, ignore_errors=True)
    pipe.send((None, None))


# --- the process that watches -----------------------------------------------------------------------------------------


def soak(sounds: list[corpus.Sound], seed: str, indices: range) -> Any:
    """Run all cases; yields what is told of each. A case that hangs or dies is told as such, and the rest goes on."""
    context = multiprocessing.get_context("fork")
    start = indices.start
    while start < indices.stop:
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(sounds, seed, range(start, indices.stop), theirs))
        process.start()
        theirs.close()
        current, phase = start, "reading"
        try:
            while True:
                if not ours.poll(LONGEST_S):
                    process.kill()
                    yield {"index": current, "kind": "hang" if phase == "reading" else "reference hangs"}
                    break
                index, told = ours.recv()
                if index is None:
                    return
                current = index
                if isinstance(told, str):
                    phase = told
                else:
                    yield told
        except EOFError:
            process.join()
            kind = "died" if phase == "reading" else "reference dies"
            yield {"index": current, "kind": kind, "detail": f"exit {process.exitcode}"}
        process.join()
        start = current + 1


def main() -> int:
    """Run the soak and say what came of it; 1 if there was anything that must not be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[3] / "shared" / "data")
    parser.add_argument("--largest", type=int, default=400_000, help="bytes of the largest real file")
    parser.add_argument("--out", type=Path, default=Path("soak.jsonl"))
    parser.add_argument("--only", default="", help="part of the name of the sound files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sounds = list(corpus.synthetic(Path(folder)))
    if options.data.is_dir():
        sounds += corpus.real(options.data, options.largest)
    sounds = [sound for sound in sounds if options.only in sound.name]
    kinds: Counter[str] = Counter()
    excess, slowest, begun = 0, 0.0, time.monotonic()
    with options.out.open("w") as out:
        for told in soak(sounds, options.seed, range(options.first, options.first + options.count)):
            kinds[told["kind"]] += 1
            excess += bool(told.get("excess"))
            slowest = max(slowest, told.get("seconds", 0.0))
            out.write(json.dumps(told) + "\n")
    summary = {
        "seed": options.seed,
        "first": options.first,
        "cases": sum(kinds.values()),
        "sounds": len(sounds),
        "kinds": dict(kinds.most_common()),
        "beyond memory": excess,
        "slowest s": slowest,
        "minutes": round((time.monotonic() - begun) / 60, 1),
        "python": sys.version.split()[0],
    }
    print(json.dumps(summary, indent=1))  # noqa: T201
    return int(bool(excess) or any(kinds[kind] for kind in kinds if kind not in _GOOD))


if __name__ == "__main__":
    sys.exit(main())
