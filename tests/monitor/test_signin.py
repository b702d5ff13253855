"""Signing in: what is remembered, for how long, and what guessing costs."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from monitor import signin
from monitor.ledger import Ledger, audit
from monitor.people import User, add_user, disable, set_password, this_account
from monitor.signin import NotNow, SignIn, Throttle
from tests.databases import ledger_url

pytestmark = pytest.mark.usefixtures("each_database")

SECRET = "correct horse battery"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with one user, li."""
    with Ledger.open(ledger_url(tmp_path)) as ledger:
        with ledger.write() as connection:
            add_user(connection, this_account(), "li", "leader", SECRET)
        yield ledger


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each password that costs a hash."""
    seen: list[str] = []
    real = signin.matches

    def noting(found: tuple[User, str] | None, password: str) -> User | None:
        seen.append(password)
        return real(found, password)

    monkeypatch.setattr(signin, "matches", noting)
    return seen


def ask(sign_in: SignIn, name: str = "li", password: str = SECRET, address: str = "10.0.0.1") -> User | None:
    """Sign in once."""
    return asyncio.run(sign_in.recognise(name, password, address))


def test_a_password_found_right_is_not_hashed_again(ledger: Ledger, hashed: list[str]) -> None:
    """A dashboard that asks every second costs one hash, under whatever case the name is typed."""
    sign_in = SignIn(ledger)
    assert [ask(sign_in, name) for name in ("li", "LI", "li")] == [ask(sign_in)] * 3
    assert hashed == [SECRET]
    assert ask(sign_in, password="wrong password") is None
    assert hashed == [SECRET, "wrong password"]


def test_many_requests_at_once_cost_one_hash(ledger: Ledger, hashed: list[str]) -> None:
    """A page that sends ten requests with a password not seen yet does not queue ten hashes."""
    sign_in = SignIn(ledger)

    async def page() -> list[User | None]:
        return await asyncio.gather(*(sign_in.recognise("li", SECRET, "10.0.0.1") for _ in range(10)))

    assert {user.name for user in asyncio.run(page()) if user is not None} == {"li"}
    assert len(hashed) <= signin.CHECKS_AT_ONCE


@pytest.mark.parametrize("change", ["disabled", "password"])
def test_what_the_ledger_says_counts_again_within_seconds(
    ledger: Ledger, hashed: list[str], monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """A user disabled, or given another password, is out as soon as what is remembered has to be looked at again."""
    sign_in = SignIn(ledger)
    assert ask(sign_in) is not None
    with ledger.write() as connection:
        if change == "disabled":
            disable(connection, this_account(), "li")
        else:
            set_password(connection, this_account(), "li", "another long password")
    assert ask(sign_in) is not None, "still believed"
    monkeypatch.setattr(signin, "RECHECK_SECONDS", 0.0)
    assert ask(sign_in) is None


def test_guessing_one_user_from_one_place_is_slowed_down(ledger: Ledger, hashed: list[str]) -> None:
    """After a few failures the next is not even looked at; the user himself elsewhere is not kept out."""
    sign_in = SignIn(ledger)
    for number in range(signin.FREE_FROM_ADDRESS_FOR_NAME):
        assert ask(sign_in, password=f"guess {number}") is None
    with pytest.raises(NotNow) as wait:
        ask(sign_in)
    assert wait.value.seconds == 1
    assert len(hashed) == signin.FREE_FROM_ADDRESS_FOR_NAME
    assert ask(sign_in, address="10.0.0.2") is not None
    assert ask(sign_in) is not None, "a password known to be right is no guess"


def test_guessing_many_names_from_one_place_is_slowed_down(ledger: Ledger) -> None:
    """Trying one password with every name there might be is guessing as well."""
    sign_in = SignIn(ledger)
    for number in range(signin.FREE_FROM_ADDRESS):
        assert ask(sign_in, name=f"user{number}") is None
    with pytest.raises(NotNow):
        ask(sign_in, name="li")


def test_a_password_of_absurd_length_costs_nothing(ledger: Ledger, hashed: list[str]) -> None:
    """What cannot be a password is not hashed."""
    assert ask(SignIn(ledger), password="x" * 100_000) is None
    assert hashed == []


def test_waiting_grows_to_a_minute_and_is_forgotten() -> None:
    """Each failure doubles the wait up to a minute; a quarter of an hour of peace ends it; memory is bounded."""
    throttle, key = Throttle(), ("name", "li")
    waits = []
    for number in range(12):
        throttle.failed(key, now=float(number) / 1000)
        waits.append(round(throttle.wait_seconds(key, free=3, now=float(number) / 1000)))
    assert waits == [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert throttle.wait_seconds(key, free=3, now=signin.FORGET_SECONDS + 1) == 0
    throttle.failed(key, now=signin.FORGET_SECONDS + 1)
    assert throttle.wait_seconds(key, free=2, now=signin.FORGET_SECONDS + 1) == 0
    for number in range(signin.TRACKED_MAX + 10):
        throttle.failed(("name", str(number)), now=1000.0)
    assert len(throttle._failures) == signin.TRACKED_MAX


def test_failures_are_one_line_of_the_audit(ledger: Ledger) -> None:
    """A hundred failures are told together: how many for whom; what was typed as an unknown name is not kept."""
    sign_in = SignIn(ledger)
    for number in range(3):
        ask(sign_in, password=f"guess {number}")
    ask(sign_in, name="my password by mistake")
    with ledger.read() as connection:
        assert audit.entries(connection, act="signin") == []
    sign_in.failures.tell()
    sign_in.failures.tell()
    with ledger.read() as connection:
        (line,) = audit.entries(connection, act="signin")
    assert (line.actor, line.detail) == ("monitor", {"users": {"li": 3}, "unknown_names": 1})


def test_failures_wait_for_a_ledger_that_can_be_written(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures that cannot be written down now are counted with the next ones."""
    sign_in = SignIn(ledger)
    ask(sign_in, password="guess 1")

    def full() -> None:
        raise OperationalError("INSERT", {}, Exception("disk full"))

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "write", full)
        sign_in.failures.tell()
    ask(sign_in, password="guess 2")
    sign_in.failures.tell()
    with ledger.read() as connection:
        (line,) = audit.entries(connection, act="signin")
    assert line.detail["users"] == {"li": 2}
