"""What the simulated centre does how often: sizes, shares and durations, with where each figure comes from."""

from typing import Final

import msgspec

from monitor.events import Channel
from monitor.rulebook.model import ItemType


class Mix(msgspec.Struct, frozen=True, kw_only=True):
    """Rates of a centre; shares are between 0 and 1, days are office days, each share is of the cases it names."""

    accepted_per_day: float = 199.4
    """41,069 cases accepted on the 206 working days of January to October 2009 (domain.md 1.3, 4.4)."""
    promised_days_mean: float = 1.7
    """Accept to finish of promised-time cases without a suspension, near the 1.78 days of a Guangxi bulletin
    (domain.md 4.2); the backlog it leaves is about the 266 cases of Yulin, 1.3 days of intake (4.4)."""

    types: tuple[tuple[ItemType, float], ...] = (
        ("instant", 0.37), ("promised", 0.59), ("joint", 0.02), ("escalated", 0.02),
    )  # fmt: skip
    channels: tuple[tuple[Channel, float], ...] = (
        ("window", 0.93), ("online", 0.02), ("hotline", 0.02), ("express", 0.02), ("mobile", 0.01),
    )  # fmt: skip

    consulted_only: float = 0.03  # of all visits: a question, its answer, and nothing more
    consulted_first: float = 0.05  # of applications
    ticketed: float = 0.1  # of applications at a window: a queue ticket (most windows have no queue)
    supplemented: float = 0.06  # of applications
    deferred: float = 0.02  # of promised-time cases: a minor material accepted as missing (容缺), brought in time
    refused: float = 0.01  # of applications: not accepted
    denied: float = 0.01  # of accepted: decided, but not granted
    withdrawn: float = 0.005  # of accepted promised-time and joint cases
    suspended: float = 0.03  # of promised-time cases of items with an art. 45 procedure
    inspected: float = 0.03  # of promised-time cases: a site check by two officers
    direct_line: float = 0.02  # of applications
    reduced: float = 0.05  # of fees: charged half, with the number of an approval
    rated: float = 0.25  # of finished cases
    collected_late: float = 0.1  # of granted promised-time cases: ready in time, fetched when the applicant likes

    complained: float = 126 / 41_069
    """Complaints for each case accepted, as many as Yulin had filed in the ten months (domain.md 4.4)."""
    requested: float = 0.0025  # requests of enterprises on the direct line for each case accepted

    mishandled: float = 0.1  # of complaints and requests: late, opened again, or by the person complained of
    planted: float = 24 / 50_000
    """Of visits, for each rule of those under `violations`: so many show that it was broken, some two dozen a year."""
    late_promised: float = 0.005  # of promised-time cases: finished past the promise, within the law
    late_statutory: float = 0.0006  # of promised-time cases: decided past the law's limit
    extended: float = 0.0005  # of promised-time licences: past the law's limit, within a valid extension
    deemed: float = 0.002  # of promised-time cases: no notice within five days
    late_issued: float = 0.001  # of granted promised-time cases: issued after the ten days of art. 44
    late_leg: float = 0.02  # of joint cases: one leg past its own limit


YULIN: Final = Mix()

WEEKDAYS: Final = (1.14, 1.05, 1.0, 0.98, 0.83, 0.6, 0.6)
"""Monday brings what the weekend held back, Friday afternoon is quiet; a weekend worked (调休) is slow."""

MONTHS: Final = (0.95, 0.8, 1.15, 1.05, 1.04, 1.04, 1.0, 0.95, 1.05, 0.98, 1.04, 0.95)
"""Business starts after the Spring Festival, dips in the hottest weeks and over the New Year."""

AFTER_HOLIDAY: Final = 1.2
"""The first day after three or more days closed is crowded."""

ARRIVALS: Final = (0.9, 1.5, 1.6, 1.4, 1.0, 0.6, 0.8, 1.2, 1.1, 0.8, 0.6, 0.3)
"""Arrivals over the twelfths of the office day: late morning and mid-afternoon peak, closing is calm."""
