"""The proof of the rules in its short form: what `make rules-report` shows of a year, of some days here."""

from datetime import date

import pytest

from monitor.rulebook.load import load
from streams.simulator.dirty import DIRTS
from streams.simulator.proving import CLEAN, Account, Plan, Proof, prove
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def plan() -> Plan:
    """A few days of a small centre with much trouble, in the city that ships."""
    return Plan(load(ROOT / "monitor" / "rulebooks" / "yulin"), seed=3, first=date(2009, 3, 2), days=4, dense=True)


def test_in_a_clean_feed_everything_planted_is_found_and_nothing_else(plan: Plan) -> None:
    """Every violation stands as a finding or its source cannot tell it, and no card ever went out that was not one."""
    proof = prove(plan, CLEAN)
    assert proof.examples == []
    assert proof.is_clean
    assert len([rule for rule, account in proof.rules.items() if account.found]) >= 15
    for rule, account in proof.rules.items():
        assert account.found + sum(account.missed.values()) == account.planted, rule
        assert account.missed.keys() <= {"not_observed"}, rule
    assert (proof.rules["V23"].found, proof.rules["V31"].found) == (2, 1)
    assert proof.data == {}


@pytest.mark.parametrize("name", sorted(DIRTS))
def test_no_dirt_makes_a_card_that_was_not_planted(plan: Plan, name: str) -> None:
    """Whatever a feed does to the truth, no card goes out that was not planted and does not stand as contested."""
    proof = prove(plan, name)
    assert proof.is_clean, proof.examples
    announced = sum(account.announced for account in proof.rules.values())
    assert (announced > 0) == (name == "late-undeclared")
    if name in ("lost-accept", "lost-finish"):
        assert proof.clocks_not_observed > 150
    if name == "late-undeclared":
        assert proof.contested >= announced
    if name == "at-end":
        assert proof.provisional > 0


def test_a_proof_does_not_hold_with_a_card_too_many() -> None:
    """What stands and was not planted, or was announced and quietly taken back, spoils the proof."""
    assert Proof("f", 1, 1, {"V01": Account(planted=1, found=1)}).is_clean
    assert not Proof("f", 1, 1, {"V01": Account(raised=1)}).is_clean
    assert not Proof("f", 1, 1, {"V01": Account(announced=2, contested=1)}).is_clean
    assert Proof("f", 1, 1, {"V01": Account(announced=2, contested=2)}).is_clean


def test_a_feed_of_no_known_dirt_is_refused(plan: Plan) -> None:
    """A name that is none is an error that names it."""
    with pytest.raises(KeyError, match="mud"):
        prove(plan, "mud")
