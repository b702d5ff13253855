"""What events may say, drawn: everything a rule reads, present or not, lawful or not."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from monitor.events import EventType, TextMark

T = EventType

PERSONS = st.sampled_from([None, "O1", "O2", "O3"])
MATERIALS = st.sampled_from([None, ("M1",), ("M2",), ("M1", "M2"), ("M9",)])
AMOUNTS = st.sampled_from([None, 0, 4, 6, 10, 25, 1e9])
TEXTS = st.sampled_from(
    [None, TextMark(hash="h", length=0), TextMark(hash="h", length=2, names_step=True), TextMark(hash="h", length=40)]
)
ROLES = st.sampled_from([None, "organ_head", "government_head", "clerk"])
MOMENTS = st.sampled_from([timedelta(), timedelta(seconds=3), timedelta(minutes=50), timedelta(hours=30)])

_TRUTH = st.sampled_from([None, True, False])
_REASON = {"reason_code": st.sampled_from([None, "r"]), "text": TEXTS, "remedies_told": _TRUTH}
_APPROVED = {"approver": PERSONS, "approver_role": ROLES, "legal_basis": st.sampled_from([None, "art. 45"])}
FIELDS: dict[EventType, dict[str, st.SearchStrategy[Any]]] = {
    T.SUPPLEMENT_NOTICE: {"materials": MATERIALS},
    T.REFUSE: {**_REASON, "voucher": st.sampled_from([None, "B1"])},
    T.VOID: _REASON,
    T.SUSPEND: {
        **_APPROVED,
        "procedure": st.sampled_from([None, "testing", "hearing", "waiting"]),
        "planned_days": st.sampled_from([None, 1, 2.5, 20]),
    },
    T.RESUME: {
        "procedure": st.sampled_from([None, "testing", "hearing", "waiting"]),
        "result": st.sampled_from([None, "R1"]),
    },
    T.EXTEND: {**_APPROVED, "days": st.sampled_from([None, 3, 10, 12])},
    T.TRANSFER: {"to": st.sampled_from([None, ("d1", "d2"), ("fire", "water"), ("land",)])},
    T.SITE_CHECK: {"officers": st.sampled_from([None, (), ("O1",), ("O2",), ("O1", "O2")])},
    T.HEARING: {"chair": PERSONS, "officers": st.sampled_from([None, ("O1",)])},
    T.APPROVE: {**_REASON, "outcome": st.sampled_from([None, "granted", "refused", "returned"]), "amount": AMOUNTS},
    T.FINISH: {**_REASON, "outcome": st.sampled_from([None, "granted", "refused", "returned"])},
    T.WITHDRAW: {"confirmed": _TRUTH},
    T.FEE: {
        "amount": AMOUNTS,
        "fee": st.sampled_from([None, "F1", "F9"]),
        "fee_act": st.sampled_from([None, "assessed", "paid", "refunded"]),
        "method": st.sampled_from([None, "cash", "pos"]),
        "reduction": st.sampled_from([None, "JM1"]),
    },
}


@st.composite
def said(draw: st.DrawFn, kind: EventType, time: datetime) -> dict[str, Any]:
    """Draw the data of an event of a type, as fields."""
    data = {name: draw(values) for name, values in FIELDS.get(kind, {}).items()}
    if kind in (T.SUSPEND, T.EXTEND):
        data["told_at"] = draw(st.sampled_from([None, time]))
    if kind is T.ACCEPT:
        data["deferred_until"] = draw(st.none() | MOMENTS.map(lambda span: time + 4 * span))
    return data


@st.composite
def entered(draw: st.DrawFn, time: datetime) -> dict[str, Any]:
    """Draw who entered an event, where and when, as fields of the event."""
    recorded = draw(st.none() | MOMENTS)
    return {
        "operator": draw(PERSONS),
        "window": draw(st.sampled_from([None, "W1"])),
        "channel": draw(st.sampled_from([None, "window", "online"])),
        "recorded": None if recorded is None else time + recorded,
    }
