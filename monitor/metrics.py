"""What Prometheus scrapes of a ledger: the figures of `monitor.kpi`, each with bounded labels.

Every process that reads the same ledger exposes the same values, so that rules take `max without (instance)`.
Sums over the ledger are gauges, because a correction may lower them. Labels hold codes of the rulebook and words
of our own, never a case, a person or free text; a code no rulebook knows is counted as `other`.
"""

import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from threading import Lock
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection

from monitor.kpi import FIGURES, standing
from monitor.kpi.figure import add
from monitor.kpi.period import EVER, day_of, month_of, year_of
from monitor.language import catalogue
from monitor.ledger import Ledger, judging, positions
from monitor.ledger.verified import last_verification
from monitor.rulebook.model import Rulebook
from monitor.rules import RULES
from monitor.verdict import STANDING, Light, Severity

CACHE_SECONDS: Final = 1.0
CACHE_SHARE: Final = 10
"""A scrape that took a second is kept for ten, so that reading never takes more than a tenth of the time."""

OTHER: Final = "other"
ALL: Final = "all"
SUMMED: Final = {
    "applied": "Cases applied for.",
    "accepted": "Cases accepted, deemed ones included.",
    "finished": "Cases finished.",
    "promised_on_time": "Cases decided within their promised limit.",
    "promised_overdue": "Cases decided beyond their promised limit.",
    "withdrawn": "Cases withdrawn by the applicant.",
    "voided": "Cases declared void.",
}
"""Measures shown as they are, over all days, by department."""

QUOTIENTS: Final = tuple(figure for figure in FIGURES.values() if figure.below)
"""The figures that are quotients of sums, and so add up over departments."""

DEPARTMENTS_MAX: Final = 100
"""Figures are shown by department up to so many, for two series of every figure and period; beyond, by region."""


class LedgerCollector(Collector):
    """Read the ledger when scraped, in one short transaction, and keep what was read for about a second."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = Lock()
        self._kept: list[Metric] = []
        self._kept_until = 0.0

    def collect(self) -> list[Metric]:
        """Give the metrics. Raises the database's error: no figure is better than a wrong one."""
        with self._lock:
            began = time.monotonic()
            if began >= self._kept_until:
                self._kept = list(self._read())
                took = time.monotonic() - began
                self._kept_until = began + took + max(CACHE_SECONDS, CACHE_SHARE * took)
            return self._kept

    def describe(self) -> list[Metric]:
        """Describe nothing: registering must not read the ledger."""
        return []

    def _read(self) -> Iterator[Metric]:
        yield _gauge(
            "supervision_build_info",
            "Version of the monitor; always 1.",
            {(version("supervision-monitor"),): 1},
            ("version",),
        )
        with self._ledger.read() as connection:
            states = judging.all_states(connection)
            reached = positions.common_horizon(connection)
            horizon = reached or datetime.now(UTC)
            rulebook = self._ledger.publications.history(connection, horizon).current.rulebook
            yield _gauge(
                "supervision_ledger_horizon_timestamp_seconds",
                "Instant up to which every stream of the ledger was read.",
                {} if reached is None else {(): reached.timestamp()},
            )
            yield from _sources(states, rulebook)
            yield from _cases(connection, rulebook)
            yield from _figures(connection, rulebook, horizon)
            yield from _findings(connection)
            yield from _the_rest(connection, horizon, rulebook)


def _sources(states: Mapping[str, judging.SourceState], rulebook: Rulebook) -> Iterator[Metric]:
    events = CounterMetricFamily(
        "supervision_events", "Events received, by source and what became of them.", labels=("source", "outcome")
    )
    last = GaugeMetricFamily(
        "supervision_source_last_event_timestamp_seconds", "Time of the newest event of a source.", labels=("source",)
    )
    received = GaugeMetricFamily(
        "supervision_source_last_received_timestamp_seconds", "When a source last delivered.", labels=("source",)
    )
    held = GaugeMetricFamily(
        "supervision_source_held",
        "1 while an import of a source is under way or was broken off, so that no absence is judged.",
        labels=("source",),
    )
    for code in rulebook.source:
        held.add_metric((code,), code in states and states[code].hold is not None)
    totals: Counter[tuple[str, str]] = Counter(
        {(code, outcome): 0 for code in (*rulebook.source, OTHER) for outcome in ("applied", "duplicate", "rejected")}
    )
    for code, state in states.items():
        known = _known(code, rulebook.source)
        totals[known, "applied"] += state.applied
        totals[known, "duplicate"] += state.duplicate
        totals[known, "rejected"] += state.rejected
        if known == code and state.last_event_time is not None:
            last.add_metric((code,), state.last_event_time.timestamp())
        if known == code and state.last_received_at is not None:
            received.add_metric((code,), state.last_received_at.timestamp())
    for labels, count in totals.items():
        events.add_metric(labels, count)
    yield from (events, last, received, held)


