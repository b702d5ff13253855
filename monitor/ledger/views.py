"""Read-only SQL views of a ledger: a contract for reports and dashboards of others, described in docs/views.md.

What is not in them cannot be read through them: no operator, window or applicant, no enterprise of the direct line,
no evidence or free text, and of the findings only those that boards show as cards.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Select,
    Text,
    case,
    cast,
    func,
    literal,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.types import TypeEngine

from monitor.ledger.instants import InstantColumn
from monitor.ledger.schema import cases, findings, positions, stats_units
from monitor.verdict import STANDING, Severity

CONTRACT_VERSION: Final = 1
"""Counts up when a column is taken away, renamed or given another meaning; new ones come without notice."""

Kind = Literal["text", "integer", "bigint", "boolean", "date", "timestamptz"]


_CAST: Final[dict[Kind, type[TypeEngine[Any]]]] = {"text": Text, "integer": Integer, "bigint": BigInteger}


class ViewColumn(NamedTuple):
    """A column of the contract: name, type, and what it is made of."""

    name: str
    kind: Kind
    made_of: ColumnElement[Any]


_SUMMED: Final = (
    "consulted",
    "applied",
    "applied_online",
    "accepted",
    "deemed",
    "refused",
    "supplemented",
    "suspended",
    "finished",
    "finished_refused",
    "finished_returned",
    "forwarded",
    "withdrawn",
    "voided",
    "issued",
    "archived",
    "promised_due",
    "promised_on_time",
    "promised_early",
    "promised_overdue",
    "statutory_due",
    "statutory_on_time",
    "statutory_overdue",
    "leg_on_time",
    "leg_overdue",
    "speed_cases",
    "speed_statutory_millidays",
    "speed_promised_millidays",
    "speed_used_millidays",
    "ratings",
    "ratings_bad",
    "complaints_accepted",
    "complaints_closed",
    "requests_filed",
    "requests_closed",
    "findings_conduct",
    "findings_data",
    "findings_contested",
)
"""Measures that are part of the contract; `monitor.verdict.MEASURES` has those that only our own figures need."""


def _of(column: ColumnElement[Any], name: str | None = None, kind: Kind = "text") -> ViewColumn:
    found: Kind = "timestamptz" if isinstance(column.type, InstantColumn) else kind
    return ViewColumn(name or str(column.key), found, column)


def _sum(name: str, of: ColumnElement[Any]) -> ViewColumn:
    return ViewColumn(name, "bigint", func.sum(of))


_c, _f, _u = cases.c, findings.c, stats_units.c

VIEWS: Final[Mapping[str, tuple[ViewColumn, ...]]] = {
    "v_contract": (
        ViewColumn("version", "integer", literal(CONTRACT_VERSION)),
        ViewColumn("judged_until", "timestamptz", func.max(positions.c.horizon, type_=InstantColumn)),
    ),
    "v_cases": (
        _of(_c.case, "case_number"),
        *(_of(_c[name]) for name in ("region", "item", "item_type", "department", "channel")),
        ViewColumn("on_direct_line", "boolean", _c.direct_line != ""),
        *(_of(_c[name]) for name in ("stage", "light")),
        _of(_c.closed, kind="boolean"),
        *(_of(_c[f"{name}_at"]) for name in ("started", "accepted", "suspended", "finished", "closed")),
        *(_of(_c[name]) for name in ("outcome", "promised", "promised_due", "statutory", "statutory_due")),
        *(_of(_c[f"{name}_millidays"], kind="integer") for name in ("promised", "statutory", "used")),
        _of(_c.judged_at),
    ),
    "v_findings": (
        _of(_f.id),
        ViewColumn("case_number", "text", func.nullif(_f.case, "")),
        _of(_f.rule),
        _of(_f.rule_version, kind="integer"),
        _of(_f.kind),
        ViewColumn("severity", "text", case(*((_f.severity == int(each), each.name.lower()) for each in Severity))),
        *(_of(_f[name]) for name in ("state", "region", "department", "item")),
        *(_of(_f[f"{name}_at"]) for name in ("occurred", "detected", "changed")),
    ),
    "v_daily": (
        _of(_u.day, kind="date"),
        *(_of(_u[name]) for name in ("region", "department", "channel")),
        *(_sum(name, _u[name]) for name in _SUMMED),
    ),
    "v_coverage": (
        _of(_u.day, kind="date"),
        *(_of(_u[name]) for name in ("region", "department")),
        _sum("clocks_observed", _u.clocks_observed),
        _sum("clocks", _u.clocks_observed + _u.clocks_unobserved),
    ),
}
"""Every view with its columns, in their order."""


def create_views(connection: Connection) -> None:
    """Make the views of a new ledger."""
    for name, columns in VIEWS.items():
        query = _query(name, columns, connection.dialect.name)
        written = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        connection.exec_driver_sql(f"CREATE VIEW {name} AS {written}")


def _query(name: str, columns: tuple[ViewColumn, ...], dialect: str) -> Select[Any]:
    query = select(*(_shown(column, dialect).label(column.name) for column in columns))
    if name == "v_findings":
        return query.where(findings.c.mode == "card", findings.c.state.in_(STANDING))
    if name == "v_coverage":
        query = query.where(_u.clocks_observed + _u.clocks_unobserved > 0)
    if name in {"v_daily", "v_coverage"}:  # which stream brought what is none of a reader's business
        query = query.group_by(*(column.made_of for column in columns if column.kind != "bigint"))
    return query


def _shown(column: ViewColumn, dialect: str) -> ColumnElement[Any]:
    """Give a column its type: on PostgreSQL that of the contract, on SQLite instants and days as ISO text."""
    if column.kind == "timestamptz":
        microseconds = type_coerce(column.made_of, BigInteger)
        if dialect == "postgresql":
            return literal_column("timestamptz 'epoch'") + microseconds.op("*")(literal_column("interval '1 us'"))
        second = func.strftime("%Y-%m-%dT%H:%M:%S", microseconds // 1_000_000, "unixepoch")
        return second.concat(func.printf(".%06dZ", microseconds % 1_000_000))
    if dialect == "postgresql" and column.kind in _CAST:
        return cast(column.made_of, _CAST[column.kind])
    return column.made_of
