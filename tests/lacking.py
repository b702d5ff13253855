"""The only place where a test is skipped: for want of a real component that this machine lacks, and with the reason.

Nothing stands in for what is not there. Under MONITOR_NO_SKIPS, as CI runs, every skip fails the session
(`skip_ban.py`), so that none can hide; a component that is there and does not work is a failure everywhere.
"""

import shutil
from typing import NoReturn

import pytest

from tests.kafka import NoBroker, why_none
from tests.postgres import CannotStart


def skip(reason: str) -> NoReturn:
    """Skip the test for want of what the reason names."""
    pytest.skip(reason)


def skip_without(server: NoBroker | CannotStart) -> NoReturn:
    """Skip the test for want of a server; raise again where there is all that it needs, and it does not start."""
    if isinstance(server, NoBroker) and why_none() is None:
        raise server
    skip(f"no server can be started: {server}")


def program(*names: str) -> str:
    """Find a program by any of its names, or skip the test."""
    found = next((path for name in names if (path := shutil.which(name))), None)
    return found or skip(f"no {names[0]}: run 'make tools' as root, or install it by other means")
