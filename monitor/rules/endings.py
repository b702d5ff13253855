"""Rules on cases that end without a grant: V20 refused without reason, V25 pressured withdrawal."""

from collections.abc import Iterable, Iterator
from typing import Final

from monitor.events import Event, EventType
from monitor.rules.due import pressing
from monitor.rules.evidence import opinion, stamp
from monitor.rules.rule import Subject, Violation, rule
from monitor.timing import key
from monitor.verdict import Severity

T = EventType

_HANDLING: Final = (
    *(T.ACCEPT, T.TRANSFER, T.SITE_CHECK, T.HEARING, T.SUSPEND, T.RESUME, T.EXTEND, T.APPROVE),
    T.SUPPLEMENT_NOTICE,
)


@rule(
    "V20",
    version=1,
    basis="行政许可法第三十二条第二款、第三十八条第二款、第七十二条第七项",
    parameters={"text_characters": 10},
    about=(T.REFUSE, T.FINISH, T.VOID),
)
def refused_without_reason(subject: Subject) -> Iterator[Violation]:
    """Find refusals, refused cases and voided ones that lack a reason, word of the remedies, or the voucher.

    A reason is a code, a sealed text of the source's own, or a text of `text_characters` that says more than the
    name of a step; for a refused case it may stand with the decision. That remedies were told is asked for only
    where the source says they were not, the voucher (art. 32(2)) only of a refusal that stands.
    """
    case = subject.case
    refusal, finish, void = case.refusal, case.first(T.FINISH), case.first(T.VOID)
    if refusal is not None:
        lacks = [*_lacks(subject, [refusal]), *(() if refusal.data.voucher else ("voucher",))]
        yield from _refused(subject, refusal, lacks)
    if finish is not None and finish.data.outcome == "refused":
        decided = [event for event in case.all(T.APPROVE) if event.data.outcome == "refused"]
        told = [finish, *decided, *((refusal,) if refusal is not None else ())]
        yield from _refused(subject, finish, _lacks(subject, told))
    if void is not None:
        yield from _refused(subject, void, _lacks(subject, [void]))


def _lacks(subject: Subject, told: Iterable[Event]) -> list[str]:
    """List what all these events together do not say."""
    told = tuple(told)
    lacks = [] if any(_gives_reason(subject, event) for event in told) else ["reason"]
    remedies = {event.data.remedies_told for event in told}
    return [*lacks, "remedies"] if False in remedies and True not in remedies else lacks


def _gives_reason(subject: Subject, event: Event) -> bool:
    if event.data.reason_code or event.data.reason_hash:
        return True
    said = opinion(event)
    return said is not None and said["characters"] >= subject.parameters["text_characters"] and not said["names_step"]


def _refused(subject: Subject, event: Event, lacks: list[str]) -> Iterator[Violation]:
    if not lacks:
        return
    yield Violation(
        occurred_at=event.time,
        severity=Severity.PROMISED_BREACH,
        subject=event.type.value,
        department=event.department or subject.case.department,
        events=(key(event),),
        evidence={
            "step": event.type.value,
            "at": stamp(event.time),
            "lacks": lacks,
            "reason_code": event.data.reason_code,
            "opinion": opinion(event),
            "remedies_told": event.data.remedies_told,
            "voucher": event.data.voucher,
        },
    )


@rule(
    "V25",
    version=1,
    basis="行政许可法第七十二条；撤件回访",
    parameters={"days_before_due": 2},
    lead=True,
    about=(T.WITHDRAW,),
)
def pressured_withdrawal(subject: Subject) -> Iterator[Violation]:
    """Find withdrawals shortly before or after the due day that whoever handled the case entered, unconfirmed.

    Not meant: what the applicant did online or by mobile, signed or confirmed; what no operator is told of.
    """
    case = subject.case
    withdraw = case.first(T.WITHDRAW)
    if withdraw is None or withdraw.operator is None:
        return
    if withdraw.channel in ("online", "mobile") or withdraw.data.confirmed:
        return
    handled = [event for event in case.all(*_HANDLING) if event.operator == withdraw.operator]
    near = pressing(subject, withdraw, subject.parameters["days_before_due"])
    if handled and near is not None:
        yield Violation(
            occurred_at=withdraw.time,
            severity=Severity.WARNING,
            department=withdraw.department or case.department,
            events=(key(withdraw), *(key(event) for event in handled)),
            evidence={
                "at": stamp(withdraw.time),
                "clock": near[0].name,
                "due_at": stamp(near[1]),
                "channel": withdraw.channel,
                "confirmed": withdraw.data.confirmed,
            },
        )
