"""Findings about the feed itself, never a reproach to a department: one ticket per cause, to the source's owner."""

from collections.abc import Iterator, Mapping

from monitor.case import LATE_ARRIVALS_MAX
from monitor.events import CONSOLE, Event
from monitor.rules.evidence import stamp
from monitor.rules.rule import Subject, Violation, rule
from monitor.rules.steps import pairs_of
from monitor.timing import key
from monitor.verdict import Severity


@rule("D01", version=1, kind="data", basis="目录与编码")
def unknown_code(subject: Subject) -> Iterator[Violation]:
    """Find codes the rulebook does not know: item, department, window, direct line."""
    book = subject.case.current
    codes = (
        ("item", book.item, True),
        ("department", book.department, True),
        ("window", book.window, bool(book.window)),
        ("direct_line", book.direct_line, bool(book.direct_line)),
    )
    unknown: dict[tuple[str, str], Event] = {}
    for event in subject.case.events:
        for field, known, is_kept in codes:
            code = getattr(event, field)
            if code and code not in known and is_kept:
                unknown.setdefault((field, code), event)
    for (field, code), event in unknown.items():
        yield _ticket(subject, event, f"{field}:{code}", {"field": field, "code": code})


@rule("D02", version=1, kind="data", basis="事件唯一标识")
def contradiction(subject: Subject) -> Iterator[Violation]:
    """Find one identity with two contents, and one case with two regions or items."""
    case = subject.case
    for event in case.contradicted:
        evidence = {"field": "id", "values": [key(event)]}
        yield _ticket(subject, event, f"identity:{key(event)}", evidence, cause=f"identity:{event.source}")
    told = (*case.events, *[event for event in case.foreign if event.source != CONSOLE])
    for field, values in (("region", {event.region for event in told}), ("item", {event.item for event in told})):
        if len(values - {None}) > 1 and case.lead is not None:
            evidence = {"field": field, "values": sorted(value for value in values if value)}
            yield _ticket(subject, case.lead, f"{field}s", evidence, cause=f"{field}s:{case.lead.source}")


@rule("D03", version=1, kind="data", basis="行政许可法第四十二条；时限目录")
def unarmable_clock(subject: Subject) -> Iterator[Violation]:
    """Find clocks that cannot be armed: unknown item or leg, no profile, a day beyond the calendar."""
    case = subject.case
    for clock in subject.clocks.clocks:
        if clock.phase == "unarmable" and case.lead is not None:
            name = f"{clock.name}:{clock.subject}" if clock.subject else clock.name
            cause = f"unarmable:{case.item_code}:{name}"
            evidence = {"clock": name, "item": case.item_code, "limit": clock.limit}
            yield _ticket(subject, case.lead, name, evidence, cause=cause)


@rule("D05", version=1, kind="data", basis="及时报送")
def late_flood(subject: Subject) -> Iterator[Violation]:
    """Find cases with so many late arrivals that not all of them are looked back from."""
    case = subject.case
    arrivals = sorted({entry.received_at for entry in case.late})
    if len(arrivals) > LATE_ARRIVALS_MAX:
        late = next(entry.event for entry in case.late if entry.received_at == arrivals[LATE_ARRIVALS_MAX])
        evidence = {"arrivals": len(arrivals), "limit": LATE_ARRIVALS_MAX}
        yield _ticket(subject, late, "late_arrivals", evidence, cause=f"late_arrivals:{late.source}")


@rule("D06", version=1, kind="data", basis="时钟同步")
def clock_skew(subject: Subject) -> Iterator[Violation]:
    """Find steps out of order by no more than two sources' clocks are known to differ, and clocks that run ahead."""
    case = subject.case
    for name, early, late, _ in pairs_of(subject):
        apart = late.time - early.time
        if apart > case.tolerance(early, late) and case.precision(early) != "day" and not case.before(early, late):
            evidence = {
                "act": "order",
                "early": early.type.value,
                "early_at": stamp(early.time),
                "late": late.type.value,
                "late_at": stamp(late.time),
                "other": late.source,
            }
            sources = ":".join(sorted((early.source, late.source)))
            yield _ticket(subject, early, f"order:{name}", evidence, cause=f"skew:{sources}")
    ahead: set[str] = set()
    for entry in case.entries:
        event = entry.event
        if event.time <= entry.received_at or event.source in ahead:
            continue
        if event.time - entry.received_at > case.tolerance(event):
            ahead.add(event.source)
            evidence = {"act": "ahead", "step": event.type.value}
            evidence |= {"at": stamp(event.time), "received": stamp(entry.received_at)}
            yield _ticket(subject, event, f"ahead:{event.source}", evidence, cause=f"ahead:{event.source}")


@rule("D04", version=1, kind="data", basis="监察规则")
def broken_rule(subject: Subject) -> Iterator[Violation]:
    """Stand for rules that crash on a case; `evaluate` makes the finding, nothing is looked for here."""
    yield from ()


def _ticket(
    subject: Subject, event: Event, about: str, evidence: Mapping[str, object], cause: str | None = None
) -> Violation:
    return Violation(
        occurred_at=event.time,
        severity=Severity.NOTICE,
        subject=about,
        department=subject.case.department,
        cause=cause or about,
        events=(key(event),),
        evidence={**evidence, "source": event.source},
    )
