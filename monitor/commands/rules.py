"""`monitor rules`: the modes of rules, samples of what they find, reviews of these, and promotion."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from monitor.commands.actor import AsFileOption, AsOption, acting
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
from monitor.commands.proposals import show_dangers
from monitor.language import Lang, text
from monitor.live.findings import rule_name
from monitor.promotion import (
    WRONG_SHARE_MAX,
    Target,
    Wish,
    check_selection,
    current_of,
    in_force,
    present_mode,
    promote,
)
from monitor.rulebook.model import Rulebook, RuleSetting
from monitor.rules import RULES
from monitor.sampling import SAMPLE_MIN, Drawn, Review, Selection, Verdict, draw, hits, known, review, reviews
from monitor.scope import scope_of
from monitor.wording import say_department, say_instant, say_item

app = typer.Typer(no_args_is_help=True, help="List rules with their modes; review and promote them.")

RuleArgument = Annotated[str, typer.Argument(help="Id of the rule, as V01.")]
SourceOption = Annotated[str | None, typer.Option(help="Only cases of this source.", show_default=False)]
DepartmentOption = Annotated[
    str | None, typer.Option(help="Only findings charged to this department.", show_default=False)
]
ItemOption = Annotated[str | None, typer.Option(help="Only cases of this item.", show_default=False)]
SampleOption = Annotated[int, typer.Option(help="Size of the sample.", min=SAMPLE_MIN, max=1_000)]
DayOption = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], show_default=False)]


@app.command("list")
def show(
    source: SourceOption = None,
    department: DepartmentOption = None,
    item: ItemOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """List the rules: version, mode and exceptions, findings in each mode, how many were reviewed and when last."""
    spoken = language(lang)
    with opened(ledger, lang=spoken) as book, book.read() as connection:
        rulebook = in_force(book, connection).rulebook
        of = Selection(source, department, item)
        check_selection(rulebook, of)
        counted = hits(connection, of)
        said = reviews(connection).values()
    lines = [_line(rule, rulebook, counted.get(rule, Counter()), said) for rule in RULES]
    if as_json:
        print_document(lines)
        return
    table = Table()
    for name in ("rule", "mode", "exceptions", "dates", "hits", "reviewed"):
        table.add_column(text(f"rules.column.{name}", spoken), overflow="fold")
    for line in lines:
        table.add_row(*_cells(line, rulebook, spoken))
    out.print(table)


@app.command()
def sample(
    rule: RuleArgument,
    source: SourceOption = None,
    department: DepartmentOption = None,
    item: ItemOption = None,
    size: SampleOption = SAMPLE_MIN,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Draw the sample that must be reviewed before the rule is promoted, with the verdicts given so far."""
    spoken = language(lang)
    of = Selection(source, department, item)
    with opened(ledger, lang=spoken) as book, book.read() as connection:
        known(rule)
        rulebook = current_of(book, connection)
        check_selection(rulebook, of)
        mode = present_mode(rulebook, rule, of)
        drawn = [] if mode == "off" else draw(connection, rule, mode, of, size)
    if as_json:
        print_document({"rule": rule, "mode": mode, "sample": drawn})
        return
    reviewed = sum(each.review is not None for each in drawn)
    head = text("rules.sample", spoken, rule=rule_name(rule, spoken), mode=mode, count=len(drawn), reviewed=reviewed)
    out.print(head, markup=False)
    for each in drawn:
        out.print(_drawn(each, rulebook, spoken), markup=False)


