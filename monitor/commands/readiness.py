"""`monitor readiness`: what a source's feed is really like, and what to change before it goes live."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.table import Table

from monitor.commands.options import JsonOption, LangOption, LedgerOption, language, opened, out, print_document
from monitor.language import Lang, text
from monitor.ledger.errors import Refusal
from monitor.live.findings import rule_name

if TYPE_CHECKING:
    from monitor.readiness import Advice, Readiness
    from monitor.readiness.spread import Spread
    from monitor.readiness.survey import Part

CODES_SHOWN = 20


def readiness(
    source: Annotated[str, typer.Argument(help="Code of the source.")],
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Survey what a source has sent: codes, fields, lateness, clocks, hits of each rule; and say what to change."""
    from monitor.ledger.positions import last_horizon
    from monitor.readiness import advise, survey

    spoken = language(lang)
    with opened(ledger, lang=spoken) as book, book.read() as connection:
        current = book.publications.history(connection, last_horizon(connection)).current
        known = current.rulebook.source
        if source not in known:
            raise Refusal("keys.unknown_source", source=source, known=", ".join(sorted(known)))
        found = survey(connection, current.rulebook, current.version, known[source])
    advice = advise(found, current.rulebook)
    if as_json:
        said = [{"code": each.code, "says": each.say(spoken), **each.params} for each in advice]
        print_document({**msgspec.to_builtins(found), "advice": said})
        return
    _head(found, spoken)
    _codes(found, spoken)
    _fields(found, spoken)
    _times(found, spoken)
    _rules(found, spoken)
    _advice(advice, spoken)


def _head(found: "Readiness", lang: Lang) -> None:
    shown = {name: f"{getattr(found, name):,}" for name in ("events", "live", "cases", "duplicates", "rejected")}
    out.print(text("readiness.head", lang, source=found.source, rulebook=found.rulebook, **shown), markup=False)
    if found.first is not None and found.last is not None:
        dates = {"first": f"{found.first:%Y-%m-%d}", "last": f"{found.last:%Y-%m-%d}"}
        out.print(text("readiness.span", lang, **dates), markup=False)


def _codes(found: "Readiness", lang: Lang) -> None:
    table = _table(lang, "unknown", "field", "code", "count")
    for each in found.unknown[:CODES_SHOWN]:
        table.add_row(text(f"field.{each.field}", lang), each.code, f"{each.events:,}")
    _print(table, more=len(found.unknown) - CODES_SHOWN, lang=lang)
    table = _table(lang, "coverage", "what", "share", "count")
    for name in ("items", "approvals_delegated", "departments_complete", "suspensions"):
        part = getattr(found, name)
        table.add_row(text(f"readiness.part.{name}", lang), _share(part, lang), f"{part.seen:,}/{part.of:,}")
    _print(table)
    table = _table(lang, "rejects", "code", "count")
    for code, count in found.rejects.items():
        table.add_row(code, f"{count:,}")
    _print(table)


def _fields(found: "Readiness", lang: Lang) -> None:
    table = _table(lang, "fields", "type", "count", "filled")
    by_type: dict[str, list[str]] = {}
    for each in found.fields:
        by_type.setdefault(each.type, []).append(f"{each.field} {100 * each.filled / each.events:.0f}%")
    for kind, filled in by_type.items():
        table.add_row(text(f"event.{kind}", lang), f"{found.types_seen[kind]:,}", ", ".join(filled))
    _print(table)
    if found.types_never:
        never = ", ".join(text(f"event.{kind}", lang) for kind in found.types_never)
        out.print(text("readiness.types_never", lang, types=never), markup=False)


def _times(found: "Readiness", lang: Lang) -> None:
    table = _table(lang, "spread", "what", "count", "least", "p50", "p95", "p99", "most")
    _spread(table, text("readiness.part.lateness", lang), found.lateness)
    _spread(table, text("readiness.part.recording", lang), found.recording)
    for each in found.inversions:
        shown = {"other": each.other, "inverted": each.inverted, "pairs": each.pairs, "ahead": each.ahead}
        _spread(table, text("readiness.part.inversions", lang, **shown), each.gap)
    _print(table)
    declared = {"hours": f"{found.lateness_declared / 3600:g}", "beyond": f"{found.beyond_declared:,}"}
    out.print(text("readiness.declared", lang, **declared), markup=False)


def _rules(found: "Readiness", lang: Lang) -> None:
    table = _table(lang, "rules", "rule", "mode", "hits", "samples")
    for each in found.rules:
        table.add_row(rule_name(each.rule, lang), each.mode, f"{each.hits:,}", ", ".join(each.cases))
    _print(table)


def _advice(advice: Iterable["Advice"], lang: Lang) -> None:
    out.print(text("readiness.advice_title", lang), style="bold")
    said = [each.say(lang) for each in advice]
    for number, sentence in enumerate(said, start=1):
        out.print(f"{number}. {sentence}", markup=False)
    if not said:
        out.print(text("readiness.ready", lang), style="green")


def _spread(table: Table, what: str, spread: "Spread | None") -> None:
    if spread is not None:
        numbers = (spread.least, spread.p50, spread.p95, spread.p99, spread.most)
        table.add_row(what, f"{spread.count:,}", *map(_duration, numbers))


def _duration(seconds: int) -> str:
    """Write a duration in its largest unit that is not below one."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if abs(seconds) >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds} s"


def _share(part: "Part", lang: Lang) -> str:
    return text("live.not_available", lang) if part.share is None else f"{100 * part.share:.1f} %"


def _table(lang: Lang, title: str, *columns: str) -> Table:
    table = Table(title=text(f"readiness.title.{title}", lang), title_justify="left")
    for name in columns:
        right = name in ("count", "share", "hits", "least", "p50", "p95", "p99", "most")
        table.add_column(text(f"readiness.column.{name}", lang), justify="right" if right else "left", overflow="fold")
    return table


def _print(table: Table, more: int = 0, lang: Lang = "en") -> None:
    if table.row_count:
        out.print(table)
    if more > 0:
        out.print(text("readiness.more", lang, count=more), markup=False)
