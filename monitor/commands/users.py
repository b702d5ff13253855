"""`monitor users`: who may sign in, as what, and what they see."""

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Connection

from monitor.commands.actor import AsFileOption, AsOption, acting, read_password
from monitor.commands.options import JsonOption, LangOption, LedgerOption, language, opened, out, print_document
from monitor.language import Lang, text
from monitor.ledger import Ledger
from monitor.people import Role, User, add_user, list_users, set_password, set_scope
from monitor.people import disable as disable_user
from monitor.people import enable as enable_user
from monitor.people import recover as recover_admin
from monitor.rulebook.model import Rulebook

app = typer.Typer(no_args_is_help=True, help="Add, list and disable users; say what they see.")

NameArgument = Annotated[str, typer.Argument(help="Name of the user; upper and lower case are the same.")]
RegionOption = Annotated[
    str | None, typer.Option(help="Sees this region and all below it; by default all.", show_default=False)
]
DepartmentOption = Annotated[str | None, typer.Option(help="Sees this department alone.", show_default=False)]
PasswordOption = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        help="File with the new password, - for standard input, instead of asking.",
        show_default=False,
    ),
]


@app.command()
def add(
    name: NameArgument,
    role: Annotated[Role, typer.Option(help="What the user may do; docs/people.md says what.")],
    region: RegionOption = None,
    department: DepartmentOption = None,
    password_file: PasswordOption = None,
    as_name: AsOption = None,
    as_file: AsFileOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Add a user. While a ledger has no admin whoever has its file may, later only an admin (--as)."""
    spoken = language(lang)
    with opened(ledger, lang=spoken) as book:
        actor = acting(book, as_name, as_file, spoken)
        password = read_password(password_file, text("users.ask_new", spoken, name=name), spoken, twice=True)
        with book.write() as connection:
            rulebook = _rulebook(book, connection)
            user = add_user(connection, actor, name, role, password, region, department, rulebook)
    _tell("users.added", user, as_json, spoken)


@app.command("list")
def show(ledger: LedgerOption = None, as_json: JsonOption = False, lang: LangOption = None) -> None:
    """List the users: role, what they see, disabled or not."""
    spoken = language(lang)
    with opened(ledger, lang=spoken) as book, book.read() as connection:
        known = list_users(connection)
    if as_json:
        print_document(known)
        return
    if not known:
        out.print(text("users.none", spoken))
    for user in known:
        out.print(_line(user, spoken), markup=False)


@app.command()
def password(
    name: NameArgument,
    password_file: PasswordOption = None,
    recover: Annotated[
        str | None,
        typer.Option(help="An admin lost the password, and why; inspectors are told.", show_default=False),
    ] = None,
    as_name: AsOption = None,
    as_file: AsFileOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Give a user another password: oneself (--as the same name), or an admin; --recover where no admin can."""
    spoken = language(lang)
    with opened(ledger, lang=spoken) as book:
        actor = acting(book, as_name, as_file, spoken)
        given = read_password(password_file, text("users.ask_new", spoken, name=name), spoken, twice=True)
        with book.write() as connection:
            if recover is None:
                user = set_password(connection, actor, name, given)
            else:
                user = recover_admin(connection, actor, name, given, recover)
    _tell("users.password_set", user, as_json, spoken)


@app.command()
def scope(
    name: NameArgument,
    region: RegionOption = None,
    department: DepartmentOption = None,
    as_name: AsOption = None,
    as_file: AsFileOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Change what a user sees; what is left out here is not limited any more."""
    spoken = language(lang)
    with opened(ledger, lang=spoken) as book:
        actor = acting(book, as_name, as_file, spoken)
        with book.write() as connection:
            user = set_scope(connection, actor, name, region, department, _rulebook(book, connection))
    _tell("users.scope_set", user, as_json, spoken)


@app.command()
def disable(
    name: NameArgument,
    as_name: AsOption = None,
    as_file: AsFileOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Keep a user out; a running monitor does within seconds. The name stays taken."""
    spoken = language(lang)
    with opened(ledger, lang=spoken) as book:
        actor = acting(book, as_name, as_file, spoken)
        with book.write() as connection:
            user = disable_user(connection, actor, name)
    _tell("users.disabled_now", user, as_json, spoken)


@app.command()
def enable(
    name: NameArgument,
    as_name: AsOption = None,
    as_file: AsFileOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Let a disabled user in again."""
    spoken = language(lang)
    with opened(ledger, lang=spoken) as book:
        actor = acting(book, as_name, as_file, spoken)
        with book.write() as connection:
            user = enable_user(connection, actor, name)
    _tell("users.enabled_now", user, as_json, spoken)


def _rulebook(book: Ledger, connection: Connection) -> Rulebook | None:
    """Give the newest rulebook: whom one adds today may see a region of tomorrow's."""
    if not book.has_rulebook():
        return None
    return book.publications.history(connection).versions[-1].rulebook


def _tell(key: str, user: User, as_json: bool, lang: Lang) -> None:
    if as_json:
        print_document(user)
    else:
        out.print(text(key, lang, name=user.name), markup=False)
        out.print(_line(user, lang), markup=False)


def _line(user: User, lang: Lang) -> str:
    sees = [
        text("users.region", lang, code=user.region) if user.region else text("users.everywhere", lang),
        *([text("users.department", lang, code=user.department)] if user.department else []),
    ]
    line = text("users.listed", lang, name=user.name, role=text(f"role.{user.role}", lang), sees=", ".join(sees))
    if user.disabled_at is None:
        return line
    return line + text("users.disabled", lang, since=f"{user.disabled_at.astimezone():%Y-%m-%d %H:%M}")
