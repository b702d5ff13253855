"""Who may call what: every route of the running monitor, tried by everybody."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from fastapi import APIRouter, FastAPI
from msgspec.structs import replace

from monitor.access import LOCAL, PUBLIC, SENDER, Gate, GuardedRoute, Permit, Router, signed_in
from monitor.kpi import FIGURES
from monitor.ledger import audit
from monitor.people import ROLES, Actor, Role, add_user, disable, find_user, this_account
from monitor.rulebook.model import ClockProfile, Department, RuleSetting, Window
from streams.access import token_path
from tests.conftest import ROOT
from tests.monitor.cases import SEASON
from tests.small_centre import RULEBOOK
from tests.streams.running import Running, running

SECRET = "correct horse battery"
CENTRE = replace(
    RULEBOOK,
    departments=(*RULEBOOK.departments, Department(code="health", name="卫生局", name_en="Health", region="450902")),
    items=(*RULEBOOK.items, replace(RULEBOOK.items[0], code="i2", department="health")),
    profiles=(ClockProfile(code="next_day", kind="next_day", seasons=(SEASON,)),),
    windows=(Window(code="w1", department="land", name="一号"),),
    rules={"V07": RuleSetting(mode="card"), "V06": RuleSetting(mode="lead"), "V05": RuleSetting(mode="shadow")},
)
CALLERS = ("nobody", "wrong key", "source", "local", "wrong password", "disabled", *ROLES)
CASES = {"city": ("4509", "land", "i1"), "county": ("450902", "health", "i2")}


def steps(case: str) -> list[dict[str, Any]]:
    """A case finished before it was approved (V07, card; V06, lead) and never issued (V05, shadow)."""
    region, department, item = CASES[case]
    shared = {"source": "hall", "case": case, "region": region, "department": department, "item": item}
    who = {"window": "w9", "operator": "li.si"}
    return [
        {**shared, "id": "1", "type": "apply", "time": "2026-03-02T09:00:00+08:00", "applicant": "3f2a77d1"},
        {**shared, "id": "2", "type": "finish", "time": "2026-03-03T09:00:00+08:00", **who}
        | {"data": {"outcome": "granted", "reason_hash": "9b7f61c0"}},
        {**shared, "id": "3", "type": "approve", "time": "2026-03-04T09:00:00+08:00", **who}
        | {"data": {"outcome": "granted", "approver": "wang.wu"}},
    ]


@pytest.fixture(scope="module")
def monitor(database_kind: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running monitor with two cases, a reject, and a user of each role, on either database."""
    folder = tmp_path_factory.mktemp("routes")
    with pytest.MonkeyPatch.context() as patch, _kept_in(patch, folder) as found:
        for limit in ("FREE_FROM_ADDRESS_FOR_NAME", "FREE_FROM_ADDRESS", "FREE_FOR_NAME"):
            patch.setattr(f"monitor.signin.{limit}", 1_000)  # all callers of these tests share one address
        with found.ledger.write() as connection:
            for name, region in (("county", "450902"), ("nanning", "4501"), ("disabled", None)):
                add_user(connection, this_account(), name, "leader", SECRET, region, None, CENTRE)
            disable(connection, this_account(), "disabled")
            for role in ROLES:
                department = "land" if role == "department" else None
                add_user(connection, this_account(), role, role, SECRET, None, department, CENTRE)
        for case in CASES:
            assert found.post(msgspec.json.encode(steps(case))).json()["applied"] == 3
        found.post(b'{"id": "9", "source": "hall", "type": "nonsense", "case": "\xe5\xbc\xa0\xe4\xb8\x89 450921"}')
        yield found


@contextmanager
def _kept_in(patch: pytest.MonkeyPatch, folder: Path) -> Iterator[Running]:
    patch.setenv("MONITOR_DATA", str(folder))
    with running(folder, CENTRE) as found:
        yield found


def headers(monitor: Running, caller: str) -> dict[str, str]:
    """Say who one is."""
    local = token_path(monitor.ledger).read_text()
    bearer = {"source": monitor.key, "local": local, "wrong key": "esm_wrong"}.get(caller)
    return {} if bearer is None else {"Authorization": f"Bearer {bearer}"}


def ask(monitor: Running, caller: str, path: str, method: str = "GET", **params: Any) -> httpx.Response:
    """Call a route as somebody."""
    name = "admin" if caller == "wrong password" else caller
    password = "not the password" if caller == "wrong password" else SECRET
    signs_in = caller in (*ROLES, "wrong password", "disabled", "county", "nanning")
    auth = httpx.BasicAuth(name, password) if signs_in else None
    return monitor.client.request(method, path, headers=headers(monitor, caller), auth=auth, params=params)


