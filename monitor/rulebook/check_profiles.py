"""Checks of clock profiles: seasons through the year, office sessions through the day."""

import re
from collections.abc import Iterator
from datetime import date, time

from monitor.rulebook.draft import Draft, Placed
from monitor.rulebook.faults import Fault
from monitor.rulebook.model import ClockProfile, Season

_ANY_LEAP_YEAR = 2000


def check_profiles(draft: Draft) -> Iterator[Fault]:
    """Find the faults of every clock profile."""
    for profile in draft.profiles:
        yield from _seasons(profile)
        for position, season in enumerate(profile.value.seasons):
            yield from _sessions(profile, position, season)
        yield from _sessions_needed(profile)
        yield from _same_length(profile)


def _seasons(profile: Placed[ClockProfile]) -> Iterator[Fault]:
    """Report no season, a first one not from 1 January, days that do not exist or are out of order."""
    seasons = profile.value.seasons
    if not seasons:
        yield profile.fault("empty", "seasons")
    elif seasons[0].from_day != "01-01":
        yield profile.fault("first_season", "seasons", 0, "from_day", day=seasons[0].from_day)
    for position, season in enumerate(seasons):
        if not _exists(season.from_day):
            yield profile.fault("no_such_day", "seasons", position, "from_day", day=season.from_day)
        elif position and season.from_day <= seasons[position - 1].from_day:
            yield profile.fault("season_order", "seasons", position, "from_day", day=season.from_day)


def _sessions(profile: Placed[ClockProfile], position: int, season: Season) -> Iterator[Fault]:
    """Report a session that closes before it opens, and one that begins before the last has closed."""
    closed = time.min
    for number, (opening, closing) in enumerate(season.sessions):
        if closing <= opening:
            yield profile.fault(
                "session_backwards",
                *("seasons", position, "sessions", number),
                opening=opening,
                closing=closing,
            )
        elif opening < closed:
            yield profile.fault("session_overlap", "seasons", position, "sessions", number, opening=opening)
        closed = max(closed, closing)


def _sessions_needed(profile: Placed[ClockProfile]) -> Iterator[Fault]:
    """Report missing office sessions where days end at closing time or time is counted inside sessions."""
    needs = profile.value.day_end == "closing" or profile.value.kind == "work_time"
    for position, season in enumerate(profile.value.seasons):
        if needs and not season.sessions:
            yield profile.fault("sessions_missing", "seasons", position, "sessions")


def _same_length(profile: Placed[ClockProfile]) -> Iterator[Fault]:
    """Report seasons of unequal working hours: the standard day must be one length the whole year."""
    if any(closing <= opening for season in profile.value.seasons for opening, closing in season.sessions):
        return  # reported already, and without a length
    lengths = [_minutes(season) for season in profile.value.seasons]
    for position, minutes in enumerate(lengths):
        if minutes != lengths[0]:
            yield profile.fault("season_length", "seasons", position, minutes=minutes, first=lengths[0])


def _minutes(season: Season) -> float:
    return sum(_seconds(closing) - _seconds(opening) for opening, closing in season.sessions) / 60


def _seconds(clock: time) -> int:
    return clock.hour * 3600 + clock.minute * 60 + clock.second


def _exists(month_day: str) -> bool:
    match = re.fullmatch(r"(\d\d)-(\d\d)", month_day)
    try:
        return match is not None and bool(date(_ANY_LEAP_YEAR, int(match[1]), int(match[2])))
    except ValueError:
        return False
