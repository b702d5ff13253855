"""`monitor try`: say what events would do, and store nothing."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

from monitor.commands.options import (
    EXIT_DIFFERENT,
    EXIT_UNUSABLE,
    JsonOption,
    LangOption,
    LedgerOption,
    err,
    language,
    opened,
    out,
    print_document,
)
from monitor.language import Lang, text

if TYPE_CHECKING:
    from monitor.ledger import Ledger
    from monitor.rulebook.model import Rulebook
    from monitor.verdict import Finding, JournalEntry
    from streams.mapping import FoundMapping
    from streams.trial import Bench, ClockChange, Trial

EVENTS_MAX: Final = 10_000
BYTES_MAX: Final = 64 * 1024 * 1024


def try_(
    file: Annotated[Path, typer.Argument(help="Events as JSON, lines of JSON or CloudEvents; or a log.")],
    mapping: Annotated[
        str | None, typer.Option("--mapping", "-m", help="Read FILE as a CSV or XES log through this mapping.")
    ] = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Say for each event what would happen to its case, its clocks, its findings; code 1: some rejected."""
    spoken = language(lang)
    found = _mapping(mapping, spoken) if mapping is not None else None
    counted: Counter[str] = Counter()
    documents: list[dict[str, Any]] = []
    number = 0
    with _bench(ledger, file, found, spoken) as (bench, book):
        for place, trial in _trials(bench, file, found, spoken):
            if trial.event is not None or trial.error is not None:
                number += 1
                counted[trial.status] += 1
            told = _document(place, trial, spoken, book)
            if as_json:
                documents.append(told)
            else:
                _print(number, told, trial, spoken)
            if number == EVENTS_MAX:
                err.print(text("try.limited", spoken, count=EVENTS_MAX), style="yellow")
                break
    if as_json:
        totals = {status: counted[status] for status in ("applied", "duplicate", "rejected")}
        print_document({**totals, "events": documents})
    else:
        out.print(text("try.stored", spoken), style="dim")
    if counted["rejected"]:
        raise typer.Exit(EXIT_DIFFERENT)


def _mapping(name: str, lang: Lang) -> "FoundMapping":
    from monitor.rulebook.faults import RulebookFaults
    from streams.mapping import read_mapping

    try:
        return read_mapping(name)
    except RulebookFaults as faults:
        _fail(*(fault.describe(lang) for fault in faults.faults))


def _brought(path: Path, lang: Lang) -> "Rulebook":
    from monitor.rulebook.faults import RulebookFaults
    from monitor.rulebook.load import load

    try:
        return load(path)
    except RulebookFaults as faults:
        _fail(*(fault.describe(lang) for fault in faults.faults))


@contextmanager
def _bench(
    url: str | None, file: Path, found: "FoundMapping | None", lang: Lang
) -> Iterator[tuple["Bench", "Rulebook"]]:
    """Give a place to try events: over the ledger, or with a mapping's rulebook where there is no ledger yet."""
    from monitor.ledger import Ledger, LedgerError
    from monitor.ledger.texts import Marker
    from monitor.rulebook.model import RulebookHistory, RulebookVersion
    from streams.ticker import utc_now
    from streams.trial import Bench

    try:
        Ledger.open(url or _default_url(), create=False).close()
    except LedgerError:
        if found is None or found.rulebook is None:
            with opened(url):  # says what is wrong, and ends the command
                raise
        version = RulebookVersion(1, _brought(found.rulebook, lang))
        states, source = _states_after_import({}, file, found, lang), found.mapping.source
        history = RulebookHistory((version,), version)
        bench = Bench(history, utc_now(), states, _no_entries, _no_moment, Marker.passing(), source)
        yield bench, version.rulebook
        return
    with opened(url) as book:
        horizon = max(utc_now(), book.horizon() or utc_now())
        rulebooks = book.rulebooks(horizon)
        states = book.source_states()
        if found is not None:
            states = _states_after_import(states, file, found, lang)
        yield (
            Bench(
                rulebooks, horizon, states, book.entries, lambda case: _judged(book, case), book.texts.trial_marker()
            ),
            rulebooks.current.rulebook,
        )


def _default_url() -> str:
    from monitor.settings import Settings

    return Settings().ledger_url


def _no_entries(case: str) -> list["JournalEntry"]:
    return []


def _no_moment(case: str) -> datetime | None:
    return None


def _judged(book: "Ledger", case: str) -> datetime | None:
    stored = book.assessment(case)
    return stored.judged_at if stored is not None else None


def _states_after_import(states: dict[str, Any], file: Path, found: "FoundMapping", lang: Lang) -> dict[str, Any]:
    """Let the log's source be as its import would leave it: complete up to the log's end."""
    from monitor.ledger.judging import SourceState
    from streams.logs import LogFault
    from streams.ticker import utc_now
    from streams.trial import last_time

    try:
        until = found.mapping.exported or last_time(file, found.mapping)
    except LogFault as fault:
        _fail(fault.describe(lang))
    state = states.get(found.mapping.source, SourceState())
    state.end_import(until, utc_now())
    return {**states, found.mapping.source: state}