def expected(permit: Permit, caller: str) -> int | None:
    """Say what the check answers; None: it lets the caller through."""
    if permit == PUBLIC:
        return None
    if caller in ("nobody", "wrong key", "wrong password", "disabled"):
        return 401
    kind = "user" if caller in ROLES else caller
    return None if kind in permit.kinds and (kind != "user" or caller in permit.roles) else 403


def routes(monitor: Running) -> list[GuardedRoute]:
    """List the routes there are."""
    return [route for route in monitor.runtime.app.routes if isinstance(route, GuardedRoute)]


@pytest.mark.parametrize("caller", CALLERS)
def test_every_route_lets_in_whom_it_declares_and_nobody_else(monitor: Running, caller: str) -> None:
    """Each route of the application answers each caller 401, 403, or whatever its handler does."""
    assert len(routes(monitor)) == len(monitor.runtime.app.routes) > 12
    for route in routes(monitor):
        (method,) = route.methods
        path = route.path.replace("{case:path}", "city").replace("{seq}", "1").replace("{name}", "live.js")
        answer = ask(monitor, caller, path.replace("{source}", "hall"), method)
        wanted = expected(route.permit, caller)
        if wanted is None:
            assert answer.status_code not in (401, 403, 429, 500), (route.path, answer.text)
        else:
            assert answer.status_code == wanted, (route.path, answer.text)
            assert answer.json()["error"]["remedy"]
            assert ("www-authenticate" in answer.headers) == (wanted == 401)


def test_who_may_call_a_route_stands_in_its_description(monitor: Running) -> None:
    """/openapi.json tells an integrator of each route who may call it and how one says who one is."""
    paths = monitor.client.get("/openapi.json").json()["paths"]
    operations = {path: next(iter(operation.values())) for path, operation in paths.items()}
    assert operations["/api/events"]["security"] == [{"key": []}]
    assert operations["/api/findings"]["security"] == [{"password": []}]
    assert "security" not in operations["/metrics"]
    assert all("Who may call it" in operation["description"] for operation in operations.values())


def test_a_route_nobody_spoke_for_cannot_be_made(monitor: Running) -> None:
    """Forgetting to say who may call a route fails when the program starts, not when somebody calls it."""
    router = Router("new")
    with pytest.raises(TypeError, match="nobody said who may call it"):
        router.add_api_route("/secrets", lambda: "all")
    with pytest.raises(TypeError, match="nobody said who may call it"):
        monitor.runtime.app.add_api_route("/secrets", lambda: "all")
    app, other = FastAPI(openapi_url=None, docs_url=None, redoc_url=None), APIRouter()
    other.add_api_route("/secrets", lambda: "all")
    app.include_router(other)
    with pytest.raises(TypeError, match="does not go through the check"):
        Gate(monitor.ledger, "token").serve(app, router)
    with pytest.raises(TypeError, match="openapi"):
        Gate(monitor.ledger, "token").serve(FastAPI(docs_url=None, redoc_url=None))


def test_the_documentation_lists_every_route(monitor: Running) -> None:
    """The table of docs/people.md names each route, and exactly those who may call it."""
    said = re.findall(r"(?m)^\| `([A-Z]+ /[^`]*)` \| ([^|]+) \|$", (ROOT / "docs" / "people.md").read_text("utf-8"))
    for route in routes(monitor):
        (method,) = route.methods
        who = {"anyone": "anyone", "source": "source, local", "local": "local", "user": ", ".join(route.permit.roles)}
        assert (f"{method} {route.path}", who[route.permit.kinds[0]]) in said
    assert len(said) == len(routes(monitor))


def test_permits_say_who_they_are_for() -> None:
    """A role permits itself alone; without one, every user."""
    assert signed_in().roles == ROLES
    assert "role admin." in signed_in("admin").says
    assert "API key" in SENDER.says
    assert "same machine" in LOCAL.says


def cases_seen(monitor: Running, caller: str) -> set[str]:
    """Name the cases whose findings, and which cases themselves, a caller is shown; both must agree."""
    listed = {finding["case"] for finding in ask(monitor, caller, "/api/findings").json()["findings"]}
    shown = {case for case in CASES if ask(monitor, caller, f"/api/cases/{case}").status_code == 200}
    assert listed == shown
    return shown


