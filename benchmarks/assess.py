"""How many events are assessed a second, in the order of cases: the pure core alone, without any ledger."""

from datetime import timedelta
from typing import Any

from benchmarks.figures import Spent, rates, repeated, spending
from benchmarks.history import rulebook, simulated
from benchmarks.profile import profiling
from benchmarks.sizes import Size
from monitor.assessment import assess
from monitor.events import content, content_hash
from monitor.rulebook.model import RulebookHistory, RulebookVersion
from monitor.verdict import JournalEntry


def measure(size: Size) -> dict[str, Any]:
    """Assess each case of a simulated period once, with all its events."""
    version = RulebookVersion(1, rulebook())
    history = RulebookHistory((version,), version)
    entries = [
        [JournalEntry(e, e.recorded or e.time, content_hash(content(e))) for e in case.events]
        for case in simulated(size.days)
    ]
    judged_at = max(case[-1].received_at for case in entries) + timedelta(days=1)

    def run() -> Spent:
        spent = Spent()
        with spending(spent):
            for case in entries:
                assess(case, history, judged_at)
        return spent

    run()  # fills what is worked out once for a rulebook
    events = sum(map(len, entries))
    runs = repeated(size.runs, run)
    with profiling() as profile:
        run()
    return {"events": events, "cases": len(entries), "assess": rates(events, runs), "profile": profile.summary()}
