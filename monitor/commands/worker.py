"""`monitor worker`: one of the workers that supervise a city together."""

from typing import Annotated

import typer

from monitor.commands.options import EXIT_UNUSABLE, LedgerOption, err, opened


def worker(
    ledger: LedgerOption = None,
    metrics_host: Annotated[
        str, typer.Option(help="Address of /metrics, /healthz and /readyz; by default only this machine can reach it.")
    ] = "127.0.0.1",
    metrics_port: Annotated[int, typer.Option(help="Port of those; 0 takes a free one.", min=0, max=65535)] = 0,
) -> None:
    """Take events from Kafka and judge deadlines, sharing the partitions with the other workers, until stopped."""
    from streams.kafka.exposition import CannotExpose
    from streams.kafka.identity import TopicUnusable
    from streams.kafka.settings import KafkaSettings
    from streams.kafka.worker import run

    settings = KafkaSettings()
    if not settings.bootstrap:
        err.print("no broker is named: set MONITOR_KAFKA_SERVERS to host:port", style="red", markup=False)
        raise typer.Exit(EXIT_UNUSABLE)
    with opened(ledger) as book:
        try:
            status = run(book, settings, metrics_host, metrics_port)
        except (TopicUnusable, CannotExpose) as why:
            err.print(str(why), style="red", markup=False)
            raise typer.Exit(EXIT_UNUSABLE) from None
    raise typer.Exit(status)
