"""Senders: the sources of a case together, what they are able to send and how exactly their clocks tell the time."""

from datetime import timedelta
from typing import Final

import msgspec

from monitor.events import EventType
from monitor.rulebook.model import Precision, RulebookHistory, Source

EVERY_TYPE: Final = frozenset(EventType)


class Senders(msgspec.Struct, frozen=True):
    """The sources that sent a case events, as registered now; one no longer registered could send what it last could.

    `codes` are theirs, sorted. `sendable` are the types all of them together are able to send, `tolerances` how far the
    clock of each may be wrong, `tolerance` the widest of them, `precisions` how exactly each knows the time of day.
    `by_days`: one of them knows the day alone, so that nothing can be judged to the hour. `suspensions_at_end`: one of
    them reports suspensions only once they have ended.
    """

    codes: tuple[str, ...]
    registered: dict[str, Source]
    sendable: frozenset[EventType]
    tolerances: dict[str, timedelta]
    tolerance: timedelta
    precisions: dict[str, Precision]
    by_days: bool
    suspensions_at_end: bool


def senders(codes: tuple[str, ...], rulebooks: RulebookHistory) -> Senders:
    """Look up sources by their codes, sorted; what is found is kept with the rulebooks, as few sets of them occur."""
    known: dict[tuple[str, ...], Senders] = rulebooks.__dict__.setdefault("_senders", {})
    if codes not in known:
        books = (rulebooks.current, *reversed(rulebooks.versions))
        found = (next((s for v in books if (s := v.rulebook.source.get(code))), None) for code in codes)
        known[codes] = _together(codes, [source for source in found if source is not None])
    return known[codes]


def _together(codes: tuple[str, ...], sources: list[Source]) -> Senders:
    declared = [source.types for source in sources]
    tolerances = {source.code: source.tolerance for source in sources}
    return Senders(
        codes=codes,
        registered={source.code: source for source in sources},
        sendable=frozenset().union(*declared) if all(declared) else EVERY_TYPE,
        tolerances=tolerances,
        tolerance=max(tolerances.values(), default=timedelta()),
        precisions={source.code: source.precision for source in sources},
        by_days=any(source.precision == "day" for source in sources),
        suspensions_at_end=any(source.suspensions_at_end for source in sources),
    )
