"""`monitor rulebook`: publish, list and compare the versions of a rulebook."""

from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import typer

from monitor.commands.actor import AsFileOption, AsOption, acting
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
from monitor.commands.proposals import approve, proposals, reject, show_dangers
from monitor.language import Lang, text
from monitor.ledger import Ledger
from monitor.people import Actor
from monitor.rulebook.model import Rulebook, RulebookVersion
from monitor.wording import say_instant

app = typer.Typer(no_args_is_help=True, help="Publish, list and compare the versions of the rulebook.")


app.command()(proposals)
app.command()(approve)
app.command()(reject)


@app.command()
def publish(
    path: Annotated[Path, typer.Argument(help="A rulebook's YAML file, or the folder of its files.")],
    in_force_from: Annotated[
        str | None,
        typer.Option(help="From when it holds (RFC 3339 with offset), not in the past; by default now."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why it is changed; kept with the version.")] = "",
    retroactive: Annotated[bool, typer.Option("--retroactive", help="It may begin in the past; is dangerous.")] = False,
    alone: Annotated[
        str | None,
        typer.Option(help="Publish a dangerous version without a second person, and why.", show_default=False),
    ] = None,
    as_name: AsOption = None,
    as_file: AsFileOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Make the files an immutable version of the ledger. The first holds from the beginning of time.

    One that may hide breaches becomes a proposal, which another person approves (exit code 1).
    """
    from monitor.ledger.publication import Approval, NeedsApproval

    spoken = language(lang)
    begins = instant(in_force_from, spoken)
    rulebook = _loaded(path, spoken)
    approval = None if alone is None else Approval(alone)
    with opened(ledger, create=True, lang=spoken) as book:
        actor = acting(book, as_name, as_file, spoken)
        before = book.rulebooks().versions[-1].version if book.has_rulebook() else 0
        try:
            number = book.publish(
                rulebook, begins, reason, actor=actor.name, approval=approval, retroactive=retroactive
            )
        except NeedsApproval as needed:
            _propose(book, actor, (rulebook, begins, reason, needed.dangers, retroactive), as_json, spoken)
        published = book.rulebooks().versions[-1]
    if as_json:
        print_document({**_listed(published), "new": number != before})
    elif number == before:
        out.print(text("rulebook.unchanged", spoken, version=number), markup=False)
    else:
        since = _since(published, spoken)
        out.print(text("rulebook.published", spoken, version=number, since=since), style="green", markup=False)


@app.command("list")
def show(ledger: LedgerOption = None, as_json: JsonOption = False, lang: LangOption = None) -> None:
    """List the versions, oldest first, with the instant each comes into force."""
    with opened(ledger) as book:
        versions = book.rulebooks().versions if book.has_rulebook() else ()
    if as_json:
        print_document([_listed(version) for version in versions])
        return
    spoken = language(lang)
    if not versions:
        out.print(text("rulebook.none", spoken))
    for version in versions:
        line = text("rulebook.listed", spoken, **{**_listed(version), "since": _since(version, spoken)})
        out.print(line, markup=False)


@app.command()
def diff(
    before: Annotated[str, typer.Argument(help="A version of the ledger (its number), or a path.")],
    after: Annotated[str, typer.Argument(help="A version of the ledger (its number), or a path.")],
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Tell what was added, removed and changed between two rulebooks."""
    from monitor.rulebook.diff import diff as compare

    spoken = language(lang)
    changes = compare(_named(before, ledger, spoken), _named(after, ledger, spoken))
    if as_json:
        print_document(changes)
        return
    if not changes:
        out.print(text("rulebook.same", spoken))
    for change in changes:
        where = ".".join(part for part in (change.section, change.key, change.field) if part)
        shown = {"where": where, "before": _one_line(change.before), "after": _one_line(change.after)}
        out.print(text(f"rulebook.{change.kind}", spoken, **shown), markup=False)


def _propose(book: Ledger, actor: Actor, wanted: tuple[Any, ...], as_json: bool, lang: Lang) -> NoReturn:
    """Keep a dangerous version for a second person, say so, and end the command."""
    from monitor.ledger.proposals import propose

    found = wanted[3]
    if not as_json:
        show_dangers(found, lang)
    with book.write() as connection:
        number = propose(connection, actor, *wanted)
    if as_json:
        print_document({"proposal": number, "dangers": found})
    else:
        out.print(text("rulebook.proposed", lang, id=number), markup=False)
    raise typer.Exit(EXIT_DIFFERENT)


def _loaded(path: Path, lang: Lang) -> Rulebook:
    """Load a rulebook; its faults are said, and the command ends."""
    from monitor.rulebook.faults import RulebookFaults
    from monitor.rulebook.load import load

    try:
        return load(path)
    except RulebookFaults as found:
        for fault in found.faults:
            err.print(fault.describe(lang), style="red", markup=False)
        raise typer.Exit(EXIT_UNUSABLE) from None


def _named(name: str, ledger: str | None, lang: Lang) -> Rulebook:
    """Find a rulebook by its version in the ledger, else by its path."""
    if not name.isdigit() or Path(name).exists():
        return _loaded(Path(name), lang)
    with opened(ledger) as book:
        versions = book.rulebooks().versions
    for version in versions:
        if version.version == int(name):
            return version.rulebook
    known = ", ".join(str(version.version) for version in versions)
    err.print(text("rulebook.no_version", lang, version=name, known=known), style="red", markup=False)
    raise typer.Exit(EXIT_UNUSABLE)


def _listed(version: RulebookVersion) -> dict[str, Any]:
    return {
        "version": version.version,
        "in_force_from": version.in_force_from,
        "name": version.rulebook.name,
        "items": len(version.rulebook.items),
        "calendar": version.rulebook.calendar.version,
    }


def _since(version: RulebookVersion, lang: Lang) -> str:
    begins = version.in_force_from
    return text("rulebook.beginning", lang) if begins is None else say_instant(begins, version.rulebook.days)


def _one_line(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
