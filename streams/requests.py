"""Requests and answers of the ingest: bodies read within limits of size, memory and time, and errors that help."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from monitor.language import Lang, text

BODY_BYTES_MAX: Final = 8 * 1024 * 1024
"""Ten thousand events of the usual size, four times over."""
BODIES_BYTES_MAX: Final = 128 * 1024 * 1024
"""What all requests together may hold in memory; beyond it the next is told to come again."""
DRAIN_BYTES_MAX: Final = 64 * 1024 * 1024
"""So much of a body too large is read and thrown away, so that its sender reads our answer and not a reset."""
BODY_SECONDS: Final = 30
ANSWER_SECONDS: Final = 60


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer before it is written."""

    status: int
    content: Any
    retry_seconds: int | None = None

    def response(self) -> Response:
        """Write it as JSON."""
        headers = {} if self.retry_seconds is None else {"Retry-After": str(self.retry_seconds)}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return Response(msgspec.json.encode(self.content), self.status, headers, "application/json")


def refusal(status: int, code: str, lang: Lang, retry_seconds: int | None = None, **params: object) -> Answer:
    """Make the answer to a request that is not taken, with reason and remedy in the sender's language."""
    error = {
        "code": code,
        "reason": text(f"ingest.{code}.reason", lang, **params),
        "remedy": text(f"ingest.{code}.remedy", lang, **params),
    }
    return Answer(status, {"error": error}, retry_seconds)


def accepted_language(header: str) -> Lang:
    """Choose Chinese or English by an Accept-Language header; English where it asks for neither."""
    best: tuple[float, Lang] = (0.0, "en")
    for part in header.split(","):
        tag, _, parameters = part.strip().partition(";")
        quality = _quality(parameters)
        primary = tag.strip().lower().partition("-")[0]
        if primary == "zh" and quality > best[0]:
            best = (quality, "zh")
        elif primary == "en" and quality > best[0]:
            best = (quality, "en")
    return best[1]


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


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
