"""`monitor demo`: a simulated city, a year of it and then live, in the embedded runtime."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from monitor.commands.options import LangOption, LedgerOption, err, language, opened, out
from monitor.commands.up import DEFAULT_HOST, DEFAULT_PORT, HostOption, PortOption, cannot_listen, publish_first
from monitor.language import Lang, text
from monitor.ledger import Ledger

if TYPE_CHECKING:
    from streams.server import Embedded


def demo(
    host: HostOption = DEFAULT_HOST,
    port: PortOption = DEFAULT_PORT,
    seed: Annotated[int, typer.Option(help="The same seed gives the same city.")] = 2009,
    days: Annotated[int, typer.Option(help="Length of the simulated past.", min=1, max=1000)] = 365,
    cases: Annotated[
        int | None, typer.Option(help="Cases a year; by default as many as in Yulin.", min=250, show_default=False)
    ] = None,
    live: Annotated[bool, typer.Option(help="Go on live after the past.")] = True,
    exit_after: Annotated[
        float | None, typer.Option(help="Stop so many seconds after the past is loaded.", show_default=False)
    ] = None,
    ledger: LedgerOption = None,
    lang: LangOption = None,
) -> None:
    """Simulate the year that ends now, then go on live; run until stopped. A restart goes on with the same city."""
    from streams.demo import Demonstration, a_year_until, city_of
    from streams.server import CannotListen, Embedded, serve

    spoken = language(lang)
    with opened(ledger, create=True) as book:
        city = city_of(book, lambda: a_year_until(datetime.now(UTC), seed, cases, days))
        if not book.has_rulebook():
            publish_first(book, Path(str(files("monitor.rulebooks") / "yulin")))
        key_path = _keep_key(book)
        runtime = Embedded(book)
        demonstration = Demonstration(city, book, runtime.thread, runtime.horizon)
        with _shown(runtime, spoken) as progress:

            def ready() -> None:
                progress(1.0, 0)
                runtime.loading_percent = None
                out.print(text("demo.live" if live else "demo.loaded", spoken), markup=False)
                if exit_after is not None:
                    threading.Timer(exit_after, runtime.stop_serving).start()

            def listening(url: str) -> None:
                out.print(text("demo.listening", spoken, url=url), markup=False)
                out.print(text("demo.key", spoken, path=key_path), markup=False)
                demonstration.start(progress, live=live, ready=ready)

            try:
                status = serve(runtime, host, port, listening)
            except CannotListen as address:
                cannot_listen(address, spoken)
            finally:
                demonstration.stop()
    raise typer.Exit(status or (1 if demonstration.failure is not None else 0))


@contextmanager
def _shown(runtime: "Embedded", lang: Lang) -> Iterator[Callable[[float, int], None]]:
    """Show the loading of the past on the terminal, and on the page."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeElapsedColumn(),
    )
    bar = Progress(*columns, console=err, transient=True)
    task = bar.add_task(text("demo.loading", lang), total=1.0)

    def progress(done: float, events: int) -> None:
        if not bar.finished:
            runtime.loading_percent = 100 * done
            bar.update(task, completed=done)
            if done >= 1.0:
                bar.stop()

    with bar:
        yield progress


def _keep_key(book: Ledger) -> Path:
    """Make a key for the first source that sends over HTTP, once, readable by its owner alone."""
    from monitor.keys import create_key

    path = book.folder / "demo.key"
    if not path.exists():
        sources = book.rulebooks().current.rulebook.sources
        source = next(each.code for each in sources if each.authentication == "api_key")
        with book.write() as connection:
            _, secret = create_key(connection, source)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secret)
    return path
