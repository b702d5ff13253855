"""`monitor explain`: a case's time line and the arithmetic of each clock, day by day."""

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from monitor.commands.options import (
    EXIT_UNUSABLE,
    JsonOption,
    LangOption,
    LedgerOption,
    err,
    instant,
    language,
    opened,
    out,
    print_document,
)
from monitor.explain import Explanation
from monitor.explain import explain as explain_case
from monitor.language import Lang, text


def explain(
    case: Annotated[str, typer.Argument(help="The case number.")],
    at: Annotated[
        str | None,
        typer.Option(help="Judge up to this instant (RFC 3339 with offset); by default as far as the ledger may now."),
    ] = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Explain a verdict so that anyone can check it by hand: which days counted, which not, and why."""
    spoken = language(lang)
    judged_at = instant(at, spoken)
    with opened(ledger) as book:
        until = book.judged_until(case)
        if until is None:
            err.print(text("explain.not_found", spoken, case=case), style="red", markup=False)
            raise typer.Exit(EXIT_UNUSABLE)
        told = explain_case(book.entries(case), book.rulebooks(book.horizon(case)), judged_at or until, spoken)
    if as_json:
        print_document(told)
    else:
        _print(told, spoken)


def _print(told: Explanation, lang: Lang) -> None:
    out.print(text("explain.case", lang, case=told.case), style="bold", markup=False)
    out.print(_facts(told, lang))
    if told.deemed:
        out.print(told.deemed, style="yellow", markup=False)
    out.print("\n" + text("explain.timeline", lang), style="bold")
    out.print(_table(lang, ("time", "event", "by", "note"), told.timeline))
    out.print("\n" + text("explain.clocks", lang), style="bold")
    for clock in told.clocks:
        out.print(f"\n{clock.title}", style="bold cyan", markup=False)
        for said in filter(None, (clock.dates, *clock.pauses, clock.arithmetic)):
            out.print(said, markup=False)
        if clock.days:
            out.print(_table(lang, ("day", "counted", "sum", "why", "mark"), clock.days))
    out.print("\n" + text("explain.findings", lang), style="bold")
    if not told.findings:
        out.print(text("explain.no_findings", lang))
    for sentence, evidence in told.findings:
        out.print(f"• {sentence}", markup=False)
        out.print(f"  {evidence}", style="dim", markup=False)


def _facts(told: Explanation, lang: Lang) -> Table:
    facts = Table.grid(padding=(0, 2))
    for name in ("item", "department", "stage", "light", "judged_at", "versions"):
        facts.add_row(text(f"explain.{name}", lang), escape(getattr(told, name)))
    return facts


def _table(lang: Lang, columns: Sequence[str], rows: Iterable[object]) -> Table:
    """Lay out rows by the fields the columns are named for."""
    table = Table(box=None, header_style="dim")
    for name in columns:
        table.add_column(
            text(f"explain.{name}", lang),
            justify="right" if name in ("counted", "sum") else "left",
            overflow="fold",  # narrow as the terminal may be, nothing said is cut off
            no_wrap=name in ("time", "day"),
        )
    for row in rows:
        table.add_row(*(escape(getattr(row, name)) for name in columns))
    return table
