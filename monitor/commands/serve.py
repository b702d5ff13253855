"""`monitor serve`: events to Kafka, and everything there is to read, over the ledger that workers write."""

import typer

from monitor.commands.broker import broker
from monitor.commands.options import LangOption, LedgerOption, language, opened, out
from monitor.commands.up import DEFAULT_HOST, DEFAULT_PORT, HostOption, PortOption, cannot_listen
from monitor.language import text


def serve(
    host: HostOption = DEFAULT_HOST,
    port: PortOption = DEFAULT_PORT,
    ledger: LedgerOption = None,
    lang: LangOption = None,
) -> None:
    """Take events over HTTP for the workers behind Kafka, and show live page, figures and metrics, until stopped."""
    from streams.kafka.serving import Serving
    from streams.server import CannotListen
    from streams.server import serve as serve_runtime

    spoken = language(lang)
    with broker(spoken) as settings, opened(ledger) as book:
        runtime = Serving(book, settings)
        try:
            status = serve_runtime(
                runtime, host, port, lambda url: out.print(text("up.listening", spoken, url=url), markup=False)
            )
        except CannotListen as address:
            cannot_listen(address, spoken)
    raise typer.Exit(status)
