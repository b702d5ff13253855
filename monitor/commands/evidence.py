"""`monitor evidence`: everything that led to the verdict on a case, in one file that verifies without the ledger."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from monitor.commands.actor import AsFileOption, AsOption, acting, fail
from monitor.commands.options import (
    EXIT_DIFFERENT,
    JsonOption,
    LangOption,
    LedgerOption,
    language,
    opened,
    out,
    print_document,
)
from monitor.language import Lang, text
from monitor.settings import Settings

if TYPE_CHECKING:
    from monitor.evidence.check import Checked
    from monitor.ledger.seal import Seal


class CaseOrVerify(TyperGroup):
    """Take a case number where a command is expected: `monitor evidence CASE` exports it."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Put `export` before what is no command; a case that is called as one is named behind it."""
        known = args and (args[0] in self.commands or args[0].startswith("-"))
        return super().resolve_command(ctx, args if known else ["export", *args])


app = typer.Typer(
    cls=CaseOrVerify,
    no_args_is_help=True,
    help="Export the evidence on a case as a bundle (monitor evidence CASE -o FILE), and verify bundles.",
)


@app.command()
def export(
    case: Annotated[str, typer.Argument(help="The case number.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Write the bundle to this file.")],
    with_texts: Annotated[bool, typer.Option("--with-texts", help="Also what people wrote, in clear.")] = False,
    seal: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Tie it to a seal that a witness has, too.", show_default=False),
    ] = None,
    as_name: AsOption = None,
    as_file: AsFileOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Export the evidence on a case; for inspectors and admins, audited."""
    from monitor.evidence.export import export as export_case
    from monitor.ledger import audit
    from monitor.ledger.seal import public_key_of, verify_seal
    from monitor.reading import require_case

    spoken, key_file = language(lang), Settings().seal_key
    until = None if seal is None else _read_seal(seal, spoken)
    with opened(ledger, lang=spoken) as book:
        actor = acting(book, as_name, as_file, spoken)
        with book.read() as connection:
            require_case(connection, actor, book.rulebooks(book.horizon()).current.rulebook, case)
        if until is not None:
            verify_seal(book, until, public_key_of(book, key_file))
        done = export_case(book, case, actor.name, datetime.now(UTC), key_file, with_texts, until)
        with book.write() as connection:
            detail = {"manifest": done.manifest, "texts": with_texts}
            audit.record(connection, actor.name, "evidence.export", f"case:{case}", detail)
    try:
        with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            os.fchmod(file.fileno(), 0o600)  # one that was there may have been open to others
            file.write(done.bundle)
    except OSError as error:
        fail(text("evidence.unwritable", spoken, path=output, error=error.strerror))
    size = {"bytes": len(done.bundle), "events": done.events, "links": done.links}
    if as_json:
        print_document({"case": case, "file": str(output), "manifest": done.manifest, **size})
        return
    said = {name: f"{amount:,}" for name, amount in size.items()}
    out.print(text("evidence.written", spoken, case=case, path=output, **said), markup=False)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The bundle.")],
    seal: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Check it with the seal a witness kept.", show_default=False),
    ] = None,
    public_key: Annotated[
        str | None, typer.Option(help="The key the witness was given for the ledger's seals.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Verify a bundle without any ledger: signature, chain, and that the verdict follows; exit code 1 if not."""
    from monitor.evidence.check import check

    spoken = language(lang)
    try:
        raw = file.read_bytes()
    except OSError as error:
        fail(text("evidence.unreadable", spoken, path=file, error=error.strerror))
    checked = check(raw, None if seal is None else _read_seal(seal, spoken), public_key)
    if as_json:
        print_document(checked)
    else:
        _print(checked, public_key is not None, spoken)
    if checked.problems:
        raise typer.Exit(EXIT_DIFFERENT)


def _print(checked: "Checked", key_given: bool, lang: Lang) -> None:
    for problem in checked.problems:
        out.print(text("evidence.problem", lang, file=problem.file, why=problem.why), style="red", markup=False)
    if checked.problems:
        out.print(text("evidence.unsound", lang, count=len(checked.problems)), style="red")
        return
    manifest = checked.manifest
    assert manifest is not None, "a bundle without problems was read"
    out.print(text("evidence.sound", lang, case=manifest.case), style="green", markup=False)
    when = f"{manifest.exported_at:%Y-%m-%d %H:%M:%S} UTC"
    out.print(text("evidence.by", lang, who=manifest.exported_by, when=when, ledger=manifest.ledger), markup=False)
    sealed = f"{checked.sealed_at:%Y-%m-%d %H:%M:%S} UTC"
    out.print(text("evidence.sealed", lang, events=checked.events, when=sealed), markup=False)
    if checked.later:
        out.print(text("evidence.later", lang, count=checked.later), style="yellow")
    if not key_given:
        out.print(text("evidence.key", lang, key=checked.public_key), style="yellow", markup=False)


def _read_seal(path: Path, lang: Lang) -> "Seal":
    from monitor.ledger import LedgerError
    from monitor.ledger.seal import from_document

    try:
        return from_document(path.read_bytes())
    except OSError as error:
        fail(text("evidence.unreadable", lang, path=path, error=error.strerror))
    except LedgerError as error:
        fail(f"{path}: {error}")
