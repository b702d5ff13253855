"""Who runs a command: a user who gives the password, or the account of the operating system."""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from monitor.commands.options import EXIT_UNUSABLE, err
from monitor.language import Lang, text
from monitor.ledger import Ledger
from monitor.people import Actor, find_user, matches, this_account

AsOption = Annotated[
    str | None,
    typer.Option("--as", envvar="MONITOR_USER", help="User who does it; the password is asked.", show_default=False),
]
AsFileOption = Annotated[
    Path | None,
    typer.Option(
        "--as-password-file",
        envvar="MONITOR_USER_PASSWORD_FILE",
        help="File with that user's password, - for standard input, instead of asking.",
        show_default=False,
    ),
]


def acting(book: Ledger, name: str | None, file: Path | None, lang: Lang) -> Actor:
    """Give who acts: the user named, once the password was right, else this account. A wrong one ends the command."""
    from monitor.ledger import audit

    if name is None:
        return this_account()
    with book.read() as connection:
        found = find_user(connection, name)
    user = matches(found, read_password(file, text("users.ask_own", lang, name=name), lang))
    if user is None:
        with book.write() as connection:
            who = f"user:{found[0].name}" if found is not None else "users"
            audit.record(connection, this_account().name, "signin.failure", who, {})
        fail(text("users.wrong_password", lang))
    return Actor(user.name, user)


def read_password(file: Path | None, question: str, lang: Lang, twice: bool = False) -> str:
    """Read a password from a file, `-` for standard input, or ask for it on the terminal; never from an argument."""
    if file is None:
        if not sys.stdin.isatty():
            fail(text("users.no_terminal", lang))
        asked: str = typer.prompt(question, hide_input=True, confirmation_prompt=twice, err=True)
        return asked
    try:
        written = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(text("users.no_password_file", lang, path=file, error=error))
    return written.removesuffix("\n").removesuffix("\r")


def fail(said: str) -> NoReturn:
    """Say why a command cannot do its work, and end it."""
    err.print(said, style="red", markup=False)
    raise typer.Exit(EXIT_UNUSABLE)
