"""`monitor import`: bring the events of a CSV or XES log into the ledger, and say what became of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

from monitor.commands.options import (
    EXIT_DIFFERENT,
    EXIT_UNUSABLE,
    JsonOption,
    LangOption,
    LedgerOption,
    err,
    instant,
    language,
    opened,
    out,
    print_document,
)
from monitor.language import Lang, text

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.ledger import Ledger
    from streams.importer import Imported, Progress, Sink
    from streams.kafka.settings import KafkaSettings
    from streams.mapping import FoundMapping

NAMES_SHOWN: Final = 20
FIGURES: Final = (
    "cases",
    "rows",
    "events",
    "applied",
    "duplicates",
    "rejected",
    "unmapped",
    "on_time",
    "overdue",
    "open",
    "unjudged",
)
PRODUCED: Final = ("cases", "rows", "events", "accepted", "rejected", "unmapped")
"""What can be told of an import into a topic: the rest is the workers' to find out."""


def import_(
    file: Annotated[Path, typer.Argument(help="The log: CSV or XES, also compressed with gzip.")],
    mapping: Annotated[str, typer.Option("--mapping", "-m", help="A mapping file, or the name of a shipped one.")],
    complete_until: Annotated[
        str | None,
        typer.Option(help="The log says everything up to this instant (RFC 3339); by default up to its last event."),
    ] = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Import a log through a mapping; importing it again changes nothing. Exit code 1 when it broke off."""
    spoken = language(lang)
    until = instant(complete_until, spoken)
    with opened(ledger, create=True) as book:
        summary, done = _import(book, file, mapping, until, spoken)
    if as_json:
        print_document(summary)
    else:
        _print(summary, done, spoken)
    if done.fault is not None:
        raise typer.Exit(EXIT_DIFFERENT)


def _import(
    book: "Ledger", file: Path, mapping: str, until: "datetime | None", lang: Lang
) -> tuple[dict[str, Any], "Imported"]:
    from monitor.rulebook.faults import RulebookFaults
    from streams.http_sink import SinkRefused
    from streams.importer import ImportRefused, import_log, prepare
    from streams.kafka.settings import KafkaSettings
    from streams.logs import LogFault
    from streams.mapping import read_mapping
    from streams.standing import SeenCases, standing

    kafka = KafkaSettings()
    try:
        found = read_mapping(mapping)
        prepare(book, found)
        with SeenCases() as seen, _sink(book, kafka, lang) as sink, _progress(file, lang) as progress:
            done = import_log(file, found.mapping, sink, until, seen.add, progress)
            stands = None if kafka.bootstrap else standing(book, seen)
            return _summary(file, found, done, stands, lang), done
    except RulebookFaults as faults:
        _fail(*(fault.describe(lang) for fault in faults.faults))
    except ImportRefused as refused:
        _fail(text(f"import.{refused.code}", lang, **refused.params))
    except LogFault as fault:
        _fail(fault.describe(lang))
    except SinkRefused as refused:
        _fail(text("import.sink", lang, detail=refused))


@contextmanager
def _sink(book: "Ledger", kafka: "KafkaSettings", lang: Lang) -> Iterator["Sink"]:
    """Produce to the topic of a broker that is configured; else write the ledger, or post to who holds it."""
    from monitor.ledger import LeaseHeld
    from streams.access import token_path
    from streams.engine import Engine
    from streams.http_sink import HttpSink
    from streams.importer import EngineSink
    from streams.ticker import Horizon

    if kafka.bootstrap:
        from streams.kafka.sink import kafka_sink

        err.print(text("import.producing", lang, topic=kafka.topic, servers=kafka.servers), markup=False)
        with kafka_sink(book, kafka) as sink:
            yield sink
        return
    try:
        engine = Engine(book)
    except LeaseHeld as held:
        if held.url is None or not token_path(book).exists():
            raise
        err.print(text("import.posting", lang, url=held.url), markup=False)
        client = HttpSink(held.url, token_path(book).read_text(encoding="ascii"))
        try:
            yield client
        finally:
            client.close()
        return
    try:
        yield EngineSink(engine, Horizon(book.horizon()))
    finally:
        engine.close()


@contextmanager
def _progress(file: Path, lang: Lang) -> Iterator["Progress"]:
    """Show a bar on standard error: bytes of the file read, events delivered."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    def description(events: int) -> str:
        return text("import.in_progress", lang, file=file.name, events=f"{events:,}")

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        size = file.stat().st_size if file.is_file() else None
        task = bar.add_task(description(0), total=size)
        yield lambda position, events: bar.update(task, completed=position, description=description(events))


def _summary(file: Path, found: "FoundMapping", done: "Imported", stands: Any, lang: Lang) -> dict[str, Any]:
    if stands is None:
        figures = {name: getattr(done, name) for name in PRODUCED}
    else:
        figures = {name: getattr(done, name, None) for name in FIGURES}
        figures |= {name: getattr(stands, name) for name in stands.__struct_fields__}
    return {
        "file": str(file),
        "mapping": found.mapping.name,
        "source": found.mapping.source,
        **figures,
        "unmapped_activities": done.unmapped_activities,
        "rejects": [
            {
                "place": reject.place,
                "code": reject.error.code,
                "field": reject.error.field,
                "reason": reject.error.reason(lang),
                "remedy": reject.error.remedy(lang),
            }
            for reject in done.rejects
        ],
        "complete_until": done.complete_until,
        "fault": done.fault.describe(lang) if done.fault is not None else None,
    }


def _print(summary: dict[str, Any], done: "Imported", lang: Lang) -> None:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right")
    table.add_column()
    for name in FIGURES if "applied" in summary else PRODUCED:
        table.add_row(f"{summary[name]:,}", text(f"import.{name}", lang))
    out.print(table)
    if done.unmapped_activities:
        out.print(text("import.unmapped_title", lang), style="bold")
        names = list(done.unmapped_activities.items())
        for name, count in names[:NAMES_SHOWN]:
            out.print(f"{count:>8,}  {name}", markup=False)
        if len(names) > NAMES_SHOWN:
            out.print(text("import.more", lang, count=len(names) - NAMES_SHOWN))
    if done.rejects:
        out.print(text("import.rejects_title", lang), style="bold")
        for reject in done.rejects:
            out.print(f"{reject.place}: {reject.error.describe(lang)}", style="red", markup=False)
        if done.rejected > len(done.rejects):
            out.print(text("import.more_rejects", lang, count=done.rejected - len(done.rejects)))
    if done.fault is not None:
        err.print(done.fault.describe(lang), text("import.fault", lang), style="red", markup=False, sep="\n")
    elif done.complete_until is not None:
        out.print(text("import.complete_until", lang, instant=done.complete_until.isoformat()), markup=False)


def _fail(*reasons: str) -> NoReturn:
    """Say on standard error why the command cannot do its work, and end it."""
    for reason in reasons:
        err.print(reason, style="red", markup=False)
    raise typer.Exit(EXIT_UNUSABLE)
