"""The board behind the live page: every figure of one moment, written out in a language."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from monitor.events import CONSOLE
from monitor.kpi import FIGURES, Extent, Facts, Period, Value, standing
from monitor.kpi.period import EVER, day_of, month_of
from monitor.language import Lang, text
from monitor.ledger import Ledger, judging, positions
from monitor.live.findings import Shown, Ticket, newest_findings, tickets
from monitor.rulebook.model import Rulebook
from monitor.verdict import Light

LIGHTS: Final = (
    Light.STATUTORY_BREACH,
    Light.PROMISED_BREACH,
    Light.WARNING,
    Light.NOTICE,
    Light.NORMAL,
    Light.GREY,
)
"""In the order they are shown: what needs somebody first."""

SILENT_AFTER: Final = timedelta(hours=24)
SOURCES_MAX: Final = 40


class Tile(msgspec.Struct, frozen=True):
    """One large figure: `kind` is its colour, `note` stands under it, `meaning` defines it."""

    kind: str
    label: str
    value: str
    note: str = ""
    meaning: str = ""


class Notice(msgspec.Struct, frozen=True):
    """What the runtime has to say about itself: an `alert`, or mere `progress`."""

    kind: Literal["alert", "progress"]
    text: str


class SourceLine(msgspec.Struct, frozen=True):
    """A source system and when it was last heard of; `state` is `heard` or `silent`."""

    name: str
    state: str
    last: str


class Coverage(msgspec.Struct, frozen=True):
    """How much can be seen at all: the first line of every board."""

    share: str
    count: str
    percent: float
    sources: list[SourceLine]


class Board(msgspec.Struct, frozen=True):
    """Everything on the page. `at` is the time of the data, by the calendar's zone."""

    name: str
    at: str
    at_iso: str
    notices: list[Notice]
    coverage: Coverage
    open: str
    lights: list[Tile]
    today: list[Tile]
    findings: list[Shown]
    tickets: list[Ticket]


def read_board(ledger: Ledger, lang: Lang, notices: list[Notice]) -> Board:
    """Read the board in one transaction, so that its figures belong together."""
    with ledger.read() as connection:
        horizon = positions.common_horizon(connection) or datetime.now(UTC)
        rulebook = ledger.publications.history(connection, horizon).current.rulebook
        zone = rulebook.days.zone
        lights = standing.open_by_light(connection)
        local = horizon.astimezone(zone)
        return Board(
            name=_name(rulebook.name, rulebook.name_en, lang),
            at=f"{local:%Y-%m-%d %H:%M:%S}",
            at_iso=local.isoformat(timespec="seconds"),
            notices=notices,
            coverage=_coverage(connection, rulebook, horizon, lang),
            open=f"{sum(lights.values()):,}",
            lights=[_light(light, lights, lang) for light in LIGHTS],
            today=_today(connection, horizon, rulebook, lang),
            findings=newest_findings(connection, rulebook, lang),
            tickets=tickets(connection, rulebook, lang),
        )


def _coverage(connection: Connection, rulebook: Rulebook, horizon: datetime, lang: Lang) -> Coverage:
    facts = Facts(connection, rulebook, Extent(), EVER, horizon)
    seen = FIGURES["coverage"].of_sums(facts.sums)
    states = judging.all_states(connection)
    zone = rulebook.days.zone
    senders = [source for source in rulebook.sources if source.code != CONSOLE][:SOURCES_MAX]
    lines = [
        _source(_name(source.name, source.name_en or source.name, lang), states.get(source.code), horizon, zone, lang)
        for source in senders
    ]
    return Coverage(
        share=_percent(seen, lang),
        count=text("live.coverage.count", lang, seen=f"{seen.numerator:,}", all=f"{seen.denominator:,}"),
        percent=seen.rounded or 0.0,
        sources=lines,
    )


def _source(name: str, state: judging.SourceState | None, horizon: datetime, zone: ZoneInfo, lang: Lang) -> SourceLine:
    if state is None or state.last_event_time is None or state.last_received_at is None:
        return SourceLine(name, "silent", text("live.coverage.never", lang))
    silent = horizon - state.last_received_at > SILENT_AFTER
    last = f"{state.last_event_time.astimezone(zone):%Y-%m-%d %H:%M:%S}"
    key = "held" if state.hold is not None else "silent" if silent else "last"
    return SourceLine(name, "heard" if key == "last" else "silent", text(f"live.coverage.{key}", lang, last=last))


def _light(light: Light, counts: Mapping[Light, int], lang: Lang) -> Tile:
    return Tile(
        kind=light.value,
        label=text(f"live.light.{light.value}", lang),
        value=f"{counts[light]:,}",
        meaning=text(f"live.light_meaning.{light.value}", lang),
    )


def _today(connection: Connection, horizon: datetime, rulebook: Rulebook, lang: Lang) -> list[Tile]:
    day = day_of(horizon, rulebook.days.zone)
    today, month = (
        Facts(connection, rulebook, Extent(), period, horizon).sums
        for period in (Period(day.date, day.date), month_of(day.date))
    )
    on_time = FIGURES["on_time_rate"]
    return [
        _count("due", standing.due_within(connection, day), lang),
        _count("finished", today["finished"], lang),
        _rate("on_time_today", on_time.of_sums(today), lang),
        _rate("on_time_month", on_time.of_sums(month), lang),
        _count("unjudged", standing.unjudged(connection, horizon), lang),
    ]


def _count(figure: str, count: int, lang: Lang) -> Tile:
    return Tile(
        "", text(f"live.today.{figure}", lang), f"{count:,}", meaning=text(f"live.today.{figure}_meaning", lang)
    )


def _rate(figure: str, value: Value, lang: Lang) -> Tile:
    of = text("live.today.of", lang, part=f"{value.numerator:,}", all=f"{value.denominator:,}")
    return Tile(
        "" if value.denominator else "nothing",
        text(f"live.today.{figure}", lang),
        _percent(value, lang),
        of,
        text(f"live.today.{figure}_meaning", lang),
    )


def _percent(value: Value, lang: Lang) -> str:
    return text("live.not_available", lang) if value.written is None else f"{value.written}%"


def _name(chinese: str, english: str, lang: Lang) -> str:
    return chinese if lang == "zh" else english or chinese
