"""The simulator: a seeded service centre of Yulin's size and rhythm, as a file of a whole year or live.

Everything here is a pure function of the rulebook, the seed and the instants given; no clock is read and nothing is
sent. The way out of the process is `posting` and the command `monitor simulate`.
"""

from streams.simulator.live import LiveCentre
from streams.simulator.mix import YULIN, Mix
from streams.simulator.proceeding import Planned
from streams.simulator.year import SimulatedCase, in_time_order, simulate_cases, simulate_year

__all__ = [
    "YULIN",
    "LiveCentre",
    "Mix",
    "Planned",
    "SimulatedCase",
    "in_time_order",
    "simulate_cases",
    "simulate_year",
]
