"""`monitor check`: name every fault of a rulebook's files."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.commands.options import EXIT_DIFFERENT, JsonOption, LangOption, language, out, print_document
from monitor.language import LANGS, text
from monitor.rulebook.faults import Fault

COUNTED = ("regions", "departments", "windows", "items", "delegations", "direct_lines", "sources", "profiles", "rules")


def check(
    path: Annotated[Path, typer.Argument(help="A rulebook's YAML file, or the folder of its files.")],
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Check a rulebook: every fault with file, line, reason and remedy (exit code 1), or what it holds."""
    from monitor.rulebook.faults import RulebookFaults
    from monitor.rulebook.load import load

    spoken = language(lang)
    try:
        rulebook = load(path)
    except RulebookFaults as found:
        if as_json:
            print_document({"valid": False, "faults": [_document(fault) for fault in found.faults]})
        else:
            for fault in found.faults:
                out.print(fault.describe(spoken), markup=False)
            out.print(text("check.faults", spoken, count=len(found.faults)), style="red")
        raise typer.Exit(EXIT_DIFFERENT) from None
    counts = {name: len(getattr(rulebook, name)) for name in COUNTED}
    if as_json:
        print_document({"valid": True, "name": rulebook.name, "calendar": rulebook.calendar.version, "counts": counts})
        return
    out.print(text("check.valid", spoken, name=rulebook.name if spoken == "zh" else rulebook.name_en), style="green")
    out.print(text("check.counts", spoken, calendar=rulebook.calendar.version, **counts), markup=False)


def _document(fault: Fault) -> dict[str, object]:
    return {
        "file": fault.file,
        "line": fault.line,
        "where": fault.where,
        "code": fault.code,
        "reason": {lang: fault.reason(lang) for lang in LANGS},
        "remedy": {lang: fault.remedy(lang) for lang in LANGS},
    }