def _trials(bench: "Bench", file: Path, found: "FoundMapping | None", lang: Lang) -> Iterator[tuple[str, "Trial"]]:
    """Try the events of a file one by one; those of a log case by case, each followed by the end of the import."""
    from streams.admission import Delivery
    from streams.bodies import BodyError, split
    from streams.logs import LogFault
    from streams.ticker import utc_now
    from streams.trial import log_deliveries

    try:
        if found is None:
            received_at = utc_now()  # at one instant, as the events of one request are
            for raw in split(_read(file, lang)).events:
                yield "", bench.try_out(Delivery(raw, received_at))
            return
        for case, placed in log_deliveries(file, found.mapping):
            tried = [(place, bench.try_out(delivery)) for place, delivery in placed]
            yield from tried
            if case is not None and any(trial.status == "applied" for _, trial in tried):
                yield "", bench.settle(case)
    except BodyError as error:
        _fail(text(f"try.body_{error.code}", lang, detail=error.detail))
    except LogFault as fault:
        _fail(fault.describe(lang))


def _read(file: Path, lang: Lang) -> bytes:
    try:
        if file.stat().st_size > BYTES_MAX:
            _fail(text("try.body_too_many", lang, detail=f"{file.stat().st_size:,} > {BYTES_MAX:,} bytes"))
        return file.read_bytes()
    except OSError as error:
        _fail(text("try.unreadable", lang, file=file, detail=error.strerror))


def _document(place: str, trial: "Trial", lang: Lang, book: "Rulebook") -> dict[str, Any]:
    """Put what would happen into words and codes."""
    event, error = trial.event, trial.error
    return {
        "place": place or None,
        "status": trial.status,
        "id": event.id if event else None,
        "case": event.case if event else None,
        "type": event.type.value if event else None,
        "error": error
        and {
            "code": error.code,
            "field": error.field,
            "reason": error.reason(lang),
            "remedy": error.remedy(lang),
        },
        "stage": trial.stage,
        "light": trial.light,
        "clocks": [_clock(change, lang, book) for change in trial.clocks],
        "raised": [_finding(finding, lang, book) for finding in trial.raised],
        "withdrawn": [_finding(finding, lang, book) for finding in trial.withdrawn],
    }


def _clock(change: "ClockChange", lang: Lang, book: "Rulebook") -> dict[str, Any]:
    from monitor.wording import say_clock, say_instant

    clock = change.clock
    said = text(
        f"try.clock.{change.act}",
        lang,
        clock=say_clock(clock.name, clock.subject, lang, book),
        due=say_instant(clock.due, book.days) if clock.due else "—",
        phase=text(f"phase.{clock.phase}", lang),
    )
    due = clock.due.isoformat() if clock.due else None
    return {
        "clock": clock.name,
        "subject": clock.subject,
        "act": change.act,
        "phase": clock.phase,
        "due": due,
        "text": said,
    }


def _finding(finding: "Finding", lang: Lang, book: "Rulebook") -> dict[str, Any]:
    from monitor.wording import say_finding

    said = f"{finding.rule} {say_finding(finding, lang, book)}"
    return {"rule": finding.rule, "state": finding.state, "mode": finding.mode, "text": said}


def _print(number: int, told: dict[str, Any], trial: "Trial", lang: Lang) -> None:
    if trial.event is None and trial.error is None:
        title = text("try.settled", lang, case=trial.after.case if trial.after else "—")
    else:
        place = f"{told['place']}: " if told["place"] else ""
        kind = text(f"event.{told['type']}", lang) if told["type"] else text("try.unread", lang)
        case, status = told["case"] or "—", text(f"try.{trial.status}", lang)
        title = text("try.event", lang, number=number, place=place, event=kind, case=case, status=status)
    lines = _lines(told, lang)
    if trial.event is None and trial.error is None and not lines:
        return
    out.print(title, style="bold" if trial.after is not None else "", markup=False)
    if trial.error is not None:
        out.print(f"   {trial.error.describe(lang)}", style="red", markup=False)
    elif trial.after is not None:
        for line in lines or [text("try.no_change", lang)]:
            out.print(f"   {line}", markup=False)


def _lines(told: dict[str, Any], lang: Lang) -> list[str]:
    lines = [clock["text"] for clock in told["clocks"]]
    for act in ("raised", "withdrawn"):
        for finding in told[act]:
            mode = finding["mode"]
            untold = text(f"try.{mode}", lang) if mode in ("shadow", "backlog") else ""
            lines.append(text(f"try.{act}", lang, finding=finding["text"]) + untold)
    changed = [name for name in ("stage", "light") if told[name] is not None]
    return lines + [text(f"try.{name}", lang, **{name: text(f"{name}.{told[name]}", lang)}) for name in changed]


def _fail(*reasons: str) -> NoReturn:
    """Say on standard error why the command cannot do its work, and end it."""
    for reason in reasons:
        err.print(reason, style="red", markup=False)
    raise typer.Exit(EXIT_UNUSABLE)
