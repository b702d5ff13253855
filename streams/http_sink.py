"""A running monitor as the sink of an import: it holds the ledger, so the events are posted to it."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import httpx
import msgspec

from monitor.events import EventError
from streams.admission import Delivery, Outcome

TIMEOUT_SECONDS: Final = 90.0
PATIENCE_SECONDS: Final = 300.0
"""How long a monitor that says `come again` is asked again; what was sent twice is a duplicate, not an error."""
EVENTS_PER_REQUEST: Final = 1_000
"""Of the largest size an event may have, these are within the monitor's limit in all but contrived files."""


class SinkRefused(RuntimeError):
    """The running monitor did not take what was sent; the message says what it answered."""


class HttpSink:
    """Posts to the monitor at `url`, with the token it left beside the ledger."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}", "X-Import": "1", "Accept-Language": "en"}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def begin(self, source: str) -> None:
        """Hold a source back."""
        self._post("/api/imports", {"source": source})

    def send(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """Post a batch as lines; return the monitor's verdict on each event."""
        outcomes: list[Outcome] = []
        for start in range(0, len(batch), EVENTS_PER_REQUEST):
            part = batch[start : start + EVENTS_PER_REQUEST]
            lines = b"\n".join(delivery.written for delivery in part)
            told = self._post("/api/events", lines, "application/x-ndjson")["events"]
            if len(told) != len(part):
                raise SinkRefused(f"{len(part)} events were sent and {len(told)} answered")
            outcomes.extend(_outcome(one) for one in told)
        return outcomes

    def end(self, source: str, complete_until: datetime | None) -> None:
        """Release the hold, and have the monitor judge until nothing changes any more."""
        self._post(f"/api/imports/{quote(source, safe='')}/end", {"complete_until": complete_until})
        while self._post("/api/ticks", {})["assessed"]:
            pass

    def _post(self, path: str, body: Any, media: str = "application/json") -> Any:
        sent = body if isinstance(body, bytes) else msgspec.json.encode(body)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self._client.post(path, content=sent, headers={"Content-Type": media})
            except httpx.HTTPError as error:
                raise SinkRefused(f"{self._client.base_url}: {type(error).__name__} {error}") from error
            if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and time.monotonic() < deadline:
                time.sleep(float(answer.headers.get("Retry-After", 5)))
            elif answer.is_success or answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
                return msgspec.json.decode(answer.content)
            else:
                raise SinkRefused(f"{self._client.base_url}{path}: {answer.status_code} {answer.text[:500]}")


def _outcome(told: dict[str, Any]) -> Outcome:
    error = told.get("error")
    found = EventError(error["code"], error["field"], error["detail"]) if error else None
    return Outcome(told["status"], told.get("id"), told.get("case"), found)
