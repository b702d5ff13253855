"""A town for figures: a city with a county, its cases written as lines, judged by the real engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from monitor.events import content
from monitor.kpi import Answer, ask, make_report
from monitor.ledger import Ledger
from monitor.rulebook.model import Delegation, Department, Item, Region, Rulebook, RuleSetting, Source
from streams.engine import Delivery, Engine
from tests.databases import ledger_url
from tests.monitor.cases import BOOK, CONSOLE, Line, case, when

LAND, SCHOOL = "land", "school"

TOWN: Rulebook = msgspec.structs.replace(
    BOOK,
    rules={**BOOK.rules, "V06": RuleSetting(mode="off")},  # cases here are told in few words
    regions=(
        Region(code="4509", name="玉林市", name_en="Yulin", level="city"),
        Region(code="450921", name="容县", name_en="Rong", parent="4509", level="county"),
    ),
    departments=(
        *BOOK.departments,
        Department(code=SCHOOL, name="教育局", name_en="School", region="450921", delegations_complete=True),
    ),
    items=(
        *(msgspec.structs.replace(item, delegated=("accept", "review")) for item in BOOK.items),
        Item(
            code="lesson",
            name="办学",
            name_en="Lesson",
            department=SCHOOL,
            type="promised",
            nature="licence",
            promised_limit="10 wd",
            delegated=("accept", "review", "approve"),
        ),
        Item(
            code="game",
            name="比赛",
            name_en="Game",
            department=SCHOOL,
            type="instant",
            nature="public_service",
            delegated=("accept", "review", "approve"),
            entered=False,
        ),
    ),
    sources=(*BOOK.sources, Source(code=CONSOLE, name="监察", owner="监察局", regions=("4509",))),
    delegations=(
        Delegation(item="lesson", power="approve", operator="wang", valid_from=when("2009-01-01 00:00").date()),
    ),
)


class Town:
    """A ledger of the town, written to and asked."""

    def __init__(self, ledger: Ledger, book: Rulebook) -> None:
        self.ledger = ledger
        ledger.publish(book)
        self.engine = Engine(ledger)
        self._number = 0

    def take(self, *lines: Line, item: str = "permit", region: str = "4509", **fields: Any) -> str:
        """Take a case of its own number; return it. `fields` are of every event: department, channel, …."""
        self._number += 1
        number = f"C{self._number}"
        if region == "450921":
            fields = {"department": SCHOOL, **fields}
        events = [
            msgspec.structs.replace(entry.event, region=region, **fields)
            for entry in case(*lines, item=item, number=number)
        ]
        self.engine.process([Delivery(content(event), event.time) for event in events], max(e.time for e in events))
        return number

    def judge(self, until: str) -> None:
        """Let time pass."""
        while self.engine.tick(when(until)):
            pass

    def answer(self, figure: str, period: str = "2009-03", **extent: Any) -> Answer:
        """Answer one figure."""
        return make_report(self.ledger, ask([figure], period=period, **extent)).answers[figure]

    def share(self, figure: str, period: str = "2009-03", **extent: Any) -> tuple[int | None, int | None]:
        """Give numerator and denominator of a figure."""
        value = self.answer(figure, period, **extent).value
        return value.numerator, value.denominator

    def parts(self, figure: str, period: str = "2009-03", **extent: Any) -> dict[str, int | None]:
        """Give the numerators of a figure's parts."""
        return {part.part: part.numerator for part in self.answer(figure, period, **extent).parts}


@contextmanager
def town_in(folder: Path, book: Rulebook = TOWN) -> Iterator[Town]:
    """Open an empty town in a folder."""
    with Ledger.open(ledger_url(folder)) as ledger:
        town = Town(ledger, book)
        try:
            yield town
        finally:
            town.engine.close()