def _cases(connection: Connection, rulebook: Rulebook) -> Iterator[Metric]:
    units = {(department.region, department.code) for department in rulebook.departments} | {(OTHER, OTHER)}
    lights: Counter[tuple[str, ...]] = Counter({(*unit, light.value): 0 for unit in units for light in Light})
    for (region, department, light), count in standing.open_by_department(connection).items():
        lights[(*_unit(region, department, units), light)] += count
    yield _gauge("supervision_cases_open", "Open cases, by light.", lights, ("region", "department", "light"))
    sums = standing.sums_by_unit(connection, EVER)
    for name, help_text in SUMMED.items():
        totals: Counter[tuple[str, ...]] = Counter(dict.fromkeys(units, 0))
        for (region, department), values in sums.items():
            totals[_unit(region, department, units)] += values[name]
        yield _gauge(f"supervision_cases_{name}", help_text, totals, ("region", "department"))
    seen = FIGURES["coverage"]
    for name, help_text, terms in (
        ("supervision_coverage_clocks_observed", "Clocks whose source can send their two ends.", seen.above),
        ("supervision_coverage_clocks", "Clocks of all cases.", seen.below),
    ):
        yield _gauge(name, help_text, {(): sum(add(values, terms) for values in sums.values())})


def _figures(connection: Connection, rulebook: Rulebook, horizon: datetime) -> Iterator[Metric]:
    """Give numerator and denominator of each quotient, this month and this year, by department or region."""
    units = {(department.region, department.code) for department in rulebook.departments} | {(OTHER, OTHER)}
    by_region = len(rulebook.departments) > DEPARTMENTS_MAX
    shown = {(region, ALL if by_region else department) for region, department in units}
    today = rulebook.days.day(horizon)
    periods = {
        name: standing.sums_by_unit(connection, period)
        for name, period in (("month", month_of(today)), ("year", year_of(today)))
    }
    for name, help_text in (
        ("numerator", "Numerators of figures; docs/figures.md defines them."),
        ("denominator", "Denominators of figures; docs/figures.md defines them."),
    ):
        totals: Counter[tuple[str, ...]] = Counter(
            {(figure.id, period, *unit): 0 for figure in QUOTIENTS for period in periods for unit in shown}
        )
        for figure in QUOTIENTS:
            terms = figure.above if name == "numerator" else figure.below
            for period, sums in periods.items():
                for unit, values in sums.items():
                    region, department = _unit(*unit, units)
                    place = (region, ALL if by_region else department)
                    totals[figure.id, period, *place] += add(values, terms)
        yield _gauge(f"supervision_figure_{name}", help_text, totals, ("figure", "period", "region", "department"))


def _findings(connection: Connection) -> Iterator[Metric]:
    shown: Counter[tuple[str, ...]] = Counter(
        {
            (rule.id, severity.name.lower(), state): 0
            for rule in RULES.values()
            for severity in Severity
            for state in STANDING
        }
    )
    for (rule_id, _kind, severity, state), count in standing.standing_findings(connection).items():
        shown[_known(rule_id, RULES), Severity(severity).name.lower(), state] += count
    yield _gauge(
        "supervision_findings",
        "Findings shown, neither withdrawn nor cancelled.",
        shown,
        ("rule", "severity", "state"),
    )


def _the_rest(connection: Connection, horizon: datetime, rulebook: Rulebook) -> Iterator[Metric]:
    today = day_of(horizon, rulebook.days.zone)
    due, waiting = standing.due_within(connection, today), standing.unjudged(connection, horizon)
    yield _gauge("supervision_cases_due_today", "Open cases due today.", {(): due})
    yield _gauge("supervision_cases_unjudged", "Cases whose sources have not confirmed up to now.", {(): waiting})
    kept: Counter[tuple[str, ...]] = Counter(dict.fromkeys(((code,) for code in reject_codes()), 0))
    for code, count in standing.rejects_by_code(connection).items():
        kept[(_known(code, reject_codes()),)] += count
    yield _gauge("supervision_rejects", "Rejects kept, by the code of their reason.", kept, ("code",))
    backlog = standing.outbox_backlog(connection)
    yield _gauge("supervision_outbox_backlog", "Notices to be sent that were not.", {(): backlog})
    verified = last_verification(connection)
    sound = GaugeMetricFamily("supervision_verify_sound", "1 if the last verification found no difference, else 0.")
    at = GaugeMetricFamily("supervision_verify_timestamp_seconds", "When the ledger was last verified.")
    if verified is not None:
        sound.add_metric((), verified.sound)
        at.add_metric((), verified.at.timestamp())
    yield from (sound, at)


def reject_codes() -> frozenset[str]:
    """Give every code a reject can have: those the catalogue has a reason for."""
    return frozenset(key.split(".")[1] for key in catalogue("en") if key.startswith("reject."))


def _known(code: str, known: Collection[str]) -> str:
    return code if code in known else OTHER


def _unit(region: str, department: str, units: Collection[tuple[str, str]]) -> tuple[str, str]:
    return (region, department) if (region, department) in units else (OTHER, OTHER)


def _gauge(
    name: str, help_text: str, values: Mapping[tuple[str, ...], float], labels: tuple[str, ...] = ()
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_text, labels=labels)
    for label_values, value in sorted(values.items()):
        family.add_metric(label_values, value)
    return family
