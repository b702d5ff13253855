"""A bundle holds everything that led to the verdict on a case, and proves itself without the ledger."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from monitor.evidence import archive, contents
from monitor.evidence.check import Problem, check
from monitor.evidence.export import Exported, export
from monitor.ledger import LedgerError
from monitor.ledger.errors import Refusal
from monitor.ledger.seal import Seal, public_key_of, seal, seal_key, sign, signed
from streams.engine import Engine
from tests.monitor.evidence.made import ANSWERED, CENTRE, SAID, act, fall_late, finish_late, opened
from tests.small_centre import at, delivered, event

pytestmark = pytest.mark.usefixtures("each_database")

NOW = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Give an engine whose ledger holds a late case that was closed, among thirty others."""
    with opened(tmp_path) as engine:
        fall_late(engine)
        finish_late(engine)
        yield engine


def exported(engine: Engine, texts: bool = False, until: Seal | None = None) -> Exported:
    """Export the case."""
    return export(engine.ledger, "c1", "wu", NOW, texts=texts, until=until)


def problems(raw: bytes, sealed: Seal | None = None, public_key: str | None = None) -> tuple[Problem, ...]:
    """Check a bundle; give its problems."""
    return check(raw, sealed, public_key).problems


def documents(raw: bytes) -> dict[str, Any]:
    """Read the files of a bundle that are JSON."""
    with ZipFile(BytesIO(raw)) as opened_zip:
        return {name: json.loads(opened_zip.read(name)) for name in opened_zip.namelist() if name.endswith(".json")}


def test_a_bundle_holds_the_whole_story(engine: Engine) -> None:
    """Events, rulebook, verdict, findings, acts and the explanation in both languages, and who exported it."""
    bundle = exported(engine).bundle
    files = documents(bundle)
    assert [row["type"] for row in files["journal.json"]] == ["apply", "accept", "suspend", "finish"]
    assert files["rulebooks/1.json"]["name"] == "小城"
    assert files["assessment.json"]["light"] == "promised_breach"
    assert "V01" in [finding["rule"] for finding in files["findings.json"]]
    assert [row["act"] for row in files["actions.json"]] == ["acknowledge", "answer", "close"]
    assert (files["manifest.json"]["case"], files["manifest.json"]["exported_by"]) == ("c1", "wu")
    with ZipFile(BytesIO(bundle)) as opened_zip:
        assert "# 办件 c1" in opened_zip.read("explanation.zh.md").decode()
        assert "2026-03-05 Thu" in opened_zip.read("explanation.en.md").decode()
    assert "texts.json" not in files
    for said in (SAID, ANSWERED):
        assert said.encode() not in bundle


def test_words_are_in_it_only_when_asked_for(engine: Engine) -> None:
    """Then those of events and of acts."""
    files = documents(exported(engine, texts=True).bundle)
    assert {(row["source"], row["said"]) for row in files["texts.json"]} == {("hall", SAID), ("actions", ANSWERED)}
    assert files["manifest.json"]["texts"] is True


def test_a_bundle_verifies_with_nothing_but_itself_and_the_key(engine: Engine) -> None:
    """Every row is tied to the chain sealed with it, and the verdict follows again."""
    checked = check(exported(engine, texts=True).bundle, public_key=public_key_of(engine.ledger))
    assert checked.problems == ()
    assert (checked.events, checked.later, checked.sealed_at) == (4, 0, NOW)
    assert checked.public_key == public_key_of(engine.ledger)


def test_the_same_export_gives_the_same_bytes(engine: Engine) -> None:
    """Nothing in a bundle depends on when or where it is made but the instant it states."""
    assert exported(engine).bundle == exported(engine).bundle


def test_a_witness_checks_with_the_seal_he_kept(tmp_path: Path) -> None:
    """A bundle tied to his seal shows what was sealed then, and counts what came later."""
    with opened(tmp_path) as engine:
        fall_late(engine)
        engine.process(delivered(event(case="one-more", time=at(9))), at(9))
        kept = seal(engine.ledger)
        finish_late(engine)
        engine.process(delivered(*(event(case=f"more-{number}", time=at(10)) for number in range(9))), at(10))
        key = public_key_of(engine.ledger)
        checked = check(exported(engine, until=kept).bundle, kept, key)
        assert (checked.problems, checked.events, checked.later) == ((), 4, 1)
        without = check(exported(engine).bundle, kept, key)
        assert {problem.file for problem in without.problems} == {"links.json"}
        assert all("export the bundle with --seal" in problem.why for problem in without.problems)


