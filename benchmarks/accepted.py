"""Cases that were just accepted, as many as one likes, to be open in a ledger; and the items they are about."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import cycle
from typing import Final

from msgspec.structs import replace

from benchmarks.history import batches, rulebook
from monitor.events import Due, Event, EventData, EventType
from monitor.rulebook.model import Item, parse_limit
from streams.engine import Engine

LATER_DAYS: Final = 5  # promised days of the cases that are not due
_REGION: Final = "450900"
_AT_ONCE: Final = 20_000


def take_accepted(engine: Engine, cases: Iterable[str], due: datetime | None = None) -> None:
    """Let an engine take cases that were just accepted; those with a due instant of their own fall due there."""
    for batch, horizon in batches(_accepted(cases, due), _AT_ONCE):
        outcomes = engine.process(batch, horizon)
        assert all(outcome.status == "applied" for outcome in outcomes), "a case was not taken"


def _accepted(cases: Iterable[str], due: datetime | None) -> Iterator[Event]:
    for case, item in zip(cases, cycle(items()), strict=False):
        now = datetime.now(UTC)
        yield application(case, item, now)
        yield acceptance(case, item, now, due)


def application(case: str, item: Item, at: datetime) -> Event:
    """Give the application a case begins with."""
    return Event(
        id=f"{case}-1",
        source="hall",
        type=EventType.APPLY,
        time=at,
        case=case,
        recorded=at,
        region=_REGION,
        item=item.code,
        department=item.department,
        window="w1",
        operator="o1",
        channel="window",
        applicant="9f86d081884c7d65",
    )


def acceptance(case: str, item: Item, at: datetime, due: datetime | None = None) -> Event:
    """Give the acceptance of a case, with a due instant of its own if need be."""
    told = EventData() if due is None else EventData(due=Due(due))
    applied = application(case, item, at)
    return replace(applied, id=f"{case}-2", type=EventType.ACCEPT, channel=None, applicant=None, data=told)


def items() -> list[Item]:
    """List the items whose promise lies some days ahead."""
    promised = (item for item in rulebook().items if item.type == "promised" and item.promised_limit)
    return [item for item in promised if parse_limit(item.promised_limit or "").days >= LATER_DAYS]
