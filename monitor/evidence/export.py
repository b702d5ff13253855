"""Export: gather everything that led to the verdict on a case, tie it to the ledger's chains, and sign it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from monitor.assessment import assess
from monitor.evidence import archive, contents
from monitor.evidence.contents import ActionRow, FindingRow, JournalRow, Links, RulebookRow, Signature, TextRow
from monitor.evidence.proof import action_links, journal_links
from monitor.evidence.telling import tell
from monitor.explain import explain
from monitor.language import LANGS
from monitor.ledger.access import Ledger
from monitor.ledger.chain import ACTIONS
from monitor.ledger.errors import Refusal
from monitor.ledger.packing import unpack_assessment, unpack_entries
from monitor.ledger.schema import actions, cases, findings, journal, positions, rulebooks
from monitor.ledger.seal import Seal, Statement, public_half, seal_key, sign, signed, state, to_document
from monitor.ledger.stored import as_stored
from monitor.rulebook.model import RulebookHistory


class Exported(msgspec.Struct, frozen=True):
    """A bundle and the SHA-256 of its manifest, which the audit keeps."""

    bundle: bytes
    manifest: str
    events: int
    links: int


def export(
    ledger: Ledger,
    case: str,
    actor: str,
    now: datetime,
    key_file: Path | None = None,
    texts: bool = False,
    until: Seal | None = None,
) -> Exported:
    """Make the bundle of a case; the same ledger, case, actor and instant give the same bytes.

    Its rows are tied to the heads of a seal made now, which is in it, and to those of `until`, which must be a seal
    of this ledger that was verified. Raises Refusal for a case there is none of, LedgerError for a ledger that does not
    say what follows from its events.
    """
    with ledger.read() as connection:
        case_row = connection.execute(select(cases).where(cases.c.case == case)).one_or_none()
        if case_row is None:
            raise Refusal("evidence.no_case", case=case)
        statement = state(ledger, connection, now)
        position = connection.execute(select(positions).where(positions.c.stream == case_row.stream)).one()
        gathered = _Gathering(ledger, connection, case_row, [statement, *([until.statement] if until else [])])
        files = gathered.files(texts)
    key = seal_key(ledger, key_file)
    files[contents.SEAL] = to_document(signed(key, statement))
    manifest = contents.encode(
        contents.Manifest(
            format=contents.FORMAT,
            program=version("supervision-monitor"),
            ledger=ledger.id,
            case=case,
            exported_at=now,
            exported_by=actor,
            horizon=position.horizon,
            texts=texts,
            files={name: contents.listed(files[name]) for name in sorted(files)},
        )
    )
    files[contents.MANIFEST] = manifest
    files[contents.SIGNATURE] = contents.encode(Signature(public_half(key), sign(key, manifest)))
    return Exported(archive.write(files), sha256(manifest).hexdigest(), gathered.events, gathered.links)


class _Gathering:
    """The files of one case's bundle, read in one state of the ledger."""

    def __init__(self, ledger: Ledger, connection: Connection, case: Row[Any], statements: Sequence[Statement]) -> None:
        self._ledger, self._connection, self._case, self._statements = ledger, connection, case, statements
        entries = unpack_entries(case.events)
        self._entries = sorted(entries, key=lambda entry: (entry.event.order, entry.content_hash))
        self._assessment = unpack_assessment(case.assessment)
        self.events, self.links = len(entries), 0

    def files(self, with_texts: bool) -> dict[str, bytes]:
        """Give every file but the manifest, its signature and the seal."""
        history, rows = self._rulebooks()
        found = self._findings()
        acts = self._actions([each.id for each in found])
        links = self._links([row.seq for row in acts])
        self.links = len(links.journal) + len(links.actions)
        documents: dict[str, Any] = {
            contents.JOURNAL: self._journal(),
            contents.LINKS: links,
            contents.RULEBOOKS: rows,
            contents.ASSESSMENT: self._assessment,
            contents.FINDINGS: found,
            contents.ACTIONS: acts,
        }
        if with_texts:
            documents[contents.TEXTS] = self._texts()
        judged_at = self._assessment.judged_at
        told = {contents.EXPLANATIONS[lang]: explain(self._entries, history, judged_at, lang) for lang in LANGS}
        pages = {name: tell(told[name], lang) for lang, name in contents.EXPLANATIONS.items()}
        return {
            **{name: contents.encode(document) for name, document in documents.items()},
            **pages,
            **{row.file: self._published[row.version].content for row in rows},
        }

    def _journal(self) -> list[JournalRow]:
        numbers = [entry.seq for entry in self._entries]
        ours = (journal.c.stream == self._case.stream) & journal.c.seq.in_(numbers)
        rows = self._connection.execute(select(*as_stored(journal)).where(ours).order_by(journal.c.seq)).mappings()
        return [_journal_row(row) for row in rows]

    def _links(self, acts: list[int]) -> Links:
        stream = self._case.stream
        heads = [head.seq for each in self._statements if (head := each.head(stream)) is not None]
        ends = [each.chain(ACTIONS.name).seq for each in self._statements]
        return Links(
            journal=journal_links(self._connection, stream, heads, [entry.seq for entry in self._entries]),
            actions=action_links(self._connection, ends, acts),
        )

    def _rulebooks(self) -> tuple[RulebookHistory, list[RulebookRow]]:
        """Choose the versions the assessment follows from: those in force at the case's events, else all before it."""
        whole = self._ledger.publications.history(self._connection, version=self._assessment.rulebook)
        used = {whole.at(entry.event.time).version for entry in self._entries} | {whole.current.version}
        versions = tuple(each for each in whole.versions if each.version in used)
        history = RulebookHistory(versions, whole.current)
        if assess(self._entries, history, self._assessment.judged_at) != self._assessment:
            history = whole
        numbers = [each.version for each in history.versions]
        query = select(rulebooks).where(rulebooks.c.version.in_(numbers)).order_by(rulebooks.c.version)
        self._published = {row.version: row for row in self._connection.execute(query)}
        return history, [_rulebook_row(self._published[number]) for number in numbers]

    def _findings(self) -> list[FindingRow]:
        ours = findings.c.case == self._case.case
        rows = self._connection.execute(select(findings).where(ours).order_by(findings.c.id)).mappings()
        return [_finding_row(row) for row in rows]

    def _actions(self, ids: list[str]) -> list[ActionRow]:
        ours = actions.c.finding.in_(ids)
        rows = self._connection.execute(select(*as_stored(actions)).where(ours).order_by(actions.c.seq)).mappings()
        return [ActionRow(**{name: row[name] for name in ActionRow.__struct_fields__}) for row in rows]

    def _texts(self) -> list[TextRow]:
        kept = self._ledger.texts.of_case(self._connection, self._case.case)
        return [TextRow(each.hash, each.source, each.id, each.said, each.erased_at) for each in kept]


def _journal_row(row: Mapping[Any, Any]) -> JournalRow:
    plain = {name: row[name] for name in JournalRow.__struct_fields__}
    return JournalRow(**{**plain, "backfill": bool(row["backfill"]), "content": row["content"].decode()})


def _rulebook_row(row: Row[Any]) -> RulebookRow:
    file = f"rulebooks/{row.version}.json"
    return RulebookRow(row.version, row.in_force_from, row.published_at, row.reason, row.digest, file)


def _finding_row(row: Mapping[Any, Any]) -> FindingRow:
    plain = {name: row[name] for name in FindingRow.__struct_fields__}
    withdrawal = msgspec.json.decode(row["withdrawal"]) if row["withdrawal"] is not None else None
    return FindingRow(**{**plain, "evidence": msgspec.json.decode(row["evidence"]), "withdrawal": withdrawal})
