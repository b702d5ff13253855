"""`monitor kpi`: the key figures of a region, department or item in a period."""

import csv
import sys
from typing import Annotated, Any

import typer
from rich.table import Table

from monitor.commands.options import (
    EXIT_UNUSABLE,
    JsonOption,
    LangOption,
    LedgerOption,
    err,
    language,
    opened,
    out,
    print_document,
)
from monitor.kpi import FIGURES, Figure, Report, ask, make_report
from monitor.kpi.extent import say_extent
from monitor.kpi.report import details, document, lines, rows
from monitor.language import LANGS, Lang, text
from monitor.wording import say_instant

LIST = "list"


def kpi(
    figures: Annotated[
        list[str] | None, typer.Argument(help="Figures by their ids; 'list' shows every figure's definition.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="Code of a region; by default the one of all departments.")] = None,
    below: Annotated[
        bool, typer.Option("--all-below/--level", help="With all regions below it (全市), or itself alone (市本级).")
    ] = True,
    department: Annotated[str | None, typer.Option(help="Code of a department.")] = None,
    item: Annotated[str | None, typer.Option(help="Code of an item, counted wherever it is handled.")] = None,
    period: Annotated[
        str | None,
        typer.Option(help="2009-03-02, 2009-03, 2009-Q1, 2009, from..to, or ever; by default this month."),
    ] = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table for a spreadsheet.")] = False,
    lang: LangOption = None,
) -> None:
    """Print figures: each with numerator and denominator, or the reason why there is no value."""
    spoken = language(lang)
    if as_json and as_csv:
        err.print(text("kpi_command.one_form", spoken), style="red", markup=False)
        raise typer.Exit(EXIT_UNUSABLE)
    if figures == [LIST]:
        _print_definitions(as_json, spoken)
        return
    with opened(ledger, lang=lang) as book:
        report = make_report(book, ask(figures or None, region, below, department, item, period))
    if as_json:
        print_document(document(report))
    elif as_csv:
        csv.writer(sys.stdout).writerows(rows(report, spoken))
    else:
        _print_table(report, spoken, with_details=bool(figures))


def _print_table(report: Report, lang: Lang, *, with_details: bool) -> None:
    extent = say_extent(report.extent, report.rulebook, lang)
    title = text("kpi_command.title", lang, extent=extent, first=report.period.first, last=report.period.last)
    out.print(title, style="bold", markup=False)
    out.print(
        text("kpi_command.until", lang, horizon=say_instant(report.horizon, report.rulebook.days)),
        style="dim",
        markup=False,
    )
    table = Table(box=None, pad_edge=False)
    table.add_column(text("kpi_command.figure", lang))
    table.add_column(text("kpi_command.value", lang), justify="right", no_wrap=True)
    table.add_column(text("kpi_command.counted", lang), justify="right", no_wrap=True)
    for line in lines(report, lang):
        name = line.name if not line.part else f"  {line.name}"
        table.add_row(name, line.value, line.counted, style="dim" if line.part else "")
    out.print(table)
    if with_details:
        for code, answer in report.answers.items():
            for written in details(code, answer, report, lang):
                out.print(f"  {written}", markup=False)


def _print_definitions(as_json: bool, lang: Lang) -> None:
    if as_json:
        print_document([_definition(figure) for figure in FIGURES.values()])
        return
    for figure in FIGURES.values():
        out.print(f"{figure.id}  {text(f'kpi.{figure.id}.name', lang)}", style="bold", markup=False)
        out.print(f"  {text(f'kpi.{figure.id}.definition', lang)}", markup=False)
        above, below = (text(f"kpi.{figure.id}.{place}", lang) for place in ("above", "below"))
        out.print(f"  {above} / {below}", style="dim", markup=False)


def _definition(figure: Figure) -> dict[str, Any]:
    said = {
        place: {lang: text(f"kpi.{figure.id}.{key}", lang) for lang in LANGS}
        for place, key in (
            ("name", "name"),
            ("definition", "definition"),
            ("numerator", "above"),
            ("denominator", "below"),
        )
    }
    return {
        "id": figure.id,
        **said,
        "unit": figure.unit,
        "extents": figure.extents,
        "least": figure.least,
        "domain": figure.section,
    }
