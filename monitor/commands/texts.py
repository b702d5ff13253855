"""`monitor texts`: read and erase the free texts of a case; both stand in the audit."""

from typing import Annotated

import typer

from monitor.commands.options import (
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
from monitor.language import text

CaseArgument = Annotated[str, typer.Argument(help="The case number.")]

app = typer.Typer(no_args_is_help=True, help="Show and erase the free texts of a case.")


@app.command()
def show(case: CaseArgument, ledger: LedgerOption = None, as_json: JsonOption = False, lang: LangOption = None) -> None:
    """Show what was written about a case, for inspectors; that it was read is audited."""
    from monitor.ledger import audit

    spoken = language(lang)
    with opened(ledger) as book:
        with book.write() as connection:
            kept = book.texts.of_case(connection, case)
            audit.record(connection, audit.operator_account(), "text.show", f"case:{case}", {"texts": len(kept)})
        days = book.rulebooks().current.rulebook.days if kept else None
    if as_json:
        print_document(kept)
        return
    if not kept or days is None:
        out.print(text("texts.none", spoken, case=case), markup=False)
        return
    for each in kept:
        said = each.said
        if said is None:
            when = days.local(each.erased_at) if each.erased_at is not None else None
            said = text("texts.erased", spoken, when=f"{when:%Y-%m-%d %H:%M}") if when else text("texts.absent", spoken)
        out.print(f"{days.local(each.at):%Y-%m-%d %H:%M}  {each.source} {each.id}", style="dim", markup=False)
        out.print(said, markup=False)


@app.command()
def erase(
    case: CaseArgument,
    reason: Annotated[str, typer.Option(help="Why; it stands in the audit in clear, so name nobody in it.")],
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Erase the texts of a case for good; marks, verdicts and chains stay as they are."""
    from monitor.ledger import audit
    from monitor.ledger.erasure import erase_texts

    spoken = language(lang)
    if not reason.strip():
        err.print(text("texts.reason_missing", spoken), style="red")
        raise typer.Exit(EXIT_UNUSABLE)
    with opened(ledger) as book:
        done = erase_texts(book, case, reason.strip(), audit.operator_account())
    if as_json:
        print_document(done)
        return
    out.print(text("texts.erased_now", spoken, case=case, count=done.texts), markup=False)
    if not done.copies_gone:
        out.print(text("texts.copies_left", spoken), style="yellow")
