"""`monitor simulate`: a seeded service centre, as a file of a period or live into a running monitor."""

import gzip
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import IO, Annotated, NoReturn

import typer

from monitor.commands.options import EXIT_UNUSABLE, JsonOption, LangOption, err, language, out, print_document
from monitor.language import Lang, text
from monitor.rulebook.model import Rulebook

LINES_AT_ONCE = 5_000


def simulate(
    seed: Annotated[int, typer.Option(help="The same seed gives the same centre.")] = 1,
    year: Annotated[int | None, typer.Option(min=1991, max=2098, help="A whole year, into --out.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="First day (YYYY-MM-DD), into --out.")] = None,
    to: Annotated[str | None, typer.Option(help="Last day; with --live the address of a monitor.")] = None,
    out_file: Annotated[Path | None, typer.Option("--out", help="NDJSON file; .gz is compressed.")] = None,
    live: Annotated[bool, typer.Option("--live", help="From now on, into a running monitor.")] = False,
    key_file: Annotated[
        Path | None, typer.Option(help="Lines 'SOURCE KEY', or one key that may speak for every source.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0.01, max=100, help="Live events a second.")] = 0.7,
    rulebook: Annotated[str, typer.Option(help="Folder or file of a rulebook, or one that ships.")] = "yulin",
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Simulate a service centre of Yulin's size and rhythm."""
    spoken = language(lang)
    centre = _rulebook(rulebook, spoken)
    if live:
        if to is None or "://" not in to or key_file is None or out_file or year or since:
            _refuse("live_needs", spoken)
        _live(centre, seed, to, key_file, rate, as_json, spoken)
        return
    if out_file is None or key_file is not None:
        _refuse("file", spoken)
    start, end = _period(centre, year, since, to, spoken)
    _write(centre, seed, start, end, out_file, as_json, spoken)


def _write(
    rulebook: Rulebook, seed: int, start: datetime, end: datetime, path: Path, as_json: bool, lang: Lang
) -> None:
    """Write a period in order of time; the file appears under its name once it is whole."""
    from monitor.events import content
    from streams.simulator import SimulatedCase, in_time_order, simulate_cases

    planned: Counter[str] = Counter()
    counted: Counter[str] = Counter()

    def watched() -> Iterator[SimulatedCase]:
        for case in simulate_cases(rulebook, seed, start, end):
            counted["cases"] += 1
            planned.update(violation.rule for violation in case.planned)
            yield case

    try:
        with _whole_file(path) as file:
            for event in in_time_order(watched()):
                counted["events"] += 1
                file.write(content(event) + b"\n")
    except (OSError, ValueError) as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(EXIT_UNUSABLE) from None
    if as_json:
        print_document({"file": str(path), **counted, "planned": dict(sorted(planned.items()))})
        return
    out.print(text("simulate.written", lang, file=path, cases=counted["cases"], events=counted["events"]), markup=False)
    for rule, count in sorted(planned.items()):
        out.print(text("simulate.planned", lang, rule=rule, name=text(f"rule.{rule}.name", lang), count=count))


@contextmanager
def _whole_file(path: Path) -> Iterator[IO[bytes]]:
    part = path.with_name(path.name + ".part")
    try:
        # No name and no time inside: the same seed gives the same bytes.
        with part.open("wb") as plain:
            if path.suffix == ".gz":
                with gzip.GzipFile("", "wb", 5, plain, mtime=0) as packed:
                    yield packed  # type: ignore[misc]
            else:
                yield plain
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _live(rulebook: Rulebook, seed: int, url: str, key_file: Path, rate: float, as_json: bool, lang: Lang) -> None:
    """Post events until interrupted; say what was rejected, each reason once."""
    from streams.simulator import LiveCentre
    from streams.simulator.posting import Poster, PostError, follow, read_keys

    counted: Counter[str] = Counter()
    told: set[str] = set()

    def waiting(why: str) -> None:
        if why not in told:
            told.add(why)
            err.print(text("simulate.waiting", lang, url=url, why=why), markup=False)

    try:
        poster = Poster(url, read_keys(key_file), lang=lang, waiting=waiting)
        centre = LiveCentre(rulebook, seed, datetime.now(UTC), events_per_second=rate)
        err.print(text("simulate.live", lang, url=url), markup=False)
        for posted in follow(centre, poster):
            counted.update(applied=posted.applied, duplicate=posted.duplicate, rejected=len(posted.rejections))
            for rejection in posted.rejections:
                if rejection.reason not in told:
                    told.add(rejection.reason)
                    err.print(
                        f"{rejection.event.id}: {rejection.reason}{' ' if lang == 'en' else ''}{rejection.remedy}",
                        markup=False,
                    )
    except PostError as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(EXIT_UNUSABLE) from None
    except KeyboardInterrupt:
        if as_json:
            print_document(dict(counted))
        else:
            out.print(text("simulate.ended", lang, **{k: counted[k] for k in ("applied", "duplicate", "rejected")}))


def _period(
    rulebook: Rulebook, year: int | None, since: str | None, to: str | None, lang: Lang
) -> tuple[datetime, datetime]:
    """Give the period asked for, both days included, in the zone of the centre's calendar."""
    if (year is None) == (since is None) or (since is None) != (to is None):
        _refuse("period", lang)
    try:
        first = date(year, 1, 1) if year is not None else date.fromisoformat(since or "")
        last = date(year, 12, 31) if year is not None else date.fromisoformat(to or "")
    except ValueError:
        _refuse("period", lang)
    if last < first:
        _refuse("period", lang)
    zone = rulebook.days.zone
    return datetime.combine(first, time(), zone), datetime.combine(last + timedelta(days=1), time(), zone)


def _rulebook(named: str, lang: Lang) -> Rulebook:
    """Load the rulebook at a path, else the one of that name that ships."""
    from importlib.resources import as_file, files

    from monitor.rulebook.faults import RulebookFaults
    from monitor.rulebook.load import load

    try:
        if Path(named).exists():
            return load(named)
        with as_file(files("monitor") / "rulebooks" / named) as shipped:
            return load(shipped)
    except RulebookFaults as faults:
        for fault in faults.faults:
            err.print(fault.describe(lang), style="red", markup=False)
        raise typer.Exit(EXIT_UNUSABLE) from None


def _refuse(why: str, lang: Lang) -> NoReturn:
    err.print(text(f"simulate.{why}", lang), style="red", markup=False)
    raise typer.Exit(EXIT_UNUSABLE)
