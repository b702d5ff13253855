"""Options and output that the commands share."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from sqlalchemy.exc import DBAPIError

from monitor.language import Lang, text
from monitor.ledger import Ledger, LedgerError
from monitor.ledger.database import name_of
from monitor.ledger.errors import Refusal
from monitor.settings import Settings

LedgerOption = Annotated[
    str | None,
    typer.Option("--ledger", envvar="MONITOR_LEDGER", help="Database URL of the ledger.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
LangOption = Annotated[
    Lang | None,
    typer.Option("--lang", envvar="MONITOR_LANG", help="zh or en.", show_default=False),
]

EXIT_DIFFERENT = 1
"""The command worked, and what it found is not as it must be."""
EXIT_UNUSABLE = 2
"""The command could not do its work."""

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def opened(url: str | None, create: bool = False, lang: Lang | None = None) -> Iterator[Ledger]:
    """Open the ledger of a command; what is wrong with it is said on standard error, and the command ends."""
    settings = Settings()
    named = url or settings.ledger_url
    try:
        kept = timedelta(days=settings.reject_days)
        with Ledger.open(named, create, settings.text_key, kept) as ledger:
            yield ledger
    except LedgerError as error:
        said = error.say(language(lang)) if isinstance(error, Refusal) else str(error)
        err.print(said, style="red", markup=False)
        raise typer.Exit(EXIT_UNUSABLE) from None
    except DBAPIError as error:
        err.print(f"{name_of(named)}: {error.orig}", style="red", markup=False)
        raise typer.Exit(EXIT_UNUSABLE) from None


def language(chosen: Lang | None) -> Lang:
    """Give the language asked for, else that of the deployment."""
    return chosen or Settings().lang


def print_document(document: Any) -> None:
    """Print one JSON document on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document, order="deterministic")).decode() + "\n")


def instant(written: str | None, lang: Lang) -> datetime | None:
    """Read an instant given as an option; one without its offset is said to be none, and the command ends."""
    if written is None:
        return None
    try:
        read = datetime.fromisoformat(written)
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        err.print(text("options.not_an_instant", lang, written=written), style="red", markup=False)
        raise typer.Exit(EXIT_UNUSABLE)
    return read