@pytest.mark.parametrize(
    ("caller", "seen"),
    [
        ("leader", {"city", "county"}),
        ("county", {"county"}),
        ("nanning", set()),
        ("department", {"city"}),
        ("inspector", {"city", "county"}),
        ("operator", {"city", "county"}),
        ("admin", {"city", "county"}),
    ],
)
def test_scope_limits_what_is_seen(monitor: Running, caller: str, seen: set[str]) -> None:
    """A county's leader sees his subtree, a department's user his department, and no filter widens that."""
    assert cases_seen(monitor, caller) == seen
    for wish in ({"region": "450902"}, {"department": "health"}, {"case": "county"}, {"item": "i2"}):
        found = ask(monitor, caller, "/api/findings", **wish).json()["findings"]
        assert {finding["case"] for finding in found} == {"county"} & seen


@pytest.mark.parametrize(
    ("caller", "modes"),
    [
        ("leader", {"card"}),
        ("department", {"card"}),
        ("operator", {"card"}),
        ("inspector", {"card", "lead"}),
        ("admin", {"card", "lead", "shadow"}),
    ],
)
def test_leads_are_for_inspectors_and_shadow_for_admins(monitor: Running, caller: str, modes: set[str]) -> None:
    """In lists and in a case alike nobody sees a finding of a mode that is not for him, nor by asking for it."""
    listed = ask(monitor, caller, "/api/findings").json()["findings"]
    in_case = ask(monitor, caller, "/api/cases/city").json()["findings"]
    assert {finding["mode"] for finding in listed} == {finding["mode"] for finding in in_case} == modes
    for mode in ("card", "lead", "shadow"):
        found = ask(monitor, caller, "/api/findings", mode=mode).json()["findings"]
        assert bool(found) == (mode in modes)


@pytest.mark.parametrize("caller", ROLES)
def test_persons_are_for_inspectors_and_admins(monitor: Running, caller: Role) -> None:
    """Window, operator and approver are shown to those two alone; an applicant and a text's hash to nobody."""
    answers = [
        ask(monitor, caller, path, **params).text
        for path, params in (("/api/cases/city", {}), ("/api/findings", {}), ("/api/findings", {"kind": "data"}))
    ]
    for person in ("w9", "li.si", "wang.wu"):
        assert any(person in answer for answer in answers) == (caller in ("inspector", "admin")), person
    assert not any(secret in answer for answer in answers for secret in ("3f2a77d1", "9b7f61c0"))


def test_a_case_is_told_with_its_time_line(monitor: Running) -> None:
    """Stage, light, clocks and findings with their sentence, and the events in their order."""
    case = ask(monitor, "inspector", "/api/cases/city").json()
    assert (case["case"], case["stage"], case["department"]) == ("city", "finished", "land")
    assert [event["type"] for event in case["timeline"]] == ["apply", "finish", "approve"]
    assert case["timeline"][1]["operator"] == "li.si"
    assert all(finding["says"] for finding in case["findings"])
    assert {clock["name"] for clock in case["clocks"]} >= {"notice", "issue"}


def test_what_a_user_saw_is_kept_by_no_cache(monitor: Running) -> None:
    """Neither a browser nor a proxy keeps what was shown to somebody who signed in."""
    assert ask(monitor, "admin", "/api/findings").headers["cache-control"] == "no-store"
    assert ask(monitor, "nobody", "/metrics").headers.get("cache-control") is None


