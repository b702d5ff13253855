"""Handling: how a case ended, and how long that took against what it was allowed (domain.md 4.1)."""

from datetime import datetime, timedelta
from functools import cache
from typing import Final

from monitor.case import CaseFile
from monitor.clocks import Clocks
from monitor.events import Event, EventType
from monitor.processes import COMPLAINT, REQUEST, rounds_of
from monitor.rulebook.model import parse_limit
from monitor.verdict import Clock, Handling

T = EventType

_CLOSING: Final = (T.FINISH, T.WITHDRAW, T.VOID, T.FORWARD, T.ISSUE, T.ARCHIVE)
_UNDER_WAY: Final = (
    *(T.CONSULT, T.APPLY, T.RECEIVED, T.SUPPLEMENT_NOTICE),
    *(T.SUPPLEMENT_RECEIVED, T.ACCEPT, T.TRANSFER, T.APPROVE),
)
"""With one of these a case is more than a complaint or request, and closed by what closes an application."""
_DAY: Final = timedelta(days=1)


def handling_of(case: CaseFile, clocks: Clocks) -> Handling:
    """Work out how a case ended and how long it took."""
    finish = _finish(case, clocks)
    outcome = "" if finish is None else "refused" if finish.type is T.REFUSE else finish.data.outcome or ""
    decided = finish is not None and outcome not in ("returned", "lapsed")
    promised, statutory = (_in_working_days(clocks, name) for name in ("promised", "statutory"))
    timed = promised or statutory
    complaints = rounds_of(case, COMPLAINT)
    taken_up = next((turn.taken_up for turn in complaints if turn.taken_up), None)
    ended = complaints[-1].closed if complaints else None
    return Handling(
        item_type=clocks.item.type if clocks.item else "",
        finished_at=finish.time if finish else None,
        outcome=outcome,
        closed_at=_closed_at(case),
        suspended_at=clocks.pauses[0].since if clocks.pauses else None,
        statutory_millidays=_limit(statutory),
        promised_millidays=_limit(promised),
        used_millidays=_used(timed) if decided and timed is not None else None,
        waited_millidays=_waited(case) if decided else None,
        complaint_accepted_at=taken_up.time if taken_up else None,
        complaint_closed_at=ended.time if ended else None,
    )


def _finish(case: CaseFile, clocks: Clocks) -> Event | None:
    """Find what finished a case: its finish, or the refusal of an accepted one, whichever came first.

    A case that was voided, or withdrawn or forwarded before, was never finished.
    """
    finish = case.first(T.FINISH) if clocks.accepted_at is None else case.answer
    away = case.first(T.WITHDRAW, T.FORWARD)
    if finish is None or case.first(T.VOID) is not None or (away is not None and away.order < finish.order):
        return None
    return finish


def _closed_at(case: CaseFile) -> datetime | None:
    """Find when a case stopped being open; a complaint or request that is no application, when its last round did."""
    ends = [event.time for event in (case.first(*_CLOSING), case.refusal) if event is not None]
    if ends or case.first(*_UNDER_WAY) is not None:
        return min(ends, default=None)
    rounds = rounds_of(case, COMPLAINT) or rounds_of(case, REQUEST)
    last = rounds[-1].closed if rounds else None
    return last.time if last else None


def _in_working_days(clocks: Clocks, name: str) -> Clock | None:
    """Find a clock that counts working days: one that counts calendar days cannot be added to it."""
    profiles = clocks.catalogue.rulebook.profile
    for clock in clocks.clocks:
        if clock.name == name and clock.limit.endswith(" wd") and clock.profile in profiles:
            return None if profiles[clock.profile].kind == "calendar_day" else clock
    return None


def _limit(clock: Clock | None) -> int | None:
    return None if clock is None else _millidays(clock.limit)


@cache
def _millidays(limit: str) -> int:
    return int(parse_limit(limit).days * 1000)


def _used(clock: Clock) -> int | None:
    if clock.used is None:
        return None
    return (2000 * clock.used + clock.per_day) // (2 * clock.per_day)


def _waited(case: CaseFile) -> int | None:
    received, delivered = case.first(T.RECEIVED) or case.first(T.APPLY), case.first(T.ISSUE)
    if received is None or delivered is None or delivered.time < received.time:
        return None
    return (2000 * (delivered.time - received.time) + _DAY) // (2 * _DAY)
