"""Source systems that send side by side, and remember what was acknowledged."""

import json
import random
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Condition
from typing import NamedTuple

import httpx

from tests.integration.program import START_SECONDS

SENDERS = 4
PAUSE_SECONDS = 0.1


class Sending(NamedTuple):
    """One request: its events as they are written, alone or as an array."""

    events: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        """The body to post."""
        return self.events[0] if len(self.events) == 1 else b"[" + b",".join(self.events) + b"]"


class Answered(NamedTuple):
    """A request that was acknowledged, with the verdict on each of its events."""

    sending: Sending
    verdicts: tuple[str, ...]


def cut(events: list[bytes], draw: random.Random) -> Iterator[Sending]:
    """Cut events into requests of one or of several."""
    left = deque(events)
    while left:
        size = draw.choice((1, 1, 2, 20))
        yield Sending(tuple(left.popleft() for _ in range(min(size, len(left)))))


class Senders:
    """Post requests side by side until all are acknowledged, or the server is gone; one turned away comes again."""

    def __init__(self, base_url: str, key: str, sendings: list[Sending]) -> None:
        self._waiting, self.sent, self.turned_away = deque(sendings), 0, 0
        self.answered: list[Answered] = []
        self.unanswered: list[Sending] = []
        self.refused: list[str] = []
        self._news = Condition()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._client = httpx.Client(base_url=base_url, headers=headers, timeout=60, trust_env=False)
        self._pool = ThreadPoolExecutor(SENDERS)
        self._working = [self._pool.submit(self._work) for _ in range(SENDERS)]

    def wait(self, count: int) -> None:
        """Wait until so many requests are acknowledged."""
        with self._news:
            self._news.wait_for(lambda: len(self.answered) >= count or self.refused, START_SECONDS)
            assert len(self.answered) >= count, self.refused

    def finish(self) -> None:
        """Wait for the senders to end."""
        for working in self._working:
            working.result(START_SECONDS)
        self._pool.shutdown()
        self._client.close()
        assert not self.refused
        self.unanswered.extend(self._waiting)

    def _work(self) -> None:
        while self._waiting:
            with self._news:
                if not self._waiting:
                    return
                sending = self._waiting.popleft()
                self.sent += len(sending.events)
            try:
                answer = self._client.post("/api/events", content=sending.body)
            except httpx.TransportError:
                with self._news:
                    self.unanswered.append(sending)
                return
            with self._news:
                if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                    self.turned_away += 1
                    self._waiting.append(sending)
                elif answer.status_code in {200, 422}:
                    verdicts = tuple(event["status"] for event in answer.json()["events"])
                    self.answered.append(Answered(sending, verdicts))
                else:
                    self.refused.append(f"{answer.status_code} {answer.text}")
                self._news.notify_all()
            if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                time.sleep(PAUSE_SECONDS)


def said_of(raw: bytes) -> tuple[str, str, str]:
    """Give case, source and id of an event as written."""
    event = json.loads(raw)
    return event["case"], event["source"], event["id"]
