"""Throttles of logins and of failed logins (rulings O12, O13 and O14)."""

from collections.abc import Mapping
from typing import NamedTuple

from adapters.security.throttle import CountedUses, Counter, Limit, Throttle
from adapters.security_log import report
from adapters.settings import Settings
from domain.core.errors import TooMany
from domain.core.ports import Lookup

FAILURE_SECONDS = 15 * 60
LOGIN_SECONDS = 60
KNOWN_SECONDS = 30 * 24 * 3600
KNOWN = "login-addresses"
"""Marks on pairs of a name and an address from which it has logged in."""


class LoginThrottle:
    """Implements `domain.people.login_attempts.Attempts`.

    Failures are counted by the name as typed, never by the account, so that no answer reveals that two names belong to
    one account. Each name has two counters: one for addresses from which it has logged in lately, one for all others.
    An attacker exhausts only the second one and does not lock out the owner.
    """

    def __init__(self, throttle: Throttle, lookup: Lookup, settings: Settings) -> None:
        self._throttle = throttle
        self._lookup = lookup
        self._known = Limit("login-failures-known", settings.login_failures, FAILURE_SECONDS)
        self._others = Limit("login-failures-others", settings.login_failures, FAILURE_SECONDS)
        self._address = Limit("login-failures-address", settings.login_failures_address, FAILURE_SECONDS)
        self._logins = Limit("logins-address", settings.logins_address, LOGIN_SECONDS)

    async def begin(self, name: str, address: str) -> "LoginAttempt":
        """Count the attempt as a failure and as a login, before the account is looked up. Raises TooMany."""
        known = await self._throttle.marked(KNOWN, _pair(name, address))
        counters = LoginCounters(
            Counter(self._known if known else self._others, name),
            Counter(self._address, address),
            Counter(self._logins, address),
        )
        facts = {"name": self._lookup("security-log", name).hex(), "address": address}
        try:
            counted = await self._throttle.take(*counters)
        except TooMany:
            report("login-locked", **facts)
            raise
        return LoginAttempt(self._throttle, counted, counters, _pair(name, address), facts)

    async def unlock(self, name: str) -> None:
        """Clear the failures of a name from all addresses."""
        await self._throttle.clear(Counter(self._known, name), Counter(self._others, name))


class LoginCounters(NamedTuple):
    """The counters of one attempt."""

    of_name: Counter
    of_address: Counter
    logins: Counter


class LoginAttempt:
    """Implements `domain.people.login_attempts.Attempt`."""

    def __init__(
        self, throttle: Throttle, counted: CountedUses, counters: LoginCounters, pair: str, facts: Mapping[str, str]
    ) -> None:
        """`facts` are the fields of lines in the security log."""
        self._throttle = throttle
        self._counted = counted
        self._counters = counters
        self._pair = pair
        self._facts = facts

    async def succeed(self) -> None:
        """Clear the counter of failures of the name that was used (ruling H1), and mark the address as known."""
        await self._throttle.clear(self._counters.of_name)
        await self._counted.refund(self._counters.of_address)
        await self._throttle.mark(KNOWN, self._pair, KNOWN_SECONDS)

    async def forgive(self) -> None:
        """Count the attempt as a login, not as a failure (ruling K10)."""
        await self._counted.refund(self._counters.of_name, self._counters.of_address)

    async def fail(self) -> None:
        """Count the attempt as a failure only, not as a login."""
        report("login-failed", **self._facts)
        await self._counted.refund(self._counters.logins)

    async def withdraw(self) -> None:
        """Do not count the attempt, because no password was checked."""
        await self._counted.refund(*self._counters)


def _pair(name: str, address: str) -> str:
    return f"{address} {name}"
