"""People who may sign in: name, role, what they see, and a password of which only an argon2 hash is kept.

Names are unique whatever their case and are kept in small letters. A user is never deleted, so that a name in the
audit always means the same person; who left is disabled.
"""

import re
import secrets
import unicodedata
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, Literal, get_args

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, Row, insert, select, update

from monitor.ledger import audit
from monitor.ledger.errors import Refusal
from monitor.ledger.notices import tell_inspectors
from monitor.ledger.schema import users
from monitor.rulebook.model import Rulebook

Role = Literal["leader", "inspector", "department", "operator", "admin"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

PASSWORD_LENGTH_MIN: Final = 12
"""Long rather than tangled: a sentence is easier to keep than a character of each kind."""
PASSWORD_LENGTH_MAX: Final = 256

_NAME: Final = re.compile(r"[^\W_][\w.@-]{0,63}")  # no colon: it ends the name in HTTP Basic, and marks `os:`
_hasher = PasswordHasher()  # argon2id with the library's parameters, about 50 ms


class User(msgspec.Struct, frozen=True):
    """A person: sees `region` and all below it (None: every region), and of it `department` alone unless None."""

    name: str
    role: Role
    region: str | None
    department: str | None
    created_at: datetime
    disabled_at: datetime | None = None


class Actor(msgspec.Struct, frozen=True):
    """Who does something: a user who gave the password, or (None) the account that runs the command."""

    name: str
    user: User | None = None

    def require(self, *roles: Role) -> User:
        """Give the user if the role is one of these. Raises Refusal."""
        if self.user is None:
            raise Refusal("people.sign_in", roles=", ".join(roles))
        if self.user.role not in roles:
            raise Refusal("people.role_needed", name=self.user.name, role=self.user.role, roles=", ".join(roles))
        return self.user


def this_account() -> Actor:
    """Give who runs this process, as an actor that is no user."""
    return Actor(audit.operator_account())


def add_user(
    connection: Connection,
    actor: Actor,
    name: str,
    role: Role,
    password: str,
    region: str | None = None,
    department: str | None = None,
    rulebook: Rulebook | None = None,
) -> User:
    """Add a user. Raises Refusal for a name, password or scope that cannot be, and for who may not add users."""
    _may_manage(connection, actor)
    name = folded(name)
    if _NAME.fullmatch(name) is None:
        raise Refusal("people.name_form", name=name)
    if _row(connection, name) is not None:
        raise Refusal("people.name_taken", name=name)
    _check_scope(role, region, department, rulebook)
    user = User(name, role, region, department, datetime.now(UTC))
    connection.execute(insert(users).values(**msgspec.structs.asdict(user), password=_hash(name, password)))
    audit.record(connection, actor.name, "user.add", f"user:{name}", _seen(user))
    return user


def set_password(connection: Connection, actor: Actor, name: str, password: str) -> User:
    """Give a user another password: one's own, or, for an admin, anybody's."""
    user = _known(connection, name)
    if actor.user is None or actor.user.name != user.name:
        _may_manage(connection, actor)
    connection.execute(update(users).where(users.c.name == user.name).values(password=_hash(user.name, password)))
    audit.record(connection, actor.name, "user.password", f"user:{user.name}", {})
    return user


def recover(connection: Connection, actor: Actor, name: str, password: str, reason: str) -> User:
    """Give an admin who lost the password another one, without any user's word: for who has the ledger's file.

    Such a person could change the ledger anyway; so the audit and the inspectors are told. Raises Refusal for a user
    with another role, whom an admin helps, and without a reason.
    """
    user = _known(connection, name)
    if user.role != "admin":
        raise Refusal("people.recover_admins", name=user.name)
    if not reason.strip():
        raise Refusal("people.recover_reason")
    connection.execute(update(users).where(users.c.name == user.name).values(password=_hash(user.name, password)))
    audit.record(connection, actor.name, "user.recover", f"user:{user.name}", {"reason": reason})
    tell_inspectors(connection, f"user:{user.name}")
    return user


def set_scope(
    connection: Connection,
    actor: Actor,
    name: str,
    region: str | None,
    department: str | None,
    rulebook: Rulebook | None = None,
) -> User:
    """Change what a user sees."""
    _may_manage(connection, actor)
    user = _known(connection, name)
    _check_scope(user.role, region, department, rulebook)
    changed = msgspec.structs.replace(user, region=region, department=department)
    values = {"region": region, "department": department}
    connection.execute(update(users).where(users.c.name == user.name).values(**values))
    detail = {"before": _seen(user), "after": _seen(changed)}
    audit.record(connection, actor.name, "user.scope", f"user:{user.name}", detail)
    return changed


def disable(connection: Connection, actor: Actor, name: str) -> User:
    """Keep a user out; one already disabled keeps the instant."""
    user = _known(connection, name)
    return user if user.disabled_at else _set_disabled(connection, actor, user, datetime.now(UTC))


def enable(connection: Connection, actor: Actor, name: str) -> User:
    """Let a disabled user in again, with the old password."""
    user = _known(connection, name)
    return _set_disabled(connection, actor, user, None) if user.disabled_at else user


def list_users(connection: Connection) -> list[User]:
    """List the users by name."""
    return [_user(row) for row in connection.execute(select(users).order_by(users.c.name))]


def has_users(connection: Connection) -> bool:
    """Tell whether a user was ever added."""
    return connection.execute(select(users.c.name).limit(1)).first() is not None


def active_users(connection: Connection, *roles: Role) -> list[User]:
    """List the users with one of these roles who may sign in."""
    return [user for user in list_users(connection) if user.disabled_at is None and user.role in roles]


def find_user(connection: Connection, name: str) -> tuple[User, str] | None:
    """Find a user, disabled or not, with the hash of the password; None: nobody has this name."""
    row = _row(connection, folded(name))
    return None if row is None else (_user(row), row.password)


def matches(found: tuple[User, str] | None, password: str) -> User | None:
    """Give the user found if this is the password and he may sign in.

    Takes as long for a name that nobody has, so that the time does not tell which names there are. Slow on purpose:
    never call it inside a transaction, nor on an event loop.
    """
    given = _normal(password)[: PASSWORD_LENGTH_MAX + 1]
    try:
        _hasher.verify(_nobody() if found is None else found[1], given)
    except (VerificationError, InvalidHashError):
        return None
    return None if found is None or found[0].disabled_at is not None else found[0]


def folded(name: str) -> str:
    """Write a name as it is kept: `Zhang.San` and `zhang.san` are one."""
    return _normal(name.strip()).casefold()


def require_among(connection: Connection, actor: Actor, *roles: Role) -> None:
    """Require one of these roles; where nobody has one, whoever has the ledger's file may. Raises Refusal."""
    if actor.user is not None or active_users(connection, *roles):
        actor.require(*roles)


def _may_manage(connection: Connection, actor: Actor) -> None:
    require_among(connection, actor, "admin")


def _set_disabled(connection: Connection, actor: Actor, user: User, at: datetime | None) -> User:
    _may_manage(connection, actor)
    connection.execute(update(users).where(users.c.name == user.name).values(disabled_at=at))
    audit.record(connection, actor.name, "user.disable" if at else "user.enable", f"user:{user.name}", {})
    return msgspec.structs.replace(user, disabled_at=at)


def _check_scope(role: Role, region: str | None, department: str | None, rulebook: Rulebook | None) -> None:
    """Refuse a scope of codes nobody knows: it would show nothing, and nobody would know why."""
    if role == "department" and department is None:
        raise Refusal("people.department_needed")
    if (region or department) and rulebook is None:
        raise Refusal("people.no_rulebook")
    if rulebook is not None and region is not None and region not in rulebook.region:
        raise Refusal("people.unknown_region", code=region, known=", ".join(sorted(rulebook.region)))
    if rulebook is not None and department is not None and department not in rulebook.department:
        raise Refusal("people.unknown_department", code=department, known=", ".join(sorted(rulebook.department)))


def _hash(name: str, password: str) -> str:
    given = _normal(password)
    if not PASSWORD_LENGTH_MIN <= len(given) <= PASSWORD_LENGTH_MAX:
        raise Refusal("people.password_length", least=PASSWORD_LENGTH_MIN, most=PASSWORD_LENGTH_MAX)
    if name in given.casefold() and len(given) < len(name) + PASSWORD_LENGTH_MIN:
        raise Refusal("people.password_is_name", least=PASSWORD_LENGTH_MIN)
    return _hasher.hash(given)


@cache
def _nobody() -> str:
    """Make the hash that the password of an unknown name is compared with."""
    return _hasher.hash(secrets.token_urlsafe())


def _normal(written: str) -> str:
    # One keyboard gives full-width letters where another gives plain ones; people mean the same.
    return unicodedata.normalize("NFKC", written)


def _known(connection: Connection, name: str) -> User:
    row = _row(connection, folded(name))
    if row is None:
        raise Refusal("people.unknown_user", name=folded(name))
    return _user(row)


def _row(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(select(users).where(users.c.name == name)).one_or_none()


def _user(row: Row[Any]) -> User:
    return User(row.name, row.role, row.region, row.department, row.created_at, row.disabled_at)


def _seen(user: User) -> dict[str, str | None]:
    return {"role": user.role, "region": user.region, "department": user.department}
