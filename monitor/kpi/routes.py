"""The route that gives figures to users within their scope."""

from typing import Annotated

from fastapi import Query, Request, Response

from monitor.access import Gate, Router, signed_in
from monitor.answers import Answer, accepted_language
from monitor.kpi.question import Unanswerable, ask
from monitor.kpi.report import document, make_report
from monitor.ledger import Ledger


class Figures:
    """The route of figures."""

    def __init__(self, ledger: Ledger, gate: Gate) -> None:
        self._ledger, self._gate = ledger, gate

    def router(self) -> Router:
        """Make the route."""
        router = Router("figures")
        router.declare("/api/kpi", self.kpi, signed_in())
        return router

    def kpi(
        self,
        request: Request,
        figure: Annotated[list[str] | None, Query(description="ids of figures; all where none is given")] = None,
        region: Annotated[str | None, Query(description="by default the topmost you may see")] = None,
        below: Annotated[bool, Query(description="with all regions below it (全市), or itself alone (市本级)")] = True,
        department: str | None = None,
        item: Annotated[str | None, Query(description="counted wherever it is handled")] = None,
        period: Annotated[str | None, Query(description="2009-03-02, 2009-03, 2009-Q1, 2009, from..to, ever")] = None,
    ) -> Response:
        """Give figures with numerator and denominator; docs/figures.md defines them."""
        lang, user = accepted_language(request.headers.get("accept-language", "")), request.state.identity.user
        try:
            question = ask(figure, region, below, department, item, period)
            report = make_report(self._ledger, question, lambda connection: self._gate.scope(connection, user))
        except Unanswerable as unanswerable:
            return unanswerable.answer(lang).response()
        return Answer(200, document(report)).response()
