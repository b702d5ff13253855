"""`monitor audit`: who did what, as the chained audit has it."""

from typing import Annotated

import msgspec
import typer

from monitor.commands.options import (
    JsonOption,
    LangOption,
    LedgerOption,
    instant,
    language,
    opened,
    out,
    print_document,
)
from monitor.language import text


def audit(
    actor: Annotated[str | None, typer.Option(help="Only what this user or account did.", show_default=False)] = None,
    act: Annotated[str | None, typer.Option(help="Only acts beginning so, as 'user.'.", show_default=False)] = None,
    about: Annotated[
        str | None, typer.Option("--object", help="Only what was done to this, as 'user:li'.", show_default=False)
    ] = None,
    since: Annotated[str | None, typer.Option(help="Only since this instant (RFC 3339 with offset).")] = None,
    limit: Annotated[int, typer.Option(help="So many lines at most.", min=1, max=100_000)] = 100,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """List what was done to users, keys, rulebooks and kept evidence, newest first."""
    from monitor.ledger.audit import entries

    spoken = language(lang)
    earliest = instant(since, spoken)
    with opened(ledger, lang=spoken) as book:
        with book.read() as connection:
            lines = entries(connection, actor, act, about, earliest, limit)
        days = book.rulebooks().versions[-1].rulebook.days if book.has_rulebook() else None
    if as_json:
        print_document(lines)
        return
    if not lines:
        out.print(text("audit.none", spoken))
    for line in lines:
        at = line.at.astimezone() if days is None else days.local(line.at)
        detail = msgspec.json.encode(line.detail, order="deterministic").decode() if line.detail else ""
        shown = f"{line.seq}  {at:%Y-%m-%d %H:%M:%S}  {line.actor}  {line.act}  {line.object}  {detail}"
        out.print(shown.rstrip(), markup=False)
