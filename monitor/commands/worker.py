"""`monitor worker`: one of the workers that supervise a city together."""

from typing import Annotated

import typer

from monitor.commands.broker import broker
from monitor.commands.options import LangOption, LedgerOption, language, opened
from monitor.commands.up import cannot_listen


def worker(
    ledger: LedgerOption = None,
    metrics_host: Annotated[
        str, typer.Option(help="Address of /metrics, /healthz and /readyz; by default only this machine can reach it.")
    ] = "127.0.0.1",
    metrics_port: Annotated[int, typer.Option(help="Port of those; 0 takes a free one.", min=0, max=65535)] = 0,
    lang: LangOption = None,
) -> None:
    """Take events from Kafka and judge deadlines, sharing the partitions with the other workers, until stopped."""
    from streams.kafka.exposition import CannotExpose
    from streams.kafka.worker import run

    spoken = language(lang)
    with broker(spoken) as settings, opened(ledger, lang=spoken) as book:
        try:
            status = run(book, settings, metrics_host, metrics_port)
        except CannotExpose as address:
            cannot_listen(address, spoken)
    raise typer.Exit(status)
