"""Findings that are about no case (V23, V31), written in the transaction that changes what they follow from.

Silence follows from the sources of a stream, its horizon and the rulebook in force: every turn and every publication
settles it. Tampering follows from the versions published: a publication settles it. So what is stored is at every
commit what can be computed again.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, select

from monitor.ledger.findings import FindingChange, finding_columns, finding_from, write_findings
from monitor.ledger.judging import SourceState, load_states
from monitor.ledger.schema import findings
from monitor.rulebook.model import RulebookVersion
from monitor.rules.apart import Apart
from monitor.rules.publication import Published, tamperings
from monitor.rules.silence import Heard, silences

NO_CASE: Final = ""
OF_RULEBOOKS: Final = ""
"""The stream of what is about the rulebook: that of no writer."""


def silences_of(version: RulebookVersion, states: Mapping[str, SourceState], horizon: datetime) -> list[Apart]:
    """Find the sources of a stream that are silent: of those ever live, by when they were last heard of."""
    heard = {
        code: Heard(state.last_event_time, state.last_received_at)
        for code, state in states.items()
        if state.live and state.last_event_time is not None and state.last_received_at is not None
    }
    return silences(version, heard, horizon)


def settle_silences(
    connection: Connection, stream: str, version: RulebookVersion, states: Mapping[str, SourceState], horizon: datetime
) -> None:
    """Write who has gone silent, and who speaks again."""
    why = {"cause": "time", "rulebook": version.version}
    _settle(connection, stream, "V31", silences_of(version, states, horizon), horizon, why)


def settle_publication(
    connection: Connection,
    published: Sequence[Published],
    current: Mapping[str, tuple[RulebookVersion, datetime]],
    now: datetime,
) -> None:
    """Write what a publication loosens, and who is silent by it; `current` is each stream's version and horizon."""
    why = {"cause": "publication", "rulebook": published[-1].version.version}
    _settle(connection, OF_RULEBOOKS, "V23", tamperings(published), now, why)
    for stream, (version, horizon) in current.items():
        settle_silences(connection, stream, version, load_states(connection, stream), horizon)


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
        changes.append(FindingChange(place, old, None if apart is None else apart.finding, "live", why))
    if changes:
        write_findings(connection, stream, at, changes)


def _agree(row: RowMapping, apart: Apart) -> bool:
    return all(row[name] == value for name, value in finding_columns(apart.finding, apart).items())


def _place(row: RowMapping | None, old: Any) -> Apart:
    assert row is not None, "a finding that is said no more was stored"
    return Apart(old, region=row["region"], item=row["item"])
