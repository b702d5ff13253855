"""The application of a runtime: every route it serves, behind the one check, and their description."""

from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry

from monitor.access import PUBLIC, Gate, Router
from monitor.api import Health, Reading
from monitor.events import Event
from monitor.kpi.routes import Figures
from monitor.language import Lang, text
from monitor.ledger import Ledger
from monitor.live import Notice
from monitor.records import Records
from streams.ingest import EVENTS_PATH, Ingest
from streams.intake import Intake


class Application:
    """What a runtime serves: `intake` takes events, `registry` holds its meters, `health` and `notices` tell how it is.

    `token` lets a process of this machine in; `count` is told the status of each answered request for events.
    """

    def __init__(
        self,
        ledger: Ledger,
        intake: Intake,
        token: str,
        registry: CollectorRegistry,
        count: Callable[[int], None],
        health: Callable[[], Health],
        notices: Callable[[Lang], list[Notice]],
    ) -> None:
        self._count = count
        self.gate = Gate(ledger, token, self._refused)
        self.app = FastAPI(
            title=text("product.name", "en"),
            # Their pages load scripts from elsewhere, which a closed network does not have; the description of the
            # routes goes through the check as they do.
            docs_url=None,
            redoc_url=None,
            openapi_url=None,
        )
        self.gate.serve(
            self.app,
            Ingest(intake, count).router(),
            Reading(ledger, registry, health, notices).router(),
            Records(ledger, self.gate).router(),
            Figures(ledger, self.gate).router(),
            _description(self.app),
        )

    def _refused(self, path: str, status: int) -> None:
        """Count a request for events that was not let through, as one that was answered."""
        if path == EVENTS_PATH:
            self._count(status)


def _description(app: FastAPI) -> Router:
    router = Router("description")

    def describe() -> JSONResponse:
        """Describe the routes, in OpenAPI."""
        return JSONResponse(_with_event(app.openapi()))

    router.declare("/openapi.json", describe, PUBLIC, described=False)
    return router


def _with_event(described: dict[str, Any]) -> dict[str, Any]:
    """Add the schema of an event, as the code has it, and how one says who one is."""
    _, schemas = msgspec.json.schema_components([Event], ref_template="#/components/schemas/{name}")
    components = described.setdefault("components", {})
    components.setdefault("schemas", {}).update(schemas)
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer"},
        "password": {"type": "http", "scheme": "basic"},
    }
    return described
