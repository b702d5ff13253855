"""`monitor replay`: load an empty ledger from every event of an older one, or from a topic."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import msgspec
import typer

from monitor.commands.options import (
    EXIT_DIFFERENT,
    EXIT_UNUSABLE,
    JsonOption,
    LangOption,
    LedgerOption,
    err,
    language,
    opened,
    out,
    print_document,
)
from monitor.language import Lang, text

if TYPE_CHECKING:
    from streams.replay import Progress


def replay(
    source: Annotated[
        str, typer.Option("--from", help="Database URL of the older ledger, which is only read; or kafka://TOPIC.")
    ],
    rulebook: Annotated[
        Path | None, typer.Option(help="From a topic: the rulebook that all of it is judged by.", show_default=False)
    ] = None,
    new_topic: Annotated[
        bool, typer.Option("--new-topic", help="From a ledger: its topic was made again, and is to be read from 0.")
    ] = False,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Replay an older ledger or a topic into an empty ledger; nobody is told. Exit code 1: old and new differ."""
    from monitor.settings import Settings

    spoken = language(lang)
    target = ledger or Settings().ledger_url
    if target == source:
        _fail(text("replay.same", spoken))
    if source.startswith("kafka://"):
        if rulebook is None:
            _fail(text("replay.no_rulebook", spoken))
        _from_topic(source.removeprefix("kafka://"), rulebook, target, as_json, spoken)
    else:
        _from_ledger(source, target, new_topic, as_json, spoken)


def _from_ledger(source: str, target: str, new_topic: bool, as_json: bool, lang: Lang) -> None:
    from streams.replay import replay as replay_ledger

    with opened(source, lang=lang) as old, opened(target, create=True, lang=lang) as new, _progress(lang) as progress:
        done = replay_ledger(old, new, progress, new_topic)
    if as_json:
        told = {"digest": done.digest, "digest_of_source": done.of_source, "agrees": done.agrees}
        print_document({"streams": done.streams, "events": done.events, "horizon": done.horizon, **told})
    else:
        out.print(text("replay.done", lang, events=f"{done.events:,}", streams=done.streams))
        out.print(done.digest, style="bold")
        if done.agrees:
            out.print(text("replay.agrees", lang))
    if not done.agrees:
        err.print(text("replay.differs", lang, digest=done.of_source), style="red", markup=False)
        raise typer.Exit(EXIT_DIFFERENT)


def _from_topic(topic: str, folder: Path, target: str, as_json: bool, lang: Lang) -> None:
    from kafka.errors import KafkaError

    from monitor.rulebook.faults import RulebookFaults
    from monitor.rulebook.load import load
    from streams.kafka.connecting import BrokerUnusable
    from streams.kafka.identity import TopicUnusable
    from streams.kafka.replaying import replay_topic
    from streams.kafka.settings import KafkaSettings

    try:
        rules, settings = load(folder), KafkaSettings(topic=topic)
        with opened(target, create=True, lang=lang) as new, _progress(lang) as progress:
            done = replay_topic(new, rules, settings, progress)
    except RulebookFaults as faults:
        _fail(*(fault.describe(lang) for fault in faults.faults))
    except BrokerUnusable as why:
        _fail(why.say(lang))
    except (TopicUnusable, KafkaError) as why:
        _fail(str(why))
    if as_json:
        print_document(msgspec.to_builtins(done))
    else:
        out.print(text("replay.done_topic", lang, records=f"{done.records:,}", streams=done.streams))
        out.print(done.digest, style="bold")


def _fail(*reasons: str) -> NoReturn:
    for reason in reasons:
        err.print(reason, style="red", markup=False)
    raise typer.Exit(EXIT_UNUSABLE)


@contextmanager
def _progress(lang: Lang) -> Iterator["Progress"]:
    """Show a bar on standard error: how many events were replayed."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(text("replay.in_progress", lang), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
