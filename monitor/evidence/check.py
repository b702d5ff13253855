"""Check a bundle with nothing but itself: every byte is as it was signed, and the verdict follows from the events."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.metadata import version
from typing import Final

import msgspec

from monitor.assessment import assess
from monitor.events import content_hash, from_content
from monitor.evidence import archive, contents
from monitor.evidence.contents import ActionRow, FindingRow, JournalRow, Link, Links, Manifest, RulebookRow, Signature
from monitor.evidence.proof import BrokenLink, broken
from monitor.evidence.telling import tell
from monitor.explain import explain
from monitor.ledger.chain import ACTIONS
from monitor.ledger.errors import LedgerError
from monitor.ledger.findings import finding_columns
from monitor.ledger.instants import from_us
from monitor.ledger.journal import row_hash
from monitor.ledger.packing import digest_of
from monitor.ledger.publication import standing
from monitor.ledger.seal import Published, Seal, Statement, from_document, is_signed, verify_signature
from monitor.rulebook.model import Rulebook, RulebookHistory, RulebookVersion
from monitor.verdict import Assessment, JournalEntry

OTHER_SEAL: Final = "--seal"
ANOTHER_SEAL: Final = " from the seal given; export the bundle with --seal to have its links in it"


class Problem(msgspec.Struct, frozen=True):
    """What does not hold: the file of the bundle it stands in, and why; `archive` is the file as a whole."""

    file: str
    why: str


class Checked(msgspec.Struct, frozen=True):
    """What a bundle is, and every problem found; without any it is as it was signed, and its verdict follows.

    `later` are rows of the journal that came after the seal it was checked with. `program` made it; another one may
    judge by other rules, and then says so as a problem.
    """

    problems: tuple[Problem, ...]
    manifest: Manifest | None = None
    public_key: str = ""
    sealed_at: datetime | None = None
    events: int = 0
    later: int = 0


def check(raw: bytes, sealed: Seal | None = None, public_key: str | None = None) -> Checked:
    """Check a bundle: its bytes, signature, chains up to its own seal or another one, and that its verdict follows.

    `sealed` is a seal that a witness kept; `public_key` the key the witness was given. Without the key the bundle is
    only known to be of whoever holds the key it names.
    """
    checking = _Checking(sealed, public_key)
    try:
        files = archive.read(raw)
    except archive.Damaged as damaged:
        return Checked((Problem(damaged.file, damaged.why),))
    problems = tuple(checking.problems(files))
    statement = checking.statement
    return Checked(
        problems,
        checking.manifest,
        checking.public_key,
        statement.sealed_at if statement is not None else None,
        len(checking.rows),
        checking.later,
    )


class _Unreadable(Exception):
    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.why)


class _Checking:
    def __init__(self, sealed: Seal | None, public_key: str | None) -> None:
        self._sealed, self._expected_key = sealed, public_key
        self.manifest: Manifest | None = None
        self.statement: Statement | None = None
        self.public_key = ""
        self.rows: list[JournalRow] = []
        self.later = 0

    def problems(self, files: dict[str, bytes]) -> Iterator[Problem]:
        """Find every problem; what a file says is only looked at once it is known to be the file that was signed."""
        self._files = files
        try:
            self.manifest = self._read(contents.MANIFEST, Manifest)
            found = [*self._listed(self.manifest), *self._signed()]
            yield from found
            if not found:
                yield from self._sound()
        except _Unreadable as unreadable:
            yield unreadable.problem

    def _sound(self) -> Iterator[Problem]:
        assert self.manifest is not None, "the manifest was read"
        self.rows = self._read(contents.JOURNAL, list[JournalRow])
        self._events = self._entries()
        own = self._seal_of(self.manifest, None)
        statements = [own.statement]
        if self._sealed is not None:
            statements.append(self._seal_of(self.manifest, self._sealed).statement)
        self.statement = statements[-1]
        for statement in statements:
            yield from self._chained(statement, statement is own.statement)
            yield from self._published(statement, statement is own.statement)
        yield from self._judged()

    def _listed(self, manifest: Manifest) -> Iterator[Problem]:
        signed = self._files.keys() - {contents.MANIFEST, contents.SIGNATURE}
        for name in sorted(signed - manifest.files.keys()):
            yield Problem(name, "is not listed in manifest.json: it was put in")
        for name, stated in manifest.files.items():
            if name not in self._files:
                yield Problem(name, "is listed in manifest.json and not there")
            elif (found := contents.listed(self._files[name])) != stated:
                yield Problem(name, f"was changed: its SHA-256 is {found.sha256}, signed was {stated.sha256}")

    def _signed(self) -> Iterator[Problem]:
        signature = self._read(contents.SIGNATURE, Signature)
        self.public_key = signature.public_key
        if contents.encode(signature) != self._files[contents.SIGNATURE]:
            yield Problem(contents.SIGNATURE, "is not as this program writes it")
        if self._expected_key is not None and signature.public_key != self._expected_key:
            yield Problem(contents.SIGNATURE, f"signed with the key {signature.public_key}, not with the one given")
        if not is_signed(self._files[contents.MANIFEST], signature.signature, signature.public_key):
            yield Problem(contents.SIGNATURE, "does not fit manifest.json: one of the two was changed")

    def _seal_of(self, manifest: Manifest, sealed: Seal | None) -> Seal:
        file = contents.SEAL if sealed is None else OTHER_SEAL
        try:
            sealed = sealed or from_document(self._file(contents.SEAL))
            verify_signature(sealed, self.public_key)
        except LedgerError as error:
            raise _Unreadable(Problem(file, str(error))) from None
        if sealed.statement.ledger != manifest.ledger:
            raise _Unreadable(Problem(file, f"is of ledger {sealed.statement.ledger}, the bundle of {manifest.ledger}"))
        return sealed

    def _chained(self, statement: Statement, own: bool) -> Iterator[Problem]:
        """Follow the links from the heads of a seal to the rows; of another seal those that came later are spared."""
        read, end = self._read(contents.LINKS, Links), statement.chain(ACTIONS.name)
        journal_links, action_links = ({link.seq: link for link in each} for each in (read.journal, read.actions))
        for row in self.rows:
            head = statement.head(row.stream)
            if not own and (head is None or row.seq > head.seq):
                self.later += 1
                continue
            sealed = ("", 0) if head is None else (head.chain_hash, head.seq)
            yield from _proved(contents.JOURNAL, journal_links, sealed, row.seq, _hash(row), own)
        for act in self._read(contents.ACTIONS, list[ActionRow]):
            if own or act.seq <= end.seq:
                hashed = ACTIONS.row_hash(msgspec.structs.asdict(act))
                yield from _proved(contents.ACTIONS, action_links, (end.chain_hash, end.seq), act.seq, hashed, own)

    def _published(self, statement: Statement, own: bool) -> Iterator[Problem]:
        """Compare the versions with those that were sealed; one that was in force at an event must not be left out."""
        rows = self._read(contents.RULEBOOKS, list[RulebookRow])
        sealed = {each.version: each for each in statement.rulebooks}
        for row in rows:
            found = Published(row.version, digest_of(self._file(row.file)), row.in_force_from)
            if (own or row.version in sealed) and sealed.get(row.version) != found:
                yield Problem(row.file, f"is not version {row.version} as it was sealed")
        if not own or not rows:
            return
        versions = {row.version for row in rows}
        in_force = standing([each for each in statement.rulebooks if each.version <= max(versions)])
        for time in sorted({entry.event.time for entry in self._events}):
            begun = [each for each in in_force if each.in_force_from is None or each.in_force_from <= time]
            if begun and begun[-1].version not in versions:
                yield Problem(contents.RULEBOOKS, f"lacks version {begun[-1].version}, in force at {time.isoformat()}")
                return

    def _judged(self) -> Iterator[Problem]:
        """Take the assessment again, and compare it and all that is told of it."""
        assert self.manifest is not None, "the manifest was read"
        entries, history = self._events, self._history()
        if {entry.event.case for entry in entries} != {self.manifest.case}:
            yield Problem(contents.JOURNAL, f"has rows of another case than {self.manifest.case}, or none")
            return
        stated = self._read(contents.ASSESSMENT, Assessment)
        again = assess(entries, history, stated.judged_at)
        if again != stated:
            names = [name for name in Assessment.__struct_fields__ if getattr(again, name) != getattr(stated, name)]
            yield Problem(contents.ASSESSMENT, f"does not follow from the events: {', '.join(names)}{self._by()}")
        yield from self._findings(again)
        for lang, name in contents.EXPLANATIONS.items():
            if tell(explain(entries, history, stated.judged_at, lang), lang) != self._file(name):
                yield Problem(name, f"is not what this program says of the case{self._by()}")

    def _entries(self) -> list[JournalEntry]:
        try:
            return sorted(map(_entry, self.rows), key=lambda entry: (entry.event.order, entry.content_hash))
        except (msgspec.DecodeError, OverflowError) as error:
            raise _Unreadable(Problem(contents.JOURNAL, f"has a row that is no event: {error}")) from None

    def _history(self) -> RulebookHistory:
        published = self._read(contents.RULEBOOKS, list[RulebookRow])
        versions = tuple(
            RulebookVersion(row.version, self._read(row.file, Rulebook), row.in_force_from) for row in published
        )
        if not versions:
            raise _Unreadable(Problem(contents.RULEBOOKS, "lists no version"))
        return RulebookHistory(versions, versions[-1])

    def _findings(self, again: Assessment) -> Iterator[Problem]:
        rows = {row.id: row for row in self._read(contents.FINDINGS, list[FindingRow])}
        for finding in again.findings:
            row = rows.pop(finding.id, None)
            if row is None:
                yield Problem(contents.FINDINGS, f"lacks finding {finding.id}{self._by()}")
                continue
            expected = finding_columns(finding, again)
            del expected["case"], expected["evidence"]
            wrong = [name for name, value in expected.items() if getattr(row, name) != value]
            if wrong or row.evidence != finding.evidence:
                yield Problem(
                    contents.FINDINGS, f"finding {finding.id}: {', '.join(wrong or ['evidence'])}{self._by()}"
                )
        for row in rows.values():
            if row.state != "withdrawn":
                yield Problem(contents.FINDINGS, f"finding {row.id} stands and does not follow{self._by()}")

    def _by(self) -> str:
        ours = version("supervision-monitor")
        assert self.manifest is not None, "the manifest was read"
        made = self.manifest.program
        return "" if made == ours else f" (made by version {made} of the program, checked by {ours})"

    def _file(self, name: str) -> bytes:
        if name not in self._files:
            raise _Unreadable(Problem(name, "is missing"))
        return self._files[name]

    def _read(self, name: str, kind: type[contents.Content]) -> contents.Content:
        try:
            return contents.decode(self._file(name), kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _Unreadable(Problem(name, f"cannot be read: {error}")) from None


def _proved(
    file: str, links: Mapping[int, Link], head: tuple[str, int], seq: int, row_hash: bytes, own: bool
) -> Iterator[Problem]:
    try:
        why = broken(links, head, seq, row_hash)
    except BrokenLink as error:
        yield Problem(contents.LINKS, f"{file}: {error}{'' if own else ANOTHER_SEAL}")
        return
    if why is not None:
        yield Problem(file, f"row {seq} {why}")


def _hash(row: JournalRow) -> bytes:
    return row_hash({**msgspec.structs.asdict(row), "content": row.content.encode()})


def _entry(row: JournalRow) -> JournalEntry:
    written = row.content.encode()
    return JournalEntry(from_content(written), from_us(row.received_at), content_hash(written), row.seq)
