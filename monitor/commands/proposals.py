"""`monitor rulebook proposals`, `approve` and `reject`: the second person behind a dangerous version."""

from collections.abc import Iterable
from typing import Annotated

import typer

from monitor.commands.actor import AsFileOption, AsOption, acting
from monitor.commands.options import JsonOption, LangOption, LedgerOption, err, language, opened, out, print_document
from monitor.language import Lang, text
from monitor.rulebook.danger import Danger
from monitor.wording import say_instant

NumberArgument = Annotated[int, typer.Argument(help="Number of the proposal.", metavar="ID")]


def proposals(
    every: Annotated[bool, typer.Option("--all", help="Those decided as well.")] = False,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """List the dangerous versions that wait for a second person, with what is dangerous in each."""
    from monitor.ledger.proposals import list_proposals

    spoken = language(lang)
    with opened(ledger, lang=spoken) as book, book.read() as connection:
        known = list_proposals(connection, None if every else "open")
    if as_json:
        print_document(known)
        return
    if not known:
        out.print(text("rulebook.no_proposals", spoken))
    for each in known:
        state = text(f"rulebook.state_{each.state}", spoken, name=each.decided_by)
        when = f"{each.proposed_at.astimezone():%Y-%m-%d %H:%M}"
        shown = {"id": each.id, "by": each.proposed_by, "when": when, "state": state, "reason": each.reason}
        out.print(text("rulebook.proposal", spoken, **shown), markup=False)
        show_dangers(each.dangers, spoken)


def approve(
    number: NumberArgument,
    as_name: AsOption = None,
    as_file: AsFileOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Publish what somebody else proposed; for inspectors and admins (--as)."""
    from monitor.ledger.proposals import approve as approve_proposal

    spoken = language(lang)
    with opened(ledger, lang=spoken) as book:
        actor = acting(book, as_name, as_file, spoken)
        with book.write() as connection:
            version = approve_proposal(connection, book.publications, actor, number)
        published = next(each for each in book.rulebooks().versions if each.version == version)
    if as_json:
        print_document({"proposal": number, "version": version, "in_force_from": published.in_force_from})
    else:
        begins = published.in_force_from
        since = text("rulebook.beginning", spoken) if begins is None else say_instant(begins, published.rulebook.days)
        said = text("rulebook.approved", spoken, id=number, version=version, since=since)
        out.print(said, style="green", markup=False)


def reject(
    number: NumberArgument,
    reason: Annotated[str, typer.Option(help="Why; the audit keeps it.")] = "",
    as_name: AsOption = None,
    as_file: AsFileOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Turn a proposal down, or take one's own back; for inspectors and admins (--as)."""
    from monitor.ledger.proposals import reject as reject_proposal

    spoken = language(lang)
    with opened(ledger, lang=spoken) as book:
        actor = acting(book, as_name, as_file, spoken)
        with book.write() as connection:
            reject_proposal(connection, actor, number, reason)
    if as_json:
        print_document({"proposal": number, "version": None})
    else:
        out.print(text("rulebook.rejected_now", spoken, id=number))


def show_dangers(found: Iterable[Danger], lang: Lang) -> None:
    """Write each dangerous difference on a line of its own."""
    for danger in found:
        err.print(text("rulebook.dangerous", lang, what=danger.say(lang)), style="yellow", markup=False)
