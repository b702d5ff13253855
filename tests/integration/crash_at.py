"""Run `monitor`, and die by SIGKILL just before or after the n-th call of a function of the program.

`python -m tests.integration.crash_at before 2 streams.engine:Engine.end_import import FILE --mapping M`: the program
is the real one, and so is the death; only its moment is chosen.
"""

import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any

COMMIT = "sqlalchemy.engine.default:DefaultDialect.do_commit"
"""Every commit of the ledger goes through here."""
WRITTEN = "monitor.ledger.journal:JournalTail.write"
"""Dying behind it is dying in the middle of a transaction."""
END_IMPORT = "streams.engine:Engine.end_import"


def arm(moment: str, number: int, place: str) -> None:
    """Have the process killed before or after the n-th call of `module:Class.method`."""
    module, _, path = place.partition(":")
    owner_name, _, name = path.partition(".")
    owner = getattr(import_module(module), owner_name)
    setattr(owner, name, _deadly(getattr(owner, name), moment, number))


def _deadly(called: Callable[..., Any], moment: str, number: int) -> Callable[..., Any]:
    left = number

    @wraps(called)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        left -= 1
        is_the_one = left == 0  # another thread may call meanwhile
        if is_the_one and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = called(*args, **kwargs)
        if is_the_one:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapper


if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    sys.argv = ["monitor", *sys.argv[4:]]
    import_module("monitor.cli").main()
