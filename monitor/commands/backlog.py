"""`monitor backlog`: what was late before the baseline (存量超期清单), as a table, JSON or CSV."""

import csv
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from monitor.backlog import Group, Grouping, Overdue, grouped, read
from monitor.commands.options import JsonOption, LangOption, LedgerOption, language, opened, out, print_document
from monitor.language import Lang, text
from monitor.rulebook.model import Rulebook
from monitor.wording import say_department, say_instant, say_item, say_region

NAMES = {"department": say_department, "item": say_item, "region": say_region}


def backlog(
    department: Annotated[str | None, typer.Option(help="Of this department alone.")] = None,
    item: Annotated[str | None, typer.Option(help="Of this item alone.")] = None,
    region: Annotated[str | None, typer.Option(help="Of this region and all below it alone.")] = None,
    by: Annotated[Grouping | None, typer.Option(help="Count by it instead of listing.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header of field names.")] = False,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """List what was late before the baseline: due instant, days late, and where the case stands now."""
    spoken = language(lang)
    with opened(ledger) as ledger_read:
        book = ledger_read.rulebooks(ledger_read.horizon()).current.rulebook
        with ledger_read.read() as connection:
            found = read(connection, book, department, item, region)
    rows: Sequence[Overdue | Group] = grouped(found, by) if by else found
    fields = (Group if by else Overdue).__struct_fields__
    if as_json:
        print_document(rows)
    elif as_csv:
        written = csv.writer(sys.stdout, lineterminator="\n")
        written.writerow([by if name == "code" else name for name in fields])
        written.writerows([_cell(value) for value in msgspec.structs.astuple(row)] for row in rows)
    elif not rows:
        out.print(text("backlog.none", spoken))
    else:
        out.print(_table(rows, fields, by or "", book, spoken))


def _cell(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _table(rows: Sequence[Any], fields: Sequence[str], grouping: str, book: Rulebook, lang: Lang) -> Table:
    shown = [name for name in fields if name not in ("subject", "occurred_at")]
    table = Table(box=None, header_style="dim")
    for name in shown:
        heading = text(f"backlog.{grouping if name == 'code' else name}", lang)
        table.add_column(heading, justify="right" if name in ("days_late", "days_late_max") else "left")
    for row in rows:
        told = {name: _say(grouping if name == "code" else name, getattr(row, name), book, lang) for name in shown}
        table.add_row(*(escape(told[name]) for name in shown))
    return table


def _say(name: str, value: Any, book: Rulebook, lang: Lang) -> str:
    if name in NAMES:
        return NAMES[name](value, lang, book)
    if name == "stage":
        return text(f"stage.{value}", lang)
    if isinstance(value, bool):
        return text(f"backlog.{'still' if value else 'ended'}", lang)
    if isinstance(value, datetime):
        return say_instant(value, book.days)
    return "—" if value is None else str(value)
