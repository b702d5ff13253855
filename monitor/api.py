"""Reading routes: the live page and its figures, metrics, health. They read the ledger and change nothing.

Whoever reaches the address may read them; they show departments, items, case numbers and figures, never a window,
an operator or an applicant. By default the address is this machine's own.
"""

import time
from collections.abc import Callable
from threading import Lock
from typing import Annotated, Any, Final

import msgspec
from fastapi import Query, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from sqlalchemy.exc import OperationalError

from monitor.access import PUBLIC, Router
from monitor.language import Lang
from monitor.ledger import Ledger
from monitor.live import ASSETS, HEADERS, Notice, read_board, render_page
from monitor.live.page import asset
from monitor.metrics import LedgerCollector

BOARD_CACHE_SECONDS: Final = 1.0
"""Any number of screens cost one reading a second."""


class Health(msgspec.Struct, frozen=True):
    """How the runtime is: at work, taking events, and judging deadlines."""

    alive: bool
    ready: bool
    ticks_stopped: bool


class Reading:
    """The routes that read. `registry` holds the runtime's own meters, `health` and `notices` tell how it is."""

    def __init__(
        self,
        ledger: Ledger,
        registry: CollectorRegistry,
        health: Callable[[], Health],
        notices: Callable[[Lang], list[Notice]],
    ) -> None:
        self._ledger, self._registry, self._health, self._notices = ledger, registry, health, notices
        registry.register(LedgerCollector(ledger))
        self._lock = Lock()
        self._boards: dict[Lang, tuple[float, bytes]] = {}

    def router(self) -> Router:
        """Make the routes."""
        router = Router("reading")
        for path, act in (
            ("/", self.page),
            ("/live/{name}", self.file),
            ("/api/live", self.live),
            ("/metrics", self.metrics),
            ("/healthz", self.healthz),
            ("/readyz", self.readyz),
        ):
            router.declare(path, act, PUBLIC)
        return router

    def page(self, lang: Annotated[Lang, Query()] = "zh") -> Response:
        """Show the live page, in Chinese unless asked for English."""
        return Response(render_page(lang), 200, dict(HEADERS), "text/html; charset=utf-8")

    def file(self, name: str) -> Response:
        """Give the page's script, style or icon."""
        if name not in ASSETS:
            return _json(404, {"error": {"code": "not_found", "reason": f"There is no file {name!r}."}})
        return Response(asset(name), 200, dict(HEADERS), ASSETS[name])

    def live(self, lang: Annotated[Lang, Query()] = "zh") -> Response:
        """Give the figures of the live page as JSON, written out in a language."""
        with self._lock:
            read_at, content = self._boards.get(lang, (0.0, b""))
            if time.monotonic() - read_at > BOARD_CACHE_SECONDS:
                content = msgspec.json.encode(read_board(self._ledger, lang, self._notices(lang)))
                self._boards[lang] = (time.monotonic(), content)
        return Response(content, 200, dict(HEADERS), "application/json")

    def metrics(self) -> Response:
        """Give the metrics in the Prometheus text format; docs/metrics.md lists them."""
        return Response(generate_latest(self._registry), 200, media_type=CONTENT_TYPE_LATEST)

    def healthz(self) -> Response:
        """Tell whether the process is at work; 503: it should be started again."""
        health = self._health()
        return _json(200 if health.alive else 503, health)

    def readyz(self) -> Response:
        """Tell whether events are taken: the engine is at work and the ledger can be read and written."""
        health = self._health()
        return _json(200 if health.ready and self._readable() else 503, health)

    def _readable(self) -> bool:
        try:
            self._ledger.horizon()
        except OperationalError:
            return False
        return True


def _json(status: int, content: Any) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")
