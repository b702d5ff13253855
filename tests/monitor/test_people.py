"""Users: who may be one, who may make one, and what their passwords are worth."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Connection, select

from monitor.ledger import Ledger, audit
from monitor.ledger.errors import Refusal
from monitor.ledger.schema import outbox, users
from monitor.people import (
    Actor,
    Role,
    active_users,
    add_user,
    disable,
    enable,
    find_user,
    list_users,
    matches,
    recover,
    set_password,
    set_scope,
    this_account,
)
from tests.databases import ledger_url
from tests.small_centre import RULEBOOK

pytestmark = pytest.mark.usefixtures("each_database")

SECRET = "一句容易记住的长密码 2026"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A transaction that may write, in a ledger without users."""
    with Ledger.open(ledger_url(tmp_path)) as ledger, ledger.write() as connection:
        yield connection


def add(connection: Connection, name: str, role: Role = "leader", actor: Actor | None = None) -> Actor:
    """Add a user and give it as an actor."""
    return Actor(name, add_user(connection, actor or this_account(), name, role, SECRET))


def test_a_password_is_kept_as_an_argon2_hash(connection: Connection) -> None:
    """Nothing in the ledger gives the password away, and two users with the same one have different hashes."""
    add(connection, "li")
    add(connection, "wu")
    stored = set(connection.execute(select(users.c.password)).scalars())
    assert len(stored) == 2
    assert all(each.startswith("$argon2id$") and SECRET not in each for each in stored)


def test_only_the_right_password_of_a_user_not_disabled_is_taken(connection: Connection) -> None:
    """A wrong password, an unknown name and a disabled user all end in the same: nobody."""
    actor = add(connection, "li")
    assert matches(find_user(connection, "li"), SECRET) == actor.user
    assert matches(find_user(connection, "li"), SECRET + " ") is None
    assert matches(find_user(connection, "wu"), SECRET) is None
    disable(connection, this_account(), "li")
    assert matches(find_user(connection, "li"), SECRET) is None
    enable(connection, this_account(), "li")
    assert matches(find_user(connection, "li"), SECRET) == actor.user


