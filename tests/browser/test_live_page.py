"""The live page in a real browser: coverage first, figures in both languages, honest when the connection is lost."""

import re
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.live import render_page
from monitor.live.page import asset
from monitor.rulebook.model import RuleSetting
from tests.lacking import program
from tests.small_centre import RULEBOOK
from tests.streams.running import Running, running

SHOWING_CARDS = msgspec.structs.replace(RULEBOOK, rules={"V01": RuleSetting(mode="card")})


def browse(url: str, folder: Path) -> str:
    """Open a page, let it work for some seconds, and return what it then shows, as HTML."""
    chromium = program("chromium", "chromium-browser", "google-chrome")
    options = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --virtual-time-budget=5000 --dump-dom"
    )
    command = [chromium, *options.split(), f"--user-data-dir={folder / 'profile'}", url]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
    return shown.stdout


def section(page: str, name: str) -> str:
    """Cut out what stands inside the element of this id, without its tags."""
    [inside] = re.findall(rf'<(\w+)[^>]* id="{name}"[^>]*>(.*?)</\1>', page, re.DOTALL)
    return re.sub(r"<[^>]+>", " ", inside[1])


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running monitor with a case on time, one past its due instant, and one of an unknown item."""
    with running(tmp_path_factory.mktemp("page"), SHOWING_CARDS) as found:
        now = datetime.now(UTC)
        late, soon = now - timedelta(hours=1), now + timedelta(days=5)
        events = [
            _event("late", now - timedelta(days=2), data={"due": {"promised": late.isoformat()}}),
            _event("fine", now - timedelta(days=1), data={"due": {"promised": soon.isoformat()}}),
            _event("strange", now - timedelta(days=1), item="<b>no such item</b>"),
            _event("clerk", now - timedelta(days=1), window="W-77", operator="Zhang San", applicant="hash-of-li"),
        ]
        assert found.post(msgspec.json.encode(events)).json()["applied"] == 4
        yield found


def _event(case: str, time: datetime, **more: Any) -> dict[str, Any]:
    event = {"id": "1", "source": "hall", "type": "accept", "time": time.isoformat(), "case": case}
    return {**event, "region": "4509", "item": "i1", "department": "land", **more}


def test_page_shows_the_figures_of_the_ledger_in_chinese(monitor: Running, tmp_path: Path) -> None:
    """Coverage stands first; then the open cases by light, and the finding with department, rule and case."""
    page = browse(monitor.url, tmp_path)
    assert 'lang="zh"' in page
    assert page.index("接入率") < page.index("在办件") < page.index("最新发现")
    assert re.search(r"超承诺时限\s+1\b", section(page, "lights"))
    findings = section(page, "findings")
    assert all(said in findings for said in ("国土局", "V01", "late"))
    assert section(page, "connection").strip() == "实时"


def test_page_speaks_english_when_asked(monitor: Running, tmp_path: Path) -> None:
    """The same page in English holds no Chinese but names and the way back."""
    page = browse(f"{monitor.url}/?lang=en", tmp_path)
    assert re.search(r"Over promised limit\s+1\b", section(page, "lights"))
    assert not re.search("[\u4e00-\u9fff]", section(page, "findings") + section(page, "lights"))


def test_page_shows_no_person_and_runs_no_foreign_text(monitor: Running, tmp_path: Path) -> None:
    """Windows, operators and applicants are nowhere; markup sent in a code is shown as the text it is."""
    page = browse(monitor.url, tmp_path)
    assert not any(private in page for private in ("W-77", "Zhang San", "hash-of-li"))
    assert "<b>no such item</b>" not in page
    assert "&lt;b&gt;no such item" in section(page, "tickets")


def test_headers_forbid_foreign_scripts_and_frames(monitor: Running) -> None:
    """The page may load nothing from elsewhere, and nobody may frame it."""
    answer = monitor.client.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "http" not in re.sub(r'xmlns="[^"]*"', "", answer.text), "no address from elsewhere"


def test_unknown_language_and_file_are_refused(monitor: Running) -> None:
    """A language that is not shipped, or a file that is not the page's, is an error and never a path."""
    assert monitor.client.get("/?lang=../../etc").status_code == 422
    assert monitor.client.get("/live/page.html").status_code == 404
    assert monitor.client.get("/live/..%2fboard.py").status_code == 404


class _Breaking(BaseHTTPRequestHandler):
    """Serves the page, but its figures only once."""

    answered = 0
    board = b""

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].removeprefix("/live/")
        if self.path.startswith("/api/live"):
            type(self).answered += 1
            self._send(200 if self.answered == 1 else 500, self.board, "application/json")
        elif name in ("live.js", "live.css"):
            self._send(200, asset(name), "text/javascript" if name.endswith("js") else "text/css")
        else:
            self._send(200, render_page("zh").encode(), "text/html; charset=utf-8")

    def _send(self, status: int, content: bytes, media: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Say nothing."""


def test_lost_connection_is_said_and_the_figures_keep_their_time(monitor: Running, tmp_path: Path) -> None:
    """When figures stop coming the page says that these are old, and goes on showing of when they are."""
    board = monitor.client.get("/api/live")
    _Breaking.board = board.content
    with ThreadingHTTPServer(("127.0.0.1", 0), _Breaking) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            page = browse(f"http://127.0.0.1:{server.server_port}/", tmp_path)
        finally:
            server.shutdown()
            thread.join()
    assert _Breaking.answered > 1
    assert "连接中断" in section(page, "connection")
    assert section(page, "at") == board.json()["at"]
