"""The server of a runtime, from the first request to a clean end; and the embedded runtime, served by `monitor up`."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from socket import socket
from types import FrameType
from typing import Final, Protocol

import structlog
import uvicorn
from fastapi import FastAPI

from monitor.api import Health
from monitor.language import Lang, text
from monitor.ledger import Ledger, LedgerError
from monitor.live import Notice
from streams.access import token_path, write_token
from streams.application import Application
from streams.embedded import STALL_SECONDS, EngineThread
from streams.engine import Engine
from streams.lag import measure
from streams.pipeline import Pipeline
from streams.ticker import Horizon

log = structlog.get_logger(__name__)

WATCH_SECONDS: Final = 2.0
DRAIN_SECONDS: Final = 60
"""How long a stop waits for requests under way; longer than the slowest commit, shorter than an operator's patience."""
CONNECTIONS_MAX: Final = 1_000
EXIT_FAILED: Final = 1
EXIT_STALLED: Final = 70


class CannotListen(RuntimeError):
    """The address, which the message names, cannot be listened at; the reason stands on standard error."""


class Runtime(Protocol):
    """What a server serves. `stop_serving` is set by the server: it ends it from any thread."""

    app: FastAPI
    stop_serving: Callable[[], None]

    @property
    def alive(self) -> bool:
        """Tell whether it is at work; the process of one that is not is ended."""

    @property
    def stalled_seconds(self) -> float:
        """Return how long its present piece of work has gone on without an end."""

    def start(self) -> None:
        """Begin to work, before the first request."""

    def announce(self, url: str) -> None:
        """Learn the address at which requests are answered."""

    def begin_stop(self) -> None:
        """Take nothing new."""

    def close(self) -> None:
        """Finish what was taken, and give everything back."""

    @property
    def failed(self) -> bool:
        """Tell whether it ended because it could not go on."""


class Embedded:
    """One monitor in one process: its engine's thread and the application that feeds and shows it.

    Raises LeaseHeld when another process writes the ledger, LedgerError when it has no rulebook. `close` must be
    called in the end; `serve` does.
    """

    def __init__(self, ledger: Ledger) -> None:
        if not ledger.has_rulebook():
            raise LedgerError(
                f"{ledger.name}: this ledger has no rulebook, so nothing can be judged; publish one with "
                "'monitor rulebook publish FOLDER', or start with 'monitor up --rulebook FOLDER'"
            )
        self.ledger = ledger
        self.pipeline = Pipeline()
        engine = Engine(ledger)
        self.lease = engine.lease
        self.horizon = Horizon(ledger.horizon())
        lag = self.pipeline.detection_lag_seconds
        self.thread = EngineThread(
            engine, self.horizon, self.pipeline, lambda received, now: measure(lag, engine.detected, received, now)
        )
        self.loading_percent: float | None = None
        self.stop_serving: Callable[[], None] = lambda: None
        self.token = write_token(ledger)
        application = Application(
            ledger,
            self.thread,
            self.token,
            self.pipeline.registry,
            self.pipeline.request,
            self.health,
            self.notices,
        )
        self.gate, self.app = application.gate, application.app

    @property
    def alive(self) -> bool:
        """Tell whether the engine's thread is at work."""
        return self.thread.alive

    @property
    def stalled_seconds(self) -> float:
        """Return how long the engine's present piece of work has gone on."""
        return self.thread.stalled_seconds

    @property
    def failed(self) -> bool:
        """Tell whether the engine failed."""
        return self.thread.failure is not None

    def announce(self, url: str) -> None:
        """Tell a second writer where to post its events instead."""
        self.lease.announce(url)

    def begin_stop(self) -> None:
        """Take nothing new; what is queued is still committed."""
        self.thread.begin_stop()

    def start(self) -> None:
        """Start the engine's thread."""
        self.thread.start()

    def close(self) -> None:
        """Commit what is queued, and give the lease back."""
        self.gate.close()
        self.thread.stop()
        token_path(self.ledger).unlink(missing_ok=True)

    def health(self) -> Health:
        """Tell how the runtime is, for /healthz and /readyz."""
        return Health(
            alive=self.thread.alive and self.thread.stalled_seconds < STALL_SECONDS,
            ready=self.thread.ready,
            ticks_stopped=self.horizon.stopped,
        )

    def notices(self, lang: Lang) -> list[Notice]:
        """Say what is wrong with the monitor itself, and what it is busy with, for the top of the page."""
        said = []
        if not self.thread.ready:
            said.append(Notice("alert", text("live.alert.ledger", lang)))
        if self.horizon.stopped:
            seconds = round(abs(self.horizon.parted.total_seconds()))
            said.append(Notice("alert", text("live.alert.ticks", lang, seconds=f"{seconds:,}")))
        if self.loading_percent is not None:
            percent = f"{self.loading_percent:.0f}"
            said.append(Notice("progress", text("live.alert.loading", lang, percent=percent)))
        return said


class _Server(uvicorn.Server):
    """A server that stops taking events the moment it is told to stop, and answers those it has taken."""

    def __init__(self, config: uvicorn.Config, runtime: Runtime, listening: Callable[[str], None]) -> None:
        super().__init__(config)
        self._runtime, self._listening = runtime, listening
        runtime.stop_serving = self._stop

    def _stop(self) -> None:
        self._runtime.begin_stop()
        self.should_exit = True

    async def startup(self, sockets: list[socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit:  # after it has logged why
            raise CannotListen(f"{self.config.host}:{self.config.port}") from None
        if self.started:
            url = _address(self)
            self._runtime.announce(url)
            self._listening(url)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Not the inherited one: it raises the signal again at the end, which would skip our own closing.
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self._stop()


def serve(runtime: Runtime, host: str, port: int, listening: Callable[[str], None] = lambda url: None) -> int:
    """Serve until a signal or a failure; return the exit status of the process.

    `listening` is told the address once requests are answered; port 0 takes a free one. Raises CannotListen.
    """
    # Standard output belongs to the command; what the process has to say of itself goes to standard error.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    server = _Server(_configuration(runtime, host, port), runtime, listening)
    return asyncio.run(_serve(server, runtime))


def _configuration(runtime: Runtime, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        runtime.app,
        host=host,
        port=port,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


async def _serve(server: _Server, runtime: Runtime) -> int:
    runtime.start()
    watch = asyncio.create_task(_watch(server, runtime))
    try:
        await server.serve()
    finally:
        watch.cancel()
        runtime.begin_stop()
        await asyncio.to_thread(runtime.close)
    return EXIT_FAILED if runtime.failed or not server.started else 0


async def _watch(server: _Server, runtime: Runtime) -> None:
    """End the process when its runtime has failed or stands still."""
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        if not runtime.alive and not server.should_exit:
            log.critical("what takes events has ended; the process ends too")
            server.should_exit = True
        stalled = runtime.stalled_seconds
        if stalled > STALL_SECONDS:
            log.critical("no progress; the process ends, to be started again", stalled_seconds=round(stalled))
            # A thread stuck in a call cannot be asked to stop; the ledger rolls back what was not committed.
            os._exit(EXIT_STALLED)


def _address(server: uvicorn.Server) -> str:
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    shown = "127.0.0.1" if host == "0.0.0.0" else f"[{host}]" if ":" in host else host  # noqa: S104 - compared
    return f"http://{shown}:{port}"
