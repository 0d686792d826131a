"""Every block of the documentation runs, and the generated pages are up to date."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from functools import cache
from pathlib import Path

import pytest

from isocenter import cli
from isocenter.reasons import CODES

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


DEMO = "isocenter demo --out demo"


def run_line(line: str) -> None:
    """Run a line that calls isocenter; one of another command has no place on a page that runs."""
    words = shlex.split(line)
    assert words[0] == "isocenter"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as stopped:
        patch.setattr(sys, "argv", words)
        cli.main()
    assert stopped.value.code == 0, line


@cache
def demonstrated(folder: Path) -> Path:
    """What the demo makes, the same for every page that begins with it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_line(DEMO)
    return folder / "demo"


def run_shell(block: str, demo_in: Path) -> None:
    """Run the lines of a block."""
    for line in block.strip().splitlines():
        if line == DEMO:
            shutil.copytree(demonstrated(demo_in), "demo")
        else:
            run_line(line)


@pytest.fixture(scope="session")
def demo_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demo is run, once."""
    return tmp_path_factory.mktemp("demonstrated")


@pytest.mark.parametrize(
    "page",
    [
        "tutorial.md",
        "recipes.md",  # beside the other page that begins with the demo: one worker runs both
        "intensity.md",
        "masks.md",
        "prompting.md",
        "learning.md",
        "formats.md",
        "responses.md",
        "showing.md",
        "filters.md",
        "radiomics.md",
        "registration.md",
        "models.md",
        "inference.md",
        "resampling.md",
        "photos.md",
        "evaluation.md",
        "drift.md",
        "training.md",
        "pretraining.md",
        "denoising.md",
        "networks.md",
        "detection.md",
        "datasets.md",
        "augmentation.md",
    ],
)
def test_every_block_runs(page: str, tmp_path: Path, demo_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = BLOCK.findall(text)
    assert len(blocks) == len(re.findall(r"^```[a-z]", text, re.MULTILINE)) > 1, "a block would not be run"
    for kind, block in blocks:
        if kind == "sh":
            run_shell(block, demo_in)
        else:
            exec(compile(block, page, "exec"), names)  # noqa: S102 - running the page is the test


def reasons_page() -> str:
    """The table of reasons, as a page."""
    rows = [
        f"| `{code}` | {entry.severity} | {entry.meaning} | {entry.done} | {entry.advice} |"
        for code, entry in sorted(CODES.items())
    ]
    head = (
        "# Reasons\n\nWhat the software may have to say about its own work. *held* and *rejected* stop a case; "
        "*review* asks a person to look;\n*repaired* and *guessed* changed something and say what; "
        "*info* changed nothing.\n\n"
        "| code | severity | what was met | what was done | what you can do |\n|---|---|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


def test_the_page_of_reasons_is_the_table_in_the_code() -> None:
    page = DOCS / "reasons.md"
    assert page.read_text(encoding="utf-8") == reasons_page(), f"write it anew: python {Path(__file__).name}"


if __name__ == "__main__":
    (DOCS / "reasons.md").write_text(reasons_page(), encoding="utf-8")
