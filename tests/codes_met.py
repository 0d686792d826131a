"""Plug-in of the test suite: every code of the table of reasons has to be produced by the software in some test.

A code counts when code of the package makes a reason of it, in a test that needs no real data. Checked only when the
whole suite ran.
"""

from __future__ import annotations

import sys

import pytest

from isocenter.reasons import CODES, Reason

_met: set[str] = set()
_is_real = False
_checked = Reason.__post_init__


def _noting(reason: Reason) -> None:
    maker = sys._getframe(2).f_globals.get("__name__", "")  # above the generated __init__
    if not _is_real and maker.startswith("isocenter."):
        _met.add(reason.code)
    _checked(reason)


def pytest_configure() -> None:
    Reason.__post_init__ = _noting  # type: ignore[method-assign]


def pytest_runtest_setup(item: pytest.Item) -> None:
    global _is_real  # noqa: PLW0603 - pytest's hooks share nothing else
    _is_real = "real" in item.path.parts


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """A worker of pytest-xdist is done."""
    _met.update(getattr(node, "workeroutput", {}).get("codes", ()))


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["codes"] = sorted(_met)
        return
    is_part = config.option.keyword or config.option.markexpr or config.args_source is not config.ArgsSource.TESTPATHS
    missing = [] if is_part else sorted(set(CODES) - _met)
    if missing and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        reporter.write_line(f"No test makes the software give a reason of the codes {', '.join(missing)}.", red=True)
