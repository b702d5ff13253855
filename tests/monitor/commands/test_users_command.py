"""`monitor users` and `monitor audit` as an operator uses them."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from monitor.cli import app
from monitor.ledger import Ledger
from monitor.people import find_user, matches
from tests.small_centre import RULEBOOK

SECRET = "correct horse battery"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A ledger with a rulebook."""
    name = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    with Ledger.open(name) as ledger:
        ledger.publish(RULEBOOK)
    return name


@pytest.fixture
def secret(tmp_path: Path) -> str:
    """A file with the password of every user here."""
    path = tmp_path / "password"
    path.write_text(SECRET + "\n")
    return str(path)


def run(url: str, *arguments: str, given: str | None = None) -> Result:
    """Run `monitor`, with something on its standard input or nothing."""
    return CliRunner().invoke(app, [*arguments, "--ledger", url, "--lang", "en"], input=given)


def done(url: str, *arguments: str, given: str | None = None) -> Any:
    """Run `monitor … --json`; give the document it printed."""
    result = run(url, *arguments, "--json", given=given)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_first_admin_makes_the_others(url: str, secret: str) -> None:
    """From an empty ledger to a county's leader, with passwords from a file and from standard input."""
    assert "makes the first one" in run(url, "users", "list").stdout
    first = done(url, "users", "add", "Admin", "--role", "admin", "--password-file", "-", given=SECRET)
    assert (first["name"], first["role"]) == ("admin", "admin")
    mine = ("--as", "admin", "--as-password-file", secret)
    leader = ("users", "add", "li", "--role", "leader", "--region", "450902", "--password-file", secret)
    refused = run(url, *leader)
    assert refused.exit_code == 2
    assert "--as NAME" in refused.stderr
    assert done(url, *leader, *mine)["region"] == "450902"
    listed = run(url, "users", "list").stdout.splitlines()
    assert listed == ["admin: admin, sees every region", "li: leader, sees region 450902 and all below it"]


def test_users_are_changed_by_name(url: str, secret: str) -> None:
    """Scope, password and disabling take effect, and the list says so."""
    done(url, "users", "add", "li", "--role", "leader", "--password-file", secret)
    assert done(url, "users", "scope", "li", "--region", "4509", "--department", "land")["department"] == "land"
    done(url, "users", "password", "li", "--password-file", "-", given="another long password")
    with Ledger.open(url) as ledger, ledger.read() as connection:
        assert matches(find_user(connection, "li"), "another long password") is not None
    assert done(url, "users", "disable", "li")["disabled_at"] is not None
    assert "disabled since" in run(url, "users", "list").stdout
    assert done(url, "users", "enable", "li")["disabled_at"] is None


def test_an_admins_lost_password_is_recovered_with_a_reason(url: str, secret: str) -> None:
    """Without anybody's word, once a reason is given; nobody else's password is."""
    done(url, "users", "add", "admin", "--role", "admin", "--password-file", secret)
    given = ("users", "password", "admin", "--password-file", "-")
    refused = run(url, *given, given="another long password")
    assert (refused.exit_code, "--as NAME" in refused.stderr) == (2, True)
    done(url, *given, "--recover", "she forgot it", given="another long password")
    with Ledger.open(url) as ledger, ledger.read() as connection:
        assert matches(find_user(connection, "admin"), "another long password") is not None
    assert done(url, "audit", "--act", "user.recover")[0]["detail"] == {"reason": "she forgot it"}


def test_a_password_is_never_an_argument_and_is_not_asked_without_a_terminal(url: str) -> None:
    """A script that forgets the file is told which option to give, not left waiting."""
    result = run(url, "users", "add", "li", "--role", "leader")
    assert result.exit_code == 2
    assert "--password-file" in result.stderr
    missing = run(url, "users", "add", "li", "--role", "leader", "--password-file", "/nowhere")
    assert missing.exit_code == 2
    assert "/nowhere" in missing.stderr


def test_a_wrong_password_does_nothing_and_is_in_the_audit(url: str, secret: str) -> None:
    """Who names a user without the password is refused in the language asked for, and the audit knows."""
    done(url, "users", "add", "admin", "--role", "admin", "--password-file", secret)
    arguments = ("users", "disable", "admin", "--as", "admin", "--as-password-file", "-")
    refused = CliRunner().invoke(app, [*arguments, "--ledger", url, "--lang", "zh"], input="wrong")
    assert refused.exit_code == 2
    assert "密码" in refused.stderr
    (line,) = done(url, "audit", "--act", "signin")
    assert (line["act"], line["object"]) == ("signin.failure", "user:admin")
    assert done(url, "users", "list")[0]["disabled_at"] is None


def test_a_scope_nobody_knows_is_refused_in_the_language_asked_for(url: str, secret: str) -> None:
    """A wrong region is named together with those there are."""
    arguments = ["users", "add", "li", "--role", "leader", "--region", "9", "--password-file", secret]
    refused = CliRunner().invoke(app, [*arguments, "--ledger", url, "--lang", "zh"])
    assert refused.exit_code == 2
    assert "现有区划：4501, 4509, 450902" in refused.stderr


def test_the_audit_is_listed_and_filtered(url: str, secret: str) -> None:
    """Keys, users and reassessments leave lines that are found by actor, act, object and instant."""
    done(url, "users", "add", "li", "--role", "leader", "--password-file", secret)
    key = done(url, "keys", "create", "hall")
    for _ in range(2):
        done(url, "keys", "revoke", key["id"])
    done(url, "reassess")
    lines = done(url, "audit")
    assert [line["act"] for line in lines][:4] == ["case.reassess", "key.revoke", "key.create", "user.add"]
    assert len({line["actor"] for line in lines}) == 1
    assert [line["act"] for line in done(url, "audit", "--object", f"key:{key['id']}")] == ["key.revoke", "key.create"]
    assert [line["act"] for line in done(url, "audit", "--act", "user", "--limit", "1")] == ["user.add"]
    assert done(url, "audit", "--actor", "nobody") == done(url, "audit", "--since", "2199-01-01T00:00:00Z") == []
    shown = run(url, "audit", "--act", "key").stdout
    assert key["key"] not in shown
    assert f"key:{key['id']}" in shown
    assert "Nothing was done" in run(url, "audit", "--actor", "nobody").stdout
