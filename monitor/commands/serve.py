"""`monitor serve`: events to Kafka, and everything there is to read, over the ledger that workers write."""

import typer

from monitor.commands.options import EXIT_UNUSABLE, LangOption, LedgerOption, err, language, opened, out
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
    from streams.kafka.settings import KafkaSettings
    from streams.server import CannotListen
    from streams.server import serve as serve_runtime

    spoken, settings = language(lang), KafkaSettings()
    if not settings.bootstrap:
        err.print(text("serve.no_broker", spoken), style="red", markup=False)
        raise typer.Exit(EXIT_UNUSABLE)
    with opened(ledger) as book:
        runtime = Serving(book, settings)
        try:
            status = serve_runtime(
                runtime, host, port, lambda url: out.print(text("up.listening", spoken, url=url), markup=False)
            )
        except CannotListen as address:
            cannot_listen(address, spoken)
    raise typer.Exit(status)
