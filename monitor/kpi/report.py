"""Reports: the answers to figures, written out for a person or as a document."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from monitor.kpi.extent import Extent, say_extent
from monitor.kpi.facts import Facts
from monitor.kpi.figure import Answer, Figure, Value
from monitor.kpi.period import Period, month_of
from monitor.kpi.question import Question
from monitor.kpi.register import FIGURES
from monitor.language import LANGS, Lang, text
from monitor.ledger import Ledger, positions
from monitor.rulebook.model import Rulebook
from monitor.scope import Scope
from monitor.wording import say_department


class Report(msgspec.Struct, frozen=True):
    """The answers for an extent and period, with all that is needed to write them out."""

    extent: Extent
    period: Period
    horizon: datetime
    rulebook: Rulebook
    answers: dict[str, Answer]


class Line(msgspec.Struct, frozen=True):
    """A figure or a part of one, as a table shows it."""

    figure: str
    part: str
    name: str
    value: str
    counted: str


def make_report(
    ledger: Ledger, question: Question, scope: Callable[[Connection], Scope | None] = lambda connection: None
) -> Report:
    """Answer a question in one transaction, as far as the data reach, by the rulebook in force at the period's end.

    `scope` says what who asks may see; None: everything. Raises Unanswerable for what cannot be answered or may not
    be seen, LedgerError where there is no rulebook.
    """
    with ledger.read() as connection:
        horizon = positions.common_horizon(connection) or datetime.now(UTC)
        history = ledger.publications.history(connection, horizon)
        current = history.current.rulebook
        period = question.period or month_of(current.days.day(horizon))
        rulebook = history.at(min(horizon, period.ends(current.days.zone))).rulebook
        extent = question.within(rulebook, scope(connection))
        facts = Facts(connection, rulebook, extent, period, horizon)
        answers = {figure.id: figure.answer(facts) for figure in question.figures}
        return Report(extent, period, horizon, rulebook, answers)


def lines(report: Report, lang: Lang) -> Iterator[Line]:
    """Write a report as lines: each figure, then its parts."""
    for code, answer in report.answers.items():
        figure = FIGURES[code]
        name = text(f"kpi.{code}.name", lang)
        yield Line(code, "", name, say_value(answer.value, lang), say_counted(figure, answer.value))
        for part in answer.parts:
            label = text(f"kpi_part.{part.part}", lang)
            yield Line(code, part.part, label, say_value(part, lang), say_counted(figure, part))


def details(code: str, answer: Answer, report: Report, lang: Lang) -> Iterator[str]:
    """Write the details of an answer, one a line."""
    for detail in answer.details:
        name = say_department(detail.code, lang, report.rulebook)
        yield text(f"kpi.{code}.detail", lang, name=name, amount=f"{detail.amount:,}")


def say_value(value: Value, lang: Lang) -> str:
    """Write a value with its unit, or why there is none."""
    if value.hundredths is None:
        return text("kpi_value.none", lang, reason=text(f"kpi_reason.{value.reason}", lang))
    written = f"{value.numerator:,}" if value.unit == "cases" else value.written
    return text(f"kpi_value.{value.unit}", lang, value=written)


def say_counted(figure: Figure, value: Value) -> str:
    """Write numerator over denominator; of a median what it is over."""
    above, below = counted(figure, value)
    if below is None:
        return ""
    return f"{below:,g}" if above is None else f"{above:,.10g} / {below:,.10g}"


def counted(figure: Figure, value: Value) -> tuple[float | None, float | None]:
    """Give numerator and denominator as they are read: days as days."""
    above: float | None = value.numerator
    below: float | None = value.denominator
    if figure.thousandths and value.unit != "cases":
        above = None if above is None else above / 1000
        if value.unit == "percent":
            below = None if below is None else below / 1000
    return above, below


def rows(report: Report, lang: Lang) -> Iterator[tuple[Any, ...]]:
    """Write a report as rows of a table for a spreadsheet, the first of them its head."""
    yield ("figure", "part", "name", "value", "unit", "numerator", "denominator", "reason", "extent", "first", "last")
    extent = say_extent(report.extent, report.rulebook, lang)
    for code, answer in report.answers.items():
        figure = FIGURES[code]
        for value in (answer.value, *answer.parts):
            name = text(f"kpi_part.{value.part}" if value.part else f"kpi.{code}.name", lang)
            above, below = counted(figure, value)
            said = (value.rounded, value.unit, above, below, value.reason)
            yield (code, value.part, name, *said, extent, report.period.first, report.period.last)


def document(report: Report) -> dict[str, Any]:
    """Write a report as a document: names in every language, numbers as they are."""
    zone = report.rulebook.days.zone
    return {
        "extent": {
            "region": report.extent.region,
            "below": report.extent.below,
            "department": report.extent.department,
            "item": report.extent.item,
            "name": {lang: say_extent(report.extent, report.rulebook, lang) for lang in LANGS},
        },
        "period": {"first": report.period.first, "last": report.period.last},
        "horizon": report.horizon.astimezone(zone),
        "figures": [_document(FIGURES[code], answer) for code, answer in report.answers.items()],
    }


def _document(figure: Figure, answer: Answer) -> dict[str, Any]:
    return {
        "id": figure.id,
        "name": {lang: text(f"kpi.{figure.id}.name", lang) for lang in LANGS},
        **_value(figure, answer.value),
        "parts": [{"part": part.part, **_value(figure, part)} for part in answer.parts],
        "details": answer.details,
    }


def _value(figure: Figure, value: Value) -> dict[str, Any]:
    above, below = counted(figure, value)
    return {
        "value": value.rounded,
        "unit": value.unit,
        "numerator": above,
        "denominator": below,
        "reason": value.reason,
    }
