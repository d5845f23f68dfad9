"""A throttle for sending invitations again (ruling K25)."""

from uuid import UUID

from adapters.security.throttle import Counter, Limit, Throttle

HOUR = 3600


class CountedResends:
    """Limits how often per hour the invitations of a request are sent again. Implements `Resends`."""

    def __init__(self, throttle: Throttle, per_hour: int) -> None:
        self._throttle = throttle
        self._limit = Limit("onboarding-resends", per_hour, HOUR)

    async def count(self, request_id: UUID) -> None:
        await self._throttle.take(Counter(self._limit, str(request_id)))
