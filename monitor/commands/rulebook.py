"""`monitor rulebook`: publish, list and compare the versions of a rulebook."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from monitor.commands.options import (
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
from monitor.rulebook.model import Rulebook, RulebookVersion
from monitor.wording import say_instant

app = typer.Typer(no_args_is_help=True, help="Publish, list and compare the versions of the rulebook.")


@app.command()
def publish(
    path: Annotated[Path, typer.Argument(help="A rulebook's YAML file, or the folder of its files.")],
    in_force_from: Annotated[
        str | None,
        typer.Option(help="From when it holds (RFC 3339 with offset), not in the past; by default now."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why it is changed; kept with the version.")] = "",
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Make the files an immutable version of the ledger. The first holds from the beginning of time."""
    spoken = language(lang)
    begins = instant(in_force_from, spoken)
    rulebook = _loaded(path, spoken)
    with opened(ledger, create=True) as book:
        before = book.rulebooks().versions[-1].version if book.has_rulebook() else 0
        number = book.publish(rulebook, begins, reason)
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
