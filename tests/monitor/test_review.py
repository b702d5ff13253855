"""Review: an inspector's word on a finding, and what it does not touch (design section 4)."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from monitor.case import open_file
from monitor.events import CONSOLE, EventData
from monitor.explain import explain
from monitor.ledger import Ledger
from monitor.ledger.digest import misreported
from monitor.ledger.findings import told
from monitor.ledger.schema import findings, outbox
from monitor.ledger.verify import verify
from monitor.review import reviewed
from monitor.rulebook.model import RuleSetting
from monitor.verdict import Assessment, JournalEntry, Severity, Stage, finding_id
from monitor.wording import say_finding
from streams.engine import Engine
from tests.databases import ledger_url
from tests.monitor.cases import BOOK, Line, at, case, clock, finding, found, history, judge, when
from tests.small_centre import RULEBOOK, delivered, event
from tests.small_centre import at as day

pytestmark = pytest.mark.usefixtures("each_database")

V01 = finding_id("C1", "V01", "promised")
LATE = (
    at("2009-03-02 09:00", "apply"),
    at("2009-03-02 10:00", "accept"),
    at("2009-03-09 10:00", "approve", outcome="refused"),
    at("2009-03-10 09:00", "finish", outcome="refused"),
    at("2009-03-10 10:00", "archive"),
)
"""Promised for 2009-03-09, finished a day late."""
CONTESTED = (
    *LATE[:3],
    at("2009-03-09 17:00", "finish", received="2009-03-12 08:00", outcome="refused"),
    at("2009-03-12 09:00", "archive"),
)
"""Finished in time, but the news came beyond lateness."""
PROVISIONAL = tuple(at(line.time, line.kind.value, source="at_end") for line in LATE[:2])
"""Open and overdue, of a source that tells of suspensions only once they have ended."""
UNTIL = "2009-03-20 09:00"


def word(kind: str, time: str = "2009-03-13 09:00", of: str = V01, **changes: Any) -> Line:
    """An inspector's verdict on a finding."""
    return at(time, f"card_{kind}", source=CONSOLE, finding=of, **changes)


def judged(*lines: Line, until: str = UNTIL) -> Assessment:
    """Judge a case of the item `permit`."""
    return judge(case(*lines), until)


def without_findings(assessment: Assessment) -> Assessment:
    """Give what an assessment says beside its findings and what follows from them."""
    return msgspec.structs.replace(assessment, findings=(), measures=(), light=assessment.light.NORMAL)


@pytest.mark.parametrize("doubtful", [CONTESTED, PROVISIONAL])
@pytest.mark.parametrize("kind", ["confirmed", "upheld"])
def test_an_inspector_ends_the_doubt(doubtful: tuple[Line, ...], kind: str) -> None:
    """Confirmed, or upheld against an appeal, a contested or provisional finding stands; the evidence says by what."""
    assert finding(judged(*doubtful), "V01").state in ("contested", "provisional")
    said = finding(judged(*doubtful, word(kind)), "V01")
    assert said.state == "live"
    assert said.evidence["verdict"] == {
        "event": f"console/card_{kind}",
        "type": f"card_{kind}",
        "at": "2009-03-13T01:00:00Z",
    }


@pytest.mark.parametrize("lines", [LATE, CONTESTED, PROVISIONAL])
def test_a_cancelled_finding_is_kept_and_counts_as_just_that(lines: tuple[Line, ...]) -> None:
    """It stays in the assessment, told to nobody, in no figure but its own; the clock is what it was."""
    before, after = judged(*lines), judged(*lines, word("cancelled"))
    assert found(after) == [(rule, "cancelled" if rule == "V01" else state) for rule, state in found(before)]
    assert not told(finding(after, "V01"))
    assert clock(after, "promised") == clock(before, "promised")
    assert {m.name for m in after.measures if m.name.startswith("findings_")} <= {"findings_cancelled"}


def test_the_light_ignores_a_cancelled_finding() -> None:
    """Neither the finding nor the clock it was about colours the case; what else is wrong still does."""
    assert (judged(*LATE).light, judged(*LATE, word("cancelled")).light) == ("promised_breach", "normal")
    slow = (*LATE[:2], word("cancelled", "2009-03-13 09:00"))
    assert judged(*slow, until="2009-04-02 09:00").light == "statutory_breach"


def test_the_last_verdict_counts() -> None:
    """Cancelled, then confirmed after all, it stands; a verdict taken back was never given."""
    cancelled, confirmed = word("cancelled"), word("confirmed", "2009-03-14 09:00")
    assert finding(judged(*LATE, confirmed, cancelled), "V01").state == "live"
    assert finding(judged(*LATE, word("upheld"), word("cancelled", "2009-03-14 09:00")), "V01").state == "cancelled"
    taken_back = at("2009-03-15 09:00", "retract", source=CONSOLE, target="card_cancelled")
    assert finding(judged(*LATE, cancelled, taken_back), "V01").state == "live"


