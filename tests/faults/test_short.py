"""Some faults in short: what `make faults` tries at length."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.injuries import SHORT
from tests.faults.trial import deployed, tried
from tests.kafka import NoBroker
from tests.lacking import skip_without
from tests.postgres import CannotStart


@pytest.mark.timeout(300)
def test_kills_repetition_and_poison_end_in_the_undisturbed_ledger(tmp_path: Path) -> None:
    """Workers and broker killed, each record twice, poison between: nothing is lost, doubled or told wrongly."""
    with ExitStack() as at_end:
        try:
            topology = at_end.enter_context(deployed(tmp_path, SHORT))
        except (NoBroker, CannotStart) as reason:
            skip_without(reason)
        outcome = tried(SHORT, topology)  # a server that does not come back here is a failure
    assert outcome.agree, outcome
    assert not outcome.problems, outcome
    assert outcome.counted is not None
    assert min(outcome.counted.duplicate, outcome.counted.rejected) > 0, "nothing came twice, or there was no poison"
    assert len(outcome.seconds_to_recover) == 3
