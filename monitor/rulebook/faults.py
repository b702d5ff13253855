"""Faults: what is wrong in a rulebook's files, where, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from monitor.language import Lang, text

SHOWN_MAX = 20
"""So many faults go into the message of an exception; `RulebookFaults.faults` holds them all."""


@dataclass(frozen=True, order=True)
class Fault:
    """One fault: `file` and `line` (from 1), `where` in the rulebook, `code` of the reason, its parameters."""

    file: str
    line: int
    where: str
    code: str
    params: tuple[tuple[str, str], ...] = field(default=())

    def reason(self, lang: Lang) -> str:
        """Say what is wrong."""
        return text(f"fault.{self.code}.reason", lang, **dict(self.params))

    def remedy(self, lang: Lang) -> str:
        """Say what to do about it."""
        return text(f"fault.{self.code}.remedy", lang, **dict(self.params))

    def describe(self, lang: Lang) -> str:
        """Say file, line, place, reason and remedy in one line."""
        place = f"{self.file}:{self.line}: {self.where}: " if self.where else f"{self.file}:{self.line}: "
        return f"{place}{self.reason(lang)}{' ' if lang == 'en' else ''}{self.remedy(lang)}"


def fault(file: str, line: int, where: str, code: str, /, **params: object) -> Fault:
    """Make a fault; the parameters fill the placeholders of its texts."""
    return Fault(file, line, where, code, tuple((name, str(value)) for name, value in params.items()))


class RulebookFaults(Exception):
    """A rulebook that cannot be used: every fault found, in the order of files and lines."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults: tuple[Fault, ...] = tuple(sorted(set(faults)))
        lines = [found.describe("en") for found in self.faults[:SHOWN_MAX]]
        if len(self.faults) > SHOWN_MAX:
            lines.append(f"… and {len(self.faults) - SHOWN_MAX} more")
        super().__init__("\n".join(lines))
