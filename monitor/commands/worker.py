"""`monitor worker`: one of the workers that supervise a city together."""

import typer

from monitor.commands.options import EXIT_UNUSABLE, LedgerOption, err, opened


def worker(ledger: LedgerOption = None) -> None:
    """Take events from Kafka and judge deadlines, sharing the partitions with the other workers, until stopped."""
    from streams.kafka.identity import TopicUnusable
    from streams.kafka.settings import KafkaSettings
    from streams.kafka.worker import run

    settings = KafkaSettings()
    if not settings.bootstrap:
        err.print("no broker is named: set MONITOR_KAFKA_SERVERS to host:port", style="red", markup=False)
        raise typer.Exit(EXIT_UNUSABLE)
    with opened(ledger) as book:
        try:
            status = run(book, settings)
        except TopicUnusable as why:
            err.print(str(why), style="red", markup=False)
            raise typer.Exit(EXIT_UNUSABLE) from None
    raise typer.Exit(status)