def test_another_seal_and_another_key_are_not_taken(engine: Engine, tmp_path: Path) -> None:
    """A seal of another ledger, one signed with another key, and a bundle signed with another key are named."""
    bundle = exported(engine).bundle
    elsewhere = replace(seal(engine.ledger).statement, ledger="another")
    (found,) = problems(bundle, signed(seal_key(engine.ledger, None), elsewhere))
    assert (found.file, "is of ledger another" in found.why) == ("--seal", True)
    (found,) = problems(bundle, seal(engine.ledger, tmp_path / "another.key"))
    assert (found.file, "was signed with the key" in found.why) == ("--seal", True)
    (found,) = problems(bundle, public_key="another")
    assert (found.file, "not with the one given" in found.why) == ("signature.json", True)


def test_a_case_with_versions_of_the_rulebook_brings_those_it_was_judged_by(tmp_path: Path) -> None:
    """The one frozen at its acceptance and the one in force now; others it never met stay out."""
    with opened(tmp_path) as engine:
        fall_late(engine)
        with engine.ledger.write() as connection:
            for number, day in ((2, 4), (3, 5), (4, 11)):
                changed = replace(CENTRE, name=f"小城 {number}")
                engine.ledger.publications.publish(connection, changed)
                connection.execute(
                    text("UPDATE rulebooks SET in_force_from = :at WHERE version = :number"),
                    {"at": int(at(day).timestamp() * 1_000_000), "number": number},
                )
        finish_late(engine)
        while engine.tick(at(12)):
            pass
        bundle = exported(engine).bundle
        assert problems(bundle) == ()
        assert [row["version"] for row in documents(bundle)["rulebooks.json"]] == [1, 3, 4]
        rows = contents.decode(archive.read(bundle)["rulebooks.json"], list[contents.RulebookRow])
        without = resigned(engine, bundle, "rulebooks.json", contents.encode([rows[0], rows[2]]))
        found = problems(without)
        assert ("rulebooks.json", "lacks version 3") in {(each.file, each.why[:15]) for each in found}


def test_an_erased_text_is_said_to_be_erased(engine: Engine) -> None:
    """The bundle still verifies."""
    from monitor.ledger.erasure import erase_texts

    erase_texts(engine.ledger, "c1", "applied for", "os:root")
    bundle = exported(engine, texts=True).bundle
    assert problems(bundle) == ()
    assert {(row["said"], row["erased_at"] is None) for row in documents(bundle)["texts.json"]} == {(None, False)}


def test_an_unknown_case_is_refused(engine: Engine) -> None:
    """There is nothing to export."""
    with pytest.raises(Refusal, match="no case c9"):
        export(engine.ledger, "c9", "wu", NOW)


@pytest.mark.parametrize("statement", ["DELETE FROM journal WHERE seq = 16", "DELETE FROM actions WHERE seq = 2"])
def test_a_damaged_ledger_exports_nothing(engine: Engine, statement: str) -> None:
    """Where the chain has a hole, no proof can be made; the answer says what to do."""
    with engine.ledger.write() as connection:
        connection.execute(text(statement))
    with pytest.raises(LedgerError, match="monitor verify"):
        exported(engine)


def test_every_changed_byte_is_named(engine: Engine) -> None:
    """One bit anywhere in the file: the file of the bundle it stands in is named, or the archive as such."""
    bundle = exported(engine, texts=True).bundle
    with ZipFile(BytesIO(bundle)) as opened_zip:
        regions = {
            name: range(place := bundle.index(content), place + len(content))
            for name in opened_zip.namelist()
            if (content := opened_zip.read(name))
        }
    for place in range(0, len(bundle), 7):
        changed = bytearray(bundle)
        changed[place] ^= 1 << place % 8
        found = problems(bytes(changed))
        assert found, f"byte {place} is not found"
        expected = next((name for name, region in regions.items() if place in region), None)
        if expected is not None:
            assert found[0].file == expected, (place, found)


def rewritten(bundle: bytes, name: str, content: bytes) -> bytes:
    """Put another content in the place of a file, with a right checksum."""
    return archive.write({**archive.read(bundle), name: content})


def resigned(engine: Engine, bundle: bytes, name: str, content: bytes) -> bytes:
    """Do so, and sign it again with the ledger's own key, as an insider could."""
    files = {**archive.read(bundle), name: content}
    manifest = contents.decode(files[contents.MANIFEST], contents.Manifest)
    listed = {**manifest.files, name: contents.listed(content)}
    files[contents.MANIFEST] = contents.encode(replace(manifest, files=listed))
    signature = sign(seal_key(engine.ledger, None), files[contents.MANIFEST])
    files[contents.SIGNATURE] = contents.encode(contents.Signature(public_key_of(engine.ledger), signature))
    return archive.write(files)


