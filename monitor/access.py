"""Who may call what: every route declares a permit, and one check in front of every handler enforces it.

A route is added with `Router.declare`; one without a permit cannot be made, and an application with any other kind
of route is refused by `Gate.serve`. The handler finds who calls in `request.state.identity`, and what a user may see
by `Gate.scope`.
"""

import asyncio
import base64
import binascii
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, Literal

import msgspec
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from monitor.answers import Answer, accepted_language, refusal
from monitor.keys import find_key
from monitor.ledger import Ledger
from monitor.ledger.positions import last_horizon
from monitor.people import ROLES, Role, User
from monitor.scope import Scope, scope_of
from monitor.signin import NotNow, SignIn

RECHECK_SECONDS: Final = 2.0
"""How long a key found good is believed: so soon a revocation takes effect."""
REMEMBERED_MAX: Final = 1_000
RETRY_SECONDS: Final = 5

Kind = Literal["anyone", "source", "local", "user"]


class Permit(msgspec.Struct, frozen=True):
    """Who may call a route: callers of these kinds, and of users those with one of the roles."""

    kinds: tuple[Kind, ...]
    roles: tuple[Role, ...] = ()

    @property
    def wants_user(self) -> bool:
        """Tell whether one signs in with name and password."""
        return "user" in self.kinds

    @property
    def says(self) -> str:
        """Say it in a sentence, for the description of the route."""
        return f"Who may call it: {_WHO[self.kinds[0]]}{', '.join(self.roles)}."


PUBLIC: Final = Permit(("anyone",))
SENDER: Final = Permit(("source", "local"))
LOCAL: Final = Permit(("local",))

_WHO: Final[dict[Kind, str]] = {
    "anyone": "whoever reaches the address; it shows no window, operator or applicant",
    "source": "the bearer of an API key, for the source the key is bound to",
    "local": "a process on the same machine that reads the token beside the ledger",
    "user": "users, within their scope, with the role ",
}


def signed_in(*roles: Role) -> Permit:
    """Permit users with one of these roles, by default every role."""
    return Permit(("user",), roles or ROLES)


class Identity(msgspec.Struct, frozen=True):
    """Who calls: anyone, a source by its key, a process of this machine by its token, or a user."""

    kind: Kind
    source: str | None = None
    user: User | None = None

    @property
    def is_local(self) -> bool:
        """Tell whether a process of this machine calls: it may import and speak for any source."""
        return self.kind == "local"


ANYONE: Final = Identity("anyone")
LOCAL_PROCESS: Final = Identity("local")


