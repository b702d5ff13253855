"""`make stack`: the topology of docker-compose.yml without containers, from start to an end that leaves nothing."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import ROOT
from tests.kafka import PORTS, KafkaBroker
from tests.postgres import programs

SECONDS = 120


@pytest.mark.timeout(300)
def test_a_city_is_supervised_until_one_interrupt_ends_everything(kafka: KafkaBroker) -> None:
    """Events go in over HTTP, two workers share the partitions, figures come out; Ctrl-C leaves no process or file."""
    assert programs().is_dir(), "there is a PostgreSQL to start"
    page, first, second = free_ports()
    with tempfile.TemporaryDirectory(prefix="monitor-test-stack-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user
        command = [sys.executable, "-m", "scripts.stack", "--port", str(page), "--metrics-port", str(first)]
        log = Path(folder) / "said"
        with log.open("wb") as said:
            stack = subprocess.Popen(
                [*command, "--partitions", "4", "--rate", "20"],
                cwd=ROOT,
                env={**os.environ, "TMPDIR": folder, "PYTHONPATH": str(ROOT)},
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        try:
            wait(stack, log, lambda: metric(page, "supervision_events_total") > 0)
            wait(
                stack,
                log,
                lambda: [metric(each, "supervision_worker_partitions") for each in (first, second)] == [2, 2],
            )
            stack.send_signal(signal.SIGINT)
            assert stack.wait(SECONDS) == 0, log.read_text()
        finally:
            if stack.poll() is None:
                stack.terminate()
                stack.wait(SECONDS)
        left = {path.name for path in Path(folder).iterdir()} - {"said"}
        assert {name for name in left if not name.startswith("monitor-faust-")} == set()
        assert all(is_free(port) for port in (page, first, second))


def wait(stack: "subprocess.Popen[bytes]", log: Path, until: Callable[[], bool]) -> None:
    """Wait until something is so, while the stack runs."""
    deadline = time.monotonic() + SECONDS
    while not until():
        assert stack.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.5)


def metric(port: int, name: str) -> float:
    """Add up the series of a metric, nothing while nobody answers."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, timeout=SECONDS)
    except httpx.TransportError:
        return 0.0
    families = text_string_to_metric_families(answer.text)
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)


def free_ports() -> list[int]:
    """Find three ports in a row that nobody listens at."""
    for port in range(PORTS.stop, PORTS.stop + 700, 3):
        ports = [port, port + 1, port + 2]
        if all(map(is_free, ports)):
            return ports
    raise AssertionError("there are no free ports")


def is_free(port: int) -> bool:
    """Tell whether a port can be listened at."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return tried.connect_ex(("127.0.0.1", port)) != 0