def test_findings_come_in_pages(monitor: Running) -> None:
    """Page after page each finding comes once; a place no page gave is an error that says so."""
    everything = ask(monitor, "admin", "/api/findings").json()
    assert everything["next"] is None
    paged: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = ask(monitor, "admin", "/api/findings", limit=2, **after).json()
        assert len(page["findings"]) <= 2
        paged += [finding["id"] for finding in page["findings"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert paged == [finding["id"] for finding in everything["findings"]]
    for wrong in ({"after": "x"}, {"severity": "grave"}, {"since": "2026-03-02T09:00:00"}, {"after": "9" * 30 + "-x"}):
        answer = ask(monitor, "admin", "/api/findings", **wrong)
        assert (answer.status_code, bool(answer.json()["error"]["remedy"])) == (400, True)


@pytest.mark.parametrize(
    ("wish", "holds"),
    [
        ({"rule": "V07"}, lambda finding: finding["rule"] == "V07"),
        ({"kind": "data"}, lambda finding: finding["kind"] == "data"),
        ({"severity": "warning"}, lambda finding: finding["severity"] == "warning"),
        ({"state": "live"}, lambda finding: finding["state"] == "live"),
        ({"since": "2026-01-01T00:00:00+08:00"}, lambda finding: True),
    ],
)
def test_findings_are_filtered(monitor: Running, wish: dict[str, str], holds: Any) -> None:
    """Each filter gives those findings for which it holds, and all of them."""
    everything = ask(monitor, "admin", "/api/findings").json()["findings"]
    found = ask(monitor, "admin", "/api/findings", **wish).json()["findings"]
    assert found == [finding for finding in everything if holds(finding)] != []
    assert ask(monitor, "admin", "/api/findings", since="2199-01-01T00:00:00Z").json()["findings"] == []


def test_a_reject_is_shown_masked_and_who_looked_is_known(monitor: Running) -> None:
    """An admin sees the form of what was delivered, never a name or a number; the audit says who looked at which."""
    listed = ask(monitor, "admin", "/api/rejects").json()["rejects"]
    (reject,) = listed
    assert ask(monitor, "admin", "/api/rejects", before=reject["seq"]).json()["rejects"] == []
    shown = ask(monitor, "admin", f"/api/rejects/{reject['seq']}").json()
    assert msgspec.json.decode(shown["delivered"]) == {
        "id": "#",
        "source": "hall",
        "type": "nonsense",
        "case": "** ######",
    }
    assert ask(monitor, "admin", "/api/rejects/99").status_code == 404
    with monitor.ledger.read() as connection:
        lines = audit.entries(connection, act="reject.view", object=f"reject:{reject['seq']}")
    assert {line.actor for line in lines} == {"admin"}
    assert lines[0].detail == {"digest": reject["digest"]}


def test_a_disabled_user_is_out_of_a_running_monitor(monitor: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is disabled by a command is refused by the running monitor as soon as it looks again."""
    monkeypatch.setattr("monitor.signin.RECHECK_SECONDS", 0.0)
    with monitor.ledger.write() as connection:
        add_user(connection, _admin(monitor), "guest", "leader", SECRET)
    signed = httpx.BasicAuth("guest", SECRET)
    assert monitor.client.get("/api/findings", auth=signed).status_code == 200
    with monitor.ledger.write() as connection:
        disable(connection, _admin(monitor), "guest")
    assert monitor.client.get("/api/findings", auth=signed).status_code == 401


def test_guessing_is_answered_with_the_time_to_wait(monitor: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who fails too often is told when to come again; others are served."""
    monkeypatch.setattr("monitor.signin.FREE_FROM_ADDRESS_FOR_NAME", 5)
    answers = [monitor.client.get("/api/findings", auth=("ghost", f"guess number {n}")) for n in range(8)]
    assert {answer.status_code for answer in answers} == {401, 429}
    last = answers[-1]
    assert int(last.headers["retry-after"]) >= 1
    assert last.json()["error"]["code"] == "slow_down"
    assert ask(monitor, "leader", "/api/findings").status_code == 200


@pytest.mark.parametrize("written", ["Basic", "Basic !", "Basic bm9jb2xvbg==", "Basic /w==", "Digest x", "Bearer", ""])
def test_a_header_that_says_nothing_is_nobody(monitor: Running, written: str) -> None:
    """Whatever stands in the header, the answer is 401 and never an error of the program."""
    answer = monitor.client.get("/api/findings", headers={"Authorization": written})
    assert answer.status_code == 401


def _admin(monitor: Running) -> Actor:
    with monitor.ledger.read() as connection:
        found = find_user(connection, "admin")
    assert found is not None
    return Actor("admin", found[0])


def test_figures_are_those_of_what_one_may_see(monitor: Running) -> None:
    """A leader of a county gets its figures, not the city's; a department its own; nobody more by asking for it."""

    def applied(caller: str, **params: Any) -> Any:
        answer = ask(monitor, caller, "/api/kpi", figure="online_rate", period="2026-03", **params)
        assert answer.status_code == 200, answer.text
        document = answer.json()
        return document["extent"]["region"], document["figures"][0]["denominator"]

    assert applied("leader") == ("4509", 2)
    assert applied("leader", below=False) == ("4509", 1)
    assert applied("county") == ("450902", 1)
    assert applied("department") == ("4509", 1)
    assert applied("nanning") == ("4501", 0)
    for caller, params in (
        ("county", {"region": "4509"}),
        ("department", {"department": "health"}),
        ("county", {"item": "i1"}),
    ):
        answer = ask(monitor, caller, "/api/kpi", **params)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "out_of_scope")
    wrong = ask(monitor, "leader", "/api/kpi", period="soon")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "no_period")
    assert wrong.json()["error"]["remedy"]


def test_the_answer_has_all_figures_where_none_is_named(monitor: Running) -> None:
    """The document is that of `monitor kpi --json`."""
    answer = ask(monitor, "inspector", "/api/kpi", period="2026-03").json()
    assert [figure["id"] for figure in answer["figures"]] == list(FIGURES)
