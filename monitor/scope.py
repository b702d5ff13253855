"""What a person may see: a part of the regions and departments, findings of some modes, persons or not.

Functions that read cases or findings for people take a `Scope` and put its conditions into their SQL, so that what
is out of it never leaves the database.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Table

from monitor.people import Role, User
from monitor.rulebook.model import Rulebook
from monitor.verdict import FindingMode

MODES: Final[Mapping[Role, tuple[FindingMode, ...]]] = {
    "leader": ("card",),
    "department": ("card",),
    "operator": ("card",),
    "inspector": ("backlog", "lead", "card"),
    "admin": ("shadow", "backlog", "lead", "card"),
}
"""The modes whose findings a role sees: leads and backlog are the inspectors', shadow is for who tries a rule out."""

SEES_PERSONS: Final[frozenset[Role]] = frozenset({"inspector", "admin"})
"""Roles that are shown operators and windows."""

PERSONAL: Final = frozenset({"window", "operator", "approver", "officers", "chair", "against", "applicant"})
"""Fields that name a person, or a window where one person sits."""
MASK: Final = "•••"
_BESIDE: Final = frozenset({"code", "values"})
"""What stands beside `field` in the evidence of a code nobody knows."""


class Scope(msgspec.Struct, frozen=True):
    """What may be seen: these regions and this department (None: all), findings of `modes`, persons or not."""

    regions: frozenset[str] | None
    department: str | None
    modes: tuple[FindingMode, ...]
    persons: bool

    def conditions(self, table: Table) -> Iterator[ColumnElement[bool]]:
        """Give the conditions on a table with columns `region` and `department`, and on its `mode` if it has one."""
        if self.regions is not None:
            yield table.c.region.in_(sorted(self.regions))
        if self.department is not None:
            yield table.c.department == self.department
        if "mode" in table.c:
            yield table.c.mode.in_(self.modes)

    def shown(self, value: Any, name: str = "") -> Any:
        """Put a mask where a value of JSON names a person, unless persons may be seen."""
        if self.persons:
            return value
        if name in PERSONAL and isinstance(value, str):  # a number counts them
            return MASK
        if isinstance(value, dict):
            hidden = _BESIDE if value.get("field") in PERSONAL else frozenset()
            return {key: MASK if key in hidden else self.shown(each, key) for key, each in value.items()}
        return [self.shown(each, name) for each in value] if isinstance(value, list) else value


def scope_of(user: User, rulebook: Rulebook) -> Scope:
    """Give what a user may see, by the region tree of a rulebook."""
    return Scope(
        regions=None if user.region is None else rulebook.below(user.region),
        department=user.department,
        modes=MODES[user.role],
        persons=user.role in SEES_PERSONS,
    )