def test_an_unknown_name_costs_as_much(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash is computed for it as well, so that the time does not tell which names there are."""
    verified: list[str] = []

    class Noting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - the library's
            verified.append(str(hash))
            return super().verify(hash, password)

    add(connection, "li")
    monkeypatch.setattr("monitor.people._hasher", Noting())
    assert matches(find_user(connection, "li"), "wrong") is None
    assert matches(find_user(connection, "nobody"), "wrong") is None
    known, unknown = (stored.split("$")[1:4] for stored in verified)
    assert known == unknown


@pytest.mark.parametrize("again", ["Zhang.San", "ZHANG.SAN", "ｚhang.san", " zhang.san "])
def test_names_differ_by_more_than_case(connection: Connection, again: str) -> None:
    """A name in other letters or another width is the same user."""
    add(connection, "zhang.san")
    found = find_user(connection, again)
    assert found is not None
    assert found[0].name == "zhang.san"
    with pytest.raises(Refusal, match="There is a user zhang"):
        add(connection, again)


@pytest.mark.parametrize("name", ["", "a:b", "os:root", "a b", "-li", "x" * 65, "a\nb", "a/b"])
def test_a_name_that_could_be_mistaken_is_refused(connection: Connection, name: str) -> None:
    """A colon would end the name in HTTP Basic and could pass for an account of the machine."""
    with pytest.raises(Refusal, match="cannot be the name of a user"):
        add(connection, name)


@pytest.mark.parametrize(
    ("password", "said"), [("short", "12 to 256"), ("x" * 257, "12 to 256"), ("li.wang.1234", "than the name")]
)
def test_a_weak_password_is_refused(connection: Connection, password: str, said: str) -> None:
    """One too short, too long, or little more than the name is refused with what is expected."""
    with pytest.raises(Refusal, match=said):
        add_user(connection, this_account(), "li.wang", "leader", password)
    assert list_users(connection) == []


def test_the_machine_makes_the_first_admin_and_then_only_admins_make_users(connection: Connection) -> None:
    """Whoever has the ledger's file makes users until there is an admin; a leader never does."""
    leader = add(connection, "leader")
    admin = add(connection, "admin", "admin")
    for actor, said in ((this_account(), "--as NAME"), (leader, "has the role leader; this is for admin")):
        with pytest.raises(Refusal, match=said):
            add(connection, "wu", actor=actor)
        with pytest.raises(Refusal, match=said):
            set_scope(connection, actor, "leader", None, None)
        with pytest.raises(Refusal, match=said):
            disable(connection, actor, "admin")
    assert add(connection, "wu", actor=admin).name == "wu"


def test_a_ledger_whose_admins_are_gone_is_not_lost(connection: Connection) -> None:
    """Once the last admin is disabled, whoever has the file may add another."""
    admin = add(connection, "admin", "admin")
    disable(connection, admin, "admin")
    assert active_users(connection, "admin") == []
    add(connection, "next", "admin")
    with pytest.raises(Refusal, match="--as NAME"):
        enable(connection, this_account(), "admin")


def test_everybody_changes_his_own_password_and_an_admin_anybodys(connection: Connection) -> None:
    """A leader gives himself another password, but nobody else."""
    admin = add(connection, "admin", "admin")
    li, wu = add(connection, "li", actor=admin), add(connection, "wu", actor=admin)
    set_password(connection, li, "LI", SECRET + "!")
    assert matches(find_user(connection, "li"), SECRET + "!") is not None
    with pytest.raises(Refusal, match="this is for admin"):
        set_password(connection, li, "wu", SECRET + "!")
    set_password(connection, admin, "wu", SECRET + "?")
    assert matches(find_user(connection, "wu"), SECRET) is None
    assert wu.user is not None


def test_an_admin_who_lost_the_password_gets_another(connection: Connection) -> None:
    """Whoever has the ledger's file may do that for admins, with a reason; the audit and the inspectors are told."""
    admin = add(connection, "admin", "admin")
    add(connection, "li", actor=admin)
    account = this_account()
    for name, reason, said in (("li", "lost", "li is no admin"), ("admin", " ", "--recover")):
        with pytest.raises(Refusal, match=said):
            recover(connection, account, name, SECRET + "!", reason)
    recover(connection, account, "admin", SECRET + "!", "lost")
    assert matches(find_user(connection, "admin"), SECRET + "!") is not None
    line = audit.entries(connection)[0]
    assert (line.actor, line.act, line.detail) == (account.name, "user.recover", {"reason": "lost"})
    told = connection.execute(select(outbox)).one()
    assert (told.act, told.finding, told.mode) == ("notice", "user:admin", "lead")


def test_a_scope_names_what_the_rulebook_has(connection: Connection) -> None:
    """A region or department nobody knows would show nothing; a department's user needs a department."""
    for role, region, department, said in (
        ("leader", "9999", None, "no region 9999. Its regions are: 4501"),
        ("leader", None, "fire", "no department fire"),
        ("department", "4509", None, "--department"),
    ):
        with pytest.raises(Refusal, match=said):
            add_user(connection, this_account(), "li", role, SECRET, region, department, RULEBOOK)  # type: ignore[arg-type]
    with pytest.raises(Refusal, match="this ledger has none"):
        add_user(connection, this_account(), "li", "leader", SECRET, "4509")
    user = add_user(connection, this_account(), "li", "department", SECRET, "4509", "land", RULEBOOK)
    with pytest.raises(Refusal, match="--department"):
        set_scope(connection, this_account(), "li", None, None, RULEBOOK)
    assert set_scope(connection, this_account(), "li", None, "land", RULEBOOK).region is None
    assert (user.region, user.department) == ("4509", "land")


def test_what_is_done_to_users_is_in_the_audit_without_their_passwords(connection: Connection) -> None:
    """Who did what to whom stands there, in order; doing nothing leaves no line."""
    admin = add(connection, "admin", "admin")
    add(connection, "li", actor=admin)
    set_password(connection, admin, "li", SECRET + "!")
    set_scope(connection, admin, "li", None, None)
    for _ in range(2):
        disable(connection, admin, "li")
    for _ in range(2):
        enable(connection, admin, "li")
    lines = audit.entries(connection)[::-1]
    account = this_account().name
    assert account.startswith("os:")
    assert [(line.actor, line.act, line.object) for line in lines] == [
        (account, "user.add", "user:admin"),
        ("admin", "user.add", "user:li"),
        ("admin", "user.password", "user:li"),
        ("admin", "user.scope", "user:li"),
        ("admin", "user.disable", "user:li"),
        ("admin", "user.enable", "user:li"),
    ]
    assert SECRET not in repr(lines)
    assert lines[3].detail["before"] == {"role": "leader", "region": None, "department": None}
