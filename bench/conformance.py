"""The conformance suite against every reader that is installed: ``python -m bench conformance [--write FILE]``.

Each reader works in a child process with a time limit for each case, so that one that dies is counted and started
anew. A reader of another environment is run by ``--python dicom2nifti=/path/to/python``; that one needs Isocenter too.
"""

from __future__ import annotations

import argparse
import os
import pickle
import platform
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from isocenter.testing.conformance import Answer, Case, Outcome, Verdict, cases, judge, write

READERS = {
    "Isocenter": "with_isocenter",
    "highdicom": "with_highdicom",
    "dcm2niix": "with_dcm2niix",
    "SimpleITK": "with_simpleitk",
    "dicom2nifti": "with_dicom2nifti",
    "TorchIO": "with_torchio",
    "MONAI, pydicom": "with_monai_pydicom",
    "MONAI, ITK": "with_monai_itk",
    "tutorial code": "with_tutorial",
}
SYMBOLS = {
    Outcome.RIGHT: "✓",
    Outcome.RIGHT_WITH_WARNING: "✓",
    Outcome.REFUSED: "r",
    Outcome.WRONG_LOUDLY: "w",
    Outcome.SILENTLY_WRONG: "**S**",
    Outcome.CRASHED: "c",
}
WORKER = Path(__file__).parent / "readers" / "worker.py"
LIMIT_S = 60.0

Results = Mapping[str, tuple[Mapping[str, str], Mapping[str, Verdict]]]
"""Reader -> its versions and the verdict of each case."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--readers", nargs="*", default=list(READERS), choices=READERS)
    arguments.add_argument("--python", nargs="*", default=[], metavar="READER=PATH")
    arguments.add_argument("--write", type=Path, metavar="FILE", help="write the tables as Markdown")
    arguments.add_argument("--details", action="store_true", help="say what is wrong in each case")
    chosen = arguments.parse_args()
    pythons = dict(entry.split("=", 1) for entry in chosen.python)
    results: dict[str, tuple[Mapping[str, str], Mapping[str, Verdict]]] = {}
    with tempfile.TemporaryDirectory() as root:
        written = [(case, write(case, Path(root) / f"{number:03d}")) for number, case in enumerate(cases())]
        for name in chosen.readers:
            started = time.perf_counter()
            found = run(name, pythons.get(name, sys.executable), written)
            if found is None:
                print(f"{name}: not installed")
                continue
            results[name] = found
            counts = Counter(verdict.outcome for verdict in found[1].values())
            print(f"{name}: {counted(counts)} ({time.perf_counter() - started:.0f} s)", flush=True)
            if chosen.details:
                for case, verdict in found[1].items():
                    print(f"  {case}: {verdict.outcome}: {verdict.detail}"[:400])
    if chosen.write:
        chosen.write.write_text(page(results), encoding="utf-8")


def counted(counts: Mapping[Outcome, int]) -> str:
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome if counts.get(outcome))


# --- one reader -----------------------------------------------------------------------------------------------------


def run(
    name: str, python: str, written: Sequence[tuple[Case, Path]]
) -> tuple[Mapping[str, str], Mapping[str, Verdict]] | None:
    """Versions of a reader and its verdicts on the cases and their folders; None where it is not installed."""
    child = start(name, python)
    versions = received(child, 300.0)
    if versions is None:
        end(child)
        return None
    always = set(map(pattern_of, ask(child, written[0][1]).warnings))
    verdicts = {}
    for case, folder in written:
        if child.poll() is not None:
            end(child)
            child = start(name, python)
            received(child, 300.0)
        answer = ask(child, folder)
        if case.refusals and answer.refusals:  # any error will do where refusing is right
            answer = replace(answer, crash="")
        told = [warning for warning in answer.warnings if pattern_of(warning) not in always]
        verdicts[case.name] = judge(case, replace(answer, warnings=told))
    end(child)
    return versions, verdicts


def pattern_of(warning: str) -> str:
    """A warning without its numbers and paths: what is said of the first, plain case says nothing of the others."""
    return re.sub(r"\S*/\S*|[\d.]+", "#", warning)


def start(name: str, python: str) -> subprocess.Popen[bytes]:
    command = [python, str(WORKER), READERS[name]]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)


def end(child: subprocess.Popen[bytes]) -> None:
    child.stdin.close()
    child.stdout.close()
    child.wait()


def ask(child: subprocess.Popen[bytes], folder: Path) -> Answer:
    """The answer of a reader on a folder; a crash where it died or took too long, after which it is gone."""
    try:
        child.stdin.write(f"{folder}\n".encode())
        return received(child, LIMIT_S)
    except TimeoutError:
        child.kill()
        child.wait()
        return Answer(crash=f"no answer within {LIMIT_S:g} s")
    except (EOFError, BrokenPipeError):
        status = child.wait()
        return Answer(crash=signal.Signals(-status).name if status < 0 else f"it ended with status {status}")


def received(child: subprocess.Popen[bytes], limit_s: float) -> object:
    until = time.monotonic() + limit_s
    size = int.from_bytes(taken(child, 8, until), "little")
    return pickle.loads(taken(child, size, until))  # noqa: S301 - of our own child


def taken(child: subprocess.Popen[bytes], size: int, until: float) -> bytes:
    parts = bytearray()
    with selectors.DefaultSelector() as waiting:
        waiting.register(child.stdout, selectors.EVENT_READ)
        while len(parts) < size:
            if not waiting.select(max(0.0, until - time.monotonic())):
                raise TimeoutError
            part = os.read(child.stdout.fileno(), size - len(parts))
            if not part:
                raise EOFError
            parts += part
    return bytes(parts)


# --- the page -------------------------------------------------------------------------------------------------------

HEAD = """# Conformance

