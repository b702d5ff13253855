"""The explanation of a verdict as a page to read: Markdown, in one language."""

from collections.abc import Iterable, Iterator, Sequence

from monitor.explain import Explanation
from monitor.language import Lang, text

_FACTS = ("item", "department", "stage", "light", "judged_at", "versions")
_TIMELINE = ("time", "event", "by", "note")
_DAYS = ("day", "counted", "sum", "why", "mark")


def tell(told: Explanation, lang: Lang) -> bytes:
    """Write an explanation."""
    return ("\n".join(_lines(told, lang)) + "\n").encode()


def _lines(told: Explanation, lang: Lang) -> Iterator[str]:
    yield f"# {text('explain.case', lang, case=told.case)}"
    yield ""
    for name in _FACTS:
        yield f"- {text(f'explain.{name}', lang)}: {getattr(told, name)}"
    if told.deemed:
        yield f"- {told.deemed}"
    yield from _section("timeline", lang)
    yield from _table(_TIMELINE, told.timeline, lang)
    yield from _section("clocks", lang)
    for clock in told.clocks:
        yield from (f"### {clock.title}", "")
        for said in filter(None, (clock.dates, *clock.pauses, clock.arithmetic)):
            yield from (said, "")
        if clock.days:
            yield from _table(_DAYS, clock.days, lang)
            yield ""
    yield from _section("findings", lang)
    if not told.findings:
        yield text("explain.no_findings", lang)
    for sentence, evidence in told.findings:
        yield from (f"- {sentence}", f"  {evidence}")


def _section(name: str, lang: Lang) -> tuple[str, str, str]:
    return ("", f"## {text(f'explain.{name}', lang)}", "")


def _table(columns: Sequence[str], rows: Iterable[object], lang: Lang) -> Iterator[str]:
    yield _row([text(f"explain.{name}", lang) for name in columns])
    yield _row(["---"] * len(columns))
    for row in rows:
        yield _row([getattr(row, name) for name in columns])


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
