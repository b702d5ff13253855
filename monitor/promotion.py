"""Promotion: a rule goes from shadow to leads, from leads to cards, once a sample of what it finds was reviewed."""

from datetime import UTC, date, datetime
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Connection

from monitor.ledger import Ledger, audit
from monitor.ledger.errors import Refusal
from monitor.ledger.positions import last_horizon
from monitor.people import Actor
from monitor.rulebook.model import Mode, Rulebook, RulebookVersion, RuleException, RuleSetting
from monitor.rules.mode import mode_in
from monitor.sampling import REVIEWERS, SAMPLE_MIN, Drawn, Selection, draw, known

Target = Literal["lead", "card"]

WRONG_SHARE_MAX: Final = 0.05
"""Of twenty reviewed one may be wrong; a deployment may ask for more, never for less."""

_STRICTER: Final[tuple[Mode, ...]] = ("off", "shadow", "lead", "card")
_UNSET: Final = RuleSetting()


class Wish(msgspec.Struct, frozen=True):
    """What is to be promoted: a rule, to a mode, for a selection, perhaps with a start and a baseline."""

    rule: str
    to: Target
    of: Selection = Selection()
    start: date | None = None
    baseline: date | None = None
    sample: int = SAMPLE_MIN
    wrong_share: float = WRONG_SHARE_MAX


class Promoted(msgspec.Struct, frozen=True):
    """A promotion that was done: the version it became, and the sample it rests on."""

    version: int
    rule: str
    before: Mode
    to: Target
    sample: int
    wrong: int


def promote(ledger: Ledger, connection: Connection, actor: Actor, wish: Wish) -> Promoted:
    """Publish a rulebook in which a rule has a stricter mode.

    Raises Refusal for who may not, where the sample was not reviewed or too much of it was wrong, and NeedsApproval
    where the mode gets weaker, or a date hides what was told before: that takes a second person.
    """
    user = actor.require(*REVIEWERS)
    known(wish.rule)
    book = current_of(ledger, connection)
    check_selection(book, wish.of)
    before, changed = present_mode(book, wish.rule, wish.of), changed_by(book, wish)
    if changed == book:
        raise Refusal("rules.already", rule=wish.rule, mode=wish.to)
    drawn: list[Drawn] = []
    if _STRICTER.index(wish.to) > _STRICTER.index(before):
        drawn = _reviewed(connection, wish, before)
    wrong = sum(each.review is not None and each.review.verdict == "wrong" for each in drawn)
    selection = msgspec.to_builtins(wish.of)
    version = ledger.publications.publish(
        connection, changed, None, f"promote {wish.rule}: {before} to {wish.to}", actor=user.name
    )
    detail: dict[str, Any] = {"from": before, "to": wish.to, "of": selection, "version": version, "wrong": wrong}
    detail |= {"sample": [each.finding for each in drawn], "wrong_share_max": wish.wrong_share}
    audit.record(connection, user.name, "rule.promote", f"rule:{wish.rule}", detail)
    return Promoted(version, wish.rule, before, wish.to, len(drawn), wrong)


def in_force(ledger: Ledger, connection: Connection) -> RulebookVersion:
    """Give the version in force now, also where nothing was judged by it yet."""
    now = datetime.now(UTC)
    return ledger.publications.history(connection, max(now, last_horizon(connection) or now)).current


def current_of(ledger: Ledger, connection: Connection) -> Rulebook:
    """Give the rulebook in force. Raises Refusal while another is planned: a promotion would take its place."""
    newest, current = ledger.publications.history(connection).current, in_force(ledger, connection)
    if newest.version != current.version and newest.in_force_from is not None:
        raise Refusal("rules.planned", version=newest.version, begins=newest.in_force_from.isoformat())
    return current.rulebook


def present_mode(book: Rulebook, rule: str, of: Selection) -> Mode:
    """Give the mode a rule has for a selection."""
    return mode_in(book.rules.get(rule, _UNSET), of.source, of.department, of.item)


def check_selection(book: Rulebook, of: Selection) -> None:
    """Raise Refusal for a source, department or item that the rulebook does not have."""
    for name, codes in (("source", book.source), ("department", book.department), ("item", book.item)):
        code = getattr(of, name)
        if code is not None and code not in codes:
            raise Refusal("rules.unknown_code", name=name, code=code)


def changed_by(book: Rulebook, wish: Wish) -> Rulebook:
    """Give the rulebook with the rule as wished."""
    old = book.rules.get(wish.rule, _UNSET)
    dates = {name: value for name in ("start", "baseline") if (value := getattr(wish, name)) is not None}
    if wish.of == Selection():
        new = msgspec.structs.replace(old, mode=wish.to, **dates)
    else:
        exception = RuleException(mode=wish.to, **msgspec.to_builtins(wish.of))
        new = msgspec.structs.replace(old, exceptions=_placed(old.exceptions, exception), **dates)
    return msgspec.structs.replace(book, rules={**book.rules, wish.rule: new})


def _placed(exceptions: tuple[RuleException, ...], new: RuleException) -> tuple[RuleException, ...]:
    """Put an exception where it counts and takes nothing from what others except: the first that fits decides.

    It takes the place of one for the same codes, else it stands before the first that covers it.
    """
    for position, old in enumerate(exceptions):
        if _codes(old) == _codes(new):
            return (*exceptions[:position], new, *exceptions[position + 1 :])
        if all(wide is None or wide == narrow for wide, narrow in zip(_codes(old), _codes(new), strict=True)):
            return (*exceptions[:position], new, *exceptions[position:])
    return (*exceptions, new)


def _codes(exception: RuleException) -> tuple[str | None, str | None, str | None]:
    return exception.source, exception.department, exception.item


def _reviewed(connection: Connection, wish: Wish, present: Mode) -> list[Drawn]:
    """Draw the sample and make sure that it was reviewed and is good enough."""
    if present == "off":
        raise Refusal("rules.off", rule=wish.rule)
    drawn = draw(connection, wish.rule, present, wish.of, max(wish.sample, SAMPLE_MIN))
    missing = [each for each in drawn if each.review is None]
    if missing:
        named = ", ".join(dict.fromkeys(each.case for each in missing))
        raise Refusal("rules.not_reviewed", rule=wish.rule, count=len(missing), of=len(drawn), cases=named)
    wrong = sum(each.review is not None and each.review.verdict == "wrong" for each in drawn)
    share = min(wish.wrong_share, WRONG_SHARE_MAX)
    if wrong > share * len(drawn):
        raise Refusal("rules.too_wrong", rule=wish.rule, wrong=wrong, of=len(drawn), percent=f"{100 * share:g}")
    return drawn
