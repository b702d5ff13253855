"""The HTML of the live page, in the language asked for, and the files it needs."""

import re
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from monitor.language import Lang, text

ASSETS: Final[Mapping[str, str]] = MappingProxyType(
    {"live.js": "text/javascript", "live.css": "text/css", "icon.svg": "image/svg+xml"}
)
"""The files of the page and their media types; all of them are ours, so that it works on a closed network."""

HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
)

_PLACE: Final = re.compile(r"\{\{([a-z_.]+)\}\}")


@cache
def render_page(lang: Lang) -> str:
    """Give the page with its texts in a language; the figures come later, from /api/live."""
    return _PLACE.sub(lambda place: escape(text(place.group(1), lang)), asset("page.html").decode())


@cache
def asset(name: str) -> bytes:
    """Read a file of the page."""
    return files("monitor.live").joinpath(name).read_bytes()
