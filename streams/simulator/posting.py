"""The simulated centre as a sender: its live events, posted as lines to a running monitor."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Protocol

import httpx
import msgspec

from monitor.events import Event, content
from monitor.language import Lang
from streams.simulator.live import LiveCentre

TIMEOUT_SECONDS: Final = 90.0
"""Longer than the monitor takes at most to answer."""
PATIENCE_SECONDS: Final = 300.0
"""How long a monitor that is away or says `come again` is asked again; what was sent twice is a duplicate."""
RETRY_SECONDS: Final = 2.0
EVENTS_PER_REQUEST: Final = 1_000


class PostError(RuntimeError):
    """The monitor did not take what was sent, or there is no key to send it with; the message says which."""


class Rejection(msgspec.Struct, frozen=True):
    """An event the monitor would not take, with its reason and remedy in the monitor's words."""

    event: Event
    reason: str
    remedy: str


class Posted(msgspec.Struct, frozen=True):
    """What became of the events posted at once; accepted are those that a worker will take."""

    applied: int = 0
    duplicate: int = 0
    accepted: int = 0
    rejections: tuple[Rejection, ...] = ()


class Posts(Protocol):
    """Whoever takes the events of a simulation to where they are supervised."""

    def post(self, events: Sequence[Event]) -> Posted: ...


class Poster:
    """Posts events to the monitor at `url`, those of each source with the key of that source.

    `keys` are secrets by source; the key of `""` stands in for every source that has none of its own. `waiting` is
    told why each time the monitor did not answer and is asked again.
    """

    def __init__(
        self,
        url: str,
        keys: Mapping[str, str],
        transport: httpx.BaseTransport | None = None,
        lang: Lang = "en",
        waiting: Callable[[str], None] = lambda why: None,
    ) -> None:
        self._keys, self._lang, self._waiting = keys, lang, waiting
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS, trust_env=False, transport=transport)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def post(self, events: Iterable[Event]) -> Posted:
        """Post events and return what became of them. Raises PostError."""
        counted: Counter[str] = Counter()
        rejections: list[Rejection] = []
        for source, of_source in groupby(sorted(events, key=_source), _source):
            sent = list(of_source)
            for start in range(0, len(sent), EVENTS_PER_REQUEST):
                part = sent[start : start + EVENTS_PER_REQUEST]
                told = self._answer(part, self._key(source))["events"]
                counted.update(one["status"] for one in told)
                rejections += [
                    Rejection(event, one["error"]["reason"], one["error"]["remedy"])
                    for event, one in zip(part, told, strict=True)
                    if one["status"] == "rejected"
                ]
        return Posted(counted["applied"], counted["duplicate"], counted["accepted"], tuple(rejections))

    def _key(self, source: str) -> str:
        key = self._keys.get(source) or self._keys.get("")
        if key is None:
            raise PostError(
                f"source {source!r}: the key file has no key for it; make one with 'monitor keys create {source}' and "
                f"add the line '{source} KEY'"
            )
        return key

    def _answer(self, events: Sequence[Event], key: str) -> Any:
        lines = b"\n".join(map(content, events))
        headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/x-ndjson",
            "Accept-Language": self._lang,
        }
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self._client.post("/api/events", content=lines, headers=headers)
            except httpx.TransportError as error:
                if time.monotonic() >= deadline:
                    raise PostError(f"{self._client.base_url}: {type(error).__name__} {error}") from error
                self._waiting(str(error) or type(error).__name__)
                time.sleep(RETRY_SECONDS)
                continue
            if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and time.monotonic() < deadline:
                time.sleep(float(answer.headers.get("Retry-After", RETRY_SECONDS)))
            elif answer.is_success or answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
                return msgspec.json.decode(answer.content)
            else:
                raise PostError(f"{self._client.base_url}: {answer.status_code} {answer.text[:500]}")


def read_keys(path: Path) -> dict[str, str]:
    """Read a key file: a line `SOURCE KEY` for each source, or a key alone, which then stands for every source.

    Empty lines and those that begin with `#` are skipped. Raises PostError naming file and line.
    """
    keys: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PostError(f"{path}: the key file cannot be read ({error})") from error
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) > 2:
            raise PostError(f"{path}, line {number}: {len(words)} words; write 'SOURCE KEY', or a key alone")
        keys[words[0] if len(words) == 2 else ""] = words[-1]
    if not keys:
        raise PostError(f"{path}: no key in it; write a line 'SOURCE KEY' for each source, or a key alone")
    return keys


def follow(
    centre: LiveCentre,
    poster: Posts,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[Posted]:
    """Post what happens at the centre, about once a second and without end; yield what became of each post."""
    while True:
        events = centre.events_until(clock())
        if events:
            yield poster.post(events)
        pause(1.0)


def _source(event: Event) -> str:
    return event.source
