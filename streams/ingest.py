"""HTTP ingest: events in, a verdict on each of them back, nothing acknowledged that is not committed."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any, Final

import msgspec
from fastapi import Request, Response

from monitor import answers
from monitor.access import LOCAL, SENDER, Identity, Router
from monitor.answers import Answer, accepted_language
from monitor.events import EventError
from monitor.language import Lang, text
from streams.admission import Delivery, Outcome
from streams.bodies import Body, BodyError, split
from streams.intake import Intake, Unavailable
from streams.requests import ANSWER_SECONDS, BodyReader, refusal

EVENTS_PATH: Final = "/api/events"
RETRY_SECONDS: Final = {"busy": 5, "ledger": 5, "broker": 5, "ambiguous": 5, "engine": 30, "stopping": 10}

_STATUS_OF_BODY: Final = {"empty": 400, "malformed": 400, "too_deep": 400, "too_many": 413}


class Ingest:
    """The routes that write: events for senders with a key, imports for this machine.

    `count` is told the status of each answered request for events.
    """

    def __init__(self, intake: Intake, count: Callable[[int], None]) -> None:
        self._intake, self._count = intake, count
        self._reader = BodyReader()

    def router(self) -> Router:
        """Make the routes."""
        router = Router("ingest")
        router.declare(EVENTS_PATH, self.events, SENDER, "POST", **EVENTS_OPENAPI)
        router.declare("/api/imports", self.begin_import, LOCAL, "POST")
        router.declare("/api/imports/{source}/end", self.end_import, LOCAL, "POST")
        router.declare("/api/ticks", self.tick, LOCAL, "POST")
        return router

    async def events(self, request: Request) -> Response:
        """Take events and say of each whether it was applied, a duplicate, or rejected and why.

        Where workers take them from a topic it is accepted, or rejected and why: a duplicate is recognised later.
        """
        lang = accepted_language(request.headers.get("accept-language", ""))
        answer = await self._answer_events(request, lang)
        self._count(answer.status)
        return answer.response()

    async def begin_import(self, request: Request) -> Response:
        """Hold back judgement of what is absent while a file of a source is imported."""
        return await self._local(request, _BeginImport, lambda asked: self._intake.begin_import(asked.source))

    async def end_import(self, request: Request, source: str) -> Response:
        """Release the hold: the file said everything up to an instant, or (null) nothing."""
        return await self._local(
            request, _EndImport, lambda asked: self._intake.end_import(source, asked.complete_until)
        )

    async def tick(self, request: Request) -> Response:
        """Assess again a chunk of the cases that time has changed; `assessed` 0 means that none is left."""
        return await self._local(request, _Nothing, lambda _: self._intake.tick())

    async def _answer_events(self, request: Request, lang: Lang) -> Answer:
        sender: Identity = request.state.identity
        importing = request.headers.get("x-import") is not None
        if importing and not sender.is_local:
            return answers.refusal(403, "access.forbidden", lang)
        async with self._reader.read(request, lang) as raw:
            if isinstance(raw, Answer):
                return raw
            try:
                body = split(raw, request.headers.get("content-type", ""))
            except BodyError as error:
                return await self._refuse_body(raw, error, sender, lang)
            return await self._take(body, self._deliveries(body.events, sender, importing), lang)

    async def _take(self, body: Body, deliveries: Sequence[Delivery], lang: Lang) -> Answer:
        outcomes = await self._commit(deliveries, lang)
        if isinstance(outcomes, Answer):
            return outcomes
        rejected_alone = body.shape == "single" and outcomes[0].status == "rejected"
        return Answer(422 if rejected_alone else 200, report(outcomes, lang))

    async def _refuse_body(self, raw: bytes, error: BodyError, sender: Identity, lang: Lang) -> Answer:
        """Refuse a body as a whole; one that was meant to hold events is also kept among the rejects."""
        if error.code in ("malformed", "too_deep"):
            fault = EventError(error.code, "body", error.detail)
            received_at = self._intake.received()
            kept = await self._commit([Delivery(raw, received_at, bound_source=sender.source, fault=fault)], lang)
            if isinstance(kept, Answer):
                return kept
        return refusal(_STATUS_OF_BODY[error.code], error.code, lang, detail=error.detail)

    async def _commit(self, deliveries: Sequence[Delivery], lang: Lang) -> Sequence[Outcome] | Answer:
        try:
            committed = asyncio.wrap_future(self._intake.submit(deliveries))
            return await asyncio.wait_for(committed, ANSWER_SECONDS)
        except Unavailable as why:
            return _unavailable(why.code, lang)
        except TimeoutError:
            return _unavailable("ambiguous", lang)

    def _deliveries(self, events: Sequence[bytes], sender: Identity, importing: bool) -> list[Delivery]:
        if importing:
            return [Delivery(raw, backfill=True) for raw in events]
        # What came in one request was received at one instant: between its events nobody was late.
        received_at = self._intake.received()
        return [Delivery(raw, received_at, bound_source=sender.source) for raw in events]

    async def _local(self, request: Request, shape: Any, act: Callable[[Any], Future[Any]]) -> Response:
        lang = accepted_language(request.headers.get("accept-language", ""))
        try:
            asked = msgspec.json.decode(await request.body() or b"{}", type=shape)
            assessed = await asyncio.wait_for(asyncio.wrap_future(act(asked)), ANSWER_SECONDS)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return refusal(400, "invalid", lang, detail=str(error)).response()
        except Unavailable as why:
            return _unavailable(why.code, lang).response()
        except TimeoutError:
            return _unavailable("ambiguous", lang).response()
        return Answer(200, {"assessed": assessed or 0}).response()


class _BeginImport(msgspec.Struct):
    source: str


class _EndImport(msgspec.Struct):
    complete_until: datetime | None = None


class _Nothing(msgspec.Struct):
    pass


def _unavailable(code: str, lang: Lang) -> Answer:
    return refusal(503, code, lang, RETRY_SECONDS[code], seconds=ANSWER_SECONDS)


def report(outcomes: Sequence[Outcome], lang: Lang) -> dict[str, Any]:
    """Count the outcomes and list them in the order of the events, with reason and remedy of each reject."""
    counted = {"applied": 0, "duplicate": 0, "accepted": 0, "rejected": 0}
    for outcome in outcomes:
        counted[outcome.status] += 1
    return {**counted, "events": [_told(outcome, lang) for outcome in outcomes]}


def _told(outcome: Outcome, lang: Lang) -> dict[str, Any]:
    told: dict[str, Any] = {"id": outcome.id, "case": outcome.case, "status": outcome.status}
    if outcome.error is not None:
        told["error"] = {
            "code": outcome.error.code,
            "field": outcome.error.field,
            "detail": outcome.error.detail,
            "reason": outcome.error.reason(lang),
            "remedy": outcome.error.remedy(lang),
        }
    return told


_EVENT: Final = {"$ref": "#/components/schemas/Event"}
_EVENTS: Final = {"type": "array", "items": _EVENT}
EVENTS_OPENAPI: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "One event, an array of events, or one event on each line; plain, or as CloudEvents 1.0.",
        "content": {
            "application/json": {"schema": {"oneOf": [_EVENT, _EVENTS]}},
            "application/x-ndjson": {"schema": {"type": "string", "description": "One event on each line."}},
            "application/cloudevents+json": {"schema": {"type": "object"}},
            "application/cloudevents-batch+json": {"schema": {"type": "array", "items": {"type": "object"}}},
        },
    },
    "responses": {
        "200": {
            "description": "A verdict on each event, in their order: applied, duplicate or rejected, and all of it is "
            "committed; or, where workers take events from a topic, accepted (the broker has acknowledged it, and "
            "whether it is a duplicate is known later) or rejected."
        },
        "400": {"description": "The body cannot be split into events; the whole of it is kept as one reject."},
        "401": {"description": text("access.unauthorised.reason", "en")},
        "413": {"description": "Too many bytes or events for one request; nothing was taken."},
        "422": {"description": "The one event of the request was rejected."},
        "503": {"description": "Nothing is acknowledged; send the same again after Retry-After."},
    },
}
