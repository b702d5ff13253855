"""`monitor up`: the embedded runtime in one process."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from monitor.commands.options import EXIT_UNUSABLE, LangOption, LedgerOption, err, language, opened, out
from monitor.language import Lang, text
from monitor.ledger import Ledger

HostOption = Annotated[str, typer.Option(help="Address to listen at; by default only this machine can reach it.")]
PortOption = Annotated[int, typer.Option(help="Port to listen at; 0 takes a free one.", min=0, max=65535)]
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8450


def up(
    host: HostOption = DEFAULT_HOST,
    port: PortOption = DEFAULT_PORT,
    rulebook: Annotated[
        Path | None, typer.Option(help="Rulebook that a ledger without one takes as its first version.")
    ] = None,
    ledger: LedgerOption = None,
    lang: LangOption = None,
) -> None:
    """Take events over HTTP, judge deadlines as they pass, and show the live page, until stopped."""
    from streams.server import CannotListen, Embedded, serve

    spoken = language(lang)
    with opened(ledger, create=True) as book:
        if rulebook is not None and not book.has_rulebook():
            publish_first(book, rulebook)
        runtime = Embedded(book)
        try:
            status = serve(
                runtime, host, port, lambda url: out.print(text("up.listening", spoken, url=url), markup=False)
            )
        except CannotListen as address:
            cannot_listen(address, spoken)
    raise typer.Exit(status)


def cannot_listen(address: Exception, lang: Lang) -> NoReturn:
    """Say that an address cannot be listened at, and end the command."""
    err.print(text("up.cannot_listen", lang, address=address), style="red", markup=False)
    raise typer.Exit(EXIT_UNUSABLE) from None


def publish_first(book: Ledger, folder: Path) -> None:
    """Publish a rulebook as the ledger's first version; its faults are said, and the command ends."""
    from monitor.rulebook.faults import RulebookFaults
    from monitor.rulebook.load import load

    try:
        book.publish(load(folder))
    except RulebookFaults as faults:
        err.print(str(faults), style="red", markup=False)
        raise typer.Exit(EXIT_UNUSABLE) from None
