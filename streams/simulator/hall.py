"""The hall: which items are asked for how often, who handles a case of each, and which source tells of it."""

from datetime import date
from random import Random
from typing import Final, get_args

from monitor.events import CONSOLE, Channel, EventType
from monitor.rulebook.model import Delegation, DirectLine, Item, ItemType, Limit, Power, Rulebook, Source, parse_limit
from streams.simulator.draw import Draw
from streams.simulator.mix import Mix

_POPULAR_MAX: Final = 40.0
"""The busiest items see so many times the cases of the quietest, a usual spread of a hall's counters."""
_UNSTATED: Final = parse_limit("5 wd")
"""Within what a case is decided whose item states no limit at all."""

Delegates = dict[tuple[str, Power], list[Delegation]]
"""Delegations by item and power."""
Senders = dict[EventType, Source]
"""Which source tells of an event of each type; what nobody can send is not told."""


class Counter:
    """How cases of one item are handled: where, by whom and within which limits."""

    def __init__(self, rulebook: Rulebook, item: Item, delegates: Delegates, weight: float) -> None:
        limits = rulebook.limits
        self.item, self.weight = item, weight
        self.region = rulebook.department[item.department].region
        self.windows = [window.code for window in rulebook.windows if window.department == item.department]
        self.steps = frozenset(item.steps)
        self.notice = parse_limit(limits.notice)
        self.statutory = _statutory(rulebook, item)
        self.decided_within = parse_limit(item.promised_limit) if item.promised_limit else self.statutory or _UNSTATED
        issue = item.issue_limit or (limits.issue if item.nature == "licence" else None)
        self.issue = _stated(issue)
        self.archive, self.reply = _stated(limits.archive), _stated(limits.reply)
        self.complaint_accept, self.complaint = _stated(limits.complaint_accept), _stated(limits.complaint)
        self.request = _stated(limits.request)
        self.extension_days = limits.extension_joint_days_max if item.legs else limits.extension_days_max
        self.legs = {department: parse_limit(limit) for department, limit in item.legs.items()}
        self.step_limits = {EventType(step): parse_limit(limit) for step, limit in item.step_limits.items()}
        self._delegated = {power: delegates.get((item.code, power), []) for power in get_args(Power)}
        self.complete = rulebook.department[item.department].delegations_complete
        self.amount_max = next((row.amount_max for row in self._delegated["approve"] if row.amount_max), None)

    def leaves(self, days: int) -> bool:
        """Tell whether both promise and law leave so many working days."""
        limits = [limit for limit in (self.decided_within, self.statutory) if limit is not None]
        return all(limit.unit == "wd" and limit.days >= days for limit in limits)

    @property
    def has_outsiders(self) -> bool:
        """Tell whether somebody approves for a part of the time only."""
        return len(self._delegated["approve"]) > 1

    def outsider(self, day: date) -> str | None:
        """Name somebody who approves, but not on that day; None where there is nobody."""
        return next((row.operator for row in self._delegated["approve"] if not _is_valid(row, day)), None)

    def operator(self, power: Power, turn: int, day: date) -> str:
        """Name who uses a power on a day: a delegate at the window in turn, else the department's own official."""
        delegates = [row.operator for row in self._delegated[power] if _is_valid(row, day)]
        return delegates[turn % len(delegates)] if delegates else f"{self.item.department}-{power}"


