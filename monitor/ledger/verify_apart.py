"""Verify the findings that are about no case: they follow from the sources and from the rulebooks published."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import msgspec
from sqlalchemy import Connection, RowMapping, select

from monitor.ledger import apart
from monitor.ledger.difference import Difference, compare
from monitor.ledger.findings import finding_columns
from monitor.ledger.judging import all_states, load_states
from monitor.ledger.positions import horizon_of
from monitor.ledger.publication import Publications
from monitor.ledger.schema import findings, positions, rulebooks
from monitor.rules.apart import Apart
from monitor.rules.publication import tamperings
from monitor.rules.silence import Heard, silences


def verify_apart(connection: Connection, publications: Publications) -> Iterator[Difference]:
    """Compare what is stored of silent sources and of loosened rulebooks with what follows; nothing else may stand."""
    known: set[str] = set()
    if connection.execute(select(rulebooks.c.version).limit(1)).first() is not None:
        stored = apart.standing(connection, apart.OF_RULEBOOKS, "V23")
        known |= stored.keys()
        yield from _compared(stored, tamperings(publications.published(connection)))
        for position in connection.execute(select(positions).order_by(positions.c.stream)).all():
            if apart.is_chief(position.stream):
                stored = apart.standing(connection, position.stream, "V31")
                known |= stored.keys()
                yield from _compared(stored, _silent(connection, publications, position.stream, stored))
    of_no_case = select(findings.c.id, findings.c.state).where(
        findings.c.case == apart.NO_CASE, findings.c.state != "withdrawn", findings.c.id.not_in(known)
    )
    for row in connection.execute(of_no_case.order_by(findings.c.id)):
        yield Difference("findings", row.id, "state", "withdrawn", row.state)


def _silent(
    connection: Connection, publications: Publications, chief: str, stored: Mapping[str, RowMapping]
) -> list[Apart]:
    """Find who must stand as silent.

    A stream alone settles silence with all it knows. The chief of many did so up to a horizon it wrote down; what
    others heard since is not said yet. So a row that rests on less than is known now passes, as long as it follows
    from what it rests on; and nobody silent then, by all that is known now, may be missing.
    """
    if apart.is_alone(chief):
        horizon, heard = horizon_of(connection, chief), apart.heard_of(load_states(connection, chief))
    else:
        horizon, heard = apart.settled_until(connection), apart.heard_of(all_states(connection))
        for row in stored.values():
            code, said = row["subject"], _rests_on(row)
            now = heard.get(code)
            if said and now and said.received_at <= now.received_at and said.event_at <= now.event_at:
                heard[code] = said
    return [] if horizon is None else silences(publications.history(connection, horizon).current, heard, horizon)


def _rests_on(row: RowMapping) -> Heard | None:
    """Read from the evidence when the source was last heard of; None: it does not say, which no silence leaves out."""
    try:
        said = msgspec.json.decode(row["evidence"], type=_Evidence)
    except msgspec.DecodeError:
        return None
    return Heard(said.last_event, said.last_received)


class _Evidence(msgspec.Struct):
    last_event: datetime
    last_received: datetime


def _compared(stored: Mapping[str, RowMapping], expected: Iterable[Apart]) -> Iterator[Difference]:
    said = {each.finding.id: each for each in expected}
    for key in sorted(stored.keys() | said.keys()):
        row, each = stored.get(key), said.get(key)
        if each is None:
            yield Difference("findings", key, "state", "withdrawn", "live")
        elif row is None:
            yield Difference("findings", key, "id", f"{each.finding.rule} on {each.finding.subject}", "no row")
        else:
            expected_columns = {**finding_columns(each.finding, each), "withdrawal": None}
            yield from compare("findings", key, expected_columns, {str(name): row[name] for name in row})
