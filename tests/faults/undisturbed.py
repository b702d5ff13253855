"""What a tape ends in where nothing goes wrong: the engine alone, without broker, workers or clock."""

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby

from monitor.ledger import Ledger
from streams.engine import Delivery, Engine
from tests.faults.tape import Entry, Tape


def play(ledger: Ledger, tape: Tape) -> None:
    """Play a tape into an empty ledger, second by second, letting time pass in each."""
    ledger.publish(tape.rulebook)
    engine = Engine(ledger)
    for source in tape.imported:
        engine.begin_import(source)
    importing = True
    for second, entries in _seconds(tape):
        horizon = tape.instant(second)
        if importing and second > tape.past_seconds:
            for source in tape.imported:
                engine.end_import(source, tape.past_until)
            importing = False
        engine.process([_delivery(entry, horizon) for entry in entries], horizon)
        while engine.tick(horizon):
            pass
    engine.close()


def _seconds(tape: Tape) -> Iterator[tuple[int, list[Entry]]]:
    for second, entries in groupby(tape.entries, key=lambda entry: int(entry.at) + 1):
        yield second, list(entries)


def _delivery(entry: Entry, horizon: datetime) -> Delivery:
    return Delivery(entry.written, None if entry.backfill else horizon, entry.backfill)
