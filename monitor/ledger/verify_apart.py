"""Verify the findings that are about no case: they follow from the sources and from the rulebooks published."""

from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import Connection, RowMapping, select

from monitor.ledger import apart
from monitor.ledger.difference import Difference, compare
from monitor.ledger.findings import finding_columns
from monitor.ledger.judging import load_states
from monitor.ledger.publication import Publications
from monitor.ledger.schema import findings, positions, rulebooks
from monitor.rules.apart import Apart
from monitor.rules.publication import tamperings


def verify_apart(connection: Connection, publications: Publications) -> Iterator[Difference]:
    """Compare what is stored of silent sources and of loosened rulebooks with what follows; nothing else may stand."""
    known: set[str] = set()
    if connection.execute(select(rulebooks.c.version).limit(1)).first() is not None:
        stored = apart.standing(connection, apart.OF_RULEBOOKS, "V23")
        known |= stored.keys()
        yield from _compared(stored, tamperings(publications.published(connection)))
        for position in connection.execute(select(positions).order_by(positions.c.stream)).all():
            version = publications.history(connection, position.horizon).current
            states = load_states(connection, position.stream)
            stored = apart.standing(connection, position.stream, "V31")
            known |= stored.keys()
            yield from _compared(stored, apart.silences_of(version, states, position.horizon))
    of_no_case = select(findings.c.id, findings.c.state).where(
        findings.c.case == apart.NO_CASE, findings.c.state != "withdrawn", findings.c.id.not_in(known)
    )
    for row in connection.execute(of_no_case.order_by(findings.c.id)):
        yield Difference("findings", row.id, "state", "withdrawn", row.state)


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