@app.command("review")
def review_(
    rule: RuleArgument,
    case: Annotated[str, typer.Argument(help="The case, as 'monitor rules sample' names it.")],
    verdict: Annotated[Verdict, typer.Option(help="Whether what the rule finds there is right.")],
    note: Annotated[str, typer.Option(help="Why; it stands in the audit in clear, so name nobody in it.")] = "",
    subject: Annotated[
        str | None, typer.Option(help="Which of several findings of the case.", show_default=False)
    ] = None,
    as_name: AsOption = None,
    as_file: AsFileOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Say of a finding whether it is right; for inspectors and admins (--as). It is kept in the chained audit."""
    spoken = language(lang)
    with opened(ledger, lang=spoken) as book:
        actor = acting(book, as_name, as_file, spoken)
        with book.write() as connection:
            rulebook = in_force(book, connection).rulebook
            user = actor.require("inspector", "admin")
            found = review(connection, actor, scope_of(user, rulebook), rule, case, verdict, note, subject)
    if as_json:
        print_document({"rule": rule, "case": case, "verdict": verdict, "findings": found})
    else:
        said = text("rules.reviewed_now", spoken, rule=rule, case=case, count=len(found))
        out.print(said, markup=False)


@app.command("promote")
def promote_(
    rule: RuleArgument,
    to: Annotated[Target, typer.Option(help="The mode it goes to.")],
    source: SourceOption = None,
    department: DepartmentOption = None,
    item: ItemOption = None,
    baseline: DayOption = None,
    start: DayOption = None,
    size: SampleOption = SAMPLE_MIN,
    wrong_max: Annotated[
        float, typer.Option(help="Of a hundred reviewed so many may be wrong.", min=0, max=100 * WRONG_SHARE_MAX)
    ] = 100 * WRONG_SHARE_MAX,
    as_name: AsOption = None,
    as_file: AsFileOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Publish a rulebook in which a rule has a stricter mode, once its sample was reviewed; for inspectors and admins.

    To a weaker mode, or with a date that hides what was told, it becomes a proposal (exit code 1).
    """
    from monitor.ledger.proposals import propose
    from monitor.ledger.publication import NeedsApproval
    from monitor.promotion import changed_by

    spoken = language(lang)
    days = {"start": _day(start), "baseline": _day(baseline)}
    wish = Wish(rule, to, Selection(source, department, item), **days, sample=size, wrong_share=wrong_max / 100)
    with opened(ledger, lang=spoken) as book:
        actor = acting(book, as_name, as_file, spoken)
        try:
            with book.write() as connection:
                done = promote(book, connection, actor, wish)
        except NeedsApproval as needed:
            with book.write() as connection:
                changed = changed_by(current_of(book, connection), wish)
                reason = text("rules.proposal", spoken, rule=rule, to=to)
                number = propose(connection, actor, changed, None, reason, needed.dangers)
            if as_json:
                print_document({"proposal": number, "dangers": needed.dangers})
            else:
                show_dangers(needed.dangers, spoken)
                out.print(text("rulebook.proposed", spoken, id=number), markup=False)
            raise typer.Exit(EXIT_DIFFERENT) from None
    if as_json:
        print_document(done)
    else:
        shown = msgspec.structs.asdict(done)
        out.print(text("rules.promoted", spoken, **shown), style="green", markup=False)


def _day(given: datetime | None) -> date | None:
    return None if given is None else given.date()


def _line(rule: str, rulebook: Rulebook, counted: Counter[str], said: Iterable[Review]) -> dict[str, Any]:
    setting, each = rulebook.rules.get(rule, RuleSetting()), RULES[rule]
    own = [one for one in said if one.rule == rule]
    current = [one for one in own if one.rule_version == each.version]
    return {
        "rule": rule,
        "version": each.version,
        "kind": each.kind,
        "mode": "card" if each.kind == "data" else setting.mode,
        "exceptions": msgspec.to_builtins(setting.exceptions),
        "start": setting.start,
        "baseline": setting.baseline,
        "hits": dict(sorted(counted.items())),
        "right": sum(one.verdict == "right" for one in current),
        "wrong": sum(one.verdict == "wrong" for one in current),
        "last_reviewed": max((one.at for one in own), default=None),
    }


def _cells(line: dict[str, Any], rulebook: Rulebook, lang: Lang) -> list[str]:
    exceptions = "\n".join(
        f"{each['mode']}: " + " ".join(each[name] for name in ("source", "department", "item") if name in each)
        for each in line["exceptions"]
    )
    dates = "\n".join(
        text(f"rules.{name}", lang, day=line[name]) for name in ("start", "baseline") if line[name] is not None
    )
    found = ", ".join(f"{mode} {count:,}" for mode, count in line["hits"].items())
    reviewed = ""
    if line["last_reviewed"] is not None:
        when = say_instant(line["last_reviewed"], rulebook.days)
        reviewed = text("rules.reviewed", lang, right=line["right"], wrong=line["wrong"], when=when)
    return [f"{rule_name(line['rule'], lang)} v{line['version']}", line["mode"], exceptions, dates, found, reviewed]


def _drawn(each: Drawn, rulebook: Rulebook, lang: Lang) -> str:
    said = each.review
    verdict = text("rules.open", lang) if said is None else text(f"rules.{said.verdict}", lang, by=said.by)
    shown = {
        "case": each.case,
        "subject": each.subject or "—",
        "department": say_department(each.department, lang, rulebook),
        "item": say_item(each.item, lang, rulebook),
        "at": say_instant(each.occurred_at, rulebook.days),
    }
    return text("rules.drawn", lang, verdict=verdict, **shown)
