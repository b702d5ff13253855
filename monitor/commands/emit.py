"""`monitor emit`: deliver the events of a source system, over a spool on its own disk."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import msgspec
import typer

from monitor.commands.options import (
    EXIT_DIFFERENT,
    EXIT_UNUSABLE,
    JsonOption,
    LangOption,
    err,
    language,
    out,
    print_document,
)
from monitor.events import EventError
from monitor.language import Lang, catalogue, text

if TYPE_CHECKING:
    from streams.emit import Rejection, Spool
    from streams.emit.spool import PutAside

FLUSH_SECONDS: Final = 0.5
STDIN: Final = 0
STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def emit(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files with one event on each line; by default standard input.")
    ] = None,
    to: Annotated[
        str, typer.Option(envvar="MONITOR_URL", help="Where to: https://HOST, http://HOST:PORT or kafka://TOPIC.")
    ] = "http://127.0.0.1:8450",
    spool: Annotated[
        Path | None, typer.Option(envvar="MONITOR_SPOOL", help="The spool; by default spool.sqlite in the data folder.")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(envvar="MONITOR_KEY_FILE", help="File with the API key; else it is in MONITOR_KEY.")
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="Who must have signed the receiver's certificate, if nobody known to all.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with one file as it grows, until stopped.")] = False,
    wait: Annotated[
        float | None, typer.Option(help="Seconds to wait for delivery once all is read; by default without end.", min=0)
    ] = None,
    spool_mib: Annotated[int, typer.Option(help="How much the spool may hold, in MiB.", min=1)] = 1024,
    rejected: Annotated[bool, typer.Option("--rejected", help="Only list what was put aside.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Read nothing; deliver again what was put aside.")] = False,
    discard: Annotated[bool, typer.Option("--discard", help="Only delete what was put aside, for good.")] = False,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Deliver events in their order, however long the receiver is away. Exit code 1: some wait or were put aside."""
    from monitor.settings import Settings
    from streams.emit import Spool, SpoolError, Stopped

    spoken = language(lang)
    if follow and len(files or ()) != 1:
        _fail(text("emit.one_file", spoken))
    try:
        with Spool(spool or Settings().data / "spool.sqlite", spool_mib * 1024 * 1024) as kept:
            if rejected:
                _list(kept, as_json, spoken)
                return
            if discard:
                out.print(text("emit.discarded", spoken, count=kept.discard()))
                return
            if again:
                out.print(text("emit.again", spoken, count=kept.try_again(_checked)))
            run = _Run(kept, spoken)
            try:
                with run.delivering(to, _key(key_file, spoken), ca_file):
                    run.read([os.devnull] if again else files, follow)
                    run.wait(wait)
            finally:
                run.sum_up(as_json)
    except (SpoolError, Stopped, ValueError, OSError) as error:
        _fail(str(error))
    if run.left or run.put_aside:
        raise typer.Exit(EXIT_DIFFERENT)


