"""`monitor seal`: sign where every chain of the ledger ends."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from monitor.commands.options import JsonOption, LangOption, LedgerOption, err, language, opened
from monitor.language import text
from monitor.settings import Settings


def seal(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the document to this file.")] = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,  # a seal is a JSON document either way
    lang: LangOption = None,
) -> None:
    """Print a signed statement of all chain heads, to be kept by somebody outside (`monitor verify --seal`)."""
    from monitor.ledger.seal import seal as seal_ledger
    from monitor.ledger.seal import to_document

    with opened(ledger) as book:
        sealed = seal_ledger(book, Settings().seal_key)
    document = to_document(sealed).decode() + "\n"
    if output is None:
        sys.stdout.write(document)
    else:
        output.write_text(document, encoding="utf-8")
    err.print(text("seal.give_away", language(lang), key=sealed.public_key), markup=False)
