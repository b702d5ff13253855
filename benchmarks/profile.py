"""Where the time goes: a sampling profile, by function and by area of the program.

A timer interrupts the process every few milliseconds of processor time; what is running then is charged with all the
time since the interruption before it, so that a long call into C is charged in full. Nothing is slowed down, as a
tracing profiler would, in proportion to the number of calls.
"""

import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

EVERY_SECONDS: Final = 0.002
TOP: Final = 25

_ROOT: Final = Path(__file__).resolve().parent.parent
_LIBRARIES: Final = ("aiokafka", "asyncio", "faust", "kafka", "mode")
"""What of others has work of its own to do, that none of ours called for."""
_AREAS: Final = {
    "monitor/events.py": "decode",
    "streams/admission.py": "decode",
    "streams/bodies.py": "decode",
    "monitor/ledger/packing.py:unpack_": "load",
    "monitor/ledger/packing.py": "pack",
    "streams/kafka/": "consume",
    "streams/turn.py:_load": "load",
    "streams/turn.py": "turn",
    "streams/engine.py": "turn",
    "monitor/case.py": "assess: case",
    "monitor/clocks.py": "assess: clocks",
    "monitor/timing.py": "assess: clocks",
    "monitor/counting.py": "assess: clocks",
    "monitor/calendar.py": "assess: clocks",
    "monitor/suspensions.py": "assess: clocks",
    "monitor/rules/": "assess: rules",
    "monitor/measures.py": "assess: measures",
    "monitor/assessment.py": "assess: other",
    "monitor/ledger/journal.py": "chain",
    "monitor/ledger/links.py": "chain",
    "monitor/ledger/stored.py": "chain",
    "monitor/ledger/texts.py": "texts",
    "monitor/ledger/judging.py": "judging",
    "monitor/handling.py": "assess: measures",
    "monitor/senders.py": "assess: case",
    "monitor/processes.py": "assess: clocks",
    "monitor/rulebook/": "assess: rulebook",
    "monitor/ledger/changes.py": "changes",
    "monitor/ledger/upsert.py": "write: encode",
    "monitor/ledger/postgresql.py:_copy": "write: copy",
    "monitor/ledger/": "ledger",
    "streams/": "streams",
    "monitor/": "monitor",
    "benchmarks/": "benchmark",
}
"""Area by the beginning of file and function; the longest that fits counts."""


class Profile:
    """What was seen running: seconds by function (its own time) and by area."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.functions: dict[str, float] = defaultdict(float)
        self.areas: dict[str, float] = defaultdict(float)
        self._clock, self._last = clock, 0.0

    def start(self) -> None:
        """Begin to count from now."""
        self._last = self._clock()

    def see(self, signum: int, frame: FrameType | None) -> None:
        """Charge what is running with the time since the last look."""
        now = self._clock()
        spent, self._last = now - self._last, now
        if frame is not None:
            self.functions[_name(frame)] += spent
            self.areas[_area(frame)] += spent

    def summary(self) -> dict[str, Any]:
        """Give the shares of the areas, and the functions with most time of their own, in percent."""
        total = sum(self.areas.values()) or 1.0
        return {
            "seconds": round(total, 2),
            "areas": _percent(self.areas, total),
            "functions": _percent(self.functions, total),
        }


@contextmanager
def profiling(clock: Callable[[], float] = time.process_time) -> Iterator[Profile]:
    """Profile the block; only the main thread can. By `time.thread_time` it is charged with its own time alone."""
    profile = Profile(clock)
    before = signal.signal(signal.SIGPROF, profile.see)
    profile.start()
    signal.setitimer(signal.ITIMER_PROF, EVERY_SECONDS, EVERY_SECONDS)
    try:
        yield profile
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _percent(spent: dict[str, float], total: float) -> dict[str, float]:
    """Give the largest shares, in their order."""
    ranked = sorted(spent, key=lambda name: -spent[name])[:TOP]
    return {name: round(100 * spent[name] / total, 1) for name in ranked}


def _name(frame: FrameType) -> str:
    path = Path(frame.f_code.co_filename)
    shown = path.relative_to(_ROOT) if path.is_relative_to(_ROOT) else Path(*path.parts[-2:])
    return f"{shown}:{frame.f_code.co_qualname}"


def _area(frame: FrameType | None) -> str:
    """Find the area of the innermost function of ours, else the library; a write of rows is charged to its table."""
    library = "other"
    while frame is not None:
        path, name = frame.f_code.co_filename, frame.f_code.co_name
        if path.startswith(f"{_ROOT}/monitor/ledger/") and "table" in frame.f_locals:
            return f"write {frame.f_locals['table']}"
        place = f"{path.removeprefix(f'{_ROOT}/')}:{name}"
        fitting = [begin for begin in _AREAS if place.startswith(begin)]
        if fitting:
            return _AREAS[max(fitting, key=len)]
        if library == "other":
            library = _library(path)
        frame = frame.f_back
    return library


def _library(path: str) -> str:
    return next((name for name in _LIBRARIES if f"/{name}/" in path), "other")
