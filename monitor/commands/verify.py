"""`monitor verify`: check that the ledger says what follows from its events."""

from pathlib import Path
from typing import Annotated

import typer
from msgspec import to_builtins

from monitor.commands.options import (
    EXIT_DIFFERENT,
    JsonOption,
    LangOption,
    LedgerOption,
    language,
    opened,
    out,
    print_document,
)
from monitor.language import text
from monitor.ledger import LedgerError
from monitor.settings import Settings


def verify(
    seal: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Check a document of 'monitor seal' as well.")
    ] = None,
    public_key: Annotated[str | None, typer.Option(help="The key the witness was given for its seals.")] = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Recompute chain, assessments, findings and statistics, and name the first difference (exit code 1)."""
    from monitor.ledger.seal import from_document, public_key_of, verify_seal
    from monitor.ledger.verified import note_verification
    from monitor.ledger.verify import verify as verify_ledger

    if public_key is not None and seal is None:
        raise typer.BadParameter("it checks a seal: name one with --seal", param_hint="'--public-key'")
    with opened(ledger) as book:
        broken = None
        if seal is not None:
            sealed = from_document(seal.read_bytes())
            try:
                verify_seal(book, sealed, public_key or public_key_of(book, Settings().seal_key))
            except LedgerError as error:
                broken = str(error)
        result = verify_ledger(book)
        note_verification(book, result.difference is None)
    spoken = language(lang)
    if as_json:
        print_document({**to_builtins(result), **({} if seal is None else {"seal": broken or "holds"})})
    elif broken is not None:
        out.print(text("verify.seal_broken", spoken, reason=broken), style="red", markup=False)
    elif (difference := result.difference) is None:
        counts = {name: getattr(result, name) for name in ("events", "cases", "findings", "statistics")}
        out.print(text("verify.agrees", spoken, **counts), style="green")
        if seal is not None:
            out.print(text("verify.sealed", spoken), style="green")
    else:
        shown = {name: getattr(difference, name) for name in difference.__struct_fields__}
        out.print(text("verify.differs", spoken, **shown), style="red", markup=False)
    if result.difference is not None or broken is not None:
        raise typer.Exit(EXIT_DIFFERENT)
