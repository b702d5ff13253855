"""Run a city on this machine as docker-compose.yml does in containers: `make stack`.

An Apache Kafka and a PostgreSQL of its own, the topics, two workers, the process that serves, and a simulated city that
sends its events there: the processes of the Procfile. Ctrl-C ends all of it, and nothing is left.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

from monitor.keys import create_key
from monitor.ledger import Ledger
from monitor.rulebook.load import load
from tests.kafka import KafkaServer, NoBroker
from tests.postgres import CannotStart, PostgresServer

ROOT = Path(__file__).resolve().parent.parent
WORKERS = 2
FIRST_METRICS_PORT = 8451
"""Of the first worker; the second has the next one."""
STOP_SECONDS = 60


def main() -> int:
    """Run everything until it is interrupted; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8450, help="of the page and of /api/events")
    parser.add_argument("--metrics-port", type=int, default=FIRST_METRICS_PORT, help="of the first worker")
    parser.add_argument("--rate", type=float, default=5.0, help="events a second")
    parser.add_argument("--partitions", type=int, default=16, help="of the topic of events")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with _servers() as (kafka, postgres), tempfile.TemporaryDirectory(prefix="monitor-stack-") as folder:
            environment = _environment(asked, kafka, postgres, Path(folder))
            monitor = Path(sys.executable).with_name("monitor")
            subprocess.run([monitor, "topics", "create"], env=environment, check=True)  # noqa: S603 - ours
            keys = Path(environment["STACK_KEYS"])
            _prepare(environment["MONITOR_LEDGER"], Path(folder), keys)
            _say(f"Open http://127.0.0.1:{asked.port}/ and end everything with Ctrl-C.")
            return _run(environment, asked.metrics_port)
    except (NoBroker, CannotStart) as reason:
        sys.stderr.write(f"{reason}\n")
        return 2
    except KeyboardInterrupt:
        return 0


@contextmanager
def _servers() -> Iterator[tuple[KafkaServer, PostgresServer]]:
    """Start Kafka and PostgreSQL; end them, and remove what they kept."""
    _say("Starting Apache Kafka and PostgreSQL ...")
    kafka = KafkaServer()
    try:
        postgres = PostgresServer()
        try:
            yield kafka, postgres
        finally:
            postgres.stop()
    finally:
        kafka.stop()


def _environment(
    asked: argparse.Namespace, kafka: KafkaServer, postgres: PostgresServer, folder: Path
) -> dict[str, str]:
    """Give what the processes need to know, beside what this one knows."""
    with postgres.connect() as connection:
        connection.execute("CREATE DATABASE ledger TEMPLATE template0 ENCODING 'UTF8'")
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
        "MONITOR_DATA": str(folder),
        "MONITOR_LEDGER": postgres.url("ledger"),
        "MONITOR_KAFKA_SERVERS": kafka.servers,
        "MONITOR_KAFKA_PARTITIONS": str(asked.partitions),
        "MONITOR_KAFKA_REPLICATION": "1",
        "MONITOR_KAFKA_MIN_INSYNC": "1",
        "STACK_PORT": str(asked.port),
        "STACK_RATE": str(asked.rate),
        "STACK_KEYS": str(folder / "stack.keys"),
    }


def _prepare(url: str, folder: Path, keys: Path) -> None:
    """Publish the rulebook of Yulin, and make a key for each of its sources."""
    with (
        Ledger.open(url, folder=folder) as ledger,
        as_file(files("monitor.rulebooks") / "yulin") as rulebook,
    ):
        ledger.publish(load(rulebook))
        with ledger.write() as connection:
            sources = ledger.publications.history(connection).current.rulebook.sources
            lines = [f"{source.code} {create_key(connection, source.code)[1]}\n" for source in sources]
    keys.touch(mode=0o600)
    keys.write_text("".join(lines), encoding="utf-8")


def _run(environment: dict[str, str], metrics_port: int) -> int:
    """Run the Procfile until one of its processes ends, or this one is interrupted."""
    command = [sys.executable, "-m", "honcho", "--procfile", str(ROOT / "Procfile"), "--env", os.devnull]
    processes = f"worker={WORKERS},serve=1,city=1"
    runner = subprocess.Popen(  # noqa: S603 - nothing of it comes from outside
        [*command, "start", "--concurrency", processes, "--port", str(metrics_port)],
        cwd=ROOT,
        env=environment,
        start_new_session=True,  # it is told to stop once, by us
    )
    try:
        return runner.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        if runner.poll() is None:
            runner.terminate()
            runner.wait(STOP_SECONDS)
        _say("Ended; nothing is left.")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
