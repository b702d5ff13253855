"""`monitor reassess`: have cases assessed again by the process that writes the ledger."""

from typing import Annotated

import typer

from monitor.commands.options import (
    EXIT_DIFFERENT,
    JsonOption,
    LangOption,
    LedgerOption,
    err,
    language,
    opened,
    out,
    print_document,
)
from monitor.language import text


def reassess(
    cases: Annotated[list[str] | None, typer.Argument(help="Cases; by default all.", show_default=False)] = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Mark cases to be assessed again; the next ticks of 'monitor up' do the work. Exit code 1: some are unknown."""
    spoken = language(lang)
    with opened(ledger) as book:
        unknown = [case for case in cases or () if book.assessment(case) is None]
        marked = book.mark(cases or None)
    if as_json:
        print_document({"marked": marked})
    else:
        out.print(text("reassess.marked", spoken, count=marked))
    for case in unknown:
        err.print(text("explain.not_found", spoken, case=case), style="red", markup=False)
    if unknown:
        raise typer.Exit(EXIT_DIFFERENT)
