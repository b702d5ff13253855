"""Signing in with name and password, so that guessing is slow, memory is bounded and what happened is known.

A password costs 50 ms to check, so that one found right is remembered for as long as the ledger says the same of its
user; a user disabled, or given another password, is out within seconds. Failures are slowed down and told to the
audit in bulk: somebody who guesses a thousand times shall not write a thousand lines.
"""

import asyncio
import secrets
import threading
import time
from collections import Counter, OrderedDict
from hashlib import blake2b
from typing import Final

import msgspec
import structlog
from sqlalchemy.exc import DBAPIError

from monitor.ledger import Ledger, audit
from monitor.people import PASSWORD_LENGTH_MAX, User, find_user, folded, matches

log = structlog.get_logger(__name__)

RECHECK_SECONDS: Final = 2.0
"""How long what was found good is believed without asking the ledger: so soon a disabled user is out."""
REMEMBERED_MAX: Final = 1_000
CHECKS_AT_ONCE: Final = 2
"""Passwords checked at the same time: each takes a core and 64 MiB."""
WAITING_MAX: Final = 32
FORGET_SECONDS: Final = 900.0
WAIT_SECONDS_MAX: Final = 60.0
TRACKED_MAX: Final = 10_000
TELL_SECONDS: Final = 60.0
"""Failures of a minute make one line of the audit."""

FREE_FROM_ADDRESS_FOR_NAME: Final = 5
FREE_FROM_ADDRESS: Final = 30
FREE_FOR_NAME: Final = 100
"""Failures before one has to wait. A stranger elsewhere can hardly keep a user out; many strangers are slowed too."""


class NotNow(RuntimeError):
    """Not looked at; come again after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"come again in {seconds:.0f} s")
        self.seconds = max(1, round(seconds))


class Throttle:
    """Count failures by key and say how long to wait: twice as long with each one beyond those that are free."""

    def __init__(self) -> None:
        self._failures: OrderedDict[tuple[str, ...], tuple[int, float]] = OrderedDict()

    def wait_seconds(self, key: tuple[str, ...], free: int, now: float) -> float:
        """Tell how long a key has to wait; 0: not at all."""
        count, last = self._failures.get(key, (0, 0.0))
        if count < free or now - last > FORGET_SECONDS:
            return 0.0
        return max(0.0, last + min(WAIT_SECONDS_MAX, 2.0 ** min(count - free, 10)) - now)

    def failed(self, key: tuple[str, ...], now: float) -> None:
        """Count a failure; those longest ago make room."""
        count, last = self._failures.pop(key, (0, now))
        self._failures[key] = (1 if now - last > FORGET_SECONDS else count + 1, now)
        while len(self._failures) > TRACKED_MAX:
            self._failures.popitem(last=False)

    def succeeded(self, key: tuple[str, ...]) -> None:
        """Forget the failures of a key."""
        self._failures.pop(key, None)


class Failures:
    """Collect failed sign-ins and write them to the audit together. What was typed as an unknown name is not kept."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._lock = ledger, threading.Lock()
        self._known: Counter[str] = Counter()
        self._unknown = 0
        self._timer: threading.Timer | None = None

    def note(self, user: str | None) -> None:
        """Count a failure for a user, None: for a name that nobody has."""
        with self._lock:
            if user is None:
                self._unknown += 1
            else:
                self._known[user] += 1
            if self._timer is None:
                self._timer = threading.Timer(TELL_SECONDS, self.tell)
                self._timer.daemon = True
                self._timer.start()

    def tell(self) -> None:
        """Write what was collected; where the ledger cannot be written it is kept for the next time."""
        with self._lock:
            known, unknown = self._known, self._unknown
            self._known, self._unknown = Counter(), 0
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        if not known and not unknown:
            return
        detail = {"users": dict(sorted(known.items())), "unknown_names": unknown}
        try:
            with self._ledger.write() as connection:
                audit.record(connection, "monitor", "signin.failures", "users", detail)
        except DBAPIError as error:
            log.warning("failed sign-ins are not in the audit yet", error=str(error.orig))
            with self._lock:
                self._known.update(known)
                self._unknown += unknown


class _Remembered(msgspec.Struct):
    password_hash: str
    user: User
    checked_at: float


class SignIn:
    """Recognise users by name and password."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.failures = Failures(ledger)
        self._throttle = Throttle()
        self._key = secrets.token_bytes(32)  # what is remembered tells nobody a password
        self._remembered: OrderedDict[bytes, _Remembered] = OrderedDict()
        self._checking = asyncio.Semaphore(CHECKS_AT_ONCE)
        self._waiting = 0

    async def recognise(self, name: str, password: str, address: str) -> User | None:
        """Give the user, None: the name or the password is wrong. Raises NotNow for who must wait."""
        if len(password) > PASSWORD_LENGTH_MAX:
            return None
        name = folded(name)
        digest = blake2b(f"{name}\x00{password}".encode(), key=self._key).digest()
        known = await self._recall(name, digest)
        return known if known is not None else await self._check(name, password, address, digest)

    async def _recall(self, name: str, digest: bytes) -> User | None:
        """Give the user of a password found right before, as far as the ledger still says the same."""
        remembered = self._remembered.get(digest)
        if remembered is None:
            return None
        if time.monotonic() - remembered.checked_at > RECHECK_SECONDS:
            found = await asyncio.to_thread(self._find, name)
            if found is None or found[1] != remembered.password_hash or found[0].disabled_at is not None:
                self._remembered.pop(digest, None)
                return None
            remembered.user, remembered.checked_at = found[0], time.monotonic()
        return remembered.user

    async def _check(self, name: str, password: str, address: str, digest: bytes) -> User | None:
        keys = (
            (("address-name", address, name), FREE_FROM_ADDRESS_FOR_NAME),
            (("address", address), FREE_FROM_ADDRESS),
            (("name", name), FREE_FOR_NAME),
        )
        self._hold_back(keys)
        if self._waiting >= WAITING_MAX:
            raise NotNow(1)
        self._waiting += 1
        try:
            async with self._checking:
                # While this one waited, others may have failed, or found the same password right.
                self._hold_back(keys)
                if (known := await self._recall(name, digest)) is not None:
                    return known
                checked_at = time.monotonic()
                found = await asyncio.to_thread(self._find, name)
                user = await asyncio.to_thread(matches, found, password)
        finally:
            self._waiting -= 1
        if user is None or found is None:
            for key, _ in keys:
                self._throttle.failed(key, time.monotonic())
            self.failures.note(None if found is None else found[0].name)
            return None
        self._throttle.succeeded(keys[0][0])
        self._remembered[digest] = _Remembered(found[1], user, checked_at)
        while len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return user

    def _hold_back(self, keys: tuple[tuple[tuple[str, ...], int], ...]) -> None:
        now = time.monotonic()
        wait = max(self._throttle.wait_seconds(key, free, now) for key, free in keys)
        if wait > 0:
            raise NotNow(wait)

    def _find(self, name: str) -> tuple[User, str] | None:
        with self._ledger.read() as connection:
            return find_user(connection, name)
