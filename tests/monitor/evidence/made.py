"""A ledger with something to export: a case judged by the real rules, acted upon, with texts, among other cases."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from monitor.events import EventData
from monitor.ledger import Ledger
from monitor.ledger.actions import Act, record
from monitor.people import Actor, add_user, this_account
from monitor.rulebook.model import ClockProfile, RuleSetting, Season
from monitor.verdict import finding_id
from streams.engine import Engine
from tests.databases import ledger_url
from tests.small_centre import RULEBOOK, at, delivered, event

SECRET: Final = "一句容易记住的长密码 2026"
SAID: Final = "申请人张三的材料不齐"
ANSWERED: Final = "经办人李四生病"
LATE: Final = finding_id("c1", "V01", "promised")

CENTRE: Final = replace(
    RULEBOOK,
    items=(replace(RULEBOOK.items[0], promised_limit="2 wd"),),
    profiles=(ClockProfile(code="next_day", kind="next_day", seasons=(Season(sessions=()),)),),
    rules={"V01": RuleSetting(mode="card")},
)
"""The small centre, judged by the real rules: what it promises is due within two working days."""


@contextmanager
def opened(folder: Path) -> Iterator[Engine]:
    """Open an engine that judges by the real rules."""
    with Ledger.open(ledger_url(folder)) as ledger:
        if not ledger.has_rulebook():
            ledger.publish(CENTRE)
        engine = Engine(ledger)
        try:
            yield engine
        finally:
            engine.close()


def fall_late(engine: Engine) -> None:
    """Take a case among others and let it fall late; its department acknowledges that."""
    said = EventData(text=SAID, planned_days=1, procedure="hearing", legal_basis="46", told_at=at(0.2))
    story = (event(), event("accept", time=at(0.1)), event("suspend", time=at(0.2), data=said))
    for day in range(3):
        others = [event(case=f"other-{day}-{number}", time=at(day)) for number in range(7)]
        engine.process(delivered(*others, *(story if day == 0 else ())), at(day))
    engine.tick(at(9))
    people = [("land", "department", "land"), ("wu", "inspector", None)]
    with engine.ledger.write() as connection:
        for name, role, department in people:
            add_user(connection, this_account(), name, role, SECRET, None, department, CENTRE)  # type: ignore[arg-type]
    act(engine.ledger, "land", "acknowledge")


def finish_late(engine: Engine) -> None:
    """Finish it; its department answers, and an inspector closes the finding."""
    engine.process(delivered(event("finish", time=at(10)), event(case="another", time=at(10))), at(10))
    act(engine.ledger, "land", "answer", ANSWERED)
    act(engine.ledger, "wu", "close")


def act(ledger: Ledger, name: str, what: Act, said: str | None = None) -> None:
    """Have somebody act on the finding that the case is late."""
    from monitor.people import find_user

    with ledger.write() as connection:
        found = find_user(connection, name)
        assert found is not None
        record(connection, ledger.texts, CENTRE, Actor(name, found[0]), LATE, what, said)
