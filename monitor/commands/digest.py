"""`monitor digest`: print what makes two ledgers the same."""

from typing import Annotated

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

PARTS = ("journal", "assessments", "findings", "statistics", "outbox", "publications")


def digest(
    horizon: Annotated[
        str | None,
        typer.Option(help="Compare as of this instant (RFC 3339 with offset); by default the last one seen."),
    ] = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Print the canonical digest: equal for two ledgers that say the same, however they came to it."""
    from monitor.ledger.digest import digests

    spoken = language(lang)
    at = instant(horizon, spoken)
    with opened(ledger) as book:
        found = digests(book, at)
    parts = {part: getattr(found, part) for part in PARTS}
    if as_json:
        print_document({"digest": found.whole, "horizon": found.horizon, **parts})
        return
    out.print(found.whole, style="bold")
    out.print(text("digest.horizon", spoken, horizon=found.horizon.isoformat()))
    for part, value in parts.items():
        out.print(f"{value}  {text(f'digest.{part}', spoken)}", markup=False)