class Denied(Exception):
    """A call that is not let through, with its answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class GuardedRoute(APIRoute):
    """A route behind the check. Raises TypeError where it is made without a permit."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        declared = (options.get("openapi_extra") or {}).get("x-permit")
        if declared is None:
            raise TypeError(f"{path}: nobody said who may call it; add the route with Router.declare")
        self.permit = msgspec.convert(declared, Permit)
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Put the check before the handler."""
        handler = super().get_route_handler()

        async def checked(request: Request) -> Response:
            gate: Gate = request.app.state.gate
            try:
                request.state.identity = await gate.admit(request, self.permit)
            except Denied as denied:
                gate.refused(request.url.path, denied.answer.status)
                return denied.answer.response()
            answer = await handler(request)
            if self.permit.wants_user:
                answer.headers["Cache-Control"] = "no-store"  # what one may see is not for the next at this machine
            return answer

        return checked


class Router(APIRouter):
    """A router whose routes each say who may call them."""

    def __init__(self, tag: str) -> None:
        super().__init__(tags=[tag], route_class=GuardedRoute)

    def declare(
        self,
        path: str,
        act: Callable[..., Any],
        permit: Permit,
        method: str = "GET",
        described: bool = True,
        **openapi_extra: Any,
    ) -> None:
        """Add a route; its description is what `act` says, and who may call it."""
        scheme = {"anyone": None, "source": "key", "local": "key", "user": "password"}[permit.kinds[0]]
        extra = {"x-permit": msgspec.to_builtins(permit), **openapi_extra}
        if scheme is not None:
            extra["security"] = [{scheme: []}]
        description = f"{act.__doc__}\n\n{permit.says}"
        self.add_api_route(
            path, act, methods=[method], description=description, openapi_extra=extra, include_in_schema=described
        )


class Gate:
    """The one check. `refused` is told path and status of each call that is not let through."""

    def __init__(
        self, ledger: Ledger, token: str, refused: Callable[[str, int], None] = lambda path, status: None
    ) -> None:
        self._ledger, self._token, self.refused = ledger, token, refused
        self._sign_in = SignIn(ledger)
        self._keys: dict[str, tuple[float, Identity]] = {}

    def serve(self, app: FastAPI, *routers: Router) -> None:
        """Give an application its routes, and stand in front of them.

        Raises TypeError for one that goes round the check; one added later without a permit fails in being made.
        """
        app.state.gate = self
        app.router.route_class = GuardedRoute
        for router in routers:
            # Not include_router: newer versions of FastAPI keep a router as one opaque route.
            app.router.routes.extend(router.routes)
        for route in app.routes:
            if not isinstance(route, GuardedRoute):
                raise TypeError(f"{getattr(route, 'path', route)}: this route does not go through the check")

    def close(self) -> None:
        """Write down the failures not told yet."""
        self._sign_in.failures.tell()

    async def admit(self, request: Request, permit: Permit) -> Identity:
        """Give who calls, if the permit covers him; raises Denied with the answer otherwise."""
        if permit.kinds == ("anyone",):
            return ANYONE
        lang = accepted_language(request.headers.get("accept-language", ""))
        try:
            identity = await self._identify(request)
        except NotNow as wait:
            raise Denied(refusal(429, "access.slow_down", lang, wait.seconds, seconds=wait.seconds)) from None
        except DBAPIError:
            raise Denied(refusal(503, "access.ledger", lang, RETRY_SECONDS)) from None
        if identity is None:
            code, challenge = ("sign_in", BASIC) if permit.wants_user else ("unauthorised", "Bearer")
            raise Denied(msgspec.structs.replace(refusal(401, f"access.{code}", lang), challenge=challenge))
        if identity.user is not None and permit.wants_user and identity.user.role not in permit.roles:
            roles = ", ".join(permit.roles)
            raise Denied(refusal(403, "access.role", lang, role=identity.user.role, roles=roles))
        if identity.kind not in permit.kinds:
            raise Denied(refusal(403, "access.forbidden", lang))
        return identity

    def scope(self, connection: Connection, user: User) -> Scope:
        """Give what a user may see, by the region tree in force."""
        history = self._ledger.publications.history(connection, last_horizon(connection))
        return scope_of(user, history.current.rulebook)

    async def _identify(self, request: Request) -> Identity | None:
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        credentials = credentials.strip()
        if scheme.lower() == "bearer" and credentials:
            return await self._bearer(credentials)
        if scheme.lower() == "basic" and (given := _name_and_password(credentials)) is not None:
            address = request.client.host if request.client is not None else ""
            user = await self._sign_in.recognise(*given, address)
            return None if user is None else Identity("user", user=user)
        return None

    async def _bearer(self, secret: str) -> Identity | None:
        if secrets.compare_digest(secret.encode(), self._token.encode()):
            return LOCAL_PROCESS
        believed_until, identity = self._keys.get(secret, (0.0, ANYONE))
        if time.monotonic() < believed_until:
            return identity
        self._keys.pop(secret, None)
        key = await asyncio.to_thread(self._find_key, secret)
        if key is None or key.revoked_at is not None:
            return None
        if len(self._keys) >= REMEMBERED_MAX:
            self._keys.clear()
        self._keys[secret] = (time.monotonic() + RECHECK_SECONDS, Identity("source", source=key.source))
        return self._keys[secret][1]

    def _find_key(self, secret: str) -> Any:
        with self._ledger.read() as connection:
            return find_key(connection, secret)


BASIC: Final = 'Basic realm="monitor", charset="UTF-8"'


def _name_and_password(credentials: str) -> tuple[str, str] | None:
    try:
        name, colon, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, password) if colon else None
