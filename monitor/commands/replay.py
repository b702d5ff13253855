"""`monitor replay`: load an empty ledger from every event of an older one, and compare the two."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

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
    source: Annotated[str, typer.Option("--from", help="Database URL of the older ledger; it is only read.")],
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Replay an older ledger into an empty one; nobody is told anything. Exit code 1: the two differ."""
    from monitor.settings import Settings
    from streams.replay import replay as replay_ledger

    spoken = language(lang)
    target = ledger or Settings().ledger_url
    if target == source:
        err.print(text("replay.same", spoken), style="red", markup=False)
        raise typer.Exit(EXIT_UNUSABLE)
    with opened(source, lang=lang) as old, opened(target, create=True, lang=lang) as new, _progress(spoken) as progress:
        done = replay_ledger(old, new, progress)
    if as_json:
        print_document(
            {
                "streams": done.streams,
                "events": done.events,
                "horizon": done.horizon,
                "digest": done.digest,
                "digest_of_source": done.of_source,
                "agrees": done.agrees,
            }
        )
    else:
        out.print(text("replay.done", spoken, events=f"{done.events:,}", streams=done.streams))
        out.print(done.digest, style="bold")
        if done.agrees:
            out.print(text("replay.agrees", spoken))
    if not done.agrees:
        err.print(text("replay.differs", spoken, digest=done.of_source), style="red", markup=False)
        raise typer.Exit(EXIT_DIFFERENT)


@contextmanager
def _progress(lang: Lang) -> Iterator["Progress"]:
    """Show a bar on standard error: how many events were replayed."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(text("replay.in_progress", lang), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
