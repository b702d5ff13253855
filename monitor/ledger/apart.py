"""Findings that are about no case (V23, V31), written in the transaction that changes what they follow from.

Silence follows from when sources were last heard of, the horizon and the rulebook in force: every turn and every
publication settles it. Tampering follows from the versions published: a publication settles it. So what is stored is
at every commit what can be computed again.

The events of a source are spread over the partitions of a topic, of which each may be quiet for days. So silence is
settled by one stream for all of them, its chief, up to where the least advanced of them was read. Others go on
meanwhile: what was heard since, the chief's next turn knows.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, select

from monitor.events import TIME_MIN
from monitor.ledger.deployment import owner_of
from monitor.ledger.findings import FindingChange, finding_columns, finding_from, write_findings
from monitor.ledger.judging import SourceState, all_states, load_states
from monitor.ledger.schema import findings, meta, positions
from monitor.ledger.upsert import upsert
from monitor.rulebook.model import RulebookVersion
from monitor.rules.apart import Apart
from monitor.rules.publication import Published, tamperings
from monitor.rules.silence import Heard, silences

NO_CASE: Final = ""
OF_RULEBOOKS: Final = ""
"""The stream of what is about the rulebook: that of no writer."""
_PARTITION: Final = "/"
_SETTLED: Final = "silence_settled"

Current = Callable[[datetime], RulebookVersion]
"""Gives the version in force at a horizon."""


def is_chief(stream: str) -> bool:
    """Tell whether a stream settles silence: that of a topic's first partition does, or one that is no partition."""
    return _PARTITION not in stream or stream.endswith(f"{_PARTITION}0")


def is_alone(stream: str) -> bool:
    """Tell whether all that is known of the sources is known to this stream."""
    return _PARTITION not in stream


def heard_of(states: Mapping[str, SourceState]) -> dict[str, Heard]:
    """Tell when each source that was ever live was last heard of."""
    return {
        code: Heard(state.last_event_time, state.last_received_at)
        for code, state in states.items()
        if state.live and state.last_event_time is not None and state.last_received_at is not None
    }


def settle_silences(
    connection: Connection, stream: str, states: Mapping[str, SourceState], horizon: datetime, current: Current
) -> None:
    """Write who has gone silent, and who speaks again, if that is for this stream to say.

    What it knows of the sources itself must be written before.
    """
    if not is_chief(stream):
        return
    if is_alone(stream):
        reached: datetime | None = horizon
    else:
        # First how far the others were read, then what they have heard: it is nothing less than that.
        reached = _reached(connection, stream, horizon)
        if reached is None:
            return
        states = all_states(connection)
        upsert(connection, meta, [{"name": _SETTLED, "value": reached.isoformat()}])
    assert reached is not None, "a stream alone has a horizon"
    version = current(reached)
    why = {"cause": "time", "rulebook": version.version}
    _settle(connection, stream, "V31", silences(version, heard_of(states), reached), reached, why)


def settled_until(connection: Connection) -> datetime | None:
    """Read the horizon up to which silence was settled last for all partitions; None: it never was."""
    written = connection.execute(select(meta.c.value).where(meta.c.name == _SETTLED)).scalar_one_or_none()
    return None if written is None else datetime.fromisoformat(written)


def _reached(connection: Connection, chief: str, horizon: datetime) -> datetime | None:
    """Tell up to when all partitions were read, the chief's up to a horizon; None: of one nothing was ever read."""
    query = select(positions.c.stream, positions.c.horizon)
    of_streams = {row.stream: row.horizon for row in connection.execute(query)} | {chief: horizon}
    owner = owner_of(connection)
    if owner is not None and len(of_streams) < owner.partitions:
        return None
    reached: datetime = min(of_streams.values())
    return reached if reached > TIME_MIN else None


def settle_publication(
    connection: Connection,
    published: Sequence[Published],
    horizons: Mapping[str, datetime],
    current: Current,
    now: datetime,
) -> None:
    """Write what a publication loosens, and who is silent by it; `horizons` are those of the streams."""
    why = {"cause": "publication", "rulebook": published[-1].version.version}
    _settle(connection, OF_RULEBOOKS, "V23", tamperings(published), now, why)
    for stream, horizon in horizons.items():
        settle_silences(connection, stream, load_states(connection, stream), horizon, current)


def standing(connection: Connection, stream: str, rule: str) -> dict[str, RowMapping]:
    """Read the rows of a rule's findings without a case that stand, by id."""
    query = select(findings).where(
        findings.c.case == NO_CASE,
        findings.c.stream == stream,
        findings.c.rule == rule,
        findings.c.state != "withdrawn",
    )
    return {row["id"]: row for row in connection.execute(query).mappings()}


def _settle(
    connection: Connection, stream: str, rule: str, expected: Iterable[Apart], at: datetime, why: Mapping[str, Any]
) -> None:
    """Raise what is new, change what reads otherwise, withdraw what is not so any more."""
    stored, said = standing(connection, stream, rule), {apart.finding.id: apart for apart in expected}
    changes: list[FindingChange] = []
    for key in sorted(stored.keys() | said.keys()):
        row, apart = stored.get(key), said.get(key)
        if row is not None and apart is not None and _agree(row, apart):
            continue
        old = None if row is None else finding_from(row)
        place = apart if apart is not None else _place(row, old)
        changes.append(FindingChange(stream, at, place, old, None if apart is None else apart.finding, "live", why))
    if changes:
        write_findings(connection, changes)


def _agree(row: RowMapping, apart: Apart) -> bool:
    return all(row[name] == value for name, value in finding_columns(apart.finding, apart).items())


def _place(row: RowMapping | None, old: Any) -> Apart:
    assert row is not None, "a finding that is said no more was stored"
    return Apart(old, region=row["region"], item=row["item"])
