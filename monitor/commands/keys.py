"""`monitor keys`: who may send events, and as which source."""

from typing import Annotated

import typer

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
from monitor.language import text

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke the API keys of sources.")


@app.command()
def create(
    source: Annotated[str, typer.Argument(help="Code of the source the key is for.")],
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Make a key bound to a source and print it; it cannot be shown again."""
    from monitor.keys import create_key

    with opened(ledger) as book:
        known = book.rulebooks().current.rulebook.source
        if source not in known:
            sources = ", ".join(sorted(known))
            err.print(
                text("keys.unknown_source", language(lang), source=source, known=sources), style="red", markup=False
            )
            raise typer.Exit(EXIT_UNUSABLE)
        with book.write() as connection:
            key, secret = create_key(connection, source)
    if as_json:
        print_document({"id": key.id, "source": key.source, "key": secret})
        return
    out.print(secret, markup=False)
    err.print(text("keys.created", language(lang), id=key.id, source=source), markup=False)


@app.command("list")
def show(ledger: LedgerOption = None, as_json: JsonOption = False, lang: LangOption = None) -> None:
    """List the keys by id, without their secrets."""
    from monitor.keys import list_keys

    with opened(ledger) as book:
        with book.read() as connection:
            keys = list_keys(connection)
        days = book.rulebooks().current.rulebook.days if book.has_rulebook() else None
    if as_json:
        print_document(keys)
        return
    for key in keys:
        state = "valid" if key.revoked_at is None else "revoked"
        when = key.revoked_at or key.created_at
        local = when.astimezone() if days is None else days.local(when)
        said = text(f"keys.{state}", language(lang), when=f"{local:%Y-%m-%d %H:%M}")
        out.print(f"{key.id}  {key.source}  {said}", markup=False)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id of the key, as 'monitor keys list' shows it.")],
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Revoke a key for good; a running monitor refuses it within seconds."""
    from monitor.keys import revoke_key

    with opened(ledger) as book, book.write() as connection:
        key = revoke_key(connection, key_id)
    if as_json:
        print_document(key)
    else:
        out.print(text("keys.revoked_now", language(lang), id=key.id, source=key.source), markup=False)
