"""`monitor act`: what a department or an inspector does about a finding."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.commands.actor import AsFileOption, AsOption, acting, fail
from monitor.commands.options import JsonOption, LangOption, LedgerOption, language, opened, out, print_document
from monitor.language import text


def act(
    finding: Annotated[str, typer.Argument(help="Id of the finding.")],
    what: Annotated[str, typer.Argument(metavar="ACT", help="acknowledge, answer, appeal, supervise or close.")],
    said: Annotated[str | None, typer.Option("--text", help="What is to be said with it.", show_default=False)] = None,
    said_file: Annotated[
        Path | None, typer.Option("--text-file", help="The same, from a file in UTF-8.", show_default=False)
    ] = None,
    as_name: AsOption = None,
    as_file: AsFileOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Acknowledge, answer or appeal a finding (department), supervise or close it (inspector); needs --as."""
    from monitor.ledger.actions import ACTS, record
    from monitor.ledger.positions import last_horizon

    spoken = language(lang)
    chosen = next((each for each in ACTS if each == what), None)
    if chosen is None:
        fail(text("actions.unknown_act", spoken, act=what, known=", ".join(ACTS)))
    if said_file is not None:
        try:
            said = said_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            fail(text("actions.text_unreadable", spoken, path=said_file, error=error))
    with opened(ledger, lang=spoken) as book:
        actor = acting(book, as_name, as_file, spoken)
        with book.write() as connection:
            rulebook = book.publications.history(connection, last_horizon(connection)).current.rulebook
            done = record(connection, book.texts, rulebook, actor, finding, chosen, said)
    if as_json:
        print_document(done)
        return
    names = {"finding": finding, "case": done.case, "act": text(f"act.{done.act}", spoken), "actor": done.actor}
    out.print(text("actions.done", spoken, **names), markup=False)
