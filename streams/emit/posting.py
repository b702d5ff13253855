"""A monitor's HTTP ingest as the destination."""

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx
import msgspec

from streams.emit.destinations import Rejection, Stopped, Unreachable

PATH: Final = "/api/events"
TIMEOUT_SECONDS: Final = 90.0
"""More than the monitor takes to say that it does not know yet (60 s): a late answer is better than none."""
CONNECT_SECONDS: Final = 10.0
TRY_AGAIN: Final = frozenset({408, 425, 429})
"""Refusals of the moment, besides every 5xx."""
OF_THE_BODY: Final = frozenset({400, 413})
"""Something in the request, or the size of it, cannot be taken: which event it is shows when fewer are sent."""
VERDICTS: Final = frozenset({200, 202, 422})


class _Error(msgspec.Struct):
    code: str
    field: str
    detail: str
    reason: str
    remedy: str


class _Verdict(msgspec.Struct):
    status: str
    error: _Error | None = None


class _Answer(msgspec.Struct):
    events: list[_Verdict]


class _Refusal(msgspec.Struct):
    code: str
    reason: str
    remedy: str


class _Refused(msgspec.Struct):
    error: _Refusal


_answer = msgspec.json.Decoder(_Answer)
_refused = msgspec.json.Decoder(_Refused)


class HttpDestination:
    """Posts to the monitor at `url` with the API key of the source. `ca_file`: who signed the monitor's certificate.

    Proxies of the environment are not used: a monitor is reached directly. Raises ValueError for what cannot be used.
    """

    def __init__(self, url: str, key: str | None, ca_file: Path | None = None) -> None:
        headers = {"Content-Type": "application/x-ndjson", "Accept-Language": "en"}
        if key:
            if not (key.isascii() and key.isprintable()):
                raise ValueError("the API key holds characters that no key has; copy it again")
            headers["Authorization"] = f"Bearer {key}"
        try:
            self._url = str(httpx.URL(url.rstrip("/") + PATH))
            trust: ssl.SSLContext | bool = True if ca_file is None else ssl.create_default_context(cafile=str(ca_file))
        except (httpx.InvalidURL, OSError) as error:
            raise ValueError(f"{url if ca_file is None else ca_file}: {error}") from error
        timeout = httpx.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS)
        self._client = httpx.Client(headers=headers, timeout=timeout, verify=trust, trust_env=False)

    def deliver(self, events: Sequence[bytes]) -> Sequence[Rejection | None]:
        """Post events as lines; a request too large for the monitor is sent in halves."""
        try:
            answer = self._client.post(self._url, content=b"\n".join(events))
        except httpx.HTTPError as error:
            raise Unreachable(f"{self._url}: {type(error).__name__} {error}") from error
        if answer.status_code in VERDICTS:
            return self._verdicts(answer, len(events))
        if answer.status_code in OF_THE_BODY and (len(events) > 1 or _code(answer)):
            return self._in_halves(events, answer)
        if answer.status_code in TRY_AGAIN or answer.is_server_error:
            raise Unreachable(f"{self._url}: {_said(answer)}", _retry_after(answer))
        raise Stopped(
            f"{self._url} refuses: {_said(answer)}. Nothing more is delivered until this is put right and the program "
            "started again; every event stays in the spool"
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _in_halves(self, events: Sequence[bytes], answer: httpx.Response) -> Sequence[Rejection | None]:
        middle = len(events) // 2
        if not middle:
            return [Rejection(_code(answer), "event", f"{len(events[0])} bytes", _said(answer), "")]
        return [*self.deliver(events[:middle]), *self.deliver(events[middle:])]

    def _verdicts(self, answer: httpx.Response, expected: int) -> Sequence[Rejection | None]:
        try:
            told = _answer.decode(answer.content).events
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            # Another program answers here, a proxy's page perhaps: nothing was acknowledged.
            raise Unreachable(f"{self._url}: this is no monitor's answer ({error})") from error
        if len(told) != expected:
            raise Unreachable(f"{self._url}: {expected} events were sent and {len(told)} answered")
        return [None if each.status != "rejected" else _rejection(each.error) for each in told]


def _rejection(error: _Error | None) -> Rejection:
    if error is None:
        return Rejection("rejected", "event", "", "", "")
    return Rejection(error.code, error.field, error.detail, error.reason, error.remedy)


def _said(answer: httpx.Response) -> str:
    """Say what the receiver answered: a monitor's reason and remedy, or the first words of anything else."""
    error = _error_in(answer)
    return (
        f"{answer.status_code} {error.reason} {error.remedy}" if error else f"{answer.status_code} {answer.text[:200]}"
    )


def _code(answer: httpx.Response) -> str:
    """Give the code of a monitor's refusal; empty: it comes from something else, a proxy perhaps."""
    error = _error_in(answer)
    return "" if error is None else error.code


def _error_in(answer: httpx.Response) -> _Refusal | None:
    try:
        return _refused.decode(answer.content).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _retry_after(answer: httpx.Response) -> float:
    stated = answer.headers.get("retry-after", "")
    return float(stated) if stated.isdigit() else 0.0
