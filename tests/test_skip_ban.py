"""The ban on skips that CI runs under."""

from pathlib import Path

import pytest

BAN = Path(__file__).with_name("skip_ban.py")

# A suite for the ban to look at, run by itself: none of ours.
SUITE = """
import pytest

def test_runs(): pass

@pytest.mark.skip(reason="no broker")
def test_skips(): pass

@pytest.mark.xfail(reason="known", strict=True)
def test_known(): assert False
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """A suite of its own that stands under our ban."""
    pytester.makeconftest(BAN.read_text(encoding="utf-8"))
    pytester.makepyfile(test_suite=SUITE)
    return pytester


def test_skip_fails_the_session_where_forbidden(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under MONITOR_NO_SKIPS=1 one skip fails the session and is listed with its reason; an xfail is not."""
    monkeypatch.setenv("MONITOR_NO_SKIPS", "1")
    result = suite.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*skips are forbidden*", "test_suite.py::test_skips: *no broker*"])
    result.stdout.no_fnmatch_line("test_suite.py::test_known: *")


def test_skipped_module_fails_the_session_where_forbidden(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that skips itself while being collected fails the session too."""
    monkeypatch.setenv("MONITOR_NO_SKIPS", "1")
    suite.makepyfile(test_suite="import pytest; pytest.importorskip('no_such_package')")
    result = suite.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*skips are forbidden*", "test_suite.py: *no_such_package*"])


def test_skip_is_only_shown_elsewhere(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without MONITOR_NO_SKIPS a skip is no failure."""
    monkeypatch.delenv("MONITOR_NO_SKIPS", raising=False)
    assert suite.runpytest_subprocess().ret == pytest.ExitCode.OK
