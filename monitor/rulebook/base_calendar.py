"""The calendar as files write it, and its expansion into plain lists of closed and opened days.

`base: china` is what the State Council announced, from PyPI chinesecalendar; `regional` names overlays that ship
in `overlays/`; what the file itself lists wins over both. domain.md section 1.3.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Final, Literal

import chinese_calendar
import msgspec
from chinese_calendar.constants import Holiday

from monitor.events import Code
from monitor.rulebook.model import CalendarRules, ClosedDay, Name

ANNOUNCED: Final = (2004, 2026)
"""The years chinesecalendar holds announcements for; it raises outside."""

_SATURDAY: Final = 5


class CalendarFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The section `calendar` of a rulebook's files."""

    base: Literal["china", "weekdays"] = "weekdays"
    regional: tuple[Code, ...] = ()
    zone: Name = "Asia/Shanghai"
    closed: tuple[ClosedDay, ...] = ()
    open: tuple[date, ...] = ()


class Overlay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A shipped regional calendar: days a region closes or opens that the country does not."""

    code: Code
    version: Name
    name: Name
    name_en: Name
    closed: tuple[ClosedDay, ...] = ()
    open: tuple[date, ...] = ()


def expand(written: CalendarFile) -> CalendarRules:
    """Lay base, regional overlays and the file's own days over each other, the later winning.

    Raises KeyError for an overlay that does not ship.
    """
    china = written.base == "china"
    closed, opened = _china() if china else ({}, frozenset[date]())
    days = _Days(dict(closed), set(opened))
    versions = [f"chinesecalendar {version('chinesecalendar')}" if china else "weekdays"]
    for code in written.regional:
        overlay = overlays()[code]
        days.lay(overlay.closed, overlay.open)
        versions.append(f"{overlay.code} {overlay.version}")
    if written.closed or written.open:
        days.lay(written.closed, written.open)
        versions.append("local days")
    return CalendarRules(
        version=" + ".join(versions),
        zone=written.zone,
        closed=tuple(days.closed[day] for day in sorted(days.closed)),
        open=tuple(sorted(days.opened)),
        announced=ANNOUNCED if china else None,
    )


@cache
def overlays() -> dict[str, Overlay]:
    """Read the overlays that ship with this version, by code."""
    folder = files("monitor.rulebook").joinpath("overlays")
    read = (
        msgspec.yaml.decode(file.read_bytes(), type=Overlay) for file in folder.iterdir() if file.name.endswith(".yaml")
    )
    return {overlay.code: overlay for overlay in sorted(read, key=lambda overlay: overlay.code)}


class _Days:
    """Exceptions to Monday–Friday while layers are laid over each other."""

    def __init__(self, closed: dict[date, ClosedDay], opened: set[date]) -> None:
        self.closed, self.opened = closed, opened

    def lay(self, closed: tuple[ClosedDay, ...], opened: tuple[date, ...]) -> None:
        for day in closed:
            self.opened.discard(day.day)
            if day.day.weekday() < _SATURDAY:  # a weekend is closed by the week itself
                self.closed[day.day] = day
        for worked in opened:
            self.closed.pop(worked, None)
            if worked.weekday() >= _SATURDAY:
                self.opened.add(worked)


@cache
def _china() -> tuple[dict[date, ClosedDay], frozenset[date]]:
    """Compare every day of the announced years with the plain week."""
    closed: dict[date, ClosedDay] = {}
    opened: set[date] = set()
    for day in _days_of(*ANNOUNCED):
        works = chinese_calendar.is_workday(day)
        if works and day.weekday() >= _SATURDAY:
            opened.add(day)
        elif not works and day.weekday() < _SATURDAY:
            _, english = chinese_calendar.get_holiday_detail(day)
            closed[day] = ClosedDay(day=day, name=Holiday(english).chinese, name_en=english)
    return closed, frozenset(opened)


def _days_of(first_year: int, last_year: int) -> Iterator[date]:
    day = date(first_year, 1, 1)
    while day.year <= last_year:
        yield day
        day += timedelta(days=1)
