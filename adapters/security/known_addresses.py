"""A throttle for learning that addresses are known (ruling O3)."""

from uuid import UUID

from adapters.security.throttle import Counter, Limit, Throttle
from adapters.security_log import report

DAY = 24 * 3600


class CountedAddresses:
    """Limits and logs how many known addresses each caller learns per day. Implements `KnownAddresses`."""

    def __init__(self, throttle: Throttle, per_day: int) -> None:
        self._throttle = throttle
        self._limit = Limit("known-addresses", per_day, DAY)

    async def count(self, caller_id: UUID) -> None:
        await self._throttle.take(Counter(self._limit, str(caller_id)))
        report("known-address-named", user=str(caller_id))
