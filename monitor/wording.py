"""Wording: verdicts in sentences a person reads, in Chinese or English, with local times of the calendar's zone."""

from datetime import datetime, time
from decimal import Decimal
from fractions import Fraction
from typing import Final

from monitor.calendar import Calendar
from monitor.events import PROCEDURES
from monitor.language import Lang, text
from monitor.rulebook.model import Rulebook, parse_limit
from monitor.verdict import Finding, Severity

_LAST_MOMENT: Final = time(23, 59, 59, 999_999)
_INSTANTS: Final = (
    "at",
    "recorded",
    "received",
    "before",
    "accepted_at",
    "due_at",
    "known_at",
    "planned_until",
    "ended_at",
    "last_event",
    "last_received",
)
_CHANGES_SAID: Final = 5


def say_instant(instant: datetime | str, calendar: Calendar) -> str:
    """Write an instant in local time to the second; the last moment of a day as 24:00."""
    if isinstance(instant, str):
        instant = datetime.fromisoformat(instant)
    local = calendar.local(instant)
    if local.time() == _LAST_MOMENT:
        return f"{local:%Y-%m-%d} 24:00"
    return f"{local:%Y-%m-%d %H:%M:%S}" if local.second else f"{local:%Y-%m-%d %H:%M}"


def say_limit(written: str, lang: Lang, extension_days: float = 0) -> str:
    """Write a limit as in `20 wd` in words."""
    if written == "due":
        return text("limit.due", lang)
    limit = parse_limit(written)
    if limit.days == 0:
        return text("limit.same_day", lang)
    one = "_one" if limit.days == 1 else ""
    said = text(f"limit.{limit.unit}{one}", lang, days=f"{limit.days.normalize():f}")
    if not extension_days:
        return said
    return text("limit.extended", lang, limit=said, days=f"{Decimal(str(extension_days)).normalize():f}")


def say_days(units: int, per_day: int) -> str:
    """Write units of a clock in days: whole where they are whole, else to four places."""
    days = Fraction(units, per_day)
    return str(days.numerator) if days.denominator == 1 else f"{float(days):.4f}"


def say_clock(name: str, subject: str, lang: Lang, book: Rulebook) -> str:
    """Name a clock with the step, department or round it belongs to."""
    said = text(f"clock.{name}", lang)
    if not subject:
        return said
    if name == "step":
        subject = text(f"event.{subject}", lang)
    elif name == "leg":
        subject = say_department(subject, lang, book)
    else:
        subject = f"#{subject}"
    return f"{said}（{subject}）" if lang == "zh" else f"{said} ({subject})"


def say_department(code: str, lang: Lang, book: Rulebook) -> str:
    """Name a department; an unknown code stands for itself."""
    department = book.department.get(code)
    return code if department is None else (department.name if lang == "zh" else department.name_en)


def say_item(code: str, lang: Lang, book: Rulebook) -> str:
    """Name an item; an unknown code stands for itself."""
    item = book.item.get(code)
    return code if item is None else (item.name if lang == "zh" else item.name_en)


def say_region(code: str, lang: Lang, book: Rulebook) -> str:
    """Name a region; an unknown code stands for itself."""
    region = book.region.get(code)
    return code if region is None else (region.name if lang == "zh" else region.name_en)


def say_procedure(code: str, lang: Lang) -> str:
    """Name a procedure of art. 45; any other code stands for itself."""
    return text(f"procedure.{code}", lang) if code in PROCEDURES else code


def say_severity(severity: Severity, lang: Lang) -> str:
    """Name a severity."""
    return text(f"severity.{severity.name.lower()}", lang)


def say_finding(finding: Finding, lang: Lang, book: Rulebook) -> str:
    """Say in one sentence what was found, from the finding's evidence alone."""
    evidence, calendar = finding.evidence, book.days
    said = text(f"rule.{finding.rule}.text", lang, **_parameters(finding, lang, book))
    if "verdict" in evidence:
        verdict = evidence["verdict"]
        decided = text(f"finding.{verdict['type']}", lang, at=say_instant(verdict["at"], calendar))
        return said + _join(decided, lang)
    if finding.state == "provisional":
        said += _join(text("finding.provisional", lang), lang)
    if finding.state == "contested":
        late = evidence["came_late"]
        times = {name: say_instant(late[name], calendar) for name in ("occurred", "received")}
        recorded = say_instant(late["recorded"], calendar) if late["recorded"] else "—"
        kind = text(f"event.{late['type']}", lang)
        said += _join(text("finding.late", lang, type=kind, recorded=recorded, **times), lang)
    return said


def _join(more: str, lang: Lang) -> str:
    return f"{more}。" if lang == "zh" else f" {more[0].upper()}{more[1:]}."


def _changes(changes: list[dict[str, str]], lang: Lang) -> str:
    """Say the first few of the differences between two rulebooks."""
    said = [text(f"danger.{each['kind']}", lang, **each) for each in changes[:_CHANGES_SAID]]
    return ("；" if lang == "zh" else "; ").join([*said, "…"] if len(changes) > _CHANGES_SAID else said)


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parameters(finding: Finding, lang: Lang, book: Rulebook) -> dict[str, str]:
    """Turn evidence into the parameters of the rule's text; each rule's text takes the ones it needs."""
    evidence, calendar = finding.evidence, book.days
    said = {name: _plain(value) for name, value in evidence.items() if isinstance(value, str | int | float)}
    said |= {name: say_instant(evidence[name], calendar) for name in _INSTANTS if evidence.get(name)}
    if "field" in evidence:
        said["field"] = text(f"field.{evidence['field']}", lang)
    said |= {name: ", ".join(evidence[name]) for name in ("values", "materials") if name in evidence}
    if "missing" in evidence:
        said["missing"] = ", ".join(text(f"event.{step}", lang) for step in evidence["missing"])
    if "procedure" in evidence:
        said["procedure"] = say_procedure(evidence["procedure"], lang)
    if "step" in evidence:
        said["step"] = text(f"event.{evidence['step']}", lang)
    if "steps" in evidence:
        said["steps"] = ", ".join(text(f"event.{step}", lang) for step in evidence["steps"])
    if "lacks" in evidence:
        said["lacks"] = ", ".join(text(f"lacks.{each}", lang) for each in evidence["lacks"])
    if "early" in evidence:
        said |= {side: text(f"event.{evidence[side]}", lang) for side in ("early", "late")}
        said |= {side: say_instant(evidence[side], calendar) for side in ("early_at", "late_at")}
    if "clock" in evidence:
        name, _, subject = str(evidence["clock"]).partition(":")
        said["clock"] = say_clock(name, str(evidence.get("subject", subject)), lang, book)
    if "due" in evidence:
        said["limit"] = say_limit(str(evidence["limit"]), lang, float(evidence.get("extension_days", 0)))
        said["started"] = say_instant(evidence["started_at"], calendar)
        said["due"] = say_instant(evidence["due"], calendar)
        ended = evidence.get("ended_at")
        said["outcome"] = (
            text("finding.ended", lang, ended=say_instant(ended, calendar)) if ended else text("finding.open", lang)
        )
    if "changes" in evidence:
        said["changes"] = _changes(evidence["changes"], lang)
    if "act" in evidence:
        said["act"] = text(f"rule.{finding.rule}.{evidence['act']}", lang, **said)
    return said
