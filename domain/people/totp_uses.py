"""Uses of TOTP codes at logins, in the log of sessions: each code is accepted once (RFC 6238, section 5.2; K120)."""

from collections.abc import Iterable
from uuid import UUID, uuid5

from domain.core.audited import Audited
from domain.core.ports import Store
from domain.people.totp import (
    ENABLING_WINDOW,
    LOGIN_WINDOW,
    NotConsecutiveCodes,
    OneTimeCodes,
    TotpConfiguration,
    present_counter,
)


class TotpUse(Audited):
    """The use of the code of one time step. It has one event only, so that of two racing logins one fails."""

    TOPIC = "totp-use"

    configuration_id: UUID
    counter: int

    class Created(Audited.Created):
        """A TOTP code was used to log in; `counter` is the number of its time step."""

        TOPIC = "totp-use.recorded"
        configuration_id: UUID
        counter: int

    @classmethod
    def create(cls, configuration_id: UUID, counter: int) -> "TotpUse":
        """Return the use of a code."""
        use_id = use_id_of(configuration_id, counter)
        return cls._create(cls.Created, id=use_id, configuration_id=configuration_id, counter=counter)


class UsedCodes:
    """Finds the counter of a code that was not used yet. `sessions` is the store of the log of sessions."""

    def __init__(self, sessions: Store, codes: OneTimeCodes) -> None:
        self._sessions = sessions
        self._codes = codes

    async def counter_at_login(self, configuration: TotpConfiguration, code: str) -> int | None:
        """Return the counter of a code that is valid now and later than all used ones; None for another code."""
        counters = await self._unused(configuration, LOGIN_WINDOW)
        return self._matching(configuration, code, counters)

    async def counter_at_enabling(self, configuration: TotpConfiguration, first: str, second: str) -> int:
        """Return the counter of the second of two consecutive unused codes. Raises NotConsecutiveCodes."""
        counters = await self._unused(configuration, ENABLING_WINDOW)
        for counter in counters:
            if counter + 1 in counters and self._matching(configuration, first, [counter]) is not None:
                later = self._matching(configuration, second, [counter + 1])
                if later is not None:
                    return later
        raise NotConsecutiveCodes(argument="codes")

    async def _unused(self, configuration: TotpConfiguration, window: int) -> range:
        """Return the counters around the present one that are later than every used one."""
        now = present_counter()
        near = range(now - ENABLING_WINDOW, now + ENABLING_WINDOW + 1)
        ids = [use_id_of(configuration.id, counter) for counter in near]
        used = [use.counter for use in (await self._sessions.get_many(TotpUse, ids)).values()]
        last = max([configuration.counter, *used])
        return range(max(now - window, last + 1), now + window + 1)

    def _matching(self, configuration: TotpConfiguration, code: str, counters: Iterable[int]) -> int | None:
        secret = configuration.secret.value
        if secret is None:  # the person has been erased
            return None
        matching = [counter for counter in counters if self._codes.matches(secret, code, counter)]
        return matching[0] if matching else None


def use_id_of(configuration_id: UUID, counter: int) -> UUID:
    """Return the id of the use of the code of a time step."""
    return uuid5(configuration_id, str(counter))
