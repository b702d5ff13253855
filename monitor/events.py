"""Events: what a source system says happened to a case, decoded, checked and put in order.

One JSON object is one event. `decode` turns bytes into an `Event` or raises one `EventError` that names the
field, the reason and the remedy. Identity is `(case, source, id)`; events are a set, ordered by `Event.order`. They
hold no reference back to what holds them, so that the garbage collector need not look at them (`gc=False`).
Design section 5.
"""

import re
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Annotated, Any, Final, Literal, TypeVar, get_args

import msgspec

from monitor.language import Lang, text

EVENT_BYTES_MAX: Final = 65_536
"""A real event is under 2 kB; what is larger is a mistake or an attack, and is refused before it is parsed."""

TIME_MIN: Final = datetime(1990, 1, 1, tzinfo=UTC)
TIME_MAX: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""The years a calendar can be had for. A time outside is a defect of the source, never a real step."""

CONSOLE: Final = "console"
"""The source of inspectors' verdicts (`card_*`); it never holds back the moment up to which we may judge."""


class EventType(StrEnum):
    """What can happen to a case; the order of the members is the order of events of one instant."""

    CONSULT = "consult"
    REPLY = "reply"
    APPLY = "apply"
    RECEIVED = "received"
    SUPPLEMENT_NOTICE = "supplement_notice"
    SUPPLEMENT_RECEIVED = "supplement_received"
    ACCEPT = "accept"
    REFUSE = "refuse"
    DEFERRED_RECEIVED = "deferred_received"
    TRANSFER = "transfer"
    SITE_CHECK = "site_check"
    HEARING = "hearing"
    SUSPEND = "suspend"
    RESUME = "resume"
    EXTEND = "extend"
    APPROVE = "approve"
    FEE = "fee"
    FINISH = "finish"
    FORWARD = "forward"
    WITHDRAW = "withdraw"
    VOID = "void"
    READY = "ready"
    ISSUE = "issue"
    ARCHIVE = "archive"
    RATING = "rating"
    TICKET = "ticket"
    COMPLAINT_FILED = "complaint_filed"
    COMPLAINT_ACCEPTED = "complaint_accepted"
    COMPLAINT_CLOSED = "complaint_closed"
    REQUEST_FILED = "request_filed"
    REQUEST_CLOSED = "request_closed"
    CARD_UPHELD = "card_upheld"
    CARD_CANCELLED = "card_cancelled"
    CARD_CONFIRMED = "card_confirmed"
    RETRACT = "retract"
    HEARTBEAT = "heartbeat"


RANK: Final = {kind: rank for rank, kind in enumerate(EventType)}

STEPS: Final = (
    EventType.CONSULT,
    EventType.APPLY,
    EventType.ACCEPT,
    EventType.TRANSFER,
    EventType.APPROVE,
    EventType.FINISH,
    EventType.ISSUE,
    EventType.ARCHIVE,
)
"""The eight steps of a case (咨询 申请 受理 转办 审批 办结 出件 归档)."""

NO_ITEM: Final = frozenset(
    {
        EventType.COMPLAINT_FILED,
        EventType.COMPLAINT_ACCEPTED,
        EventType.COMPLAINT_CLOSED,
        EventType.REQUEST_FILED,
        EventType.REQUEST_CLOSED,
    }
)
"""A complaint or an enterprise's request is a process of its own and need not be about an item."""

VERDICTS: Final = frozenset({EventType.CARD_UPHELD, EventType.CARD_CANCELLED, EventType.CARD_CONFIRMED})
"""An inspector's word on a finding. No approval system may cancel the findings against itself."""

Channel = Literal["window", "online", "hotline", "mobile", "express", "other"]
Outcome = Literal["granted", "refused", "returned", "lapsed", "done"]
Procedure = Literal["hearing", "tender", "auction", "inspection", "testing", "quarantine", "appraisal", "expert_review"]
"""The closed list of eight whose time does not count (Administrative Licensing Law art. 45)."""
PROCEDURES: Final[frozenset[str]] = frozenset(get_args(Procedure))

_PRINTABLE: Final = r"^[^\x00-\x1f\x7f]+(?!\n)$"  # alone, `$` would let a newline pass at the end
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=_PRINTABLE)]
Identity = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=_PRINTABLE)]
Citation = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=_PRINTABLE)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Days = Annotated[float, msgspec.Meta(gt=0, le=3650)]
FreeText = Annotated[str, msgspec.Meta(max_length=2_000)]
FeeAct = Literal["assessed", "paid", "refunded"]
Payment = Literal["cash", "pos", "bank", "online"]