def test_a_verdict_on_no_finding_has_no_effect() -> None:
    """Neither one on a finding the case does not have, nor one that names none."""
    nothing = (word("cancelled", of="0" * 24), word("confirmed", "2009-03-14 09:00", of=V01))
    assert found(judged(*LATE[:3], word("cancelled"), until="2009-03-09 12:00")) == []
    assert judged(*LATE, *nothing[:1]).findings == judged(*LATE).findings


def test_only_the_console_has_a_word() -> None:
    """No approval system may cancel the findings against itself."""
    assert finding(judged(*LATE, at("2009-03-13 09:00", "card_cancelled", finding=V01)), "V01").state == "live"


def test_a_verdict_touches_nothing_else() -> None:
    """Stage, department, item, region, clocks and what may be judged are those of the source systems' events."""
    astray = word("confirmed", "2009-02-01 09:00", department="fire", item="long")
    with_word, without = judged(*LATE, astray), judged(*LATE)
    assert without_findings(with_word) == without_findings(without)
    assert found(with_word) == found(without)
    assert judged(astray).stage is Stage.OTHER


def test_a_verdict_is_never_late_news() -> None:
    """An inspector's word that arrives a week after it was given contests nothing."""
    late = word("confirmed", "2009-03-11 09:00", received="2009-03-19 09:00")
    assert open_file(case(*LATE, late), history(BOOK), when(UNTIL)).late == ()


def test_graver_evidence_does_not_revive_a_cancelled_finding() -> None:
    """Whatever its severity has become, it stays cancelled until an inspector says otherwise."""
    file = open_file(case(*LATE, word("cancelled")), history(BOOK), when(UNTIL))
    graver = msgspec.structs.replace(finding(judged(*LATE), "V01"), severity=Severity.STATUTORY_BREACH)
    (said,) = reviewed(file, [graver])
    assert (said.state, said.severity) == ("cancelled", Severity.STATUTORY_BREACH)


@pytest.mark.parametrize("kind", ["confirmed", "upheld", "cancelled"])
def test_explain_shows_the_verdict(kind: str) -> None:
    """The time line has the inspector's word, and the finding says what was decided, in both languages."""
    entries = case(*CONTESTED, word(kind))
    for lang, sentence in (("zh", "监察人员于 2009-03-13 09:00"), ("en", "by an inspector at 2009-03-13 09:00")):
        told_there = explain(entries, history(BOOK), when(UNTIL), lang)  # type: ignore[arg-type]
        assert told_there.timeline[-1].note == ""
        assert any(sentence in said for said, _ in told_there.findings)
    assert "待复核" not in say_finding(finding(judge(entries, UNTIL), "V01"), "zh", BOOK)


def test_the_outbox_withdraws_what_an_inspector_cancels_and_raises_it_again(tmp_path: Path) -> None:
    """Everybody who was told hears of it, each time; the ledger is sound."""
    book = msgspec.structs.replace(RULEBOOK, rules={"V04": RuleSetting(mode="card")}, profiles=BOOK.profiles)
    with Ledger.open(ledger_url(tmp_path)) as ledger:
        ledger.publish(book)
        engine = Engine(ledger)
        engine.process(delivered(event("apply")), day(20))
        with ledger.read() as connection:
            of = connection.execute(select(findings.c.id).where(findings.c.rule == "V04")).scalar_one()
        for number, kind in ((21, "cancelled"), (22, "cancelled"), (23, "upheld")):
            said = EventData(finding=of)
            name = f"{kind}{number}"
            engine.process(
                delivered(event(f"card_{kind}", name=name, source=CONSOLE, time=day(number), data=said)), day(number)
            )
        engine.close()
        with ledger.read() as connection:
            acts = connection.execute(select(outbox.c.act, outbox.c.delivery).order_by(outbox.c.seq)).all()
            assert misreported(connection) == set()
        assert [tuple(act) for act in acts] == [("raise", "send"), ("withdraw", "send"), ("raise", "send")]
        assert verify(ledger).difference is None


def test_the_entries_of_the_console_are_kept_apart() -> None:
    """The file of a case holds them as verdicts, and not among its events."""
    entries: list[JournalEntry] = case(*LATE, word("cancelled"))
    file = open_file(entries, history(BOOK), when(UNTIL))
    assert [entry.event.type for entry in file.verdicts] == ["card_cancelled"]
    assert len(file.events) == len(LATE)
