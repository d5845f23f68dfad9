"""Throttles, which routes declare and which count a call before its work (rulings O12 to O14).

    PER_TOKEN = CallThrottle("refreshes", lambda settings: settings.refreshes_session, 60, token_of)

    @router.post("/v1/refresh-token/", **answers(…, throttle=PER_TOKEN))

Every operation without a token has a throttle, or is in the list of tests/api/edge/test_signatures.py.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from adapters.security.client_address import CLIENT_ADDRESS
from adapters.security.throttle import Counter, Limit
from adapters.security_log import SecurityEvent, report
from adapters.settings import Settings
from api.services import Services
from domain.core.errors import DomainError, NotFound, Unauthenticated
from domain.people.login_names import normal_login

Arguments = Mapping[str, Any]
"""The arguments of the endpoint by name."""
MaxCalls = Callable[[Settings], int]
"""Returns how many calls the settings allow in the time; 0 for no limit."""


class RouteThrottle(Protocol):
    """Counts the calls of an operation."""

    def bound(self, services: Services, arguments: Arguments) -> AbstractAsyncContextManager[None]:
        """Count a call and run its work inside. Raises TooMany before the work after too many recent calls."""
        ...


@dataclass(frozen=True)
class CallThrottle:
    """Counts all calls, by a subject that it takes from their arguments."""

    name: str
    most: MaxCalls
    seconds: int
    subject: Callable[[Arguments], str]

    @asynccontextmanager
    async def bound(self, services: Services, arguments: Arguments) -> AsyncIterator[None]:
        """As in `RouteThrottle`."""
        limit = Limit(self.name, self.most(services.settings), self.seconds)
        await services.throttle.take(Counter(limit, self.subject(arguments)))
        yield


@dataclass(frozen=True)
class FailureThrottle:
    """Counts the calls of an address that end in the refusal `counted`, and reports them to the security log."""

    name: str
    most: MaxCalls
    seconds: int
    event: SecurityEvent | None = None
    counted: type[DomainError] | tuple[type[DomainError], ...] = Unauthenticated

    @asynccontextmanager
    async def bound(self, services: Services, arguments: Arguments) -> AsyncIterator[None]:  # noqa: ARG002
        """As in `RouteThrottle`. A call counts as a failure until it succeeds."""
        address = CLIENT_ADDRESS.get()
        failures = Counter(Limit(self.name, self.most(services.settings), self.seconds), address)
        taken = await services.throttle.take(failures)
        try:
            yield
        except self.counted:
            if self.event is not None:
                report(self.event, address=address)
            raise
        except BaseException:
            await taken.refund(failures)
            raise
        await taken.refund(failures)


LOOKUP_MISSES = FailureThrottle(
    "lookup-misses", lambda settings: settings.lookup_misses_address, 15 * 60, counted=NotFound
)
"""Counts look-ups of codes, addresses and links that find nothing, those of all such operations together (K23)."""


@dataclass(frozen=True)
class NamedLimits:
    """At most so many uses in `seconds`, of a login name as it was typed and of an address (ruling K9)."""

    name: str
    most: MaxCalls
    most_address: MaxCalls
    seconds: int
    typed: Callable[[Arguments], str]

    def of_name(self, services: Services, name: str) -> Counter:
        """Return the counter of a login name in its comparable form."""
        return Counter(Limit(f"{self.name}-name", self.most(services.settings), self.seconds), name)

    def counters(self, services: Services, arguments: Arguments) -> tuple[Counter, Counter]:
        """Return the counters of the name, whether or not somebody has it, and of the client's address."""
        of_address = Limit(f"{self.name}-address", self.most_address(services.settings), self.seconds)
        name = normal_login(self.typed(arguments))
        return self.of_name(services, name), Counter(of_address, CLIENT_ADDRESS.get())


@dataclass(frozen=True)
class NamedCallThrottle:
    """Counts all calls by login name and by address, before anything is looked up."""

    limits: NamedLimits

    @asynccontextmanager
    async def bound(self, services: Services, arguments: Arguments) -> AsyncIterator[None]:
        """As in `RouteThrottle`."""
        await services.throttle.take(*self.limits.counters(services, arguments))
        yield


def code_requests(operation: str, typed: Callable[[Arguments], str]) -> NamedCallThrottle:
    """Return the throttle of an operation that sends codes; each operation counts for itself (ruling K20)."""
    limits = NamedLimits(
        operation,
        lambda settings: settings.code_requests,
        lambda settings: settings.code_requests_address,
        3600,
        typed,
    )
    return NamedCallThrottle(limits)


@dataclass(frozen=True)
class NamedFailureThrottle:
    """Counts the calls that end in one of the refusals, by login name and by address.

    Success clears the count of the name.
    """

    limits: NamedLimits
    refusals: tuple[type[DomainError], ...]

    @asynccontextmanager
    async def bound(self, services: Services, arguments: Arguments) -> AsyncIterator[None]:
        """As in `RouteThrottle`. A call counts as a failure until it ends otherwise."""
        of_name, of_address = self.limits.counters(services, arguments)
        taken = await services.throttle.take(of_name, of_address)
        try:
            yield
        except self.refusals:
            raise
        except BaseException:
            await taken.refund(of_name, of_address)
            raise
        await services.throttle.clear(of_name)
        await taken.refund(of_address)


@dataclass(frozen=True)
class BothThrottles:
    """Counts each call with two throttles, the outer one first."""

    outer: RouteThrottle
    inner: RouteThrottle

    @asynccontextmanager
    async def bound(self, services: Services, arguments: Arguments) -> AsyncIterator[None]:
        """As in `RouteThrottle`."""
        async with self.outer.bound(services, arguments), self.inner.bound(services, arguments):
            yield


@dataclass(frozen=True)
class ThrottleOfSome:
    """Counts with a throttle the calls that it `counts`; all others are neither counted nor refused."""

    throttle: RouteThrottle
    counts: Callable[[Arguments], bool]

    def bound(self, services: Services, arguments: Arguments) -> AbstractAsyncContextManager[None]:
        """As in `RouteThrottle`."""
        return self.throttle.bound(services, arguments) if self.counts(arguments) else nullcontext()


@dataclass(frozen=True)
class CommandThrottle:
    """Declares that the command itself counts the call before its work, by something that only the command knows."""

    reason: str

    def bound(self, services: Services, arguments: Arguments) -> AbstractAsyncContextManager[None]:  # noqa: ARG002
        """Count nothing."""
        return nullcontext()
