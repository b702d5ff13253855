"""The published numbers of Yulin, January to October 2009, as a ledger, and the figures that follow from them.

41,069 cases accepted and 40,803 finished in 50 departments of the city, 126 complaints accepted and 115 closed with all
its counties (domain.md 4.4). Every case is made of events and judged by the engine; `monitor kpi` prints the figures.
What was printed in 2009 and does not follow is said.

Usage: python scripts/scenario_2009.py [LEDGER_URL]
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from monitor.commands.options import language
from monitor.events import Event, EventData, EventType, content
from monitor.language import text
from monitor.ledger import Ledger
from monitor.rulebook.load import load
from monitor.rulebook.model import Item, Rulebook
from streams.engine import Delivery, Engine

YULIN: Final = Path(__file__).resolve().parent.parent / "monitor" / "rulebooks" / "yulin"
ZONE: Final = ZoneInfo("Asia/Shanghai")
CITY: Final = "450900"
FIRST, LAST = date(2009, 1, 1), date(2009, 10, 31)
END: Final = datetime(2009, 11, 1, tzinfo=ZONE) - timedelta(microseconds=1)

COMPLAINTS, COMPLAINTS_CLOSED = 126, 115
LATE: Final = 37  # decided late, none of them in a department that delegates everything
RATED_ONE_IN, BAD_RATINGS = 4, 10


class Size(NamedTuple):
    """How many cases; as many of each promised-time item, so that means over cases are those over items."""

    finished: int
    of_a_promised_item: int
    of_a_direct_line: int
    in_limit: int
    overdue: int
    suspended: int


PUBLISHED: Final = Size(40_803, 40, 4, 203, 41, 22)
"""41,069 cases accepted: 266 of them open, of which nobody published more."""
PRINTED: Final = Decimal("0.9908")
"""The completion rate printed in 2009 beside the two numbers it does not follow from."""

CITY_FIGURES: Final = (
    *("finish_accept_ratio", "finish_rate_cohort", "open_cases", "on_time_rate", "promise_cut_rate_cases"),
    *("promise_cut_rate_items", "delegation_rate_approve", "satisfaction", "rating_rate", "double_hundred"),
)
WHOLE_FIGURES: Final = ("complaint_finish", "complaint_finish_cohort")

T = EventType
GRANTED: Final = EventData(outcome="granted")


class Centre:
    """Writes the cases of the ten months down, the same ones every time."""

    def __init__(self, book: Rulebook, size: Size) -> None:
        self.size = size
        days = (FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1))
        self.days = [day for day in days if book.days.is_working(day)]
        self.lines = book.direct_lines
        self.holders = {(given.item, given.power): given.operator for given in book.delegations}
        self.promised = [item for item in book.items if item.type == "promised"]
        self.instant = [item for item in book.items if item.type == "instant"]
        keeping = {item.department for item in book.items if len(item.delegated) < 3}
        self.undelegated = [item for item in self.promised if item.department in keeping]
        self.counties = [region.code for region in book.regions if region.code in book.below(CITY)]
        self._number = 0

    def cases(self) -> Iterator[list[Event]]:
        """Write every case and complaint down, each as its events."""
        finished = chain(self._ordinary(), self._direct(), self._instant())
        for number, case in enumerate(islice(finished, self.size.finished)):
            yield case if number % RATED_ONE_IN else [*case, self._rating(case, number // RATED_ONE_IN)]
        yield from self._open()
        for number in range(COMPLAINTS):
            yield self._complaint(number)

    def _ordinary(self) -> Iterator[list[Event]]:
        late = {item.code for item in self.undelegated[:LATE]}
        for item in self.promised:
            for number in range(self.size.of_a_promised_item):
                promise = _promise(item)
                used = promise + 1 if number == 0 and item.code in late else 1 + number % min(promise, 3)
                yield self._finished(item, used)

    def _direct(self) -> Iterator[list[Event]]:
        for line, item in zip(self.lines, self.promised, strict=False):
            for _ in range(self.size.of_a_direct_line):
                yield self._finished(item, 1, direct_line=line.code)

    def _instant(self) -> Iterator[list[Event]]:
        for item in cycle(self.instant):
            yield self._finished(item, 0)

    def _open(self) -> Iterator[list[Event]]:
        slow = [item for item in self.promised if _promise(item) > 5]
        for item in islice(cycle(slow), self.size.in_limit):
            yield self._opened(item, self.days[-1 - self._number % 3])
        for item in islice(cycle(self.undelegated), self.size.overdue):
            yield self._opened(item, self.days[-2 - _promise(item) - self._number % 30])
        testable = [item for item in slow if item.procedures is None]
        for item in islice(testable, self.size.suspended):
            case = self._opened(item, date(2009, 10, 20))
            told = EventData(procedure="testing", planned_days=30, legal_basis="行政许可法第四十五条")
            yield [*case, self._event(case[0], T.SUSPEND, date(2009, 10, 22), "09:00", told)]

    def _finished(self, item: Item, used: int, direct_line: str | None = None) -> list[Event]:
        first = self._number * 7 % (len(self.days) - used)
        case = self._opened(item, self.days[first], direct_line)
        last = self.days[first + used]
        approver = self.holders.get((item.code, "approve"), f"{item.department}-LD")
        for kind, at, data in (
            (T.APPROVE, "15:00", GRANTED),
            (T.FINISH, "15:30", GRANTED),
            (T.ISSUE, "16:00", EventData()),
            (T.ARCHIVE, "16:30", EventData()),
        ):
            event = self._event(case[0], kind, last, at, data)
            case.append(msgspec.structs.replace(event, operator=approver) if kind is T.APPROVE else event)
        return case

    def _opened(self, item: Item, day: date, direct_line: str | None = None) -> list[Event]:
        self._number += 1
        applied = Event(
            id="apply",
            source="hall",
            type=T.APPLY,
            time=_at(day, "09:00"),
            case=f"YL2009{self._number:05}",
            region=CITY,
            item=item.code,
            department=item.department,
            channel="window",
            direct_line=direct_line,
        )
        case = [applied, self._event(applied, T.ACCEPT, day, "09:10")]
        if T.TRANSFER in item.steps:
            case.append(self._event(applied, T.TRANSFER, day, "10:00"))
        return case

    def _rating(self, case: list[Event], number: int) -> Event:
        rating = 4 if number < BAD_RATINGS else 1 + number % 3
        return msgspec.structs.replace(case[-1], id="rating", type=T.RATING, data=EventData(rating=rating))

    def _complaint(self, number: int) -> list[Event]:
        first = number * 199 % (len(self.days) - 25) if number < COMPLAINTS_CLOSED else len(self.days) - 2 - number % 20
        filed = Event(
            id="complaint_filed",
            source="hall",
            type=T.COMPLAINT_FILED,
            time=_at(self.days[first], "09:00"),
            case=f"TS2009{number:03}",
            region=self.counties[number % len(self.counties)],
            department=self.promised[number].department,
        )
        case = [filed, self._event(filed, T.COMPLAINT_ACCEPTED, self.days[first + 1], "09:00")]
        if number < COMPLAINTS_CLOSED:
            case.append(self._event(filed, T.COMPLAINT_CLOSED, self.days[first + 12], "09:00"))
        return case

    def _event(self, first: Event, kind: EventType, day: date, at: str, data: EventData | None = None) -> Event:
        return msgspec.structs.replace(
            first, id=kind.value, type=kind, time=_at(day, at), channel=None, data=data or EventData()
        )


def _promise(item: Item) -> int:
    return int((item.promised_limit or "0 wd").split()[0])


def _at(day: date, written: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(written), ZONE)


def fill(url: str, size: Size = PUBLISHED) -> None:
    """Have the engine judge every case, as far as the ten months go."""
    book = load(YULIN)
    with Ledger.open(url) as ledger:
        ledger.publish(book)
        engine = Engine(ledger)
        cases = Centre(book, size).cases()
        while events := list(chain.from_iterable(islice(cases, 1_000))):
            engine.process([Delivery(content(event), event.time, backfill=True) for event in events], END)
        while engine.tick(END):
            pass
        engine.close()


def printed(url: str, figures: Iterable[str], *extent: str) -> None:
    """Have `monitor kpi` print figures of the ten months."""
    _monitor("kpi", *figures, "--period", f"{FIRST}..{LAST}", "--ledger", url, *extent)


def said(url: str) -> Iterator[str]:
    """Say what was printed in 2009 and does not follow from the numbers printed beside it."""
    lang = language(None)
    asked = ("kpi", "finish_accept_ratio", "promise_cut_rate_items", "--level", "--json", "--ledger", url)
    answer = _monitor(*asked, "--period", f"{FIRST}..{LAST}", capture=True)
    rate, cut = msgspec.json.decode(answer)["figures"]
    finished, accepted = rate["numerator"], rate["denominator"]
    yield text(
        "scenario.printed",
        lang,
        printed=f"{PRINTED * 100:.2f}",
        rate=f"{rate['value']:.2f}",
        finished=f"{finished:,}",
        accepted=f"{accepted:,}",
        needed_accepted=f"{round(finished / PRINTED):,}",
        needed_finished=f"{round(accepted * PRINTED):,}",
    )
    if cut["value"] < 50:
        yield text("scenario.half", lang, cut=f"{cut['value']:.2f}")


def _monitor(*arguments: str, capture: bool = False) -> bytes:
    command = [sys.executable, "-m", "monitor.cli", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE if capture else None)  # noqa: S603 - our own
    return done.stdout or b""


def main() -> None:
    """Make the ledger and print what follows from it."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("MONITOR_DATA", folder)
        url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{folder}/scenario_2009.sqlite"
        fill(url)
        printed(url, CITY_FIGURES, "--level")
        printed(url, WHOLE_FIGURES, "--all-below")
        for line in said(url):
            sys.stdout.write(f"\n{line}\n")


if __name__ == "__main__":
    main()
