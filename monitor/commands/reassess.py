"""`monitor reassess`: have cases assessed again by the process that writes the ledger."""

from typing import Annotated

import typer

from monitor.commands.options import JsonOption, LangOption, LedgerOption, language, opened, out, print_document
from monitor.language import text


def reassess(
    cases: Annotated[list[str] | None, typer.Argument(help="Cases; by default all.", show_default=False)] = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Mark cases to be assessed again; the next ticks of 'monitor up' do the work."""
    with opened(ledger) as book:
        marked = book.mark(cases or None)
    if as_json:
        print_document({"marked": marked})
    else:
        out.print(text("reassess.marked", language(lang), count=marked))
