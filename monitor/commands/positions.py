"""`monitor positions`: where the ledger stands in the partitions of the topic, and gaps an operator accepts."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.commands.actor import AsFileOption, AsOption, acting
from monitor.commands.broker import broker
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

if TYPE_CHECKING:
    from streams.kafka.gap_acceptance import Standing

app = typer.Typer(no_args_is_help=True, help="Show where workers stand in the topic, and accept what it has lost.")


@app.command(name="list")
def list_(ledger: LedgerOption = None, as_json: JsonOption = False, lang: LangOption = None) -> None:
    """List how far each partition was read, and up to when it was judged."""
    from rich.table import Table
    from sqlalchemy import select

    from monitor.ledger.schema import positions

    columns = (positions.c.stream, positions.c.next, positions.c.horizon, positions.c.version)
    with opened(ledger) as book, book.read() as connection:
        rows = [row._asdict() for row in connection.execute(select(*columns).order_by(positions.c.stream))]
    if as_json:
        print_document(rows)
        return
    spoken = language(lang)
    table = Table(*(text(f"positions.{name}", spoken) for name in ("stream", "next", "horizon", "transactions")))
    for row in rows:
        table.add_row(row["stream"], str(row["next"]), f"{row['horizon']:%Y-%m-%d %H:%M:%S}Z", str(row["version"]))
    out.print(table)


@app.command()
def accept(
    reason: Annotated[
        str | None, typer.Option(help="Why; without it the gaps are only listed.", show_default=False)
    ] = None,
    ledger: LedgerOption = None,
    user: AsOption = None,
    password_file: AsFileOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """List what the topic has lost before it was read, and with a reason read on behind it; exit 1 when gaps stand."""
    from streams.kafka.gap_acceptance import accept as accept_gaps
    from streams.kafka.gap_acceptance import standing

    spoken = language(lang)
    with opened(ledger) as book, broker(spoken) as kafka:
        stands = standing(book, kafka)
        accepted = bool(reason) and bool(stands.gaps)
        if accepted and reason:
            accept_gaps(book, stands, reason, acting(book, user, password_file, spoken).name)
    _print(stands, accepted, as_json, spoken)
    raise typer.Exit(EXIT_DIFFERENT if stands.gaps and not accepted else 0)


def _print(stands: "Standing", accepted: bool, as_json: bool, lang: Lang) -> None:
    if as_json:
        document: dict[str, Any] = {"recreated": stands.recreated, "accepted": accepted, "gaps": stands.told()}
        print_document(document)
        return
    for gap in stands.told():
        out.print(text("positions.gap", lang, **gap), markup=False)
    said = "recreated" if stands.recreated else "lost" if stands.gaps else "none"
    out.print(text(f"positions.{said}", lang), markup=False)
    if stands.gaps:
        out.print(text("positions.accepted" if accepted else "positions.not_accepted", lang), markup=False)
