"""An import killed at any moment and begun again ends like one that was never disturbed."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from monitor.ledger import Ledger
from monitor.ledger.digest import digest
from monitor.ledger.schema import journal
from monitor.ledger.verify import verify
from streams import importer
from streams.engine import Engine
from streams.importer import EngineSink, import_log
from streams.ticker import Horizon
from tests.conftest import ROOT
from tests.streams.logs_at_hand import MAPPING, RULEBOOK, many, write
from tests.streams.running import new_ledger

BATCH = 50
CASES = 300
IMPORTER = """
import sys
from pathlib import Path
from monitor.ledger import Ledger
from streams import importer
from streams.engine import Engine
from streams.ticker import Horizon
from tests.streams.logs_at_hand import MAPPING
from tests.streams.test_importer_crash import BATCH
importer.BATCH_EVENTS = BATCH
with Ledger.open(sys.argv[1]) as ledger:
    engine = Engine(ledger)
    importer.import_log(Path(sys.argv[2]), MAPPING, importer.EngineSink(engine, Horizon()))
    engine.close()
"""


def events_of(ledger: Ledger) -> int:
    """Count the journal."""
    with ledger.read() as connection:
        return connection.execute(select(func.count()).select_from(journal)).scalar_one()


def import_whole(ledger: Ledger, path: Path) -> importer.Imported:
    """Import a file in this process."""
    engine = Engine(ledger)
    done = import_log(path, MAPPING, EngineSink(engine, Horizon()))
    engine.close()
    return done


@pytest.mark.parametrize("taken_before", [1, 200, 500])
def test_kill_9_and_on_again_ends_like_an_undisturbed_import(tmp_path: Path, taken_before: int) -> None:
    """Nothing absent is judged while the import is cut off; importing again completes it to the same digest."""
    path = write(tmp_path / "log.xes.gz", many(CASES))
    (tmp_path / "undisturbed").mkdir()
    with new_ledger(tmp_path, RULEBOOK) as killed, new_ledger(tmp_path / "undisturbed", RULEBOOK) as undisturbed:
        command = [sys.executable, "-c", IMPORTER, killed.url, str(path)]
        with subprocess.Popen(command, cwd=ROOT) as process:
            deadline = time.monotonic() + 60
            while events_of(killed) < taken_before and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.005)
            process.kill()
        assert taken_before <= events_of(killed) < CASES * 8 // 3, "the import was to be killed under way"
        assert verify(killed).difference is None
        assert all(case.finished_at for case in killed.assessments() if case.findings)

        rest = import_whole(killed, path)
        assert rest.duplicates + rest.applied == CASES * 8 // 3
        import_whole(undisturbed, path)
        assert verify(killed).difference is None
        now = Horizon().read()
        assert digest(killed, now) == digest(undisturbed, now)
