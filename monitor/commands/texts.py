"""`monitor texts`: read and erase the free texts of a case; both stand in the audit."""

from typing import Annotated

import typer

from monitor.commands.actor import AsFileOption, AsOption, acting
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
def show(
    case: CaseArgument,
    as_name: AsOption = None,
    as_file: AsFileOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Show what was written about a case, for inspectors; that it was read is audited."""
    from monitor.ledger import audit
    from monitor.reading import require_case

    spoken = language(lang)
    with opened(ledger, lang=spoken) as book:
        actor = acting(book, as_name, as_file, spoken)
        rulebook = book.rulebooks(book.horizon()).current.rulebook
        with book.write() as connection:
            require_case(connection, actor, rulebook, case)
            kept = book.texts.of_case(connection, case)
            audit.record(connection, actor.name, "text.show", f"case:{case}", {"texts": len(kept)})
    if as_json:
        print_document(kept)
        return
    if not kept:
        out.print(text("texts.none", spoken, case=case), markup=False)
        return
    days = rulebook.days
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
    as_name: AsOption = None,
    as_file: AsFileOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Erase the texts of a case for good; marks, verdicts and chains stay as they are."""
    from monitor.ledger.erasure import erase_texts
    from monitor.reading import require_case

    spoken = language(lang)
    if not reason.strip():
        err.print(text("texts.reason_missing", spoken), style="red")
        raise typer.Exit(EXIT_UNUSABLE)
    with opened(ledger, lang=spoken) as book:
        actor = acting(book, as_name, as_file, spoken)
        with book.read() as connection:
            require_case(connection, actor, book.rulebooks(book.horizon()).current.rulebook, case)
        done = erase_texts(book, case, reason.strip(), actor.name)
    if as_json:
        print_document(done)
        return
    out.print(text("texts.erased_now", spoken, case=case, count=done.texts), markup=False)
    if not done.copies_gone:
        out.print(text("texts.copies_left", spoken), style="yellow")
