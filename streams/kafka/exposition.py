"""Where a worker is asked how it is: `/metrics`, `/healthz` and `/readyz`, from a small server in its own thread.

Nobody signs in here: what is told holds no case, person or text. It is told to this machine alone unless the worker is
given another address; open that to Prometheus and whatever watches the process, and to nobody else.
"""

import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import msgspec
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

log = structlog.get_logger(__name__)

REQUESTS_MAX: Final = 16
"""Answered at once; whoever comes beyond is hung up on."""
REQUEST_SECONDS: Final = 5.0
"""How long a request may take to arrive."""


class CannotExpose(RuntimeError):
    """The address, which the message names with the reason, cannot be listened at."""


class WorkerHealth(msgspec.Struct, frozen=True):
    """How a worker is: `alive`, else it should be started again; `ready`, it owns partitions and can commit."""

    alive: bool
    ready: bool
    partitions: list[int]


class Exposition:
    """Answers scrapes and probes until it is closed; `port` 0 takes a free one, `url` tells which."""

    def __init__(self, registry: CollectorRegistry, health: Callable[[], WorkerHealth], host: str, port: int) -> None:
        answers: dict[str, Callable[[], tuple[int, str, bytes]]] = {
            "/metrics": lambda: (200, CONTENT_TYPE_LATEST, generate_latest(registry)),
            "/healthz": lambda: _told(told := health(), told.alive),
            "/readyz": lambda: _told(told := health(), told.ready),
        }
        try:
            self._server = _Server(answers, host, port)
        except OSError as error:
            raise CannotExpose(f"{host}:{port}: {error.strerror}") from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="exposition", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address that is listened at."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def close(self) -> None:
        """Answer nothing more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, answers: dict[str, Callable[[], tuple[int, str, bytes]]], host: str, port: int) -> None:
        self.answers = answers
        self._room = threading.BoundedSemaphore(REQUESTS_MAX)
        super().__init__((host, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hung up or was too slow, but of what we cannot answer."""
        error = sys.exception()
        if not isinstance(error, OSError):
            log.error("a request could not be answered", exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    timeout = REQUEST_SECONDS
    server: _Server

    def do_GET(self) -> None:
        answer = self.server.answers.get(self.path.partition("?")[0])
        status, kind, body = answer() if answer is not None else (404, "text/plain", b"/metrics /healthz /readyz\n")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        """Name no program and no version."""
        return "supervision"

    def log_message(self, *_: object) -> None:
        """Write no line for every scrape."""


def _told(health: WorkerHealth, good: bool) -> tuple[int, str, bytes]:
    return 200 if good else 503, "application/json", msgspec.json.encode(health)