class Due(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A due instant set by the source system itself, compared as an instant and not shifted by pauses."""

    promised: Instant


class TextMark(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is kept of a free text once it is sealed away: its keyed hash, and what rules need to know of it."""

    hash: Code
    length: Annotated[int, msgspec.Meta(ge=0)]  # characters, without the blanks around them
    names_step: bool = False  # it says no more than the name of a step, as fabricated opinions do


class EventData(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """What an event says beyond who, where and when; each field belongs to the types named behind it."""

    outcome: Outcome | None = None  # approve, finish
    reason_code: Code | None = None  # refuse, finish, void, withdraw, suspend, extend
    reason_hash: Code | None = None  # the same: a keyed hash of the free text, made at the source
    text: TextMark | FreeText | None = None  # opinion, reason or complaint; the ledger keeps its mark alone
    voucher: Code | None = None  # accept, refuse: number of the dated, sealed voucher (art. 32)
    procedure: Code | None = None  # suspend: one of the eight of art. 45, else it pauses nothing; resume: which one
    legal_basis: Citation | None = None  # suspend, extend, refuse
    planned_days: Days | None = None  # suspend: working days told to the applicant
    told_at: Instant | None = None  # suspend, extend: when the applicant was told in writing
    approver: Code | None = None  # suspend, extend
    approver_role: Code | None = None  # suspend, extend: organ_head or government_head (art. 42)
    result: Code | None = None  # resume: number of the document the procedure ended with
    days: Days | None = None  # extend: working days added
    to: tuple[Code, ...] | None = None  # transfer: departments that receive a leg of a joint case
    materials: tuple[Code, ...] | None = None  # supplement_notice: codes of what is missing
    deferred_until: Instant | None = None  # accept: when materials accepted as missing are due (容缺受理)
    officers: tuple[Code, ...] | None = None  # site_check, hearing
    chair: Code | None = None  # hearing
    remedies_told: bool | None = None  # refuse, finish refused
    confirmed: bool | None = None  # withdraw: signed by the applicant, or confirmed online
    amount: Annotated[float, msgspec.Meta(ge=0, le=1e12)] | None = None  # fee, approve: in yuan
    fee: Code | None = None  # fee: code in the catalogue
    fee_act: FeeAct | None = None  # fee; not told: paid
    method: Payment | None = None  # fee paid
    reduction: Code | None = None  # fee: number of the approval of a reduction
    against: Code | None = None  # complaint_filed: operator complained of
    rating: Annotated[int, msgspec.Meta(ge=1, le=5)] | None = None  # rating: 1 very good … 5 very bad
    due: Due | None = None  # any event of a case: the due instant its source has set
    target: Identity | None = None  # retract: id of the event of the same source and case that is taken back
    complete_until: Instant | None = None  # heartbeat: everything up to here has been sent
    finding: Code | None = None  # card_*: the finding decided on


NO_DATA: Final = EventData()
_INSTANTS: Final = ("due", "told_at", "deferred_until", "complete_until")


class Event(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """One step, procedural act or heartbeat, as its source system tells it. Times are held in UTC."""

    id: Identity
    source: Code
    type: EventType
    time: Instant
    case: Identity | None = None
    recorded: Instant | None = None
    region: Code | None = None
    item: Code | None = None
    department: Code | None = None
    window: Code | None = None
    operator: Code | None = None
    operator_role: Code | None = None
    channel: Channel | None = None
    direct_line: Code | None = None
    applicant: Code | None = None
    data: EventData = NO_DATA

    @property
    def identity(self) -> tuple[str, str]:
        """Name the event within its case: `(source, id)`."""
        return (self.source, self.id)

    @property
    def order(self) -> tuple[datetime, int, str, str]:
        """Sort key within a case: `(time, type rank, source, id)`."""
        return (self.time, RANK[self.type], self.source, self.id)


class EventError(ValueError):
    """An event that cannot be taken: `code` of the reason, `field` it stands in, `detail` of what was found."""

    def __init__(self, code: str, field: str, detail: str = "") -> None:
        self.code, self.field, self.detail = code, _shortened(field), _shortened(detail)
        super().__init__(self.describe("en"))

    def reason(self, lang: Lang) -> str:
        """Say what was wrong."""
        return text(f"reject.{self.code}.reason", lang, field=self.field, detail=self.detail)

    def remedy(self, lang: Lang) -> str:
        """Say what to do about it."""
        return text(f"reject.{self.code}.remedy", lang, field=self.field, detail=self.detail)

    def describe(self, lang: Lang) -> str:
        """Say field, reason and remedy in one line."""
        return f"{self.field}: {self.reason(lang)}{' ' if lang == 'en' else ''}{self.remedy(lang)}"


def _shortened(said: str) -> str:
    """Cut what comes from outside: a name of 60 kB must not fill answers, logs and the ledger."""
    return said if len(said) <= 200 else f"{said[:199]}…"


Read = TypeVar("Read")

_decoder = msgspec.json.Decoder(Event)
_encoder = msgspec.json.Encoder(order="deterministic")
_AT_FIELD = re.compile(r" - at `\$\.?([^`]*)`$")
_QUOTED = re.compile(r"`([^`]*)`")
_ENUM_VALUE = re.compile(r"^(Invalid enum value )'(.*)'$", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_.-]{1,32}")
_NAME = re.compile(r"[A-Za-z0-9_.@$-]{1,40}|\w{1,10}")
"""What looks like a code or the name of a field; anything else may be a text somebody wrote, and is not repeated."""


def decode(raw: bytes) -> Event:
    """Decode and check one event from JSON, plain or in a CloudEvents 1.0 structured envelope.

    Raises EventError naming field, reason and remedy.
    """
    if len(raw) > EVENT_BYTES_MAX:
        raise EventError("too_large", "event", f"{len(raw)} > {EVENT_BYTES_MAX} bytes")
    if b'"specversion"' in raw:
        raw = _unwrap(raw)
    return checked(_read(raw, _decoder))


def checked(event: Event) -> Event:
    """Check what a type needs and the range of every time; return the event with its times in UTC.

    Raises EventError.
    """
    if event.type is EventType.HEARTBEAT:
        if event.case is not None:
            raise EventError("superfluous", "case", "heartbeat")
    elif None in (event.case, event.region, event.department) or (event.item is None and event.type not in NO_ITEM):
        needed = ("case", "region", "department") if event.type in NO_ITEM else ("case", "region", "item", "department")
        lacking = next(field for field in needed if getattr(event, field) is None)
        raise EventError("missing", lacking, event.type.value)
    if event.type is EventType.RETRACT and event.data.target is None:
        raise EventError("missing", "data.target", "retract")
    time, recorded, data = _in_range(event.time, "time"), event.recorded, event.data
    if recorded is not None:
        recorded = _in_range(recorded, "recorded")
    if data is not NO_DATA:
        data = _data_in_utc(data)
    if time is event.time and recorded is event.recorded and data is event.data:
        return event  # all its times are in UTC as they came
    return msgspec.structs.replace(event, time=time, recorded=recorded, data=data)


def content(event: Event) -> bytes:
    """Encode an event canonically: the same event gives the same bytes, however it was written or delivered."""
    return _encoder.encode(event)


def content_hash(content: bytes) -> bytes:
    """Hash canonical content (16 bytes); of two contents of one identity the smaller hash counts."""
    return blake2b(content, digest_size=16).digest()


def from_content(content: bytes) -> Event:
    """Read back canonical content written by `content`."""
    return _decoder.decode(content)


def schema() -> dict[str, Any]:
    """Build the JSON Schema of an event from the code."""
    return msgspec.json.schema(Event)


def _in_range(instant: datetime, field: str) -> datetime:
    if not TIME_MIN <= instant < TIME_MAX:
        raise EventError("time_range", field, instant.isoformat())
    return instant.astimezone(UTC)


def _data_in_utc(data: EventData) -> EventData:
    changes: dict[str, Any] = {}
    for name in _INSTANTS:
        value = getattr(data, name)
        if isinstance(value, Due):
            changes[name] = Due(promised=_in_range(value.promised, f"data.{name}.promised"))
        elif value is not None:
            changes[name] = _in_range(value, f"data.{name}")
    return msgspec.structs.replace(data, **changes) if changes else data


class _Envelope(msgspec.Struct):
    """The CloudEvents 1.0 attributes we read; extension attributes are allowed and ignored, as the standard asks."""

    id: str
    source: str
    type: str
    time: str
    specversion: Literal["1.0"] | msgspec.UnsetType = msgspec.UNSET
    subject: str | None = None
    data: dict[str, msgspec.Raw] = {}


_envelope_decoder = msgspec.json.Decoder(_Envelope)


def _unwrap(raw: bytes) -> bytes:
    """Turn a CloudEvents envelope into a plain event: subject is the case, the type's last part our type."""
    envelope = _read(raw, _envelope_decoder)
    if envelope.specversion is msgspec.UNSET:
        return raw  # no envelope: the word stands somewhere else in it
    plain: dict[str, Any] = dict(envelope.data)
    plain.update(id=envelope.id, source=envelope.source, time=envelope.time)
    plain["type"] = envelope.type.rsplit(".", 1)[-1]
    if envelope.subject is not None:
        plain["case"] = envelope.subject
    return msgspec.json.encode(plain)


def _read(raw: bytes, decoder: msgspec.json.Decoder[Read]) -> Read:
    """Decode a document; whatever is wrong with it becomes an EventError."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise _explain(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EventError("malformed", "event", str(error)) from None
    except RecursionError:
        raise EventError("too_deep", "event") from None


def _explain(message: str) -> EventError:
    """Turn msgspec's sentence into field and reason."""
    place = _AT_FIELD.search(message)
    path = place.group(1) if place else ""
    said = _AT_FIELD.sub("", message)
    named = _QUOTED.search(said)
    if said.startswith("Object missing required field") and named:
        return EventError("missing", _join(path, named.group(1)), "event")
    if said.startswith("Object contains unknown field") and named:
        return EventError("unknown_field", _join(path, named.group(1)))
    return EventError("invalid", path or "event", _ENUM_VALUE.sub(_discreetly, said))


def _discreetly(found: re.Match[str]) -> str:
    value = found.group(2)
    return f"{found.group(1)}'{value}'" if _WORD.fullmatch(value) else f"{found.group(1)}of {len(value)} characters"


def _join(path: str, name: str) -> str:
    named = name if not name or _NAME.fullmatch(name) else f"({len(name)} characters)"
    return f"{path}.{named}" if path else named or '""'
