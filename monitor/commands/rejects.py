"""`monitor rejects`: what could not be taken, and why; what was delivered is shown masked."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.commands.actor import AsFileOption, AsOption, acting
from monitor.commands.options import JsonOption, LangOption, LedgerOption, language, opened, out, print_document
from monitor.language import Lang, text

if TYPE_CHECKING:
    from monitor.ledger.rejects import Reject

app = typer.Typer(no_args_is_help=True, help="List and show what was rejected.")


@app.command("list")
def list_(
    source: Annotated[str | None, typer.Option(help="Only of this source.", show_default=False)] = None,
    code: Annotated[str | None, typer.Option(help="Only for this reason.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(help="So many at most, the newest first.", min=1, max=10_000)] = 100,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """List the newest rejects with field and reason."""
    from monitor.ledger.rejects import newest

    spoken = language(lang)
    with opened(ledger) as book, book.read() as connection:
        found = newest(connection, limit, source, code)
    if as_json:
        print_document([_document(reject, spoken) for reject in found])
        return
    for reject in found:
        out.print(_line(reject, spoken), markup=False)


@app.command()
def show(
    seq: Annotated[int, typer.Argument(help="Its number in the list.")],
    reveal: Annotated[bool, typer.Option("--reveal", help="Show what was delivered in clear; it is audited.")] = False,
    as_name: AsOption = None,
    as_file: AsFileOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Show one reject and what was delivered: digits, other letters than those of codes, and sentences blanked."""
    from monitor.ledger import audit
    from monitor.masking import masked
    from monitor.people import require_among

    spoken = language(lang)
    with opened(ledger, lang=spoken) as book:
        actor = acting(book, as_name, as_file, spoken) if reveal else None
        with book.write() if reveal else book.read() as connection:
            if actor is not None:
                require_among(connection, actor, "admin")
            reject, raw = book.vault.open(connection, seq)
            if actor is not None and raw is not None:
                audit.record(connection, actor.name, "reject.reveal", f"reject:{seq}", {"digest": reject.digest})
    delivered = None if raw is None else raw.decode("utf-8", "replace") if reveal else masked(raw)
    if as_json:
        print_document({**_document(reject, spoken), "delivered": delivered})
        return
    out.print(_line(reject, spoken), markup=False)
    out.print(text("rejects.expired", spoken) if delivered is None else delivered, markup=False)


def _document(reject: "Reject", lang: Lang) -> dict[str, Any]:
    shown = {name: getattr(reject, name) for name in reject.__struct_fields__}
    return {**shown, "reason": reject.error.reason(lang), "remedy": reject.error.remedy(lang)}


def _line(reject: "Reject", lang: Lang) -> str:
    when = f"{reject.received_at.astimezone():%Y-%m-%d %H:%M:%S}"
    return f"{reject.seq}  {when}  {reject.source or '—'}  {reject.code}  {reject.error.describe(lang)}"
