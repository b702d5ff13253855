"""`monitor topics`: make the topics of Kafka, and say where those there are differ from what they should be."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.commands.broker import broker
from monitor.commands.options import (
    EXIT_DIFFERENT,
    JsonOption,
    LangOption,
    err,
    language,
    out,
    print_document,
)
from monitor.language import Lang, text

if TYPE_CHECKING:
    from streams.kafka.topics import Described, Difference

app = typer.Typer(no_args_is_help=True, help="Make the topics of Kafka, and say how they differ.")

PartitionsOption = Annotated[
    int | None, typer.Option(min=1, max=10_000, help="Partitions of the topic of events, for good.", show_default="64")
]
ReplicationOption = Annotated[
    int | None, typer.Option(min=1, max=32_767, help="On how many brokers each record lies.", show_default="3")
]
MinInsyncOption = Annotated[
    int | None,
    typer.Option(min=1, max=32_767, help="How many must have it before it counts.", show_default="2"),
]
RetentionOption = Annotated[
    int | None, typer.Option("--retention-days", min=1, max=36_500, help="How long records stay.", show_default="30")
]
CompressionOption = Annotated[
    str | None,
    typer.Option(help="producer, uncompressed, gzip, lz4, snappy or zstd.", show_default="producer"),
]


@app.command()
def create(
    partitions: PartitionsOption = None,
    replication: ReplicationOption = None,
    min_insync: MinInsyncOption = None,
    retention: RetentionOption = None,
    compression: CompressionOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Make the topics that are missing, and list how the others differ; exit 1 when they do."""
    _run(True, _given(partitions, replication, min_insync, retention, compression), as_json, language(lang))


@app.command()
def show(
    partitions: PartitionsOption = None,
    replication: ReplicationOption = None,
    min_insync: MinInsyncOption = None,
    retention: RetentionOption = None,
    compression: CompressionOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Show the topics there are, and list how they differ; exit 1 when they do. Nothing is made."""
    _run(False, _given(partitions, replication, min_insync, retention, compression), as_json, language(lang))


def _given(
    partitions: int | None,
    replication: int | None,
    min_insync: int | None,
    retention: int | None,
    compression: str | None,
) -> dict[str, object]:
    options = {
        "partitions": partitions,
        "replication": replication,
        "min_insync": min_insync,
        "retention_days": retention,
        "compression": compression,
    }
    return {name: value for name, value in options.items() if value is not None}


def _run(make: bool, given: dict[str, Any], as_json: bool, lang: Lang) -> None:
    from streams.kafka.topics import TopicSettings, create, describe, differences, wanted

    with broker(lang) as kafka:
        topics = wanted(kafka, TopicSettings(**given))
        created = create(kafka, topics) if make else []
        found = describe(kafka, topics)
    differing = differences(topics, found)
    if as_json:
        print_document({"created": created, "topics": found, "differences": differing})
    else:
        for name in created:
            out.print(text("topics.created", lang, topic=name), markup=False)
        if not make:
            _print_topics(found, lang)
        _print_differences(differing, lang)
    if differing:
        raise typer.Exit(EXIT_DIFFERENT)


def _print_topics(found: "Sequence[Described]", lang: Lang) -> None:
    for topic in found:
        facts = {"id": topic.id, "partitions": topic.partitions, "replication": topic.replication}
        told = "  ".join(f"{text(f'topics.{name}', lang)} {value}" for name, value in facts.items())
        out.print(f"{topic.name}  {told}", markup=False)
        for name, value in sorted(topic.configs.items()):
            out.print(f"    {name}={value}", markup=False)


def _print_differences(differing: "Sequence[Difference]", lang: Lang) -> None:
    from rich.table import Table

    if not differing:
        out.print(text("topics.fine", lang), markup=False)
        return
    err.print(text("topics.different", lang), markup=False)
    missing = text("topics.missing", lang)
    table = Table(box=None, header_style="dim")
    for column in ("topic", "setting", "found", "expected"):
        table.add_column(text(f"topics.{column}", lang), overflow="fold")
    for each in differing:
        table.add_row(each.topic, each.setting or missing, each.found, each.expected)
    out.print(table, markup=False)