class Hall:
    """Every counter, drawn by how often its item is asked for, and the sources by whom they speak for."""

    def __init__(self, rulebook: Rulebook, mix: Mix) -> None:
        self.rulebook, self.mix = rulebook, mix
        self.live_sources = [s.code for s in rulebook.sources if s.code != CONSOLE and _is_live(s)]
        counters = self._open()
        self.counters = tuple(counter for of in counters.values() for counter in of)
        self._counter = {kind: Draw((counter, counter.weight) for counter in of) for kind, of in counters.items()}
        self._type = Draw((kind, share) for kind, share in mix.types if kind in counters)
        self.channel = Draw(mix.channels)
        self._senders: dict[tuple[str, Channel, bool], Senders] = {}
        promised = counters.get("promised", [])
        mean = sum(float(c.decided_within.days) * c.weight for c in promised)
        mean /= sum(c.weight for c in promised) or 1
        self.pace = mix.promised_days_mean / mean if mean else 0.1
        """Office days taken for each day promised."""

    def _open(self) -> dict[ItemType, list[Counter]]:
        """Open a counter for every item that has entered the centre and that a source speaks for."""
        counters: dict[ItemType, list[Counter]] = {}
        popular = Random(self.rulebook.name_en)
        delegates = _delegates(self.rulebook)
        for item in self.rulebook.items:
            weight = min(popular.paretovariate(1.0), _POPULAR_MAX)
            counter = Counter(self.rulebook, item, delegates, weight)
            if item.entered and self._speakers(counter.region):
                counters.setdefault(item.type, []).append(counter)
        if not counters:
            raise ValueError("rulebook: no item has entered the centre in a region that a source speaks for")
        return counters

    def counter(self, rng: Random, kind: ItemType | None = None) -> Counter:
        """Draw a counter, of one type of item where one is asked for."""
        if kind is None or kind not in self._counter:
            kind = self._type(rng)
        return self._counter[kind](rng)

    def direct_line(self, rng: Random, day: date) -> str | None:
        """Draw which enterprise or project on the direct line comes, if it is one of them."""
        return self.line(rng, day) if rng.random() < self.mix.direct_line else None

    def line(self, rng: Random, day: date) -> str | None:
        """Draw one of those on the direct line; None where there is none on that day."""
        lines = [line.code for line in self.rulebook.direct_lines if _is_valid(line, day)]
        return rng.choice(lines) if lines else None

    def senders(self, counter: Counter, channel: Channel, *, central: bool = False) -> Senders:
        """Tell which source sends what for a counter and a channel: always the same, as systems are.

        `central`: of what the centre itself handles, complaints and requests, whatever system the department has.
        """
        key = (counter.item.department, channel, central)
        if key not in self._senders:
            self._senders[key] = self._connect(counter, channel, central)
        return self._senders[key]

    def _speakers(self, region: str) -> list[Source]:
        may_speak = self.rulebook.may_speak_for
        return [s for s in self.rulebook.sources if s.code != CONSOLE and may_speak(s, region)]

    def _connect(self, counter: Counter, channel: Channel, central: bool) -> Senders:
        """Give a department the system it owns, else the centre's own, and online business the portal too.

        A portal tells what applicants do by themselves, the department's system all that follows.
        """
        speakers = self._speakers(counter.region)
        names = {department.name for department in self.rulebook.departments}
        owned = [s for s in speakers if s.owner == self.rulebook.department[counter.item.department].name]
        shared = [s for s in speakers if s.owner not in names and s.can_send(EventType.FINISH)]
        home = (shared or owned or speakers)[0] if central else (owned or shared or speakers)[0]
        senders = {kind: home for kind in EventType if home.can_send(kind)}
        if channel in ("online", "mobile"):
            for portal in speakers:
                if portal.can_send(EventType.APPLY) and not portal.can_send(EventType.FINISH):
                    senders.update({kind: portal for kind in _BY_ONESELF if portal.can_send(kind)})
        return senders


_BY_ONESELF: Final = (
    EventType.CONSULT, EventType.APPLY, EventType.SUPPLEMENT_RECEIVED, EventType.DEFERRED_RECEIVED,
    EventType.WITHDRAW, EventType.RATING, EventType.COMPLAINT_FILED, EventType.REQUEST_FILED,
)  # fmt: skip
"""What an applicant does without a clerk."""


def _is_live(source: Source) -> bool:
    """Tell whether a source sends at once and says so by heartbeats."""
    return source.lateness_hours == 0 and source.authentication != "import" and source.can_send(EventType.HEARTBEAT)


def _is_valid(dated: DirectLine | Delegation, day: date) -> bool:
    return dated.valid_from <= day and (dated.valid_to is None or day <= dated.valid_to)


def _stated(limit: str | None) -> Limit | None:
    return parse_limit(limit) if limit else None


def _statutory(rulebook: Rulebook, item: Item) -> Limit | None:
    """Find the limit of the law: the item's own, else art. 42 for licences, else none."""
    if item.statutory_limit:
        return parse_limit(item.statutory_limit)
    if item.nature != "licence":
        return None
    return parse_limit(rulebook.limits.statutory_joint if item.type == "joint" else rulebook.limits.statutory)


def _delegates(rulebook: Rulebook) -> Delegates:
    """List who holds which power over which item, and when."""
    found: Delegates = {}
    for row in rulebook.delegations:
        found.setdefault((row.item, row.power), []).append(row)
    return found
