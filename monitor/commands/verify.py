"""`monitor verify`: check that the ledger says what follows from its events."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from monitor.language import Lang, text
from monitor.ledger import Ledger, LedgerError
from monitor.settings import Settings

if TYPE_CHECKING:
    from monitor.ledger.seal import Seal
    from monitor.ledger.verify import Verification

COUNTED = ("events", "cases", "findings", "statistics", "actions", "audit", "texts")


def verify(
    seal: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Check a document of 'monitor seal' as well.")
    ] = None,
    since: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The same, and look only at what came after it was made."),
    ] = None,
    public_key: Annotated[str | None, typer.Option(help="The key the witness was given for its seals.")] = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Recompute chains, assessments, findings and statistics, and name the first difference (exit code 1)."""
    from monitor.ledger.seal import from_document
    from monitor.ledger.verified import note_verification
    from monitor.ledger.verify import verify as verify_ledger

    document = seal or since
    if (seal is not None and since is not None) or (public_key is not None and document is None):
        raise typer.BadParameter("name one seal, with --seal or with --since", param_hint="'--seal'")
    with opened(ledger) as book:
        sealed = None if document is None else from_document(document.read_bytes())
        broken = None if sealed is None else _broken(book, sealed, public_key)
        # What a seal does not vouch for any more is looked at too.
        trusted = sealed.statement if sealed is not None and since is not None and broken is None else None
        result = verify_ledger(book, since=trusted)
        note_verification(book, result.difference is None and broken is None)
    if as_json:
        print_document({**to_builtins(result), **({} if sealed is None else {"seal": broken or "holds"})})
    else:
        _print(result, sealed is not None, broken, language(lang))
    if result.difference is not None or broken is not None:
        raise typer.Exit(EXIT_DIFFERENT)


def _broken(book: Ledger, sealed: "Seal", public_key: str | None) -> str | None:
    from monitor.ledger.seal import public_key_of, verify_seal

    try:
        verify_seal(book, sealed, public_key or public_key_of(book, Settings().seal_key))
    except LedgerError as error:
        return str(error)
    return None


def _print(result: "Verification", sealed: bool, broken: str | None, lang: Lang) -> None:
    if broken is not None:
        out.print(text("verify.seal_broken", lang, reason=broken), style="red", markup=False)
    elif sealed:
        out.print(text("verify.sealed", lang), style="green")
    if result.difference is not None:
        shown = {name: getattr(result.difference, name) for name in result.difference.__struct_fields__}
        out.print(text("verify.differs", lang, **shown), style="red", markup=False)
        return
    out.print(text("verify.agrees", lang, **{name: getattr(result, name) for name in COUNTED}), style="green")
    if result.skipped is not None:
        parts = ", ".join(result.skipped.parts)
        skipped = {"events": result.skipped.events, "cases": result.skipped.cases, "parts": parts}
        out.print(text("verify.skipped", lang, **skipped))
