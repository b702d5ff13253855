"""What survives: stops, kills and second writers, against `monitor up` in a process of its own."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from typer.testing import CliRunner

from monitor.cli import app
from monitor.ledger import Ledger
from monitor.ledger.schema import journal
from tests.databases import ledger_url
from tests.small_centre import MONDAY
from tests.streams.running import Process, make_key, new_ledger

pytestmark = pytest.mark.usefixtures("each_database")


class Senders:
    """Sources that send single events without pause, and remember what was acknowledged."""

    def __init__(self, url: str, key: str, count: int = 4) -> None:
        self.acknowledged: set[str] = set()
        self.refused: list[int] = []
        self._url, self._key = url, key
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(n,)) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop sending."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def wait_for(self, count: int) -> None:
        """Wait until so many events are acknowledged."""
        deadline = time.monotonic() + 30
        while len(self.acknowledged) < count:
            assert time.monotonic() < deadline, f"only {len(self.acknowledged)} acknowledged"
            time.sleep(0.01)

    def _send(self, sender: int) -> None:
        with httpx.Client(headers={"Authorization": f"Bearer {self._key}"}, timeout=30, trust_env=False) as client:
            number = 0
            while not self._stop.is_set():
                case = f"s{sender}-{number}"
                try:
                    answer = client.post(f"{self._url}/api/events", content=one_event(case))
                except httpx.TransportError:
                    return  # the process is gone, and so is the answer: nothing was acknowledged
                if answer.status_code != httpx.codes.OK:
                    self.refused.append(answer.status_code)
                    return
                if answer.json()["applied"] == 1:
                    self.acknowledged.add(case)
                number += 1


def one_event(case: str) -> bytes:
    """Write one event."""
    event = {"id": "1", "source": "hall", "type": "apply", "time": MONDAY.isoformat(), "case": case}
    return msgspec.json.encode({**event, "region": "4509", "item": "i1", "department": "land"})


def journalled(ledger: Ledger) -> list[str]:
    """List the cases of the journal, one entry for each event."""
    with ledger.read() as connection:
        return [row.case for row in connection.execute(journal.select())]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger with a rulebook."""
    with new_ledger(tmp_path) as made:
        yield made


def test_stop_during_ingest_answers_everybody_and_restart_goes_on(ledger: Ledger) -> None:
    """SIGTERM under load ends with status 0; what was acknowledged is there once, and the next start goes on."""
    key = make_key(ledger, "hall")
    process = Process(ledger)
    senders = Senders(process.url, key)
    senders.wait_for(40)
    process.signal(signal.SIGTERM)
    assert process.wait() == 0, process.output()
    senders.stop()
    assert set(senders.refused) <= {503}
    kept = journalled(ledger)
    assert len(kept) == len(set(kept))
    assert senders.acknowledged == set(kept), "every answer was given, so that neither side knows more"
    again = Process(ledger)
    later = Senders(again.url, key, count=1)
    later.wait_for(1)
    later.stop()
    again.signal(signal.SIGTERM)
    assert again.wait() == 0
    assert set(kept) <= set(journalled(ledger))


def test_killed_monitor_has_everything_it_acknowledged(ledger: Ledger) -> None:
    """After kill -9 every acknowledged event is in the journal once; sent again, it is a duplicate."""
    key = make_key(ledger, "hall")
    process = Process(ledger)
    senders = Senders(process.url, key)
    senders.wait_for(60)
    process.signal(signal.SIGKILL)
    process.wait()
    senders.stop()
    kept = journalled(ledger)
    assert len(kept) == len(set(kept))
    assert senders.acknowledged <= set(kept)
    again = Process(ledger)
    with httpx.Client(headers={"Authorization": f"Bearer {key}"}, trust_env=False) as client:
        lines = b"\n".join(one_event(case) for case in sorted(senders.acknowledged | {"new"}))
        headers = {"Content-Type": "application/x-ndjson"}
        told = client.post(f"{again.url}/api/events", content=lines, headers=headers).json()
    again.signal(signal.SIGTERM)
    assert again.wait() == 0
    assert (told["duplicate"], told["applied"]) == (len(senders.acknowledged), 1)


def test_second_monitor_on_one_ledger_is_refused(ledger: Ledger) -> None:
    """A second `monitor up` ends at once with status 2 and says who writes the ledger and where to send events."""
    process = Process(ledger)
    try:
        second = CliRunner().invoke(app, ["up", "--port", "0", "--ledger", ledger.url])
        assert second.exit_code == 2
        assert process.url in " ".join(second.stderr.split())
    finally:
        process.signal(signal.SIGTERM)
        process.wait()


def test_ledger_without_a_rulebook_is_not_served(tmp_path: Path) -> None:
    """Without a rulebook nothing can be judged: the command says how to publish one."""
    refused = CliRunner().invoke(app, ["up", "--port", "0", "--ledger", ledger_url(tmp_path, "new")])
    assert refused.exit_code == 2
    assert "rulebook publish" in " ".join(refused.stderr.split())
