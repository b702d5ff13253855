"""`monitor simulate`: a seeded service centre, as a file of a period or live into a running monitor."""

import gzip
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, NoReturn

import msgspec
import typer

from monitor.commands.options import EXIT_UNUSABLE, JsonOption, LangOption, err, language, out, print_document
from monitor.language import Lang, text
from monitor.rulebook.model import Rulebook

if TYPE_CHECKING:
    from streams.simulator import SimulatedCase
    from streams.simulator.dirty import Dirt
    from streams.simulator.posting import Posts


def simulate(
    seed: Annotated[int, typer.Option(help="The same seed gives the same centre.")] = 1,
    year: Annotated[int | None, typer.Option(min=1991, max=2098, help="A whole year, into --out.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="First day (YYYY-MM-DD), into --out.")] = None,
    to: Annotated[str | None, typer.Option(help="Last day; with --live the address of a monitor, else Kafka.")] = None,
    out_file: Annotated[Path | None, typer.Option("--out", help="NDJSON file; .gz is compressed.")] = None,
    live: Annotated[bool, typer.Option("--live", help="From now on, into a running monitor.")] = False,
    key_file: Annotated[
        Path | None, typer.Option(help="Lines 'SOURCE KEY', or one key that may speak for every source.")
    ] = None,
    dirty: Annotated[
        str | None, typer.Option(help="Soil the file: skew jitter late dates at-end nightly and more; A,B for both.")
    ] = None,
    planted_file: Annotated[
        Path | None, typer.Option("--planted", help="Write down every violation planted: case, rule, subject.")
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
        if out_file or year or since or dirty or planted_file:
            _refuse("live_needs", spoken)
        _live(centre, seed, to, key_file, rate, as_json, spoken)
        return
    if out_file is None or key_file is not None:
        _refuse("file", spoken)
    start, end = _period(centre, year, since, to, spoken)
    _write(centre, seed, start, end, out_file, _dirts(dirty, spoken), planted_file, as_json, spoken)


def _write(
    rulebook: Rulebook,
    seed: int,
    start: datetime,
    end: datetime,
    path: Path,
    dirts: "list[Dirt]",
    planted_file: Path | None,
    as_json: bool,
    lang: Lang,
) -> None:
    """Write a period in order of time, a dirty one as it is delivered, with the sources it has to be declared by.

    Each file appears under its name once it is whole.
    """
    from streams.simulator import SimulatedCase, simulate_cases

    planted: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    noted: list[bytes] = []

    def watched() -> Iterator[SimulatedCase]:
        for case in simulate_cases(rulebook, seed, start, end):
            counted["cases"] += 1
            planted.update(violation.rule for violation in case.planned)
            for rule, subject in sorted(case.planned):
                noted.append(msgspec.json.encode({"case": case.events[0].case, "rule": rule, "subject": subject}))
            yield case

    try:
        with _whole_file(path) as file:
            for line in _lines(rulebook, seed, watched(), dirts):
                counted["events"] += 1
                file.write(line + b"\n")
        if dirts:
            _declare(rulebook, seed, dirts, path)
        if planted_file is not None:
            with _whole_file(planted_file) as file:
                file.writelines(line + b"\n" for line in noted)
    except (OSError, ValueError) as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(EXIT_UNUSABLE) from None
    if as_json:
        print_document({"file": str(path), **counted, "planned": dict(sorted(planted.items()))})
        return
    out.print(text("simulate.written", lang, file=path, cases=counted["cases"], events=counted["events"]), markup=False)
    if dirts:
        out.print(text("simulate.declared", lang, file=_declaration(path)), markup=False)
    for rule, count in sorted(planted.items()):
        out.print(text("simulate.planned", lang, rule=rule, name=text(f"rule.{rule}.name", lang), count=count))


def _lines(rulebook: Rulebook, seed: int, cases: "Iterator[SimulatedCase]", dirts: "list[Dirt]") -> Iterator[bytes]:
    from monitor.events import content
    from streams.simulator import in_time_order
    from streams.simulator.dirty import Feed, deliver, enveloped

    if not dirts:
        return (content(event) for event in in_time_order(cases))
    return (enveloped(sent) for sent in deliver(cases, Feed(rulebook, seed), dirts))


def _declare(rulebook: Rulebook, seed: int, dirts: "list[Dirt]", path: Path) -> None:
    from streams.simulator.dirty import Feed, declared, sources_section

    with _whole_file(_declaration(path)) as file:
        file.write(sources_section(declared(Feed(rulebook, seed), dirts)).encode())


def _declaration(path: Path) -> Path:
    return path.with_name(f"{path.name}.sources.yaml")


def _dirts(named: str | None, lang: Lang) -> "list[Dirt]":
    """Find the kinds of dirt asked for."""
    from streams.simulator.dirty import DIRTS

    names = [] if named is None else named.split(",")
    for name in names:
        if name not in DIRTS:
            err.print(text("simulate.dirty", lang, name=name, known=", ".join(DIRTS)), style="red", markup=False)
            raise typer.Exit(EXIT_UNUSABLE)
    return [DIRTS[name] for name in names]


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


def _live(
    rulebook: Rulebook, seed: int, to: str | None, key_file: Path | None, rate: float, as_json: bool, lang: Lang
) -> None:
    """Send events until interrupted; say what was rejected, each reason once."""
    from streams.http_sink import SinkRefused
    from streams.simulator import LiveCentre
    from streams.simulator.posting import PostError, follow

    counted: Counter[str] = Counter()
    told: set[str] = set()
    try:
        with _poster(to, key_file, told, lang) as poster:
            centre = LiveCentre(rulebook, seed, datetime.now(UTC), events_per_second=rate)
            for posted in follow(centre, poster):
                counted.update({name: getattr(posted, name) for name in ("applied", "duplicate", "accepted")})
                counted["rejected"] += len(posted.rejections)
                for rejection in posted.rejections:
                    if rejection.reason not in told:
                        told.add(rejection.reason)
                        err.print(
                            f"{rejection.event.id}: {rejection.reason}{' ' if lang == 'en' else ''}{rejection.remedy}",
                            markup=False,
                        )
    except (PostError, SinkRefused) as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(EXIT_UNUSABLE) from None
    except KeyboardInterrupt:
        if as_json:
            print_document(dict(counted))
        else:
            names = ("applied", "duplicate", "accepted", "rejected")
            out.print(text("simulate.ended", lang, **{name: counted[name] for name in names}))


@contextmanager
def _poster(to: str | None, key_file: Path | None, told: set[str], lang: Lang) -> Iterator["Posts"]:
    """Send to the monitor named, or, where none is, to the topic of the broker that is configured."""
    from streams.kafka.settings import KafkaSettings
    from streams.simulator.posting import Poster, read_keys

    kafka = KafkaSettings()
    where = to or (f"{kafka.servers}/{kafka.topic}" if kafka.bootstrap else None)
    if where is None or (to is None) != (key_file is None) or (to is not None and "://" not in to):
        _refuse("live_needs", lang)

    def waiting(why: str) -> None:
        if why not in told:
            told.add(why)
            err.print(text("simulate.waiting", lang, url=where, why=why), markup=False)

    if to is not None and key_file is not None:
        poster = Poster(to, read_keys(key_file), lang=lang, waiting=waiting)
        err.print(text("simulate.live", lang, url=where), markup=False)
        yield poster
        return
    from streams.kafka.sink import kafka_poster

    with kafka_poster(kafka, waiting) as produced:
        err.print(text("simulate.live", lang, url=where), markup=False)
        yield produced


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
