"""Routes for people who sign in: a case with its time line, findings, and rejects. They read and change nothing.

What a user sees is bounded by his scope in the query itself. Looking at a reject is written to the audit.
"""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import Query, Request, Response
from sqlalchemy import Connection, RowMapping

from monitor.access import Gate, Router, signed_in
from monitor.answers import Answer, accepted_language, refusal
from monitor.language import Lang
from monitor.ledger import Ledger, LedgerError, audit
from monitor.ledger.positions import last_horizon
from monitor.ledger.rejects import newest
from monitor.masking import masked
from monitor.people import User
from monitor.reading import PAGE_MAX, FindingFilter, read_case, read_findings
from monitor.rulebook.model import Rulebook
from monitor.rules import RULES
from monitor.scope import MASK, Scope
from monitor.verdict import Finding, Severity
from monitor.wording import say_finding


class Records:
    """The routes that show single cases, findings and rejects to users."""

    def __init__(self, ledger: Ledger, gate: Gate) -> None:
        self._ledger, self._gate = ledger, gate

    def router(self) -> Router:
        """Make the routes."""
        router = Router("records")
        router.declare("/api/cases/{case:path}", self.case, signed_in())
        router.declare("/api/findings", self.findings, signed_in())
        router.declare("/api/rejects", self.rejects, signed_in("admin"))
        router.declare("/api/rejects/{seq}", self.reject, signed_in("admin"))
        return router

    def case(self, request: Request, case: str) -> Response:
        """Show a case: stage, light, clocks and findings as last assessed, and its events in their order.

        Windows and operators are shown to inspectors and admins alone; free texts and applicants to nobody.
        """
        lang, user = _asked(request)
        with self._ledger.read() as connection:
            scope = self._gate.scope(connection, user)
            record = read_case(connection, case, scope)
            book = self._book(connection)
        if record is None:
            return refusal(404, "records.no_case", lang, case=case).response()
        verdict = record.assessment
        found = [
            {"says": _says(finding, scope, lang, book), **_finding(msgspec.to_builtins(finding), scope)}
            for finding in verdict.findings
        ]
        stated = msgspec.to_builtins(msgspec.structs.replace(verdict, findings=(), measures=()))
        return Answer(200, {**stated, "findings": found, "timeline": record.timeline}).response()

    def findings(
        self,
        request: Request,
        kind: Annotated[str | None, Query(description="conduct or data")] = None,
        state: Annotated[str | None, Query(description="live, provisional, contested or withdrawn")] = None,
        mode: Annotated[str | None, Query(description="card, lead or shadow, as far as the role sees them")] = None,
        rule: str | None = None,
        case: str | None = None,
        region: str | None = None,
        department: str | None = None,
        item: str | None = None,
        severity: Annotated[str | None, Query(description="notice, warning, promised_breach, statutory_breach")] = None,
        since: Annotated[datetime | None, Query(description="detected at or after this instant (RFC 3339)")] = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 100,
        after: Annotated[str | None, Query(description="'next' of the page before")] = None,
    ) -> Response:
        """List findings, newest detection first, a page at a time.

        Leads are shown to inspectors and admins, findings in shadow to admins alone.
        """
        lang, user = _asked(request)
        if severity is not None and severity.upper() not in Severity.__members__:
            return refusal(400, "records.no_severity", lang, severity=severity).response()
        if since is not None and since.tzinfo is None:
            return refusal(400, "records.no_offset", lang, since=since.isoformat()).response()
        wanted = FindingFilter(
            kind,
            state,
            mode,
            rule,
            case,
            region,
            department,
            item,
            Severity[severity.upper()] if severity else None,
            since,
        )
        with self._ledger.read() as connection:
            scope = self._gate.scope(connection, user)
            book = self._book(connection)
            try:
                page = read_findings(connection, scope, wanted, limit, after)
            except ValueError:
                return refusal(400, "records.no_page", lang, after=after).response()
        return Answer(
            200, {"findings": [_row(row, scope, lang, book) for row in page.rows], "next": page.next}
        ).response()

    def rejects(
        self,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 100,
        before: Annotated[int | None, Query(description="only those with a smaller number")] = None,
    ) -> Response:
        """List the newest rejects with field and reason, without what was delivered."""
        with self._ledger.read() as connection:
            return Answer(200, {"rejects": newest(connection, limit, before=before)}).response()

    def reject(self, request: Request, seq: int) -> Response:
        """Show what was delivered, every value masked; the audit says who looked. Null: it has expired."""
        lang, user = _asked(request)
        try:
            with self._ledger.write() as connection:
                known, raw = self._ledger.vault.open(connection, seq)
                audit.record(connection, user.name, "reject.view", f"reject:{seq}", {"digest": known.digest})
        except LedgerError as error:
            return refusal(404, "records.no_reject", lang, detail=error).response()
        shown = None if raw is None else masked(raw)
        return Answer(200, {**msgspec.to_builtins(known), "delivered": shown}).response()

    def _book(self, connection: Connection) -> Rulebook:
        return self._ledger.publications.history(connection, last_horizon(connection)).current.rulebook


def _asked(request: Request) -> tuple[Lang, User]:
    user = request.state.identity.user
    assert user is not None
    return accepted_language(request.headers.get("accept-language", "")), user


def _row(row: RowMapping, scope: Scope, lang: Lang, book: Rulebook) -> dict[str, Any]:
    evidence = msgspec.json.decode(row["evidence"])
    stated = {name: row[name] for name in Finding.__struct_fields__ if name not in ("severity", "evidence")}
    finding = Finding(**stated, severity=Severity(row["severity"]), evidence=evidence)
    places = {name: row[name] for name in ("case", "region", "item", "detected_at", "changed_at")}
    withdrawal = row["withdrawal"] and scope.shown(msgspec.json.decode(row["withdrawal"]))
    shown = {**_finding(msgspec.to_builtins(finding), scope), **places, "withdrawal": withdrawal}
    return {"says": _says(finding, scope, lang, book), **shown}


def _finding(stated: dict[str, Any], scope: Scope) -> dict[str, Any]:
    """Lay out a finding; what names a person is masked where persons are not shown."""
    named = {name: _code(stated.get(name, ""), scope) for name in ("subject", "cause")}
    severity = Severity(stated["severity"]).name.lower()
    return {**stated, **named, "severity": severity, "evidence": scope.shown(stated.get("evidence", {}))}


def _code(written: str, scope: Scope) -> str:
    field, colon, _ = written.partition(":")
    return f"{field}{colon}{MASK}" if not scope.persons and field in ("window", "operator") else written


def _says(finding: Finding, scope: Scope, lang: Lang, book: Rulebook) -> str:
    """Say a finding in a sentence; empty for a rule this program no longer has."""
    if finding.rule not in RULES:
        return ""
    shown = msgspec.structs.replace(finding, evidence=scope.shown(finding.evidence))
    return say_finding(shown, lang, book)
