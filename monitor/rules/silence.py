"""V31: a source that has gone silent in office hours. Whoever is not heard cannot be judged, and nobody may notice."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from monitor.calendar import CalendarError
from monitor.counting import MICROSECOND, TimeCounting
from monitor.events import CONSOLE
from monitor.rulebook.model import Rulebook, RulebookVersion
from monitor.rules.apart import Apart, finding_apart
from monitor.rules.evidence import stamp
from monitor.rules.rule import Subject, Violation, parameters_of, rule
from monitor.verdict import Severity

GRAVE_AFTER: Final = 3
"""So many times as long, and silence is a warning."""


class Heard(msgspec.Struct, frozen=True):
    """When a source that was ever live was last heard of: its newest event, and its newest delivery of any kind."""

    event_at: datetime
    received_at: datetime


@rule("V31", version=1, kind="data", basis="及时报送；心跳", parameters={"hours": 2}, of_cases=False)
def silent_source(subject: Subject) -> Iterator[Violation]:
    """Stand for the silence of sources, which `silences` finds; a case has none."""
    yield from ()


def silences(version: RulebookVersion, heard: Mapping[str, Heard], horizon: datetime) -> list[Apart]:
    """Find the sources of which nothing was heard for so many office hours, their lateness left out.

    Counted are the office sessions of the default profile's working days. It ends when the source speaks again.
    """
    book, found = version.rulebook, list[Apart]()
    for source in book.sources:
        last = heard.get(source.code)
        if last is None or source.code == CONSOLE:
            continue
        hours = source.silence_hours or parameters_of("V31", book)["hours"]
        since = last.received_at + source.lateness
        silent_from = _passed(book, since, hours, horizon)
        if silent_from is None:
            continue
        grave = _passed(book, since, GRAVE_AFTER * hours, horizon) is not None
        finding = finding_apart(
            "V31",
            source.code,
            silent_from,
            Severity.WARNING if grave else Severity.NOTICE,
            version,
            cause=f"silence:{source.code}",
            source=source.code,
            hours=hours,
            last_event=stamp(last.event_at),
            last_received=stamp(last.received_at),
        )
        found.append(Apart(finding, region=source.regions[0] if source.regions else ""))
    return found


def _passed(book: Rulebook, since: datetime, hours: float, horizon: datetime) -> datetime | None:
    """Find the instant by which so many office hours had passed; None: they have not by the horizon."""
    profile = book.profile.get(book.limits.profile)
    if profile is None or horizon - since <= timedelta(hours=hours):
        return None
    # From the moment itself, whatever the intake hours of applications are.
    plain = msgspec.structs.replace(profile, intake_cutoff=None, roll_start=False)
    counting = TimeCounting(plain, book.days, sessions=any(season.sessions for season in profile.seasons))
    try:
        reached = counting.due(since, timedelta(hours=hours) // MICROSECOND, ())
    except CalendarError:
        return None
    return reached if reached is not None and reached < horizon else None
