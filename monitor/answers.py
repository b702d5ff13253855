"""HTTP answers: JSON in the language of who asks, errors with reason and remedy."""

from typing import Any

import msgspec
from fastapi import Response

from monitor.language import Lang, text


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer before it is written; `challenge` says how one may sign in."""

    status: int
    content: Any
    retry_seconds: int | None = None
    challenge: str | None = None

    def response(self) -> Response:
        """Write it as JSON."""
        headers = {} if self.retry_seconds is None else {"Retry-After": str(self.retry_seconds)}
        if self.challenge is not None:
            headers["WWW-Authenticate"] = self.challenge
        return Response(msgspec.json.encode(self.content), self.status, headers, "application/json")


def refusal(status: int, key: str, lang: Lang, retry_seconds: int | None = None, **params: object) -> Answer:
    """Make the answer to a request that is not taken; reason and remedy stand in the catalogue under `key`.

    The last part of the key is the code by which programs tell refusals apart.
    """
    error = {
        "code": key.rpartition(".")[2],
        "reason": text(f"{key}.reason", lang, **params),
        "remedy": text(f"{key}.remedy", lang, **params),
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