def test_a_file_rewritten_with_a_right_checksum_is_named(engine: Engine) -> None:
    """The manifest lists what each file was; the signature covers the manifest."""
    bundle = exported(engine).bundle
    for name in archive.read(bundle):
        content = archive.read(bundle)[name]
        (found, *_) = problems(rewritten(bundle, name, content + b" "))
        assert found.file == ("signature.json" if name == "manifest.json" else name)
    files = archive.read(bundle)
    assert problems(archive.write({**files, "more.json": b"{}"}))[0].file == "more.json"
    del files["journal.json"]
    assert problems(archive.write(files))[0].file == "journal.json"


@pytest.mark.parametrize(
    ("name", "old", "new", "why"),
    [
        ("journal.json", b'"backfill": false', b'"backfill": true', "not as it was chained"),
        ("journal.json", b'\\"type\\":\\"finish\\"', b'\\"type\\":\\"archive\\"', "not as it was chained"),
        ("actions.json", b'"act": "close"', b'"act": "answer"', "not as it was chained"),
        ("assessment.json", b'"promised_breach"', b'"normal"', "does not follow from the events: light"),
        ("findings.json", b'"severity": 3', b'"severity": 1', "severity"),
        ("findings.json", b'"state": "live"', b'"state": "withdrawn"', "state"),
        ("rulebooks/1.json", b'"2 wd"', b'"9 wd"', "is not version 1 as it was sealed"),
        ("explanation.zh.md", "超".encode(), "未".encode(), "not what this program says"),
        ("links.json", b'"previous": "', b'"previous": "f', "is not that which leads to row"),
        ("links.json", b'"previous": "', b'"previous": "zz', "is not that which leads to row"),
        ("journal.json", b'"stream"', b'"strom"', "cannot be read"),
        ("findings.json", b"[", b"", "cannot be read"),
    ],
)
def test_even_who_holds_the_key_cannot_change_what_follows(
    engine: Engine, name: str, old: bytes, new: bytes, why: str
) -> None:
    """Signed again by an insider, a change still contradicts the sealed chain, or the arithmetic."""
    bundle = exported(engine).bundle
    content = archive.read(bundle)[name]
    assert old in content, content.decode()[:2_000]
    found = problems(resigned(engine, bundle, name, content.replace(old, new, 1)))
    assert any(problem.file == name and why in problem.why for problem in found), found


def test_a_row_taken_out_is_missed_by_the_verdict(engine: Engine) -> None:
    """Who leaves out an event and signs again is told on by the assessment that no longer follows."""
    bundle = exported(engine).bundle
    rows = contents.decode(archive.read(bundle)["journal.json"], list[contents.JournalRow])
    found = problems(resigned(engine, bundle, "journal.json", contents.encode(rows[:-1])))
    assert "assessment.json" in {problem.file for problem in found}
    (found, *_) = problems(resigned(engine, bundle, "journal.json", b"[]"))
    assert (found.file, found.why) == ("journal.json", "has rows of another case than c1, or none")


@pytest.mark.parametrize("raw", [b"", b"PK", b"no archive at all", b"PK\x05\x06" + b"\x00" * 18, b"\x00" * 100])
def test_what_is_no_bundle_is_said_to_be_none(raw: bytes) -> None:
    """Any other file has one problem, and nothing fails."""
    (found,) = problems(raw)
    assert found.file in ("archive", "manifest.json")


def test_a_compressed_archive_is_not_one_of_ours() -> None:
    """What unpacks to more than it is long is refused before it is unpacked."""
    packed = BytesIO()
    with ZipFile(packed, "w", compression=8) as bomb:
        bomb.writestr("manifest.json", b"0" * 10_000_000)
    (found,) = problems(packed.getvalue())
    assert (found.file, found.why) == ("manifest.json", "not stored as this program stores it")


def test_links_stay_few(engine: Engine) -> None:
    """However long the journal, a bundle carries few of its links: a few hundred rows later hardly more."""
    before = exported(engine).links
    others = [event(case=f"later-{number}", time=at(11)) for number in range(1_000)]
    engine.process(delivered(*others), at(11))
    act(engine.ledger, "wu", "supervise", "请说明")
    after = exported(engine)
    assert before < after.links < 100
    assert problems(after.bundle) == ()