class _Run:
    """One run of the command: what it reads and delivers, and what it tells on standard error meanwhile."""

    def __init__(self, spool: "Spool", lang: Lang) -> None:
        from streams.emit.following import Lines

        self.left = 0
        self._spool, self._lang = spool, lang
        self._stop, self._rejected = False, 0
        self._lines = Lines(
            spool,
            lambda error: self._tell("refused", error=error.describe(lang)),
            lambda full: self._tell("full", detail=full),
            lambda: self._stop,
        )

    @property
    def put_aside(self) -> int:
        """Count what this run put aside."""
        return self._lines.taken.refused + self._rejected

    @contextmanager
    def delivering(self, to: str, key: str | None, ca_file: Path | None) -> Iterator[None]:
        """Deliver meanwhile; a signal to stop ends what is being read or waited for."""
        from streams.emit import Emitter

        before = [(number, signal.signal(number, self._ask_to_stop)) for number in STOP_SIGNALS]
        try:
            with Emitter(
                to,
                self._spool,
                key,
                ca_file=ca_file,
                on_reject=self._tell_reject,
                on_trouble=lambda why: self._tell("recovered") if why is None else self._tell("trouble", reason=why),
            ) as self._emitter:
                yield
        finally:
            for number, handler in before:
                signal.signal(number, handler)

    def read(self, files: "list[Path] | list[str] | None", follow: bool) -> None:
        """Put what there is to read into the spool; a receiver that refuses everything ends following a file."""
        if files is None:
            self._lines.read(STDIN)
        elif follow:
            self._lines.follow(Path(files[0]), until=lambda: self._emitter.failure is not None)
        else:
            for file in files:
                with Path(file).open("rb", buffering=0) as opened:
                    self._lines.read(opened.fileno())

    def wait(self, seconds: float | None) -> None:
        """Wait until all is delivered, the seconds are over, or until asked to stop. Raises Stopped."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while not self._stop and (deadline is None or time.monotonic() < deadline):
            if self._emitter.flush(FLUSH_SECONDS):
                return

    def sum_up(self, as_json: bool) -> None:
        """Say what was taken, put aside, and still waits."""
        self.left = self._spool.waiting()
        told = {
            "taken": self._lines.taken.events,
            "refused": self._lines.taken.refused,
            "rejected": self._rejected,
            "waiting": self.left,
        }
        if as_json:
            print_document(told)
        else:
            out.print(text("emit.done", self._lang, **told), markup=False)

    def _ask_to_stop(self, number: int, frame: object) -> None:
        self._stop = True

    def _tell_reject(self, event: bytes, why: "Rejection") -> None:
        self._rejected += 1
        said = _said(why.code, why.field, why.detail, f"{why.reason} {why.remedy}", self._lang)
        self._tell("rejected", event=_named(event), said=said)

    def _tell(self, key: str, **params: object) -> None:
        err.print(text(f"emit.{key}", self._lang, **params), markup=False)


def _list(spool: "Spool", as_json: bool, lang: Lang) -> None:
    """Show what was put aside; any there is makes the exit code 1."""
    found = list(_all_aside(spool))
    if as_json:
        print_document([_document(each, lang) for each in found])
    for each in () if as_json else found:
        when = datetime.fromtimestamp(each.at, UTC).isoformat(timespec="seconds")
        said = _said(each.code, each.field, each.detail, each.said, lang)
        out.print(
            text("emit.aside", lang, number=each.seq, when=when, event=_named(each.event), said=said), markup=False
        )
    if not found and not as_json:
        out.print(text("emit.nothing_aside", lang))
    if found:
        raise typer.Exit(EXIT_DIFFERENT)


def _all_aside(spool: "Spool") -> Iterator["PutAside"]:
    after = 0
    while found := spool.aside(after):
        yield from found
        after = found[-1].seq


def _document(each: "PutAside", lang: Lang) -> dict[str, Any]:
    return {
        "number": each.seq,
        "at": datetime.fromtimestamp(each.at, UTC),
        "code": each.code,
        "field": each.field,
        "said": _said(each.code, each.field, each.detail, each.said, lang),
        "event": each.event.decode(errors="replace"),
    }


def _said(code: str, field: str, detail: str, said: str, lang: Lang) -> str:
    """Say what was wrong in the reader's language; what a newer receiver found, in the receiver's words."""
    if f"reject.{code}.reason" in catalogue(lang):
        return EventError(code, field, detail).describe(lang)
    return f"{field}: {said}"


def _named(event: bytes) -> str:
    """Name an event by case, source and id, as far as it says."""
    try:
        said = msgspec.json.decode(event, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return f"({len(event)} bytes)"
    names = (bytes(said[name]).decode(errors="replace")[:80] for name in ("case", "source", "id") if name in said)
    return " ".join(names) or f"({len(event)} bytes)"


def _checked(event: bytes) -> bytes | None:
    """Write an event that was put aside for delivery; None: it is no event, so that it stays where it is."""
    from streams.emit.emitter import prepared

    try:
        return prepared(event)
    except EventError:
        return None


def _key(file: Path | None, lang: Lang) -> str | None:
    """Read the API key from its file, or the environment."""
    if file is None:
        return os.environ.get("MONITOR_KEY")
    if file.stat().st_mode & 0o077:
        _fail(text("emit.key_mode", lang, file=file))
    return file.read_text(encoding="utf-8").strip()


def _fail(reason: str) -> NoReturn:
    err.print(reason, style="red", markup=False)
    raise typer.Exit(EXIT_UNUSABLE)