{count} synthetic DICOM series whose values are a known function of position in the patient, so that every voxel of an
answer is checked, on whatever lattice it lies. {read} have to be read, {refuse} have to be refused, and for {either}
both are right. They are written by `isocenter.testing.conformance` (pydicom, no code of the reader) and judged alike
for all readers; `python -m bench conformance --write docs/conformance.md` makes this page.

- **right**: every volume is there, each voxel at its place with its value; or the case was rightly refused.
- **refused**: an error, though the case can be read. Safe, but no help.
- **wrong with warning**: a volume is wrong, missing or made up; a warning was given, whatever it says, that does not
  come with a plain axial CT as well.
- **silently wrong**: the same, without a word.
- **crashed**: the process died, took more than {limit:g} s, or stopped by an error that nobody raises on purpose
  (`AttributeError`, `IndexError`, `TypeError`, ...) on a case that has to be read.

Each reader is called as its documentation says, on the whole folder (`bench/readers/`). Few of them claim to sort out
folders and none claims every kind of object, so a low line is no verdict on what a reader was made for. A reader that
knows no place but the patient's is not blamed for giving one to a radiograph or a cine: there only pixels and spacing
count. Some cases can be argued about: values inverted for display (MONOCHROME1) count as wrong, and so do stored
values of a CT without rescale that come back without a word. Isocenter was mended until it passed, so its own line
shows no more than that: judge the others by this suite, and Isocenter by series of your own.

For a reader of your own:

```python
from pathlib import Path
from isocenter.testing.conformance import Answer, Picture, cases, judge, write

for number, case in enumerate(cases()):
    folder = write(case, Path("suite") / str(number))
    array, affine = my_reader(folder)  # (slice, row, column), and from its index to LPS millimetres
    print(case.name, judge(case, Answer([Picture(array, affine)])))
```
"""


def page(results: Results) -> str:
    """The tables as Markdown."""
    kinds = Counter(case.right for case in cases())
    head = HEAD.format(
        count=len(cases()), limit=LIMIT_S, **{kind: kinds[kind] for kind in ("read", "refuse", "either")}
    )
    parts = [head, "", *_summary(results), "", _environment(results), ""]
    for group in dict.fromkeys(case.group for case in cases()):
        inside = [case for case in cases() if case.group == group]
        parts += [f"## {group.capitalize()} ({len(inside)})", "", *_matrix(inside, results), ""]
    return "\n".join(parts)


def _summary(results: Results) -> Iterator[str]:
    yield "| reader | right | refused | wrong with warning | silently wrong | crashed |"
    yield "|---|---|---|---|---|---|"
    for name, (_, verdicts) in results.items():
        counts = Counter(verdict.outcome for verdict in verdicts.values())
        right = counts[Outcome.RIGHT] + counts[Outcome.RIGHT_WITH_WARNING]
        rest = [
            counts[kind] for kind in (Outcome.REFUSED, Outcome.WRONG_LOUDLY, Outcome.SILENTLY_WRONG, Outcome.CRASHED)
        ]
        yield f"| {name} | {right} | {' | '.join(map(str, rest))} |"


def _environment(results: Results) -> str:
    versions = {key: value for found, _ in results.values() for key, value in found.items()}
    told = ", ".join(f"{key} {value}" for key, value in versions.items())
    return f"Python {platform.python_version()}; {told}."


def _matrix(inside: Sequence[Case], results: Results) -> Iterator[str]:
    yield "✓ right, r refused, w wrong with warning, **S** silently wrong, c crashed."
    yield ""
    yield f"| case | to be | {' | '.join(results)} |"
    yield f"|---|---|{'---|' * len(results)}"
    for case in inside:
        marks = [SYMBOLS[verdicts[case.name].outcome] for _, verdicts in results.values()]
        to_be = {"read": "read", "refuse": "refused", "either": "either"}[case.right]
        yield f"| {case.name} | {to_be} | {' | '.join(marks)} |"


if __name__ == "__main__":
    main()
