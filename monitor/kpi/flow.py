"""Figures of what passed through in a period: quotients of sums of the statistics (domain.md 4.2).

A flow compares what ended in the period with what began in it, whichever case it was: it may exceed 100 %. The
figures of one cohort stand in `monitor.kpi.cohorts`.
"""

from typing import Final

from monitor.kpi.facts import Facts
from monitor.kpi.figure import Answer, Figure, count, ratio
from monitor.kpi.open_cases import count_overdue
from monitor.ledger.schema import cases

_SEEN: Final = "promised_on_time promised_overdue"


def _on_time(facts: Facts, figure: Figure) -> Answer:
    """Beside it: what stands open and overdue, what no clock could see, and the direct line apart."""
    sums = facts.sums
    seen = sums["promised_on_time"] + sums["promised_overdue"]
    direct = facts.counted(
        *facts.decided,
        cases.c.direct_line != "",
        met=cases.c.promised == "met",
        breached=cases.c.promised == "breached",
    )
    return Answer(
        figure.of_sums(sums),
        parts=(
            count(count_overdue(facts), "open_overdue"),
            count(sums["finished"] - sums["finished_returned"] - seen, "unseen"),
            figure.quotient(direct["met"], direct["met"] + direct["breached"], "direct_line"),
        ),
    )


FIGURES: Final = (
    ratio("finish_accept_ratio", "finished", "accepted"),
    ratio("on_time_rate", "promised_on_time", _SEEN, compute=_on_time),
    ratio("on_time_statutory", "statutory_on_time", "statutory_on_time statutory_overdue"),
    ratio("early_rate", "promised_early", _SEEN),
    ratio("leg_on_time_rate", "leg_on_time", "leg_on_time leg_overdue"),
    ratio("instant_rate", "finished_same_day", "finished"),
    ratio("online_rate", "applied_online", "applied"),
    ratio("once_done", "finished -finished_returned -finished_not_once", "finished -finished_returned"),
    ratio("window_decided_rate", "decided -decided_elsewhere", "decided"),
    ratio("special_rate", "suspended", "accepted"),
    ratio("supplement_rate", "supplemented", "applied"),
    ratio("refusal_rate", "refused", "applied"),
    ratio("return_rate", "finished_returned", "finished"),
    ratio("satisfaction", "ratings -ratings_bad", "ratings"),
    ratio("rating_rate", "finished_rated", "finished"),
    ratio("complaint_finish", "complaints_closed", "complaints_accepted", extents=("region", "department")),
    ratio("request_finish", "requests_closed", "requests_filed", extents=("region", "department")),
    ratio("timely_entry", "entries -entries_late", "entries"),
    ratio("coverage", "clocks_observed", "clocks_observed clocks_unobserved"),
)
