"""The board behind the live page: every figure of one moment, written out in a language."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from monitor import figures
from monitor.events import CONSOLE
from monitor.figures import Share
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


def read_board(ledger: Ledger, lang: Lang, notices: list[Notice], stream: str = "embedded") -> Board:
    """Read the board in one transaction, so that its figures belong together."""
    with ledger.read() as connection:
        horizon = positions.last_horizon(connection) or datetime.now(UTC)
        rulebook = ledger.publications.history(connection, horizon).current.rulebook
        zone = rulebook.days.zone
        lights = figures.open_by_light(connection)
        local = horizon.astimezone(zone)
        return Board(
            name=_name(rulebook.name, rulebook.name_en, lang),
            at=f"{local:%Y-%m-%d %H:%M:%S}",
            at_iso=local.isoformat(timespec="seconds"),
            notices=notices,
            coverage=_coverage(connection, rulebook, stream, horizon, lang),
            open=f"{sum(lights.values()):,}",
            lights=[_light(light, lights, lang) for light in LIGHTS],
            today=_today(connection, horizon, zone, lang),
            findings=newest_findings(connection, rulebook, lang),
            tickets=tickets(connection, rulebook, lang),
        )


def _coverage(connection: Connection, rulebook: Rulebook, stream: str, horizon: datetime, lang: Lang) -> Coverage:
    seen = figures.coverage(connection)
    states = judging.load_states(connection, stream)
    zone = rulebook.days.zone
    senders = [source for source in rulebook.sources if source.code != CONSOLE][:SOURCES_MAX]
    lines = [
        _source(_name(source.name, source.name_en or source.name, lang), states.get(source.code), horizon, zone, lang)
        for source in senders
    ]
    return Coverage(
        share=seen.percent or text("live.not_available", lang),
        count=text("live.coverage.count", lang, seen=f"{seen.numerator:,}", all=f"{seen.denominator:,}"),
        percent=round(100 * (seen.ratio or 0.0), 1),
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


def _today(connection: Connection, horizon: datetime, zone: ZoneInfo, lang: Lang) -> list[Tile]:
    day = figures.day_of(horizon, zone)
    month = day.date.replace(day=1)
    finished = figures.finished_between(connection, day.date, day.date)
    return [
        _count("due", figures.due_within(connection, day), lang),
        _count("finished", finished, lang),
        _rate("on_time_today", figures.on_time_between(connection, day.date, day.date), lang),
        _rate("on_time_month", figures.on_time_between(connection, month, day.date), lang),
        _count("unjudged", figures.unjudged(connection, horizon), lang),
    ]


def _count(figure: str, count: int, lang: Lang) -> Tile:
    return Tile(
        "", text(f"live.today.{figure}", lang), f"{count:,}", meaning=text(f"live.today.{figure}_meaning", lang)
    )


def _rate(figure: str, share: Share, lang: Lang) -> Tile:
    of = text("live.today.of", lang, part=f"{share.numerator:,}", all=f"{share.denominator:,}")
    return Tile(
        "" if share.denominator else "nothing",
        text(f"live.today.{figure}", lang),
        share.percent or text("live.not_available", lang),
        of,
        text(f"live.today.{figure}_meaning", lang),
    )


def _name(chinese: str, english: str, lang: Lang) -> str:
    return chinese if lang == "zh" else english or chinese
