"""Requests and answers of the ingest: bodies read within limits of size, memory and time, and errors that help."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import Request
from prometheus_client import CollectorRegistry, Counter
from starlette.requests import ClientDisconnect

from monitor import answers
from monitor.answers import Answer
from monitor.language import Lang

BODY_BYTES_MAX: Final = 8 * 1024 * 1024
"""Ten thousand events of the usual size, four times over."""
BODIES_BYTES_MAX: Final = 128 * 1024 * 1024
"""What all requests together may hold in memory; beyond it the next is told to come again."""
DRAIN_BYTES_MAX: Final = 64 * 1024 * 1024
"""So much of a body too large is read and thrown away, so that its sender reads our answer and not a reset."""
BODY_SECONDS: Final = 30
ANSWER_SECONDS: Final = 60
STATUSES: Final = ("200", "400", "401", "403", "408", "409", "413", "415", "422", "503")


def refusal(status: int, code: str, lang: Lang, retry_seconds: int | None = None, **params: object) -> Answer:
    """Make the answer to a request that is not taken, with reason and remedy in the sender's language."""
    return answers.refusal(status, f"ingest.{code}", lang, retry_seconds, **params)


class RequestCounter:
    """Counts answered requests for events by their status."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "supervision_ingest_requests", "Requests to the ingest, by their answer.", ["status"], registry=registry
        )
        for status in STATUSES:
            self._requests.labels(status)

    def count(self, status: int) -> None:
        """Count one."""
        code = str(status)
        # Only the statuses known: a label set grows by our code, never by what somebody sends.
        self._requests.labels(code if code in STATUSES else "503").inc()


class BodyReader:
    """Read bodies; what all of them hold together is bounded."""

    def __init__(self) -> None:
        self._held = 0

    @asynccontextmanager
    async def read(self, request: Request, lang: Lang) -> AsyncIterator[bytes | Answer]:
        """Give the body, or the answer to one that is not read; its memory counts until the block ends."""
        chunks: list[bytes] = []
        try:
            yield await self._collect(request, lang, chunks) or b"".join(chunks)
        finally:
            self._held -= sum(map(len, chunks))

    async def _collect(self, request: Request, lang: Lang, chunks: list[bytes]) -> Answer | None:
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            return refusal(415, "encoding", lang, detail=encoding)
        size = 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size <= BODY_BYTES_MAX:
                        chunks.append(chunk)
                        self._held += len(chunk)
                    if size > DRAIN_BYTES_MAX:
                        break
                    if self._held > BODIES_BYTES_MAX:
                        return refusal(503, "busy", lang, retry_seconds=5)
        except TimeoutError:
            return refusal(408, "slow", lang, seconds=BODY_SECONDS)
        except ClientDisconnect:
            return refusal(400, "cut_off", lang)  # read by nobody, but counted
        return refusal(413, "too_large", lang, limit=BODY_BYTES_MAX) if size > BODY_BYTES_MAX else None
